# SPDX-License-Identifier: Apache-2.0
"""How the time to reach a threshold scales in a constant: tau_mix, kappa, sigma, n, ...

T(theta) is the first passage of the mean metric through eps, in the theorem's own unit, with
all else fixed; the exponent is the slope of log T. It speaks of the measured eps and range alone.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from .evidence import Array
from .log_log import (
    Exponent,
    Relation,
    check_claim,
    check_theta,
    check_values,
    compare,
    measured,
)
from .resampling import Statistic, log_slope, studentized_limits
from .verdict import Decision

__all__ = ["better_scaling", "first_passage", "scaling_exponent"]


def first_passage(checkpoints: ArrayLike, mean: ArrayLike, eps: float) -> Array:
    """First time, in the unit of the checkpoints, at which a mean metric is at most eps.

    Between the last checkpoint above eps and the first at or below it the metric is taken to
    be a power law (linear in log-log). Without interpolation the passage would jump by a whole
    checkpoint ratio: that moves a slope over 1.5 decades by up to 0.05 (ratio 1.4) and lets
    resampled slopes coincide, so that their interval looks narrower than it is.

    Args:
        checkpoints: positive and increasing, shape (checkpoints,).
        mean: mean metric, shape (..., checkpoints).
        eps: threshold, positive.

    Returns:
        The passage, shape (...). The first checkpoint itself where the metric is at most eps
        there already (the true passage may be earlier); infinity where eps is never reached; the
        checkpoint that reaches eps where the metric there is not positive and has no logarithm.

    Raises:
        ValueError: if shapes disagree, values are not finite or eps is not positive.

    Example:
        >>> k = np.array([1.0, 10.0, 100.0])
        >>> print(first_passage(k, np.array([1.0 / k, 0.1 / k]), 0.005).round(1))
        [inf 20.]
    """
    grid = np.asarray(checkpoints, dtype=np.float64)
    curve = np.asarray(mean, dtype=np.float64)
    if grid.ndim != 1 or not (
        np.all(np.isfinite(grid)) and np.all(grid > 0.0) and np.all(np.diff(grid) > 0.0)
    ):
        raise ValueError(f"checkpoints must be positive, finite and increasing, got {grid}")
    if curve.ndim < 1 or curve.shape[-1] != grid.size:
        raise ValueError(f"mean must have shape (..., {grid.size}), got {curve.shape}")
    if not np.all(np.isfinite(curve)):
        raise ValueError("mean must be finite, got NaN or infinity")
    if not (eps > 0.0 and math.isfinite(eps)):
        raise ValueError(f"eps must be positive and finite, got {eps}")
    passage, _ = _passage_and_gradient(grid, curve, eps)
    return passage


def _passage_and_gradient(grid: Array, curve: Array, eps: float) -> tuple[Array, Array]:
    """The passages (...), and the gradients of their logarithms in those of the curve (..., K)."""
    reached = curve <= eps
    after = np.argmax(reached, axis=-1)
    before = np.maximum(after - 1, 0)
    high = np.take_along_axis(curve, before[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(curve, after[..., None], axis=-1)[..., 0]
    inside = (after > 0) & (low > 0.0)
    drop = np.where(inside, np.log(np.where(inside, high / np.where(inside, low, 1.0), 2.0)), 1.0)
    part = np.where(inside, np.log(np.where(inside, high, eps) / eps) / drop, 1.0)
    passage = grid[before] * (grid[after] / grid[before]) ** part
    gradient = np.zeros_like(curve)
    step = np.where(inside, np.log(grid[after] / grid[before]) / drop, 0.0)
    at_after = np.arange(grid.size) == after[..., None]
    at_before = np.arange(grid.size) == before[..., None]
    gradient += at_before * (step * (1.0 - part))[..., None]
    gradient += at_after * (step * part)[..., None]
    return np.where(reached.any(axis=-1), passage, np.inf), gradient


def scaling_exponent(
    theta: ArrayLike,
    checkpoints: ArrayLike,
    values: ArrayLike,
    eps: float,
    *,
    stated: float,
    relation: Relation = "at_most",
    resamples: int = 1000,
    seed: int = 0,
) -> Exponent:
    """Whether the time to reach eps scales as theta^stated: log T = c + p log theta.

    T(theta) is the `first_passage` of the mean metric through eps.

    - "at_most": CONSISTENT iff the upper 95% limit of p is at most stated + 0.1, REFUTED iff its
      lower 99% limit is above that;
    - "exactly" (two one-sided tests): CONSISTENT iff the 90% interval of p lies within
      stated +- 0.15, REFUTED iff the 98% interval lies outside.

    A resample in which some T is not between two checkpoints counts as the worst case of
    either limit.

    Args:
        theta: the varied constant, increasing, at least 5 log-spaced values over at least 1.5
            decades, shape (n,). All else is fixed.
        checkpoints: in the theorem's own unit (calls, rounds, bits), positive and increasing,
            shape (checkpoints,) or, one row a theta, (n, checkpoints).
        values: metric, shape (n, seeds, checkpoints); the same random numbers for each theta.
        eps: threshold of the metric.
        stated: exponent q of the claim.
        relation: "at_most" or "exactly".
        resamples: number of resampled sets of seeds, the same seeds for each theta.
        seed: seed of the resampling.

    Returns:
        The exponent. INCONCLUSIVE, with exponent None, where eps is never reached or reached at
        the first checkpoint already: then T is not known.

    Raises:
        ValueError: if shapes disagree, values are not finite, or theta has too few values or too
            short a range.

    Example:
        >>> theta, k = np.geomspace(1, 100, 5), np.geomspace(1, 1e5, 30)
        >>> noise = 1 + 0.1 * np.random.default_rng(0).normal(size=(32, 1))
        >>> values = noise * np.sqrt(theta)[:, None, None] / np.sqrt(k)
        >>> scaling_exponent(theta, k, values, 0.1, stated=1.0, relation="exactly").verdict
        'CONSISTENT'
    """
    varied = check_theta(theta)
    check_claim(stated, relation)
    table, grid = _checked(varied, checkpoints, values)
    levels = _levels(grid, table, eps)
    problem = _passage_problem(varied, checkpoints, levels, eps)
    if problem:
        return measured("INCONCLUSIVE", problem, None, None, stated, stated, varied, levels)
    value, limits = studentized_limits(
        _passage_slope(varied, grid, eps), _by_seed(table), resamples=resamples, seed=seed
    )
    return compare(varied, levels, value, limits, stated, relation)


def better_scaling(
    theta: ArrayLike,
    checkpoints: ArrayLike,
    values: ArrayLike,
    baseline: ArrayLike,
    eps: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Exponent:
    """Whether a method scales better in theta than a baseline run on the same seeds.

    The exponent is p_baseline - p of the two first passages, resampled together. CONSISTENT iff
    its lower 95% limit is above 0, REFUTED iff its upper 99% limit is below 0.

    Args:
        theta: as for `scaling_exponent`, shape (n,).
        checkpoints: as for `scaling_exponent`, the same for both methods.
        values: metric of the method, shape (n, seeds, checkpoints).
        baseline: metric of the baseline, same shape and same seeds.
        eps: threshold of the metric.
        resamples: number of resampled sets of seeds.
        seed: seed of the resampling.

    Returns:
        The gain in the exponent, with `stated` 0 and the ratio T_baseline / T as `levels`.

    Raises:
        ValueError: as for `scaling_exponent`, or if the shapes of the two methods differ.

    Example:
        >>> theta, k = np.geomspace(1, 100, 5), np.geomspace(1, 1e6, 30)
        >>> noise = 1 + 0.1 * np.random.default_rng(0).normal(size=(32, 1))
        >>> new = noise * theta[:, None, None] ** 0.5 / k
        >>> old = noise * theta[:, None, None] / k
        >>> better_scaling(theta, k, new, old, 0.01).verdict
        'CONSISTENT'
    """
    varied = check_theta(theta)
    if np.shape(values) != np.shape(baseline):
        raise ValueError(
            f"baseline must have the shape of values, {np.shape(values)}, got {np.shape(baseline)}"
        )
    table, grid = _checked(varied, checkpoints, values)
    base, _ = _checked(varied, checkpoints, baseline)
    levels, base_levels = _levels(grid, table, eps), _levels(grid, base, eps)
    for name, reached in (("method", levels), ("baseline", base_levels)):
        problem = _passage_problem(varied, checkpoints, reached, eps)
        if problem:
            return measured(
                "INCONCLUSIVE", f"{name}: {problem}", None, None, 0.0, 0.0, varied, reached
            )
    one = _passage_slope(varied, grid, eps)
    size = table.shape[0] * table.shape[2]

    def gain(means: Array) -> tuple[Array, Array]:
        new, new_gradient = one(means[..., :size])
        old, old_gradient = one(means[..., size:])
        return old - new, np.concatenate([-new_gradient, old_gradient], axis=-1)

    both = np.hstack([_by_seed(table), _by_seed(base)])
    value, limits = studentized_limits(gain, both, resamples=resamples, seed=seed)
    verdict: Decision = "INCONCLUSIVE"
    if limits[1] > 0.0:
        verdict = "CONSISTENT"
        reason = f"scales better: lower 95% limit of the gain {limits[1]:.3g} > 0"
    elif limits[3] < 0.0:
        verdict = "REFUTED"
        reason = f"scales worse: upper 99% limit of the gain {limits[3]:.3g} < 0"
    else:
        reason = f"undecided: {limits[1]:.3g} <= 0 <= {limits[3]:.3g}"
    return measured(verdict, reason, value, limits, 0.0, 0.0, varied, base_levels / levels)


def _checked(theta: Array, checkpoints: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    """The table (n, seeds, checkpoints), and the grid of each theta (n, checkpoints)."""
    table = check_values("values", values, (theta.size, None, None))
    grid = np.asarray(checkpoints, dtype=np.float64)
    if grid.shape not in ((table.shape[2],), (theta.size, table.shape[2])):
        raise ValueError(
            f"checkpoints must have shape ({table.shape[2]},) or {(theta.size, table.shape[2])}, "
            f"got {grid.shape}"
        )
    return table, np.broadcast_to(grid, (theta.size, table.shape[2]))


def _by_seed(table: Array) -> Array:
    """(n, seeds, checkpoints) as (seeds, n * checkpoints)."""
    return np.swapaxes(table, 0, 1).reshape(table.shape[1], -1)


def _levels(grid: Array, table: Array, eps: float) -> Array:
    """First passages (n,) of the means."""
    means = table.mean(axis=1)
    return np.array([first_passage(g, m, eps) for g, m in zip(grid, means, strict=True)])


def _passage_slope(theta: Array, grid: Array, eps: float) -> Statistic:
    """The slope of the log passages, of means (..., n * checkpoints); NaN if one is not known."""
    slope_of = log_slope(np.log(theta))

    def statistic(means: Array) -> tuple[Array, Array]:
        curves = means.reshape(*means.shape[:-1], *grid.shape)
        found = [_passage_and_gradient(grid[i], curves[..., i, :], eps) for i in range(len(grid))]
        passages = np.stack([passage for passage, _ in found], axis=-1)
        gradients = np.stack([gradient for _, gradient in found], axis=-2)
        # Reached at the first checkpoint already: the passage may be earlier.
        known = np.isfinite(passages) & (passages > grid[:, 0])
        value, weights = slope_of(np.where(known, passages, 1.0))
        gradient = (weights[..., None] * gradients).reshape(means.shape)
        return np.where(known.all(axis=-1), value, np.nan), gradient

    return statistic


def _passage_problem(theta: Array, checkpoints: ArrayLike, levels: Array, eps: float) -> str:
    """Why some passage is not known; empty if all are."""
    first = np.broadcast_to(np.asarray(checkpoints, dtype=np.float64)[..., 0], theta.shape)
    for value, level, start in zip(theta, levels, first, strict=True):
        if math.isinf(level):
            return f"eps = {eps:g} is never reached at theta = {value:g}"
        if level <= start:
            return f"eps = {eps:g} is reached before the first checkpoint at theta = {value:g}"
    return ""
