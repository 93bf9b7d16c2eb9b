"""The hardest instances known for each rate: where one term of its bound is nearly all there is.

No noise: f linear, of which only the start is left; |x|^2 / 2 over the simplex, where a vertex a
step is too little; x^2 / 2 on an interval, which constant steps cross back and forth.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.problems import Constant, random_sign_quadratic
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import F3, F3A, F3B, F4, F6, F6A, F7

from ...checks import Says, UpperBound
from ...claim import Case, Claim, grid
from ...controls import case, wrong
from ...simulation import Watch
from .instances import SEED, Instance, noise_tight, sandwich
from .partners import SAGA_PARTNERS, SARAH_PARTNERS
from .processes import step_table
from .settings import OnRun, own_steps
from .watches import AVERAGE_GAP

__all__ = ["CLAIMS"]

SAMPLES, HORIZON = 8, 160
CHECKPOINTS = (2, 5, 10, 20, 40, 80, HORIZON)


def _interval() -> Instance:
    return Instance(
        name="interval",
        words="$f(x) = x^2/2$ on $[-1, 1]$ from an end",
        problem=random_sign_quadratic(SAMPLES, 1, SEED, noise=0.0),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.ones(1),
        f_star=Constant(0.0, "exact", derivation="at 0"),
    )


INSTANCES: dict[str, Callable[[], Instance]] = {
    "linear": lambda: noise_tight(1.0, n=SAMPLES, noise=0.0),
    "simplex": lambda: sandwich(512, SAMPLES),
    "interval": _interval,
}


# --- Where the steps are, by their schedules ---

P = {"linear": 0.2, "simplex": 1.0, "interval": 1.0}
"""Restart probability: 1 where the method is to be plain Frank-Wolfe, without noise."""
LONGEST = {"simplex": "classic"}
"""Steps that forget the start at once; of a linear function the start is all there is."""


def _by_sarah(instance: str, schedule: str) -> OnRun[Any]:
    p = P[instance]
    rules = {
        "restart": optzoo.open_loop_schedule(4 / p),
        "stich": optzoo.stich_schedule(HORIZON, p),
        "classic": optzoo.open_loop_schedule(2.0),
        "constant": HORIZON**-0.5,
    }
    place = INSTANCES[instance]()
    run = place.sarah(step_table(rules[schedule], HORIZON), p, SAMPLES, replacement=False)
    return _on(place, run, schedule)


def _by_saga(instance: str, schedule: str) -> OnRun[Any]:
    # A batch of one of a linear function has no noise; of the others, all samples.
    b = 1 if instance == "linear" else SAMPLES
    rules = {
        "table": optzoo.open_loop_schedule(8 * SAMPLES / b),
        "classic": optzoo.open_loop_schedule(2.0),
        "constant": HORIZON**-0.5,
    }
    place = INSTANCES[instance]()
    run = place.saga(step_table(rules[schedule], HORIZON), b, replacement=False)
    return _on(place, run, schedule)


def _on(place: Instance, run: Any, schedule: str) -> OnRun[Any]:
    name = f"hardest-{type(run).__name__}-{place.name}-{schedule}"
    return OnRun(place, run, chosen=own_steps(schedule), name=name, checkpoints=CHECKPOINTS)


def _below(
    setting: OnRun[Any],
    says: Callable[[], Any],
    metric: str = "suboptimality",
    watch: Mapping[str, Watch] | None = None,
    *,
    last_only: bool = False,
) -> Case:
    experiment = setting.experiment(watch=watch)
    certain = 1 if last_only else len(CHECKPOINTS)  # no noise reaches the oracle

    def check(scale: float = 1.0) -> UpperBound:
        bound: Says = lambda: scale * np.asarray(says())  # noqa: E731
        return UpperBound(experiment, metric, bound, last_only=last_only, certain=certain)

    smaller = wrong("bound divided by 20", "a false claim: a twentieth of the bound", scale=1 / 20)
    return case(setting, check, smaller)


# --- The theorems ---


def _any_steps(instance: str) -> Case:
    setting = _by_sarah(instance, LONGEST.get(instance, "restart"))
    return _below(setting, lambda: setting.along(F3))


def _open_loop(instance: str) -> Case:
    setting = _by_sarah(instance, "restart")
    return _below(setting, lambda: setting.bound(F3A, CHECKPOINTS))


def _stich(instance: str) -> Case:
    setting = _by_sarah(instance, "stich")
    return _below(setting, lambda: [setting.bound(F3B, HORIZON)], last_only=True)


def _gap(instance: str) -> Case:
    setting = _by_sarah(instance, "constant")
    return _below(setting, lambda: setting.along(F4, first=1), "average_gap", AVERAGE_GAP)


def _saga_any_steps(instance: str) -> Case:
    setting = _by_saga(instance, LONGEST.get(instance, "table"))
    return _below(setting, lambda: setting.along(F6))


def _from_a_table(instance: str) -> Case:
    setting = _by_saga(instance, "table")
    return _below(setting, lambda: setting.bound(F6A, CHECKPOINTS))


def _saga_gap(instance: str) -> Case:
    setting = _by_saga(instance, "constant")
    return _below(setting, lambda: setting.along(F7, first=1), "average_gap", AVERAGE_GAP)


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
        not_shown="The noise: these runs have none.",
    )


CONVEX, NONCONVEX = ("linear", "simplex"), ("linear", "interval")

CLAIMS: tuple[Claim, ...] = (
    _claim("sarah/convex", F3, _any_steps, *CONVEX, partners=SARAH_PARTNERS),
    _claim("sarah/closed-form", F3A, _open_loop, *CONVEX, partners=SARAH_PARTNERS),
    _claim("sarah/stich", F3B, _stich, *CONVEX, partners=SARAH_PARTNERS),
    _claim("sarah/nonconvex", F4, _gap, *NONCONVEX, partners=SARAH_PARTNERS),
    _claim("saga/convex", F6, _saga_any_steps, *CONVEX, partners=SAGA_PARTNERS),
    _claim("saga/closed-form", F6A, _from_a_table, *CONVEX, partners=SAGA_PARTNERS),
    _claim("saga/nonconvex", F7, _saga_gap, *NONCONVEX, partners=SAGA_PARTNERS),
)
