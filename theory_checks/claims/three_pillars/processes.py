# SPDX-License-Identifier: Apache-2.0
"""Three Pillars on a distributed operator, and extragradient, as processes to be replicated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec

import optzoo
from optzoo.compressors import Compressor, SampledClients
from optzoo.problems import DistributedOperator, pytree_dataclass

from ...simulation import Mean, Process, Watch, held

__all__ = [
    "MEAN_SQUARED_OPERATOR",
    "FullExtragradient",
    "Method",
    "PillarsRun",
    "Position",
    "partial_participation",
    "uplink",
]

AXIS = "workers"
Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}


class Position(NamedTuple):
    """Where a run is after k steps."""

    z: jax.Array  # z^k
    state: Any  # of the transformation


# --- What is observed ---


def distance(run: Any, position: Position) -> jax.Array:
    """|z^k - z*|^2."""
    return jnp.sum((position.z - run.z_star) ** 2)


def potential(run: Any, position: Position) -> jax.Array:
    """Phi_k = |z^k - z*|^2 + |m^k - z*|^2."""
    reference = held(position.state, "reference").reference
    return distance(run, position) + jnp.sum((reference - run.z_star) ** 2)


def steps(run: Any, position: Position) -> jax.Array:
    """Messages that every worker has sent."""
    return held(position.state, "steps").steps.astype(float)


def refreshes(run: Any, position: Position) -> jax.Array:
    """Whole vectors F_i(m) that every worker has sent, the first one too."""
    return held(position.state, "refreshes").refreshes.astype(float)


def uplink(run: "PillarsRun", position: Position) -> jax.Array:
    """All that a worker has sent, in whole vectors, without the first refresh."""
    share = run.compressor.numbers(position.z.size) / position.z.size
    return share * steps(run, position) + refreshes(run, position) - 1.0


def squared_operator(run: "PillarsRun", position: Position) -> jax.Array:
    """|F(u^k)|^2 of the step that led here."""
    u = held(position.state, "local_solution").local_solution
    return jnp.sum(run.problem.operator(u) ** 2)


MEAN_SQUARED_OPERATOR: Mapping[str, Watch] = {"operator": Mean(squared_operator, after=True)}
"""The mean of |F(u^k)|^2 over the steps so far."""

# --- The methods ---


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class PillarsRun(Process):
    """Three Pillars, or a mutant of it; all its numbers are leaves, so that programs are shared."""

    problem: DistributedOperator
    z0: jax.Array
    z_star: jax.Array
    gamma: jax.Array
    local_step: jax.Array
    local_steps: jax.Array
    momentum: jax.Array
    refresh_probability: jax.Array
    noise: jax.Array  # sigma of the local steps
    compressor: Compressor = field(metadata=_STATIC)
    method: Method = field(default=optzoo.three_pillars, metadata=_STATIC)
    stochastic: bool = field(default=False, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {
        "distance": distance,
        "potential": potential,
        "uplink": uplink,
        "steps": steps,
        "refreshes": refreshes,
    }

    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.gamma,
            self.local_step,
            self.local_steps,
            momentum=self.momentum,
            refresh_probability=self.refresh_probability,
            compressor=self.compressor,
            axis_name=AXIS,
            project=self.problem.project,
            key=key,
        )

    def init(self, key: jax.Array) -> Position:
        n = self.problem.num_workers
        state = self.transformation(key).init(self.z0)
        rows = jnp.broadcast_to(state.reference_operator, (n, *state.reference_operator.shape))
        return Position(self.z0, state._replace(reference_operator=rows))

    def at(self, z: jax.Array, m: jax.Array, key: jax.Array) -> Position:
        """In the midst of a run, at z^k = z with the reference m^k = m."""
        values = self.problem.operators(m)
        state = self.init(key).state._replace(
            steps=jnp.ones([], jnp.int32),
            reference=m,
            reference_operator=values[:, None],
            mean_reference_operator=jnp.mean(values, axis=0),
        )
        return Position(z, state)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return self.advance(position)

    def advance(self, position: Position) -> Position:
        """One step, on all workers."""
        transformation, problem = self.transformation(position.state.key), self.problem

        def noisy(z: jax.Array, key: jax.Array) -> jax.Array:
            signs = jax.random.rademacher(key, z.shape, z.dtype)
            return problem.server_operator(z) + self.noise / jnp.sqrt(1.0 * z.size) * signs

        def on_worker(z: jax.Array, state: Any, worker: Any) -> tuple[jax.Array, Any]:
            updates, state = transformation.update(
                problem.worker_operator(worker, z),
                state,
                z,
                operator_fn=lambda u: problem.worker_operator(worker, u),
                server_operator_fn=problem.server_operator,
                stochastic_server_operator_fn=noisy if self.stochastic else None,
            )
            return optax.apply_updates(z, updates), state

        _, specs = optzoo.three_pillars_specs(position.z, AXIS)
        axes = jax.tree.map(lambda spec: 0 if spec == PartitionSpec(AXIS) else None, specs)
        z, state = jax.vmap(on_worker, (None, axes, 0), (None, axes), axis_name=AXIS)(
            position.z, position.state, problem.workers
        )
        return Position(z, state)


def partial_participation(
    *arguments: Any, compressor: SampledClients, **named: Any
) -> optax.GradientTransformationExtraArgs:
    """Algorithm 2 under its own name, as a method of `PillarsRun`."""
    return optzoo.three_pillars_partial_participation(*arguments, clients=compressor, **named)


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class FullExtragradient(Process):
    """Extragradient on F: every worker sends two whole vectors a step."""

    problem: DistributedOperator
    z_star: jax.Array
    step_size: jax.Array

    watch: ClassVar[Mapping[str, Watch]] = {"distance": distance}

    def init(self, key: jax.Array) -> Position:
        return Position(jnp.zeros_like(self.z_star), ())

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        project = self.problem.project or (lambda z: z)
        z = position.z
        half = project(z - self.step_size * self.problem.operator(z))
        return Position(project(z - self.step_size * self.problem.operator(half)), ())
