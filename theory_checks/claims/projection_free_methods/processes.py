# SPDX-License-Identifier: Apache-2.0
"""A projection-free method on a finite sum, as a process to be replicated or enumerated."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import LinearModel, pytree_dataclass

from ...simulation import Along, Mean, Watch
from ..frank_wolfe.processes import FiniteSumRun, Method, Position, Transformation
from ..frank_wolfe.watches import gap, gradient_calls, suboptimality

__all__ = ["AVERAGE_GAP", "MethodRun", "expectations"]

Array = NDArray[np.float64]
_STATIC = {"static": True}


def _steps(run: "MethodRun", position: Position) -> jax.Array:
    """Calls of the oracle so far."""
    return jnp.asarray(position.state.steps, dtype=float)


AVERAGE_GAP: Mapping[str, Watch] = {
    "average_gap": Mean(gap, weight=lambda run, k: run.steps[k]),
    "gradient_calls": gradient_calls,
}
"""The average of all gaps, weighted by the steps: of methods with one call a step."""


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class MethodRun(FiniteSumRun):
    """A method, or a mutant of it; one step of the process is one call of `update`.

    Args:
        schedules: its further arguments that are schedules, by name, as tables over the steps.
        fixed: its further arguments that are fixed, by name.
        twice: whether a batch is two, the other one for the table.
        linear: whether its table has a scalar a sample, of a linear model.
        warm: whether its table starts with the gradients at x^0, else with zeros.
        own_steps: whether the method is left to its paper's steps, which `steps` then repeat.
    """

    schedules: Mapping[str, jax.Array] = field(default_factory=dict)
    fixed: tuple[tuple[str, Any], ...] = field(default=(), metadata=_STATIC)
    twice: bool = field(default=False, metadata=_STATIC)
    linear: bool = field(default=False, metadata=_STATIC)
    warm: bool = field(default=False, metadata=_STATIC)
    own_steps: bool = field(default=False, metadata=_STATIC)
    method: Method = field(metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {
        "suboptimality": suboptimality,
        "gradient_calls": gradient_calls,
        "steps": _steps,
    }

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {**super().parameters, **dict(self.fixed)}

    def transformation(self, key: jax.Array) -> Transformation:
        def schedule(table: jax.Array) -> Callable[[jax.Array], jax.Array]:
            return lambda k: table[jnp.minimum(k, len(table) - 1)]

        named = {name: schedule(table) for name, table in self.schedules.items()}
        steps = None if self.own_steps else schedule(self.steps)
        return self.method(self.constraint, steps, **named, **dict(self.fixed))

    def init(self, key: jax.Array) -> Position:
        start = super().init(key)
        if not self.warm:
            return start
        problem, everyone = self.problem, jnp.arange(self.problem.num_samples)
        if not self.linear:
            rows = problem.sample_gradients(self.x0, everyone)
            return Position(start.x, optzoo.saga_warm_start(start.state, rows))
        assert isinstance(problem, LinearModel)
        slopes, features = problem.sample_slopes(self.x0, everyone), jnp.asarray(problem.features)
        return Position(start.x, optzoo.saga_warm_start(start.state, slopes, features=features))

    def draw(self, key: jax.Array) -> jax.Array:
        one = super().draw(key)
        if not self.twice:
            return one
        return jnp.concatenate([one, super().draw(jax.random.fold_in(key, 1))])

    def advance(self, position: Any, batch: jax.Array, **changed: Any) -> Position:
        # The other batch is for the table alone.
        if not self.twice:
            return super().advance(position, batch, **changed)
        first, second = jnp.split(batch, 2)
        more = {
            "refresh_indices": second,
            "refresh_grads_fn": lambda x: self.problem.sample_gradients(x, second),
        }
        return super().advance(position, first, **(more | changed))

    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        """All that any of the methods asks for: each takes its own."""
        problem = self.problem
        given = {
            "grad_fn": lambda x: problem.batch_gradient(x, batch),
            "full_grad_fn": problem.gradient,
            "value_fn": problem.value,
            "indices": batch,
            "sample_grads_fn": lambda x: problem.sample_gradients(x, batch),
        }
        if self.linear:
            assert isinstance(problem, LinearModel)
            given |= {
                "features": jnp.asarray(problem.features)[batch],
                "sample_grads_fn": lambda x: problem.sample_slopes(x, batch),
            }
        return given


def expectations(run: MethodRun, calls: int, metric: str) -> Array:
    """E of a watch after 1, ..., `calls` calls, over every sequence of batches, all equally likely.

    Args:
        run: with batches drawn with replacement.
        calls: so many.
        metric: of `MethodRun.watch` or `AVERAGE_GAP`.

    Returns:
        Shape (calls,), float64.
    """
    size = run.batch_size * (2 if run.twice else 1)
    one = list(itertools.product(range(run.problem.num_samples), repeat=size))
    # Runs of one kind share a program.
    return np.asarray(_expectations(run, jnp.array(one), calls, metric), dtype=np.float64)


@partial(jax.jit, static_argnames=("calls", "metric"))
def _expectations(run: MethodRun, batches: jax.Array, calls: int, metric: str) -> jax.Array:
    watch = {**MethodRun.watch, **AVERAGE_GAP}[metric]
    outcomes = len(batches) ** calls

    def observed(code: jax.Array) -> jax.Array:
        def step(carry: Any, k: jax.Array) -> tuple[Any, jax.Array]:
            before, memory = carry
            batch = batches[code // len(batches) ** k % len(batches)]
            after = run.advance(before, batch)
            if not isinstance(watch, Along):
                return (after, memory), watch(run, after)
            memory = watch.add(memory, run, k, before, after)
            return (after, memory), watch.read(memory)

        start = run.init(jax.random.key(0)), watch.start() if isinstance(watch, Along) else None
        _, values = jax.lax.scan(step, start, jnp.arange(calls))
        return values

    return jnp.mean(jax.lax.map(observed, jnp.arange(outcomes), batch_size=512), axis=0)
