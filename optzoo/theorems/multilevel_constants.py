# SPDX-License-Identifier: Apache-2.0
r"""The constants of batches and multilevel estimates, and the bounds D1 and D2 as formulas of them.

The statements that these formulas are the bounds of stand in `optzoo.theorems.markovian_noise`, and
so does the notation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = ["Bounded", "Chain", "Profile", "expected_samples", "level_factor", "memory"]

Array = NDArray[np.float64]

# --- The mean of a batch, with the whole mixing profile ---


@dataclass(frozen=True, kw_only=True)
class Profile(Constants):
    r"""The noise of a chain whose whole mixing profile is known.

    Args:
        s: |h| <= s in every state of the chain.

    Example:
        >>> Profile(s=1.0).moments(2, 0.5, memory([1.0, 0.25]))
        (0.75, 0.75)
    """

    s: float = constant("$|h| \\le s$ in every state of the chain", weakens="up", default=1.0)

    def moments(self, n: int, w: float, rho: ArrayLike) -> tuple[float, float]:
        r"""D1, profile: w^2 s^2 (n + 2 sum_{0<k<n} (n-k) rho_k) and w s sum_{k<n} rho_k."""
        memory, k = np.asarray(rho, dtype=np.float64), np.arange(n)
        square = (self.s * w) ** 2 * (2 * ((n - k) * memory).sum() - n)
        return float(square), float(self.s * w * memory.sum())


def memory(profile: ArrayLike) -> Array:
    r"""rho_k = min(1, 2 Delta(Q^k)), k = 0, 1, ...: |Q^k h| <= s rho_k where pi h = 0.

    Args:
        profile: Delta(Q^k).

    Returns:
        rho_k, of its shape.

    Example:
        >>> memory([1.0, 0.25, 0.0]).tolist()
        [1.0, 0.5, 0.0]
    """
    return np.minimum(1.0, 2.0 * np.asarray(profile, dtype=np.float64))


# --- The multilevel estimate, with the mixing time ---


@dataclass(frozen=True, kw_only=True)
class Chain(Constants):
    r"""A chain by its mixing time, and the factors that the multilevel estimator has on it.

    Args:
        tau: mixing time, the first k with Delta(Q^k) <= 1/4.

    Example:
        >>> Chain(tau=10).variance_factor(10, 2), round(Chain(tau=10).bias_factor(10, 2), 4)
        (5.0, 0.1736)
    """

    tau: float = constant(
        r"mixing time, the first $k$ with $\Delta(Q^k) \le 1/4$", weakens="up", least=1.0
    )

    def variance_factor(self, B: int, m: int = 0) -> float:
        r"""The factor V = (10/3) (tau/B) v_m with v_m = m - 1 + 2^(1-m)."""
        return 10 / 3 * self.tau / B * level_factor(m)

    def bias_factor(self, B: int, m: int = 0) -> float:
        r"""The factor b = (25/9) tau^2 / (4^m B^2)."""
        return 25 / 9 * (self.tau / B) ** 2 / 4.0**m


def level_factor(m: int) -> float:
    """The factor v_m = m - 1 + 2^(1-m) of the variance that m levels cost.

    Args:
        m: largest level.

    Returns:
        The number.

    Example:
        >>> [level_factor(m) for m in range(4)]
        [1.0, 1.0, 1.5, 2.25]
    """
    return m - 1 + 2.0 ** (1 - m)


def expected_samples(B: int, m: int) -> float:
    """c_m B = (m + 2^-m) B, the samples that one multilevel estimate takes in the mean.

    Args:
        B: base batch.
        m: largest level.

    Returns:
        The number.

    Example:
        >>> expected_samples(10, 2)
        22.5
    """
    return (m + 2.0**-m) * B


@dataclass(frozen=True, kw_only=True)
class Bounded(Chain):
    r"""Bounded noise along a chain.

    Args:
        tau: mixing time.
        s: |h| <= s in every state of the chain, pi h = 0.

    Example:
        >>> noise = Bounded(tau=3)
        >>> noise.weighted_sum(1, 0.5), noise.batch_mean(10), noise.variance(3, 0)
        (2.5, 0.5, 3.3333333333333335)
    """

    s: float = constant("$|h| \\le s$ in every state of the chain", weakens="up", default=1.0)

    def weighted_sum(self, n: int, w: float) -> float:
        r"""D1: (10/3) tau n w^2 s^2."""
        return 10 / 3 * self.tau * n * (w * self.s) ** 2

    def batch_mean(self, n: int) -> float:
        r"""D1, bias: (5/3) tau s / n."""
        return 5 / 3 * self.tau * self.s / n

    def variance(self, B: int, m: int) -> float:
        r"""D2: V s^2 with V = (10/3) (tau/B) (m - 1 + 2^(1-m))."""
        return self.variance_factor(B, m) * self.s**2

    def independent(self, B: int, m: int) -> float:
        r"""D2, independent samples: v_m s^2 / B."""
        return level_factor(m) * self.s**2 / B

    def squared_bias(self, B: int, m: int) -> float:
        r"""D2, bias: b s^2 with b = (25/9) tau^2 / (4^m B^2)."""
        return self.bias_factor(B, m) * self.s**2
