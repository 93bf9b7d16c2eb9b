r"""Convergence of Sarah Frank-Wolfe on convex functions: F3, F3a, F3b, and F9 from below."""

from dataclasses import replace
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant

from ... import mutants
from ...checks import ExactInequality, PathwiseLowerBound, UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .bounds import Sarah
from .instances import SETS, balanced_probability, data_files, instance, sandwich
from .paper import PARTNERS, sarah_claim
from .process import Method, noise_tight_run, step_table

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

SCHEDULES = {
    "restart": r"\frac{2}{k + 4/p}",
    "stich": r"\text{Stich's schedule, } d = 2/p",
    "classic": r"\frac{2}{k + 2}",
}
# Before 10/p steps the bound is mostly its start r_0, and says little about L, Lpm or p.
START, HORIZON = 10, 40
TABLE = 4096  # every schedule is handed over as an array of one length: one program for all
RECURSION = (
    r"$$E[f(x^k) - f^*] \le R_k,\quad R_{k+1} = (1-\eta_k) R_k + \eta_k D \sqrt{\bar E_k} "
    r"+ \tfrac{L}{2} D^2 \eta_k^2,\quad R_0 = f(x^0) - f^*$$ with $\bar E_{k+1} = (1-p)(\bar E_k "
    r"+ \nu L_\pm^2 D^2 \eta_k^2)$, $\bar E_0 = 0$"
)
CONVEX = (
    r"$f$ convex and $L$-smooth",
    r"Hessian variance $L_\pm$",
    r"diameter $D$",
    r"steps fixed in advance, in $[0, 1]$",
)
SUBOPTIMALITY = r"E[f(x^k) - f^*]"


def _batch_size(num_samples: int) -> int:
    return round(num_samples**0.5)


def _with_replacement(problem: str, set_name: str) -> bool:
    """Both kinds of sampling occur."""
    return (problem, set_name) != ("logistic", "l1_ball")


def _schedule(name: str, p: float, horizon: int) -> optax.Schedule:
    if name == "stich":
        return optzoo.stich_schedule(horizon, p)
    return optzoo.open_loop_schedule(4 / p if name == "restart" else 2.0)


@cache
def _setting(
    problem: str, set_name: str, schedule: str, method: Method = optzoo.sarah_frank_wolfe
) -> tuple[Experiment, Sarah, Array]:
    """The experiment, the bounds with their constants, and the steps."""
    place = instance(problem, set_name)
    n = place.problem.num_samples
    b = _batch_size(n)
    p = balanced_probability(n, b)
    horizon = round(HORIZON / p)
    steps = np.asarray(step_table(_schedule(schedule, p, horizon), max(TABLE, horizon)))
    checkpoints = np.unique(np.round(np.geomspace(START / p, horizon, 12)).astype(int))
    replacement = _with_replacement(problem, set_name)
    name = f"{place.name}-{schedule}-{method.__name__}"
    run = place.run(jnp.asarray(steps), p, b, replacement=replacement, method=method)
    experiment = Experiment(name, run, tuple(checkpoints.tolist()))
    return experiment, place.bounds(p, b, replacement=replacement), steps[:horizon]


def _parameters(problem: str, set_name: str, schedule: str) -> dict[str, float | int | str]:
    n = instance(problem, set_name).problem.num_samples
    b = _batch_size(n)
    p = balanced_probability(n, b)
    return {
        "p": p,
        "batch size": b,
        "replacement": str(_with_replacement(problem, set_name)),
        "steps": f"${SCHEDULES[schedule]}$",
        "horizon K": round(HORIZON / p),
    }


def _recursion_case(problem: str, set_name: str, schedule: str) -> Case:
    experiment, bounds, steps = _setting(problem, set_name, schedule)
    at = np.asarray(experiment.checkpoints)
    place = instance(problem, set_name)

    def check(bound: Array, method: Method = optzoo.sarah_frank_wolfe) -> UpperBound:
        mutant, _, _ = _setting(problem, set_name, schedule, method)
        return UpperBound(
            mutant, "suboptimality", bound, uncertainty=instance(problem, set_name).f_star.width
        )

    bound = bounds.convex(steps)[at]
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_parameters(problem, set_name, schedule),
        check=check(bound),
        controls=_wrong_sign(partial(check, bound)) if (set_name, schedule) in WRONG_SIGN else (),
    )


WRONG_SIGN = {("l1_ball", "restart")}


def _wrong_sign(check: "partial[UpperBound]") -> tuple[Control, ...]:
    return (
        Control(
            "wrong sign of the oracle",
            "the oracle maximizes where it should minimize",
            check(mutants.wrong_sign_oracle),
        ),
    )


def _recursion_claim(problem: str, set_name: str, schedule: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-").lower()
    return sarah_claim(
        id=f"frank_wolfe/sarah/convex/{label}-{schedule}",
        title=f"Convex rate, {problem.replace('_', ' ').replace('/', ' ')}, "
        f"{set_name.replace('_', ' ')}, {schedule} steps",
        source="convex theorem; explicit form F3, any steps",
        theorem="F3",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=partial(_recursion_case, problem, set_name, schedule),
        pairs_with=PARTNERS,
        not_shown=(
            "One instance from one start, past its first $10/p$ steps. The bound is for the worst "
            "one; on a polytope whose minimizer lies on a face Frank-Wolfe is faster than it. A "
            "small ratio does not mean that the theorem can be improved, and where the run is "
            "vacuous it says nothing about the constants: its partners do."
        ),
    )


# --- F3a and F3b: closed forms ---


def _closed_form_case(problem: str, set_name: str) -> Case:
    experiment, bounds, _ = _setting(problem, set_name, "restart")
    place = instance(problem, set_name)
    bound = bounds.convex_closed_form(np.asarray(experiment.checkpoints))
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_parameters(problem, set_name, "restart"),
        check=UpperBound(experiment, "suboptimality", bound, uncertainty=place.f_star.width),
    )


def _closed_form_claim(problem: str, set_name: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-")
    return sarah_claim(
        id=f"frank_wolfe/sarah/closed-form/{label}",
        title=f"Convex rate in closed form, {problem.replace('_', ' ')}, "
        f"{set_name.replace('_', ' ')}",
        source=r"convex theorem; explicit form F3a, steps $2/(k+4/p)$",
        theorem="F3a",
        statement=(
            r"$$E[f(x^k) - f^*] \le \frac{(c-1)(c-2)\, r_0 + 4Ak}{(k+c-1)(k+c-2)},\quad c = 4/p,"
            r"\quad A = D^2\left(\tfrac L2 + L_\pm\sqrt{2\nu(1-p)/p}\right)$$"
        ),
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=partial(_closed_form_case, problem, set_name),
        pairs_with=PARTNERS,
        not_shown="The closed form is slacker than the recursion F3 that it is derived from.",
    )


def _stich_case(problem: str, set_name: str) -> Case:
    experiment, bounds, steps = _setting(problem, set_name, "stich")
    place = instance(problem, set_name)
    horizon = len(steps)
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_parameters(problem, set_name, "stich"),
        check=UpperBound(
            experiment,
            "suboptimality",
            np.array([bounds.convex_stich(horizon)]),
            last_only=True,
            uncertainty=place.f_star.width,
        ),
    )


def _stich_claim(problem: str, set_name: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-")
    return sarah_claim(
        id=f"frank_wolfe/sarah/stich/{label}",
        title=f"Convex rate at the horizon, {problem.replace('_', ' ')}, "
        f"{set_name.replace('_', ' ')}",
        source="convex theorem; explicit form F3b, Stich's steps with $d = 2/p$",
        theorem="F3b",
        statement=(
            r"$$E[f(x^K) - f^*] \le \frac{(2d-1)(2d-2) P + 4AJ}{(J+2d-1)(J+2d-2)}$$ with "
            r"$k_0 = \lceil K/2 \rceil$, $J = K - k_0$, $P = (1-\tfrac1d)^{k_0} r_0 + "
            r"\tfrac Ad (1 - (1-\tfrac1d)^{k_0})$, for $K > d$"
        ),
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        prepare=partial(_stich_case, problem, set_name),
        pairs_with=("frank_wolfe/sarah/one-step/lyapunov", *PARTNERS),
        not_shown="Only the horizon itself: the schedule depends on it.",
    )


# --- The instance on which the noise term is nearly attained ---

TIGHT = {"c": 0.02, "p": 0.05, "b": 1}
TIGHT_HORIZON = 25_600


@cache
def _tight(method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    checkpoints = np.unique(np.round(np.geomspace(10 / TIGHT["p"], TIGHT_HORIZON, 16)).astype(int))
    run = noise_tight_run(
        slope=TIGHT["c"],
        restart_probability=TIGHT["p"],
        batch_size=int(TIGHT["b"]),
        steps=step_table(optzoo.open_loop_schedule(4 / TIGHT["p"]), TIGHT_HORIZON),
        method=method,
    )
    return Experiment(f"noise-tight-{method.__name__}", run, tuple(checkpoints.tolist()), lanes=16)


def _tight_case() -> Case:
    c, p, b = TIGHT["c"], TIGHT["p"], TIGHT["b"]
    problem = noise_tight_run(
        slope=c, restart_probability=p, batch_size=int(b), steps=jnp.ones(1)
    ).problem
    bounds = Sarah(L=0.0, L_pm=1.0, D=2.0, p=p, nu=1 / b, r_0=2 * c)
    steps = np.asarray(step_table(optzoo.open_loop_schedule(4 / p), TIGHT_HORIZON))
    bound = bounds.convex(steps)[np.asarray(_tight().checkpoints)]

    def check(method: Method = optzoo.sarah_frank_wolfe) -> UpperBound:
        return UpperBound(_tight(method), "suboptimality", bound)

    return Case(
        problem=(
            rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $c = {c}$, $n = 64$: $L = 0$, so that the "
            "only error is the estimator's"
        ),
        constants=problem.constants,
        parameters={"p": p, "batch size": int(b), "steps": f"${SCHEDULES['restart']}$"},
        check=check(),
        controls=(
            Control(
                "never restarted",
                "only the first gradient is full, the bound is computed with the claimed $p$",
                check(mutants.never_restarted),
            ),
            Control(
                "constant batch",
                "plain stochastic Frank-Wolfe with the same batches",
                check(mutants.constant_batch),
            ),
            Control(
                "noise term divided by 30",
                r"a false claim: the bound with $L_\pm/30$",
                UpperBound(
                    _tight(),
                    "suboptimality",
                    replace(bounds, L_pm=1 / 30).convex(steps)[np.asarray(_tight().checkpoints)],
                ),
            ),
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes where it should minimize",
                check(mutants.wrong_sign_oracle),
            ),
        ),
    )


# --- F9: from below ---

SANDWICH = {"p": 0.2, "b": 1}
SANDWICH_CHECKPOINTS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181)


@cache
def _sandwich(method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    steps = step_table(optzoo.open_loop_schedule(2.0), 256)
    run = sandwich().run(steps, SANDWICH["p"], int(SANDWICH["b"]), replacement=True, method=method)
    return Experiment(f"sandwich-{method.__name__}", run, SANDWICH_CHECKPOINTS)


def _floor() -> Array:
    """F9: (1/2) (1/(k+1) - 1/d)."""
    k, d = np.asarray(SANDWICH_CHECKPOINTS, dtype=np.float64), sandwich().problem.dim
    return np.asarray(0.5 * (1 / (k + 1) - 1 / d))


def _sandwich_parameters() -> dict[str, float | int | str]:
    return {
        "p": SANDWICH["p"],
        "batch size": int(SANDWICH["b"]),
        "steps": f"${SCHEDULES['classic']}$",
    }


def _lower_case() -> Case:
    place = sandwich()
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_sandwich_parameters(),
        check=PathwiseLowerBound(_sandwich(), "suboptimality", _floor()),
        controls=(
            Control(
                "projection in place of the oracle",
                "projected gradient steps: a method that is not limited to one vertex a step",
                PathwiseLowerBound(
                    _sandwich(mutants.projected_gradient), "suboptimality", _floor()
                ),
            ),
            Control(
                "bound times ten",
                "a false claim where the bound is not slack",
                PathwiseLowerBound(_sandwich(), "suboptimality", 10 * _floor()),
            ),
        ),
    )


def _upper_case() -> Case:
    place = sandwich()
    bounds = place.bounds(SANDWICH["p"], int(SANDWICH["b"]), replacement=True)
    steps = np.asarray(step_table(optzoo.open_loop_schedule(2.0), 256))
    bound = bounds.convex(steps)[np.asarray(SANDWICH_CHECKPOINTS)]
    return Case(
        problem=place.description,
        constants=place.constants,
        parameters=_sandwich_parameters(),
        check=UpperBound(_sandwich(), "suboptimality", bound, lower_bound=_floor()),
    )


# --- The closed forms against the recursions they unroll ---

UNROLLED = Sarah(L=1.0, L_pm=2.0, D=1.5, p=0.1, nu=0.25, r_0=3.0)


def _unrolled(scale: float = 1.0) -> tuple[Array, Array]:
    """Values of Phi_{k+1} = (1 - eta_k) Phi_k + A eta_k^2 beside F3a and F3b."""
    left, right = [], []
    for p in (0.02, 0.1, 0.5):
        bounds = replace(UNROLLED, p=p)
        for horizon in (round(1 / p), round(10 / p), round(100 / p)):
            for schedule in ("restart", "stich"):
                steps = np.asarray(step_table(_schedule(schedule, p, horizon), 5000))
                value = bounds.r_0
                for eta in steps[:horizon]:
                    value = (1 - eta) * value + bounds.A * eta**2
                stich = schedule == "stich"
                left.append(value)
                right.append(
                    bounds.convex_stich(horizon)
                    if stich
                    else float(bounds.convex_closed_form(horizon))
                )
        eta = 0.05
        constant = bounds.D**2 * (bounds.L / 2 + bounds.L_pm * np.sqrt(bounds.nu * (1 - p) / p))
        left.append(float(bounds.nonconvex(np.full(2000, eta))[-1]))
        right.append(bounds.r_0 / (eta * 2000) + eta * constant)
    return np.array(left), scale * np.array(right)


def _unrolled_case() -> Case:
    what = "three restart probabilities, three horizons, both schedules, and constant steps"
    return Case(
        problem="no method: the arithmetic of the bounds themselves",
        constants={
            name: Constant(getattr(UNROLLED, name), "exact", derivation="chosen")
            for name in ("L", "L_pm", "D", "nu", "r_0")
        },
        parameters={"p": "0.02, 0.1, 0.5"},
        check=ExactInequality(_unrolled, what=what),
        controls=(
            Control(
                "closed forms divided by 1.1",
                "a false claim: closed forms that are a tenth too small",
                ExactInequality(partial(_unrolled, 1 / 1.1), what=what),
            ),
        ),
    )


def _recursion_claims() -> tuple[Claim, ...]:
    problems = ["least_squares", "logistic", "breast_cancer", *data_files()]
    return tuple(
        _recursion_claim(problem, set_name, schedule)
        for problem in problems
        for set_name in SETS
        for schedule in SCHEDULES
    )


CLOSED_FORMS = (("least_squares", "l1_ball"), ("logistic", "simplex"), ("breast_cancer", "l1_ball"))

CLAIMS: tuple[Claim, ...] = (
    *_recursion_claims(),
    *(_closed_form_claim(*names) for names in CLOSED_FORMS),
    *(_stich_claim(*names) for names in CLOSED_FORMS),
    sarah_claim(
        id="frank_wolfe/sarah/closed-form/unrolled",
        title="The closed forms bound what they unroll, closely",
        source="explicit forms F3a, F3b and F4 against their own recursions",
        theorem="F3a",
        statement=(
            r"$\Phi_{k+1} = (1-\eta_k)\Phi_k + A\eta_k^2$ stays below F3a (steps $2/(k+4/p)$) and "
            r"F3b (Stich's steps), and F4's sum at constant steps below $r_0/(\eta K) + \eta C$"
        ),
        assumptions=("arithmetic only",),
        kind="one_step",
        metric=r"\Phi_K",
        unit="iteration",
        output="bound",
        x_label="case, the closest to the bound first",
        prepare=_unrolled_case,
        not_shown="That any method obeys the recursions: the one-step claims show that.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/convex/noise-tight",
        title="Convex rate where the noise decides",
        source="convex theorem; explicit form F3, any steps",
        theorem="F3",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_tight_case,
        pairs_with=PARTNERS,
        not_shown="The slope $c$ is tuned to no horizon here: see the laws for the attained rate.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/sandwich/from-below",
        title="No method with this oracle is faster",
        source="folklore lower bound for linear minimization oracles (Jaggi 2013); form F9",
        theorem="F9",
        statement=(
            r"$$f(x^k) - f^* \ge \tfrac12\left(\tfrac{1}{k+1} - \tfrac1d\right)$$ on every path"
        ),
        assumptions=(r"$f(x) = |x|^2/2$ on the simplex, from a vertex", "oracle returns vertices"),
        kind="lower_bound",
        metric=r"f(x^k) - f^*",
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_lower_case,
        not_shown="A bound for this instance; others can be easier.",
    ),
    sarah_claim(
        id="frank_wolfe/sarah/sandwich/from-above",
        title="Between the upper and the lower bound",
        source="convex theorem; explicit form F3, and F9 from below",
        theorem="F3",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_upper_case,
        pairs_with=(*PARTNERS, "frank_wolfe/sarah/sandwich/from-below"),
        not_shown="The two bounds differ by a constant factor that neither of them explains.",
    ),
)
