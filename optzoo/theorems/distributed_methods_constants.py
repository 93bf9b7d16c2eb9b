# SPDX-License-Identifier: Apache-2.0
r"""The constants of the theorems on methods beside Three Pillars, and every bound as a formula.

The statements that these formulas are the bounds of stand in `optzoo.theorems.distributed_methods`,
and so does the notation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = [
    "CompressedDifferences",
    "ErrorFeedback",
    "FullCommunication",
    "LocalSteps",
    "Optimistic",
    "ReferencePoint",
    "SimilarityStep",
    "Sliding",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _StronglyMonotone(Constants):
    mu: float = constant(r"$F$ is $\mu$-strongly monotone", weakens="down")


# --- E: full communication ---


@dataclass(frozen=True, kw_only=True)
class FullCommunication(_StronglyMonotone):
    r"""Constants of extragradient on F.

    Args:
        mu: F is mu-strongly monotone.
        L: F is L-Lipschitz.
        gamma: the step size.

    Example:
        >>> round(1 / FullCommunication(mu=0.1, L=1.0, gamma=0.5).decrease(), 9)
        11.333333333
    """

    L: float = constant("$F$ is $L$-Lipschitz", weakens="up")
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)

    def decrease(self) -> float:
        """E: 1 - rho = 2 gamma mu / (1 + 2 gamma mu / (1 - gamma^2 L^2))."""
        slack = 1 - (self.gamma * self.L) ** 2
        if slack <= 0:
            return -math.inf
        progress = 2 * self.gamma * self.mu
        return progress / (1 + progress / slack)

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """E: rho^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        return np.asarray(initial * (1 - self.decrease()) ** np.asarray(k, dtype=np.float64))


# --- LE: local steps ---


@dataclass(frozen=True, kw_only=True)
class LocalSteps(Constants):
    r"""Constants of local extragradient on affine operators.

    Args:
        mu: every F_i is mu-strongly monotone.
        L: every F_i is L-Lipschitz.
        D: the mean of |F_i(z*)|.
        gamma: the step size.
        H: local steps.

    Example:
        >>> plan = LocalSteps(mu=0.5, L=1.0, D=1.0, gamma=0.1, H=5)
        >>> plan.distance([0, 1000], 1.0).round(3).tolist()
        [1.0, 0.807]
    """

    mu: float = constant(r"every $F_i$ is $\mu$-strongly monotone", weakens="down")
    L: float = constant("every $F_i$ is $L$-Lipschitz", weakens="up")
    D: float = constant(r"$\frac1n \sum_i |F_i(z^*)|$", weakens="up")
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)
    H: int = constant("local steps $H$", weakens=None, positive=True)

    @property
    def contraction(self) -> float:
        """LE: q = rho^(H/2), with the rho of E."""
        one = FullCommunication(mu=self.mu, L=self.L, gamma=self.gamma)
        return float((1 - one.decrease()) ** (self.H / 2))

    @property
    def drift(self) -> float:
        """LE: b = gamma^2 L D (H + H (H - 1) (1 + gamma L)^2 / 2)."""
        late = self.H * (self.H - 1) / 2 * (1 + self.gamma * self.L) ** 2
        return self.gamma**2 * self.L * self.D * (self.H + late)

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """LE: q^k |z^0 - z*| + b (1 - q^k) / (1 - q); `initial` is |z^0 - z*|."""
        if self.contraction >= 1:
            return np.full(np.shape(k), math.inf)
        left = self.contraction ** np.asarray(k, dtype=np.float64)
        return np.asarray(left * initial + self.drift * (1 - left) / (1 - self.contraction))


# --- S and V8: sliding ---


@dataclass(frozen=True, kw_only=True)
class Sliding(_StronglyMonotone):
    r"""Constants of extragradient sliding with alpha = 2 mu and exact solutions.

    Args:
        mu: F is mu-strongly monotone.
        delta_1: F_1 - F is delta_1-Lipschitz.
        theta: the step size of the sub-problem.
        eta: that of the correction.

    Example:
        >>> delta, mu = 1.0, 0.1
        >>> longest = Sliding(mu=mu, delta_1=delta, theta=1.0, eta=1 / (1 + 2 * mu))
        >>> round(1 / longest.decrease(), 9)  # 1 + delta / (2 mu)
        6.0
    """

    delta_1: float = constant(r"$F_1 - F$ is $\delta_1$-Lipschitz", weakens="up")
    theta: float = constant(
        r"the step size $\theta$ of the sub-problem", weakens=None, positive=True
    )
    eta: float = constant(r"the step size $\eta$ of the correction", weakens=None, positive=True)

    def decrease(self) -> float:
        """S: 1 - rho = 2 eta mu, for steps as short as the theorem assumes."""
        return 2 * self.eta * self.mu

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """S: rho^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        return np.asarray(initial * (1 - self.decrease()) ** np.asarray(k, dtype=np.float64))


@dataclass(frozen=True, kw_only=True)
class SimilarityStep(_StronglyMonotone):
    r"""Constants of sliding with eta = theta = gamma and alpha = 0, and exact solutions.

    Args:
        mu: F is mu-strongly monotone.
        delta_1: F_1 - F is delta_1-Lipschitz.
        gamma: the step size.

    Example:
        >>> tuned = SimilarityStep(mu=0.1, delta_1=1.0, gamma=0.5**0.5)
        >>> round(1 / tuned.decrease() - 2, 9) == round(10 / 2**0.5, 9)  # delta / (sqrt 2 mu)
        True
    """

    delta_1: float = constant(r"$F_1 - F$ is $\delta_1$-Lipschitz", weakens="up")
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)

    @property
    def slack(self) -> float:
        """M = 1 - gamma^2 delta_1^2."""
        return 1 - (self.gamma * self.delta_1) ** 2

    def decrease(self) -> float:
        """V8: 1 - rho = 2 gamma mu M / (2 gamma mu + M)."""
        if self.slack <= 0:
            return -math.inf
        progress = 2 * self.gamma * self.mu
        return progress * self.slack / (progress + self.slack)

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """V8: rho^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        return np.asarray(initial * (1 - self.decrease()) ** np.asarray(k, dtype=np.float64))


# --- M1: a reference point and raw differences ---


@dataclass(frozen=True, kw_only=True)
class CompressedDifferences(Constants):
    r"""What compressed differences of one worker's operator cost.

    Args:
        L: F is L-Lipschitz.
        L_av: the F_i are L_av-Lipschitz in the mean square.
        A: of the compressor, see `optzoo.compressors`.
        B: of the compressor.

    Example:
        >>> RAND_K = {"A": 3 / 4, "B": 0.0}  # one coordinate of four, four workers
        >>> CompressedDifferences(L=1.0, L_av=2.0, **RAND_K).C
        2.0
    """

    L: float = constant("$F$ is $L$-Lipschitz", weakens="up")
    L_av: float = constant(
        r"$\frac1n \sum_i |F_i(x) - F_i(y)|^2 \le L_{av}^2 |x - y|^2$", weakens="up"
    )
    A: float = constant(
        r"$E|\xi - E\xi|^2 \le A \frac1n \sum_i |a_i|^2 - B |\frac1n \sum_i a_i|^2$", weakens="up"
    )
    B: float = constant("the $B$ of the same", weakens="down", most=1.0)

    @property
    def C(self) -> float:
        """M1: C = sqrt(A L_av^2 + (1 - B) L^2)."""
        return math.sqrt(self.A * self.L_av**2 + (1 - self.B) * self.L**2)


@dataclass(frozen=True, kw_only=True)
class ReferencePoint(_StronglyMonotone):
    r"""Constants of MASHA1.

    Args:
        mu: F is mu-strongly monotone.
        C: E|xi|^2 <= C^2 |u - m|^2 for the compressed differences xi.
        gamma: the step size.
        p: the refresh probability, and the momentum.

    Example:
        >>> tuned = ReferencePoint(mu=0.1, C=1.0, gamma=(1 / 32) ** 0.5, p=1 / 16)
        >>> round(1 / tuned.decrease(), 3)  # (2 - p) / (2 gamma mu) + 2 / p
        86.801
    """

    C: float = constant(r"$E|\xi|^2 \le C^2 |u - m|^2$", weakens="up")
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)
    p: float = constant(
        r"the refresh probability $p$, and the momentum", weakens=None, positive=True, most=1.0
    )

    @property
    def slack(self) -> float:
        """The slack p - gamma^2 C^2."""
        return self.p - (self.gamma * self.C) ** 2

    def decrease(self) -> float:
        """M1: 1 / (1 - rho) = (2 - p) / (2 gamma mu) + 1 / (p - gamma^2 C^2)."""
        if self.slack <= 0:
            return -math.inf
        return 1 / ((2 - self.p) / (2 * self.gamma * self.mu) + 1 / self.slack)

    def potential(self, k: ArrayLike, initial: float) -> Array:
        """M1: (2 - p) rho^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        left = (1 - self.decrease()) ** np.asarray(k, dtype=np.float64)
        return np.asarray((2 - self.p) * initial * left)


# --- OM and SV: optimism ---


@dataclass(frozen=True, kw_only=True)
class Optimistic(_StronglyMonotone):
    r"""Constants of the optimistic methods with a reference point.

    With theta = min(gamma mu, p) / 2, alpha = 1 - theta and lambda = p / (p - theta).

    Args:
        mu: F is mu-strongly monotone.
        ell: what is extrapolated is ell-Lipschitz: F for Optimistic MASHA, F - F_1 for SVOGS.
        d_M: E|xi - E xi|^2 <= d_M^2 |x - y|^2 for messages of differences between x and y.
        gamma: the step size.
        p: the refresh probability, and the momentum.

    Example:
        >>> tuned = Optimistic.tuned(mu=0.1, ell=1.0, d_M=1.0, p=1 / 16)
        >>> round(tuned.gamma, 4), round(1 / tuned.theta, 1)
        (0.0615, 325.1)
    """

    ell: float = constant(r"what is extrapolated is $\ell$-Lipschitz", weakens="up")
    d_M: float = constant(r"$E|\xi - E\xi|^2 \le d_M^2 |x - y|^2$", weakens="up")
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)
    p: float = constant(
        r"the refresh probability $p$, and the momentum", weakens=None, positive=True, most=1.0
    )

    @classmethod
    def tuned(cls, *, mu: float, ell: float, d_M: float, p: float) -> "Optimistic":
        """With gamma = min(1 / (8 ell), sqrt((1 - p/2) q) / (4 d_M)), q = min(p, 5/8 - p)."""
        _require_half(p)
        limits = [1 / (8 * ell)] if ell else []
        limits += [math.sqrt((1 - p / 2) * _spared(p)) / (4 * d_M)] if d_M else []
        if not limits:
            raise ValueError("ell or d_M must be positive: else any step is allowed, got 0 and 0.")
        return cls(mu=mu, ell=ell, d_M=d_M, gamma=min(limits), p=p)

    @property
    def theta(self) -> float:
        """OM: theta = min(gamma mu, p) / 2."""
        return min(self.gamma * self.mu, self.p) / 2

    @property
    def alpha(self) -> float:
        """OM: the optimism alpha = 1 - theta."""
        return 1 - self.theta

    def allowed(self) -> bool:
        """Whether p <= 1/2, gamma <= 1 / (8 ell), gamma^2 d_M^2 <= alpha min(p, 5/8 - p) / 16."""
        return (
            self.p <= 0.5
            and 8 * self.gamma * self.ell <= 1 + 1e-12
            and 16 * (self.gamma * self.d_M) ** 2 <= self.alpha * _spared(self.p) * (1 + 1e-12)
        )

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """OM: (1 - theta)^k (1 + 2 g + lambda (1 - p)) / (1 + 2 g - gamma ell) |z^0 - z*|^2.

        g is gamma mu, and `initial` is |z^0 - z*|^2.
        """
        weight = self.p / (self.p - self.theta)
        gained = 1 + 2 * self.gamma * self.mu
        start = (gained + weight * (1 - self.p)) / (gained - self.gamma * self.ell)
        left = (1 - self.theta) ** np.asarray(k, dtype=np.float64)
        return np.asarray(left * start * initial)


def _require_half(p: float) -> None:
    if not 0 < p <= 0.5:
        raise ValueError(f"p must lie in (0, 1/2] for this theorem, got {p}.")


def _spared(p: float) -> float:
    """What a step leaves for the noise of the next one."""
    return min(p, 5 / 8 - p)


# --- M2: error feedback ---


@dataclass(frozen=True, kw_only=True)
class ErrorFeedback(_StronglyMonotone):
    r"""Constants of MASHA2.

    Args:
        mu: F is mu-strongly monotone.
        L: F is L-Lipschitz.
        L_av: the F_i are L_av-Lipschitz in the mean square.
        beta: |C(x) - x|^2 <= (1 - 1/beta) |x|^2.
        gamma: the step size.
        p: the refresh probability, and the momentum.

    Example:
        >>> plan = ErrorFeedback.tuned(mu=0.5, L=1.0, L_av=1.0, beta=4.0, p=0.25)
        >>> plan.allowed(), round(plan.gamma, 6)
        (True, 0.000729)
    """

    L: float = constant("$F$ is $L$-Lipschitz", weakens="up")
    L_av: float = constant(
        r"$\frac1n \sum_i |F_i(x) - F_i(y)|^2 \le L_{av}^2 |x - y|^2$", weakens="up"
    )
    beta: float = constant(r"$|C(x) - x|^2 \le (1 - 1/\beta)|x|^2$", weakens="up", least=1.0)
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)
    p: float = constant(
        r"the refresh probability $p$, and the momentum", weakens=None, positive=True, most=1.0
    )

    @classmethod
    def tuned(cls, *, mu: float, L: float, L_av: float, beta: float, p: float) -> "ErrorFeedback":
        """With the longest step that the theorem allows."""
        _require_half(p)
        unit = 9 * (beta * L_av) ** 2
        linear = 19 * p**2 / mu
        # unit (8 gamma^2 + linear gamma) = p
        of_errors = 2 * p / (unit * linear + math.sqrt((unit * linear) ** 2 + 32 * unit * p))
        gamma = min(of_errors, p / (16 * mu), 1 / (beta * mu), math.sqrt(p / 32) / L)
        return cls(mu=mu, L=L, L_av=L_av, beta=beta, gamma=gamma, p=p)

    def allowed(self) -> bool:
        """Whether p, gamma mu, gamma L and the errors are as small as the theorem needs."""
        errors = 9 * (self.beta * self.L_av) ** 2
        errors *= 8 * self.gamma**2 + 19 * self.p**2 * self.gamma / self.mu
        return (
            self.p <= 0.5
            and self.gamma * self.mu <= min(self.p / 16, 1 / self.beta) * (1 + 1e-12)
            and 32 * (self.gamma * self.L) ** 2 <= self.p * (1 + 1e-12)
            and errors <= self.p * (1 + 1e-12)
        )

    def reference(self, k: ArrayLike, initial: float) -> Array:
        """M2: (1 - gamma mu / 10)^k (2 - p) |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        left = (1 - self.gamma * self.mu / 10) ** np.asarray(k, dtype=np.float64)
        return np.asarray((2 - self.p) * initial * left)
