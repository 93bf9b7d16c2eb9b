# SPDX-License-Identifier: Apache-2.0
r"""Distributed variational inequalities: the methods that Three Pillars is compared with.

    find z* in Z with <F(z*), z - z*> >= 0 for all z in Z,   F = (1/n) sum_i F_i,

as in `optzoo.theorems.three_pillars`, whose notation holds here too: worker 1 is the server, G is
F - F_1 and delta_1-Lipschitz, and the F_i - F are delta_av-Lipschitz in the mean square. A and B
are the compressor's: E|xi - E xi|^2 <= A (1/n) sum_i |a_i|^2 - B |(1/n) sum_i a_i|^2 for the mean
xi of compressed vectors a_i.

 E   extragradient with full communication
 LE  local extragradient: how far its limit is from z*
 S   extragradient sliding: the contraction in delta_1 and mu alone
 V8  sliding with eta = theta and alpha = 0, the method for data similarity
 M1  MASHA1: unbiased compression of raw differences
 OM  Optimistic MASHA
 SV  SVOGS
 M2  MASHA2: contractive compression with error feedback
 T1 to T3   how rounds, messages and calls to an accuracy grow with delta/mu, L/mu and n

Each is stated for the algorithm as its file in `optzoo` has it. The constants and, as their
methods, the bounds stand in `optzoo.theorems.distributed_methods_constants`; the proofs in
docs/theory/distributed_methods.md.
"""

from typing import Any

from .distributed_methods_constants import (
    CompressedDifferences,
    ErrorFeedback,
    FullCommunication,
    LocalSteps,
    Optimistic,
    ReferencePoint,
    SimilarityStep,
    Sliding,
)
from .theorem import Assumption, Paper, Theorem

__all__ = [
    "LE",
    "M1",
    "M2",
    "OM",
    "PAPER",
    "SV",
    "TABLE_LIPSCHITZ",
    "TABLE_SIMILARITY",
    "TABLE_WORKERS",
    "V8",
    "CompressedDifferences",
    "E",
    "ErrorFeedback",
    "FullCommunication",
    "LocalSteps",
    "Optimistic",
    "ReferencePoint",
    "S",
    "SimilarityStep",
    "Sliding",
]

_KNOWN = (
    "The algorithm and the order of its complexity are known here, not the constants of the "
    "paper's theorem. The explicit form and its proof are ours."
)

PAPER = Paper(
    "Korpelevich 1976; Beznosikov, Samokhin, Gasnikov, arXiv:2010.13112; Beznosikov, Scutari, "
    "Rogozin, Gasnikov, arXiv:2107.10706; Kovalev, Beznosikov, Borodich, Gasnikov, Scutari, "
    "arXiv:2205.15136; Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, arXiv:2110.03313; "
    "Beznosikov, Gasnikov, arXiv:2206.09446; Zhou, Ye, Luo, arXiv:2405.16126",
    known=(
        "The algorithms and the orders of their complexities are known here, not the constants of "
        "the papers' theorems. The explicit forms and their proofs are ours."
    ),
)
EXTRAGRADIENT = Paper(
    'Korpelevich, "The extragradient method for finding saddle points and other problems", '
    "Matecon 12, 1976",
    known=_KNOWN,
)
LOCAL = Paper(
    'Beznosikov, Samokhin, Gasnikov, "Distributed saddle-point problems: lower bounds, '
    'near-optimal and robust algorithms", 2020, arXiv:2010.13112',
    known=_KNOWN,
)
SIMILARITY = Paper(
    'Beznosikov, Scutari, Rogozin, Gasnikov, "Distributed saddle-point problems under data '
    'similarity", NeurIPS 2021, arXiv:2107.10706',
    known=_KNOWN,
)
SLIDING = Paper(
    'Kovalev, Beznosikov, Borodich, Gasnikov, Scutari, "Optimal gradient sliding and its '
    'application to optimal distributed optimization under similarity", NeurIPS 2022, '
    "arXiv:2205.15136",
    known=_KNOWN,
)
MASHA = Paper(
    'Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, "Distributed methods with compressed '
    'communication for solving variational inequalities, with theoretical guarantees", NeurIPS '
    "2022, arXiv:2110.03313",
    known=_KNOWN,
)
OPTIMISTIC_MASHA = Paper(
    'Beznosikov, Gasnikov, "Compression and data similarity: combination of two techniques for '
    'communication-efficient solving of distributed variational inequalities", OPTIMA 2022, '
    "arXiv:2206.09446",
    known=_KNOWN,
)
SVOGS = Paper(
    'Zhou, Ye, Luo, "Near-optimal distributed minimax optimization under the second-order '
    'similarity", NeurIPS 2024, arXiv:2405.16126',
    known=_KNOWN,
)

# --- Assumptions that theorems share ---

STRONGLY_MONOTONE = Assumption(
    r"$F$ $\mu$-strongly monotone with $\mu > 0$", lambda constants, *more: constants.mu > 0
)
EXACT_SOLUTION = Assumption("the server's sub-problem solved exactly")
UNBIASED = Assumption("unbiased messages")
MOMENTUM = Assumption(r"$\tau = p$")
STEP_BELOW_L = Assumption(
    r"$\gamma < 1/L$", lambda constants, *more: constants.gamma * constants.L < 1
)

# --- Full communication ---

E = Theorem(
    label="E",
    title="Extragradient with full communication",
    paper=EXTRAGRADIENT,
    source="linear convergence of extragradient; explicit form E",
    algorithm="distributed_extragradient",
    statement=(
        r"$$|z^k - z^*|^2 \le \rho^k |z^0 - z^*|^2, \quad 1 - \rho = \frac{2\gamma\mu}{1 + "
        r"2\gamma\mu/(1 - \gamma^2 L^2)}$$"
    ),
    assumptions=(STRONGLY_MONOTONE, STEP_BELOW_L),
    metric=r"|z^k - z^*|^2",
    output="last iterate",
    side="above",
    constants=FullCommunication,
    formula=FullCommunication.distance,
    proof=(
        r"$|z^+ - z^*|^2 \le |z - z^*|^2 - 2\gamma\langle F(z_{1/2}), z_{1/2} - z^*\rangle - (1 - "
        r"\gamma^2 L^2)|z - z_{1/2}|^2$; strong monotonicity, and Young with the parameter "
        r"$2\gamma\mu/(1 - \gamma^2 L^2)$ for $|z_{1/2} - z^*|^2$."
    ),
    not_shown="Operators that are not affine, and sets, over which tests have it alone.",
)

E_STEP = E.part(
    "E, one step",
    "One step of extragradient",
    statement=(
        r"$$1 - \frac{|z^+ - z^*|^2}{|z - z^*|^2} \ge 1 - \rho = \frac{2\gamma\mu}{1 + "
        r"2\gamma\mu/(1 - \gamma^2 L^2)}$$"
    ),
    metric=r"1 - |z^+ - z^*|^2 / |z - z^*|^2",
    side="below",
    formula=FullCommunication.decrease,
)

# --- Local steps ---

LE = Theorem(
    label="LE",
    title="Local extragradient stops at a distance from the solution",
    paper=LOCAL,
    source="convergence to a neighbourhood of the solution; explicit form LE",
    algorithm="local_extragradient",
    statement=(
        r"$$|z^k - z^*| \le q^k |z^0 - z^*| + b\,\frac{1 - q^k}{1 - q}, \quad b = \gamma^2 L D "
        r"\Bigl(H + \frac{H (H - 1)}{2} (1 + \gamma L)^2\Bigr)$$ with $q = \rho^{H/2}$ and the "
        r"$\rho$ of E, $D = \frac1n \sum_i |F_i(z^*)|$"
    ),
    assumptions=(
        Assumption("affine operators"),
        Assumption("no constraint, $Z = R^d$"),
        Assumption(r"every $F_i$ $\mu$-strongly monotone", lambda c, *more: c.mu > 0),
        STEP_BELOW_L,
    ),
    metric=r"|z^k - z^*|",
    output="last iterate",
    side="above",
    constants=LocalSteps,
    formula=LocalSteps.distance,
    unit="round",
    proof=(
        r"A worker's $H$ steps are an affine map $T_i$ that contracts by $q$, E. So $|z^{k+1} - "
        r"z^*| \le q|z^k - z^*| + |\frac1n \sum_i T_i(z^*) - z^*|$. From $z^*$, worker $i$ is at "
        r"most $t\gamma(1 + \gamma L)|F_i(z^*)|$ away after $t$ steps, and half a step later at "
        r"most $(1 + \gamma L)$ times that plus $\gamma|F_i(z^*)|$. Since $\sum_i F_i(z^*) = 0$, "
        r"what is left of the mean of the displacements $-\gamma\sum_t F_i(u_{t+1/2})$ is at most "
        r"$\gamma L$ times the sum of these distances."
    ),
    not_shown="A limit without error: there is one only where all workers agree at $z^*$.",
)

# --- Sliding ---

S = Theorem(
    label="S",
    title="Extragradient sliding",
    paper=SLIDING,
    source="theorem on extragradient sliding; explicit form S",
    algorithm="extragradient_sliding",
    statement=(
        r"$$|z^k - z^*|^2 \le (1 - 2\eta\mu)^k |z^0 - z^*|^2$$ with $\alpha = 2\mu$; the longest "
        r"steps $\theta = 1/\delta_1$, $\eta = \theta/(1 + 2\mu\theta)$ give $1/(1 - \rho) = 1 + "
        r"\delta_1/(2\mu)$"
    ),
    assumptions=(
        EXACT_SOLUTION,
        STRONGLY_MONOTONE,
        Assumption(
            r"$\theta \le 1/\delta_1$",
            lambda constants, *more: constants.theta * constants.delta_1 <= 1 + 1e-12,
        ),
        Assumption(
            r"$\eta \le \theta/(1 + 2\mu\theta)$",
            lambda constants, *more: (
                constants.eta * (1 + 2 * constants.mu * constants.theta)
                <= constants.theta * (1 + 1e-12)
            ),
        ),
    ),
    metric=r"|z^k - z^*|^2",
    output="last iterate",
    side="above",
    constants=Sliding,
    formula=Sliding.distance,
    proof=(
        r"With $g = G(u) - G(z) - (u - z)/\theta$, which is in $F(u) + N_Z(u)$, $\langle g, u - "
        r"z^*\rangle \ge \mu|u - z^*|^2$. Expand $|z + \eta\alpha(u - z) - \eta g - z^*|^2$ with "
        r"$2\langle u - z, z - z^*\rangle = |u - z^*|^2 - |z - z^*|^2 - |u - z|^2$ and $\langle g, "
        r"z - z^*\rangle = \langle g, u - z^*\rangle - \langle g, u - z\rangle$. What is left of "
        r"$\langle g, u - z\rangle$ has the factor $2\eta(1 - \eta\alpha) \ge 0$, and $|g + (u - "
        r"z)/\theta|^2 \le \delta_1^2|u - z|^2$ bounds it. The factors of $|g|^2$, $\eta^2 - "
        r"\eta\theta(1 - \eta\alpha)$, of $|u - z|^2$, $-(1 - \eta\alpha)\eta(\alpha + 1/\theta - "
        r"\theta\delta_1^2)$, and of $|u - z^*|^2$, $\eta(\alpha - 2\mu)$, are not positive."
    ),
    not_shown="Inexact local solves.",
)

S_STEP = S.part(
    "S, one step",
    "One step of extragradient sliding",
    statement=r"$$1 - \frac{|z^+ - z^*|^2}{|z - z^*|^2} \ge 2\eta\mu$$ with $\alpha = 2\mu$",
    metric=r"1 - |z^+ - z^*|^2 / |z - z^*|^2",
    side="below",
    formula=Sliding.decrease,
)

V8 = Theorem(
    label="V8",
    title="Sliding without a pull: the method for data similarity",
    paper=SIMILARITY,
    source="theorem on the centralized method; explicit form V8",
    algorithm="extragradient_sliding",
    statement=(
        r"$$|z^k - z^*|^2 \le \rho^k |z^0 - z^*|^2, \quad \rho = 1 - \frac{2\gamma\mu M}{2\gamma"
        r"\mu + M}, \quad M = 1 - \gamma^2\delta_1^2$$ with $\eta = \theta = \gamma$ and $\alpha = "
        r"0$; $\gamma = 1/(\sqrt2\,\delta_1)$ gives $1/(1 - \rho) = \delta_1/(\sqrt2\,\mu) + 2$"
    ),
    assumptions=(
        EXACT_SOLUTION,
        STRONGLY_MONOTONE,
        Assumption(
            r"$M = 1 - \gamma^2\delta_1^2 > 0$", lambda constants, *more: constants.slack > 0
        ),
    ),
    metric=r"|z^k - z^*|^2",
    output="last iterate",
    side="above",
    constants=SimilarityStep,
    formula=SimilarityStep.distance,
    proof=(
        r"V0 with $\tau = 1$ and $m = z$ gives $|z^+ - z^*|^2 \le |z - z^*|^2 - (1 - \gamma^2 "
        r"\delta_1^2)|u - z|^2 - 2\gamma\mu|u - z^*|^2$. By Young $-|u - z^*|^2 \le -(1 - \kappa)"
        r"|z - z^*|^2 + \frac{1 - \kappa}{\kappa}|u - z|^2$ with $\kappa = 2\gamma\mu/(2\gamma\mu "
        r"+ M)$."
    ),
    not_shown="Inexact local solves.",
)

V8_STEP = V8.part(
    "V8, one step",
    "One step of sliding without a pull",
    statement=(
        r"$$1 - \frac{|z^+ - z^*|^2}{|z - z^*|^2} \ge \frac{2\gamma\mu M}{2\gamma\mu + M}, \quad "
        r"M = 1 - \gamma^2\delta_1^2$$ with $\eta = \theta = \gamma$ and $\alpha = 0$"
    ),
    metric=r"1 - |z^+ - z^*|^2 / |z - z^*|^2",
    side="below",
    formula=SimilarityStep.decrease,
)

# --- Unbiased compression with a reference point ---

M1 = Theorem(
    label="M1",
    title="MASHA1: compressed differences to a reference point",
    paper=MASHA,
    source="theorem on MASHA1, strongly monotone case; explicit form M1",
    algorithm="masha1",
    statement=(
        r"$$E\bigl[|z^k - z^*|^2 + (1 - p)|m^{k-1} - z^*|^2\bigr] \le (2 - p)\rho^k|z^0 - z^*|^2, "
        r"\quad \frac{1}{1 - \rho} = \frac{2 - p}{2\gamma\mu} + \frac{1}{p - \gamma^2 C^2}$$ with "
        r"$C^2 = A L_{av}^2 + (1 - B)L^2$; $A = \omega/n$, $B = 0$ for RandK"
    ),
    assumptions=(
        STRONGLY_MONOTONE,
        UNBIASED,
        MOMENTUM,
        Assumption(r"$\gamma C < \sqrt p$", lambda constants, *more: constants.slack > 0),
    ),
    metric=r"E[|z^k - z^*|^2 + (1-p)|m^{k-1} - z^*|^2]",
    output="last iterate and reference",
    side="above",
    constants=ReferencePoint,
    formula=ReferencePoint.potential,
    proof=(
        r"With $v = (1-p)z + pm$ the two projections give $E|z^+ - z^*|^2 \le |v - z^*|^2 - |u - "
        r"v|^2 - 2\gamma\langle F(u), u - z^*\rangle + \gamma^2 E|\xi|^2$, and $|v - w|^2$ for $w "
        r"= z^*$ and $w = u$ is the mean of those of $z$ and $m$ less $p(1-p)|z - m|^2$. So $E|z^+ "
        r"- z^*|^2 \le (1-p)|z - z^*|^2 + p|m - z^*|^2 - (1-p)|u - z|^2 - (p - \gamma^2 C^2)|u - "
        r"m|^2 - 2\gamma\mu|u - z^*|^2$. For $\Psi = (1-p)|z - z^*|^2 + |m - z^*|^2$, where $m^+$ "
        r"is $z^+$ with probability $p$, the factors of $|z^+ - z^*|^2$ in $E\Psi^+$ add up to 1: "
        r"$E\Psi^+ \le \Psi$ less the same three terms. Young with $\kappa = g/(g + p - \gamma^2 "
        r"C^2)$, $g = 2\gamma\mu/(2-p)$, for $|u - z^*|^2$ against $z$ and $m$ in the proportion "
        r"$1 - p$ to $1$."
    ),
    not_shown="Compressed answers of the server, as the paper has them.",
)

M1_STEP = M1.part(
    "M1, one step",
    "One step of the potential of MASHA1",
    statement=(
        r"$$1 - \frac{E\Psi^+}{\Psi} \ge 1 - \rho, \quad \Psi = |z - z^*|^2 + (1-p)|m - z^*|^2$$ "
        r"before the coin, $1/(1 - \rho) = (2-p)/(2\gamma\mu) + 1/(p - \gamma^2 C^2)$"
    ),
    metric=r"1 - E\Psi^+/\Psi",
    side="below",
    formula=ReferencePoint.decrease,
)

# --- Optimism ---

_OPTIMISTIC = (
    r"$$E|z^k - z^*|^2 \le (1 - \theta)^k\, \frac{1 + 2\gamma\mu + \lambda(1 - p)}{1 + "
    r"2\gamma\mu - \gamma\ell}\, |z^0 - z^*|^2, \quad \theta = \tfrac12\min(\gamma\mu, p), "
    r"\quad \alpha = 1 - \theta, \quad \lambda = \frac{p}{p - \theta}$$"
)
_CONDITIONS = Assumption(
    r"$p \le \frac12$, $\gamma \le 1/(8\ell)$ and $16\gamma^2 d_M^2 \le \alpha\min(p, "
    r"\frac58 - p)$",
    lambda constants, *more: constants.allowed(),
)

OM = Theorem(
    label="OM",
    title="Optimistic MASHA",
    paper=OPTIMISTIC_MASHA,
    source="convergence theorem; explicit form OM",
    algorithm="optimistic_masha",
    statement=(
        rf"{_OPTIMISTIC} with $\ell = L$ and $d_M^2 = (A - B)L_{{av}}^2 + B\delta_{{av}}^2$, which "
        r"is $\delta_{av}^2$ for PermK; with $p = 1/n$ of the order of $n + L/\mu + "
        r"\sqrt n\,\delta_{av}/\mu$"
    ),
    assumptions=(STRONGLY_MONOTONE, UNBIASED, MOMENTUM, Assumption("$A \\ge B$"), _CONDITIONS),
    metric=r"E|z^k - z^*|^2",
    output="last iterate",
    side="above",
    constants=Optimistic,
    formula=Optimistic.distance,
    proof=(
        r"Let $F = S + X$ with $S$ implicit in the step (none here, $F_1$ in SVOGS) and $X$ "
        r"$\ell$-Lipschitz. The step's inequality at $z^*$ gives $|z^+ - z^*|^2 \le (1-p)|z - "
        r"z^*|^2 + p|w - z^*|^2 - (1-p)|z^+ - z|^2 - p|z^+ - w|^2 - 2\gamma\langle S(z^+) + "
        r"\Delta, z^+ - z^*\rangle$. With $a_k = 2\gamma\langle X(z^k) - X(z^{k-1}), z^k - "
        r"z^*\rangle$ the mean of $\Delta$ contributes $-2\gamma\mu|z^+ - z^*|^2 + a_{k+1} - "
        r"\alpha a_k$ and at most $\alpha\gamma\ell(|z - z^-|^2 + |z^+ - z|^2)$; its noise, which "
        r"is orthogonal to all but $z^+ - z$, at most $\frac18|z^+ - z|^2 + 8\gamma^2 d_M^2 (2|z - "
        r"w^-|^2 + 2\alpha^2|z - z^-|^2)$. The conditions make these at most $\alpha$ times "
        r"$p|z - w^-|^2 + c|z - z^-|^2$ with $c = \frac78 - p - \alpha\gamma\ell$, which the step "
        r"before had to spare. Weights $1 + 2\gamma\mu - \lambda p$ of $|z - z^*|^2$ and "
        r"$\lambda$ of $|w - z^*|^2$, with $w^+ = "
        r"z^+$ with probability $p$, and $\theta \le p/2$, $3\theta \le 2\gamma\mu(1 - \theta)$. "
        r"At last $|a_k| \le \gamma\ell(|z - z^*|^2 + |z - z^-|^2)$, and $E|w - z^*|^2 \ge p|z - "
        r"z^*|^2$ before the coin."
    ),
    not_shown="Longer steps, which converge in most runs.",
)

SV = OM.part(
    "SV",
    "SVOGS",
    paper=SVOGS,
    source="convergence theorem, strongly monotone case; explicit form SV",
    algorithm="svogs",
    statement=(
        rf"{_OPTIMISTIC} with $\ell = \delta_1$ and $d_M^2 = \delta_{{av}}^2/b$; with $b = "
        r"\sqrt n$ and $p = 1/\sqrt n$ of the order of $\sqrt n + \delta/\mu$ rounds"
    ),
    assumptions=(STRONGLY_MONOTONE, EXACT_SOLUTION, MOMENTUM, _CONDITIONS),
    proof=(
        r"That of OM with $S = F_1$ and $X = F - F_1$. The messages are differences of $F_j - "
        r"F_1$, whose deviations from their mean are those of $F_j - F$."
    ),
    part_of=None,
)

# --- Contractive compression ---

M2 = Theorem(
    label="M2",
    title="MASHA2: contractive compression with error feedback",
    paper=MASHA,
    source="theorem on MASHA2, strongly monotone case; explicit form M2",
    algorithm="masha2",
    statement=(
        r"$$E|m^k - z^*|^2 \le \Bigl(1 - \frac{\gamma\mu}{10}\Bigr)^k (2 - p)|z^0 - z^*|^2$$"
    ),
    assumptions=(
        STRONGLY_MONOTONE,
        MOMENTUM,
        Assumption("no constraint, $Z = R^d$"),
        Assumption(
            r"$p \le \frac12$, $\gamma\mu \le \min(p/16, 1/\beta)$, $32\gamma^2L^2 \le p$ and "
            r"$9\beta^2 L_{av}^2 (8\gamma^2 + 19 p^2\gamma/\mu) \le p$",
            lambda constants, *more: constants.allowed(),
        ),
    ),
    metric=r"E|m^k - z^*|^2",
    output="reference",
    side="above",
    constants=ErrorFeedback,
    formula=ErrorFeedback.reference,
    proof=(
        r"Let $\hat z = z - \bar e$ with $\bar e = \frac1n \sum_i e_i$: then $\hat z^+ = v - "
        r"\bar e - \gamma F(u)$. As in M1, $|\hat z^+ - z^*|^2 \le (1-p)|\hat z - z^*|^2 + "
        r"p|m - z^*|^2 - "
        r"\frac34(1-p)|u - z|^2 - (p - 2\gamma^2L^2)|u - m|^2 - \frac32\gamma\mu|u - z^*|^2 "
        r"+ (5 - 3p + 2p^2/(\gamma\mu))|\bar e|^2$, where $\gamma F(u) = v - u + \gamma(F(u) - "
        r"F(m))$ bounds $\langle F(u), \bar e\rangle$, and $\langle\bar e, u - z^*\rangle$ costs a "
        r"quarter of the strong monotonicity. The errors obey $E^+ \le (1 - \frac{1}{2\beta})E + "
        r"2\beta\gamma^2L_{av}^2|u - m|^2$ for $E = \frac1n \sum_i |e_i|^2$. $\Psi = (1-p)|\hat z "
        r"- z^*|^2 + |m - z^*|^2 + cE$ with $c = \frac52\beta(8 + 19p^2/(\gamma\mu))$ falls by "
        r"$1 - \gamma\mu/10$."
    ),
    not_shown="Steps of a practical length: the theorem's is far shorter than what converges.",
)

# --- The table of complexities ---

_TABLE: dict[str, Any] = {
    "paper": PAPER,
    "source": "complexities of the methods; explicit forms V2 of Three Pillars and E to SV here",
    "assumptions": (
        Assumption("a slow instance, on which the term that is varied dominates"),
        Assumption("each method with its theorem's numbers"),
    ),
    "metric": r"\text{cost}: E|z^k - z^*|^2 \le 0.01\, |z^0 - z^*|^2",
    "output": "last iterate",
    "side": "law",
    "not_shown": (
        "Constants, and exponents nearer than 0.06 (0.25 for calls, which have a logarithm); the "
        "regimes in which another term of a sum of complexities dominates. What is sent is what a "
        "worker sends, without the server's broadcasts."
    ),
}

TABLE_SIMILARITY = Theorem(
    label="T1",
    title="What grows with delta/mu",
    algorithm="three_pillars",
    statement=(
        r"At fixed $L/\mu$ and $n$ rounds grow like $(\delta/\mu)^a$: $a = 1$ for sliding (S, V8), "
        r"Three Pillars and SVOGS, and for Optimistic MASHA where $\sqrt n\,\delta$ is above $L$; "
        r"$a = 0$ for extragradient and MASHA1. What a worker sends grows alike, and so do the "
        r"server's calls where it has no local steps; where it has, they do not grow as long as "
        r"$L$ is far above $\delta$: a longer step needs proportionately more local ones"
    ),
    **_TABLE,
)

TABLE_LIPSCHITZ = Theorem(
    label="T2",
    title="What grows with L/mu",
    algorithm="three_pillars",
    statement=(
        r"At fixed $\delta/\mu$ and $n$ rounds grow like $(L/\mu)^a$: $a = 1$ for extragradient, "
        r"MASHA1 and Optimistic MASHA; $a = 0$ for sliding (S, V8), Three Pillars and SVOGS. What "
        r"a worker sends grows alike; the server's calls grow like $L/\mu$ for all"
    ),
    **_TABLE,
)

TABLE_WORKERS = Theorem(
    label="T3",
    title="What grows with the number of workers",
    algorithm="three_pillars",
    statement=(
        r"Where $\delta/\mu$ is far above $\sqrt n$, rounds grow like $n^a$ and what a worker "
        r"sends like $n^b$: $a = b = 0$ for extragradient and sliding (S, V8); $a = \frac12$, $b = "
        r"-\frac12$ with PermK and $p = 1/n$ for Three Pillars, MASHA1 and Optimistic MASHA; $a = "
        r"0$, $b = -\frac12$ for SVOGS with $\sqrt n$ clients and $p = 1/\sqrt n$. The server's "
        r"calls grow like rounds"
    ),
    **_TABLE,
)
