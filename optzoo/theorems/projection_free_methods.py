# SPDX-License-Identifier: Apache-2.0
r"""Projection-free methods: what Sarah Frank-Wolfe and Saga Sarah Frank-Wolfe are compared with.

    minimize f(x) = (1/n) sum_i f_i(x) over x in X, convex and compact, diameter D,

as in `optzoo.theorems.frank_wolfe`, whose notation holds here too: x^{k+1} = x^k + eta_k (s^k -
x^k) with s^k = argmin_{s in X} <g^k, s>; r_k = f(x^k) - f*, G_k the Frank-Wolfe gap, E_k = E|g^k -
grad f(x^k)|^2, nu = variance factor of a batch. L is the smoothness of f.

 SHORT    Frank-Wolfe with short steps, or an exact line search
 AWAY     away steps: linear convergence over polytopes, step by step that is not cut short
 PAIR     pairwise steps
 BLEND    blended pairwise steps
 SFW      stochastic Frank-Wolfe: batches that grow like k^2
 SCG      one batch a step, averaged with momentum
 SVRF     snapshots, and batches that grow like k
 SPIDER   path-integrated differences from a full gradient an epoch, convex and not
 SAGAFW   a table of gradients and no recursion, non-convex; its error on a line
 SAG      generalized linear models: one derivative a sample
 C1 to C3 the complexity table: how gradients and oracle calls grow with 1/eps and n

Each is stated for the algorithm as its file in `optzoo` has it. The constants and, as their
methods, the bounds stand in `optzoo.theorems.projection_free_methods_constants`; the proofs in
docs/theory/projection_free_methods.md.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .frank_wolfe import DIAMETER, FIXED_STEPS, HESSIAN_VARIANCE, SMOOTH
from .projection_free_methods_constants import (
    Independent,
    LinearModel,
    Momentum,
    PathIntegrated,
    Polytope,
    ShortSteps,
    Snapshot,
    TableOnly,
)
from .theorem import Assumption, Paper, Theorem

__all__ = [
    "AWAY",
    "BLEND",
    "PAIR",
    "PAPER",
    "SAG",
    "SAGAFW",
    "SCG",
    "SFW",
    "SHORT",
    "SPIDER",
    "SVRF",
    "TABLE_GRADIENTS",
    "TABLE_ORACLE",
    "TABLE_SAMPLES",
    "Independent",
    "LinearModel",
    "Momentum",
    "PathIntegrated",
    "Polytope",
    "ShortSteps",
    "Snapshot",
    "TableOnly",
]

_KNOWN = (
    "The algorithm and the order of its complexity are known here, not the constants of the "
    "paper's theorem. The explicit form and its proof are ours."
)

PAPER = Paper(
    "Frank, Wolfe 1956; Lacoste-Julien, Jaggi, arXiv:1511.05932; Tsuji, Tanaka, Pokutta, "
    "arXiv:2110.12650; Hazan, Luo, arXiv:1602.02101; Mokhtari, Hassani, Karbasi, "
    "arXiv:1804.09554; Yurtsever, Sra, Cevher, ICML 2019; Reddi, Sra, Poczos, Smola, "
    "arXiv:1607.08254; Negiar, Dresdner, Tsai, El Ghaoui, Locatello, Freund, Pedregosa, "
    "arXiv:2002.11860",
    known=(
        "The algorithms and the orders of their complexities are known here, not the constants of "
        "the papers' theorems. The explicit forms and their proofs are ours."
    ),
)
CLASSIC = Paper(
    'Frank, Wolfe, "An algorithm for quadratic programming", 1956; Demyanov, Rubinov, '
    '"Approximate methods in optimization problems", 1970',
    known="A classical result; the constants are those of its usual proof.",
)
ACTIVE_SET = Paper(
    'Lacoste-Julien, Jaggi, "On the global linear convergence of Frank-Wolfe optimization '
    'variants", NeurIPS 2015, arXiv:1511.05932',
    known=_KNOWN,
)
BLENDED = Paper(
    'Tsuji, Tanaka, Pokutta, "Pairwise conditional gradients without swap steps and sparser '
    'kernel herding", ICML 2022, arXiv:2110.12650',
    known=_KNOWN,
)
HAZAN_LUO = Paper(
    'Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016, '
    "arXiv:1602.02101",
    known=(
        "Steps, batches, lengths of epochs and the bounds 4 L D^2 / (k + 2) and "
        "L D^2 / 2^(t+1) are the paper's, as recalled; the recursions and the proofs are ours."
    ),
)
MOMENTUM = Paper(
    'Mokhtari, Hassani, Karbasi, "Stochastic conditional gradient methods: from convex '
    'minimization to submodular maximization", JMLR 21, 2020, arXiv:1804.09554',
    known=_KNOWN,
)
SPIDER_PAPER = Paper(
    'Yurtsever, Sra, Cevher, "Conditional gradient methods via stochastic path-integrated '
    'differential estimator", ICML 2019',
    known=_KNOWN,
)
REDDI = Paper(
    'Reddi, Sra, Poczos, Smola, "Stochastic Frank-Wolfe methods for nonconvex optimization", '
    "Allerton 2016, arXiv:1607.08254",
    known=(
        "The algorithm and its stated complexity, n + n^(1/3) / eps^2, are known here; that its "
        "analysis has a slip, from arXiv:2304.11737, appendix C.2, but not the line it is in. "
        "The explicit form and its proof are ours, and give n^(2/3)."
    ),
)
NEGIAR = Paper(
    'Negiar, Dresdner, Tsai, El Ghaoui, Locatello, Freund, Pedregosa, "Stochastic Frank-Wolfe '
    'for constrained finite-sum minimization", ICML 2020, arXiv:2002.11860',
    known=_KNOWN,
)

# --- Assumptions that theorems share ---

CONVEX_SMOOTH = Assumption(r"$f$ convex and $L$-smooth on $X$")
STRONGLY_CONVEX = Assumption(
    r"$f$ $\mu$-strongly convex with $\mu > 0$", lambda constants, *more: constants.mu > 0
)
BEST_STEPS = Assumption(
    r"short steps $\eta = \min(\eta_{\max}, \langle\nabla f(x), -d\rangle / (L|d|^2))$, or exact "
    "line search"
)
POLYTOPE = Assumption(
    r"$X$ a polytope of pyramidal width $\delta > 0$; atoms and start are vertices",
    lambda constants, *more: constants.width > 0,
)
INDEPENDENT = Assumption("batches drawn independently of what came before")


def _starts_fresh(constants: Any, steps: Any, nu: Any, fresh: ArrayLike) -> bool:
    return bool(np.asarray(fresh)[0])


FULL_START = Assumption("a full gradient at the first step", _starts_fresh)

# --- Full gradients, steps by line search ---

SHORT = Theorem(
    label="SHORT",
    title="Frank-Wolfe with short steps or exact line search",
    paper=CLASSIC,
    source="sublinear convergence with steps by line search; explicit form SHORT",
    algorithm="frank_wolfe",
    statement=(
        r"$$r_{k+1} \le \min_{0 \le \eta \le 1}\Bigl[(1 - \eta) r_k + \frac{L D^2\eta^2}{2}"
        r"\Bigr], \quad\text{so that}\quad r_k \le \frac{2 L D^2}{k + 3} \text{ for } k \ge 1$$"
    ),
    assumptions=(CONVEX_SMOOTH, DIAMETER, BEST_STEPS),
    metric=r"f(x^k) - f^*",
    output="last iterate",
    side="above",
    constants=ShortSteps,
    formula=ShortSteps.best_steps,
    rate=1.0,
    proof=(
        r"The step of a short step is the minimizer over $\eta$ of the right-hand side of $f(x + "
        r"\eta d) \le f(x) - \eta G + L\eta^2|d|^2/2$, and an exact one does no worse. $|d| \le D$ "
        r"and $G \ge r_k$. The minimum is $R - R^2/(2LD^2)$ where $R \le LD^2$, so that $1/R$ "
        r"grows by at least $1/(2LD^2)$."
    ),
    not_shown="That another step rule could not do better.",
)

# --- Active sets ---

_LINEAR: dict[str, Any] = {
    "assumptions": (CONVEX_SMOOTH, STRONGLY_CONVEX, POLYTOPE, DIAMETER, BEST_STEPS),
    "metric": r"f(x^k) - f^*",
    "output": "last iterate",
    "side": "above",
    "constants": Polytope,
    "unit": "step that is not cut short",
    "not_shown": (
        "The pyramidal width itself beyond the sets whose width is known in closed form; sets that "
        "are no polytopes."
    ),
}

AWAY = Theorem(
    label="AWAY",
    title="Away-step Frank-Wolfe converges linearly",
    paper=ACTIVE_SET,
    source="theorem on the linear convergence of AFW; explicit form AWAY",
    algorithm="away_step_frank_wolfe",
    statement=(
        r"$$r_k \le \Bigl(1 - \min\bigl(\tfrac12, \tfrac{\mu\delta^2}{4 L D^2}\bigr)\Bigr)^{j_k} "
        r"r_0$$ where $j_k \ge k/2$ of the first $k$ steps were not cut short by a weight"
    ),
    formula=Polytope.away,
    proof=(
        r"With $s$ the oracle's answer and $a$ the away atom, $\langle\nabla f, a - s\rangle^2 \ge "
        r"2\mu\delta^2 r$ (Lacoste-Julien, Jaggi, whose $\delta$ is the facial distance of Pena "
        r"and Rodriguez). The better of the two directions has $\langle-\nabla f, d\rangle \ge "
        r"\frac12\langle\nabla f, a - s\rangle$, and a step that is not cut short gains $\langle"
        r"\nabla f, d\rangle^2/(2L|d|^2)$, or half of $r$ where $\eta = 1$. A step that is cut "
        r"short drops an atom, and every atom was added by a step that was not."
    ),
    **_LINEAR,
)

PAIR = Theorem(
    label="PAIR",
    title="Pairwise Frank-Wolfe converges linearly, but for its swaps",
    paper=ACTIVE_SET,
    source="theorem on the linear convergence of PFW; explicit form PAIR",
    algorithm="pairwise_frank_wolfe",
    statement=(
        r"$$r_k \le \Bigl(1 - \min\bigl(\tfrac12, \tfrac{\mu\delta^2}{L D^2}\bigr)\Bigr)^{j_k} "
        r"r_0$$ where $j_k$ of the first $k$ steps were not cut short by a weight"
    ),
    formula=Polytope.pairwise,
    proof=(
        r"As for AWAY, with the whole of $\langle\nabla f, a - s\rangle$ along $d = s - a$. A step "
        r"that is cut short may be a swap, which adds an atom as it drops one: of their number "
        r"nothing useful is known."
    ),
    **_LINEAR,
)

BLEND = Theorem(
    label="BLEND",
    title="Blended pairwise Frank-Wolfe converges linearly without swaps",
    paper=BLENDED,
    source="theorem on the linear convergence of BPFW; explicit form BLEND",
    algorithm="blended_pairwise_frank_wolfe",
    statement=(
        r"$$r_k \le \Bigl(1 - \min\bigl(\tfrac12, \tfrac{\mu\delta^2}{4 L D^2}\bigr)\Bigr)^{j_k} "
        r"r_0$$ where $j_k \ge k/2$ of the first $k$ steps were not cut short by a weight"
    ),
    formula=Polytope.away,
    proof=(
        r"$\langle\nabla f, a - s\rangle \le \langle\nabla f, a - s_{loc}\rangle + \langle\nabla "
        r"f, x - s\rangle$, since $\langle\nabla f, s_{loc}\rangle \le \langle\nabla f, "
        r"x\rangle$: the direction taken has at least half of it. The rest is as for AWAY; a "
        r"local step adds no atom."
    ),
    **_LINEAR,
)

# --- Independent samples ---

_INEXACT = (
    r"F2 with $G_k \ge r_k$ and $E e_k \le \sqrt{E_k}$, the recursion of F3, for any estimate of "
    r"the gradient. "
)

SFW = Theorem(
    label="SFW",
    title="Stochastic Frank-Wolfe with growing batches",
    paper=HAZAN_LUO,
    source="theorem on SFW; explicit form SFW",
    algorithm="stochastic_frank_wolfe",
    statement=(
        r"$$E r_{k+1} \le (1 - \eta_k) R_k + \eta_k D\sigma\sqrt{\nu_k} + \frac{L D^2\eta_k^2}{2}"
        r"$$ for any steps and batches; $\eta_k = 2/(k+2)$ and $m_k \ge (\sigma(k+2)/(LD))^2$ "
        r"samples give $E r_k \le 4LD^2/(k + 2)$"
    ),
    assumptions=(CONVEX_SMOOTH, DIAMETER, FIXED_STEPS, INDEPENDENT),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Independent,
    formula=Independent.batches,
    rate=1.0,
    proof=(
        _INEXACT + r"$E_k \le \nu_k\sigma^2$. With $m_k$ samples the noise adds at most $\eta_k^2 "
        r"LD^2/2$. With $\eta_k = 2/(k+2)$, times $(k+1)(k+2)$: $(k+1)(k+2) R_{k+1} \le k(k+1) "
        r"R_k + 4LD^2\frac{k+1}{k+2}$, whose sum is at most $4LD^2 k(k+1)/(k+3)$."
    ),
    not_shown="Noise that is smaller away from where $\\sigma$ is attained.",
)

SCG = Theorem(
    label="SCG",
    title="Stochastic Frank-Wolfe with momentum",
    paper=MOMENTUM,
    source="theorem on the convex case; explicit form SCG",
    algorithm="momentum_frank_wolfe",
    statement=(
        r"$$E_{k+1} \le (1 - \rho_{k+1})^2\bigl(\sqrt{E_k} + L D\eta_k\bigr)^2 + \rho_{k+1}^2\nu"
        r"\sigma^2, \quad E r_{k+1} \le (1 - \eta_k) R_k + \eta_k D\sqrt{E_k} + \frac{L D^2"
        r"\eta_k^2}{2}$$ with $\rho_0 = 1$; $\rho_k \sim k^{-2/3}$ and $\eta_k \sim 1/k$ give "
        r"$E r_k = O(k^{-1/3})$"
    ),
    assumptions=(
        CONVEX_SMOOTH,
        DIAMETER,
        FIXED_STEPS,
        INDEPENDENT,
        Assumption(
            r"$\rho_0 = 1$",
            lambda constants, steps, momentum: abs(np.asarray(momentum)[0] - 1) <= 1e-12,
        ),
    ),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Momentum,
    formula=Momentum.averaged,
    rate=1 / 3,
    proof=(
        r"$d_{k+1} - \nabla f(x^{k+1})$ is $(1 - \rho)$ times the old error and the gradient's "
        r"change, of norms $\sqrt{E_k}$ and $LD\eta_k$ at most (Minkowski), plus $\rho$ times "
        r"noise of mean 0. " + _INEXACT
    ),
    not_shown="Whether momentum beats a constant batch at a fixed accuracy.",
)

# --- Finite sums ---

SVRF = Theorem(
    label="SVRF",
    title="Variance reduction by snapshots",
    paper=HAZAN_LUO,
    source="theorem on SVRF; explicit form SVRF",
    algorithm="svrf",
    statement=(
        r"$$E r_{k+1} \le (1 - \eta_k) R_k + \eta_k D\sqrt{2L_{\max}\nu_k}\bigl(\sqrt{R_k} + "
        r"\sqrt{R_s}\bigr) + \frac{L D^2\eta_k^2}{2}$$ with $s$ the last snapshot, where there is "
        r"no noise; steps $2/(k+2)$, $96(k+2)$ samples and $2^{t+3} - 2$ steps in epoch $t$ give "
        r"$E f(w_t) - f^* \le L_{\max}D^2/2^{t+1}$"
    ),
    assumptions=(
        Assumption(r"every $f_i$ convex and $L_{\max}$-smooth on the whole space"),
        SMOOTH,
        DIAMETER,
        FIXED_STEPS,
        INDEPENDENT,
        FULL_START,
    ),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Snapshot,
    formula=Snapshot.epochs,
    proof=(
        r"$\frac1n \sum_i |\nabla f_i(x) - \nabla f_i(x^*)|^2 \le 2L_{\max}(f(x) - f^* - \langle"
        r"\nabla f(x^*), x - x^*\rangle) \le 2L_{\max}(f(x) - f^*)$, and Minkowski for the "
        r"differences of $x^k$ and $w$ to $x^*$ bound the variance of a difference. " + _INEXACT
    ),
    not_shown="Components that are not convex.",
)

SPIDER = Theorem(
    label="SPIDER",
    title="Path-integrated differences: convex",
    paper=SPIDER_PAPER,
    source="theorem on the convex finite sum; explicit form SPIDER",
    algorithm="spider_frank_wolfe",
    statement=(
        r"$$E_k \le E_{k-1} + \nu_k L_\pm^2 D^2\eta_{k-1}^2, \quad E r_{k+1} \le (1 - \eta_k) R_k "
        r"+ \eta_k D\sqrt{E_k} + \frac{L D^2\eta_k^2}{2}$$ with $E_k = 0$ at full gradients; "
        r"epochs of $K_t = 2^{t-1}$ steps $2/(K_t + j)$ and $K_t$ samples give $O((L + L_\pm) "
        r"D^2/K_t)$"
    ),
    assumptions=(
        CONVEX_SMOOTH,
        HESSIAN_VARIANCE,
        DIAMETER,
        FIXED_STEPS,
        INDEPENDENT,
        FULL_START,
    ),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=PathIntegrated,
    formula=PathIntegrated.convex,
    rate=1.0,
    proof=r"F1 with $p = 0$ within an epoch. " + _INEXACT,
    not_shown="The factor between $L_\\pm$ and what the steps really meet.",
)

SPIDER_NONCONVEX = SPIDER.part(
    "SPIDER non-convex",
    "Path-integrated differences: non-convex",
    source="theorem on the non-convex finite sum; explicit form SPIDER",
    statement=(
        r"$$\frac{\sum_k \eta_k E G_k}{\sum_k \eta_k} \le \frac{r_0 + \sum_k(\eta_k D\sqrt{E_k} + "
        r"LD^2\eta_k^2/2)}{\sum_k \eta_k}$$ with the $E_k$ of SPIDER; constant steps and epochs of "
        r"$q$ steps give $\frac{r_0}{\eta K} + \eta D^2(\frac L2 + L_\pm\sqrt{\nu(q-1)})$"
    ),
    assumptions=(SMOOTH, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS, INDEPENDENT, FULL_START),
    metric=r"\sum_k \eta_k E G_k / \sum_k \eta_k",
    output="average gap",
    formula=PathIntegrated.nonconvex,
    rate=None,
    proof="F1 with $p = 0$ within an epoch, and F2 summed as in F4.",
)

SAGAFW = Theorem(
    label="SAGAFW",
    title="A table of gradients, without a recursion",
    paper=REDDI,
    source="theorem on SAGAFW, corrected; explicit form SAGAFW",
    algorithm="sagafw",
    statement=(
        r"$$\frac{\sum_k \eta_k E G_k}{\sum_k \eta_k} \le \frac{r_0 + \sum_k(\eta_k D\sqrt{\nu "
        r"Y_k} + LD^2\eta_k^2/2)}{\sum_k \eta_k}, \quad Y_{k+1} \le (1-a)\bigl(\sqrt{Y_k} + "
        r"\tilde L D\eta_k\bigr)^2 + a\tilde L^2D^2\eta_k^2$$ and $Y_0 = 0$; constant steps give "
        r"$\frac{r_0}{\eta K} + \eta D^2(\frac L2 + s\tilde L\sqrt\nu)$ with $s \le 2/a$: about "
        r"$2n/b^{3/2}$ times $\tilde L$, so that batches of $n^{2/3}$ are needed, not $n^{1/3}$"
    ),
    assumptions=(
        SMOOTH,
        Assumption(
            r"average smoothness: $\frac1n \sum_i |\nabla f_i(x) - \nabla f_i(y)|^2 \le \tilde "
            r"L^2|x - y|^2$"
        ),
        DIAMETER,
        FIXED_STEPS,
        Assumption("the table starts with $\\nabla f_i(x^0)$"),
        Assumption("two independent batches a step"),
    ),
    metric=r"\sum_k \eta_k E G_k / \sum_k \eta_k",
    output="average gap",
    side="above",
    constants=TableOnly,
    formula=TableOnly.nonconvex,
    proof=(
        r"$g^k - \nabla f(x^k)$ is a batch mean of $\nabla f_i(x^k) - y_i$ less its mean, of "
        r"variance at most $\nu Y_k$. An entry that is refreshed is $\tilde L D\eta$ away one step "
        r"later, in the mean square; Minkowski for the others, as in F5. Then F2, summed as in F4."
    ),
    not_shown="The line of the paper's analysis that is wrong.",
)

SAGAFW_LINE = SAGAFW.part(
    "SAGAFW on a line",
    "The error of a table with batches of the cube root of n",
    source="what the stated complexity n + n^(1/3)/eps^2 needs; explicit form SAGAFW",
    statement=(
        r"With batches of $b = n^{1/3}$ along a line of steps $h$ the staleness $E Y_k$ tends to "
        r"$\frac{2 - a}{a^2}\tilde L^2h^2$, so that $E e_k^2 \approx 2n^2h^2/b^3 = 2nh^2$ grows "
        r"like $n$: no constant bounds it, as the complexity $n + n^{1/3}/\epsilon^2$ would need"
    ),
    assumptions=(
        Assumption(r"$f_i(x) = \pm x^2/2$, equally many of each, on a line"),
        Assumption("two independent batches a step"),
    ),
    metric=r"E e_k^2 / h^2",
    output="estimate",
    side="law",
    formula=None,
    proof=(
        r"An entry's age at $x^k$ is geometric, $E A^2 = (2 - a)/a^2$, and the batch mean has "
        r"$\nu = 1/b$ of the spread of $\pm A_i h$, whose mean vanishes like $n^{-1/2}$."
    ),
)

SAG = Theorem(
    label="SAG",
    title="Generalized linear models: one derivative a sample",
    paper=NEGIAR,
    source="theorem on the convex case; explicit form SAG",
    algorithm="sag_frank_wolfe",
    statement=(
        r"$$E H_{k+1} \le (1 - a)(H_k + L_\phi D_1\eta_k), \quad E r_{k+1} \le (1 - \eta_k) R_k + "
        r"\frac{\eta_k D_\infty}{n} H_k + \frac{L_\phi D_2^2\eta_k^2}{2n}$$ for $H_k = \sum_i "
        r"|\alpha_i - \phi_i'(\langle a_i, x^k\rangle)|$; steps $2/(k+2)$ give $O(n/(bk))$ "
        r"times a constant of the data"
    ),
    assumptions=(
        Assumption(r"$f(x) = \frac1n \sum_i \phi_i(\langle a_i, x\rangle)$ convex"),
        Assumption(r"every $\phi_i'$ $L_\phi$-Lipschitz"),
        Assumption(r"$D_q = \max_{x, y \in X} |A(x - y)|_q$"),
        FIXED_STEPS,
        INDEPENDENT,
    ),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=LinearModel,
    formula=LinearModel.convex,
    rate=1.0,
    proof=(
        r"An index is refreshed with probability $a$, at the new point; what is not is off by at "
        r"most $L_\phi\eta|\langle a_i, s - x\rangle|$ more, in sum at most $L_\phi\eta D_1$. "
        r"$\langle\nabla f - g, s - v\rangle = \frac1n \sum_i (\phi_i' - \alpha_i)\langle a_i, s - "
        r"v\rangle \le D_\infty H_k/n$ in F2, and $f$ along $d$ is $L_\phi|Ad|^2/n$-smooth."
    ),
    not_shown="Data for which $D_1 D_\\infty/n$ is far from what the steps meet.",
)

# --- The table of complexities ---

_TABLE: dict[str, Any] = {
    "paper": PAPER,
    "source": "complexities of the methods; explicit forms SFW to SAG here, F3 to F7 of Sarah",
    "assumptions": (
        Assumption("each method with its paper's steps, batches and epochs"),
        Assumption("so late that the term in $1/\\epsilon$ dominates"),
    ),
    "output": "last iterate, or average gap",
    "side": "law",
    "not_shown": (
        "Logarithms, constants, and that an exponent cannot be better: it may be, on an instance "
        "that is no worst case, and then is said to."
    ),
}

TABLE_GRADIENTS = Theorem(
    label="C1",
    title="Gradients of samples to an accuracy",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"At fixed $n$ the gradients of samples to $E r \le \epsilon$ grow at most like "
        r"$\epsilon^{-a}$: $a = 3$ for SFW and SCG, $2$ for SVRF and SPIDER, $1$ for full "
        r"gradients, SAG, Sarah and Saga Sarah; to an average gap of $\epsilon$, without "
        r"convexity, $a = 2$ for SAGAFW and SPIDER. The error then falls at least like the "
        r"$1/a$-th power of the gradients"
    ),
    metric=r"E[f(x^k) - f^*] \text{ against gradients of samples}",
    **_TABLE,
)

TABLE_ORACLE = Theorem(
    label="C2",
    title="Calls of the oracle to an accuracy",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"The oracle's calls to $E r \le \epsilon$ grow at most like $\epsilon^{-a}$: $a = 3$ for "
        r"SCG, $1$ for SFW, SVRF, SPIDER, full gradients, SAG, Sarah and Saga Sarah; to an average "
        r"gap, $a = 2$ for SAGAFW and SPIDER"
    ),
    metric=r"E[f(x^k) - f^*] \text{ against calls of the oracle}",
    **_TABLE,
)

TABLE_SAMPLES = Theorem(
    label="C3",
    title="What grows with the number of samples",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"Gradients of samples to a fixed accuracy grow at most like $n^a$: $a = 1$ for full "
        r"gradients and SAG, $\frac12$ for Sarah and Saga Sarah with $b = \sqrt n$, and without "
        r"convexity $\frac23$ for SAGAFW with $b = n^{2/3}$ and $\frac12$ for SPIDER with $q = b = "
        r"\sqrt n$, beside the first full gradient"
    ),
    metric=r"\text{gradients of samples to } \epsilon",
    **_TABLE,
)
