r"""D3, D3a, D4 and D5 beside exact expectations, at every iteration from each starting state."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
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

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, controls, null, wrong
from .partners import PARTNERS
from .settings import (
    ACCELERATED,
    CHAINS,
    DESCENT,
    EXTRAGRADIENT,
    FACTOR_CHAINS,
    POLYAK,
    SMALL_CHAINS,
    ExactRun,
    Family,
    distance,
    mean_squared_gradient,
    potential,
    suboptimality,
)

__all__ = ["CLAIMS", "sides"]

Array = NDArray[np.float64]
Metric = Callable[[Any, MethodMoments], Array]
Choice = Mapping[str, str]

# --- The check ---


@cache
def _curve(setting: ExactRun, metric: Metric, sizes: tuple[int, int], horizon: int) -> Array:
    run = setting.moments(*sizes).run(setting.x0, range(horizon + 1))
    return metric(setting, run)


def sides(
    setting: ExactRun,
    theorem: Theorem,
    metric: Metric,
    *,
    last_only: bool = False,
    sizes: tuple[int, int] | None = None,
    horizon: int | None = None,
    scale: float = 1.0,
    **changes: float,
) -> tuple[Array, Array]:
    """Exact expectation and bound at all iterations k >= 1 from all starting states.

    Args:
        setting: the method on its problem.
        theorem: whose bound.
        metric: what it bounds.
        last_only: the last iteration alone, where the floor has been reached.
        sizes: B and m that the method takes, in place of those that the bound believes in.
        horizon: at most so many iterations.
        scale: the bound is multiplied by it.
        **changes: of the constants in the bound.
    """
    last = min(setting.horizon, horizon or setting.horizon)
    k = np.arange(last if last_only else 1, last + 1)
    curve = _curve(setting, metric, sizes or setting.sizes, last)[k]
    bound = scale * setting.bound(theorem, k, **changes)[:, None] + np.zeros_like(curve)
    return np.minimum(curve, 1e9 * bound).ravel(), bound.ravel()


def _case(
    setting: ExactRun,
    theorem: Theorem,
    metric: Metric,
    *changes: Change,
    last_only: bool = False,
) -> Case:
    what = "exact recursion of the second moments, every starting state, "
    what += "where the floor is reached" if last_only else "every iteration"

    def check(**changed: Any) -> ExactInequality:
        compute = partial(sides, setting, theorem, metric, last_only=last_only, **changed)
        return ExactInequality(compute, what=what)

    return Case(setting, check(), controls(check, *changes))


MIXING_TIME_ONE = wrong("mixing time 1", r"the bound evaluated with $\tau' = 1$", tau=1)
SINGLE_SAMPLES = wrong(
    "plain batch of one",
    "single samples without levels, with the step that was meant for the batch",
    sizes=(1, 0),
    horizon=140,
)


def _is(setting: ExactRun, **choice: str) -> bool:
    return all(getattr(setting, name) == value for name, value in choice.items())


CONTROLLED = {"chain": "switch-138", "batch": "long"}  # where no control is close to being missed


def _along(
    family: Family, theorem: Theorem, metric: Metric, controlled: Choice, **choice: str
) -> Case:
    """At every iteration. In one case of a kind the bound is wrong, in another the batch."""
    setting = ExactRun(family=family, **choice)
    changes = []
    if _is(setting, **CONTROLLED, noise="additive", **controlled):
        changes.append(MIXING_TIME_ONE)
    if _is(setting, **CONTROLLED, noise="factor 2", **{**controlled, "start": "far"}):
        changes.append(SINGLE_SAMPLES)
    return _case(setting, theorem, metric, *changes)


def _floor(
    family: Family, theorem: Theorem, false: Change | None, controlled: Choice, **choice: str
) -> Case:
    """At the last iteration, with additive noise."""
    setting = ExactRun(family=family, **choice)
    changes = [MIXING_TIME_ONE] if false is None else [MIXING_TIME_ONE, false]
    if family in (DESCENT, POLYAK):
        changes.append(
            null(
                "plain batch of the same price",
                "no mistake: under additive noise a plain batch has the lower floor",
                sizes=(round(expected_samples(*setting.sizes)), 0),
            )
        )
    wanted = changes if _is(setting, **CONTROLLED, **controlled) else []
    return _case(setting, theorem, family.metric, *wanted, last_only=True)


def _divided_by(factor: int) -> Change:
    return wrong(f"bound divided by {factor}", "a false claim", scale=1 / factor)


# --- The grids ---


def _occurs(
    chain: str, noise: str = "additive", batch: str = "long", start: str = "far", **others: str
) -> bool:
    """Noise with a factor occurs on some chains, from afar; two chains bring their own noise."""
    if noise == "additive":
        return chain in CHAINS
    if "river" in noise + chain:
        return (chain, noise, batch, start) == ("river-swim", "river swim", "long", "far")
    return chain in (*FACTOR_CHAINS, "mixed-100") and (batch, start) == ("long", "far")


BATCHES, STARTS = ("short", "long"), ("far", "solution")
STEPS = ("longest step", "a tenth of it")
RANK_2, KAPPA_5 = ("rank 2, mu 0.25", "rank 2, mu 1"), ("kappa 5",)
KAPPAS = ("kappa 2", "kappa 100")
NOISES = ("additive", "factor 1", "factor 2")
SOLUTION, LONGEST = {"start": "solution"}, {"step": "longest step"}


def _claim(
    name: str, title: str, theorem: Theorem, case: Callable[..., Case], **axes: Iterable[str]
) -> Claim:
    """A claim on a grid; a bound that is slack at its floor has partners."""
    return Claim(
        id=f"markovian_noise/{name}",
        title=title,
        theorem=theorem,
        prepare=grid(case, where=_occurs, **axes),
        pairs_with=PARTNERS if name.endswith("floor") else (),
        x_label="case, the closest to the bound first",
    )


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "descent/gradient",
        "Mean squared gradient over the run, against its exact expectation",
        D3,
        partial(_along, POLYAK, D3, mean_squared_gradient, SOLUTION),
        chain=(*SMALL_CHAINS, "mixed-100"),
        noise=NOISES,
        spectrum=RANK_2,
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "descent/polyak",
        "Linear rate without strong convexity, against its exact expectation",
        D3_POLYAK_LOJASIEWICZ,
        partial(_along, POLYAK, D3_POLYAK_LOJASIEWICZ, suboptimality, SOLUTION),
        chain=(*SMALL_CHAINS, "mixed-100"),
        noise=NOISES,
        spectrum=RANK_2,
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "descent/polyak-floor",
        "Noise floor without strong convexity",
        D3_FLOOR,
        partial(_floor, POLYAK, D3_FLOOR, _divided_by(8), SOLUTION | {"spectrum": RANK_2[1]}),
        chain=SMALL_CHAINS,
        spectrum=RANK_2,
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "descent/distance",
        "Linear rate in the distance, against its exact expectation",
        D3A,
        partial(_along, DESCENT, D3A, distance, LONGEST),
        chain=(*CHAINS, "mixed-100"),
        noise=NOISES,
        spectrum=KAPPA_5,
        batch=BATCHES,
        step=STEPS,
    ),
    _claim(
        "descent/distance-floor",
        "Noise floor in the distance",
        D3A_FLOOR,
        partial(_floor, DESCENT, D3A_FLOOR, _divided_by(8), LONGEST),
        chain=CHAINS,
        spectrum=KAPPA_5,
        batch=BATCHES,
        step=STEPS,
    ),
    _claim(
        "accelerated/potential",
        "Accelerated linear rate, against its exact expectation",
        D4,
        partial(_along, ACCELERATED, D4, potential, SOLUTION | {"spectrum": "kappa 100"}),
        chain=(*SMALL_CHAINS, "mixed-100"),
        noise=NOISES,
        spectrum=KAPPAS,
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "accelerated/floor",
        "Noise floor of the accelerated method",
        D4_FLOOR,
        partial(_floor, ACCELERATED, D4_FLOOR, _divided_by(16), SOLUTION),
        chain=SMALL_CHAINS,
        spectrum=KAPPAS,
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "extragradient/distance",
        "Linear rate of extragradient, against its exact expectation",
        D5,
        partial(_along, EXTRAGRADIENT, D5, distance, SOLUTION),
        chain=(*SMALL_CHAINS, "river-swim"),
        noise=(*NOISES, "river swim"),
        batch=BATCHES,
        start=STARTS,
    ),
    _claim(
        "extragradient/floor",
        "Noise floor of extragradient",
        D5_FLOOR,
        partial(_floor, EXTRAGRADIENT, D5_FLOOR, None, SOLUTION),
        chain=SMALL_CHAINS,
        batch=BATCHES,
        start=STARTS,
    ),
)
