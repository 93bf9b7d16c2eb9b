# SPDX-License-Identifier: Apache-2.0
"""Evidence about means of non-negative samples: e-values, bootstrap-t limits, the tail index.

The e-value refutes "the mean is at most 1" for any tail and any stopping rule. The bootstrap-t
limits are asymptotic: no upper limit for an unbounded mean can hold for every law.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BET_SIZES",
    "MIN_SEEDS",
    "ROUND_OFF",
    "Array",
    "column_scale",
    "hill_index",
    "is_constant",
    "log_e_process",
    "mean_limits",
]

Array = NDArray[np.float64]

BET_SIZES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""The bets lambda that the e-value mixes; all below 1, so that no single Z = 0 ends a bet."""

ROUND_OFF = 1e-11
"""How far below 0 a ratio, or above 1 an upper limit, may lie and still count as round-off."""

MIN_SEEDS = 5
"""Fewest seeds with a finite upper limit: of 4, all resampled ones coincide too often (1.6%)."""


def log_e_process(ratios: Array) -> Array:
    r"""Logarithm of the e-value after each seed.

    $$ e_n = \operatorname{mean}_{k, \lambda} \prod_{r \le n} (1 + \lambda (Z_{r,k} - 1)) $$

    If E Z <= 1 given the seeds before, each product is a non-negative supermartingale in n that
    starts at 1, and so is their mean, whatever the dependence over k. By Ville's inequality
    P(sup_n e_n >= 1 / alpha) <= alpha: seeds may be added until decided.

    Args:
        ratios: Z >= 0, float64, shape (..., seeds, checkpoints).

    Returns:
        log e_n, shape (..., seeds).

    Example:
        >>> log_e_process(np.full((3, 1), 1.0))  # at equality nothing is won or lost
        array([0., 0., 0.])

    References:
        Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting,
        arXiv:2010.09686. Vovk and Wang, E-values, arXiv:1912.06116.
    """
    wealth = np.stack(
        [np.cumsum(np.log1p(bet * (ratios - 1.0)), axis=-2) for bet in BET_SIZES], axis=-1
    )
    wealth = wealth.reshape(*wealth.shape[:-2], -1)
    top = wealth.max(axis=-1, keepdims=True)
    mean: Array = top[..., 0] + np.log(np.mean(np.exp(wealth - top), axis=-1))
    return mean


def mean_limits(
    ratios: Array,
    *,
    confidence: float = 0.9875,
    resamples: int = 999,
    seed: int = 0,
    certain: int = 0,
) -> tuple[Array, Array]:
    r"""One-sided bootstrap-t limits of the mean over seeds, at each checkpoint.

    With t* = (mean* - mean) / se* over resamples of whole seeds,

    $$ \text{upper} = \text{mean} - q_{1-c}(t^*)\, \text{se}, \qquad
       \text{lower} = \text{mean} - q_{c}(t^*)\, \text{se}. $$

    Ranks are rounded outwards, and a resample without spread counts as the worst case of each
    limit. Below `MIN_SEEDS` seeds the limits are 0 and infinity, and so they are at a checkpoint
    at which all seeds agree: a rare event may be missing there, and nothing tells how large it is.
    Only where the checkpoint is declared `certain` its value is its own limit.

    Args:
        ratios: Z >= 0, float64, shape (seeds, checkpoints).
        confidence: one-sided level c of each limit.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling.
        certain: so many of the first checkpoints do not depend on the seed, by construction.

    Returns:
        (lower, upper), each of shape (checkpoints,); lower is clipped at 0.

    Raises:
        ValueError: if `confidence` is not in (0.5, 1) or needs more resamples, or if seeds differ
            where that is declared impossible.

    Example:
        >>> lower, upper = mean_limits(np.linspace(0.2, 0.8, 40)[:, None])
        >>> print(lower.round(2), upper.round(2))
        [0.44] [0.57]

    References:
        Hall, Theoretical comparison of bootstrap confidence intervals, Annals of Statistics 16
        (1988).
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0.5, 1), got {confidence}")
    tail = 1.0 - confidence
    rank = math.floor((resamples + 1) * tail + 1e-9)  # 1 - 0.9875 is a little below 1 / 80
    if rank < 1:
        raise ValueError(
            f"resamples must be at least {math.ceil(1 / tail - 1e-9) - 1} for confidence "
            f"{confidence}, got {resamples}"
        )
    seeds, checkpoints = ratios.shape
    agree = is_constant(ratios)
    fixed = np.arange(checkpoints) < certain
    if not agree[fixed].all():
        raise ValueError(
            f"the first {certain} checkpoints are declared certain, but the seeds differ at "
            f"checkpoint {int(np.argmin(agree))}"
        )
    if seeds < MIN_SEEDS:
        return np.zeros(checkpoints), np.full(checkpoints, np.inf)

    scale = column_scale(ratios)  # squares of diverged metrics would overflow
    unit = ratios / scale
    mean = unit.mean(axis=0)
    centred = unit - mean
    deviation = np.sqrt(np.mean(centred**2, axis=0))

    rng = np.random.default_rng(seed)
    picks = rng.integers(seeds, size=(resamples, seeds))
    offsets = seeds * np.arange(resamples)[:, None]
    counts = np.bincount((picks + offsets).ravel(), minlength=resamples * seeds)
    weights = counts.reshape(resamples, seeds) / seeds
    shift = weights @ centred
    square = weights @ centred**2
    variance = square - shift**2
    spread = variance > 1e-12 * square
    t = shift / np.sqrt(np.where(spread, variance, 1.0))
    low = np.partition(np.where(spread, t, -np.inf), rank - 1, axis=0)[rank - 1]
    high = np.partition(np.where(spread, t, np.inf), resamples - rank, axis=0)[resamples - rank]

    deviation = np.where(agree, 1.0, deviation)  # 0 times an infinite quantile is no limit
    with np.errstate(over="ignore"):
        lower = np.where(agree, 0.0, scale * np.maximum(mean - high * deviation, 0.0))
        upper = np.where(agree, np.inf, scale * (mean - low * deviation))
    lower = np.where(fixed, ratios.min(axis=0), lower)
    return lower, np.where(fixed, ratios.max(axis=0), upper)


def hill_index(samples: Array) -> float:
    r"""Hill's estimate of the tail index from the largest tenth of the samples.

    $$ \hat a = \Big( \frac1m \sum_{i \le m} \log \frac{X_{(i)}}{X_{(m+1)}} \Big)^{-1},
       \qquad m = \lfloor S / 10 \rfloor. $$

    Variances are finite above 2.

    Args:
        samples: non-negative, float64, shape (S,), S >= 10.

    Returns:
        The index; infinity if the top tenth is constant, 0 if the sample below it is zero.

    Raises:
        ValueError: if there are fewer than 10 samples.

    Example:
        >>> quantiles = (1.0 - (np.arange(1000) + 0.5) / 1000) ** (-1 / 3)  # Pareto of index 3
        >>> round(hill_index(quantiles), 1)
        3.0

    References:
        Hill, A simple general approach to inference about the tail of a distribution, Annals of
        Statistics 3 (1975).
    """
    if samples.size < 10:
        raise ValueError(f"samples must hold at least 10 values, got {samples.size}")
    top = samples.size // 10
    ordered = np.sort(samples)[::-1]
    if ordered[0] == ordered[top]:
        return math.inf
    if ordered[top] == 0.0:
        return 0.0
    return float(1.0 / np.mean(np.log(ordered[:top]) - np.log(ordered[top])))


def column_scale(table: Array) -> Array:
    """Largest entry of each column of a non-negative table, 1 where that is 0.

    Dividing by it first keeps sums and squares of diverged metrics from overflowing.

    Args:
        table: non-negative, float64, shape (seeds, checkpoints).

    Returns:
        Positive scales, shape (checkpoints,).

    Example:
        >>> print(column_scale(np.array([[1.0, 0.0], [3.0, 0.0]])))
        [3. 1.]
    """
    top = table.max(axis=0)
    return np.where(top > 0.0, top, 1.0)


def is_constant(table: Array) -> NDArray[np.bool_]:
    """Whether all rows agree to round-off, column by column.

    Args:
        table: non-negative, float64, shape (seeds, checkpoints).

    Returns:
        Booleans, shape (checkpoints,).

    Example:
        >>> print(is_constant(np.array([[1.0, 0.0], [3.0, 0.0]])))
        [False  True]
    """
    top = table.max(axis=0)
    constant: NDArray[np.bool_] = top - table.min(axis=0) <= ROUND_OFF * top
    return constant
