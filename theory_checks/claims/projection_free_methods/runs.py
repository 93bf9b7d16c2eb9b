# SPDX-License-Identifier: Apache-2.0
"""The stochastic methods with their papers' numbers along runs on generic instances."""

from collections.abc import Callable, Mapping
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
from ...controls import Change, case, mutant, wrong
from ...simulation import Watch, log_spaced
from ..frank_wolfe.instances import noise_tight, sandwich
from ..frank_wolfe.mutants import maximizing
from ..frank_wolfe.processes import Method
from ..frank_wolfe.rates import CAPS
from . import settings
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

    def check(method: Method | None = None, **claimed: float) -> UpperBound:
        return UpperBound(
            setting.experiment(method, watch),
            metric,
            lambda: setting.along(theorem, first=int(metric == "average_gap"), **claimed),
            uncertainty=width,
            cap=CAPS[metric](setting.run),
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
    """One sample has all the curvature: most epochs follow their first gradient to the end."""
    n = 8
    place = parabolas((float(n), *[0.0] * (n - 1)), (0.0,) * n, -1.0)
    setting = settings.svrf(place, 1 + 14 + 30 + 62 + 126, samples=1)
    return _below(SVRF, _looked_at(setting, "svrf", 15), "suboptimality")


def _spider() -> Case:
    setting = settings.spider(sandwich(512), 2**7 - 1, 4)
    return _below(
        SPIDER,
        _looked_at(setting, "spider", 3),
        "suboptimality",
        mutant(maximizing(optzoo.spider_frank_wolfe)),
    )


def _spider_gap() -> Case:
    setting = settings.spider_constant(noise_tight(0.1), 800, epoch=64)
    return _below(
        SPIDER_NONCONVEX,
        _looked_at(setting, "spider-gap", 40),
        "average_gap",
        wrong("no noise", r"a false claim: $L_\pm = 0$", L_pm=0.0),
    )


def _sagafw() -> Case:
    setting = settings.sagafw(noise_tight(0.3, n=256), 800, steps=0.01)
    return _below(
        SAGAFW,
        _looked_at(setting, "sagafw", 50),
        "average_gap",
        wrong("a table that is always fresh", "a false claim: $a = 1$", a=1.0),
    )


def _sag() -> Case:
    """A table that lags behind: the first sweep runs past the minimum."""
    n, horizon = 64, 200
    place = line_model((1.0,) * n, (0.0,) * n, 1.0)
    setting = settings.sag(place, horizon, steps=0.025, warm=True)
    return _below(
        SAG,
        _looked_at(setting, "sag", 40),
        "suboptimality",
    )


RUNS: Mapping[str, tuple[str, Theorem, Callable[[], Case]]] = {
    "sfw": ("Growing batches along runs", SFW, _sfw),
    "scg": ("Momentum along runs", SCG, _scg),
    "svrf": ("Snapshots along epochs that double", SVRF, _svrf),
    "spider": ("Path-integrated differences along epochs that double", SPIDER, _spider),
    "spider/non-convex": (
        "The gap of path-integrated differences along runs",
        SPIDER_NONCONVEX,
        _spider_gap,
    ),
    "sagafw": ("The gap of a table without a recursion along runs", SAGAFW, _sagafw),
    "sag": ("A derivative a sample along runs", SAG, _sag),
}

CLAIMS: tuple[Claim, ...] = tuple(
    Claim(
        id=f"projection_free_methods/{name}/runs",
        title=title,
        theorem=theorem,
        prepare=prepare,
        pairs_with=(f"projection_free_methods/{name}/enumerated",),
    )
    for name, (title, theorem, prepare) in RUNS.items()
)
