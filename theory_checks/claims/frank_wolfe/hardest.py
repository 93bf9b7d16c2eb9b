# SPDX-License-Identifier: Apache-2.0
"""The hardest instances known for each rate: where one term of its bound is nearly all there is.

Without noise: f linear, of which only the start is left; |x|^2 / 2 over the simplex, where a vertex
a step is too little; a parabola that a full step leaves at its minimum; x^2 / 2 on an interval,
which constant steps cross back and forth, the longest from end to end. With noise:
a first step from end to end of an interval, after which a batch points the wrong way half the time,
and a slope just below what it takes to be wrong; and a table of zeros, with which the first batch
does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

import optzoo
from optzoo.problems import Constant, random_sign_quadratic
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F3A, F3B, F4, F6, F6A, F7

from ...checks import UpperBound
from ...claim import Case, Claim, grid
from ...simulation import Watch
from .instances import PIECES, SEED, Instance, noise_tight, on_the_line, sandwich
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import step_table
from .rates import CAPS
from .settings import OnRun, own_steps
from .watches import AVERAGE_GAP

__all__ = ["CLAIMS"]

SAMPLES, HORIZON, NOISY = 8, 160, (2, 3, 4, 6)


def _interval() -> Instance:
    return Instance(
        name="interval",
        words="$f(x) = x^2/2$ on $[-1, 1]$ from an end",
        problem=random_sign_quadratic(SAMPLES, 1, SEED, noise=0.0),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.ones(1),
        f_star=Constant(0.0, "exact", derivation="at 0"),
    )


def _parabola(slope: float, start: float) -> Instance:
    """x^2 / 2 + slope x on [-1, 1], twice."""
    return on_the_line([1.0] * PIECES, [0.0] * PIECES, slope, [0.0], start)


@dataclass(frozen=True)
class Hard:
    """An instance, and how the methods are run on it.

    Args:
        make: the instance.
        p: restart probability; 1 is plain Frank-Wolfe.
        batch: samples a step.
        at_once: whether the steps forget the start at once, where they may be any.
        eta: the constant step.
        checkpoints: where it is looked at.
        horizon: K, which Stich's steps are made for.
        noisy: whether noise reaches the oracle; where none does all seeds agree.
        warm: whether a table has the first gradients, or zeros.
    """

    make: Callable[[], Instance]
    p: float = 1.0
    batch: int = SAMPLES
    at_once: bool = True
    eta: float = HORIZON**-0.5
    checkpoints: tuple[int, ...] = (2, 5, 10, 20, 40, 80, HORIZON)
    horizon: int = HORIZON
    noisy: bool = False
    warm: bool = True


HARD = {
    "linear": Hard(lambda: noise_tight(1.0, n=SAMPLES, noise=0.0), p=0.2, batch=1, at_once=False),
    "linear, small": Hard(
        lambda: noise_tight(0.01, n=SAMPLES, noise=0.0), p=0.2, batch=1, at_once=False
    ),
    "simplex": Hard(lambda: sandwich(2000, SAMPLES)),
    "interval": Hard(_interval),
    # Found by a search: a first step, or every step, that ends where the bound says.
    "full step": Hard(lambda: _parabola(0.9999, -1.0), batch=2, checkpoints=(1, 2, 5, 10)),
    "step over": Hard(
        lambda: _parabola(1 - 1e-6, -1.0), p=0.005, batch=2, checkpoints=(1, 2, 5, 10)
    ),
    "one step": Hard(
        lambda: _parabola(1 - 1e-6, -1.0), p=0.1, batch=2, checkpoints=(1,), horizon=1
    ),
    "end to end": Hard(lambda: _parabola(0.0, 1.0), batch=2, eta=1.0),
    # The noise of the first step is nearly all there is after it.
    "noise": Hard(lambda: noise_tight(1.85), 0.15, 1, eta=1.0, checkpoints=NOISY, noisy=True),
    "noise, small": Hard(
        lambda: noise_tight(0.0185, noise=0.01), 0.15, 1, eta=1.0, checkpoints=NOISY, noisy=True
    ),
    # The noise since the last restart is as large as the slope, and turns the iterate back.
    "slope": Hard(
        lambda: noise_tight(0.08),
        p=0.05,
        batch=1,
        checkpoints=(10, 20, 40),
        horizon=40,
        noisy=True,
    ),
    "table of zeros": Hard(
        lambda: noise_tight(0.93, start=-1.0),
        batch=1,
        eta=1.0,
        checkpoints=(1, 2, 3, 4),
        noisy=True,
        warm=False,
    ),
}


def _by_sarah(instance: str, schedule: str) -> OnRun[Any]:
    hard = HARD[instance]
    rules = {
        "restart": optzoo.open_loop_schedule(4 / hard.p),
        "stich": optzoo.stich_schedule(hard.horizon, hard.p),
        "classic": optzoo.open_loop_schedule(2.0),
        "constant": hard.eta,
    }
    place = hard.make()
    steps = step_table(rules[schedule], hard.horizon)
    run = place.sarah(steps, hard.p, hard.batch, replacement=False)
    return _on(instance, place, run, schedule)


def _by_saga(instance: str, schedule: str) -> OnRun[Any]:
    hard, place = HARD[instance], HARD[instance].make()
    rules = {
        "table": optzoo.open_loop_schedule(8 * place.problem.num_samples / hard.batch),
        "classic": optzoo.open_loop_schedule(2.0),
        "constant": hard.eta,
    }
    steps = step_table(rules[schedule], HORIZON)
    run = place.saga(steps, hard.batch, replacement=False, warm=hard.warm)
    return _on(instance, place, run, schedule)


def _on(instance: str, place: Instance, run: Any, schedule: str) -> OnRun[Any]:
    name = f"hardest-{type(run).__name__}-{instance}-{schedule}"
    points = HARD[instance].checkpoints
    return OnRun(place, run, chosen=own_steps(schedule), name=name, checkpoints=points)


def _below(
    instance: str,
    setting: OnRun[Any],
    says: Callable[[], Any],
    metric: str = "suboptimality",
    watch: Mapping[str, Watch] | None = None,
    *,
    last_only: bool = False,
) -> Case:
    hard = HARD[instance]
    check = UpperBound(
        setting.experiment(watch=watch),
        metric,
        says,
        last_only=last_only,
        cap=CAPS[metric](setting.run) if hard.noisy else None,
        certain=0 if hard.noisy else 1 if last_only else len(hard.checkpoints),
        looks=16 if hard.noisy else 4,
    )
    return Case(setting, check)


# --- The theorems ---


def _any_steps(instance: str) -> Case:
    setting = _by_sarah(instance, "classic" if HARD[instance].at_once else "restart")
    return _below(instance, setting, lambda: setting.along(F3))


def _open_loop(instance: str) -> Case:
    setting = _by_sarah(instance, "restart")
    return _below(instance, setting, lambda: setting.bound(F3A, setting.checkpoints))


def _stich(instance: str) -> Case:
    setting, horizon = _by_sarah(instance, "stich"), HARD[instance].horizon
    return _below(instance, setting, lambda: [setting.bound(F3B, horizon)], last_only=True)


def _gap(instance: str) -> Case:
    setting = _by_sarah(instance, "constant")
    return _below(instance, setting, lambda: setting.along(F4, first=1), "average_gap", AVERAGE_GAP)


def _saga_any_steps(instance: str) -> Case:
    setting = _by_saga(instance, "classic" if HARD[instance].at_once else "table")
    return _below(instance, setting, lambda: setting.along(F6))


def _from_a_table(instance: str) -> Case:
    setting = _by_saga(instance, "table")
    return _below(instance, setting, lambda: setting.bound(F6A, setting.checkpoints))


def _saga_gap(instance: str) -> Case:
    setting = _by_saga(instance, "constant")
    return _below(instance, setting, lambda: setting.along(F7, first=1), "average_gap", AVERAGE_GAP)


def _claim(
    name: str,
    theorem: Theorem,
    prepare: Callable[..., Case],
    *instances: str,
    partners: tuple[str, ...],
) -> Claim:
    return Claim(
        id=f"frank_wolfe/{name}/hardest",
        title=f"{theorem.title}: the hardest instances known",
        theorem=theorem,
        prepare=grid(prepare, instance=instances),
        pairs_with=partners,
    )


# Some in two units of f, which tells powers apart.
CONVEX = ("linear", "linear, small", "simplex")
NONCONVEX = ("linear", "interval", "end to end", "noise", "noise, small")
ANY_STEPS = (*CONVEX, "full step", "noise", "noise, small")
UNROLLED = "frank_wolfe/sarah/closed-form/unrolled"
COLD = "table of zeros"

CLAIMS: tuple[Claim, ...] = (
    _claim("sarah/convex", F3, _any_steps, *ANY_STEPS, partners=SARAH_PARTNERS),
    _claim(
        "sarah/closed-form", F3A, _open_loop, *CONVEX, "step over", "slope", partners=SARAH_PARTNERS
    ),
    _claim(
        "sarah/stich",
        F3B,
        _stich,
        *CONVEX,
        "one step",
        "slope",
        partners=(*SARAH_PARTNERS, UNROLLED),
    ),
    _claim("sarah/nonconvex", F4, _gap, *NONCONVEX, partners=SARAH_PARTNERS),
    _claim("saga/convex", F6, _saga_any_steps, *ANY_STEPS, COLD, partners=SAGA_PARTNERS),
    _claim("saga/closed-form", F6A, _from_a_table, *CONVEX, "full step", partners=SAGA_PARTNERS),
    _claim("saga/nonconvex", F7, _saga_gap, *NONCONVEX, partners=SAGA_PARTNERS),
)
