# SPDX-License-Identifier: Apache-2.0
"""Where the Frank-Wolfe theorems are evaluated: methods with their steps on instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import balanced_probability, index_probability

from ...pictures import of_finite_sum
from ...setting import Parameters, Setting
from ...simulation import Experiment, Watch, log_spaced
from .instances import NONCONVEX, Instance, instance
from .processes import AnyRun, FiniteSumRun, Method, SagaRun, SarahRun, step_table

__all__ = ["OnRun", "by_saga", "by_sarah", "largest_excess", "largest_gap", "own_steps"]

Array = NDArray[np.float64]

TABLE = 4096
NONCONVEX_BATCH = 20
STEPS = {
    "restart": r"\frac{2}{k + 4/p}",
    "table": r"\frac{2}{k + 8/a}",
    "stich": r"\text{Stich's schedule, } d = 2/p",
    "classic": r"\frac{2}{k + 2}",
    "constant": r"\eta = 1/\sqrt K",
}


def own_steps(schedule: str) -> dict[str, str]:
    """A schedule of the paper, as a parameter."""
    return {"steps": f"${STEPS[schedule]}$"}


def largest_excess(run: FiniteSumRun) -> float:
    r"""What f - f^* is at most on the set, since f lies below its parabola at x^0.

    .. math:: f(x) - f^* \le f(x^0) - f^* + \max_{s \in C} \langle \nabla f(x^0), s - x^0
        \rangle + \frac{L D^2}{2}
    """
    start = float(run.problem.value(run.x0) - run.f_star)
    slope, length = _slope_and_diameter(run)
    rise = max(float(jnp.vdot(slope, run.constraint.lmo(-slope) - run.x0)), 0.0)
    return start + rise + run.problem.constants["L"].value * length**2 / 2


def largest_gap(run: FiniteSumRun) -> float:
    r"""What the Frank-Wolfe gap is at most on the set, since the gradient moves by L D at most.

    .. math:: \max_{s \in C} \langle \nabla f(x), x - s \rangle \le \max_{x, s \in C}
        \langle \nabla f(x^0), x - s \rangle + L D^2
    """
    slope, length = _slope_and_diameter(run)
    width = float(jnp.vdot(slope, run.constraint.lmo(-slope) - run.constraint.lmo(slope)))
    return width + run.problem.constants["L"].value * length**2


def _slope_and_diameter(run: FiniteSumRun) -> tuple[jax.Array, float]:
    return run.problem.gradient(run.x0), float(run.constraint.diameter(run.x0))


@final
@dataclass(frozen=True, eq=False)
class OnRun(Setting, Generic[AnyRun]):
    """A run of a method on an instance: what its theorems need to know is read off the two.

    Args:
        place: the instance.
        run: the method on it.
        text: the instance in words and numbers; the instance's own if None.
        known: constants beside those of the instance and of the method, or in place of them.
        chosen: parameters beside those of the method.
        name: of the experiment.
        checkpoints: where it is looked at.
        lanes: of the experiment.
    """

    place: Instance
    run: AnyRun
    text: str | None = None
    known: Mapping[str, Constant] = field(default_factory=dict)
    chosen: Parameters = field(default_factory=dict)
    name: str = ""
    checkpoints: tuple[int, ...] = ()
    lanes: int = 1

    @property
    def words(self) -> str:
        return self.place.words if self.text is None else self.text

    @cached_property
    def constants(self) -> Mapping[str, Constant]:
        return {**self.place.constants, **self.run.constants, **self.known}

    @property
    def parameters(self) -> Parameters:
        return {**self.run.parameters, **self.chosen}

    def certify(self) -> None:
        self.place.problem.certify()

    def picture(self) -> Mapping[str, Any] | None:
        ends = [self.place.constraint.lmo(sign * jnp.ones_like(self.run.x0)) for sign in (1, -1)]
        low, high = (float(sign(jnp.stack(ends))) for sign in (jnp.min, jnp.max))
        return of_finite_sum(self.place.problem, self.run.x0, low, high)

    @property
    def steps(self) -> Array:
        """eta_k up to the last checkpoint."""
        return np.asarray(self.run.steps)[: self.checkpoints[-1]]

    def experiment(
        self, method: Method | None = None, watch: Mapping[str, Watch] | None = None
    ) -> Experiment:
        """The run: of a mutant, or with other watches, on request."""
        run = self.run if method is None else replace(self.run, method=method)
        return Experiment(self.name, run, self.checkpoints, watch, self.lanes)

    def along(self, theorem: Theorem, *, first: int = 0, **changes: Any) -> Array:
        """The bound along the run's own steps, where it is looked at.

        Args:
            theorem: whose bound is a curve, for any steps.
            first: the number of steps that its first entry belongs to.
            **changes: of the constants.
        """
        curve: Array = self.bound(theorem, self.steps, **changes)
        return curve[np.asarray(self.checkpoints) - first]


# --- On generic instances ---


def by_sarah(
    problem: str, set_name: str, schedule: str, *, replacement: bool = True
) -> OnRun[SarahRun]:
    """Sarah Frank-Wolfe with p = b / (n + b) on a generic instance.

    Args:
        problem: see `instance`.
        set_name: see `instance`.
        schedule: "restart", "stich", "classic" or "constant", a key of `STEPS`.
        replacement: how batches are drawn.
    """
    place = instance(problem, set_name)
    n = place.problem.num_samples
    b = _batch(problem, n)
    p = balanced_probability(n, b)
    # Before 10/p steps the bound is mostly its start r_0, and says little about L, Lpm or p.
    horizon = round(40 / p)
    checkpoints = log_spaced(10 / p, horizon, 12)
    own = optzoo.open_loop_schedule(4 / p)
    if schedule == "constant":
        checkpoints = log_spaced(40, 4000, 15)
    elif schedule == "stich":
        own = optzoo.stich_schedule(horizon, p)
    run = place.sarah(_table(schedule, own, checkpoints[-1]), p, b, replacement=replacement)
    how = f"nonconvex-{place.name}" if problem in NONCONVEX else f"{place.name}-{schedule}"
    return _generic(place, run, schedule, f"{how}-sarah_frank_wolfe", checkpoints)


def by_saga(
    problem: str, set_name: str, schedule: str, *, replacement: bool = True, warm: bool = True
) -> OnRun[SagaRun]:
    """Saga Sarah Frank-Wolfe with lambda = a/2 on a generic instance.

    Args:
        problem: see `instance`.
        set_name: see `instance`.
        schedule: "table", "classic" or "constant", a key of `STEPS`.
        replacement: how batches are drawn.
        warm: from a table of first gradients, else of zeros.
    """
    place = instance(problem, set_name)
    n = place.problem.num_samples
    b = _batch(problem, n)
    a = index_probability(n, b, replacement=replacement)
    # Before 5 n/b steps the bound is mostly its start r_0.
    checkpoints = log_spaced(5 * n / b, 40 * n / b, 10)
    if schedule == "constant":
        checkpoints = log_spaced(300, 2000, 12)
    steps = _table(schedule, optzoo.open_loop_schedule(8 / a), checkpoints[-1])
    run = place.saga(steps, b, replacement=replacement, warm=warm)
    how = f"{place.name}-{schedule}-{warm}-{replacement}"
    if problem in NONCONVEX:
        how = f"nonconvex-{place.name}"
    return _generic(place, run, schedule, f"saga-{how}-saga_sarah_frank_wolfe", checkpoints)


def _batch(problem: str, n: int) -> int:
    return NONCONVEX_BATCH if problem in NONCONVEX else round(n**0.5)


def _table(schedule: str, own: Any, horizon: int) -> jax.Array:
    """The steps, of one length for all that are short: they then share a program."""
    if schedule == "constant":
        return jnp.asarray(np.full(horizon, horizon**-0.5))
    rule = optzoo.open_loop_schedule(2.0) if schedule == "classic" else own
    return step_table(rule, max(TABLE, horizon))


def _generic(
    place: Instance, run: AnyRun, schedule: str, name: str, checkpoints: tuple[int, ...]
) -> OnRun[AnyRun]:
    chosen: Parameters = {**own_steps(schedule), "horizon K": checkpoints[-1]}
    return OnRun(place, run, chosen=chosen, name=name, checkpoints=checkpoints)
