r"""The convex rates for any steps, F3 and F6: on generic instances, where the noise decides, and
between two bounds.
"""

import numpy as np

import optzoo
from optzoo.theorems.frank_wolfe import F3, F6, F9

from ...checks import PathwiseLowerBound, UpperBound
from ...claim import Case, Claim, grid
from ...controls import controls, mutant, wrong
from ...simulation import Experiment
from . import mutants, saga_mutants
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import (
    Method,
    SagaRun,
    SarahRun,
    noise_tight_saga,
    noise_tight_sarah,
    refresh_probability,
    step_table,
)
from .settings import (
    PROBLEMS,
    SAGA_STEPS,
    SARAH_STEPS,
    SETS,
    OnInstance,
    OnRun,
    SagaSetting,
    SarahSetting,
    data_files,
    exactly,
    largest_excess,
    log_spaced,
    sandwich,
    sarah_run,
)

__all__ = ["CLAIMS", "SAGA_WAYS", "recursion"]

# --- On generic instances ---


def recursion(setting: OnInstance, *, with_control: bool = False) -> Case:
    """F3 or F6 on a setting, with the oracle's wrong sign beside it on request."""
    theorem, wrong_sign = (
        (F3, mutants.wrong_sign_of_the_oracle)
        if isinstance(setting, SarahSetting)
        else (F6, saga_mutants.wrong_sign_of_the_oracle)
    )
    bound = setting.at_checkpoints(setting.bound(theorem, setting.steps))

    def check(method: Method | None = None) -> UpperBound:
        return UpperBound(
            setting.experiment(method),
            "suboptimality",
            bound,
            uncertainty=setting.place.f_star.width,
            cap=largest_excess(setting.run()),
        )

    changes = (mutant(wrong_sign),) if with_control else ()
    return Case(setting, check(), controls(check, *changes))


def _sarah(problem: str, set_name: str, schedule: str) -> Case:
    setting = SarahSetting(
        problem=problem,
        set_name=set_name,
        schedule=schedule,
        replacement=(problem, set_name) != ("logistic", "l1_ball"),  # both kinds of sampling occur
    )
    return recursion(setting, with_control=(set_name, schedule) == ("l1_ball", "restart"))


SAGA_WAYS = {
    "l1 ball, exact table": {"set_name": "l1_ball", "schedule": "table", "replacement": False},
    "simplex, table of zeros": {"set_name": "simplex", "schedule": "table", "warm": False},
    "simplex, classic steps": {
        "set_name": "simplex",
        "schedule": "classic",
        "warm": False,
        "replacement": False,
    },
}


def _saga(problem: str, way: str) -> Case:
    setting = SagaSetting(problem=problem, **SAGA_WAYS[way])  # type: ignore[arg-type]
    return recursion(setting, with_control=setting.set_name == "l1_ball")


# --- Where the noise is nearly all there is ---

SLOPE = 0.02
NOISE_TIGHT = (
    rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $c = {SLOPE}$, $n = 64$: $L = 0$, so that the only "
    "error is the estimator's"
)


def _sarah_tight() -> Case:
    p, horizon = 0.05, 25_600
    steps = step_table(optzoo.open_loop_schedule(4 / p), horizon)
    points = log_spaced(10 / p, horizon, 16)

    def run(method: Method = optzoo.sarah_frank_wolfe) -> SarahRun:
        return noise_tight_sarah(
            slope=SLOPE, restart_probability=p, batch_size=1, steps=steps, method=method
        )

    setting = OnRun(NOISE_TIGHT, run(), chosen={"steps": f"${SARAH_STEPS['restart']}$"})

    def check(method: Method = optzoo.sarah_frank_wolfe, **changes: float) -> UpperBound:
        experiment = Experiment("noise-tight-sarah_frank_wolfe", run(method), points, lanes=16)
        bound = setting.bound(F3, np.asarray(steps), **changes)[np.asarray(points)]
        return UpperBound(experiment, "suboptimality", bound, cap=largest_excess(setting.run))

    return Case(
        setting,
        check(),
        controls(
            check,
            mutant(mutants.never_restarted),
            mutant(mutants.constant_batch),
            wrong("noise term divided by 30", r"a false claim: $L_\pm/30$", L_pm=1 / 30),
            mutant(mutants.wrong_sign_of_the_oracle),
        ),
    )


def _saga_tight() -> Case:
    n, b, horizon = 64, 2, 12_800
    a = refresh_probability(n, b, replacement=False)
    steps = step_table(optzoo.open_loop_schedule(8 / a), horizon)
    points = log_spaced(10 / a, horizon, 12)

    def run(method: Method = optzoo.saga_sarah_frank_wolfe) -> SagaRun:
        return noise_tight_saga(
            num_samples=n, batch_size=b, steps=steps, slope=SLOPE, method=method
        )

    setting = OnRun(NOISE_TIGHT, run(), chosen={"steps": f"${SAGA_STEPS['table']}$"})

    def check(method: Method = optzoo.saga_sarah_frank_wolfe, **changes: float) -> UpperBound:
        name = "saga-tight-saga_sarah_frank_wolfe-None"
        experiment = Experiment(name, run(method), points, lanes=16)
        bound = setting.bound(F6, np.asarray(steps), **changes)[np.asarray(points)]
        return UpperBound(experiment, "suboptimality", bound, cap=largest_excess(setting.run))

    return Case(
        setting,
        check(),
        controls(
            check,
            mutant(saga_mutants.never_mixed),
            wrong(
                "noise term divided by 40",
                r"a false claim: $L_\pm/40$ and $\tilde L/40$",
                L_pm=1 / 40,
                L_tilde=1 / 40,
            ),
            mutant(saga_mutants.wrong_sign_of_the_oracle),
        ),
    )


# --- Between two bounds, on |x|^2 / 2 over the simplex ---

POINTS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181)
SANDWICH_STEPS = optzoo.open_loop_schedule(2.0)


def _sandwiched(method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    run = sarah_run(sandwich(), step_table(SANDWICH_STEPS, 256), 0.2, 1, method=method)
    return Experiment("sandwich-sarah_frank_wolfe", run, POINTS)


def _sandwich() -> OnRun:
    place, run = sandwich(), _sandwiched().process
    assert isinstance(run, SarahRun)
    return OnRun(
        place.words,
        run,
        {**place.constants, "d": exactly(place.problem.dim)},
        {"steps": f"${SARAH_STEPS['classic']}$"},
    )


def _floor() -> Case:
    setting = _sandwich()

    def check(method: Method = optzoo.sarah_frank_wolfe, scale: float = 1.0) -> PathwiseLowerBound:
        bound = scale * setting.bound(F9, POINTS)
        return PathwiseLowerBound(_sandwiched(method), "suboptimality", bound)

    return Case(
        setting,
        check(),
        controls(
            check,
            mutant(mutants.projection_in_place_of_the_oracle),
            wrong("bound times ten", "a false claim where the bound is not slack", scale=10.0),
        ),
    )


def _between() -> Case:
    setting = _sandwich()
    return Case(
        setting,
        UpperBound(
            _sandwiched(),
            "suboptimality",
            setting.bound(F3, np.asarray(setting.run.steps))[np.asarray(POINTS)],
            lower_bound=setting.bound(F9, POINTS),
            cap=largest_excess(setting.run),
            certain=1,  # the first step is that of a full gradient at a common start
        ),
    )


PAST_THE_START = (
    "Few instances from one start each, past their first {} steps. The bound is for the worst one; "
    "where a run is vacuous it says nothing about the constants: its partners do."
)
UNTUNED = "The slope $c$ is tuned to no horizon here: see the laws for the attained rate."

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/convex/generic",
        title="Convex rate on generic instances",
        theorem=F3,
        prepare=grid(
            _sarah,
            problem=(*PROBLEMS, *data_files()),
            set_name=SETS,
            schedule=("restart", "stich", "classic"),
        ),
        pairs_with=SARAH_PARTNERS,
        not_shown=PAST_THE_START.format("$10/p$"),
    ),
    Claim(
        id="frank_wolfe/sarah/convex/noise-tight",
        title="Convex rate where the noise decides",
        theorem=F3,
        prepare=_sarah_tight,
        pairs_with=SARAH_PARTNERS,
        not_shown=UNTUNED,
    ),
    Claim(
        id="frank_wolfe/sarah/sandwich/from-below",
        title="No method with this oracle is faster",
        theorem=F9,
        prepare=_floor,
    ),
    Claim(
        id="frank_wolfe/sarah/sandwich/from-above",
        title="Between the upper and the lower bound",
        theorem=F3,
        prepare=_between,
        pairs_with=(*SARAH_PARTNERS, "frank_wolfe/sarah/sandwich/from-below"),
        not_shown="The two bounds differ by a constant factor that neither of them explains.",
    ),
    Claim(
        id="frank_wolfe/saga/convex/generic",
        title="Convex rate without full gradients, on generic instances",
        theorem=F6,
        prepare=grid(_saga, problem=PROBLEMS, way=tuple(SAGA_WAYS)),
        pairs_with=SAGA_PARTNERS,
        not_shown=PAST_THE_START.format("$5n/b$"),
    ),
    Claim(
        id="frank_wolfe/saga/convex/noise-tight",
        title="Convex rate without full gradients where the noise decides",
        theorem=F6,
        prepare=_saga_tight,
        pairs_with=SAGA_PARTNERS,
        not_shown=UNTUNED,
    ),
)
