"""The stochastic methods with their papers' numbers along runs on generic instances."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

import optzoo
from optzoo.theorems import Theorem
from optzoo.theorems.projection_free_methods import (
    SCG,
    SFW,
)

from ...checks import UpperBound
from ...claim import Case
from ...controls import Change, case, mutant
from ...simulation import Watch, log_spaced
from ..frank_wolfe.instances import noise_tight
from ..frank_wolfe.mutants import maximizing
from ..frank_wolfe.processes import Method
from . import settings
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


# --- Where the noise decides ---

SLOPE = 0.05


def _sfw() -> Case:
    # f is linear; that it is 1-smooth is true as well, and what the batches go by.
    horizon = 100
    samples = (np.arange(horizon) + 2.0) ** 2 / 4
    setting = settings.stochastic(noise_tight(SLOPE), horizon, 16, samples=samples)
    return _below(
        SFW,
        _looked_at(setting, "sfw", 4),
        "suboptimality",
        mutant(maximizing(optzoo.stochastic_frank_wolfe)),
    )


def _scg() -> Case:
    return _below(
        SCG,
        _looked_at(settings.momentum(noise_tight(0.2), 10_000), "scg", 20),
        "suboptimality",
        mutant(maximizing(optzoo.momentum_frank_wolfe)),
    )
