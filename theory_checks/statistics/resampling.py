# SPDX-License-Identifier: Apache-2.0
"""Limits of a function of means by studentized resampling of whole seeds."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .evidence import MIN_SEEDS, Array

__all__ = ["Limits", "Statistic", "log_slope", "resampled_weights", "studentized_limits"]

Limits: TypeAlias = tuple[float, float, float, float]
"""99% and 95% lower, 95% and 99% upper limits, one-sided."""

Statistic: TypeAlias = Callable[[Array], tuple[Array, Array]]
"""From means (..., p) to a value (...) and its gradient in the logarithms of the means (..., p);
NaN where it is not known."""

_TAILS = (0.01, 0.05)


def log_slope(x: Array) -> Statistic:
    """The least-squares slope of log means against x, as a statistic.

    Args:
        x: shape (p,).

    Returns:
        The statistic.

    Example:
        >>> x = np.log([1.0, 10.0, 100.0])
        >>> value, gradient = log_slope(x)(np.array([1.0, 0.1, 0.01]))
        >>> print(value.round(3), gradient.round(3))
        -1.0 [-0.217  0.     0.217]
    """
    centred = x - x.mean()
    weights = centred / (centred @ centred)

    def statistic(means: Array) -> tuple[Array, Array]:
        return np.asarray(np.log(means) @ weights), np.broadcast_to(weights, means.shape)

    return statistic


def resampled_weights(seeds: int, resamples: int, seed: int) -> Array:
    """The shares of the seeds in resamples of them, shape (resamples, seeds).

    Args:
        seeds: how many there are, at least `MIN_SEEDS`.
        resamples: at least 200, for a 99% limit.
        seed: of the resampling.

    Raises:
        ValueError: if there are fewer.
    """
    if resamples < 200:
        raise ValueError(f"resamples must be at least 200 for a 99% limit, got {resamples}")
    if seeds < MIN_SEEDS:
        raise ValueError(f"values must hold at least {MIN_SEEDS} seeds, got {seeds}")
    picks = np.random.default_rng(seed).integers(seeds, size=(resamples, seeds))
    offsets = seeds * np.arange(resamples)[:, None]
    counts = np.bincount((picks + offsets).ravel(), minlength=resamples * seeds)
    return np.asarray(counts.reshape(resamples, seeds) / seeds)


def studentized_limits(
    statistic: Statistic, table: Array, *, resamples: int = 1000, seed: int = 0
) -> tuple[float, Limits]:
    r"""A function of the means and its one-sided limits, from resamples of whole rows.

    The standard error is that of the linearized statistic, u_r = \sum_i g_i Z_{r,i} / m_i with the
    gradient g in the logarithms of the means m, and it is found anew in every resample:

    $$ t^* = (\theta^* - \theta) / \text{se}^*, \qquad
       \text{upper} = \theta - q_{1-c}(t^*)\, \text{se}. $$

    So a mean whose law is more skewed at one end of the path than at the other, which is
    underestimated there in most samples, widens the limits on the side where it belongs; the
    quantiles of theta* themselves would not.

    Args:
        statistic: of the means; known at the means of the table itself.
        table: positive in the mean, shape (seeds, p).
        resamples: number of resamples, at least 200.
        seed: of the resampling.

    Returns:
        The value, and its limits. A resample in which the statistic is not known, or has no
        spread, counts as the worst case of either side. Where every seed has the same shape, up to
        a factor, nothing is left to studentize: the limits are then quantiles of the resamples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = np.log([1.0, 10.0, 100.0])
        >>> noise = 1 + 0.1 * rng.normal(size=(50, 3))
        >>> value, limits = studentized_limits(log_slope(x), noise / np.exp(x))
        >>> print(round(value, 2), [round(limit, 2) for limit in limits])
        -0.99 [-1.0, -1.0, -0.98, -0.98]

    References:
        Hall, Theoretical comparison of bootstrap confidence intervals, Annals of Statistics 16
        (1988).
    """
    weights = resampled_weights(len(table), resamples, seed)
    means = table.mean(axis=0)
    value, gradient = statistic(means)
    theta = float(value)
    linear = table @ (gradient / means)
    error = float(linear.std())
    values, gradients = statistic(weights @ table)
    if error <= 1e-12 * (1.0 + float(np.abs(gradient).sum())):
        t, error = values - theta, 1.0
        known = np.isfinite(values)
    else:
        each = np.nan_to_num(gradients / (weights @ table)) @ table.T
        centre = np.sum(weights * each, axis=1)
        spread = np.sqrt(np.maximum(np.sum(weights * each**2, axis=1) - centre**2, 0.0))
        known = np.isfinite(values) & (spread > 1e-6 * error)
        t = (values - theta) / np.where(known, spread, 1.0)
    low = np.sort(np.where(known, t, -np.inf))
    high = np.sort(np.where(known, t, np.inf))[::-1]
    outer, inner = (max(math.floor((resamples + 1) * tail), 1) - 1 for tail in _TAILS)
    return theta, (
        theta - float(high[outer]) * error,
        theta - float(high[inner]) * error,
        theta - float(low[inner]) * error,
        theta - float(low[outer]) * error,
    )
