# SPDX-License-Identifier: Apache-2.0
r"""Ito chains: how far the law of a chain with any noise is from that of its diffusion.

    X_{k+1} = X_k + eta (b(X_k) + eta^alpha delta_k) + eta^{(1+gamma)/2} sigma(X_k) eps_k,
    dZ_t = b(Z_t) dt + eta^{gamma/2} sigma(Z_t) dW_t,

with E eps = 0, E eps eps^T = I. gamma = 0 is the scaling of Langevin dynamics, gamma = 1 that of
SGD with step eta, whose diffusion has the noise sqrt(eta) sigma. All bounds are on W2(X_k, Z_T),
the Wasserstein distance of the two laws at T = k eta.

Notation: M = Lipschitz constant of b, s = size of a noise that does not depend on the state,
xi = standard Gaussian, a = rate of a linear drift b(x) = -ax, h = eta^{(1+gamma)/2} (the scale of
the noise of one step), S = length of a window of noises.

 chain  one step of the chain; unrolled for a linear drift; a binomial tree
 main   the paper's exponent in eta, for any noise and inexact drifts
 I1     Gaussian noise: the synchronous coupling; under contraction at all times; its exponent
 I2     Gaussian noise that depends on the state; its exponent
 I3     any noise against Gaussian noise: the window coupling, its constant and that one's limit
 I4     a walk of coins is never closer than its lattice; its exponent
 I5     a drift error is seen whatever the noise; its exponent
 I6     a linear chain with Gaussian noise, exactly; its exponents; growth without contraction

The constants and, as their methods, the bounds stand in `optzoo.theorems.ito_chains_constants`:
Step (the chain), Exponents (main), Coupling and Contraction (I1), Multiplicative (I2), Window and
Noise (I3), Linear (I4 to I6). Derivations: docs/theory/ito_chains.md.
"""

import math
from typing import Any

from .ito_chains_constants import (
    WINDOW_CONSTANTS,
    Contraction,
    Coupling,
    Exponents,
    Horizon,
    Linear,
    Multiplicative,
    Noise,
    Step,
    Window,
)
from .theorem import Assumption, Paper, Theorem

__all__ = [
    "CHAIN",
    "I1",
    "I2",
    "I3",
    "I4",
    "I5",
    "I6",
    "MAIN",
    "PAPER",
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

PAPER = Paper(
    'Ustimenko, Beznosikov, "Ito Diffusion Approximation of Universal Ito Chains for Sampling, '
    'Optimization and Boosting", ICLR 2024, arXiv:2310.06081',
    known=(
        r"The paper's rate, $\eta^\theta$ and $\eta^{\theta/2 + \gamma/4}$ with its $\theta$, is "
        "known here as a formula; what $\\chi_0$ and $\\beta$ stand for is our reading, the only "
        "one found that gives every exponent, and the constants behind the order are not known. "
        "The explicit forms I1 to I6 and their proofs are ours. A public review questions steps of "
        "the published proof of the window coupling; I3 is proved here without them."
    ),
)

CHAIN = Theorem(
    label="chain",
    title="One step of the chain",
    paper=PAPER,
    source="definition of the chain",
    algorithm="ito_chain",
    statement=(
        r"$$X_{k+1} = X_k + \eta\, b(X_k) + \eta^{(1+\gamma)/2} \sigma(X_k) \varepsilon_k$$ "
        "for every value of the noise"
    ),
    assumptions=(Assumption("noise with finitely many values"),),
    metric="X_{k+1}",
    output="next iterate",
    side="equal",
    constants=Step,
    formula=Step.chain,
    proof="The definition.",
    not_shown="That the laws shipped with the chain are standardized: tests show that.",
)


def _whole_steps(constants: Horizon, *arguments: Any) -> bool:
    return math.isclose(constants.k * constants.eta, constants.T, rel_tol=1e-9)


WHOLE_STEPS = Assumption(r"$T = k\eta$", _whole_steps)
ONE_START = Assumption("$X_0 = Z_0$")
GAUSSIAN = Assumption("Gaussian noise")
LIPSCHITZ = Assumption("$b$ is $M$-Lipschitz")
LAST_LAW = "law of the last iterate"

# --- The paper's exponent ---

MAIN = Theorem(
    label="main",
    title="The paper's exponent in the step",
    paper=PAPER,
    source="main theorem",
    algorithm="ito_chain",
    statement=(
        r"$$W_2(X_k, Z_{k\eta}) = O\big((1 + T^{1/2}) e^{O(T)} \eta^\theta + T^{1/4} e^{O(T)} "
        r"\eta^{\theta/2 + \gamma/4}\big),\quad \theta = \min(\alpha, \tfrac14[(\gamma+1)"
        r"(1+\chi_0) + (\gamma+\beta)(1-\chi_0)])$$ at fixed $T = k\eta$: slopes in $\eta$ at "
        "least the smaller exponent; the explicit bound is I1, and I3 + I1 where the noise is not "
        "Gaussian"
    ),
    assumptions=(
        Assumption("$b$ is Lipschitz"),
        Assumption("four moments of the noise"),
        Assumption(r"$\sigma$ not degenerate"),
    ),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="law",
    constants=Exponents,
    formula=Exponents.smaller,
    form="paper",
    proof=(
        r"I1, and I3 + I1, imply the first term with $\beta = 0$, by couplings. The second comes "
        r"from comparing entropies, and is not needed where a coupling is at hand."
    ),
    not_shown=(
        r"That the exponent is attained: the measured one is larger. The values of $\chi_0$ and "
        r"$\beta$ are a reading of the paper's formula: $\chi_0 = 1$ for Gaussian noise, else "
        r"$\chi_0 = \beta = 0$."
    ),
)

# --- I1: Gaussian noise that does not depend on the state ---

I1 = Theorem(
    label="I1",
    title="Gaussian noise: the synchronous coupling",
    paper=PAPER,
    source="main theorem for Gaussian noise; explicit form I1",
    algorithm="ito_chain",
    statement=(
        r"$$W_2(X_k, Z_T) \le (e^{MT}-1)\Big[\tfrac12 \bar b\, \eta + \tfrac23 s \sqrt d\, "
        r"\eta^{(1+\gamma)/2}\Big],\quad \bar b = \sup_{t \le T} \|b(Z_t)\|_{L_2}$$"
    ),
    assumptions=(ONE_START, GAUSSIAN, LIPSCHITZ, WHOLE_STEPS),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="above",
    constants=Coupling,
    formula=Coupling.bound,
    proof=(
        r"Both are driven by one Brownian motion. Over a step $\|Z_t - Z_{t_k}\|_{L_2} \le \bar b "
        r"(t-t_k) + \eta^{\gamma/2} s \sqrt{d (t-t_k)}$, so that $\int (b(Z_t) - b(Z_{t_k})) dt$ "
        r"has $L_2$ norm at most $M\eta$ times the bracket. The distance after a step is at most "
        r"$1 + M\eta$ times the one before plus this, and $\sum_j (1+M\eta)^j M\eta \le e^{MT} - "
        r"1$."
    ),
    not_shown="Other drifts than those computed.",
)

I1_STEP = I1.part(
    "I1, one step",
    "What one step adds to the distance of coupled paths",
    source="main theorem for Gaussian noise; the local error of explicit form I1",
    statement=(
        r"$$\|X_1 - Z_\eta\|_{L_2} \le M\eta \Big[\tfrac12 \bar b\, \eta + \tfrac23 s \sqrt d\, "
        r"\eta^{(1+\gamma)/2}\Big],\quad \bar b = \sup_{t \le \eta} \|b(Z_t)\|_{L_2}$$ where one "
        "Brownian motion drives both"
    ),
    assumptions=(
        ONE_START,
        GAUSSIAN,
        LIPSCHITZ,
        Assumption(r"$T = \eta$", lambda one: one.k == 1),
    ),
    metric=r"\|X_1 - Z_\eta\|_{L_2}",
    output="next iterate",
    formula=Coupling.step,
    proof="The first half of the proof of I1.",
    not_shown="Drifts that are not linear.",
)

I1_EXPONENT = I1.part(
    "I1, its exponent",
    "Gaussian noise: the exponent of the step",
    statement=rf"{I1.statement}, and at fixed $T$ the exponent is at least $(1+\gamma)/2$",
    formula=Coupling.noise_exponent,
    side="law",
)

I1_ALL_TIMES = I1.part(
    "I1 at all times",
    "Under contraction the distance is bounded at all times",
    statement=(
        r"For $mI \preceq -b' \preceq MI$ and $\eta \le 2/(m+M)$, at every $T = k\eta$: "
        r"$$W_2(X_k, Z_T) \le \frac Mm \Big[\tfrac12 \bar b\, \eta + \tfrac23 s \sqrt d\, "
        r"\eta^{(1+\gamma)/2}\Big],\quad \bar b = \sup_t \|b(Z_t)\|_{L_2}$$"
    ),
    assumptions=(
        ONE_START,
        GAUSSIAN,
        Assumption(
            r"$b$ is a gradient, $0 < m \le M$ and $\eta \le 2/(m+M)$",
            lambda one: one.m <= one.M and one.eta * (one.m + one.M) <= 2,
        ),
    ),
    constants=Contraction,
    formula=Contraction.bound,
    proof=(
        r"As I1, with $1 - m\eta$ in place of $1 + M\eta$, by which a step of gradient descent "
        r"contracts: $\sum_j (1-m\eta)^j M\eta \le M/m$."
    ),
)

# --- I2: Gaussian noise that depends on the state ---

I2 = Theorem(
    label="I2",
    title="Gaussian noise that depends on the state",
    paper=PAPER,
    source="main theorem for Gaussian noise; explicit form I2",
    algorithm="ito_chain",
    statement=(
        r"$$W_2^2(X_k, Z_T) \le 8TL\big(\eta^2 \hat b^2 + \eta^{1+\gamma} \hat s^2\big) "
        r"e^{4TL},\quad L = T M^2 + \eta^\gamma M_s^2$$ with $\hat b = \sup_k \|b(X_k)\|_{L_2}$, "
        r"$\hat s = \sup_k \||\sigma(X_k)|_F\|_{L_2}$"
    ),
    assumptions=(
        ONE_START,
        GAUSSIAN,
        Assumption(r"$b$ and $\sigma$ are Lipschitz"),
        WHOLE_STEPS,
    ),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="above",
    constants=Multiplicative,
    formula=Multiplicative.bound,
    proof=(
        r"The chain, interpolated with one Brownian motion, has moved within a step by at most "
        r"$2(\eta^2 \hat b^2 + \eta^{1+\gamma} \hat s^2)$ in mean square. Cauchy-Schwarz for the "
        r"drift, Ito's isometry for the noise and Gronwall's lemma give the rest."
    ),
    not_shown="Matrices: one dimension only.",
)

I2_GRONWALL = I2.part(
    "I2, Gronwall",
    "From errors within a step to errors of the chain",
    source="main theorem for Gaussian noise; the last step of explicit form I2",
    statement=(
        r"If $f(0) = 0$ and $f' = 4L\big(f + 2(\eta^2 \hat b^2 + \eta^{1+\gamma} \hat s^2)\big)$, "
        r"$L = T M^2 + \eta^\gamma M_s^2$: $$f(T) \le 8TL\big(\eta^2 \hat b^2 + \eta^{1+\gamma} "
        r"\hat s^2\big) e^{4TL}$$"
    ),
    assumptions=(WHOLE_STEPS,),
    metric=r"\sqrt{f(T)}",
    proof="$e^x - 1 \\le x e^x$.",
    not_shown="That the mean squared distance grows like $f$: it grows far slower.",
)

I2_EXPONENT = I2.part(
    "I2, its exponent",
    "Gaussian noise that depends on the state: the exponent of the step",
    statement=rf"{I2.statement}, and at fixed $T$ the exponent is at least $(1+\gamma)/2$",
    formula=Multiplicative.noise_exponent,
    side="law",
    not_shown="That the exponent is attained: the example is linear and does better.",
)

# --- I3: noise of any law against Gaussian noise ---

I3 = Theorem(
    label="I3",
    title="Noise of any law against Gaussian noise: the window coupling",
    paper=PAPER,
    source="main theorem, window coupling; explicit form I3",
    algorithm="ito_chain",
    statement=(
        r"$$W_2(X_k, Y_k) \le \min_{S | k}\; e^{MT} C_B s T^{1/2} \eta^{\gamma/2} S^{-1/2} + "
        r"2(e^{MT}-1)\, s\sqrt d\, \eta^{(1+\gamma)/2} S^{1/2}$$ "
        "with $Y$ the chain with Gaussian noise"
    ),
    assumptions=(
        Assumption("$X_0 = Y_0$"),
        Assumption("noise independent of it"),
        LIPSCHITZ,
        WHOLE_STEPS,
    ),
    metric="W_2(X_k, Y_k)",
    output=LAST_LAW,
    side="above",
    constants=Window,
    formula=Window.bound,
    proof=(
        r"Cut the run into windows of $S$ steps, couple the sums of the two noises over a window "
        r"optimally, and windows independently. At the end of window $w$ the sums differ by at "
        r"most $s \eta^{(1+\gamma)/2} C_B \sqrt w$ in $L_2$, inside by $2 s \eta^{(1+\gamma)/2} "
        r"\sqrt{Sd}$ more; $X - Y$ is that plus $\eta \sum (b(X_j) - b(Y_j))$: Gronwall."
    ),
    not_shown=(
        "That the bound is close where there is drift: it is nearly attained without, and "
        "hundreds of times too large with a contraction."
    ),
)

I3_GRONWALL = I3.part(
    "I3, Gronwall",
    "From errors of the sums of noise to errors of the chain",
    source="main theorem, window coupling; the last step of explicit form I3",
    statement=(
        r"If $X - Y$ is $A + \eta \sum_j (b(X_j) - b(Y_j))$ with $\|A\|_{L_2} \le s "
        r"\eta^{(1+\gamma)/2} C_B \sqrt{k/S}$ at the ends of windows of $S$ steps, inside them at "
        r"most $2 s \eta^{(1+\gamma)/2} \sqrt{Sd}$ more: $$\|X_k - Y_k\|_{L_2} \le e^{MT} C_B s "
        r"T^{1/2} \eta^{\gamma/2} S^{-1/2} + 2(e^{MT}-1)\, s\sqrt d\, \eta^{(1+\gamma)/2} S^{1/2}$$"
    ),
    assumptions=(LIPSCHITZ, WHOLE_STEPS),
    metric=r"\|X_k - Y_k\|_{L_2}",
    output="last iterate",
    formula=Window.at,
    proof=r"For $D_j = \|X_j - Y_j\|_{L_2}$: $D_j \le \|A_j\| + M\eta \sum_{i<j} D_i$; unroll.",
    not_shown="That sums of noises differ by so much inside a window.",
)

I3_CONSTANT = I3.part(
    "I3, its constant",
    "The constant of the central limit theorem in W2",
    source="lemma on windows of noise; explicit constant of I3",
    statement=(
        r"$$S^{1/2}\, W_2\Big(S^{-1/2} \sum_{i \le S} \varepsilon_i,\, N(0,1)\Big) \le C_B$$ "
        f"with $C_B = {WINDOW_CONSTANTS['coin']}$ for coins and {WINDOW_CONSTANTS['skewed coin']} "
        "for coins of probability 0.1"
    ),
    assumptions=(Assumption("independent noise"),),
    metric=r"S^{1/2} W_2",
    unit="draws of noise",
    output="sum of a window",
    constants=Noise,
    formula=Noise.supremum,
    proof="Computed for every $S$ up to 40 and a sample beyond; for large $S$ the limit.",
    not_shown="Windows longer than those computed; the limit of I3's constant holds there.",
)

I3_LIMIT = I3_CONSTANT.part(
    "I3, the limit of its constant",
    "What is left of a law after many steps: its lattice and its skewness",
    source="lemma on windows of noise; asymptotic form of its constant",
    statement=(
        r"$$S\, W_2^2 \to \frac{h^2}{12} + \frac{\kappa_3^2}{18}$$ for noise of lattice "
        r"span $h$ and skewness $\kappa_3$"
    ),
    assumptions=(Assumption("independent noise on a lattice"),),
    metric="S W_2^2",
    side="equal",
    formula=Noise.limit,
    proof="From Edgeworth's expansion; a heuristic, which agrees with two laws at large $S$.",
    not_shown="A proof: two laws at one large S.",
)

# --- I4 to I6: linear chains ---

CHAIN_LINEAR = CHAIN.part(
    "chain, linear",
    "The law of a linear chain",
    source="definition of the chain, unrolled",
    statement=(
        r"With $b(x) = -ax$ and $\sigma = s$ the law of $X_k$ is that of $(1-a\eta)^k x_0 + "
        r"\eta^{(1+\gamma)/2} s \sum_{j<k} (1-a\eta)^j \varepsilon_j$"
    ),
    assumptions=(Assumption("independent noise with two values"),),
    metric=r"\text{moments and ends of the law of } X_k",
    output="last iterate",
    constants=Linear,
    formula=None,
    not_shown="More than 8 steps of the code; longer chains are computed from this law.",
)

CHAIN_TREE = CHAIN.part(
    "chain, a tree",
    "With multiplicative noise the chain is a binomial tree",
    source="definition of the chain, unrolled",
    statement=(
        r"With $b(x) = -ax$, $\sigma(x) = sx$ and coins for noise $X_k$ is $x_0 "
        r"(1-a\eta-s\eta^{(1+\gamma)/2})^{k-h} (1-a\eta+s\eta^{(1+\gamma)/2})^h$ "
        "with $h$ binomial"
    ),
    assumptions=(Assumption("coins for noise"), WHOLE_STEPS),
    metric="X_k",
    output="last iterate",
    constants=Linear,
    formula=Linear.tree,
    not_shown="Anything about the limit: this is the chain itself.",
)

ON_THE_LINE = Assumption("$b = -ax$, $d = 1$, $a \\ne 0$", lambda one: one.a != 0)
FIXED_START = Assumption("$x_0$ not random")
EXACT_DRIFT = Assumption("no drift error", lambda one: one.delta == 0)

I4 = Theorem(
    label="I4",
    title="A walk on a lattice never comes closer",
    paper=PAPER,
    source="explicit form I4",
    algorithm="ito_chain",
    statement=r"$$W_2(X_k, Z_T) \ge \frac{s}{\sqrt 3}\, \eta^{(1+\gamma)/2}$$ at every $k$",
    assumptions=(Assumption("$b = 0$, coins for noise", lambda one: one.a == 0 == one.delta),),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="below",
    constants=Linear,
    formula=Linear.lattice,
    proof=(
        r"$X_k$ lies on a lattice of span $2 s \eta^{(1+\gamma)/2}$. As the span falls, no law on "
        r"it is closer to a smooth one than the span over $\sqrt{12}$; at finite $k$ computed."
    ),
    not_shown="Every k: those up to 10 and a sample of larger ones.",
)

I4_EXPONENT = I4.part(
    "I4, its exponent",
    "The exponent that coins cannot beat",
    source="main theorem, its exponent for noise of any law; explicit form I4",
    statement=(
        r"$$W_2(X_k, Z_T) \sim \frac{s}{\sqrt 3}\, \eta^{(1+\gamma)/2}$$ at fixed "
        r"$T = k\eta$, the theorem allows $\eta^{(2\gamma+1)/4}$"
    ),
    side="law",
    formula=Linear.noise_exponent,
    not_shown="That other noise is as bad: without lattice and skewness it is better.",
)

I5 = Theorem(
    label="I5",
    title="A drift error is seen whatever the noise",
    paper=PAPER,
    source="explicit form I5, with the start",
    algorithm="ito_chain",
    statement=(
        r"$$W_2(X_k, Z_T) \ge \Big| \eta^\alpha \delta \frac{1-(1-a\eta)^k}{a} + "
        r"x_0 \big((1-a\eta)^k - e^{-aT}\big) \Big|$$"
    ),
    assumptions=(ON_THE_LINE, Assumption("a constant error"), FIXED_START, WHOLE_STEPS),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="below",
    constants=Linear,
    formula=Linear.means,
    proof=r"$W_2$ is at least the distance of the means.",
    not_shown="Errors that depend on the state and may average out.",
)

I5_EXPONENT = I5.part(
    "I5, its exponent",
    "The exponent saturates at that of the drift error",
    source=r"main theorem, its $\min\{\alpha, \cdot\}$; explicit form I5",
    statement=(
        r"$$W_2(X_k, Z_T) \sim \eta^\alpha$$ for a drift error $\eta^\alpha \delta$ "
        r"with $\alpha$ below the other exponents"
    ),
    assumptions=(ON_THE_LINE, GAUSSIAN, Assumption("a constant error")),
    side="law",
    formula=Linear.error_exponent,
    not_shown="An exponent at large steps: it is an asymptotic one.",
)

I6 = Theorem(
    label="I6",
    title="A linear chain with Gaussian noise, exactly",
    paper=PAPER,
    source="main theorem for Gaussian noise; explicit form I6",
    algorithm="ito_chain",
    statement=(
        r"$$W_2^2 = x_0^2\big((1-a\eta)^k - e^{-aT}\big)^2 + (\sigma_X - \sigma_Z)^2$$ with "
        r"$\sigma_X^2 = \eta^{1+\gamma} s^2 \frac{1-(1-a\eta)^{2k}}{1-(1-a\eta)^2}$ and "
        r"$\sigma_Z^2 = \eta^\gamma s^2 \frac{1-e^{-2aT}}{2a}$"
    ),
    assumptions=(
        ON_THE_LINE,
        FIXED_START,
        GAUSSIAN,
        Assumption(r"$a\eta \ne 2$", lambda one: one.a * one.eta != 2),
        EXACT_DRIFT,
        WHOLE_STEPS,
    ),
    metric="W_2(X_k, Z_T)",
    output=LAST_LAW,
    side="equal",
    constants=Linear,
    formula=Linear.gaussian,
    proof="Both laws are Gaussian, with these means and deviations.",
    not_shown="Laws that are not Gaussian: only two moments enter.",
)

I6_EXPONENT = I6.part(
    "I6, its exponents",
    "The exact exponents of mean and deviation",
    statement=(
        rf"{I6.statement}: at fixed $T$ exponent 1 in $\eta$, that of the mean, and "
        r"$1 + \gamma/2$, that of the deviation, where $x_0 = 0$"
    ),
    assumptions=(ON_THE_LINE, FIXED_START, GAUSSIAN, EXACT_DRIFT),
    side="law",
    formula=Linear.gaussian_exponent,
    not_shown="Other drifts: a linear one is smooth, and better than Lipschitz.",
)

I6_GROWTH = I6.part(
    "I6, growth",
    "Without contraction it grows like the exponential",
    statement=(
        r"For $b(x) = x$: $$W_2(X_k, Z_T) \ge |x_0|\, e^T \big(1 - e^{-T(\eta/2 - "
        r"\eta^2/3)}\big)$$"
    ),
    assumptions=(
        Assumption(r"$b = x$, $d = 1$", lambda one: one.a == -1),
        FIXED_START,
        Assumption(r"$\eta \le 1$", lambda one: one.eta <= 1),
        EXACT_DRIFT,
        WHOLE_STEPS,
    ),
    side="below",
    formula=Linear.growth,
    proof=(
        r"$W_2$ is at least the distance of the means, and $\log(1+\eta) \le \eta - \eta^2/2 + "
        r"\eta^3/3$."
    ),
    not_shown="That every expanding drift grows: this one does.",
)
