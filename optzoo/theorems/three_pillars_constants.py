# SPDX-License-Identifier: Apache-2.0
r"""The constants of the theorems on Three Pillars, and every bound as a formula of them.

The statements that these formulas are the bounds of stand in `optzoo.theorems.three_pillars`, and
so does the notation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Constants, constant

__all__ = [
    "LOCAL_SHARE",
    "Chain",
    "Compression",
    "Contraction",
    "Inexact",
    "Minty",
    "Noisy",
    "Server",
    "Step",
    "Uplink",
    "tuned_step",
]

Array = NDArray[np.float64]

# --- One step, exactly ---


@dataclass(frozen=True, kw_only=True)
class _StepSize(Constants):
    gamma: float = constant(r"the step size $\gamma$", weakens=None, positive=True)


@dataclass(frozen=True, kw_only=True)
class Step(_StepSize):
    r"""What a step with an exact solution does to the distance from z*.

    Args:
        gamma: the step size.
        tau: the momentum.

    Example:
        >>> step = Step(gamma=1.0, tau=0.5)
        >>> step.after(z=4.0, m=2.0, u_z=1.0, u_m=1.0, progress=0.25, energy=[0.5, 1.5]).tolist()
        [2.0, 3.0]
    """

    tau: float = constant(r"the momentum $\tau$", weakens=None, most=1.0)

    def after(
        self,
        z: ArrayLike,
        m: ArrayLike,
        u_z: ArrayLike,
        u_m: ArrayLike,
        progress: ArrayLike,
        energy: ArrayLike,
    ) -> Any:
        r"""V0: (1-tau)(z - u_z) + tau (m - u_m) - 2 gamma progress + gamma^2 energy.

        Args:
            z: |z - z*|^2.
            m: |m - z*|^2.
            u_z: |u - z|^2.
            u_m: |u - m|^2.
            progress: <F(u) - F(z*), u - z*>.
            energy: E|xi|^2.
        """
        kept = (1 - self.tau) * (np.asarray(z) - u_z) + self.tau * (np.asarray(m) - u_m)
        return kept - 2 * self.gamma * np.asarray(progress) + self.gamma**2 * np.asarray(energy)


# --- The contraction with exact solutions ---


@dataclass(frozen=True, kw_only=True)
class Contraction(_StepSize):
    r"""Constants of Three Pillars with exact solutions, and what the theorems say about it.

    Args:
        mu: F is mu-strongly monotone.
        d_B: E|xi|^2 <= d_B^2 |u - m|^2.
        gamma: the step size.
        p: the refresh probability, and the momentum.

    Example:
        With p = 1/n and d_B^2 = 2 delta^2 the tuned step takes 2 n + 2 sqrt(n) delta / mu steps:

        >>> d_B = math.sqrt(2)
        >>> tuned = Contraction(mu=0.1, d_B=d_B, gamma=tuned_step(1 / 16, d_B), p=1 / 16)
        >>> round(tuned.time(), 9)
        112.0
        >>> Contraction(mu=0.1, d_B=d_B, gamma=0.2, p=1 / 16).rho
        inf
    """

    mu: float = constant(r"$F$ is $\mu$-strongly monotone", weakens="down")
    d_B: float = constant(r"$E|\xi|^2 \le d_B^2 |u - m|^2$", weakens="up")
    p: float = constant(
        r"the refresh probability $p$, and the momentum", weakens=None, positive=True, most=1.0
    )

    @property
    def slack(self) -> float:
        """M = min(1 - p, p - gamma^2 d_B^2)."""
        return min(1 - self.p, self.p - (self.gamma * self.d_B) ** 2)

    def decrease(self) -> float:
        """V1: 1 - rho = gamma mu M / (gamma mu + M); -infinity where no contraction is proved."""
        if self.slack <= 0:
            return -math.inf
        progress = self.gamma * self.mu
        return progress * self.slack / (progress + self.slack)

    @property
    def rho(self) -> float:
        """V1: the factor of E Phi in a step; infinity where no contraction is proved."""
        return 1 - self.decrease()

    def factor(self) -> float:
        """V1: the factor of E Phi in a step, rho; infinity where no contraction is proved."""
        return self.rho

    def distance(self, k: ArrayLike, initial: float) -> Array:
        """V1: 2 rho^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        return np.asarray(2 * initial * self.rho ** np.asarray(k, dtype=np.float64))

    def time(self) -> float:
        """V2: 1 / (1 - rho) = 1 / (gamma mu) + 1 / M."""
        return 1 / self.decrease()

    def step_on_a_set(
        self,
        z: ArrayLike,
        m: ArrayLike,
        u_z: ArrayLike,
        u_m: ArrayLike,
        u: ArrayLike,
        energy: ArrayLike,
    ) -> Any:
        """V5: V0 with the progress mu |u - z*|^2; `u` is |u - z*|^2."""
        exact = Step(gamma=self.gamma, tau=self.p)
        return exact.after(z, m, u_z, u_m, self.mu * np.asarray(u), energy)


def tuned_step(p: float, d_B: float) -> float:
    """V2: gamma = sqrt(p / 2) / d_B, with which M = p / 2 for p <= 2/3.

    Example:
        >>> round(tuned_step(1 / 16, math.sqrt(2)), 9)
        0.125
    """
    return math.sqrt(p / 2) / d_B


@dataclass(frozen=True, kw_only=True)
class Uplink(Constants):
    r"""What a worker sends.

    Args:
        share: the numbers of a message in units of d, 1/n for PermK.
        p: the refresh probability.

    Example:
        >>> Uplink(share=0.25, p=0.25).vectors([1, 5]).tolist()
        [0.25, 2.25]
    """

    share: float = constant("a message in units of whole vectors", weakens="up")
    p: float = constant(r"the refresh probability $p$", weakens="up", most=1.0)

    def vectors(self, k: ArrayLike) -> Array:
        """V2: share k + p (k - 1), after the first vector; the coin of step 0 changes nothing."""
        steps = np.asarray(k, dtype=np.float64)
        return np.asarray(self.share * steps + self.p * (steps - 1))


# --- The price of compression ---


@dataclass(frozen=True, kw_only=True)
class Compression(Constants):
    r"""What the messages cost: how similar the workers are, and the compressor's A and B.

    PermK and one client have A = B = 1, b clients A = B = 1/b, independent compressors A = omega/n
    and B = 0, and no compression A = B = 0; see `optzoo.compressors`.

    Args:
        delta_1: F_1 - F is delta_1-Lipschitz.
        delta_av: the same of all F_i - F, in the mean square.
        A: of the compressor.
        B: of the compressor.

    Example:
        >>> round(Compression(delta_1=1.0, delta_av=1.0, A=1.0, B=1.0).d_B ** 2, 9)
        2.0
    """

    delta_1: float = constant(r"$F_1 - F$ is $\delta_1$-Lipschitz", weakens="up")
    delta_av: float = constant(
        r"$\frac1n \sum_i |(F_i - F)(x) - (F_i - F)(y)|^2 \le \delta_{av}^2 |x - y|^2$",
        weakens="up",
    )
    A: float = constant(
        r"$E|\xi - E\xi|^2 \le A \frac1n \sum_i |a_i|^2 - B |\frac1n \sum_i a_i|^2$", weakens="up"
    )
    B: float = constant("the $B$ of the same", weakens="down", most=1.0)

    @property
    def d_B(self) -> float:
        """V3: d_B = sqrt(A (delta_1^2 + delta_av^2) + (1 - B) delta_1^2)."""
        server = self.delta_1**2
        return math.sqrt(self.A * (server + self.delta_av**2) + (1 - self.B) * server)

    def energy(self, u_m: ArrayLike) -> Array:
        """V3: d_B^2 |u - m|^2; `u_m` is |u - m|^2."""
        return np.asarray(self.d_B**2 * np.asarray(u_m, dtype=np.float64))


# --- Local steps ---


LOCAL_SHARE = 0.1  # of the exact contraction is left to the local steps


@dataclass(frozen=True, kw_only=True)
class Server(_StepSize):
    r"""The server's sub-problem, with the operator A = F_1 + 1/gamma, and extragradient on it.

    Args:
        gamma: the step size of the outer method.
        L_1: F_1 is L_1-Lipschitz.
        mu_1: the modulus of F_1, negative if it is not monotone.

    Example:
        >>> round(Server(gamma=1.0, L_1=3.0, mu_1=0.0).rho_in, 6)
        0.889706
    """

    L_1: float = constant("$F_1$ is $L_1$-Lipschitz", weakens="up")
    mu_1: float = constant(
        r"modulus of $F_1$: $\langle F_1(x) - F_1(y), x - y\rangle \ge \mu_1|x - y|^2$",
        weakens="down",
        least=-math.inf,
    )

    @property
    def L_A(self) -> float:
        """L_A = L_1 + 1/gamma."""
        return self.L_1 + 1 / self.gamma

    @property
    def mu_A(self) -> float:
        """mu_A = mu_1 + 1/gamma."""
        return self.mu_1 + 1 / self.gamma

    @property
    def eta(self) -> float:
        """The local step eta = 1 / (4 L_A)."""
        return 1 / (4 * self.L_A)

    def local_decrease(self) -> float:
        """V4: 1 - rho_in = 2 eta mu_A / (1 + 2 eta mu_A / (1 - eta^2 L_A^2))."""
        modulus = self.eta * self.mu_A
        return 2 * modulus / (1 + 2 * modulus / (1 - (self.eta * self.L_A) ** 2))

    @property
    def rho_in(self) -> float:
        """V4: the factor of |u_t - uhat|^2 in a local step."""
        return 1 - self.local_decrease()


@dataclass(frozen=True, kw_only=True)
class Inexact(Contraction, Server):
    r"""Constants of Three Pillars with local steps, and what the theorems say about it.

    Args:
        mu: F is mu-strongly monotone.
        L_1: F_1 is L_1-Lipschitz.
        mu_1: the modulus of F_1, negative if it is not monotone.
        delta_1: F_1 - F is delta_1-Lipschitz.
        d_B: E|xi|^2 <= d_B^2 |u - m|^2.
        gamma: the step size.
        p: the refresh probability, and the momentum.
        H: local steps.

    Example:
        >>> d_B, p = math.sqrt(2), 1 / 16
        >>> plan = Inexact(mu=0.1, L_1=20.0, mu_1=0.0, delta_1=1.0, d_B=d_B, p=p,
        ...                gamma=tuned_step(p, d_B), H=130)
        >>> plan.local_steps_for(LOCAL_SHARE * (1 - math.sqrt(plan.rho)))
        130
        >>> round(1 / (1 - plan.rho_H), 1)
        123.6
    """

    delta_1: float = constant(r"$F_1 - F$ is $\delta_1$-Lipschitz", weakens="up")
    H: int = constant("local steps $H$", weakens="down", positive=True)

    @property
    def gamma_limit_of_server(self) -> float:
        """1 / max(delta_1, -mu_1), below which gamma must be unless F_1 is monotone."""
        return math.inf if self.mu_1 >= 0 else 1 / max(self.delta_1, -self.mu_1)

    @property
    def sensitivity(self) -> float:
        r"""V4: q = (1 + gamma d_B) hypot(1 + (1-p) j, (p + gamma delta_1) j).

        j is the Lipschitz constant of (I + gamma (F_1 + N_Z))^{-1}: 1 if F_1 is monotone, and else
        1 / (1 - gamma delta_1).
        """
        similarity = self.gamma * self.delta_1
        j = 1.0 if self.mu_1 >= 0 else 1 / (1 - similarity)
        start = math.hypot(1 + (1 - self.p) * j, (self.p + similarity) * j)
        return (1 + self.gamma * self.d_B) * start

    def contraction(self) -> float:
        """V4: rho_H."""
        return self._root(self.rho_in) ** 2

    @property
    def rho_H(self) -> float:
        """V4: the factor of E Phi in a step: sqrt(rho_H) = sqrt(rho) + q rho_in^(H/2)."""
        return self.contraction()

    def potential(self, k: ArrayLike, initial: float) -> Array:
        """V4: 2 rho_H^k |z^0 - z*|^2; `initial` is |z^0 - z*|^2."""
        return np.asarray(2 * initial * self.rho_H ** np.asarray(k, dtype=np.float64))

    def local_steps_for(self, error: float) -> int:
        """V4: the least number of local steps that makes q rho_in^(H/2) at most the error."""
        steps = 2 * math.log(self.sensitivity / error) / -math.log(self.rho_in)
        return max(math.ceil(steps), 1)

    def server_error(self) -> float:
        """V4: q rho_in^(H/2), beside the root of Phi."""
        return self._error(self.rho_in)

    def _error(self, factor: float) -> float:
        """What is left of q after H local steps with a factor of |u_t - uhat|^2 each."""
        return self.sensitivity * factor ** (self.H / 2)

    def _root(self, factor: float) -> float:
        """The square root of rho_H for a factor of |u_t - uhat|^2 in a local step."""
        return math.sqrt(self.rho) + self._error(factor)


# --- Without strong monotonicity ---


@dataclass(frozen=True, kw_only=True)
class Minty(_StepSize):
    r"""Constants of Three Pillars on monotone and Minty operators, with exact solutions.

    Args:
        delta_1: F_1 - F is delta_1-Lipschitz.
        d_B: E|xi|^2 <= d_B^2 |u - m|^2.
        gamma: the step size.
        p: the refresh probability, and the momentum.

    Example:
        With p = 1/n, d_B^2 = 2 delta^2 and the tuned step it is 36 n delta^2 |z^0 - z*|^2 / K:

        >>> d_B, p = math.sqrt(2), 1 / 16
        >>> bounds = Minty(delta_1=1.0, d_B=d_B, gamma=tuned_step(p, d_B), p=p)
        >>> bounds.mean_operator([1, 36], 1.0).round(9).tolist()
        [576.0, 16.0]
    """

    delta_1: float = constant(r"$F_1 - F$ is $\delta_1$-Lipschitz", weakens="up")
    d_B: float = constant(r"$E|\xi|^2 \le d_B^2 |u - m|^2$", weakens="up")
    p: float = constant(
        r"the refresh probability $p$, and the momentum", weakens=None, positive=True, most=1.0
    )

    @property
    def factor(self) -> float:
        """V6: 4.5 / gamma^2, the factor of the moved distance that |F(u)|^2 is at most."""
        return 4.5 / self.gamma**2

    def moved(self, u_z: ArrayLike, u_m: ArrayLike) -> Array:
        """V6: (1 - p) |u - z|^2 + (p / 2) |u - m|^2, at most the decrease of the potential."""
        return np.asarray((1 - self.p) * np.asarray(u_z) + self.p / 2 * np.asarray(u_m))

    def squared_operator(self, u_z: ArrayLike, u_m: ArrayLike) -> Array:
        """V6: (4.5 / gamma^2) [(1 - p) |u - z|^2 + (p / 2) |u - m|^2]."""
        return np.asarray(self.factor * self.moved(u_z, u_m))

    def mean_operator(self, k: ArrayLike, initial: float) -> Array:
        """V6: (4.5 / gamma^2) 2 |z^0 - z*|^2 / k; `initial` is |z^0 - z*|^2."""
        return np.asarray(self.factor * 2 * initial / np.asarray(k, dtype=np.float64))


# --- Noise in the local steps ---


@dataclass(frozen=True, kw_only=True)
class Noisy(Inexact):
    r"""Constants of Three Pillars with noise in the local steps.

    Args:
        mu: F is mu-strongly monotone.
        L_1: F_1 is L_1-Lipschitz.
        mu_1: the modulus of F_1, negative if it is not monotone.
        delta_1: F_1 - F is delta_1-Lipschitz.
        d_B: E|xi|^2 <= d_B^2 |u - m|^2.
        gamma: the step size.
        p: the refresh probability, and the momentum.
        H: local steps.
        sigma: the estimates of F_1 have at most the variance sigma^2.

    Example:
        >>> noisy = Noisy(mu=1.0, L_1=1.0, mu_1=1.0, delta_1=1.0, d_B=1.0, gamma=1.0, p=0.5, H=1,
        ...               sigma=2.0)
        >>> noisy.local_floor, noisy.local_error([0.0, 1.0]).tolist()
        (0.75, [0.75, 1.5])
    """

    sigma: float = constant(
        r"estimates of $F_1$ with variance at most $\sigma^2$", weakens="up", default=0.0
    )

    @property
    def local_floor(self) -> float:
        """V7: 3 eta sigma^2 / mu_A."""
        return 3 * self.eta * self.sigma**2 / self.mu_A

    @property
    def rho_noisy(self) -> float:
        """V7: 1 - eta mu_A, the factor of E|u_t - uhat|^2 in a local step."""
        return 1 - self.eta * self.mu_A

    def local_error(self, distance: ArrayLike) -> Array:
        """V7: (1 - eta mu_A)^H |z - uhat|^2 + 3 eta sigma^2 / mu_A, `distance` = |z - uhat|^2."""
        return np.asarray(self.rho_noisy**self.H * np.asarray(distance) + self.local_floor)

    def noisy_potential(self, k: ArrayLike, initial: float) -> Array:
        r"""V7: the bound of E Phi_k; `initial` is |z^0 - z*|^2.

        Its root follows r_{k+1} = sqrt(rho_H) r_k + (1 + gamma d_B) sqrt(3 eta sigma^2 / mu_A).
        """
        root = self._root(self.rho_noisy)
        kick = (1 + self.gamma * self.d_B) * math.sqrt(self.local_floor)
        power = root ** np.asarray(k, dtype=np.float64)
        return np.asarray((power * math.sqrt(2 * initial) + kick * (1 - power) / (1 - root)) ** 2)


# --- From below ---


@dataclass(frozen=True, kw_only=True)
class Chain(Constants):
    r"""How often the next link of the hard instance's chain can become known.

    Args:
        heard: the probability that the message of a given worker is received in a step.
        p: the refresh probability.

    Example:
        >>> Chain(heard=0.25, p=0.25).floor([2, 4], lambda unlocked: 1 / unlocked).round(3).tolist()
        [0.5, 0.333]
    """

    heard: float = constant("probability that a given worker is heard", weakens="up", most=1.0)
    p: float = constant(r"the refresh probability $p$", weakens="up", most=1.0)

    def floor(self, k: ArrayLike, tail: Callable[[Array], Array]) -> Array:
        """LB: T(1 + (heard + p) k); `tail` is T, as `optzoo.problems.locked_tail` has it."""
        return np.asarray(tail(1 + (self.heard + self.p) * np.asarray(k, dtype=np.float64)))
