r"""Three Pillars: distributed variational inequalities by similarity, compression and local steps.

    find z* in Z with <F(z*), z - z*> >= 0 for all z in Z,   F = (1/n) sum_i F_i.

Worker 1 is the server. With v^k = z^k + tau (m^k - z^k), it solves

    F_1(u) + F(m^k) - F_1(m^k) + (u - v^k) / gamma = 0,   u in Z,

exactly (u = uhat) or by H steps of extragradient from z^k with eta = 1 / (4 (L_1 + 1 / gamma)), and

    z^{k+1} = proj_Z(u + gamma xi),   xi = (1/n) sum_i Q_i(a_i),
    a_i = F_i(m^k) - F_1(m^k) - F_i(u) + F_1(u),
    m^{k+1} = z^k with probability p, else m^k;   m^0 = z^0.

With random clients in the place of compressed messages (partial participation), xi is the mean of
the a_i of b uniform ones.

Notation: Phi_k = |z^k - z*|^2 + |m^k - z*|^2, so that Phi_0 = 2 |z^0 - z*|^2; G = F - F_1. F is
mu-strongly monotone; F_1 is L_1-Lipschitz with the modulus mu_1, of either sign; F_1 - F is
delta_1-Lipschitz, and (1/n) sum_i |(F_i - F)(x) - (F_i - F)(y)|^2 <= delta_av^2 |x - y|^2. A and B
are the compressor's: E|xi - E xi|^2 <= A (1/n) sum_i |a_i|^2 - B |(1/n) sum_i a_i|^2.

 V0  one step with an exact solution, exactly; all second moments on affine operators
 V1  the contraction of Phi with exact solutions, for one step and whole runs
 V2  the number of steps at the tuned step size; what a worker sends; laws in delta/mu, n and L
 V3  d_B, the price of compression: E|xi|^2 <= d_B^2 |u - m|^2; where it is attained
 V4  the contraction with H local steps: whole runs, one step, one local step
 V5  the same over a set; one step of its proof
 V6  monotone and Minty operators: the mean of |F(u^k)|^2; one step of its proof
 V7  noise in the local steps: whole runs, the local steps alone
 LB  a bound from below for every method that hears as little

No worker alone need be monotone. Derivations: docs/theory/three_pillars.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theorem import Assumption, Constants, Paper, Theorem, constant

__all__ = [
    "LB",
    "LOCAL_SHARE",
    "PAPER",
    "V0",
    "V1",
    "V2",
    "V3",
    "V4",
    "V5",
    "V6",
    "V7",
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

PAPER = Paper(
    'Beznosikov, Takac, Gasnikov, "Similarity, Compression and Local Steps: Three Pillars of '
    'Efficient Communications for Distributed Variational Inequalities", NeurIPS 2023, '
    "arXiv:2302.07615",
    known=(
        "The paper's algorithms, assumptions and orders of complexity are known here, not the "
        "constants of its theorems. The explicit forms V0 to V7 and their proofs are ours, with "
        "the paper's potential, and imply its orders; the instance of LB is restated from the "
        "paper, its constants follow from the paper's counting argument."
    ),
)

# --- Assumptions that theorems share ---

EXACT_SOLUTION = Assumption("the server's sub-problem solved exactly")
UNCONSTRAINED = Assumption(r"no constraint, $Z = R^d$")
UNBIASED = Assumption("unbiased messages")
STRONGLY_MONOTONE = Assumption(
    r"$F$ $\mu$-strongly monotone with $\mu > 0$", lambda constants, *more: constants.mu > 0
)
MOMENTUM = Assumption(r"$\tau = p$")
SLACK = Assumption(
    r"$M = \min(1 - p, p - \gamma^2 d_B^2) > 0$", lambda constants, *more: constants.slack > 0
)
SERVER = Assumption(
    r"$F_1$ monotone, or $\gamma \max(\delta_1, -\mu_1) < 1$",
    lambda constants, *more: constants.gamma < constants.gamma_limit_of_server,
)
AFFINE = Assumption("affine operators")

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


V0 = Theorem(
    label="V0",
    title="One step, exactly",
    paper=PAPER,
    source="proof of the convergence theorem; identity V0",
    algorithm="three_pillars",
    statement=(
        r"$$E|z^+ - z^*|^2 = (1-\tau)|z - z^*|^2 + \tau|m - z^*|^2 - (1-\tau)|u - z|^2 - "
        r"\tau|u - m|^2 - 2\gamma\langle F(u) - F(z^*), u - z^*\rangle + \gamma^2 E|\xi|^2$$ "
        r"with $\xi = \frac1n \sum_i Q_i(a_i)$"
    ),
    assumptions=(EXACT_SOLUTION, UNCONSTRAINED, UNBIASED),
    metric=r"E|z^+ - z^*|^2",
    output="last iterate",
    side="equal",
    constants=Step,
    formula=Step.after,
    proof=(
        r"$|z^+ - z^*|^2 = |u - z^*|^2 + 2\gamma\langle\xi, u - z^*\rangle + \gamma^2|\xi|^2$ and "
        r"$\gamma E\xi = \gamma G(m) - \gamma G(u) = -(u - v) - \gamma F(u)$. Then $-2\langle "
        r"u - v, u - z^*\rangle = -|u - v|^2 - |u - z^*|^2 + |v - z^*|^2$, and $|v - w|^2 = "
        r"(1-\tau)|z - w|^2 + \tau|m - w|^2 - \tau(1-\tau)|z - m|^2$ for $w = z^*$ and $w = u$."
    ),
    not_shown="Other states than those drawn; but a polynomial that vanishes there vanishes.",
)

V0_MOMENTS = V0.part(
    "V0, second moments",
    "The second moments of a step, exactly",
    source="the algorithm on affine operators",
    statement=(
        r"$E[w^+ (w^+)^\top]$ for $w = (z - z^*, m - z^*)$ by the closed recursion of "
        r"`CompressedMoments`, against all outcomes of the shipped method"
    ),
    assumptions=(AFFINE, EXACT_SOLUTION),
    metric=r"E[w^+ (w^+)^\top] / \Phi",
    output="last iterate and reference",
    formula=None,
    proof=(
        r"$\hat u$ is linear in $w$, and $z^+ - \hat u$ given $w$ has the mean and the second "
        "moment that the compressor gives it."
    ),
    not_shown="Nothing beyond affine operators.",
)

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


V1 = Theorem(
    label="V1",
    title="The contraction with exact solutions",
    paper=PAPER,
    source="convergence theorem, strongly monotone case; explicit form V1",
    algorithm="three_pillars",
    statement=(
        r"$$E|z^k - z^*|^2 \le E\Phi_k \le 2\rho^k |z^0 - z^*|^2, \quad \frac{1}{1-\rho} = "
        r"\frac{1}{\gamma\mu} + \frac1M, \quad M = \min(1-p, p - \gamma^2 d_B^2)$$ with "
        r"$\Phi = |z - z^*|^2 + |m - z^*|^2$"
    ),
    assumptions=(EXACT_SOLUTION, STRONGLY_MONOTONE, MOMENTUM, SLACK),
    metric=r"E|z^k - z^*|^2",
    output="last iterate",
    side="above",
    constants=Contraction,
    formula=Contraction.distance,
    proof=(
        r"V0 and $E|m^+ - z^*|^2 = p|z - z^*|^2 + (1-p)|m - z^*|^2$ give $E\Phi^+ \le \Phi - "
        r"(1-p)|u - z|^2 - (p - \gamma^2 d_B^2)|u - m|^2 - 2\gamma\mu|u - z^*|^2$. By Young "
        r"$-|u - z^*|^2 \le -(1-\kappa)|w - z^*|^2 + \frac{1-\kappa}{\kappa}|u - w|^2$, half of "
        r"the last term for $w = z$ and half for $w = m$; $\kappa = \gamma\mu/(\gamma\mu + M)$."
    ),
    not_shown="That long runs are as slow as their slowest step: see the rates.",
)

V1_STEP = V1.part(
    "V1, one step",
    "One step of the potential",
    statement=(
        r"$$E\Phi^+ \le \rho\Phi, \quad \frac{1}{1-\rho} = \frac{1}{\gamma\mu} + \frac1M, "
        r"\quad M = \min(1-p, p - \gamma^2 d_B^2)$$ with $\Phi = |z - z^*|^2 + |m - z^*|^2$: the "
        r"relative decrease $1 - E\Phi^+/\Phi$ is at least $1 - \rho$"
    ),
    metric=r"1 - E\Phi^+/\Phi",
    output="last iterate and reference",
    side="below",
    formula=Contraction.decrease,
)

V2 = Theorem(
    label="V2",
    title="The number of steps at the tuned step size",
    paper=PAPER,
    source="convergence theorem, strongly monotone case; explicit forms V1, V2",
    algorithm="three_pillars",
    statement=(
        r"$$\frac{1}{1 - \lim (E\Phi_k)^{1/k}} \le \frac{1}{\gamma\mu} + \frac1M$$ which at "
        r"$\gamma = \sqrt{p/2}/d_B$ is $\frac2p + \sqrt{\frac2p}\,\frac{d_B}{\mu}$, and with $p = "
        r"1/n$ and $d_B^2 = 2\delta^2$ is $2n + 2\sqrt n\,\delta/\mu$"
    ),
    assumptions=(EXACT_SOLUTION, STRONGLY_MONOTONE, MOMENTUM, SLACK),
    metric=r"1/(1 - \mathrm{rate})",
    output="last iterate and reference",
    side="above",
    constants=Contraction,
    formula=Contraction.time,
    proof=r"V1; $\gamma^2 d_B^2 = p/2$ makes $M = p/2$ where $p \le 2/3$.",
    not_shown="Generic couplings rotate the error and converge up to 60 times faster.",
)

_LAW = {
    "source": "complexity of the algorithm; explicit form V2",
    "assumptions": (Assumption(r"$\sqrt n \, \delta/\mu \gg n$"), Assumption("a slow instance")),
    "metric": r"k: E|z^k - z^*|^2 \le 0.1\, |z^0 - z^*|^2",
    "output": "last iterate",
    "side": "law",
    "formula": None,
    "not_shown": "The exponent itself: it is within 0.15 of the stated one on this range.",
}

V2_SIMILARITY = V2.part(
    "V2 in the similarity",
    "The steps grow like delta/mu",
    statement=r"$$k \propto \delta/\mu$$ at fixed $n$",
    **_LAW,
)

V2_WORKERS = V2.part(
    "V2 in the workers",
    "The steps grow like the root of n",
    algorithm="three_pillars_partial_participation",
    statement=r"$$k \propto \sqrt n$$ at fixed $\delta/\mu$, one client a step",
    **_LAW,
)

V2_LIPSCHITZ = V2.part(
    "V2 in the server's constant",
    "The steps do not grow with L",
    statement=r"$$k \propto L^0$$ at fixed $n$ and $\delta/\mu$, with the local steps of V4",
    **_LAW | {"source": "complexity of the algorithm; explicit forms V2, V4"},
)


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


V2_UPLINK = V2.part(
    "V2, the uplink",
    "A worker sends 1/n + p vectors a step",
    source="communication of the algorithm",
    statement=(
        r"$$E[\text{vectors sent by a worker after the first}] = k/n + (k-1)p$$ from the "
        "method's own counters"
    ),
    assumptions=(Assumption("PermK"),),
    metric=r"\text{vectors a worker}",
    output="counters",
    side="equal",
    constants=Uplink,
    formula=Uplink.vectors,
    proof="A message has $d/n$ numbers, and a refresh, of probability $p$, has $d$.",
    not_shown="Bytes on the wire: tests compare the counters with the compiled program.",
)

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


_DEVIATIONS = r"d_B^2 = A(\delta_1^2 + \delta_{av}^2) + (1-B)\delta_1^2"
_COMPRESSORS = (
    r"$A = B = 1$ for PermK and one client, $1/b$ for $b$ clients, $A = \omega/n$, $B = 0$ for "
    r"RandK, $A = B = 0$ for none"
)

V3 = Theorem(
    label="V3",
    title="What compression costs",
    paper=PAPER,
    source="lemma on the compressors; explicit form V3",
    algorithm="three_pillars",
    statement=rf"$$E|\xi|^2 \le d_B^2 |u - m|^2, \quad {_DEVIATIONS}$$ with {_COMPRESSORS}",
    assumptions=(
        Assumption(r"$\delta_1$ and $\delta_{av}$, not one $\delta$ for each worker"),
        UNBIASED,
    ),
    metric=r"E|\xi|^2",
    output="messages",
    side="above",
    constants=Compression,
    formula=Compression.energy,
    proof=(
        r"$E|\xi|^2 \le A \frac1n \sum_i |a_i|^2 + (1-B)|\bar a|^2$, where $a_i = D_i(m) - D_i(u)$ "
        r"for $D_i = F_i - F_1 = (F_i - F) - (F_1 - F)$. The $F_i - F$ average to zero, so that "
        r"$\frac1n \sum_i |a_i|^2 \le (\delta_{av}^2 + \delta_1^2)|u - m|^2$, and $|\bar a| \le "
        r"\delta_1 |u - m|$."
    ),
    not_shown="Directions in which it is attained: those drawn are random.",
)

V3_INDEPENDENT = V3.part(
    "V3, independent workers",
    "Workers that compress one vector on their own lose n times less",
    source="lemma on the compressors, A = omega/n and B = 0; explicit form V3",
    statement=(
        r"$$E\Bigl|\frac1n \sum_i Q_i(a) - a\Bigr|^2 = \frac1n E|Q(a) - a|^2$$ for independent "
        r"unbiased $Q_i$: natural compression, quantization, RandK"
    ),
    assumptions=(Assumption("each worker's draws are its own"),),
    metric=r"E|\frac1n \sum_i Q_i(a) - a|^2",
    side="equal",
    constants=None,
    formula=None,
    proof="The errors are independent and have mean 0, so that their variances add.",
    not_shown="Correlations that do not show in the second moment of equal vectors.",
)

V3_ATTAINED = V3.part(
    "V3, attained",
    "Every compressor's constant is attained",
    statement=rf"$$E|\xi|^2 = d_B^2 |u - m|^2, \quad {_DEVIATIONS}$$ with {_COMPRESSORS}",
    assumptions=(Assumption("every worker at distance delta in every direction"),),
    side="equal",
    not_shown="Other problems, where it is an upper bound: the hard instance has that.",
)

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

    def _root(self, factor: float) -> float:
        """The square root of rho_H for a factor of |u_t - uhat|^2 in a local step."""
        return math.sqrt(self.rho) + self.sensitivity * factor ** (self.H / 2)


_ROOT = (
    r"\sqrt{\rho_H} = \sqrt\rho + (1 + \gamma d_B)\sqrt{(2-p)^2 + (p + \gamma\delta_1)^2}\, "
    r"\rho_{in}^{H/2}"
)

V4 = Theorem(
    label="V4",
    title="The contraction with local steps",
    paper=PAPER,
    source="convergence theorem; explicit forms V2, V4",
    algorithm="three_pillars",
    statement=(
        rf"$$E\Phi_k \le \rho_H^k\, 2|z^0 - z^*|^2, \quad {_ROOT}$$ with $1/(1-\rho) = "
        r"1/(\gamma\mu) + 1/M$, which at $\gamma = \sqrt{p/2}/d_B$ is $2/p + \sqrt{2/p}\, "
        r"d_B/\mu$; $H$ is chosen so that $1 - \sqrt{\rho_H}$ is at least nine tenths of $1 - "
        r"\sqrt\rho$. Where $F_1$ is not monotone, $2-p$ is replaced by $1 + (1-p)/(1 - "
        r"\gamma\delta_1)$ and $p + \gamma\delta_1$ divided by $1 - \gamma\delta_1$"
    ),
    assumptions=(SERVER, STRONGLY_MONOTONE, MOMENTUM, SLACK),
    metric=r"E\Phi_k",
    output="last iterate and reference",
    side="above",
    constants=Inexact,
    formula=Inexact.potential,
    proof=(
        r"Compare with the exact step under the same draws: $|z^+ - \hat z^+|_{L_2} \le (1 + "
        r"\gamma d_B)|u_H - \hat u|$, and $|u_H - \hat u| \le \rho_{in}^{H/2}|z - \hat u|$. With "
        r"$J = (I + \gamma(F_1 + N_Z))^{-1}$, $z^* = J(z^* - \gamma G(z^*))$ and $\hat u = J(v - "
        r"\gamma G(m))$, so that $|z - \hat u| \le (2-p)|z - z^*| + (p + \gamma\delta_1)|m - z^*|$ "
        r"where $J$ does not expand; where $F_1$ is not monotone its constant is at most $1/(1 - "
        r"\gamma\delta_1)$. Minkowski and V1."
    ),
    not_shown="How tight it is for long runs, unless the instance is the slow one.",
)

V4_CLIENTS = V4.part(
    "V4 for clients",
    "The contraction with random clients in the place of messages",
    source="convergence theorem for partial participation; explicit forms V2, V4",
    algorithm="three_pillars_partial_participation",
    proof="One uniform client has the second moment of PermK, V3: the same proof.",
)

V4_STEP = V4.part(
    "V4, one step",
    "One step of the potential with finitely many local steps",
    source="convergence theorem with inexact local solves; explicit form V4",
    statement=rf"$$E\Phi^+ \le \rho_H\Phi, \quad {_ROOT}$$",
    metric=r"E\Phi^+/\Phi",
    formula=Inexact.contraction,
    not_shown="That so many local steps are needed: fewer often do.",
)

V4_LOCAL = V4.part(
    "V4, a local step",
    "One local step of extragradient",
    source="lemma on the server's sub-problem; explicit form V4",
    statement=(
        r"$$|u_{t+1} - \hat u|^2 \le \rho_{in}|u_t - \hat u|^2, \quad 1 - \rho_{in} = "
        r"\frac{2\eta\mu_A}{1 + 2\eta\mu_A/(1 - \eta^2 L_A^2)}$$ with $L_A = L_1 + 1/\gamma$, "
        r"$\mu_A = \mu_1 + 1/\gamma$, $\eta = 1/(4L_A)$: what is gained is at least $1 - \rho_{in}$"
    ),
    assumptions=(
        Assumption(r"$\mu_A > 0$", lambda constants: constants.mu_A > 0),
        Assumption(r"$\eta = 1/(4L_A)$"),
    ),
    metric=r"1 - |u_{t+1} - \hat u|^2 / |u_t - \hat u|^2",
    unit="local step",
    output="local iterate",
    side="below",
    constants=Server,
    formula=Server.local_decrease,
    proof=(
        r"Extragradient gives $|u^+ - \hat u|^2 \le |u - \hat u|^2 - 2\eta\langle A(u_{1/2}), "
        r"u_{1/2} - \hat u\rangle - (1 - \eta^2 L_A^2)|u - u_{1/2}|^2$; strong monotonicity, and "
        r"Young with the parameter $2\eta\mu_A/(1 - \eta^2 L_A^2)$."
    ),
    not_shown="Nonlinear operators.",
)

# --- Sets ---

V5 = V4.part(
    "V5",
    "The contraction over a set",
    source="convergence theorem on sets; explicit forms V4, V5",
    proof=(
        "V1 holds as it stands with the exact solution of the sub-problem over $Z$, since its step "
        "does; V4 follows as before."
    ),
    part_of=None,
)

V5_STEP = V5.part(
    "V5, one step",
    "One step over a set",
    source="proof of the convergence theorem on sets; inequality V5",
    statement=(
        r"$$E|z^+ - z^*|^2 \le (1-\tau)(|z - z^*|^2 - |u - z|^2) + \tau(|m - z^*|^2 - "
        r"|u - m|^2) - 2\gamma\mu|u - z^*|^2 + \gamma^2 E|\xi|^2$$"
    ),
    assumptions=(EXACT_SOLUTION, STRONGLY_MONOTONE, MOMENTUM),
    metric=r"E|z^+ - z^*|^2",
    output="last iterate",
    constants=Contraction,
    formula=Contraction.step_on_a_set,
    proof=(
        r"V0 with inequalities: projections do not expand, $\langle A(u), z^* - u\rangle \ge 0$, "
        r"and $\langle F(u), u - z^*\rangle \ge \mu|u - z^*|^2$."
    ),
    not_shown="Sets other than a ball.",
)

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


_ROUND_OFF = 1 + 1e-12

MINTY = Assumption(r"$\langle F(z), z - z^*\rangle \ge 0$, as where $F$ is monotone")
SHORT_STEP = Assumption(
    r"$\gamma^2 d_B^2 \le p/2$ and $\gamma^2 \delta_1^2 \le p/4$",
    lambda constants, *more: (
        constants.gamma**2 * max(constants.d_B**2 / 2, constants.delta_1**2)
        <= constants.p / 4 * _ROUND_OFF
    ),
)

V6 = Theorem(
    label="V6",
    title="Monotone and Minty operators: the mean of the squared operator falls like 1/K",
    paper=PAPER,
    source="theorem on monotone and Minty operators; explicit form V6",
    algorithm="three_pillars",
    statement=(
        r"$$\frac1K \sum_{k<K} E|F(u^k)|^2 \le \frac{4.5\,\Phi_0}{\gamma^2 K}$$ which at "
        r"$\gamma^2 = p/(4\delta^2)$, $p = 1/n$ is $36 n\delta^2|z^0 - z^*|^2/K$, without "
        "bounded iterates"
    ),
    assumptions=(EXACT_SOLUTION, UNCONSTRAINED, MINTY, MOMENTUM, SHORT_STEP),
    metric=r"\tfrac1K \sum_{k<K} E|F(u^k)|^2",
    output="a random local solution",
    side="above",
    constants=Minty,
    formula=Minty.mean_operator,
    rate=1.0,
    proof="The two inequalities of one step, summed over the run.",
    not_shown="Inexact local solves.",
)

V6_STEP = V6.part(
    "V6, one step",
    "One step without strong monotonicity",
    source="theorem on monotone and Minty operators; the two inequalities of V6",
    statement=(
        r"$$|F(u)|^2 \le \frac{4.5}{\gamma^2}\Bigl[(1-p)|u - z|^2 + \frac p2 |u - m|^2\Bigr], "
        r"\qquad (1-p)|u - z|^2 + \frac p2|u - m|^2 \le \Phi - E\Phi^+$$ relative to $\Phi$"
    ),
    metric=r"|F(u)|^2",
    output="local solution",
    formula=Minty.squared_operator,
    rate=None,
    proof=(
        r"V0 with $\langle F(u), u - z^*\rangle \ge 0$ is the second. $F(u) = -(u - v)/\gamma + "
        r"G(u) - G(m)$, so that $|F(u)|^2 \le 1.5|u - v|^2/\gamma^2 + 3\delta_1^2|u - m|^2$, with "
        r"$|u - v|^2 \le (1-p)|u - z|^2 + p|u - m|^2$ and $3\delta_1^2 \le \frac34 p/\gamma^2$."
    ),
    not_shown="Operators that are not Minty.",
)

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


NOISE = Assumption(r"unbiased estimates of $F_1$ with variance at most $\sigma^2$, independent")

V7 = Theorem(
    label="V7",
    title="Noise in the local steps",
    paper=PAPER,
    source="theorem with stochastic local computations; explicit form V7",
    algorithm="three_pillars",
    statement=(
        r"$$\sqrt{E\Phi_{k+1}} \le \sqrt{\rho_H E\Phi_k} + (1 + \gamma d_B)"
        r"\sqrt{3\eta\sigma^2/\mu_A}$$ unrolled, $\rho_H$ with $1 - \eta\mu_A$ for "
        r"$\rho_{in}$"
    ),
    assumptions=(SERVER, STRONGLY_MONOTONE, MOMENTUM, SLACK, NOISE),
    metric=r"E\Phi_k",
    output="last iterate and reference",
    side="above",
    constants=Noisy,
    formula=Noisy.noisy_potential,
    proof="V4 with the error of noisy local steps, by Minkowski.",
    not_shown="The floor: it is crude by orders of magnitude.",
)

V7_LOCAL = V7.part(
    "V7, the local steps",
    "Local steps with noise",
    statement=(
        r"$$E|u_H - \hat u|^2 \le (1 - \eta\mu_A)^H|z - \hat u|^2 + \frac{3\eta\sigma^2}{\mu_A}$$"
    ),
    assumptions=(
        Assumption(r"$\mu_A > 0$", lambda constants, *more: constants.mu_A > 0),
        NOISE,
        Assumption(r"$\eta = 1/(4L_A)$"),
    ),
    metric=r"E|u_H - \hat u|^2",
    unit="local step",
    output="local iterate",
    formula=Noisy.local_error,
    proof=(
        r"With independent noises in both halves of a step $E|u^+ - \hat u|^2 \le (1 - \eta\mu_A)"
        r"|u - \hat u|^2 - (1 - 2\eta\mu_A - 2\eta^2 L_A^2)|u - u_{1/2}|^2 + 3\eta^2\sigma^2$, and "
        r"the bracket is not negative; a geometric series."
    ),
    not_shown="Many local steps: there the floor is crude.",
)

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


LB = Theorem(
    label="LB",
    title="No method that hears as little is faster",
    paper=PAPER,
    source="lower bound on communication; explicit form of its counting argument",
    algorithm="three_pillars",
    statement=(
        r"$$E|z^k - z^*|^2 \ge T\bigl(1 + (q + p)k\bigr), \quad T(M) = \sum_{j > M} (y_j^*)^2$$ "
        r"since a coordinate is unlocked by a fixed client, heard with probability $q = 1/n$, or "
        r"by a refresh, of probability $p = 1/n$"
    ),
    assumptions=(
        Assumption("the hard instance, a chain whose links lie with different workers"),
        Assumption("any method whose iterates lie in the span of what was heard"),
    ),
    metric=r"E|z^k - z^*|^2",
    output="last iterate",
    side="below",
    constants=Chain,
    formula=Chain.floor,
    proof=(
        r"The server knows the first coordinate. With $N$ known ones, the next moves only after "
        r"the one worker who has its link was heard: $E N \le 1 + (q + p)k$. The error is at least "
        r"$T(N)$, and $T$, linear between integers, is convex."
    ),
    not_shown=(
        "That it is attained: it is close in the first steps, and decades below the method later."
    ),
)
