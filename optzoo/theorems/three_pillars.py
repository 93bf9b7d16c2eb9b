# SPDX-License-Identifier: Apache-2.0
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

No worker alone need be monotone. The constants and, as their methods, the bounds stand in
`optzoo.theorems.three_pillars_constants`: Step (V0), Contraction (V1, V2, V5), Uplink (V2),
Compression (V3), Server and Inexact (V4), Minty (V6), Noisy (V7), Chain (LB). Derivations:
docs/theory/three_pillars.md.
"""

from .theorem import Assumption, Paper, Theorem
from .three_pillars_constants import (
    LOCAL_SHARE,
    Chain,
    Compression,
    Contraction,
    Inexact,
    Minty,
    Noisy,
    Server,
    Step,
    Uplink,
    tuned_step,
)

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

V1_FACTOR = V1_STEP.part(
    "V1, the factor of a step",
    "One step of the potential, by its factor",
    statement=(
        r"$$E\Phi^+ \le \rho\Phi, \quad \frac{1}{1-\rho} = \frac{1}{\gamma\mu} + \frac1M, "
        r"\quad M = \min(1-p, p - \gamma^2 d_B^2)$$ with $\Phi = |z - z^*|^2 + |m - z^*|^2$"
    ),
    metric=r"E\Phi^+/\Phi",
    side="above",
    formula=Contraction.factor,
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

V4_SERVER = V4.part(
    "V4, the server's error",
    "What too few local steps change in a step",
    source="lemma on the server's sub-problem; explicit form V4",
    statement=(
        r"$$\sqrt{E|z^+ - \hat z^+|^2} \le (1 + \gamma d_B) \sqrt{(2-p)^2 + (p + "
        r"\gamma\delta_1)^2}\, \rho_{in}^{H/2} \sqrt\Phi$$ with $\hat z^+$ the exact "
        r"step under the same draws; where $F_1$ is not monotone as in V4"
    ),
    assumptions=(SERVER, Assumption("$F$ monotone where $F_1$ is not"), MOMENTUM),
    metric=r"\sqrt{E|z^+ - \hat z^+|^2 / \Phi}",
    output="last iterate",
    formula=Inexact.server_error,
    proof="In the proof of V4; the step size needs no slack for it.",
    not_shown="Operators that are not linear.",
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
