# SPDX-License-Identifier: Apache-2.0
r"""D3, D3a, D4 and D5 beside exact expectations, at every iteration from each starting state."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import MethodMoments
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import (
    D3,
    D3_FLOOR,
    D3_POLYAK_LOJASIEWICZ,
    D3A,
    D3A_FLOOR,
    D4,
    D4_FLOOR,
    D5,
    D5_FLOOR,
    expected_samples,
)

from ...checks import CLOSEST, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, null, wrong
from .mutants import MIXING_TIME_ONE
from .partners import PARTNERS
from .settings import (
    ACCELERATED,
    CHAINS,
    DESCENT,
    EXTRAGRADIENT,
    FACTOR_CHAINS,
    KEPT,
    NOISES,
    POLYAK,
    ExactRun,
    Prescribed,
    PrescribedRun,
    mean_squared_gradient,
)

__all__ = ["CLAIMS", "sides"]

Array = NDArray[np.float64]
Metric = Callable[[Any, MethodMoments], Array]
Choice = Mapping[str, str]

# --- The check ---


@lru_cache(maxsize=KEPT)
def _curve(setting: PrescribedRun, metric: Metric, sizes: tuple[int, ...], horizon: int) -> Array:
    run = setting.moments(*sizes).run(setting.x0, range(horizon + 1))
    return metric(setting, run)


def sides(
    setting: PrescribedRun,
    theorem: Theorem,
    metric: Metric,
    *,
    last_only: bool = False,
    sizes: tuple[int, int] | None = None,
    horizon: int | None = None,
    **changes: float,
) -> Sides:
    """Exact expectation and bound at all iterations k >= 1 from all starting states.

    Args:
        setting: the method on its problem.
        theorem: whose bound.
        metric: what it bounds.
        last_only: the last iteration alone, where the floor has been reached.
        sizes: B and m that the method takes, in place of those that the bound believes in; the
            plain batch of extragradient's first half is then B, too.
        horizon: at most so many iterations.
        **changes: of the constants in the bound.
    """
    last = min(setting.horizon, horizon or setting.horizon)
    k = np.arange(last if last_only else 1, last + 1)
    taken = sizes or (*setting.sizes, setting.first_batch)
    curve = _curve(setting, metric, taken, last)[k]

    def bound() -> Array:
        along = setting.bound(theorem, k, **changes)[:, None]
        return np.asarray(along + np.zeros_like(curve)).ravel()

    return np.minimum(curve.ravel(), 1e9 * bound()), bound


# --- Its controls: each in one case of a kind, where it is not close to being missed ---

SINGLE_SAMPLES = wrong(
    "plain batch of one",
    "single samples without levels, with the step that was meant for the batch",
    sizes=(1, 0),
    horizon=140,
)
CONTROLLED = {"chain": "switch-138", "batch": "long"}
SOLUTION, LONGEST = {"start": "solution"}, {"step": "longest step"}


def _is(setting: ExactRun, **choice: str) -> bool:
    return all(getattr(setting, name) == value for name, value in (CONTROLLED | choice).items())


# --- The claims: a theorem on the grid of a prescribed method ---


def _occurs(
    chain: str, noise: str = "additive", batch: str = "long", start: str = "far", **others: str
) -> bool:
    """Noise with a factor occurs on some chains, from afar; two chains bring their own noise."""
    if noise == "additive":
        return chain in CHAINS
    if "river" in noise + chain:
        return (chain, noise, batch, start) == ("river-swim", "river swim", "long", "far")
    return chain in (*FACTOR_CHAINS, "mixed-100") and (batch, start) == ("long", "far")


def _claim(
    name: str,
    title: str,
    theorem: Theorem,
    plan: Prescribed,
    metric: Metric,
    changes: Callable[[ExactRun], list[Change]],
    *,
    floor: bool,
    not_tested: Mapping[str, str] = MappingProxyType({}),
) -> Claim:
    """At every iteration, or at the last one with additive noise."""
    where = "where the floor is reached" if floor else "every iteration"
    noises = {} if floor else {"noise": NOISES}

    def at(**choice: str) -> Case:
        setting = ExactRun(plan=plan, **choice)
        return exact_case(
            setting,
            partial(sides, theorem=theorem, metric=metric, last_only=floor),
            ExactInequality,
            *changes(setting),
            what=f"exact recursion of the second moments, every starting state, {where}",
        )

    return Claim(
        id=f"markovian_noise/{name}",
        title=title,
        theorem=theorem,
        prepare=grid(at, where=_occurs, chain=plan.chains, **noises, **plan.choices),
        pairs_with=PARTNERS,
        not_tested=not_tested,
        x_label=CLOSEST,
    )


def _along(
    name: str,
    title: str,
    theorem: Theorem,
    plan: Prescribed,
    controlled: Choice,
    metric: Metric | None = None,
    **not_tested: str,
) -> Claim:
    """Along the run. In one case of a kind the bound is wrong, in another the batch."""

    def changes(setting: ExactRun) -> list[Change]:
        bound = [MIXING_TIME_ONE] if _is(setting, noise="additive", **controlled) else []
        far = _is(setting, noise="factor 2", **{**controlled, "start": "far"})
        return [*bound, SINGLE_SAMPLES] if far else bound

    watched = plan.metric if metric is None else metric
    return _claim(name, title, theorem, plan, watched, changes, floor=False, not_tested=not_tested)


BY_D2 = "it enters by V and b alone, in which D2 loses a factor of 2.31 here and these bounds more"
SLOWER_ONLY = "it only slows the rate, which is at most half of what the method reaches"


def _floor(
    name: str, title: str, theorem: Theorem, plan: Prescribed, controlled: Choice, *false: Change
) -> Claim:
    """Where the start is forgotten."""

    def changes(setting: ExactRun) -> list[Change]:
        if not _is(setting, **controlled):
            return []
        plain = null(
            "plain batch of the same price",
            "no mistake: under additive noise a plain batch has the lower floor",
            sizes=(round(expected_samples(*setting.sizes)), 0),
        )
        return [MIXING_TIME_ONE, *false, *((plain,) if plan in (DESCENT, POLYAK) else ())]

    return _claim(name, title, theorem, plan, plan.metric, changes, floor=True)


CLAIMS: tuple[Claim, ...] = (
    _along(
        "descent/gradient",
        "Mean squared gradient over the run, against its exact expectation",
        D3,
        POLYAK,
        SOLUTION,
        mean_squared_gradient,
        tau=BY_D2,
        B=BY_D2,
    ),
    _along(
        "descent/polyak",
        "Linear rate without strong convexity, against its exact expectation",
        D3_POLYAK_LOJASIEWICZ,
        POLYAK,
        SOLUTION,
    ),
    _floor(
        "descent/polyak-floor",
        "Noise floor without strong convexity",
        D3_FLOOR,
        POLYAK,
        SOLUTION | {"spectrum": "rank 2, mu 1"},
    ),
    _along(
        "descent/distance",
        "Linear rate in the distance, against its exact expectation",
        D3A,
        DESCENT,
        LONGEST,
        tau=BY_D2,
        B=BY_D2,
    ),
    _floor(
        "descent/distance-floor",
        "Noise floor in the distance",
        D3A_FLOOR,
        DESCENT,
        LONGEST,
    ),
    _along(
        "accelerated/potential",
        "Accelerated linear rate, against its exact expectation",
        D4,
        ACCELERATED,
        SOLUTION | {"spectrum": "kappa 100"},
        tau=BY_D2,
        B=BY_D2,
    ),
    _floor(
        "accelerated/floor",
        "Noise floor of the accelerated method",
        D4_FLOOR,
        ACCELERATED,
        SOLUTION,
    ),
    _along(
        "extragradient/distance",
        "Linear rate of extragradient, against its exact expectation",
        D5,
        EXTRAGRADIENT,
        SOLUTION,
        tau=BY_D2,
        B=BY_D2,
        mu="the proof gives half of the rate away to the noise",
        Delta=SLOWER_ONLY,
        B_0="what the first half of a step adds to the floor is bounded sixty times too high",
    ),
    _floor(
        "extragradient/floor",
        "Noise floor of extragradient",
        D5_FLOOR,
        EXTRAGRADIENT,
        SOLUTION,
    ),
)
