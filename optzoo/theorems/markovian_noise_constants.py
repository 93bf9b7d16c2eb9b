# SPDX-License-Identifier: Apache-2.0
r"""The constants of the methods with Markovian noise, and the bounds D3 to D7 as formulas of them.

The statements that these formulas are the bounds of stand in `optzoo.theorems.markovian_noise`, and
so does the notation.
"""

import abc
import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..randomized_accelerated_gd import AcceleratedCoefficients, accelerated_coefficients
from .multilevel_constants import Chain
from .theorem import Constants, constant

__all__ = [
    "ROUNDING",
    "Accelerated",
    "Descent",
    "Extragradient",
    "Linear",
    "Method",
    "PolyakLojasiewicz",
    "SignTest",
    "SmoothDescent",
    "StronglyConvex",
    "Switches",
    "damping",
    "require_slack",
]

Array = NDArray[np.float64]

# A condition that holds with equality may fail by a few roundings.
ROUNDING = 1e-12

# --- What the theorems share: oracle, batch, step, linear rate ---


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


# --- Randomized gradient descent: x^{k+1} = x^k - gamma g^k ---


@dataclass(frozen=True, kw_only=True)
class SmoothDescent(Method):
    r"""The conditions of D3."""

    delta: float = constant("the noise's part that grows with the gradient", weakens="up")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_step(1 / self.L, "1/L")
        require_slack("1 - delta^2 (b + gamma L V)", self.c)

    @property
    def A(self) -> float:
        """A = b + gamma L V."""
        return self.b + self.gamma * self.L * self.V

    @property
    def c(self) -> float:
        """The slack c = 1 - delta^2 A."""
        return 1 - self.delta**2 * self.A


@dataclass(frozen=True, kw_only=True)
class Descent(SmoothDescent):
    r"""Constants of D3: randomized GD on a smooth function.

    Args:
        tau: mixing time.
        L: f is L-smooth.
        sigma: additive part of the noise.
        delta: part of the noise that grows with the gradient.
        B: base batch.
        m: largest level.
        gamma: step.
        start: f(x^0) - f*.

    Raises:
        ValueError: if the step is too long or c is not positive, with the reason.

    Example:
        >>> chain = {"tau": 10, "sigma": 1.0, "delta": 0.0, "B": 100, "m": 3}
        >>> float(Descent(L=1.0, gamma=0.5, start=1.0, **chain).mean_squared_gradient(100).round(4))
        0.4154
        >>> Descent(L=1.0, gamma=2.0, start=1.0, **chain)
        Traceback (most recent call last):
          ...
        ValueError: the step must be at most 1/L = 1, got 2.0.
    """

    def mean_squared_gradient(self, k: ArrayLike) -> Array:
        r"""D3: 2 start / (c gamma k) + sigma^2 A / c with A = b + gamma L V, c = 1 - delta^2 A."""
        return np.asarray(2 * self.start / (self.c * self.gamma * np.asarray(k)) + self.floor)

    @property
    def floor(self) -> float:
        """sigma^2 A / c."""
        return self.sigma**2 * self.A / self.c

    def steps_to(self, target: float) -> int:
        self.require_above_floor(target)
        exact = 2 * self.start / (self.c * self.gamma * (target - self.floor))
        return max(math.ceil(exact * (1 - ROUNDING)), 1)


@dataclass(frozen=True, kw_only=True)
class PolyakLojasiewicz(Linear, SmoothDescent):
    r"""Constants of D3 under |grad f|^2 >= 2 mu (f - f*); the others as in `Descent`.

    Args:
        mu: the constant of the inequality.

    Example:
        >>> chain = {"tau": 10, "sigma": 1.0, "delta": 0.0, "B": 100, "m": 3}
        >>> bound = PolyakLojasiewicz(L=1.0, mu=0.5, gamma=0.5, start=1.0, **chain)
        >>> bound.rate, round(bound.floor, 4), float(bound.suboptimality(0))
        (0.25, 0.3754, 1.0)
    """

    @property
    def rate(self) -> float:
        """R = c gamma mu."""
        return self.c * self.gamma * self.mu

    @property
    def floor(self) -> float:
        """sigma^2 A / (2 c mu)."""
        return self.sigma**2 * self.A / (2 * self.c * self.mu)

    def suboptimality(self, k: ArrayLike) -> Array:
        r"""D3: (1 - R)^k start + (1 - (1 - R)^k) sigma^2 A / (2 c mu), R = c gamma mu."""
        return self.after(k)


@dataclass(frozen=True, kw_only=True)
class StronglyConvex(Linear):
    r"""Constants of D3a: randomized GD on a smooth, strongly convex function.

    Args:
        tau, L, sigma, delta, B, m, gamma: as in `Descent`.
        mu: strong convexity.
        start: |x^0 - x*|^2.

    Raises:
        ValueError: if the step is too long or R is not positive, with the reason.

    Example:
        >>> chain = {"tau": 10, "sigma": 0.0, "delta": 0.0, "B": 10, "m": 3}
        >>> float(StronglyConvex(L=1.0, mu=0.5, gamma=1.0, start=1.0, **chain).distance(2))
        0.25
    """

    delta: float = constant("the noise's part that grows with the gradient", weakens="up")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_step(2 / (self.L + self.mu), "2/(L + mu)")
        require_slack("gamma mu - delta^2 L^2 (gamma^2 V + gamma b / mu)", self.rate)

    @property
    def W(self) -> float:
        """W = gamma^2 V + gamma b / mu."""
        return self.gamma**2 * self.V + self.gamma * self.b / self.mu

    @property
    def rate(self) -> float:
        """R = gamma mu - delta^2 L^2 W."""
        return self.gamma * self.mu - (self.delta * self.L) ** 2 * self.W

    @property
    def floor(self) -> float:
        """sigma^2 W / R."""
        return self.sigma**2 * self.W / self.rate

    def distance(self, k: ArrayLike) -> Array:
        r"""D3a: (1 - R)^k start + (1 - (1 - R)^k) sigma^2 W / R, R = gamma mu - delta^2 L^2 W."""
        return self.after(k)


# --- Randomized accelerated gradient descent ---


def damping(delta: float, V: float) -> float:
    """The momentum scale p = 6 / (7 (1 + delta^2 V)), 1 for additive noise.

    The first part of (C) is then at most 3/2, which leaves the bias 1/4.

    Args:
        delta: the noise's part that grows with the gradient.
        V: D2's factor of the variance.

    Returns:
        p.

    Example:
        >>> damping(0.0, 5.0), damping(1.0, 2.0)
        (1.0, 0.2857142857142857)
    """
    return 6 / (7 * (1 + delta**2 * V)) if delta > 0 else 1.0


@dataclass(frozen=True, kw_only=True)
class Accelerated(Linear):
    r"""Constants of D4: randomized accelerated GD on a smooth, strongly convex function.

    Args:
        tau, L, sigma, delta, B, m, gamma: as in `Descent`.
        mu: strong convexity.
        p: momentum scale.
        start: Phi_0.

    Raises:
        ValueError: if the step is too long or (C) is violated, with the reason.

    Example:
        >>> chain = {"tau": 14, "sigma": 0.1, "delta": 0.0, "B": 14, "m": 3}
        >>> bound = Accelerated(L=1.0, mu=0.01, gamma=0.75, p=1.0, start=700.0, **chain)
        >>> round(bound.rate, 6), round(bound.floor, 2)
        (0.05, 637.5)
    """

    delta: float = constant("the noise's part that grows with the gradient", weakens="up")
    p: float = constant("momentum scale", weakens=None, positive=True, most=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_step(0.75 / self.L, "3/(4L)")
        gradient = self.q * (1 + self.delta**2 * self.V)
        bias = (4 + self.coefficients.eta) * self.delta**2 * self.b
        if gradient + bias > 1.75 * (1 + ROUNDING):
            raise ValueError(
                "condition (C), p (1 + gamma L)(1 + delta^2 V) + (4 + eta) delta^2 b <= 7/4, is "
                f"violated: {gradient:.6g} + {bias:.6g} is larger. Take larger batches, a higher "
                "level or a smaller p."
            )

    @property
    def coefficients(self) -> AcceleratedCoefficients:
        """beta, eta and theta of the method."""
        return accelerated_coefficients(self.gamma, self.mu, self.p)

    @property
    def q(self) -> float:
        """The factor q = p (1 + gamma L)."""
        return self.p * (1 + self.gamma * self.L)

    @property
    def rate(self) -> float:
        """R = beta / 2 = p sqrt(mu gamma / 3)."""
        return float(self.coefficients.beta / 2)

    @property
    def floor(self) -> float:
        """3 sqrt(3) gamma^(1/2) mu^(-3/2) sigma^2 [q V + (4 + eta) b]."""
        bracket = self.q * self.V + (4 + self.coefficients.eta) * self.b
        scale = 3 * math.sqrt(3 * self.gamma) * self.mu**-1.5
        return float(scale * self.sigma**2 * bracket)

    def potential(self, k: ArrayLike) -> Array:
        r"""D4: (1 - R)^k start + (1 - (1 - R)^k) floor with R = p sqrt(mu gamma / 3)

        and floor = 3 sqrt(3) gamma^(1/2) mu^(-3/2) sigma^2 [p (1 + gamma L) V + (4 + eta) b].
        """
        return self.after(k)


# --- Randomized extragradient ---


@dataclass(frozen=True, kw_only=True)
class Extragradient(Linear):
    r"""Constants of D5: randomized extragradient on a strongly monotone variational inequality.

    Args:
        tau, sigma, gamma: as in `Descent`.
        L: F is L-Lipschitz.
        mu: F is mu-strongly monotone.
        Delta: part of the noise that grows with the distance.
        B_0: plain batch of the first half of a step.
        B: base batch of the second half.
        m: its largest level.
        start: |x^0 - x*|^2.

    Raises:
        ValueError: if a condition is violated, with the reason.

    Example:
        >>> chain = {"tau": 14, "sigma": 0.0, "Delta": 0.0, "B_0": 14, "B": 14, "m": 3}
        >>> bound = Extragradient(L=1.0, mu=0.5, gamma=0.4, start=1.0, **chain)
        >>> bound.rate, float(bound.distance(2).round(4))
        (0.1, 0.81)
    """

    Delta: float = constant("the noise's part that grows with the distance", weakens="up")
    B_0: int = constant("plain batch of the first half", weakens="down", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_step(1 / (math.sqrt(6) * self.L), "1/(sqrt(6) L)")
        noisy = 3 * self.gamma**2 * self.V + 2 * self.gamma * self.b / self.mu
        contracted = self.gamma * self.mu / 2
        if self.Delta**2 * noisy > contracted * (1 + ROUNDING):
            raise ValueError(
                "Delta^2 (3 gamma^2 V + 2 gamma b / mu) must be at most gamma mu / 2 = "
                f"{contracted:.6g}, got {self.Delta**2 * noisy:.6g}. Take larger batches or a "
                "shorter step."
            )
        require_slack("gamma mu / 2 - 3 gamma^2 V_0 Delta^2", self.rate)

    @property
    def V_0(self) -> float:
        """D2's factor of the variance for the plain batch of the first half."""
        return self.variance_factor(self.B_0)

    @property
    def rate(self) -> float:
        """R = gamma mu / 2 - 3 gamma^2 V_0 Delta^2."""
        return self.gamma * self.mu / 2 - 3 * (self.gamma * self.Delta) ** 2 * self.V_0

    @property
    def floor(self) -> float:
        """sigma^2 [3 gamma^2 (V + V_0) + 2 gamma b / mu] / R."""
        noisy = 3 * self.gamma**2 * (self.V + self.V_0)
        return self.sigma**2 * (noisy + 2 * self.gamma * self.b / self.mu) / self.rate

    def distance(self, k: ArrayLike) -> Array:
        r"""D5: (1 - R)^k start + (1 - (1 - R)^k) floor, R = gamma mu / 2 - 3 gamma^2 V_0 Delta^2

        and floor = sigma^2 [3 gamma^2 (V + V_0) + 2 gamma b / mu] / R.
        """
        return self.after(k)


# --- From below ---


@dataclass(frozen=True, kw_only=True)
class Switches(Constants):
    r"""Constants of D6: Nesterov's chain, of which two states show every other coordinate.

    Args:
        kappa: condition number.
        d: dimension.

    Example:
        >>> [round(float(one), 4) for one in Switches(kappa=9.0, d=3).distance([0, 2])]
        [0.2381, 0.0]
    """

    kappa: float = constant("condition number", weakens="down", least=1.0)
    d: int = constant("dimension", weakens="down", least=1)

    @property
    def rho(self) -> float:
        """(sqrt(kappa) - 1) / (sqrt(kappa) + 1)."""
        return (math.sqrt(self.kappa) - 1) / (math.sqrt(self.kappa) + 1)

    def distance(self, switches: Any) -> Any:
        r"""D6: (rho^(2(N+1)) - rho^(2d))_+ / (1 - rho^(2d)) after N switches; arrays of jax too."""
        end = self.rho ** (2 * self.d)
        seen = self.rho ** (2 * (jnp.asarray(switches) + 1.0))
        return jnp.maximum(seen - end, 0.0) / (1 - end)


@dataclass(frozen=True, kw_only=True)
class SignTest(Constants):
    r"""Constants of D7: two quadratics whose noise hides which of them it is.

    Args:
        tau: mixing time.
        mu: curvature.
        s: size of the noise.

    Example:
        >>> round(SignTest(tau=1, mu=1.0, s=3.0).mean_square(101), 6)
        0.013158
    """

    tau: float = constant("mixing time", weakens="down", least=1.0)
    mu: float = constant("curvature", weakens="up", positive=True)
    s: float = constant("size of the noise", weakens="down", default=1.0)

    def mean_square(self, T: int) -> float:
        r"""D7: s^2 / (9 mu^2 n) with n = 1 + (T - 1) (1 - 4^(-1/tau)), the effective samples."""
        effective = 1 + (T - 1) * (1 - 4 ** (-1 / self.tau))
        return self.s**2 / (9 * self.mu**2 * effective)
