# SPDX-License-Identifier: Apache-2.0
"""C1 and C2: how the error falls with gradients of samples, and with calls of the oracle.

Three kinds of instances on which the laws are clean: f_i(x) = c x +- x^2 / 2, averaged over a grid
of slopes c, where the noise decides (no single tuned instance, whose own scale would be the law);
|x|^2 / 2 over the simplex, where no method with this oracle is faster than 1/k (F9); and x^2 / 2 on
an interval, which steps cross, for the gap. The exponent of the error in a cost is one over that of
the cost in 1/eps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from optzoo.theorems import Theorem
from optzoo.theorems.projection_free_methods import (
    SAGAFW,
    SFW,
    SPIDER_NONCONVEX,
    TABLE_GRADIENTS,
    TABLE_ORACLE,
)

from ...checks import Law, Rate
from ...claim import Case, Claim, grid
from ...controls import case, wrong
from ...setting import Stated
from ...simulation import Experiment, Sweep, log_spaced
from ..frank_wolfe.instances import noise_tight, sandwich
from ..frank_wolfe.laws import long_run
from ..frank_wolfe.processes import FiniteSumRun, with_slope
from . import settings
from .instances import line_model, parabolas
from .processes import AVERAGE_GAP
from .settings import MethodSetting

__all__ = ["CLAIMS", "COSTS", "Cost", "cost_of"]

SAMPLES, SLOPES = 64, 8
NOISE = rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = {SAMPLES}$, averaged over {SLOPES} slopes $c$"
DIMENSION = 2048


@dataclass(frozen=True, eq=False)
class Cost:
    """How the error of a method falls.

    Args:
        experiment: over slopes, looked at after complete steps.
        gradients: of samples so far, at each checkpoint.
        calls: of the oracle.
        stated: exponents of the error in the two, from the theorems.
        words: the instance.
        offset: the theorem's steps are 2/(k + offset).
        looks: so many times the laboratory's seeds.
        metric: of the experiment.
        curve: the theorem's own at the checkpoints, where it is not yet a power, or has a logarithm
            beside it.
        false: so many times the exponent is a false claim.
        controlled: the costs in which that is a control: not where the curve bends a little, which
            is said of a pure power before it is said to be wrong.
        ends: whether the checkpoints are the ends of epochs, in which the error is no power.
    """

    experiment: Experiment
    gradients: tuple[float, ...]
    calls: tuple[float, ...]
    stated: Mapping[str, float]
    words: str = NOISE
    offset: float = 0.0
    looks: int = 1
    metric: str = "suboptimality"
    curve: tuple[float, ...] | None = None
    false: float = 2.0
    controlled: tuple[str, ...] = ("gradients", "calls")
    ends: bool = False

    def power(self, unit: str) -> tuple[float, ...] | None:
        """What the theorem's power in a cost is of, where it is not yet one over it."""
        if unit != "calls" or not self.offset:
            return None
        return tuple(1 / (np.asarray(self.calls) + self.offset))

    def own(self, unit: str) -> tuple[float, ...] | None:
        """The same, so that its power is the theorem's curve itself, where that is known."""
        if self.curve is None:
            return self.power(unit)
        return tuple(np.asarray(self.curve) ** (1 / self.stated[unit]))


def _over_slopes(
    name: str, run: FiniteSumRun, ticks: Any, slopes: tuple[float, float]
) -> Experiment:
    sweep = Sweep(run, jnp.geomspace(*slopes, SLOPES), with_slope)
    return Experiment(f"complexity-{name}", sweep, tuple(int(tick) for tick in ticks), lanes=16)


def _sfw() -> Cost:
    # The batches of L = 1.4, which is an upper bound, too.
    horizon, b = 400, 8
    samples = (np.arange(horizon) + 2.0) ** 2 / 8
    setting = settings.stochastic(noise_tight(1.0), horizon, b, samples=samples)
    steps = np.asarray(log_spaced(13, horizon, 13))
    ticks = setting.plan.calls_to(steps)
    return Cost(
        _over_slopes("sfw", setting.run, ticks, (3e-3, 1.0)),
        tuple(float(b) * ticks),
        tuple(steps.astype(float)),
        {"gradients": 1 / 3, "calls": 1.0},
        offset=2.0,
        looks=2,
        controlled=("gradients",),
        curve=tuple(setting.bound(SFW, *setting.arguments)[steps]),
    )


def _scg() -> Cost:
    horizon = 20_000
    setting = settings.momentum(noise_tight(1.0), horizon)
    steps = log_spaced(200, horizon, 13)
    experiment = _over_slopes("scg", setting.run, steps, (1e-4, 1.0))
    each = tuple(float(step) for step in steps)
    return Cost(experiment, each, each, {"gradients": 1 / 3, "calls": 1 / 3})


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


# --- From below by the oracle alone ---


def _svrf() -> Cost:
    # A sixteenth of the paper's batches: the law is the same.
    epochs = [1, *(2 ** (t + 3) - 2 for t in range(1, 6))]
    horizon, b = sum(epochs), 64
    place = sandwich(512)
    setting = settings.svrf(place, horizon, b, samples=6 * (np.arange(max(epochs)) + 2.0))
    cost = _by_plan("svrf", setting, np.cumsum(epochs)[1:], (1 / 2, 1.0), place.words)
    return replace(cost, ends=True)


def _spider() -> Cost:
    place, horizon = sandwich(DIMENSION, 2), 2**8 - 1
    setting = settings.spider(place, horizon, 4)
    steps = np.asarray(log_spaced(8, horizon, 13))
    return _by_plan("spider", setting, steps, (1 / 2, 1.0), place.words)


def _sag() -> Cost:
    """Where the minimum lies inside, and it is faster than its theorem says."""
    n, horizon = 16, 20_000
    place = line_model((1.0,) * n, (0.0,) * n, 1.0)
    setting = settings.sag(place, horizon)
    steps = np.asarray(log_spaced(300, horizon, 13))
    cost = _by_plan("sag", setting, steps, (1.0, 1.0), place.words)
    return replace(cost, false=3.0, looks=2)


def _by_plan(
    name: str, setting: MethodSetting, steps: Any, stated: tuple[float, float], words: str
) -> Cost:
    """Of a run that is looked at after so many steps."""
    ticks = setting.plan.calls_to(steps)
    lanes = 16 if name == "sag" else 1
    return Cost(
        Experiment(
            f"complexity-{name}", setting.run, tuple(int(tick) for tick in ticks), lanes=lanes
        ),
        _gradients(setting, steps, 1 if name == "sag" else 2),
        tuple(np.asarray(steps, dtype=float)),
        {"gradients": stated[0], "calls": stated[1]},
        words,
    )


def _gradients(setting: MethodSetting, steps: Any, each: int) -> tuple[float, ...]:
    """So far after so many steps: n where a step is fresh, and so many a sample of a batch."""
    plan, problem = setting.plan, setting.run.problem
    fresh = np.append(0, np.cumsum(plan.fresh))[steps]
    # A call with a full gradient has no batch.
    batches = each * setting.run.batch_size * (plan.calls_to(steps) - fresh)
    return tuple(batches + float(problem.num_samples) * fresh)


# --- The average gap ---

CROSSED = (3.0, -1.0) * 8
"""Second derivatives of the functions: their mean is x^2 / 2."""


def _gap(name: str, setting: MethodSetting, theorem: Theorem) -> Cost:
    steps = np.asarray(log_spaced(len(setting.plan.steps) / 40, len(setting.plan.steps), 13))
    curve = setting.bound(theorem, *setting.arguments)[steps - 1]
    return Cost(
        Experiment(
            f"complexity-{name}-gap",
            setting.run,
            tuple(int(step) for step in steps),
            AVERAGE_GAP,
            lanes=16,
        ),
        _gradients(setting, steps, 2),
        tuple(steps.astype(float)),
        {"gradients": 0.5, "calls": 0.5},
        setting.words,
        metric="average_gap",
        curve=tuple(curve),
    )


def _root_steps(horizon: int) -> Any:
    return 1 / np.sqrt(np.arange(horizon) + 1.0)


def _sagafw_gap() -> Cost:
    place, horizon, b = parabolas(CROSSED, (0.0,) * len(CROSSED), 1.0), 2000, 6
    setting = settings.sagafw(place, horizon, b, steps=_root_steps(horizon))
    return _gap("sagafw", setting, SAGAFW)


def _spider_gap() -> Cost:
    place, horizon, q = parabolas(CROSSED, (0.0,) * len(CROSSED), 1.0), 2000, 4
    setting = settings.spider_constant(place, horizon, q, epoch=q, steps=_root_steps(horizon))
    return _gap("spider", setting, SPIDER_NONCONVEX)


COSTS: Mapping[str, Callable[[], Cost]] = {
    "SFW": _sfw,
    "SCG": _scg,
    "SVRF": _svrf,
    "SPIDER": _spider,
    "SAG": _sag,
    "Sarah": _sarah,
    "Saga Sarah": _saga,
    "SAGAFW, average gap": _sagafw_gap,
    "SPIDER, average gap": _spider_gap,
}


@cache
def cost_of(method: str) -> Cost:
    """The costs of a method by its name."""
    return COSTS[method]()


def _case(unit: str, method: str) -> Case:
    cost = cost_of(method)
    points = getattr(cost, unit)
    exponent = cost.stated[unit]

    def check(stated: float = exponent) -> Rate | Law:
        if cost.ends:
            return Law(points, [cost.experiment], cost.metric, -stated, relation="at_most", looks=1)
        return Rate(
            cost.experiment,
            cost.metric,
            stated,
            (points[0], points[-1]),
            looks=cost.looks,
            points=points,
            # A false claim is of a pure power.
            base=cost.own(unit) if stated == exponent else cost.power(unit),
        )

    faster = wrong(
        f"{cost.false:g} times the exponent",
        "a false claim: a root of the cost",
        stated=cost.false * exponent,
    )
    changes = (faster,) if unit in cost.controlled else ()
    return case(Stated(cost.words), check, *changes)


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
