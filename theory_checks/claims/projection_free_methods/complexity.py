"""C1 and C2: how the error falls with gradients of samples, and with calls of the oracle.

On f_i(x) = c x +- x^2 / 2, averaged over a grid of slopes c: no single tuned instance, whose own
scale would be the law. Each method has its paper's steps, batches and epochs. The exponent of the
error in a cost is one over that of the cost in 1/eps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from optzoo.theorems import Theorem
from optzoo.theorems.projection_free_methods import TABLE_GRADIENTS, TABLE_ORACLE

from ...checks import Rate
from ...claim import Case, Claim, grid
from ...controls import case, wrong
from ...setting import Stated
from ...simulation import Experiment, Sweep, log_spaced
from ..frank_wolfe.instances import noise_tight
from ..frank_wolfe.laws import long_run
from ..frank_wolfe.processes import FiniteSumRun, with_slope
from . import settings
from .settings import MethodSetting

__all__ = ["CLAIMS", "COSTS"]

SAMPLES, SLOPES = 64, 8


@dataclass(frozen=True, eq=False)
class Cost:
    """How the error of a method falls.

    Args:
        experiment: over slopes, looked at after complete steps.
        gradients: of samples so far, at each checkpoint.
        calls: of the oracle.
        stated: exponents of the error in the two, from the theorems.
        offset: the theorem's steps are 2/(k + offset).
        looks: so many times the laboratory's seeds.
    """

    experiment: Experiment
    gradients: tuple[float, ...]
    calls: tuple[float, ...]
    stated: Mapping[str, float]
    offset: float = 0.0
    looks: int = 1


def _over_slopes(
    name: str, run: FiniteSumRun, ticks: Any, slopes: tuple[float, float]
) -> Experiment:
    sweep = Sweep(run, jnp.geomspace(*slopes, SLOPES), with_slope)
    return Experiment(f"complexity-{name}", sweep, tuple(int(tick) for tick in ticks), lanes=16)


def _cost(
    name: str,
    setting: MethodSetting,
    first: int,
    per_call: float,
    stated: tuple[float, float],
    slopes: tuple[float, float] = (1e-4, 1.0),
    per_fresh: float = 0.0,
) -> Cost:
    """Of a method by its plan."""
    steps = np.asarray(log_spaced(first, len(setting.plan.steps), 13))
    ticks = setting.plan.calls_to(steps)
    fresh = np.append(0, np.cumsum(setting.plan.fresh))[steps]
    return Cost(
        _over_slopes(name, setting.run, ticks, slopes),
        tuple(per_call * ticks + per_fresh * fresh),
        tuple(steps.astype(float)),
        {"gradients": stated[0], "calls": stated[1]},
    )


def _sfw() -> Cost:
    horizon, b = 400, 8
    samples = (np.arange(horizon) + 2.0) ** 2 / 8  # those of L = 1.4, which holds, too
    setting = settings.stochastic(noise_tight(1.0), horizon, b, samples=samples)
    cost = _cost("sfw", setting, 13, b, (1 / 3, 1.0), (3e-3, 1.0))
    return replace(cost, offset=2.0, looks=2)


def _scg() -> Cost:
    return _cost("scg", settings.momentum(noise_tight(1.0), 20_000), 200, 1, (1 / 3, 1 / 3))


def _sarah() -> Cost:
    p, b = 0.3, 1
    return _in_the_long_run("sarah", p * SAMPLES + 2 * (1 - p) * b)


def _saga() -> Cost:
    return _in_the_long_run("saga", 2.0 * 4)


def _in_the_long_run(name: str, per_step: float) -> Cost:
    """Of a method whose law in the horizon is a claim of its own; the runs are the same."""
    experiment = long_run(name)
    steps = np.asarray(experiment.checkpoints, dtype=float)
    return Cost(experiment, tuple(per_step * steps), tuple(steps), {"gradients": 1.0, "calls": 1.0})


COSTS: Mapping[str, Callable[[], Cost]] = {
    "SFW": _sfw,
    "SCG": _scg,
    "Sarah": _sarah,
    "Saga Sarah": _saga,
}


@cache
def _of(method: str) -> Cost:
    return COSTS[method]()


def _case(unit: str, method: str) -> Case:
    cost = _of(method)
    points = getattr(cost, unit)
    exponent = cost.stated[unit]
    base = None
    if unit == "calls" and cost.offset:
        base = tuple(1 / (np.asarray(points) + cost.offset))

    def check(stated: float = exponent) -> Rate:
        return Rate(
            cost.experiment,
            "suboptimality",
            stated,
            (points[0], points[-1]),
            looks=cost.looks,
            points=points,
            base=base,
        )

    words = rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = {SAMPLES}$, averaged over slopes $c$"
    faster = wrong("half as many", "a false claim: twice the exponent", stated=2 * exponent)
    return case(Stated(words), check, faster)


def _claim(unit: str, title: str, theorem: Theorem, x_label: str) -> Claim:
    return Claim(
        id=f"projection_free_methods/complexity/{unit}",
        title=title,
        theorem=theorem,
        prepare=grid(partial(_case, unit), method=tuple(COSTS)),
        x_label=x_label,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "gradients", "Gradients of samples to an accuracy", TABLE_GRADIENTS, "gradients of samples"
    ),
    _claim("calls", "Calls of the oracle to an accuracy", TABLE_ORACLE, "calls of the oracle"),
)
