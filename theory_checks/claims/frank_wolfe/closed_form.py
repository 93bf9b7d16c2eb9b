r"""The closed forms of the convex rates, F3a, F3b and F6a, against runs and against what they
unroll, and the counts that they guarantee, F8.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3A, F3A_UNROLLED, F3B, F4, F6, F6A, F6A_UNROLLED, F7, F8

from ...checks import ExactInequality, ExactScaling, UpperBound
from ...claim import Case, Claim, grid
from ...controls import controls, wrong
from ...setting import Stated
from ...simulation.laboratory import Laboratory
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import refresh_probability, step_table
from .settings import (
    PROBLEMS,
    OnInstance,
    SagaSetting,
    SarahSetting,
    balanced_probability,
    exactly,
    largest_excess,
)

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- On the runs of the recursions ---

INSTANCES = {"least_squares": "l1_ball", "logistic": "simplex", "breast_cancer": "l1_ball"}


def _stays_below(setting: OnInstance, bound: Array, *, last_only: bool = False) -> Case:
    check = UpperBound(
        setting.experiment(),
        "suboptimality",
        bound,
        last_only=last_only,
        uncertainty=setting.place.f_star.width,
        cap=largest_excess(setting.run()),
    )
    return Case(setting, check)


def _open_loop(problem: str) -> Case:
    setting = SarahSetting(problem=problem, set_name=INSTANCES[problem], schedule="restart")
    return _stays_below(setting, setting.bound(F3A, setting.checkpoints))


def _stich(problem: str) -> Case:
    setting = SarahSetting(problem=problem, set_name=INSTANCES[problem], schedule="stich")
    bound = np.array([setting.bound(F3B, setting.horizon)])
    return _stays_below(setting, bound, last_only=True)


def _from_a_table(problem: str) -> Case:
    setting = SagaSetting(problem=problem, set_name="l1_ball", schedule="table", replacement=False)
    return _stays_below(setting, setting.bound(F6A, setting.checkpoints))


# --- Against what they unroll ---

ARITHMETIC = "no method: the arithmetic of the bounds themselves"
STEP, HORIZON = 0.05, 2000


def _unrolled(
    setting: Stated, sides: Callable[[], tuple[list[float], list[float]]], what: str, factor: float
) -> Case:
    def check(scale: float = 1.0) -> ExactInequality:
        def compute() -> tuple[Array, Array]:
            unrolled, closed = sides()
            return np.array(unrolled), scale * np.array(closed)

        return ExactInequality(compute, what=what)

    smaller = wrong(
        f"closed forms divided by {factor}",
        "a false claim: closed forms that are too small by that factor",
        scale=1 / factor,
    )
    return Case(setting, check(), controls(check, smaller))


def _sarah_unrolled() -> Case:
    chosen = {"L": 1.0, "L_pm": 2.0, "D": 1.5, "nu": 0.25, "r_0": 3.0}
    setting = Stated(
        ARITHMETIC,
        {name: exactly(value) for name, value in chosen.items()},
        {"p": "0.02, 0.1, 0.5"},
    )

    def lyapunov(p: float, schedule: Callable[..., object], horizon: int) -> float:
        """Phi_{k+1} = (1 - eta_k) Phi_k + A eta_k^2."""
        bounds = setting.of(F3A, p=p)
        value: float = bounds.r_0
        for eta in np.asarray(step_table(schedule, 5000))[:horizon]:
            value = (1 - eta) * value + bounds.lyapunov(eta)
        return value

    def sides() -> tuple[list[float], list[float]]:
        unrolled, closed = [], []
        for p in (0.02, 0.1, 0.5):
            for horizon in (round(1 / p), round(10 / p), round(100 / p)):
                unrolled += [
                    lyapunov(p, optzoo.open_loop_schedule(4 / p), horizon),
                    lyapunov(p, optzoo.stich_schedule(horizon, p), horizon),
                ]
                closed += [
                    float(setting.bound(F3A, horizon, p=p)),
                    setting.bound(F3B, horizon, p=p),
                ]
            unrolled.append(setting.bound(F4, np.full(HORIZON, STEP), p=p)[-1])
            closed.append(setting.of(F4, p=p).nonconvex_closed_form(STEP, HORIZON))
        return unrolled, closed

    what = "three restart probabilities, three horizons, both schedules, and constant steps"
    return _unrolled(setting, sides, what, 1.1)


def _saga_unrolled() -> Case:
    chosen = {"L": 1.0, "L_pm": 2.0, "L_tilde": 2.5, "D": 1.5, "nu": 0.25, "r_0": 3.0}
    setting = Stated(
        ARITHMETIC,
        {name: exactly(value) for name, value in chosen.items()},
        {"a": "0.01, 0.1, 0.5, 0.99", "lambda": "a/2"},
    )

    def sides() -> tuple[list[float], list[float]]:
        unrolled, closed = [], []
        for a in (0.01, 0.1, 0.5, 0.99):
            horizons = [round(multiple / a) for multiple in (1, 10, 100)]
            steps = 2 / (np.arange(horizons[-1]) + 8 / a)
            for new in (True, False):
                changes = {"a": a, "mixing": a / 2, "refreshed_with_new": new}
                unrolled += list(setting.bound(F6, steps, **changes)[horizons])
                closed += list(setting.bound(F6A, horizons, **changes))
            constant = np.full(HORIZON, STEP)
            unrolled.append(setting.bound(F7, constant, a=a, mixing=a / 2)[-1])
            bounds = setting.of(F7, a=a, mixing=a / 2)
            closed.append(bounds.nonconvex_closed_form(STEP, HORIZON))
        return unrolled, closed

    what = "four refresh probabilities, three horizons, both refreshes, and constant steps"
    return _unrolled(setting, sides, what, 1.2)


# --- F8: guaranteed counts ---

COUNTED = tuple(4**power for power in range(4, 9))  # n = 256 ... 65536
EPS = 1e-7


def _steps_until(setting: Stated, theorem: Theorem, **changes: float) -> int:
    """The first k at which a closed form, falling in k, is at most eps."""

    def above(k: int) -> bool:
        return bool(setting.bound(theorem, k, **changes) > EPS)

    low, high = 1, 2
    while above(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if above(middle) else (low, middle)
    return high


def _counts() -> Case:
    setting = Stated(
        f"no method: what F6a and F3a promise for accuracy {EPS}, $L = L_\\pm = D = r_0$",
        {name: exactly(1.0) for name in ("L", "L_pm", "L_tilde", "D", "r_0")},
        {"batch size": r"$\sqrt n$", "p": "b/(n+b)", "lambda": "a/2", "eps": EPS},
    )

    def guaranteed(n: int, b: int) -> list[float]:
        """Oracle calls and gradients to eps, of Saga Sarah and of Sarah Frank-Wolfe."""
        a, p = refresh_probability(n, b, replacement=True), balanced_probability(n, b)
        saga = _steps_until(setting, F6A, a=a, mixing=a / 2, nu=1 / b)
        sarah = _steps_until(setting, F3A, p=p, nu=1 / b)
        return [saga, n + 2 * b * saga, sarah, n + sarah * (p * n + 2 * (1 - p) * b)]

    def check(
        exponents: tuple[float, ...] = (0.0, 0.5, 0.0, 0.5), root: float = 0.5
    ) -> ExactScaling:
        def compute(laboratory: Laboratory) -> tuple[Array, Array]:
            rows = [guaranteed(n, round(n**root)) for n in COUNTED]
            return np.asarray(COUNTED) / COUNTED[0], np.array(rows, dtype=np.float64)

        return ExactScaling(compute, exponents, tolerance=0.15)

    return Case(
        setting,
        check(),
        controls(
            check,
            wrong(
                "batches of n^(1/4)",
                r"a false claim: the counts of $b = \sqrt n$ for smaller batches",
                root=0.25,
            ),
            wrong(
                "gradients linear in n",
                "a false claim: as many passes over the data whatever n",
                exponents=(0.0, 1.0, 0.0, 1.0),
            ),
        ),
    )


CASES = "case, the closest to the bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/closed-form/generic",
        title="Convex rate in closed form",
        theorem=F3A,
        prepare=grid(_open_loop, problem=INSTANCES),
        pairs_with=SARAH_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/sarah/stich/generic",
        title="Convex rate at the horizon",
        theorem=F3B,
        prepare=grid(_stich, problem=INSTANCES),
        pairs_with=("frank_wolfe/sarah/one-step/lyapunov", *SARAH_PARTNERS),
    ),
    Claim(
        id="frank_wolfe/sarah/closed-form/unrolled",
        title="The closed forms bound what they unroll, closely",
        theorem=F3A_UNROLLED,
        prepare=_sarah_unrolled,
        x_label=CASES,
    ),
    Claim(
        id="frank_wolfe/saga/closed-form/generic",
        title="Convex rate without full gradients in closed form",
        theorem=F6A,
        prepare=grid(_from_a_table, problem=PROBLEMS),
        pairs_with=SAGA_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/closed-form/unrolled",
        title="The closed forms of Saga Sarah Frank-Wolfe bound what they unroll, closely",
        theorem=F6A_UNROLLED,
        prepare=_saga_unrolled,
        x_label=CASES,
    ),
    Claim(
        id="frank_wolfe/saga/counts",
        title="Guaranteed counts: the root of n in gradients, none of n in oracle calls",
        theorem=F8,
        prepare=_counts,
        x_label="$n / 256$",
    ),
)
