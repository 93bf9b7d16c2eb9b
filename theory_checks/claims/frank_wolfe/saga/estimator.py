r"""The estimator of Saga Sarah Frank-Wolfe and its table: F5, exactly and along runs.

With e_k = |g^k - grad f(x^k)|, Y_k = (1/n) sum_i |grad f_i(x^k) - y_i^k|^2 and a the probability
that an index is in a batch,

    E_{k+1} <= (1-lambda)^2 E_k + nu (Lpm D eta_k + lambda sqrt(Y_k))^2,
    Y_{k+1} <= (1-a) (sqrt(Y_k) + Lt D eta_k)^2.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant, NoiseTight

from ....checks import ExactIdentity, ExactInequality, Minimizer, UpperBound
from ....claim import Case, Claim, Control
from ....mutants import saga_frank_wolfe as mutants
from ....simulation import Experiment
from ..bounds import Saga
from ..paper import saga_claim
from ..process import variance_factor
from .enumeration import BATCH, SAMPLES, error_and_staleness, one_step, refresh, whole_runs
from .process import (
    Method,
    MixingFamily,
    SagaLine,
    StaleLine,
    noise_tight_saga,
    refresh_probability,
)

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

RECURSION = (
    r"$$E_{k+1} \le (1-\lambda)^2 E_k + \nu\left(L_\pm D \eta_k + \lambda \sqrt{Y_k}\right)^2,"
    r"\qquad Y_{k+1} \le (1-a)\left(\sqrt{Y_k} + \tilde L D \eta_k\right)^2$$"
)
WHERE = (
    r"with $E_k = E|g^k - \nabla f(x^k)|^2$, $Y_k = \frac1n \sum_i E|\nabla f_i(x^k) - y_i^k|^2$ "
    r"and $a$ the probability that an index is in a batch; a table refreshed with "
    r"$\nabla f_i(x^k)$ in place of $\nabla f_i(x^{k+1})$ adds $a (\tilde L D \eta_k)^2$ to the "
    "second"
)
SOURCE = "lemma on the estimator of Saga Sarah Frank-Wolfe"
REFRESHES: tuple[Method, Method] = (optzoo.saga_sarah_frank_wolfe, mutants.refreshed_with_old)


# --- The error and the staleness after one step, exactly ---


@cache
def _step(replacement: bool, method: Method, shift: int = 0) -> dict[str, Array]:
    return error_and_staleness(replacement, method, shift=shift)


def _identity(
    replacement: bool,
    *,
    nu: float,
    mixing: float,
    a: float,
    methods: tuple[Method, Method] = REFRESHES,
    shift: int = 0,
) -> ExactIdentity:
    """E e_{k+1}^2 and E Y_{k+1} against their exact values, for both refreshes of the table."""

    def compute() -> tuple[Array, Array]:
        measured, exact = [], []
        for method, old in zip(methods, (False, True), strict=True):
            found = _step(replacement, method, shift)
            measured += [found["error"], found["staleness"]]
            error = (1 - mixing) ** 2 * found["before"] + nu * found["variance"]
            staleness = (1 - a) * found["stale"] + (a * found["moved"] if old else 0.0)
            exact += [error, staleness]
        return np.concatenate(measured), np.concatenate(exact)

    return ExactIdentity(compute, what="all batches of a step enumerated, both refreshes")


def _identity_case(replacement: bool) -> Case:
    nu = variance_factor(SAMPLES, BATCH, replacement=replacement)
    a = refresh(replacement)
    check = partial(_identity, replacement, nu=nu, mixing=a / 2, a=a)
    early = (mutants.refreshed_too_early, mutants.refreshed_with_old)
    return Case(
        problem=(
            f"least squares, $n = {SAMPLES}$, $d = 3$, over the $\\ell_1$ ball, batches of "
            f"{BATCH}, 8 random states and tables"
        ),
        constants={
            "nu": Constant(nu, "exact", derivation="variance factor of a batch"),
            "a": Constant(a, "exact", derivation="probability that an index is in a batch"),
        },
        parameters={
            "lambda": a / 2,
            "batch size": BATCH,
            "replacement": str(replacement),
            "table": "refreshed with the new and with the old gradients",
        },
        check=check(),
        controls=(
            Control(
                "wrong nu",
                "the variance factor of the other kind of sampling",
                check(nu=variance_factor(SAMPLES, BATCH, replacement=not replacement)),
            ),
            Control(
                "wrong refresh probability",
                "the probability $a$ of the other kind of sampling",
                check(a=refresh(not replacement)),
            ),
            Control(
                "lambda halved",
                "the prediction for another mixing than the method's",
                check(mixing=a / 4),
            ),
            Control(
                "refreshed before the difference is formed",
                "the rows of the batch are replaced before the estimate looks at them",
                check(methods=early),
            ),
            Control(
                "wrong rows",
                "the table is read and written at the rows beside those of the batch",
                check(shift=1),
            ),
            Control(
                "the other refresh",
                "each prediction for the other convention of the table",
                check(methods=(REFRESHES[1], REFRESHES[0])),
            ),
        ),
    )


def _identity_claim(replacement: bool) -> Claim:
    how = "with" if replacement else "without"
    return saga_claim(
        id=f"frank_wolfe/saga/estimator/identity-{how}-replacement",
        title=f"Error and staleness after one step, exactly (sampling {how} replacement)",
        source=f"{SOURCE}; the equality that F5 is derived from",
        theorem="F5",
        statement=(
            r"$$E\, e_{k+1}^2 = (1-\lambda)^2 e_k^2 + \nu\, \mathrm{Var}_i(X_i),\qquad "
            r"E\, Y_{k+1} = \frac{1-a}{n} \sum_i |\nabla f_i(x^{k+1}) - y_i|^2$$ with $X_i = "
            r"\nabla f_i(x^{k+1}) - \nabla f_i(x^k) + \lambda (\nabla f_i(x^k) - y_i)$; a table "
            r"refreshed with $\nabla f_i(x^k)$ adds $\frac an \sum_i |\nabla f_i(x^{k+1}) - "
            r"\nabla f_i(x^k)|^2$ to the second"
        ),
        assumptions=(f"batches drawn uniformly {how} replacement, after $x^{{k+1}}$",),
        kind="identity",
        metric=r"E\, e_{k+1}^2,\ E\, Y_{k+1}",
        unit="iteration",
        output="estimate and table",
        x_label="random state",
        prepare=partial(_identity_case, replacement),
        not_shown="Nothing about rates: the identity is about one step of the estimator.",
    )


# --- F5 after one step, where it is attained ---


@cache
def _attained(replacement: bool, method: Method) -> dict[str, Array]:
    return one_step(replacement, method)


def _one_step_sides(
    change: Callable[[Saga], Saga] = lambda saga: saga, *, seen: float = 1.0, old: float = 1.0
) -> tuple[Array, Array]:
    """Measured and bound of E and of Y.

    Args:
        change: of the constants in the bound.
        seen: how much of sqrt(Y) the bound of E sees.
        old: how much is added for a table that is refreshed with the old gradients.
    """
    measured, bounds = [], []
    for replacement in (True, False):
        saga = change(_one_step_constants(replacement))
        for method in REFRESHES:
            found = _attained(replacement, method)
            error, _ = _after_one_step(saga, found, seen)
            _, staleness = _after_one_step(saga, found)
            if method is mutants.refreshed_with_old:
                _, more = _after_one_step(replace(saga, refreshed_with_new=False), found)
                staleness = staleness + old * (more - staleness)
            measured += [found["error"], found["staleness"]]
            bounds += [error, staleness]
    return np.concatenate(measured), np.concatenate(bounds)


def _one_step_constants(replacement: bool) -> Saga:
    a = refresh(replacement)
    return Saga(
        L=0.0,
        L_pm=1.0,
        L_tilde=1.0,
        D=2.0,
        a=a,
        mixing=a / 2,
        nu=variance_factor(SAMPLES, BATCH, replacement=replacement),
        r_0=1.0,
    )


def _after_one_step(saga: Saga, found: dict[str, Array], seen: float = 1.0) -> tuple[Array, Array]:
    """F5 after one step from each of the states."""
    states = zip(found["before"], seen * found["root"], found["move"], strict=True)
    rows = [
        replace(saga, E_0=float(before), Y_0=float(root**2)).estimator([move / saga.D])
        for before, root, move in states
    ]
    error, staleness = np.array(rows)[:, :, 1].T
    return error, staleness


def _one_step_case() -> Case:
    what = "all batches of a step, on a grid of steps, errors and stale tables"

    def check(
        change: Callable[[Saga], Saga] = lambda saga: saga, **changes: float
    ) -> ExactInequality:
        return ExactInequality(partial(_one_step_sides, change, **changes), what=what)

    return Case(
        problem=r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = 4$, from the end, rows equally stale",
        constants={
            **NoiseTight(slope=0.7, num_samples=SAMPLES).constants,
            "D": Constant(2.0, "exact", derivation="length of [-1, 1]"),
        },
        parameters={
            "lambda": "a/2",
            "batch size": BATCH,
            "replacement": "both",
            "table": "refreshed with the new and with the old gradients",
        },
        check=check(),
        controls=(
            Control(
                "nu divided by 1.1",
                "a false claim: less noise",
                check(lambda saga: replace(saga, nu=saga.nu / 1.1)),
            ),
            Control(
                "staleness halved in the noise",
                r"a false claim: $\lambda\sqrt{Y_k}/2$ in place of $\lambda\sqrt{Y_k}$",
                check(seen=0.5),
            ),
            Control(
                "1 - a divided by 1.1",
                "a false claim: a table that is refreshed faster",
                check(lambda saga: replace(saga, a=1 - (1 - saga.a) / 1.1)),
            ),
            Control(
                "the new refresh's bound for the old refresh",
                r"without the term $a (\tilde L D \eta_k)^2$",
                check(old=0.0),
            ),
            Control(
                "nine tenths of that term",
                "a false claim: it is attained as it stands",
                check(old=0.9),
            ),
        ),
    )


# --- F5 along whole runs, all sequences of batches ---


@cache
def _run_moments(replacement: bool, warm: bool, method: Method) -> tuple[Array, Array]:
    return whole_runs(replacement=replacement, warm=warm, method=method)


def _whole_runs_case() -> Case:
    def sides(scale: float = 1.0, *, swapped: bool = False) -> tuple[Array, Array]:
        measured, bounds = [], []
        for replacement in (True, False):
            for warm in (True, False):
                for method in REFRESHES:
                    other = REFRESHES[1 - REFRESHES.index(method)] if swapped else method
                    measured.append(_run_moments(replacement, warm, other)[0])
                    bounds.append(scale * _run_moments(replacement, warm, method)[1])
        return np.concatenate(measured), np.concatenate(bounds)

    what = "all sequences of batches of the first 3 or 4 calls"
    return Case(
        problem=(
            r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, and least squares in 3 dimensions over the "
            r"$\ell_1$ ball, $n = 4$"
        ),
        constants={
            "a": Constant(refresh(True), "exact", derivation="1 - (1-1/n)^b, with replacement"),
            "a_without": Constant(refresh(False), "exact", derivation="b/n, without"),
        },
        parameters={
            "lambda": "a/2",
            "batch size": BATCH,
            "replacement": "both",
            "table": "from first gradients and from zeros, both refreshes",
        },
        check=ExactInequality(sides, what=what),
        controls=(
            Control(
                "bound divided by 1.1",
                "a false claim: a tenth smaller",
                ExactInequality(partial(sides, 1 / 1.1), what=what),
            ),
            Control(
                "the new refresh's bound for the old refresh",
                "each bound against the run with the other convention of the table",
                ExactInequality(partial(sides, swapped=True), what=what),
            ),
        ),
    )


# --- The line test: F5 with exogenous points ---

LINE = {"n": 64, "b": 4, "h": 0.1}
LINE_CHECKPOINTS = (160, 226, 320, 452, 640, 905, 1280)
MULTIPLES = (0.125, 0.25, 0.5, 1.0, 2**0.5, 2.0, 4.0, 8.0)


def _line(
    process: type[SagaLine] = SagaLine,
    method: Method = optzoo.saga_sarah_frank_wolfe,
    mixing: float | None = None,
) -> Experiment:
    run = noise_tight_saga(
        process,
        num_samples=int(LINE["n"]),
        batch_size=int(LINE["b"]),
        steps=jnp.full(1, LINE["h"]),
        start=0.0,
        mixing=mixing,
        method=method,
    )
    name = f"saga-line-{process.__name__}-{method.__name__}-{mixing}"
    return Experiment(name, run, LINE_CHECKPOINTS, lanes=32)


def _line_bounds() -> tuple[Array, Array]:
    """F5 with the step h in place of D eta_k; the first estimate is exact."""
    n, b, h = int(LINE["n"]), int(LINE["b"]), LINE["h"]
    a = refresh_probability(n, b, replacement=False)
    saga = Saga(
        L=0.0,
        L_pm=1.0,
        L_tilde=1.0,
        D=1.0,
        a=a,
        mixing=a / 2,
        nu=variance_factor(n, b, replacement=False),
        r_0=1.0,
    )
    at = np.asarray(LINE_CHECKPOINTS) - 1
    error, staleness = saga.estimator(np.full(LINE_CHECKPOINTS[-1], h))
    return error[at], staleness[at]


def _line_parameters() -> dict[str, float | int | str]:
    n, b = int(LINE["n"]), int(LINE["b"])
    return {"n": n, "batch size": b, "lambda": b / (2 * n), "h": LINE["h"], "replacement": "False"}


def _line_constants() -> dict[str, Constant]:
    n, b = int(LINE["n"]), int(LINE["b"])
    return {
        **NoiseTight(slope=0.0, num_samples=n).constants,
        "nu": Constant(
            variance_factor(n, b, replacement=False), "exact", derivation="(n-b)/(b(n-1))"
        ),
        "a": Constant(b / n, "exact", derivation="b/n, without replacement"),
    }


LINE_TEXT = r"$f_i(x) = \pm x^2/2$, points $x^k = kh$ whatever the estimate"


def _line_case(metric: str) -> Case:
    error, staleness = _line_bounds()
    bound = error if metric == "squared_error" else staleness

    def check(scale: float = 1.0, experiment: Experiment | None = None) -> UpperBound:
        return UpperBound(experiment or _line(), metric, scale * bound)

    controls: tuple[Control, ...] = (
        Control("bound divided by three", "a false claim: a third of the bound", check(1 / 3)),
        Control(
            "stale indices",
            "the table is read and written at the indices of the batch before",
            check(experiment=_line(StaleLine)),
        ),
    )
    if metric == "squared_error":
        controls += (
            Control(
                "lambda = 0",
                "the table is never looked at: SARAH without restarts",
                check(experiment=_line(method=mutants.never_mixed)),
            ),
            Control(
                "lambda = 1",
                r"pure SAGA mixing, against the bound for $\lambda = b/2n$",
                check(experiment=_line(mixing=1.0)),
            ),
        )
    return Case(
        problem=LINE_TEXT,
        constants=_line_constants(),
        parameters=_line_parameters(),
        check=check(),
        controls=controls,
    )


def _line_claim(name: str, metric: str, title: str, symbol: str) -> Claim:
    return saga_claim(
        id=f"frank_wolfe/saga/estimator/line-{name}",
        title=title,
        source=f"{SOURCE}; explicit form F5 with steps of length $h$",
        theorem="F5",
        statement=f"{RECURSION} {WHERE}; here $D\\eta_k = h$",
        assumptions=("points fixed in advance on a line with steps of length $h$",),
        kind="upper_bound",
        metric=symbol,
        unit="iteration",
        output="estimate" if metric == "squared_error" else "table",
        prepare=partial(_line_case, metric),
        not_shown="Points that depend on the estimate: the enumerated runs have those.",
    )


def _mixing_case() -> Case:
    n, b = int(LINE["n"]), int(LINE["b"])
    run = noise_tight_saga(
        SagaLine, num_samples=n, batch_size=b, steps=jnp.full(1, LINE["h"]), start=0.0
    )
    family = MixingFamily(run, b / (2 * n) * jnp.asarray(MULTIPLES))
    # Past 10 n/b steps the error is stationary; the points are far enough apart to differ.
    checkpoints = tuple(range(200, 680, 40))
    experiment = Experiment("saga-line-mixing", family, checkpoints, lanes=16)

    def check(window: tuple[float, float]) -> Minimizer:
        return Minimizer(MULTIPLES, experiment, "squared_error", window, looks=8)

    return Case(
        problem=LINE_TEXT,
        constants=_line_constants(),
        parameters=_line_parameters() | {"lambda": "b/2n times 1/8 to 8"},
        check=check((1.0, 2.0)),
        controls=(
            Control("optimum at 4 to 8", "a false claim: a larger lambda", check((4.0, 8.0))),
            Control(
                "optimum at 1/8 to 1/2", "a false claim: a smaller lambda", check((0.125, 0.5))
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    _identity_claim(True),
    _identity_claim(False),
    saga_claim(
        id="frank_wolfe/saga/one-step/estimator",
        title="One step of error and staleness, where the bounds are attained",
        source=f"{SOURCE}; explicit form F5",
        theorem="F5",
        statement=f"{RECURSION} {WHERE}",
        assumptions=(r"Hessian variance $L_\pm$, average smoothness $\tilde L$", r"diameter $D$"),
        kind="one_step",
        metric=r"E_{k+1},\ Y_{k+1}",
        unit="iteration",
        output="estimate and table",
        x_label="state, the closest to the bound first",
        prepare=_one_step_case,
        not_shown="One dimension, in which both inequalities are equalities.",
    ),
    saga_claim(
        id="frank_wolfe/saga/estimator/whole-runs",
        title="Error and staleness along whole runs, every sequence of batches",
        source=f"{SOURCE}; explicit form F5",
        theorem="F5",
        statement=(
            f"{RECURSION} {WHERE}; started at the exact $E_0$ and $Y_0$ of a table of first "
            "gradients and of a table of zeros"
        ),
        assumptions=(r"Hessian variance $L_\pm$, average smoothness $\tilde L$", r"diameter $D$"),
        kind="one_step",
        metric=r"E_k,\ Y_k",
        unit="iteration",
        output="estimate and table",
        x_label="case, the closest to the bound first",
        prepare=_whole_runs_case,
        not_shown="Long runs: those are sampled.",
    ),
    _line_claim("error", "squared_error", "The estimator on a straight line", r"E\, e_{k-1}^2"),
    _line_claim("staleness", "staleness", "The table on a straight line", r"E\, Y_{k-1}"),
    saga_claim(
        id="frank_wolfe/saga/estimator/mixing",
        title="The mixing with the smallest error",
        source=r"choice of $\lambda$ in the theorems; the leading factor of F5 is least at $a/2$",
        theorem="F5",
        statement=(
            r"On a straight line the stationary error is smallest at a mixing between $b/2n$ and "
            r"twice that: the $\lambda = b/2n$ of the bound, or a little more"
        ),
        assumptions=("points fixed in advance on a line", "among 8 values from 1/8 to 8 times"),
        kind="scaling",
        metric=r"E\, e^2",
        unit="iteration",
        output="estimate",
        x_label=r"$\lambda$ in units of $b/2n$",
        prepare=_mixing_case,
        not_shown="Other ways through the set, on which the best lambda can be another.",
    ),
)
