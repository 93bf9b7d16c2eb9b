# SPDX-License-Identifier: Apache-2.0
r"""Sarah Frank-Wolfe and Saga Sarah Frank-Wolfe: estimators, convex and non-convex rates.

    minimize f(x) = (1/n) sum_i f_i(x) over x in X, convex and compact, diameter D.

Both methods move along x^{k+1} = x^k + eta_k (s^k - x^k) with s^k = argmin_{s in X} <g^k, s>.
Sarah restarts g from the full gradient with probability p and otherwise adds a batch's change of
gradients; Saga Sarah mixes in a share lambda of a table of old gradients and takes no full one.

Notation: r_k = f(x^k) - f*, G_k = max_{s in X} <grad f(x^k), x^k - s> (the Frank-Wolfe gap),
e_k = |g^k - grad f(x^k)|, E_k = E e_k^2, Y_k = (1/n) sum_i E|grad f_i(x^k) - y_i^k|^2 (staleness of
the table), nu = the variance factor of a batch (1/b with, (n-b)/(b(n-1)) without replacement),
a = the probability that an index is in a batch.

 F1   the error of Sarah's estimator after a step, exactly; along runs, and on a line
 F1b  its bound along any steps
 F2   one step with an inexact gradient
 F3   the convex rate of Sarah Frank-Wolfe, for any steps; laws of its noise term, its scaling
 F3a  in closed form for the steps 2/(k + 4/p)
 F3b  in closed form for Stich's steps, by a Lyapunov function
 F4   the non-convex rate of the gap
 F5   error and staleness of Saga Sarah's estimator and table; exactly, on a line, the best lambda
 F6   the convex rate of Saga Sarah Frank-Wolfe, for any steps
 F6a  in closed form for the steps 2/(k + 8/a); laws of its noise term
 F7   its non-convex rate
 F8   counts of gradients and of oracle calls to an accuracy
 F9   a bound from below for every method with this oracle

The constants and, as their methods, the bounds stand in `optzoo.theorems.frank_wolfe_constants`:
Batch (F1), Estimator (F1b), Smooth (F2), Sarah (F3, F4), Table (F5), Saga (F6, F7), Dimension (F9).
Derivations: docs/theory/frank_wolfe.md.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .frank_wolfe_constants import (
    Batch,
    Descent,
    Dimension,
    Estimator,
    Saga,
    Sarah,
    Smooth,
    Table,
    balanced_probability,
    index_probability,
    variance_factor,
)
from .theorem import Assumption, Paper, Theorem

__all__ = [
    "F1",
    "F1B",
    "F2",
    "F3",
    "F3A",
    "F3B",
    "F4",
    "F5",
    "F6",
    "F6A",
    "F7",
    "F8",
    "F9",
    "PAPER",
    "Batch",
    "Descent",
    "Dimension",
    "Estimator",
    "Saga",
    "Sarah",
    "Smooth",
    "Table",
    "balanced_probability",
    "index_probability",
    "variance_factor",
]

PAPER = Paper(
    'Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: Methods for Constrained Optimization with '
    'Best Rates and Practical Features", ICML 2024, arXiv:2304.11737',
    known=(
        "The paper's theorems are known here by the order of magnitude of their rates only; the "
        "explicit forms F1 to F9 and their proofs are ours, and imply the paper's orders."
    ),
)

# --- Assumptions that theorems share ---


def _in_unit_interval(constants: Any, steps: ArrayLike, *more: Any) -> bool:
    eta = np.asarray(steps, dtype=np.float64)
    return bool(np.all((eta >= 0) & (eta <= 1)))


CONVEX_SMOOTH = Assumption(r"$f$ convex and $L$-smooth")
SMOOTH = Assumption(r"$f$ $L$-smooth")
HESSIAN_VARIANCE = Assumption(
    r"Hessian variance $L_\pm$: $\frac1n \sum_i |d_i - \bar d|^2 \le L_\pm^2 |x - y|^2$ for "
    r"$d_i = \nabla f_i(x) - \nabla f_i(y)$"
)
DIAMETER = Assumption(r"diameter $D$ of the set")
FIXED_STEPS = Assumption(r"steps fixed in advance, in $[0, 1]$", _in_unit_interval)
FRESH_BATCHES = Assumption("batches drawn uniformly and independently, after $x^{k+1}$")

# --- Sarah Frank-Wolfe: the estimator ---

F1 = Theorem(
    label="F1",
    title="The error of Sarah's estimator, exactly",
    paper=PAPER,
    source="estimator lemma (SARAH/PAGE recursion); exact form F1",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$E\, e_{k+1}^2 = (1-p)\left(e_k^2 + \nu V_k\right)$$ with $e_k = |g^k - \nabla "
        r"f(x^k)|$, $V_k = \frac1n \sum_i |d_i|^2 - |\bar d|^2$, "
        r"$d_i = \nabla f_i(x^{k+1}) - \nabla f_i(x^k)$"
    ),
    assumptions=(FRESH_BATCHES,),
    metric=r"E\, e_{k+1}^2",
    output="estimate",
    side="equal",
    constants=Batch,
    formula=Batch.estimator_error,
    proof=(
        r"With probability $p$ the error is 0. Otherwise $g^{k+1} - \nabla f(x^{k+1})$ is $g^k - "
        r"\nabla f(x^k)$ plus the batch mean of $d_i - \bar d$, which has mean 0 and variance $\nu "
        r"V_k$ whatever came before."
    ),
    not_shown="Nothing about rates: the identity is about one step of the estimator.",
)

F1_ALONG_RUNS = F1.part(
    "F1 along runs",
    "Sarah's error summed over a run",
    source="estimator lemma (SARAH/PAGE recursion); exact form F1, summed over a run",
    statement=(
        r"$$E \sum_k e_{k+1}^2 = (1-p)\, E \sum_k (e_k^2 + \nu V_k)$$ with $e_k = |g^k - \nabla "
        r"f(x^k)|$, $V_k = \frac1n \sum_i |d_i|^2 - |\bar d|^2$, "
        r"$d_i = \nabla f_i(x^{k+1}) - \nabla f_i(x^k)$"
    ),
    metric=r"\sum_k e_{k+1}^2",
)

F1_ON_A_LINE = F1.part(
    "F1 on a line",
    "Sarah's error on a straight line",
    source="estimator lemma (SARAH/PAGE recursion); exact form F1 with $V_k = h^2$",
    statement=r"$$E\, e_k^2 = \nu h^2\, \frac{(1-p) - (1-p)^{k+1}}{p}$$",
    assumptions=(Assumption("points fixed in advance on a line with steps of length $h$"),),
    metric=r"E\, e_{k-1}^2",
    formula=Batch.line_error,
)


F1B = Theorem(
    label="F1b",
    title="The error of Sarah's estimator is bounded",
    paper=PAPER,
    source="estimator lemma (SARAH/PAGE recursion); explicit form F1b",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$E\, e_k^2 \le \nu L_\pm^2 D^2 \sum_{j<k} (1-p)^{k-j} \eta_j^2$$ and so at most "
        r"$\nu L_\pm^2 D^2 \eta^2 (1-p)/p$ for constant steps"
    ),
    assumptions=(HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS),
    metric=r"E\, e_{k-1}^2",
    output="estimate",
    side="above",
    constants=Estimator,
    formula=Estimator.estimator,
    proof=r"F1 with $V_k \le L_\pm^2 |x^{k+1} - x^k|^2 \le L_\pm^2 D^2 \eta_k^2$, and $e_0 = 0$.",
    not_shown=(
        "The worst case: an instance whose gradients differ alike along every step attains "
        "the bound (the line test), this one does not."
    ),
)

# --- What an error of the gradient costs, for both methods ---

F2 = Theorem(
    label="F2",
    title="One step with an inexact gradient",
    paper=PAPER,
    source="descent lemma of the convex and the non-convex theorem; explicit form F2",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$f(x^{k+1}) - f(x^k) + \eta G_k \le \eta D e_k + \tfrac L2 D^2 \eta^2$$ on every "
        r"path, with the Frank-Wolfe gap $G_k$ and $e_k = |g^k - \nabla f(x^k)|$"
    ),
    assumptions=(
        SMOOTH,
        DIAMETER,
        Assumption(r"$\eta \in [0, 1]$", _in_unit_interval),
    ),
    metric=r"f(x^{k+1}) - f(x^k) + \eta G_k",
    output="last iterate",
    side="above",
    constants=Smooth,
    formula=Smooth.descent,
    proof=(
        r"Smoothness gives $f(x^{k+1}) \le f(x^k) + \eta \langle \nabla f, s - x^k \rangle + "
        r"\frac L2 \eta^2 D^2$. With $v$ the oracle's answer to $\nabla f(x^k)$, $\langle \nabla "
        r"f, s - x^k \rangle \le \langle g, v - x^k \rangle + \langle \nabla f - g, s - x^k "
        r"\rangle = -G_k + \langle \nabla f - g, s - v \rangle \le -G_k + D e_k$."
    ),
)


# --- Sarah Frank-Wolfe: rates ---

F3 = Theorem(
    label="F3",
    title="The convex rate of Sarah Frank-Wolfe, for any steps",
    paper=PAPER,
    source="convex theorem; explicit form F3, any steps",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$E[f(x^k) - f^*] \le R_k,\quad R_{k+1} = (1-\eta_k) R_k + \eta_k D \sqrt{\bar E_k} "
        r"+ \tfrac{L}{2} D^2 \eta_k^2,\quad R_0 = f(x^0) - f^*$$ with $\bar E_{k+1} = (1-p)(\bar "
        r"E_k + \nu L_\pm^2 D^2 \eta_k^2)$, $\bar E_0 = 0$"
    ),
    assumptions=(CONVEX_SMOOTH, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Sarah,
    formula=Sarah.convex,
    rate=1.0,
    proof=r"F2 in the mean, with $G_k \ge f(x^k) - f^*$ and $E e_k \le \sqrt{\bar E_k}$ by F1b.",
    not_shown=(
        "The bound is for the worst instance and start; on a polytope whose minimizer lies on a "
        "face Frank-Wolfe is faster than it. A small ratio does not mean that the theorem can be "
        "improved."
    ),
)

F3_NOISE_LAW = F3.part(
    "F3, its noise term",
    "The law of the noise term",
    source="convex theorem, its noise term; explicit forms F3a and F3b",
    statement=(
        r"$$\frac18 \sum_c E[f_c(x^K) - f_c^*] \propto \frac{\sigma}{K} \sqrt{\frac{1-p}{p b}}$$ "
        r"over 8 slopes $c$ of $f_i(x) = cx \pm \sigma x^2/2$, where $L = 0$ and $L_\pm = \sigma$: "
        "the noise term of the bound, as $Kp$ grows"
    ),
    assumptions=(Assumption("steps $2/(k + 4/p)$"), Assumption(r"$K \gg 1/p$")),
    metric=r"\tfrac18 \sum_c E[f_c(x^K) - f_c^*]",
    side="law",
    formula=None,
    rate=None,
    not_shown=(
        "An exponent within 0.15 of the stated one, not the exponent itself: at finite $Kp$ the "
        "one in $(1-p)/p$ is near 0.55. The law in $K$ is one-sided. Generic problems follow no "
        "law as clean as this family, which is built to attain the bound's noise term."
    ),
)

F3_NOISE_TIME = F3_NOISE_LAW.part(
    "F3, time against noise",
    "The time to an accuracy grows at most like the noise",
    statement=(
        rf"{F3_NOISE_LAW.statement}: steps $T$ until the mean is at most $\epsilon$ grow at most "
        r"as $\sigma$"
    ),
    metric=r"T(\sigma)",
)

_SCALING = {
    "source": "all theorems on Sarah Frank-Wolfe: how their bounds scale",
    "assumptions": (Assumption("the same random numbers for every value"),),
    "side": "law",
    "formula": None,
    "rate": None,
    "not_shown": "Scaling catches a wrong power of a constant, not a wrong number in front of it.",
}

F3_SCALED = F3.part(
    "F3, f scaled",
    "f to u f: errors and bounds scale alike",
    statement=(
        r"$f \to uf$ on the same random numbers: $f(x^k) - f^*$, $G_k$ and the bounds F3, F3a, "
        r"F3b, F4 and $D\sqrt{\bar E_k}$ times $u$, $e_k^2$ times $u^2$"
    ),
    **_SCALING,
)

F3_STRETCHED = F3.part(
    "F3, X stretched",
    "X to t X: errors and bounds scale alike",
    statement=(
        r"$X \to tX$ with $f$ a homogeneous quadratic: $f(x^k) - f^*$, $G_k$ and every "
        r"bound times $t^2$; with $f(x/t)$ in place of $f$ nothing changes"
    ),
    **_SCALING,
)

F3A = Theorem(
    label="F3a",
    title="The convex rate in closed form, steps 2/(k + 4/p)",
    paper=PAPER,
    source=r"convex theorem; explicit form F3a, steps $2/(k+4/p)$",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$E[f(x^k) - f^*] \le \frac{(c-1)(c-2)\, r_0 + 4Ak}{(k+c-1)(k+c-2)},\quad c = 4/p,"
        r"\quad A = D^2\left(\tfrac L2 + L_\pm\sqrt{2\nu(1-p)/p}\right)$$"
    ),
    assumptions=(CONVEX_SMOOTH, HESSIAN_VARIANCE, DIAMETER, Assumption("steps $2/(k + 4/p)$")),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Sarah,
    formula=Sarah.convex_closed_form,
    rate=1.0,
    proof=(
        r"With these steps $\eta_k/\eta_{k+1} \le 1 + p/4$ and F1b gives $D \sqrt{\bar E_k} \le "
        r"\eta_k (A - \frac L2 D^2)$, so that $R_{k+1} \le (1-\eta_k) R_k + A \eta_k^2$. Multiply "
        r"by $w_{k+1} = (k+c)(k+c-1)$: $w_{k+1}(1-\eta_k) = w_k$ and $w_{k+1} \eta_k^2 \le 4$; sum."
    ),
    not_shown="The closed form is slacker than the recursion F3 that it is derived from.",
)

F3B = Theorem(
    label="F3b",
    title="The convex rate in closed form, Stich's steps",
    paper=PAPER,
    source="convex theorem; explicit form F3b, Stich's steps with $d = 2/p$",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$E[f(x^K) - f^*] \le \frac{(2d-1)(2d-2) P + 4AJ}{(J+2d-1)(J+2d-2)}$$ with "
        r"$k_0 = \lceil K/2 \rceil$, $J = K - k_0$, $P = (1-\tfrac1d)^{k_0} r_0 + "
        r"\tfrac Ad (1 - (1-\tfrac1d)^{k_0})$, for $K > d$"
    ),
    assumptions=(CONVEX_SMOOTH, HESSIAN_VARIANCE, DIAMETER, Assumption("Stich's steps, $d = 2/p$")),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Sarah,
    formula=Sarah.convex_stich,
    proof=(
        "One step of the Lyapunov function, unrolled: a geometric series over the first half, the "
        "sum of F3a over the second."
    ),
    not_shown="Only the horizon itself: the schedule depends on it.",
)

F3B_LYAPUNOV = F3B.part(
    "F3b, one step",
    "One step of the Lyapunov function",
    source="convex theorem, one step of its proof; explicit form F3b",
    statement=(
        r"$$E\,\Phi_{k+1} - (1-\eta)\Phi_k \le A\eta^2,\quad \Phi_k = f(x^k) - f^* + M e_k^2$$"
        r" with $M = 1/(L_\pm\sqrt{2p(1-p)\nu})$, $A = D^2(L/2 + L_\pm\sqrt{2\nu(1-p)/p})$"
    ),
    assumptions=(
        CONVEX_SMOOTH,
        HESSIAN_VARIANCE,
        Assumption(
            r"$\eta \le p/2$",
            lambda constants, step: bool(np.all(np.asarray(step) <= constants.p / 2 * (1 + 1e-12))),
        ),
    ),
    metric=r"E\,\Phi_{k+1} - (1-\eta)\Phi_k",
    formula=Sarah.lyapunov,
    proof=(
        r"$\eta D e \le \frac p2 M e^2 + \eta^2 D^2/(2pM)$ and $(1-p)M + \frac p2 M \le "
        r"(1-\eta)M$; for this $M$ the terms in $\eta^2$ sum to $A$."
    ),
    not_shown="The term $L/2$ of $A$, which is 0 here: the descent step has it.",
)

F3A_UNROLLED = F3A.part(
    "F3a, F3b and F4 unrolled",
    "The closed forms against the recursions they unroll",
    source="explicit forms F3a, F3b and F4 against their own recursions",
    statement=(
        r"$\Phi_{k+1} = (1-\eta_k)\Phi_k + A\eta_k^2$ stays below F3a (steps $2/(k+4/p)$) and "
        r"F3b (Stich's steps), and F4's sum at constant steps below $r_0/(\eta K) + \eta C$"
    ),
    assumptions=(Assumption("arithmetic only"),),
    formula=Sarah.closed_forms,
    metric=r"\Phi_K",
    output="bound",
    rate=None,
    not_shown="That any method obeys the recursions: the one-step claims show that.",
)

F4 = Theorem(
    label="F4",
    title="The non-convex rate of the gap of Sarah Frank-Wolfe",
    paper=PAPER,
    source="non-convex theorem; explicit form F4, constant steps",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$\frac1k \sum_{j<k} E\, G_j \le \frac{1}{\eta k}\left(r_0 + D \eta \sum_{j<k} "
        r"\sqrt{\bar E_j} + \tfrac L2 D^2 \eta^2 k\right)$$ with the Frank-Wolfe gap "
        r"$G_j = \max_{s} \langle \nabla f(x^j), x^j - s\rangle$ and $r_0 \ge f(x^0) - \min f$"
    ),
    assumptions=(SMOOTH, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS),
    metric=r"\frac1k \sum_{j<k} E\, G_j",
    output="average over the run (a random iterate)",
    side="above",
    constants=Sarah,
    formula=Sarah.nonconvex,
    proof="F2 summed over the run; $f(x^k)$ is at least any lower bound of $f$.",
    not_shown=(
        "The gap of the last iterate, and any statement on minimizers: a small gap is near "
        "stationarity only."
    ),
)

# --- Saga Sarah Frank-Wolfe ---

SMOOTH_ON_AVERAGE = Assumption(r"$f$ $L$-smooth, $f_i$ on average $\tilde L$-smooth")
CONVEX = Assumption(r"$f$ convex")
_ON_A_LINE = Assumption("points fixed in advance on a line with steps of length $h$")

F5 = Theorem(
    label="F5",
    title="Error and staleness of Saga Sarah's estimator and table",
    paper=PAPER,
    source="lemma on the estimator of Saga Sarah Frank-Wolfe; explicit form F5",
    algorithm="saga_sarah_frank_wolfe",
    statement=(
        r"$$E_{k+1} \le (1-\lambda)^2 E_k + \nu\left(L_\pm D \eta_k + \lambda \sqrt{Y_k}\right)^2,"
        r"\qquad Y_{k+1} \le (1-a)\left(\sqrt{Y_k} + \tilde L D \eta_k\right)^2$$ with $E_k = "
        r"E|g^k - \nabla f(x^k)|^2$, $Y_k = \frac1n \sum_i E|\nabla f_i(x^k) - y_i^k|^2$ and $a$ "
        r"the probability that an index is in a batch; a table refreshed with $\nabla f_i(x^k)$ "
        r"in place of $\nabla f_i(x^{k+1})$ adds $a (\tilde L D \eta_k)^2$ to the second"
    ),
    assumptions=(SMOOTH_ON_AVERAGE, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS),
    metric=r"E_{k+1},\ Y_{k+1}",
    output="estimate and table",
    side="above",
    constants=Table,
    formula=Table.estimator,
    proof=(
        r"With $X_i = d_i + \lambda(\nabla f_i(x^k) - y_i^k)$ the new error is $(1-\lambda)$ times "
        r"the old one plus the batch mean of $X_i - \bar X$: mean 0, variance at most $\nu \frac1n "
        r"\sum_i |X_i - \bar X|^2$, and Minkowski over $i$ and the past gives the bracket. "
        r"$x^{k+1}$ is fixed before the batch is drawn, so a stale entry has the distance $|\nabla "
        r"f_i(x^{k+1}) - y_i^k|$: Minkowski again."
    ),
    not_shown="The worst case, which the line test and the one-step claim attain.",
)

F5_EXACT = F5.part(
    "F5, exactly",
    "Error and staleness after one step, exactly",
    source="lemma on the estimator of Saga Sarah Frank-Wolfe; the equality that F5 is derived from",
    statement=(
        r"$$E\, e_{k+1}^2 = (1-\lambda)^2 e_k^2 + \nu\, \mathrm{Var}_i(X_i),\qquad E\, Y_{k+1} = "
        r"\frac{1-a}{n} \sum_i |\nabla f_i(x^{k+1}) - y_i|^2$$ with $X_i = \nabla f_i(x^{k+1}) - "
        r"\nabla f_i(x^k) + \lambda (\nabla f_i(x^k) - y_i)$; a table refreshed with $\nabla "
        r"f_i(x^k)$ adds $\frac an \sum_i |\nabla f_i(x^{k+1}) - \nabla f_i(x^k)|^2$ to the second"
    ),
    assumptions=(FRESH_BATCHES,),
    metric=r"E\, e_{k+1}^2,\ E\, Y_{k+1}",
    side="equal",
    formula=Table.one_step,
    not_shown="Nothing about rates: the identity is about one step of the estimator.",
)

F5_WHOLE_RUNS = F5.part(
    "F5, whole runs",
    "Error and staleness along whole runs, every sequence of batches",
    statement=(
        rf"{F5.statement}; started at the exact $E_0$ and $Y_0$ of a table of first gradients and "
        "of a table of zeros"
    ),
    metric=r"E_k,\ Y_k",
    not_shown="Long runs: those are sampled.",
)

F5_LINE_ERROR = F5.part(
    "F5 on a line, the error",
    "Saga Sarah's error on a straight line",
    source=f"{F5.source} with steps of length $h$",
    statement=f"{F5.statement}; here $D\\eta_k = h$",
    assumptions=(_ON_A_LINE,),
    metric=r"E\, e_{k-1}^2",
    output="estimate",
    formula=Table.error,
    not_shown="Points that depend on the estimate: the enumerated runs have those.",
)

F5_LINE_STALENESS = F5_LINE_ERROR.part(
    "F5 on a line, the table",
    "The table's staleness on a straight line",
    metric=r"E\, Y_{k-1}",
    output="table",
    formula=Table.staleness,
)

_RECURSION = (
    r"with $\bar E_{k+1} = (1-\lambda)^2 \bar E_k + \nu(L_\pm D \eta_k + \lambda "
    r"\sqrt{\bar Y_k})^2$, $\bar Y_{k+1} = (1-a)(\sqrt{\bar Y_k} + \tilde L D \eta_k)^2$ from the "
    r"exact $E_0$, $Y_0$ of the table"
)

F5_ERROR = F5.part(
    "F5 along runs, the error",
    "Saga Sarah's error along a run",
    statement=rf"$$E\, e_{{k-1}}^2 \le \bar E_{{k-1}}$$ {_RECURSION}",
    metric=r"E\, e_{k-1}^2",
    output="estimate",
    formula=Table.error,
)

F5_STALENESS = F5.part(
    "F5 along runs, the table",
    "The table's staleness along a run",
    statement=rf"$$E\, Y_{{k-1}} \le \bar Y_{{k-1}}$$ {_RECURSION}",
    metric=r"E\, Y_{k-1}",
    output="table",
    formula=Table.staleness,
)

F5_MIXING = F5.part(
    "F5, the best mixing",
    "The mixing with the smallest error",
    source=r"choice of $\lambda$ in the theorems; the leading factor of F5 is least at $a/2$",
    statement=(
        r"On a straight line the stationary error is smallest at a mixing between $b/2n$ and twice "
        r"that: the $\lambda = b/2n$ of the bound, or a little more"
    ),
    assumptions=(
        Assumption("points fixed in advance on a line"),
        Assumption("among 8 values from 1/8 to 8 times"),
    ),
    metric=r"E\, e^2",
    output="estimate",
    side="law",
    formula=None,
    not_shown="Other ways through the set, on which the best lambda can be another.",
)


def _half_refreshed(constants: Saga, *arguments: Any) -> bool:
    exact_table = constants.E_0 == 0 and constants.Y_0 == 0
    return exact_table and math.isclose(constants.mixing, constants.a / 2, rel_tol=1e-9)


FIRST_TABLE = Assumption(r"$\lambda = a/2$, table of first gradients", _half_refreshed)

F6 = Theorem(
    label="F6",
    title="The convex rate of Saga Sarah Frank-Wolfe, for any steps",
    paper=PAPER,
    source="convex theorem on Saga Sarah Frank-Wolfe; explicit form F6, any steps",
    algorithm="saga_sarah_frank_wolfe",
    statement=(
        r"$$E[f(x^k) - f^*] \le R_k,\quad R_{k+1} = (1-\eta_k) R_k + \eta_k D \sqrt{\bar E_k} "
        rf"+ \tfrac{{L}}{{2}} D^2 \eta_k^2,\quad R_0 = f(x^0) - f^*$$ {_RECURSION}"
    ),
    assumptions=(CONVEX, SMOOTH_ON_AVERAGE, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Saga,
    formula=Saga.convex,
    rate=1.0,
    proof="As F3, with F5 in place of F1b.",
    not_shown="The bound is for the worst instance and start.",
)

F6A = Theorem(
    label="F6a",
    title="The convex rate of Saga Sarah Frank-Wolfe in closed form, steps 2/(k + 8/a)",
    paper=PAPER,
    source=r"convex theorem on Saga Sarah Frank-Wolfe; explicit form F6a, steps $2/(k+8/a)$",
    algorithm="saga_sarah_frank_wolfe",
    statement=(
        r"$$E[f(x^k) - f^*] \le \frac{(c-1)(c-2)\, r_0 + 4Ak}{(k+c-1)(k+c-2)},\quad c = 8/a,\quad "
        r"A = D^2\left(\tfrac L2 + \sqrt{c_E}\right)$$ with $\rho = 1 + 1/c$, $q = "
        r"\sqrt{1-a}\,\rho$, $c_Y = q/(1-q)$, $c_E = \nu (L_\pm + \lambda c_Y \tilde L)^2 \rho^2 / "
        r"(1 - (1-\lambda)^2 \rho^2)$"
    ),
    assumptions=(
        CONVEX,
        SMOOTH_ON_AVERAGE,
        HESSIAN_VARIANCE,
        DIAMETER,
        Assumption("steps $2/(k + 8/a)$"),
        FIRST_TABLE,
    ),
    metric=r"E[f(x^k) - f^*]",
    output="last iterate",
    side="above",
    constants=Saga,
    formula=Saga.convex_closed_form,
    rate=1.0,
    proof=(
        r"With these steps F5 keeps $\sqrt{\bar Y_k} \le c_Y \tilde L D \eta_k$ and $\bar E_k \le "
        r"c_E D^2 \eta_k^2$; then as F3a."
    ),
    not_shown="The closed form is slacker than the recursion F6 that it is derived from.",
)

F6A_UNROLLED = F6A.part(
    "F6a and F7 unrolled",
    "The closed forms against the recursions they unroll",
    source="explicit forms F6a and F7 against the recursions F6 and F5",
    statement=(
        r"F6 stays below F6a for both refreshes of the table, with $c_Y = [Q + \sqrt{Q^2 + "
        r"(1-Q)(Q + a\rho^2)}]/(1-Q)$, $Q = (1-a)\rho^2$ for the old one; and F7's sum at constant "
        r"steps below $r_0/(\eta K) + \eta D^2 (L/2 + 2 \tilde L \sqrt{\nu/(a(1-a/4))})$"
    ),
    assumptions=(Assumption("arithmetic only"),),
    formula=Saga.closed_forms,
    metric="R_K",
    output="bound",
    rate=None,
    not_shown="That any method obeys the recursions: the other claims show that.",
)

F6A_NOISE_LAW = F6A.part(
    "F6a, its noise term",
    "The law of the noise term",
    source="convex theorem on Saga Sarah Frank-Wolfe, its noise term; explicit form F6a",
    statement=(
        r"$$\frac18 \sum_c E[f_c(x^K) - f_c^*] \propto \frac{1}{K} \frac{\sqrt n}{b}$$ over 8 "
        r"slopes $c$ of $f_i(x) = cx \pm x^2/2$, where $L = 0$ and $\tilde L = L_\pm = 1$: the "
        "noise term of the bound, as $Kb/n$ grows"
    ),
    assumptions=(Assumption("steps $2/(k + 8/a)$"), Assumption(r"$K \gg n/b$")),
    metric=r"\tfrac18 \sum_c E[f_c(x^K) - f_c^*]",
    side="law",
    formula=None,
    rate=None,
    not_shown=(
        "An exponent within 0.15 of the stated one, not the exponent itself, at finite $Kb/n$. The "
        "law in $K$ is one-sided. Generic problems follow no law as clean as this family."
    ),
)

F7 = Theorem(
    label="F7",
    title="The non-convex rate of the gap of Saga Sarah Frank-Wolfe",
    paper=PAPER,
    source="non-convex theorem on Saga Sarah Frank-Wolfe; explicit form F7, constant steps",
    algorithm="saga_sarah_frank_wolfe",
    statement=(
        r"$$\frac1k \sum_{j<k} E\, G_j \le \frac{1}{\eta k}\left(r_0 + D \eta \sum_{j<k} "
        r"\sqrt{\bar E_j} + \tfrac L2 D^2 \eta^2 k\right) \le \frac{r_0}{\eta k} + \eta D^2 "
        r"\left(\tfrac L2 + 2 \tilde L \sqrt{\tfrac{\nu}{a(1-a/4)}}\right)$$ "
        rf"{_RECURSION}"
    ),
    assumptions=(SMOOTH_ON_AVERAGE, HESSIAN_VARIANCE, DIAMETER, FIXED_STEPS, FIRST_TABLE),
    metric=r"\frac1k \sum_{j<k} E\, G_j",
    output="average over the run (a random iterate)",
    side="above",
    constants=Saga,
    formula=Saga.nonconvex,
    proof="As F4, with F5 in place of F1b.",
    not_shown="The gap of the last iterate, and any statement on minimizers.",
)

F8 = Theorem(
    label="F8",
    title="Counts of gradients and of oracle calls",
    paper=PAPER,
    source="complexity corollaries of both methods; explicit forms F3a and F6a solved for k",
    algorithm="saga_sarah_frank_wolfe",
    statement=(
        r"With $b = \sqrt n$ the bounds guarantee accuracy $\epsilon$ after a number of oracle "
        r"calls that does not grow with $n$, and after $O(n + \sqrt n/\epsilon)$ gradients: "
        "exponents 0 and 1/2, of Saga Sarah and of Sarah Frank-Wolfe"
    ),
    assumptions=(Assumption(r"$n \ll 1/\epsilon^2$, so that $\sqrt n/\epsilon$ outweighs $n$"),),
    metric=r"K_\epsilon(n)",
    output="bound",
    side="law",
    proof=(
        r"$p = b/(n+b)$ makes $\nu(1-p)/p = n/b^2$ in F3a, which is 1 at $b = \sqrt n$; a step "
        "costs at most $3b$ gradients in the mean."
    ),
    not_shown="What runs need, which is far less: the laws have an instance for that.",
)

# --- From below ---

F9 = Theorem(
    label="F9",
    title="No method with this oracle is faster",
    paper=PAPER,
    source="folklore lower bound for linear minimization oracles (Jaggi 2013); form F9",
    algorithm="sarah_frank_wolfe",
    statement=(
        r"$$f(x^k) - f^* \ge \tfrac12\left(\tfrac{1}{k+1} - \tfrac1d\right)$$ on every path"
    ),
    assumptions=(
        Assumption(r"$f(x) = |x|^2/2$ on the simplex, from a vertex"),
        Assumption("oracle returns vertices"),
    ),
    metric=r"f(x^k) - f^*",
    output="last iterate",
    side="below",
    constants=Dimension,
    formula=Dimension.floor,
    rate=1.0,
    proof=(
        r"$x^k$ has at most $k+1$ coordinates that are not 0, so that $|x^k|^2 \ge 1/(k+1)$, while "
        r"$f^* = 1/(2d)$."
    ),
    not_shown="A bound for this instance; others can be easier.",
)
