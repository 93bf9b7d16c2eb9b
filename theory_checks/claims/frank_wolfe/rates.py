# SPDX-License-Identifier: Apache-2.0
"""Bounds along runs on generic instances: the rates F3, F3a, F3b, F4, F6, F6a, F7, and F5."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F3A, F3B, F4, F5_ERROR, F5_STALENESS, F6, F6A, F7

from ...checks import Says, UpperBound
from ...claim import Case, Claim, grid
from ...controls import Change, case, mutant
from ...data_files import data_files
from ...simulation import Watch
from .instances import PROBLEMS, SETS
from .mutants import saga_maximizing, sarah_maximizing
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import Method
from .settings import OnRun, by_saga, by_sarah, largest_excess, largest_gap
from .watches import AVERAGE_GAP

__all__ = ["CLAIMS"]

CAPS = {"suboptimality": largest_excess, "average_gap": largest_gap}
"""What a metric is at most on the set, whatever the method does there."""


def _below(
    setting: OnRun[Any],
    metric: str,
    bound: Says,
    *changes: Change,
    watch: Mapping[str, Watch] | None = None,
    last_only: bool = False,
) -> Case:
    """A metric stays below its bound along the run, and with these changes does not."""
    width = setting.place.f_star.width if metric == "suboptimality" else 0.0

    def check(method: Method | None = None) -> UpperBound:
        experiment = setting.experiment(method, watch)
        return UpperBound(
            experiment,
            metric,
            bound,
            last_only=last_only,
            uncertainty=width,
            cap=CAPS[metric](setting.run) if metric in CAPS else None,
        )

    return case(setting, check, *changes)


# --- Convex, for any steps ---


def _sarah(problem: str, set_name: str, schedule: str) -> Case:
    # Both kinds of sampling occur.
    replacement = (problem, set_name) != ("logistic", "l1_ball")
    setting = by_sarah(problem, set_name, schedule, replacement=replacement)
    bites = (set_name, schedule) == ("l1_ball", "restart")
    changes = (mutant(sarah_maximizing),) if bites else ()
    return _below(setting, "suboptimality", lambda: setting.along(F3), *changes)


WAYS = {
    "l1 ball, exact table": partial(
        by_saga, set_name="l1_ball", schedule="table", replacement=False
    ),
    "simplex, table of zeros": partial(by_saga, set_name="simplex", schedule="table", warm=False),
    "simplex, classic steps": partial(
        by_saga, set_name="simplex", schedule="classic", warm=False, replacement=False
    ),
}


def _saga(problem: str, way: str) -> Case:
    setting = WAYS[way](problem)
    changes = (mutant(saga_maximizing),) if way == "l1 ball, exact table" else ()
    return _below(setting, "suboptimality", lambda: setting.along(F6), *changes)


# --- Convex, in closed form ---

INSTANCES = {"least_squares": "l1_ball", "logistic": "simplex", "breast_cancer": "l1_ball"}


def _open_loop(problem: str) -> Case:
    setting = by_sarah(problem, INSTANCES[problem], "restart")
    return _below(setting, "suboptimality", lambda: setting.bound(F3A, setting.checkpoints))


def _stich(problem: str) -> Case:
    setting = by_sarah(problem, INSTANCES[problem], "stich")
    return _below(
        setting,
        "suboptimality",
        lambda: [setting.bound(F3B, setting.checkpoints[-1])],
        last_only=True,
    )


def _from_a_table(problem: str) -> Case:
    setting = WAYS["l1 ball, exact table"](problem)
    return _below(setting, "suboptimality", lambda: setting.bound(F6A, setting.checkpoints))


# --- Not convex: the average gap at constant steps ---

NOT_CONVEX = {"sigmoid": "l1_ball", "breast_cancer_sigmoid": "simplex"}


def _average_gap(theorem: Theorem, setting: OnRun[Any], *changes: Change) -> Case:
    return _below(
        setting,
        "average_gap",
        lambda: setting.along(theorem, first=1),
        *changes,
        watch=AVERAGE_GAP,
    )


def _sarah_gap(problem: str) -> Case:
    setting = by_sarah(problem, NOT_CONVEX[problem], "constant")
    return _average_gap(F4, setting, mutant(sarah_maximizing))


def _saga_gap(problem: str) -> Case:
    setting = by_saga(problem, NOT_CONVEX[problem], "constant", replacement=False)
    # Maximizing stays below the bound on the real data, where it is slackest.
    changes = (mutant(saga_maximizing),) if problem == "sigmoid" else ()
    return _average_gap(F7, setting, *changes)


# --- The estimator and the table of Saga Sarah ---


def _estimator(theorem: Theorem, metric: str, problem: str) -> Case:
    setting = WAYS["l1 ball, exact table"](problem)
    # What is seen after k calls belongs to x^{k-1}.
    return _below(setting, metric, lambda: setting.along(theorem, first=1))


PAST_THE_START = (
    "Few instances from one start each, past their first {} steps. The bound is for the worst one; "
    "where a run is vacuous it says nothing about the constants: its partners do."
)

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
        pairs_with=(*SARAH_PARTNERS, "frank_wolfe/sarah/closed-form/unrolled"),
    ),
    Claim(
        id="frank_wolfe/sarah/nonconvex/generic",
        title="Non-convex rate of the gap",
        theorem=F4,
        prepare=grid(_sarah_gap, problem=NOT_CONVEX),
        pairs_with=SARAH_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/convex/generic",
        title="Convex rate without full gradients, on generic instances",
        theorem=F6,
        prepare=grid(_saga, problem=PROBLEMS, way=WAYS),
        pairs_with=SAGA_PARTNERS,
        not_shown=PAST_THE_START.format("$5n/b$"),
    ),
    Claim(
        id="frank_wolfe/saga/closed-form/generic",
        title="Convex rate without full gradients in closed form",
        theorem=F6A,
        prepare=grid(_from_a_table, problem=PROBLEMS),
        pairs_with=SAGA_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/nonconvex/generic",
        title="Non-convex rate of the gap without full gradients",
        theorem=F7,
        prepare=grid(_saga_gap, problem=NOT_CONVEX),
        pairs_with=SAGA_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/estimator/error",
        title="The estimator's error along the run",
        theorem=F5_ERROR,
        prepare=grid(partial(_estimator, F5_ERROR, "squared_error"), problem=PROBLEMS),
        pairs_with=SAGA_PARTNERS,
    ),
    Claim(
        id="frank_wolfe/saga/estimator/staleness",
        title="The table's staleness along the run",
        theorem=F5_STALENESS,
        prepare=grid(partial(_estimator, F5_STALENESS, "staleness"), problem=PROBLEMS),
        pairs_with=SAGA_PARTNERS,
    ),
)
