r"""The SARAH/PAGE estimator of Sarah Frank-Wolfe: F1, F1b and F3b's one step.

With e_k = |g^k - grad f(x^k)| and V_k the variance of grad f_i(x^{k+1}) - grad f_i(x^k) over i,

    E e_{k+1}^2 = (1-p) (e_k^2 + nu V_k),        nu = 1/b, or (n-b)/(b(n-1)) without replacement.
"""

from collections.abc import Callable
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant, FiniteSum, NoiseTight, random_least_squares

from ... import mutants
from ...checks import ExactIdentity, ExactInequality, SampledIdentity, UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .enumeration import BATCH, SAMPLES, estimator_moments, lyapunov_step, small_run
from .paper import sarah_claim
from .process import AlongTheRun, LineTest, ReusedBatch, line_test, step_table, variance_factor

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


@cache
def _along(method: Callable[..., object], process: type[AlongTheRun]) -> Experiment:
    constraint = optzoo.lmo.l1_ball(3.0)
    problem = random_least_squares(int(ALONG["n"]), int(ALONG["d"]), 7)
    run = process(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(problem.dim)),
        steps=step_table(ALONG["step"], int(ALONG["steps"])),
        restart_probability=jnp.asarray(ALONG["p"]),
        f_star=jnp.asarray(0.0),
        batch_size=int(ALONG["b"]),
        replacement=False,
        method=method,
    )
    name = f"estimator-along-runs-{method.__name__}-{process.__name__}"
    return Experiment(name, run, (int(ALONG["steps"]),), lanes=16)


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
        problem=(
            f"least squares, $n = {n}$, $d = {int(ALONG['d'])}$, over the $\\ell_1$ ball of "
            f"radius 3, {int(ALONG['steps'])} steps"
        ),
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

F1B_CHECKPOINTS = (2, 3, 4)


def _bound_case() -> Case:
    p, h, b = LINE["p"], LINE["h"], LINE["b"]
    bound = np.full(len(F1B_CHECKPOINTS), h**2 / b * (1 - p) / p)
    line = _line(F1B_CHECKPOINTS)
    return Case(
        problem=r"$f_i(x) = \pm x^2/2$ on a line, $x^k = kh$, up to $k = 0.8/p$",
        constants=_line_constants(),
        parameters={"p": p, "h": h, "batch size": int(b)},
        check=UpperBound(line, "squared_error", bound),
        controls=(
            Control(
                "bound divided by ten",
                "a false claim: a tenth of the bound",
                UpperBound(line, "squared_error", bound / 10),
            ),
            Control(
                "never restarted",
                "only the first gradient is full; run to $k = 16/p$",
                UpperBound(
                    _line(LINE_CHECKPOINTS, mutants.never_restarted),
                    "squared_error",
                    np.full(len(LINE_CHECKPOINTS), bound[0]),
                ),
            ),
            Control(
                "null",
                "the exact mean as the bound: equality holds, so nothing may be refuted",
                UpperBound(line, "squared_error", _line_exact(F1B_CHECKPOINTS)),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- F3b: one step of the Lyapunov function ---


def _lyapunov_case() -> Case:
    p, eta = 0.4, 0.2

    def sides(scale: float = 1.0, *, wrong_sign: bool = False) -> tuple[Array, Array]:
        method = mutants.wrong_sign_oracle if wrong_sign else optzoo.sarah_frank_wolfe
        run = small_run(p=p, replacement=True, step=eta, method=method)
        left, right = lyapunov_step(run)
        return left, right * scale

    problem: FiniteSum = small_run(p=p, replacement=True).problem
    what = "all batches and coins of a step enumerated"
    return Case(
        problem=(
            f"least squares, $n = {SAMPLES}$, $d = 3$, over the $\\ell_1$ ball, 64 random states"
        ),
        constants={
            **problem.constants,
            "D": Constant(2.0, "exact", derivation="twice the radius of the l1 ball"),
        },
        parameters={"p": p, "step": eta, "batch size": BATCH},
        check=ExactInequality(sides, what=what),
        controls=(
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes",
                ExactInequality(partial(sides, wrong_sign=True), what=what),
            ),
            Control(
                "right-hand side halved",
                "a false claim: half of what the theorem allows",
                ExactInequality(partial(sides, 0.5), what=what),
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
        title="The estimator's error is bounded, tightly",
        source="estimator lemma (SARAH/PAGE recursion); explicit form F1b",
        theorem="F1b",
        statement=r"$$E\, e_k^2 \le \nu L_\pm^2 D^2 \eta^2\, \frac{1-p}{p}$$ (here $D \eta = h$)",
        assumptions=(r"Hessian variance $L_\pm$", r"steps of length at most $D\eta$"),
        kind="upper_bound",
        metric=r"E\, e_{k-1}^2",
        unit="iteration",
        output="estimate",
        prepare=_bound_case,
        not_shown="The instance attains the bound as $k$ grows; on generic data it is slacker.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/estimator/lyapunov-step",
        title="One step decreases the Lyapunov function",
        source="convex theorem, one step of its proof; explicit form F3b",
        theorem="F3b",
        statement=(
            r"$$E\,\Phi_{k+1} \le (1-\eta)\Phi_k + A\eta^2,\quad \Phi_k = f(x^k) - f^* + M e_k^2$$"
            r" with $M = 1/(L_\pm\sqrt{2p(1-p)\nu})$, $A = D^2(L/2 + L_\pm\sqrt{2\nu(1-p)/p})$"
        ),
        assumptions=(r"$f$ convex and $L$-smooth", r"Hessian variance $L_\pm$", r"$\eta \le p/2$"),
        kind="one_step",
        metric=r"E\,\Phi_{k+1}",
        unit="iteration",
        output="last iterate",
        x_label="random state",
        prepare=_lyapunov_case,
        not_shown="Random states are not the worst ones.",
    ),
)
