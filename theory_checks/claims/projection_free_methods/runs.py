"""The stochastic methods with their papers' numbers along runs on generic instances."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

import optzoo
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
from ..frank_wolfe.instances import noise_tight
from ..frank_wolfe.mutants import maximizing
from ..frank_wolfe.processes import Method
from . import mutants, settings
from .instances import line_model, parabolas
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


def _svrf() -> Case:
    n = 16
    place = parabolas((float(n), *[0.0] * (n - 1)), (0.0,) * n, -1.0)
    setting = settings.svrf(place, 1 + 14 + 30 + 62 + 126, samples=1)
    return _below(SVRF, _looked_at(setting, "svrf", 15), "suboptimality")


def _spider() -> Case:
    setting = settings.spider(noise_tight(SLOPE), 2**9 - 1, 4)
    return _below(
        SPIDER,
        _looked_at(setting, "spider", 3),
        "suboptimality",
        mutant(maximizing(optzoo.spider_frank_wolfe)),
        mutant(mutants.constant_batch),
    )


def _spider_gap() -> Case:
    place = noise_tight(SLOPE)
    setting = settings.spider_constant(place, 2000, 8, epoch=8)
    return _below(
        SPIDER_NONCONVEX,
        _looked_at(setting, "spider-gap", 50),
        "average_gap",
        mutant(maximizing(optzoo.spider_frank_wolfe)),
        mutant(mutants.constant_batch),
    )


def _sagafw() -> Case:
    setting = settings.sagafw(noise_tight(SLOPE), 2000, 16)
    return _below(
        SAGAFW,
        _looked_at(setting, "sagafw", 50),
        "average_gap",
        mutant(maximizing(optzoo.sagafw)),
        mutant(mutants.without_the_table),
    )


def _sag() -> Case:
    place = line_model((1.0,) * 32, (0.0,) * 32, 1.0)
    setting = settings.sag(place, 2000, 1)
    return _below(
        SAG,
        _looked_at(setting, "sag", 50),
        "suboptimality",
        mutant(maximizing(optzoo.sag_frank_wolfe)),
    )
