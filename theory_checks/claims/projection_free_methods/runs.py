"""The stochastic methods with their papers' numbers along runs on generic instances."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from optzoo.theorems import Theorem
from optzoo.theorems.projection_free_methods import (
    SAG,
    SAGAFW,
    SCG,
    SFW,
    SPIDER,
    SPIDER_NONCONVEX,
    SVRF,
)

from ...checks import UpperBound
from ...claim import Case, Claim
from ...controls import Change, case, mutant
from ...simulation import Watch, log_spaced
from ..frank_wolfe.instances import Instance, instance
from ..frank_wolfe.mutants import maximizing
from ..frank_wolfe.processes import Method
from . import mutants, settings
from .processes import AVERAGE_GAP
from .settings import MethodSetting

__all__ = ["CLAIMS"]


def _looked_at(setting: MethodSetting, name: str, first: int, points: int = 10) -> MethodSetting:
    """The setting with its checkpoints, from this step to the last."""
    last = len(setting.plan.steps)
    return replace(
        setting,
        name=f"projection-free-{name}",
        checkpoints=tuple(log_spaced(first, last, points)),
    )


def _below(
    theorem: Theorem, setting: MethodSetting, metric: str = "suboptimality", *changes: Change
) -> Case:
    watch: Mapping[str, Watch] | None = AVERAGE_GAP if metric == "average_gap" else None
    width = setting.place.f_star.width if metric == "suboptimality" else 0.0

    def check(method: Method | None = None) -> UpperBound:
        return UpperBound(
            setting.experiment(method, watch),
            metric,
            lambda: setting.along(theorem, first=0 if metric == "suboptimality" else 1),
            uncertainty=width,
            points=setting.checkpoints,
        )

    return case(setting, check, *changes)
