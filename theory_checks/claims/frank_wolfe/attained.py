# SPDX-License-Identifier: Apache-2.0
"""The convex rate for any steps where it is nearly attained: F3 and F6 where the noise decides, and
F3 beside the bound from below, F9.
"""

from typing import Any

import optzoo
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F6, F9, index_probability

from ...checks import PathwiseLowerBound, UpperBound
from ...claim import Case, Claim, grid
from ...controls import Change, case, mutant
from ...setting import chosen
from ...simulation import log_spaced
from . import mutants
from .instances import noise_tight, sandwich
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import Method, SarahRun, step_table
from .settings import OnRun, largest_excess, own_steps

__all__ = ["CLAIMS"]

# --- Where the noise is nearly all there is ---

SLOPE = 0.02
NOISE_TIGHT = (
    rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $c = {SLOPE}$, $n = 64$: $L = 0$, so that the only "
    "error is the estimator's"
)


def _noise_decides(theorem: Theorem, setting: OnRun[Any], *false: Change) -> Case:
    def check(method: Method | None = None) -> UpperBound:
        return UpperBound(
            setting.experiment(method),
            "suboptimality",
            lambda: setting.along(theorem),
            cap=largest_excess(setting.run),
        )

    return case(setting, check, *false)


def _sarah() -> Case:
    p, horizon = 0.05, 25_600
    steps = step_table(optzoo.open_loop_schedule(4 / p), horizon)
    place = noise_tight(SLOPE)
    setting = OnRun(
        place,
        place.sarah(steps, p, 1),
        NOISE_TIGHT,
        chosen=own_steps("restart"),
        name="noise-tight-sarah_frank_wolfe",
        checkpoints=log_spaced(10 / p, horizon, 16),
        lanes=16,
    )
    return _noise_decides(
        F3,
        setting,
        mutant(mutants.never_restarted),
        mutant(mutants.constant_batch),
        mutant(mutants.sarah_maximizing),
    )


def _saga() -> Case:
    place, b, horizon = noise_tight(SLOPE), 2, 12_800
    a = index_probability(place.problem.num_samples, b, replacement=False)
    steps = step_table(optzoo.open_loop_schedule(8 / a), horizon)
    setting = OnRun(
        place,
        place.saga(steps, b, replacement=False),
        NOISE_TIGHT,
        chosen=own_steps("table"),
        name="saga-tight-saga_sarah_frank_wolfe-None",
        checkpoints=log_spaced(10 / a, horizon, 12),
        lanes=16,
    )
    wrong_sign = mutant(mutants.saga_maximizing)
    return _noise_decides(F6, setting, mutant(mutants.never_mixed), wrong_sign)


# --- Between two bounds, on |x|^2 / 2 over the simplex ---


def _sandwich(dim: int = 2000, p: float = 0.2, *, average: bool = False) -> OnRun[SarahRun]:
    """With the classic steps, or with those for which x is the average of all vertices so far."""
    place = sandwich(dim)
    rule = (lambda k: 1 / (k + 2)) if average else optzoo.open_loop_schedule(2.0)
    return OnRun(
        place,
        place.sarah(step_table(rule, 256), p, 1),
        known=chosen(d=place.problem.dim),
        chosen={"steps": r"$\frac{1}{k + 2}$"} if average else own_steps("classic"),
        name=f"sandwich-{dim}-sarah_frank_wolfe{'-average' * average}",
        checkpoints=(1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181),
    )


FLOORS = {
    "d = 2000": (2000, 0.2, False),
    "d = 190, full gradients": (190, 1.0, False),
    "d = 190, averages": (190, 1.0, True),
}
"""With few dimensions the last checkpoint is near the step at which all vertices are in use."""


def _floor(instance: str) -> Case:
    dim, p, average = FLOORS[instance]
    setting = _sandwich(dim, p, average=average)

    def check(method: Method | None = None) -> PathwiseLowerBound:
        return PathwiseLowerBound(
            setting.experiment(method),
            "suboptimality",
            lambda sample: setting.bound(F9, setting.checkpoints),
        )

    return case(
        setting,
        check,
        mutant(mutants.projection_in_place_of_the_oracle),
    )


def _between() -> Case:
    setting = _sandwich()
    return Case(
        setting,
        UpperBound(
            setting.experiment(),
            "suboptimality",
            lambda: setting.along(F3),
            lower_bound=setting.bound(F9, setting.checkpoints),
            cap=largest_excess(setting.run),
            certain=1,  # the first step is that of a full gradient at a common start
        ),
    )


UNTUNED = "The slope $c$ is tuned to no horizon here: see the laws for the attained rate."

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/convex/noise-tight",
        title="Convex rate where the noise decides",
        theorem=F3,
        prepare=_sarah,
        pairs_with=SARAH_PARTNERS,
        not_shown=UNTUNED,
    ),
    Claim(
        id="frank_wolfe/sarah/sandwich/from-below",
        title="No method with this oracle is faster",
        theorem=F9,
        prepare=grid(_floor, instance=FLOORS),
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
        id="frank_wolfe/saga/convex/noise-tight",
        title="Convex rate without full gradients where the noise decides",
        theorem=F6,
        prepare=_saga,
        pairs_with=SAGA_PARTNERS,
        not_shown=UNTUNED,
    ),
)
