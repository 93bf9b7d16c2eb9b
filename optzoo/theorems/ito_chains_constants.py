# SPDX-License-Identifier: Apache-2.0
r"""The constants of the theorems on Ito chains, and every bound as a formula of them.

The statements that these formulas are the bounds of stand in `optzoo.theorems.ito_chains`, and so
does the notation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = [
    "WINDOW_CONSTANTS",
    "Contraction",
    "Coupling",
    "Exponents",
    "Horizon",
    "Linear",
    "Multiplicative",
    "Noise",
    "Step",
    "Window",
]

Array = NDArray[np.float64]

# --- A chain, up to a time ---


@dataclass(frozen=True, kw_only=True)
class Step(Constants):
    """One step of a chain.

    Args:
        eta: step.
        gamma: scaling of the noise.

    Example:
        >>> float(Step(eta=0.25, gamma=0.0).chain(1.0, -1.0, 3.0))
        2.25
    """

    eta: float = constant("step", weakens=None, positive=True)
    gamma: float = constant(
        r"scaling of the noise: 0 for Langevin dynamics, 1 for SGD", weakens=None
    )

    @property
    def h(self) -> float:
        """eta^{(1+gamma)/2}, the scale of the noise of one step."""
        return float(self.eta ** ((1 + self.gamma) / 2))

    def chain(self, x: ArrayLike, drift: ArrayLike, noise: ArrayLike) -> Array:
        """X_{k+1} = X_k + eta b(X_k) + eta^{(1+gamma)/2} sigma(X_k) eps_k."""
        return np.asarray(x) + self.eta * np.asarray(drift) + self.h * np.asarray(noise)

    def noise_exponent(self) -> float:
        """(1 + gamma) / 2, the exponent of `h`."""
        return (1 + self.gamma) / 2


@dataclass(frozen=True, kw_only=True)
class Horizon(Step):
    """A chain up to a time.

    Args:
        T: time.

    Example:
        >>> Horizon(eta=0.25, gamma=0.0, T=2.0).k
        8
    """

    T: float = constant(r"time $T = k\eta$", weakens=None, positive=True)

    @property
    def k(self) -> int:
        """T / eta, the number of steps."""
        return round(self.T / self.eta)


# --- The paper's exponent ---


@dataclass(frozen=True, kw_only=True)
class Exponents(Constants):
    """What the exponent of the paper's rate depends on.

    Args:
        gamma: scaling of the noise.
        chi_0: 1 for Gaussian noise, else 0.
        beta: how Gaussian a noise is that is not.
        alpha: exponent of the drift error; infinite where there is none.

    Example:
        >>> exponents = Exponents(gamma=1.0, chi_0=0.0)
        >>> exponents.theta, exponents.smaller()
        (0.75, 0.625)
    """

    gamma: float = constant("scaling of the noise", weakens=None)
    chi_0: float = constant("1 for Gaussian noise, else 0", weakens="down", most=1.0)
    beta: float = constant(
        r"$W_2^2$ of a window of $S$ noises is of order $\eta^\beta/S$",
        weakens="down",
        most=1.0,
        default=0.0,
    )
    alpha: float = math.inf

    @property
    def theta(self) -> float:
        """min{alpha, [(gamma+1)(1+chi_0) + (gamma+beta)(1-chi_0)] / 4}."""
        gaussian = (self.gamma + 1) * (1 + self.chi_0)
        return min(self.alpha, (gaussian + (self.gamma + self.beta) * (1 - self.chi_0)) / 4)

    def smaller(self) -> float:
        """min{theta, theta/2 + gamma/4}, the smaller exponent of the rate's two terms."""
        return min(self.theta, self.theta / 2 + self.gamma / 4)


# --- I1: Gaussian noise that does not depend on the state ---


@dataclass(frozen=True, kw_only=True)
class Coupling(Horizon):
    """Constants of a chain with Gaussian noise s xi up to a time.

    Args:
        M: b is M-Lipschitz.
        s: size of the noise.
        d: dimension.
        b_bar: supremum over [0, T] of the root mean square of b(Z_t).

    Example:
        >>> Coupling(eta=0.25, gamma=1.0, T=1.0, M=1.0, s=3.0, d=1, b_bar=4.0).bound()
        1.718281828459045
    """

    M: float = constant("$b$ is $M$-Lipschitz", weakens="up")
    s: float = constant("size of the noise", weakens="up")
    d: int = constant("dimension", weakens="up", positive=True)
    b_bar: float = constant(r"$\bar b = \sup_{t \le T} \|b(Z_t)\|_{L_2}$", weakens="up")

    def bound(self) -> float:
        """I1: (e^{MT} - 1) [bbar eta / 2 + (2/3) s sqrt(d) eta^{(1+gamma)/2}]."""
        return math.expm1(self.M * self.T) * _local(self, self.b_bar, self.s, self.d)

    def step(self) -> float:
        """I1, one step: M eta [bbar eta / 2 + (2/3) s sqrt(d) eta^{(1+gamma)/2}], T = eta."""
        return self.M * self.eta * _local(self, self.b_bar, self.s, self.d)


def _local(step: Step, drift: float, s: float, d: float) -> float:
    """What a step adds to the distance of coupled paths, divided by M eta."""
    return drift * step.eta / 2 + 2 / 3 * s * math.sqrt(d) * step.h


@dataclass(frozen=True, kw_only=True)
class Contraction(Step):
    """Constants of a contracting chain with Gaussian noise s xi, at every time.

    Args:
        m: b is the gradient of -f, with f'' at least m.
        M: and f'' at most M.
        s: size of the noise.
        d: dimension.
        b_sup: supremum over all times of the root mean square of b(Z_t).

    Example:
        >>> Contraction(eta=0.25, gamma=1.0, m=0.5, M=1.0, s=3.0, d=1, b_sup=4.0).bound()
        2.0
    """

    m: float = constant(r"$mI \preceq -b'$", weakens="down", positive=True)
    M: float = constant(r"$-b' \preceq MI$", weakens="up")
    s: float = constant("size of the noise", weakens="up")
    d: int = constant("dimension", weakens="up", positive=True)
    b_sup: float = constant(r"$\sup_t \|b(Z_t)\|_{L_2}$", weakens="up")

    def bound(self) -> float:
        """I1 at all times: (M/m) [bbar eta / 2 + (2/3) s sqrt(d) eta^{(1+gamma)/2}]."""
        return self.M / self.m * _local(self, self.b_sup, self.s, self.d)


# --- I2: Gaussian noise that depends on the state ---


@dataclass(frozen=True, kw_only=True)
class Multiplicative(Horizon):
    """Constants of a chain with Gaussian noise sigma(X) xi up to a time.

    Args:
        M: b is M-Lipschitz.
        M_s: sigma is M_s-Lipschitz in the Frobenius norm.
        b_hat: supremum over k of the root mean square of b(X_k).
        s_hat: supremum over k of that of the Frobenius norm of sigma(X_k).

    Example:
        >>> place = Multiplicative(eta=0.01, gamma=0.0, T=1.0, M=0.0, M_s=0.4, b_hat=0.0, s_hat=1.0)
        >>> round(place.bound() ** 2 / math.exp(0.64), 6)
        0.0128
    """

    M: float = constant("$b$ is $M$-Lipschitz", weakens="up")
    M_s: float = constant(r"$\sigma$ is $M_s$-Lipschitz, Frobenius norm", weakens="up")
    b_hat: float = constant(r"$\hat b = \sup_k \|b(X_k)\|_{L_2}$", weakens="up")
    s_hat: float = constant(r"$\hat s = \sup_k \| |\sigma(X_k)|_F \|_{L_2}$", weakens="up")

    def bound(self) -> float:
        """I2: the root of 8 T L (eta^2 bhat^2 + eta^{1+gamma} shat^2) e^{4 T L}.

        L = T M^2 + eta^gamma M_s^2.
        """
        L = self.T * self.M**2 + self.eta**self.gamma * self.M_s**2
        moved = (self.eta * self.b_hat) ** 2 + (self.h * self.s_hat) ** 2
        return math.sqrt(8 * self.T * L * moved * math.exp(4 * self.T * L))


# --- I3: noise of any law against Gaussian noise ---


WINDOW_CONSTANTS = {"coin": 0.6363, "skewed coin": 1.289}
"""C_B: the supremum over S of sqrt(S) W2(S^(-1/2) sum of S noises, N(0, 1)), rounded up.

Of coins +-1 the supremum is at S = 2; skewed coins have probability 0.1 and are standardized.
"""


@dataclass(frozen=True, kw_only=True)
class Window(Horizon):
    """Constants of a chain with independent noise s eps of any law up to a time.

    Args:
        M: b is M-Lipschitz.
        s: size of the noise.
        d: dimension.
        C_B: constant of the central limit theorem in W2 for eps.

    Example:
        >>> Window(eta=0.25, gamma=1.0, T=1.0, M=0.0, s=2.0, d=1, C_B=0.7).bound()
        0.35
    """

    M: float = constant("$b$ is $M$-Lipschitz", weakens="up")
    s: float = constant("size of the noise", weakens="up")
    d: int = constant("dimension", weakens="up", positive=True)
    C_B: float = constant(
        r"$W_2(S^{-1/2} \sum_{i \le S} \varepsilon_i, N(0, I)) \le C_B S^{-1/2}$", weakens="up"
    )

    def at(self, S: ArrayLike) -> Array:
        """The bound with windows of S steps.

        e^{MT} C_B s T^{1/2} eta^{gamma/2} S^{-1/2}
        + 2 (e^{MT} - 1) s sqrt(d) eta^{(1+gamma)/2} S^{1/2}
        """
        root, grown = np.sqrt(np.asarray(S, dtype=np.float64)), math.exp(self.M * self.T)
        ends = grown * self.C_B * self.s * math.sqrt(self.T) * self.eta ** (self.gamma / 2)
        inside = 2 * math.expm1(self.M * self.T) * self.s * math.sqrt(self.d) * self.h
        return np.asarray(ends / root + inside * root)

    def bound(self) -> float:
        """I3: the smallest of the bounds with windows that divide the run, S | k."""
        return float(np.min(self.at([S for S in range(1, self.k + 1) if self.k % S == 0])))

    def order(self) -> float:
        r"""2 s [2 C_B (dT)^{1/2} e^{MT} (e^{MT} - 1)]^{1/2} eta^{gamma/2 + 1/4}: no bound.

        It is `at` the best real S, and I3 only up to a factor and where that S lies between 1 and
        k; elsewhere I3 may exceed it by any factor.
        """
        grown = math.exp(self.M * self.T) * math.expm1(self.M * self.T)
        window = 2 * self.C_B * math.sqrt(self.d * self.T) * grown
        return float(2 * self.s * math.sqrt(window) * self.eta ** (self.gamma / 2 + 0.25))


@dataclass(frozen=True, kw_only=True)
class Noise(Constants):
    """What a sum of many independent noises on the line keeps of their law.

    Args:
        C_B: constant of the central limit theorem in W2.
        span: length of the lattice of values, 0 without one.
        skewness: third moment.

    Example:
        >>> round(Noise(C_B=0.6363, span=2.0, skewness=0.0).limit() ** 0.5, 4)
        0.5774
    """

    C_B: float = constant(r"supremum over $S$", weakens="up")
    span: float = constant("span $h$ of the lattice of values", weakens="up")
    skewness: float = constant(r"skewness $\kappa_3$", weakens=None, least=-math.inf)

    def supremum(self) -> float:
        """C_B, which bounds sqrt(S) W2 for every S."""
        return self.C_B

    def limit(self) -> float:
        """h^2 / 12 + kappa_3^2 / 18, the limit of S W2^2."""
        return self.span**2 / 12 + self.skewness**2 / 18


# --- I4 to I6: linear chains ---


@dataclass(frozen=True, kw_only=True)
class Linear(Horizon):
    """Constants of a chain on the line with b(x) = -ax and a constant drift error.

    Args:
        a: rate of the drift, of either sign.
        s: size of the noise, or of sigma(x) = s x.
        x_0: start of both.
        delta: the drift error is eta^alpha delta.
        alpha: its exponent.

    Example:
        >>> walk = Linear(eta=0.25, gamma=1.0, T=1.0, a=0.0, s=3.0**0.5)
        >>> round(walk.lattice(), 12)
        0.25
    """

    a: float = constant("rate of the drift $b(x) = -ax$", weakens=None, least=-math.inf)
    s: float = constant("size of the noise", weakens="down")
    x_0: float = constant("start of both", weakens=None, least=-math.inf, default=0.0)
    delta: float = constant(
        r"the drift error is $\eta^\alpha \delta$", weakens=None, least=-math.inf, default=0.0
    )
    alpha: float = constant("exponent of the drift error", weakens=None, default=1.0)

    @property
    def factor(self) -> float:
        """1 - a eta, by which a step multiplies the state."""
        return 1 - self.a * self.eta

    def tree(self, heads: ArrayLike) -> Array:
        """The chain with sigma(x) = s x and coins, by the number of heads among k.

        x_0 (1 - a eta - s eta^{(1+gamma)/2})^{k - heads} (1 - a eta + s eta^{(1+gamma)/2})^heads
        """
        up, kick = np.asarray(heads), self.s * self.h
        return self.x_0 * (self.factor - kick) ** (self.k - up) * (self.factor + kick) ** up

    def lattice(self) -> float:
        """I4: s eta^{(1+gamma)/2} / sqrt(3)."""
        return self.s * self.h / math.sqrt(3)

    def means(self) -> float:
        """I5: |eta^alpha delta (1 - (1 - a eta)^k) / a + x_0 ((1 - a eta)^k - e^{-aT})|."""
        kept = self.factor**self.k
        moved = self.eta**self.alpha * self.delta * (1 - kept) / self.a
        return abs(moved + self.x_0 * (kept - math.exp(-self.a * self.T)))

    def gaussian(self) -> float:
        """I6: the root of x_0^2 ((1 - a eta)^k - e^{-aT})^2 + (sigma_X - sigma_Z)^2."""
        c, k = self.factor, self.k
        sigma_x = self.s * self.h * math.sqrt((1 - c ** (2 * k)) / (1 - c**2))
        grown = -math.expm1(-2 * self.a * self.T) / (2 * self.a)
        sigma_z = self.s * math.sqrt(self.eta**self.gamma * grown)
        return math.hypot(self.x_0 * (c**k - math.exp(-self.a * self.T)), sigma_x - sigma_z)

    def growth(self) -> float:
        """I6 for a = -1: |x_0| e^T (1 - e^{-T (eta/2 - eta^2/3)})."""
        late = self.T * (self.eta / 2 - self.eta**2 / 3)
        return -abs(self.x_0) * math.exp(self.T) * math.expm1(-late)

    def error_exponent(self) -> float:
        """I5: alpha."""
        return self.alpha

    def gaussian_exponent(self) -> float:
        """I6: 1 of the mean; 1 + gamma/2 of the deviation alone, for x_0 = 0."""
        return 1 + self.gamma / 2 if self.x_0 == 0 else 1.0
