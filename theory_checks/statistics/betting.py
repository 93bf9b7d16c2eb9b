# SPDX-License-Identifier: Apache-2.0
"""Limits of means of bounded variables by betting: valid for every law, seed count and look."""

import math

import numpy as np
from numpy.typing import ArrayLike

from .evidence import Array

__all__ = ["BET_FRACTIONS", "capped_upper_limits", "log_wealth"]

BET_FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.99)
"""Bets as fractions of the largest that the cap allows; below 1, so that none can be ruined."""

_LOG_WEIGHTS = np.log([0.5 / (len(BET_FRACTIONS) - 1)] * (len(BET_FRACTIONS) - 1) + [0.5])
"""Half on the largest bet: it decides where the means are far from the bound, as most are."""

_BISECTIONS = 60


def log_wealth(gains: Array) -> Array:
    r"""Logarithm of the wealth of a gambler whose gains are at least -1, after each seed.

    $$ W_n = \sum_f w_f \prod_{r \le n} (1 + f G_r), \qquad \sum_f w_f = 1 $$

    If E G <= 0 given the seeds before, W is a non-negative supermartingale that starts at 1, and
    P(sup_n W_n >= 1 / alpha) <= alpha (Ville).

    Args:
        gains: G >= -1, shape (seeds, ...).

    Returns:
        log W_n, the shape of `gains`.

    Example:
        >>> print(abs(log_wealth(np.zeros((2, 1)))).round(9).tolist())  # nothing won or lost
        [[0.0], [0.0]]
    """
    each = np.stack([np.cumsum(np.log1p(f * gains), axis=0) for f in BET_FRACTIONS])
    weighted = each + _LOG_WEIGHTS.reshape(-1, *[1] * gains.ndim)
    return np.asarray(np.logaddexp.reduce(weighted, axis=0))


def capped_upper_limits(samples: Array, cap: ArrayLike, *, error: float) -> Array:
    r"""Upper limits of the means of variables in [0, cap], valid for every law and at every look.

    The limit is the smallest m that a gambler refutes by betting that the mean is below it,

    $$ U = \inf \Big\{ m : \max_{n \le S} \sum_f w_f \prod_{r \le n}
       \Big( 1 + f\, \frac{m - Z_r}{\text{cap} - m} \Big) \ge \frac{1}{\text{error}} \Big\}, $$

    and the cap itself if there is none. Every factor grows with m, so U is found by bisection.
    That the mean ever exceeds a limit, however many seeds are added and looked at, has probability
    at most `error`: nothing is asymptotic, and a rare event is allowed for up to the cap.

    Args:
        samples: in [0, cap], shape (seeds, checkpoints).
        cap: the largest value possible, a number or shape (checkpoints,), positive.
        error: probability that a limit is ever wrong, in (0, 1), at each checkpoint.

    Returns:
        The limits, shape (checkpoints,).

    Raises:
        ValueError: if a sample lies outside of [0, cap], or an argument is out of range.

    Example:
        >>> seen = np.full((32, 1), 0.1)  # 32 runs that agree prove little about a rare one
        >>> print(capped_upper_limits(seen, 1.0, error=0.05).round(2))
        [0.19]

    References:
        Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting,
        arXiv:2010.09686.
    """
    table = np.asarray(samples, dtype=np.float64)
    top = np.broadcast_to(np.asarray(cap, dtype=np.float64), table.shape[1:])
    if not 0.0 < error < 1.0:
        raise ValueError(f"error must lie in (0, 1), got {error}")
    if not np.all((top > 0.0) & np.isfinite(top)):
        raise ValueError(f"cap must be positive and finite, got {top.tolist()}")
    # To round-off: a cap that is attained is computed in other ways than the metric.
    if not np.all((table >= 0.0) & (table <= top * (1.0 + 1e-9))):
        seed, checkpoint = np.argwhere(~((table >= 0.0) & (table <= top * (1.0 + 1e-9))))[0]
        raise ValueError(
            f"samples must lie in [0, cap], got {table[seed, checkpoint]:g} at seed {seed}, "
            f"checkpoint {checkpoint}, where the cap is {top[checkpoint]:g}"
        )
    unit = np.minimum(table / top, 1.0)
    low, high = np.zeros(unit.shape[1]), np.ones(unit.shape[1])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        gains = (middle - unit) / np.maximum(1.0 - middle, 1e-300)
        refuted = log_wealth(np.maximum(gains, -1.0)).max(axis=0) >= -math.log(error)
        low, high = np.where(refuted, low, middle), np.where(refuted, middle, high)
    return np.asarray(top * high)
