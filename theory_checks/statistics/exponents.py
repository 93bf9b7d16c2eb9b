# SPDX-License-Identifier: Apache-2.0
"""Measured exponents: the rate in k and the law of a metric in a constant.

How long it takes to reach a threshold, as a function of a constant, is in `scaling`; its functions
are exported from here too, so that every exponent has one address.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .evidence import Array
from .log_log import (
    Exponent,
    Relation,
    check_claim,
    check_theta,
    check_values,
    compare,
    curvature,
    measured,
    slope,
)
from .resampling import log_slope, resampled_weights, studentized_limits
from .scaling import better_scaling, first_passage, scaling_exponent
from .verdict import Decision

__all__ = [
    "Exponent",
    "Relation",
    "better_scaling",
    "first_passage",
    "law_exponent",
    "rate_exponent",
    "scaling_exponent",
]

_RATE_SLACK = 0.05
_MIN_WINDOW = 30.0
_WINDOW_POINTS = (10, 15)


def rate_exponent(
    k: ArrayLike,
    values: ArrayLike,
    *,
    stated: float,
    window: tuple[float, float],
    bound: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Exponent:
    r"""Whether a mean metric falls at least as fast as k^(-stated) over a window.

    The exponent is minus the slope of log(mean over seeds) against log k. It is compared with
    the reference p, the exponent of the bound on the same points (2 / (k + 2) is not yet 1 / k):

    - REFUTED ("slower than stated") iff its upper 99% limit is below p - 0.05;
    - CONSISTENT ("at least as fast") iff its lower 95% limit is above p - 0.05;
    - INCONCLUSIVE otherwise, and where the window is no power law: with c the quadratic
      coefficient of a second fit, less the bound's own, and L = log(k1 / k0), if the 99% interval
      of c excludes 0 and |c| L > 0.1. With many seeds any curvature is significant; c L is the
      difference between the exponents of the two halves of the window; up to 0.1 each half is
      within the slack 0.05 of the fitted exponent, and the bend is immaterial. A noise floor
      bends the curve upwards: subtract the floor of the theorem or end the window earlier.

    The limits are asymptotic, and studentized (`resampling`): a mean whose skewness grows along the
    path is underestimated late, and its exponent overestimated, until there are seeds enough to see
    the tail. `honesty` has the rates.

    Args:
        k: checkpoints in the theorem's unit, increasing, shape (checkpoints,).
        values: metric, any floor already subtracted, shape (seeds, checkpoints), seeds >= 5.
        stated: exponent p of the claim, positive for a falling metric.
        window: (k0, k1), fixed in the claim, k1 / k0 >= 30. Of the checkpoints within, those
            nearest to 15 log-spaced points are used; at least 10, themselves spanning 30.
        bound: the claim's bound at k (floor subtracted), shape (checkpoints,); None compares with
            `stated` itself.
        resamples: resampled sets of trajectories.
        seed: seed of the resampling.

    Returns:
        The exponent with its limits, the verdict and the points used. Where a mean is not
        positive the exponent is None and the verdict INCONCLUSIVE.

    Raises:
        ValueError: if shapes disagree, values are not finite, the bound is not positive, or the
            window is too short or too sparsely covered.

    Example:
        >>> k = np.geomspace(1, 1000, 20)
        >>> noise = np.random.default_rng(0).exponential(size=(64, 1))
        >>> rate = rate_exponent(k, noise / k, stated=1.0, window=(10, 1000))
        >>> rate.verdict, round(rate.value, 2)
        ('CONSISTENT', 1.0)
    """
    k_all = np.asarray(k, dtype=np.float64)
    if k_all.ndim != 1 or not (np.all(np.isfinite(k_all)) and np.all(np.diff(k_all) > 0.0)):
        raise ValueError("k must be one-dimensional, finite and increasing")
    table = check_values("values", values, (None, k_all.size))
    check_claim(stated)
    points = _window_points(k_all, window)
    table = table[:, points]
    x = np.log(k_all[points])
    levels = table.mean(axis=0)
    reference = float(stated)
    bound_curvature = 0.0
    if bound is not None:
        limit = np.asarray(bound, dtype=np.float64)
        if limit.shape != k_all.shape:
            raise ValueError(f"bound must have shape {k_all.shape} like k, got {limit.shape}")
        if not (np.all(np.isfinite(limit)) and np.all(limit[points] > 0.0)):
            raise ValueError("bound must be finite, and positive on the window")
        reference = float(-slope(x, np.log(limit[points])))
        bound_curvature = float(curvature(x, np.log(limit[points])))

    means = resampled_weights(len(table), resamples, seed) @ table
    if not (np.all(levels > 0.0) and np.all(means > 0.0)):
        at = k_all[points][int(np.argmin(np.minimum(levels, means.min(axis=0))))]
        reason = f"the mean is not resolved from 0 at k = {at:g}, so it has no logarithm"
        return measured(
            "INCONCLUSIVE", reason, None, None, stated, reference, k_all[points], levels
        )

    value, limits = studentized_limits(log_slope(-x), table, resamples=resamples, seed=seed)
    length = float(x[-1] - x[0])
    bend = float(curvature(x, np.log(levels))) - bound_curvature
    bends = np.quantile(curvature(x, np.log(means)) - bound_curvature, [0.005, 0.995])
    threshold = reference - _RATE_SLACK
    verdict: Decision = "INCONCLUSIVE"
    if (bends[0] > 0.0 or bends[1] < 0.0) and abs(bend) * length > 2.0 * _RATE_SLACK:
        how = "flattens (noise floor?)" if bend > 0.0 else "steepens"
        reason = (
            f"no power law on this window: it {how}, the exponents of its halves differ by "
            f"{abs(bend) * length:.2g}; subtract the floor or change the window"
        )
    elif limits[3] < threshold:
        verdict = "REFUTED"
        reason = f"slower than stated: upper 99% limit {limits[3]:.3g} < {threshold:.3g}"
    elif limits[1] > threshold:
        verdict = "CONSISTENT"
        reason = f"at least as fast: lower 95% limit {limits[1]:.3g} > {threshold:.3g}"
    else:
        reason = f"undecided: {limits[1]:.3g} <= {threshold:.3g} <= {limits[3]:.3g}"
    return measured(verdict, reason, value, limits, stated, reference, k_all[points], levels)


def law_exponent(
    theta: ArrayLike,
    values: ArrayLike,
    *,
    stated: float,
    relation: Relation = "at_most",
    resamples: int = 1000,
    seed: int = 0,
) -> Exponent:
    """Whether a metric itself scales as theta^stated: log E[M] = c + p log theta.

    The decisions are those of `scaling_exponent`.

    Args:
        theta: the varied constant, increasing, at least 5 log-spaced values over at least 1.5
            decades, shape (n,).
        values: metric, shape (n, seeds); the same random numbers for each theta.
        stated: exponent q of the claim.
        relation: "at_most" or "exactly".
        resamples: number of resampled sets of seeds, the same seeds for each theta.
        seed: seed of the resampling.

    Returns:
        The exponent; None and INCONCLUSIVE where a mean is not positive.

    Raises:
        ValueError: if shapes disagree, values are not finite, or theta has too few values or too
            short a range.

    Example:
        >>> theta = np.geomspace(0.01, 1, 6)
        >>> noise = np.random.default_rng(0).exponential(size=200)
        >>> law_exponent(theta, noise * theta[:, None] ** 2, stated=1.5).verdict
        'REFUTED'
    """
    varied = check_theta(theta)
    check_claim(stated, relation)
    table = check_values("values", values, (varied.size, None))
    levels = table.mean(axis=1)
    means = resampled_weights(table.shape[1], resamples, seed) @ table.T
    unresolved = np.minimum(levels, means.min(axis=0)) <= 0.0
    if unresolved.any():
        at = varied[int(np.argmax(unresolved))]
        reason = f"the mean is not resolved from 0 at theta = {at:g}, so it has no logarithm"
        return measured("INCONCLUSIVE", reason, None, None, stated, stated, varied, levels)
    statistic = log_slope(np.log(varied))
    value, limits = studentized_limits(statistic, table.T, resamples=resamples, seed=seed)
    return compare(varied, levels, value, limits, stated, relation)


def _window_points(k: Array, window: tuple[float, float]) -> NDArray[np.intp]:
    """Indices of the checkpoints nearest to log-spaced points of the window."""
    start, end = window
    if not (start > 0.0 and end / start >= _MIN_WINDOW):
        raise ValueError(f"window must have k0 > 0 and k1 / k0 >= {_MIN_WINDOW:g}, got {window}")
    fewest, most = _WINDOW_POINTS
    inside = np.flatnonzero((k >= start) & (k <= end))
    span = float(k[inside[-1]] / k[inside[0]]) if inside.size else 0.0
    if inside.size > most:
        targets = np.linspace(math.log(k[inside[0]]), math.log(k[inside[-1]]), most)
        nearest = np.argmin(np.abs(np.log(k[inside])[None, :] - targets[:, None]), axis=1)
        inside = inside[np.unique(nearest)]
    if inside.size < fewest or span < _MIN_WINDOW:
        raise ValueError(
            f"window {window} must hold at least {fewest} log-spaced checkpoints over a ratio of "
            f"{_MIN_WINDOW:g}, got {inside.size} over a ratio of {span:.3g}"
        )
    return inside
