# SPDX-License-Identifier: Apache-2.0
"""Every sequence of batches, enumerated: the bounds where each of their terms is nearly all.

In one dimension and with two samples a run of a few steps has few outcomes. Without noise: a
linear function, of which only the start is left, a parabola that a full step leaves at its minimum,
and one that full steps cross from end to end. With noise: a first step from an end, after which a
batch points the wrong way half the time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

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

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, mutant, wrong
from ..frank_wolfe.instances import Instance
from ..frank_wolfe.mutants import maximizing
from . import mutants, settings
from .instances import line_model, parabolas
from .processes import expectations
from .settings import MethodSetting

__all__ = ["CLAIMS"]

WHAT = "every sequence of batches enumerated"
ALMOST = 0.999


@dataclass(frozen=True)
class Hard:
    """An instance on which a method is run for a few steps.

    Args:
        place: the instance.
        steps: eta_k.
        fields: of the method's setting.
        changes: controls.
    """

    place: Instance
    steps: tuple[float, ...]
    fields: Mapping[str, Any]
    changes: tuple[Change, ...] = ()


# A full step from the minimum at one end to the other end.
FULL_STEP = parabolas((1.0, 1.0), (ALMOST, ALMOST), -1.0)
# Only the start is left.
LINEAR = parabolas((0.0, 0.0), (0.5, 0.5), 1.0)
# x^2 / 2, which full steps cross from end to end.
CROSSING = parabolas((1.0, 1.0), (1e-9, 1e-9), 1.0)
# At the minimum of cx; single samples point the wrong way half the time.
INDEPENDENT = parabolas((0.0, 0.0), (1 + ALMOST, ALMOST - 1), -1.0)
# cx +- x^2 / 2: exact at first, then wrong half the time.
DIFFERENCES = parabolas((1.0, -1.0), (ALMOST, ALMOST), 1.0)


def _sides(
    theorem: Theorem, metric: str, setting: MethodSetting, *, method: Any = None, **claimed: Any
) -> Sides:
    """E of the metric after every step, and the bound."""
    run = setting.run if method is None else replace(setting.run, method=method)
    calls = setting.plan.calls_to(np.arange(1, len(setting.plan.steps) + 1))
    found = expectations(run, int(calls[-1]), metric)[calls - 1]
    start = 1 if metric == "suboptimality" else 0
    return found, lambda: setting.bound(theorem, *setting.arguments, **claimed)[start:]


def _case(
    theorem: Theorem,
    make: Callable[..., MethodSetting],
    table: Mapping[str, Hard],
    metric: str,
    instance: str,
) -> Case:
    hard = table[instance]
    setting = make(hard.place, len(hard.steps), steps=hard.steps, **hard.fields)
    return exact_case(
        setting,
        partial(_sides_of, theorem, metric),
        ExactInequality,
        *hard.changes,
        what=WHAT,
        round_off=1e-12,
    )


def _sides_of(theorem: Theorem, metric: str, setting: MethodSetting, **changes: Any) -> Sides:
    return _sides(theorem, metric, setting, **changes)


# --- Independent samples ---

STOCHASTIC = {
    "full step": Hard(
        FULL_STEP,
        (1.0, 0.5, 0.5),
        {"samples": 1},
    ),
    "linear": Hard(
        LINEAR,
        (0.3, 0.2, 0.1),
        {"samples": 1},
        (mutant(maximizing(optzoo.stochastic_frank_wolfe)),),
    ),
    "noise": Hard(
        INDEPENDENT,
        (1.0, 0.7, 0.3),
        {"samples": 1},
        (wrong("a third of the noise", r"a false claim: $\sigma/3$", sigma=1 / 3),),
    ),
    "eight micro batches": Hard(
        INDEPENDENT, (1.0,), {"samples": 8}, (mutant(mutants.first_micro_batch_only),)
    ),
}

MEMORY = (1.0, *[0.2] * 8)
MOMENTUM = {
    "full step": Hard(FULL_STEP, (1.0, 0.5, 0.5), {}),
    "linear": Hard(LINEAR, (0.3, 0.2, 0.1), {}, (mutant(maximizing(optzoo.momentum_frank_wolfe)),)),
    "noise": Hard(
        INDEPENDENT,
        (1.0, *[0.5] * 7),
        {"weights": MEMORY},
        (mutant(mutants.without_memory),),
    ),
}

# --- Finite sums ---

SNAPSHOT = {
    # The start is a full step.
    "full step": Hard(FULL_STEP, (1.0, 0.5, 0.5), {"samples": 1}),
    "differences": Hard(
        parabolas((1.0, 0.0), (0.501, 0.501), 1.0),
        (1.0, 1.0, 0.5, 0.25),
        {"samples": 1},
        (mutant(maximizing(optzoo.svrf)),),
    ),
}

PATH = {
    "full step": Hard(FULL_STEP, (1.0, 0.5, 0.5, 0.5), {"epoch": 4}),
    "linear": Hard(
        LINEAR, (0.3, 0.2, 0.1), {"epoch": 4}, (mutant(maximizing(optzoo.spider_frank_wolfe)),)
    ),
    "differences": Hard(
        DIFFERENCES,
        (1.0, 1.0, 0.7, 0.5, 1.0, 1.0),
        {"epoch": 4},
        (
            wrong("a fifth of the Hessian variance", r"a false claim: $L_\pm/5$", L_pm=0.2),
            mutant(mutants.constant_batch),
        ),
    ),
}

FULL_STEPS = (1.0, 1.0, 1.0)
PATH_GAPS = {
    "crossing": Hard(CROSSING, (1.0,) * 6, {"epoch": 3}),
    "linear": Hard(
        LINEAR, FULL_STEPS, {"epoch": 4}, (mutant(maximizing(optzoo.spider_frank_wolfe)),)
    ),
    "differences": Hard(DIFFERENCES, (1.0,) * 6, {"epoch": 4}),
}

TABLE = {
    "crossing": Hard(CROSSING, FULL_STEPS, {}),
    "linear": Hard(LINEAR, FULL_STEPS, {}, (mutant(maximizing(optzoo.sagafw)),)),
    "differences": Hard(DIFFERENCES, (1.0,) * 4, {}),
}

MODEL = {
    "full step": Hard(line_model((1.0, 1.0), (-ALMOST, -ALMOST), -1.0), (1.0, 0.5, 0.5), {}),
    "start": Hard(
        line_model((0.01, 0.01), (-50.0, -50.0), 1.0),
        (0.3, 0.2, 0.1),
        {},
        (mutant(maximizing(optzoo.sag_frank_wolfe)),),
    ),
    "table of zeros": Hard(
        line_model((1.0, 1.0), (-1000.0, -ALMOST), -1.0),
        (1.0, 0.5, 0.5),
        {},
        (wrong("a table that is exact at first", "a false claim: $H_0 = 0$", H_0=0.0),),
    ),
}


def _claim(
    name: str,
    title: str,
    theorem: Theorem,
    make: Callable[..., MethodSetting],
    table: Mapping[str, Hard],
    metric: str = "suboptimality",
    **fields: Any,
) -> Claim:
    return Claim(
        id=f"projection_free_methods/{name}/enumerated",
        title=title,
        theorem=theorem,
        prepare=grid(partial(_case, theorem, make, table, metric), instance=tuple(table)),
        **fields,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "sfw",
        "Stochastic Frank-Wolfe, every sequence of batches",
        SFW,
        settings.stochastic,
        STOCHASTIC,
    ),
    _claim("scg", "Momentum, every sequence of batches", SCG, settings.momentum, MOMENTUM),
    _claim(
        "svrf",
        "Snapshots, every sequence of batches",
        SVRF,
        settings.svrf,
        SNAPSHOT,
        not_tested={"r_0": r"the method begins with a full step, after which $R_1 = LD^2/2$"},
    ),
    _claim(
        "spider",
        "Path-integrated differences, every sequence of batches",
        SPIDER,
        settings.spider_constant,
        PATH,
    ),
    _claim(
        "spider/non-convex",
        "The gap of path-integrated differences, every sequence of batches",
        SPIDER_NONCONVEX,
        settings.spider_constant,
        PATH_GAPS,
        "average_gap",
    ),
    _claim(
        "sagafw",
        "The gap of a table without a recursion, every sequence of batches",
        SAGAFW,
        settings.sagafw,
        TABLE,
        "average_gap",
    ),
    _claim("sag", "A derivative a sample, every sequence of batches", SAG, settings.sag, MODEL),
)
