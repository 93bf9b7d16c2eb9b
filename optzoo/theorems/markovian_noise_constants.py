"""What the theorems on Markovian noise share: chain, batch, step, linear rate.

The theorems are on the page `optzoo.theorems.markovian_noise`.
"""

import abc
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = [
    "ROUNDING",
    "Chain",
    "Linear",
    "Method",
    "expected_samples",
    "level_factor",
    "require_slack",
]

Array = NDArray[np.float64]

# A condition that holds with equality may fail by a few roundings.
ROUNDING = 1e-12


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
class Method(Chain, abc.ABC):
    r"""What the theorems on the methods share: oracle, batch, step and start."""

    L: float = constant("$f$ is $L$-smooth, or $F$ is $L$-Lipschitz", weakens="up", positive=True)
    sigma: float = constant("the additive part of the noise", weakens="up")
    B: int = constant("base batch", weakens="down", least=1)
    m: int = constant("largest level", weakens=None)
    gamma: float = constant("step", weakens=None, positive=True)
    start: float = constant(
        r"what the bound starts from: $f(x^0) - f^*$, $|x^0 - x^*|^2$ or $\Phi_0$", weakens="up"
    )

    @property
    def V(self) -> float:
        """D2's factor of the variance."""
        return self.variance_factor(self.B, self.m)

    @property
    def b(self) -> float:
        """D2's factor of the squared bias."""
        return self.bias_factor(self.B, self.m)

    @property
    @abc.abstractmethod
    def floor(self) -> float:
        """What remains of the bound after infinitely many steps."""

    @abc.abstractmethod
    def steps_to(self, target: float) -> int:
        """The least number of steps after which the bound is at most a target above the floor."""

    def require_step(self, largest: float, formula: str) -> None:
        """Raises where the step is longer than this."""
        if self.gamma > largest * (1 + ROUNDING):
            raise ValueError(
                f"the step must be at most {formula} = {largest:.6g}, got {self.gamma}."
            )

    def require_above_floor(self, target: float) -> None:
        """Raises where no number of steps is enough."""
        if self.floor >= target:
            raise ValueError(f"target must be above the floor {self.floor:.6g}, got {target}.")


def require_slack(formula: str, value: float) -> None:
    """Raises unless what a condition leaves is positive."""
    if value <= 0:
        raise ValueError(
            f"{formula} must be positive, got {value:.6g}. Take larger batches, a higher level or "
            "a shorter step."
        )


@dataclass(frozen=True, kw_only=True)
class Linear(Method):
    r"""What the theorems with a linear rate R share, down to a floor."""

    mu: float = constant(
        "strong convexity, or the constant of the theorem in its place",
        weakens="down",
        positive=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mu > self.L * (1 + ROUNDING):
            raise ValueError(f"mu must be at most L = {self.L}, got {self.mu}.")

    @property
    @abc.abstractmethod
    def rate(self) -> float:
        """R, the share of the metric that a step removes."""

    def after(self, k: ArrayLike) -> Array:
        """(1 - R)^k start + (1 - (1 - R)^k) floor."""
        count = np.asarray(k, dtype=np.float64)
        left = np.exp(count * math.log1p(-self.rate)) if self.rate < 1 else 1.0 * (count == 0)
        return np.asarray(left * self.start + (1 - left) * self.floor)

    def steps_to(self, target: float) -> int:
        if self.start <= target:
            return 0
        self.require_above_floor(target)
        if self.rate >= 1:
            return 1
        share = (target - self.floor) / (self.start - self.floor)
        return math.ceil(math.log(share) / math.log1p(-self.rate) * (1 - ROUNDING))
