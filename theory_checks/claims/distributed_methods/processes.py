# SPDX-License-Identifier: Apache-2.0
"""A method for distributed variational inequalities on a problem, as a process to be replicated."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec

import optzoo
from optzoo.compressors import Compressor
from optzoo.problems import DistributedOperator, pytree_dataclass

from ...simulation import Process, Watch

__all__ = ["AXIS", "Method", "MethodRun", "Position"]

AXIS = "workers"
Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}


class Position(NamedTuple):
    """Where a run is after k steps."""

    z: jax.Array  # z^k
    state: Any  # of the transformation


def distance(run: "MethodRun", position: Position) -> jax.Array:
    """|z^k - z*|^2."""
    return jnp.sum((position.z - run.z_star) ** 2)


def reference(run: "MethodRun", position: Position) -> jax.Array:
    """|m - z*|^2 of the reference that the step which led here used; m^0 = z^0."""
    m = jnp.where(position.state.steps == 0, run.z0, position.state.reference.point)
    squared = jnp.sum((m - run.z_star) ** 2)
    return jnp.where(jnp.isnan(squared), jnp.inf, squared)  # far out, infinities are subtracted


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class MethodRun(Process):
    """A method, or a mutant of it; all its numbers are leaves, so that programs are shared.

    Args:
        problem: the operators.
        z0: z^0.
        z_star: z*.
        numbers: its arguments by name.
        compressor: its compressor or clients, if it has one.
        method: makes the transformation.
        like: the shipped method, whose arguments those of a mutant are.
    """

    problem: DistributedOperator
    z0: jax.Array
    z_star: jax.Array
    numbers: Mapping[str, jax.Array]
    compressor: Compressor | None = field(default=None, metadata=_STATIC)
    method: Method = field(metadata=_STATIC)
    like: Method = field(metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {"distance": distance}

    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        offered = {
            "axis_name": AXIS,
            "project": self.problem.project,
            "compressor": self.compressor,
            "clients": self.compressor,
            "key": key,
        }
        taken = inspect.signature(self.like).parameters
        others = {name: value for name, value in offered.items() if name in taken}
        return self.method(**self.numbers, **others)

    def init(self, key: jax.Array) -> Position:
        def of_worker(_: jax.Array) -> Any:
            return self.transformation(key).init(self.z0)

        on_all = jax.vmap(of_worker, out_axes=self._axes(key), axis_name=AXIS)
        return Position(self.z0, on_all(jnp.arange(self.problem.num_workers)))

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return self.advance(position)

    def advance(self, position: Position) -> Position:
        """One step, on all workers."""
        key = getattr(position.state, "key", jax.random.key(0))
        transformation, problem = self.transformation(key), self.problem

        def on_worker(z: jax.Array, state: Any, worker: Any) -> tuple[jax.Array, Any]:
            updates, state = transformation.update(
                problem.worker_operator(worker, z),
                state,
                z,
                operator_fn=lambda u: problem.worker_operator(worker, u),
                server_operator_fn=problem.server_operator,
            )
            return optax.apply_updates(z, updates), state

        axes = self._axes(key)
        on_all = jax.vmap(on_worker, (None, axes, 0), (None, axes), axis_name=AXIS)
        return Position(*on_all(position.z, position.state, problem.workers))

    def _axes(self, key: jax.Array) -> Any:
        specs = optzoo.worker_specs(self.transformation(key), self.z0, AXIS)
        return jax.tree.map(lambda spec: 0 if spec == PartitionSpec(AXIS) else None, specs)
