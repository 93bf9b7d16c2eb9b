# SPDX-License-Identifier: Apache-2.0
"""Families of instances for the Frank-Wolfe theorems: what `theory-checks attack` searches.

On the line all finite sums with piecewise constant second derivatives, of which every smooth one
is nearly one; on the simplex the parabola with more dimensions than steps, where a vertex a step is
too little. The steps of theorems that allow any are searched, too.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant, PiecewiseQuadratic, random_sign_quadratic
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F3A, F3B, F4, F6, F6A, F7, index_probability

from ...checks import UpperBound
from ...claim import Case
from ...worst_case.attack import InstanceFamily, OneOf, Real
from ...worst_case.attack.space import form
from .instances import PIECES, SEED, Instance, on_the_line
from .processes import SagaRun
from .rates import CAPS
from .settings import OnRun
from .watches import AVERAGE_GAP

__all__ = ["FAMILIES", "flat_line", "on_the_simplex"]

Array: TypeAlias = NDArray[np.float64]
Steps = Callable[[dict[str, Any], int], Any]


def on_the_simplex(dim: int, samples: int, noise: float) -> Instance:
    """|x|^2 / 2 with sign noise on the simplex, from a vertex."""
    problem = random_sign_quadratic(samples, dim, SEED, noise=noise)
    constraint = optzoo.lmo.simplex()
    vertex = np.zeros(dim)
    vertex[0] = 1.0
    return Instance(
        name="simplex",
        words=rf"$|x|^2/2$ with sign noise on the simplex, $d = {dim}$, $n = {samples}$",
        problem=problem,
        constraint=constraint,
        x0=vertex,
        known={"D": math.sqrt(2.0), "start": 0.5},
        f_star=Constant(problem.simplex_optimum, "exact", derivation="q/(2d), by symmetry"),
    )


# --- The steps: those that a theorem prescribes, or any ---


def _prescribed(rule: Callable[..., Any]) -> Steps:
    return lambda numbers, horizon: _table(rule(numbers, horizon), horizon)


def _table(schedule: Any, horizon: int) -> Array:
    return np.asarray(schedule(np.arange(horizon)), dtype=np.float64)


def _any(numbers: dict[str, Any], horizon: int) -> Any:
    """A first stretch of steps of any length, and then 2/(k + offset)."""
    later = _table(optzoo.open_loop_schedule(numbers["offset"]), horizon)
    return np.concatenate([numbers["first"], later[len(numbers["first"]) :]])


def _constant(numbers: dict[str, Any], horizon: int) -> Any:
    return np.full(horizon, numbers["eta"])


FIRST = 4
ANY = {"first": Real(0.0, 1.0, size=FIRST), "offset": Real(2.0, 100.0, log=True)}
CONSTANT = {"eta": Real(0.01, 1.0, log=True)}


# --- The cases ---

LANES = 64
"""A step of such small problems costs little more for many replicates than for one."""


def _checkpoints(horizon: int) -> tuple[int, ...]:
    points = {round(horizon ** (i / 8)) for i in range(9)} | {1, 2, 3, horizon}
    return tuple(sorted(k for k in points if 1 <= k <= horizon))


def _says(theorem: Theorem, setting: OnRun[Any]) -> Callable[[], Any]:
    """What theorems of each form say at the checkpoints."""
    own = _own(theorem)
    if own in (F3, F6):
        return lambda: setting.along(theorem)
    if own in (F4, F7):
        return lambda: setting.along(theorem, first=1)
    if own is F3B:
        return lambda: [setting.bound(theorem, setting.checkpoints[-1])]
    return lambda: setting.bound(theorem, np.asarray(setting.checkpoints))


def _own(theorem: Theorem) -> Theorem:
    """The theorem of this paper that another one has the form of."""
    return _FORMS[form(theorem)]


_FORMS = {form(own): own for own in (F3, F3A, F3B, F4, F6, F6A, F7)}


def _case(theorem: Theorem, place: Instance, run: Any, horizon: int) -> Case:
    own = _own(theorem)
    gap = own in (F4, F7)
    setting = OnRun(
        place, run, name=f"attack-{place.name}", checkpoints=_checkpoints(horizon), lanes=LANES
    )
    metric = "average_gap" if gap else "suboptimality"
    points = setting.checkpoints[-1:] if own is F3B else setting.checkpoints
    check = UpperBound(
        setting.experiment(watch=AVERAGE_GAP if gap else None),
        metric,
        _says(theorem, setting),
        last_only=own is F3B,
        cap=lambda: CAPS[metric](run),
        certain=len(points) if _quiet(run) else 0,
        looks=1 if _quiet(run) else 4,
    )
    return Case(setting, check)


def _quiet(run: Any) -> bool:
    """Whether no noise reaches the oracle, so that all seeds agree.

    A table that is refreshed at random has rows of different ages, even where all samples agree.
    """
    problem = run.problem
    if run.batch_size == problem.num_samples or isinstance(run, SagaRun):
        return bool(run.batch_size == problem.num_samples)
    if isinstance(problem, PiecewiseQuadratic):
        return bool(np.all(np.ptp(problem.second, axis=0) == 0) and np.ptp(problem.slopes) == 0)
    return float(problem.noise) == 0.0


def _sarah(
    theorem: Theorem,
    *,
    place: Callable[..., Instance],
    steps: Steps,
    names: tuple[str, ...],
    horizon: int,
    batch: int,
    **numbers: Any,
) -> Case:
    here = place(**{name: numbers[name] for name in names})
    table = steps(numbers, horizon)
    run = here.sarah(table, numbers["p"], min(batch, here.problem.num_samples), replacement=False)
    return _case(theorem, here, run, horizon)


def _saga(
    theorem: Theorem,
    *,
    place: Callable[..., Instance],
    steps: Steps,
    names: tuple[str, ...],
    horizon: int,
    batch: int,
    table: str,
    **numbers: Any,
) -> Case:
    here = place(**{name: numbers[name] for name in names})
    batch = min(batch, here.problem.num_samples)
    numbers["a"] = index_probability(here.problem.num_samples, batch, replacement=False)
    run = here.saga(steps(numbers, horizon), batch, replacement=False, warm=table == "warm")
    return _case(theorem, here, run, horizon)


def flat_line(
    flatness: float, mean: Sequence[float], slope: float, slopes: Sequence[float], **others: Any
) -> Instance:
    """On the line, where f and the slopes are this much smaller than the deviations."""
    flat, low = (np.multiply(flatness, one).tolist() for one in (mean, slopes))
    return on_the_line(flat, slope=flatness * slope, slopes=low, **others)


def _line(pairs: int, *, convex: bool, flat: bool) -> dict[str, Real]:
    flatness = {"flatness": Real(1e-3, 1.0, log=True)} if flat else {}
    return flatness | {
        "mean": Real(0.0 if convex else -1.0, 1.0, size=PIECES),
        "deviations": Real(-2.0, 2.0, size=PIECES * pairs),
        "slope": Real(-2.0, 2.0),
        "slopes": Real(-1.0, 1.0, size=pairs),
        "start": Real(-1.0, 1.0),
    }


def _are_prescribed(more: dict[str, Any]) -> bool:
    """Whether the steps do not vary: then they are short, and the noise that adds up is small."""
    return not {"first", "eta"} & more.keys()


SIMPLEX = {"noise": Real(0.0, 2.0)}
DIMENSION, SAMPLES = 300, 4


def _starts(pairs: int, more: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Where a term of the bounds is known to be nearly all there is, for what varies.

    A first step from end to end after which the noise of one batch decides; small steps on a slope
    about as large as the noise that has added up; a full step that leaves the minimum; steps that
    cross it back and forth; a slope alone. Where a theorem prescribes its steps, which are short,
    a way down from the far end, on a slope that the noise since the last restart turns back.
    """
    defaults = {
        "first": [0.05] * FIRST,
        "offset": 40.0,
        "eta": 0.05,
        "p": 0.02,
        "table": "cold",
        "horizon": max(one for one in more["horizon"].values),
        "batch": 1,
    }

    def start(mean: float, apart: float, slope: float, at: float, **other: Any) -> dict[str, Any]:
        place = {
            "mean": [mean] * PIECES,
            "deviations": [apart] * (PIECES * pairs),
            "slope": slope,
            "slopes": [0.0] * pairs,
            "start": at,
        }
        chosen = defaults | other
        return place | {name: chosen[name] for name in more}

    early = {"first": [0.999, 0.5, 0.5, 0.5], "eta": 1.0, "p": 0.15}
    early["horizon"] = min(more["horizon"].values)
    found = [
        start(0.0, 1.0, 1.85, 1.0, **early),
        start(0.0, 1.0, 0.1, -0.9),
        start(1.0, 0.0, 0.999, -0.9995, **early),
        start(1.0, 0.0, 0.0, 1.0, **early),
        start(0.0, 0.0, 1.0, 1.0),
    ]
    if _are_prescribed(more):
        found = [{"flatness": 1.0} | one for one in found]
        found.append({"flatness": 0.04} | start(0.0, 1.0, 0.5, 1.0, p=0.005, horizon=256))
    if "table" in more and more["table"].values == ("warm",):
        found = [one | {"table": "warm"} for one in found]
    return tuple(found)


def _families(
    theorem: Theorem,
    method: Callable[..., Case],
    steps: Steps,
    varies: dict[str, Any],
    horizons: tuple[int, ...],
    *,
    convex: bool = True,
    batches: tuple[int, ...] = (1, 2),
) -> list[InstanceFamily]:
    """On the line with one pair and with two, and on the simplex where f is convex."""
    more = varies | {"horizon": OneOf(*horizons), "batch": OneOf(*batches)}
    found = []
    flat = _are_prescribed(more)
    on_line = flat_line if flat else on_the_line
    for pairs in (1, 2):
        line = _line(pairs, convex=convex, flat=flat)
        made = partial(method, place=on_line, steps=steps, names=tuple(line))
        words = f"{theorem.label} on the line, n = {2 * pairs}"
        found.append(InstanceFamily(words, made, line | more, (theorem,), _starts(pairs, more)))
    if convex:
        place = partial(on_the_simplex, DIMENSION, SAMPLES)
        made = partial(method, place=place, steps=steps, names=tuple(SIMPLEX))
        words = f"{theorem.label} on the simplex"
        found.append(InstanceFamily(words, made, SIMPLEX | more, (theorem,)))
    return found


P = {"p": Real(0.005, 1.0, log=True)}
TABLE = {"table": OneOf("warm", "cold")}
RESTART = _prescribed(lambda numbers, horizon: optzoo.open_loop_schedule(4 / numbers["p"]))
STICH = _prescribed(lambda numbers, horizon: optzoo.stich_schedule(horizon, numbers["p"]))
OF_TABLE = _prescribed(lambda numbers, horizon: optzoo.open_loop_schedule(8 / numbers["a"]))
SHORT, LONG = (8, 32, 128, 512), (16, 64, 256, 1024)

FAMILIES: tuple[InstanceFamily, ...] = (
    *_families(F3, _sarah, _any, P | ANY, SHORT),
    *_families(F3A, _sarah, RESTART, P, LONG),
    *_families(F3B, _sarah, STICH, P, LONG),
    *_families(F4, _sarah, _constant, P | CONSTANT, SHORT, convex=False),
    *_families(F6, _saga, _any, TABLE | ANY, SHORT),
    *_families(F6A, _saga, OF_TABLE, {"table": OneOf("warm")}, LONG),
    *_families(F7, _saga, _constant, TABLE | CONSTANT, SHORT, convex=False),
)
