r"""The SARAH/PAGE estimator of Sarah Frank-Wolfe, and one step of the method: F1, F1b, F2, F3b.

With e_k = |g^k - grad f(x^k)| and V_k the variance of grad f_i(x^{k+1}) - grad f_i(x^k) over i,

    E e_{k+1}^2 = (1-p) (e_k^2 + nu V_k),        nu = 1/b, or (n-b)/(b(n-1)) without replacement.
"""

from collections.abc import Callable
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant, NoiseTight, random_least_squares

from ...checks import ExactIdentity, ExactInequality, SampledIdentity, UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from . import mutants
from .bounds import Sarah
from .enumeration import BATCH, SAMPLES, descent_step, estimator_moments, lyapunov_step, small_run
from .paper import sarah_claim
from .process import (
    AlongTheRun,
    LineTest,
    ReusedBatch,
    SarahRun,
    line_test,
    step_table,
    variance_factor,
)

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Moments = tuple[Array, Array, Array]

IDENTITY = r"$$E\, e_{k+1}^2 = (1-p)\left(e_k^2 + \nu V_k\right)$$"
WHERE = (
    r"with $e_k = |g^k - \nabla f(x^k)|$, $V_k = \frac1n \sum_i |d_i|^2 - |\bar d|^2$, "
    r"$d_i = \nabla f_i(x^{k+1}) - \nabla f_i(x^k)$"
)


def _nu(replacement: bool) -> float:
    return variance_factor(SAMPLES, BATCH, replacement=replacement)


# --- F1, exactly ---


@cache
def _moments(p: float, replacement: bool, reuse_batch: bool = False) -> Moments:
    return estimator_moments(small_run(p=p, replacement=replacement), reuse_batch=reuse_batch)


def _exact_identity(
    p: float, replacement: bool, *, nu: float, kept: float, reuse_batch: bool = False
) -> ExactIdentity:
    """Measured E e_{k+1}^2 against kept * (E e_k^2 + nu E V_k)."""

    def compute() -> tuple[Array, Array]:
        after, before, variance = _moments(p, replacement, reuse_batch)
        return after, kept * (before + nu * variance)

    return ExactIdentity(compute, what="all batches and coins of two steps enumerated")


def _identity_case(replacement: bool) -> Case:
    p = 0.3
    nu = _nu(replacement)
    check = partial(_exact_identity, p, replacement)
    return Case(
        problem=(
            f"least squares, $n = {SAMPLES}$, $d = 3$, over the $\\ell_1$ ball, batches of "
            f"{BATCH}, 8 random states"
        ),
        constants={"nu": Constant(nu, "exact", derivation="variance factor of a batch")},
        parameters={"p": p, "batch size": BATCH, "replacement": str(replacement)},
        check=check(nu=nu, kept=1 - p),
        controls=(
            Control(
                "wrong nu",
                "the variance factor of the other kind of sampling",
                check(nu=_nu(not replacement), kept=1 - p),
            ),
            Control(
                "forgotten (1-p)",
                r"the prediction $e_k^2 + \nu V_k$, without the factor $1-p$",
                check(nu=nu, kept=1.0),
            ),
            Control(
                "batch reused",
                "the second step takes the batch of the first, on which its point depends",
                check(nu=nu, kept=1 - p, reuse_batch=True),
            ),
        ),
    )


def _identity_claim(replacement: bool) -> Claim:
    how = "with" if replacement else "without"
    return sarah_claim(
        id=f"frank_wolfe/sarah/estimator/identity-{how}-replacement",
        title=f"The estimator's error, exactly (sampling {how} replacement)",
        source="estimator lemma (SARAH/PAGE recursion); exact form F1",
        theorem="F1",
        statement=f"{IDENTITY} {WHERE}",
        assumptions=(f"batches drawn uniformly {how} replacement, after $x^{{k+1}}$",),
        kind="identity",
        metric=r"E\, e_{k+1}^2",
        unit="iteration",
        output="estimate",
        x_label="random state",
        prepare=partial(_identity_case, replacement),
        not_shown="Nothing about rates: the identity is about one step of the estimator.",
    )


# --- F1 along runs, sampled ---

ALONG = {"n": 64, "d": 10, "b": 32, "p": 0.1, "steps": 400, "step": 0.02}


ALONG_TEXT = (
    f"least squares, $n = {int(ALONG['n'])}$, $d = {int(ALONG['d'])}$, over the $\\ell_1$ ball of "
    "radius 3"
)


def _least_squares_run(
    process: type[SarahRun], method: Callable[..., object], *, steps: int
) -> SarahRun:
    constraint = optzoo.lmo.l1_ball(3.0)
    problem = random_least_squares(int(ALONG["n"]), int(ALONG["d"]), 7)
    return process(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(problem.dim)),
        steps=step_table(ALONG["step"], steps),
        restart_probability=jnp.asarray(ALONG["p"]),
        f_star=jnp.asarray(0.0),
        batch_size=int(ALONG["b"]),
        replacement=False,
        method=method,
    )


@cache
def _along(method: Callable[..., object], process: type[AlongTheRun]) -> Experiment:
    steps = int(ALONG["steps"])
    run = _least_squares_run(process, method, steps=steps)
    name = f"estimator-along-runs-{method.__name__}-{process.__name__}"
    return Experiment(name, run, (steps,), lanes=16)


def _along_check(
    *,
    replacement: bool = False,
    kept: float = 1 - ALONG["p"],
    method: Callable[..., object] = optzoo.sarah_frank_wolfe,
    process: type[AlongTheRun] = AlongTheRun,
) -> SampledIdentity:
    nu = variance_factor(int(ALONG["n"]), int(ALONG["b"]), replacement=replacement)
    return SampledIdentity(
        _along(method, process),
        left=lambda sums: sums["after"],
        right=lambda sums: kept * (sums["before"] + nu * sums["variance"]),
    )


def _along_case() -> Case:
    n, b, p = int(ALONG["n"]), int(ALONG["b"]), ALONG["p"]
    nu = variance_factor(n, b, replacement=False)
    return Case(
        problem=f"{ALONG_TEXT}, {int(ALONG['steps'])} steps",
        constants={"nu": Constant(nu, "exact", derivation="(n-b)/(b(n-1))")},
        parameters={"p": p, "batch size": b, "replacement": "False"},
        check=_along_check(),
        controls=(
            Control(
                "wrong nu",
                "1/b although sampled without replacement",
                _along_check(replacement=True),
            ),
            Control("forgotten (1-p)", "the factor $1-p$ is left out", _along_check(kept=1.0)),
            Control(
                "restarted half as often",
                "the coin comes out as a restart with probability $p/2$",
                _along_check(method=mutants.restarted_half_as_often),
            ),
            Control(
                "batch reused",
                "every batch serves two consecutive steps",
                _along_check(process=ReusedBatch),
            ),
        ),
    )


# --- The line test: F1 with exogenous points ---

LINE = {"p": 0.2, "h": 0.1, "b": 2}
LINE_CHECKPOINTS = (2, 3, 5, 8, 13, 21, 40, 80)


def _line_exact(checkpoints: tuple[int, ...]) -> Array:
    """E e^2 after k calls: nu h^2 sum_{j=1}^{k-1} (1-p)^j, as V = h^2 on every step."""
    p, h, b = LINE["p"], LINE["h"], LINE["b"]
    kept = 1 - p
    powers = kept ** np.asarray(checkpoints, dtype=np.float64)
    return np.asarray(h**2 / b * (kept - powers) / p)


@cache
def _line(
    checkpoints: tuple[int, ...],
    method: Callable[..., object] = optzoo.sarah_frank_wolfe,
    process: type[LineTest] = LineTest,
) -> Experiment:
    run = line_test(
        restart_probability=LINE["p"], step=LINE["h"], batch_size=int(LINE["b"]), method=method
    )
    if process is not LineTest:
        run = process(**vars(run))
    name = f"line-{checkpoints[-1]}-{method.__name__}-{process.__name__}"
    return Experiment(name, run, checkpoints, lanes=32)


def _line_constants() -> dict[str, Constant]:
    return {
        **NoiseTight(slope=0.0, num_samples=64).constants,
        "nu": Constant(1 / LINE["b"], "exact", derivation="1/b, with replacement"),
    }


def _line_case() -> Case:
    def check(experiment: Experiment, exact: Array | None = None) -> SampledIdentity:
        right = _line_exact(LINE_CHECKPOINTS) if exact is None else exact
        return SampledIdentity(
            experiment,
            left=lambda metrics: metrics["squared_error"],
            right=lambda metrics: right,
            looks=32,
        )

    line = _line(LINE_CHECKPOINTS)
    return Case(
        problem=r"$f_i(x) = \pm x^2/2$, points $x^k = kh$ whatever the estimate, so $V_k = h^2$",
        constants=_line_constants(),
        parameters={"p": LINE["p"], "h": LINE["h"], "batch size": int(LINE["b"])},
        check=check(line),
        controls=(
            Control(
                "never restarted",
                "only the first gradient is full",
                check(_line(LINE_CHECKPOINTS, mutants.never_restarted)),
            ),
            Control(
                "constant batch",
                "the minibatch gradient itself, without recursion",
                check(_line(LINE_CHECKPOINTS, mutants.constant_batch)),
            ),
            Control(
                "forgotten (1-p)",
                "exact values divided by $1-p$",
                check(line, _line_exact(LINE_CHECKPOINTS) / (1 - LINE["p"])),
            ),
        ),
    )


# --- F1b: the bound ---

F1B_CHECKPOINTS = (5, 10, 20, 40, 80, 160, 320, 640)


@cache
def _bounded(method: Callable[..., object] = optzoo.sarah_frank_wolfe) -> Experiment:
    return Experiment(
        f"estimator-bounded-{method.__name__}",
        _least_squares_run(SarahRun, method, steps=F1B_CHECKPOINTS[-1]),
        F1B_CHECKPOINTS,
        lanes=16,
    )


def _bound_case() -> Case:
    n, b, p, eta = int(ALONG["n"]), int(ALONG["b"]), ALONG["p"], ALONG["step"]
    run = _least_squares_run(SarahRun, optzoo.sarah_frank_wolfe, steps=1)
    constants, D = run.problem.constants, float(run.constraint.diameter(run.x0))
    bounds = Sarah(
        L=constants["L"].value,
        L_pm=constants["L_pm"].value,
        D=D,
        p=p,
        nu=variance_factor(n, b, replacement=False),
        r_0=1.0,
    )
    # The estimate seen after k calls was formed at x^{k-1}.
    bound = bounds.estimator(np.full(F1B_CHECKPOINTS[-1], eta))[np.array(F1B_CHECKPOINTS) - 1]

    def check(
        scale: float = 1.0, method: Callable[..., object] = optzoo.sarah_frank_wolfe
    ) -> UpperBound:
        return UpperBound(_bounded(method), "squared_error", scale * bound)

    return Case(
        problem=ALONG_TEXT + f", {F1B_CHECKPOINTS[-1]} steps of {eta}",
        constants={
            **constants,
            "D": Constant(D, "exact", derivation="twice the radius of the l1 ball"),
        },
        parameters={"p": p, "eta": eta, "batch size": b, "replacement": "False"},
        check=check(),
        controls=(
            Control("bound divided by ten", "a false claim: a tenth of the bound", check(0.1)),
            Control(
                "never restarted",
                "only the first gradient is full",
                check(method=mutants.never_restarted),
            ),
            Control(
                "null",
                "the line test's exact mean as a bound: equality, so nothing may be refuted",
                UpperBound(_line(LINE_CHECKPOINTS), "squared_error", _line_exact(LINE_CHECKPOINTS)),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- F2 and F3b: one step, exactly ---

ONE_STEP = "f(x) = cx + Lx^2/2$ on $[-1, 1]$"


def _descent_case() -> Case:
    def sides(
        *, error: float = 1.0, curvature: float = 1.0, wrong_sign: bool = False
    ) -> tuple[Array, Array]:
        method = mutants.wrong_sign_oracle if wrong_sign else optzoo.sarah_frank_wolfe
        left, error_term, curvature_term = descent_step(method)
        return left, error * error_term + curvature * curvature_term

    what = "a grid over slopes, curvatures, steps, points and errors of the gradient"
    return Case(
        problem=f"${ONE_STEP}, with an estimate off by a given error",
        constants={
            "D": Constant(2.0, "exact", derivation="length of [-1, 1]"),
            "L": Constant(2.0, "exact", derivation="0, 0.5 and 2: the second derivative of f"),
        },
        parameters={"steps": "0.1, 0.5 and 1"},
        check=ExactInequality(sides, what=what),
        controls=(
            Control(
                "L divided by 1.1",
                "a false claim: the curvature term with a smaller L",
                ExactInequality(partial(sides, curvature=1 / 1.1), what=what),
            ),
            Control(
                "D divided by 1.1 in the error term",
                "a false claim: the error term with a smaller D",
                ExactInequality(partial(sides, error=1 / 1.1), what=what),
            ),
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes",
                ExactInequality(partial(sides, wrong_sign=True), what=what),
            ),
        ),
    )


def _lyapunov_case() -> Case:
    p, eta = 0.4, 0.2

    def sides(
        *, scale: float = 1.0, weight: float = 1.0, wrong_sign: bool = False
    ) -> tuple[Array, Array]:
        method = mutants.wrong_sign_oracle if wrong_sign else optzoo.sarah_frank_wolfe
        left, right = lyapunov_step(p=p, eta=eta, method=method, weight=weight)
        return left, scale * right

    what = "all batches and coins of a step, on a grid of slopes, points and estimates"
    return Case(
        problem=r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = 4$, $c$ from 0.02 to 1",
        constants={
            **NoiseTight(slope=1.0, num_samples=4).constants,
            "D": Constant(2.0, "exact", derivation="length of [-1, 1]"),
        },
        parameters={"p": p, "step": eta, "batch size": BATCH},
        check=ExactInequality(sides, what=what),
        controls=(
            Control(
                "A divided by 1.1",
                "a false claim: a smaller constant",
                ExactInequality(partial(sides, scale=1 / 1.1), what=what),
            ),
            Control(
                "M halved",
                "a false claim: another weight of the squared error",
                ExactInequality(partial(sides, weight=0.5), what=what),
            ),
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes",
                ExactInequality(partial(sides, wrong_sign=True), what=what),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    _identity_claim(True),
    _identity_claim(False),
    sarah_claim(
        id="frank_wolfe/sarah/estimator/identity-along-runs",
        title="The estimator's error along whole runs",
        source="estimator lemma (SARAH/PAGE recursion); exact form F1, summed over a run",
        theorem="F1",
        statement=rf"$$E \sum_k e_{{k+1}}^2 = (1-p)\, E \sum_k (e_k^2 + \nu V_k)$$ {WHERE}",
        assumptions=("batches drawn uniformly without replacement, after $x^{k+1}$",),
        kind="identity",
        metric=r"\sum_k e_{k+1}^2",
        unit="iteration",
        output="estimate",
        prepare=_along_case,
        not_shown="A deviation smaller than four standard errors would pass.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/estimator/line-test",
        title="The estimator on a straight line, where its error is known",
        source="estimator lemma (SARAH/PAGE recursion); exact form F1 with $V_k = h^2$",
        theorem="F1",
        statement=r"$$E\, e_k^2 = \nu h^2\, \frac{(1-p) - (1-p)^{k+1}}{p}$$",
        assumptions=("points fixed in advance on a line with steps of length $h$",),
        kind="identity",
        metric=r"E\, e_{k-1}^2",
        unit="iteration",
        output="estimate",
        prepare=_line_case,
        not_shown="Points that depend on the estimate: see the identity along runs.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/estimator/bound",
        title="The estimator's error is bounded",
        source="estimator lemma (SARAH/PAGE recursion); explicit form F1b",
        theorem="F1b",
        statement=(
            r"$$E\, e_k^2 \le \nu L_\pm^2 D^2 \sum_{j<k} (1-p)^{k-j} \eta_j^2$$ and so at most "
            r"$\nu L_\pm^2 D^2 \eta^2 (1-p)/p$ for constant steps"
        ),
        assumptions=(r"Hessian variance $L_\pm$", r"diameter $D$", "steps fixed in advance"),
        kind="upper_bound",
        metric=r"E\, e_{k-1}^2",
        unit="iteration",
        output="estimate",
        prepare=_bound_case,
        not_shown=(
            "The worst case: an instance whose gradients differ alike along every step attains "
            "the bound (the line test), this one does not."
        ),
    ),
    sarah_claim(
        id="frank_wolfe/sarah/one-step/descent",
        title="One step with an inexact gradient",
        source="descent lemma of the convex and the non-convex theorem; explicit form F2",
        theorem="F2",
        statement=(
            r"$$f(x^{k+1}) - f(x^k) + \eta G_k \le \eta D e_k + \tfrac L2 D^2 \eta^2$$ on every "
            r"path, with the Frank-Wolfe gap $G_k$ and $e_k = |g^k - \nabla f(x^k)|$"
        ),
        assumptions=(r"$f$ $L$-smooth on the set", r"diameter $D$", r"$\eta \in [0, 1]$"),
        kind="one_step",
        metric=r"f(x^{k+1}) - f(x^k) + \eta G_k",
        unit="iteration",
        output="last iterate",
        x_label="state, the closest to the bound first",
        prepare=_descent_case,
        not_shown="One dimension, in which either term is attained; not every state of every set.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/one-step/lyapunov",
        title="One step of the Lyapunov function",
        source="convex theorem, one step of its proof; explicit form F3b",
        theorem="F3b",
        statement=(
            r"$$E\,\Phi_{k+1} - (1-\eta)\Phi_k \le A\eta^2,\quad \Phi_k = f(x^k) - f^* + M e_k^2$$"
            r" with $M = 1/(L_\pm\sqrt{2p(1-p)\nu})$, $A = D^2(L/2 + L_\pm\sqrt{2\nu(1-p)/p})$"
        ),
        assumptions=(r"$f$ convex and $L$-smooth", r"Hessian variance $L_\pm$", r"$\eta \le p/2$"),
        kind="one_step",
        metric=r"E\,\Phi_{k+1} - (1-\eta)\Phi_k",
        unit="iteration",
        output="last iterate",
        x_label="state, the closest to the bound first",
        prepare=_lyapunov_case,
        not_shown="The term $L/2$ of $A$, which is 0 here: the descent step has it.",
    ),
)
