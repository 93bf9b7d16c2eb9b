"""Three Pillars on a distributed operator, as a process to be replicated."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec

import optzoo
from optzoo.compressors import Compressor
from optzoo.problems import DistributedOperator, pytree_dataclass

from ...simulation import Process
from .mutants import Scaled

__all__ = ["AXIS", "FullExtragradient", "OperatorSum", "PillarsRun", "Run", "ScaledRun"]

AXIS = "workers"
Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}


class Run(NamedTuple):
    """z^k and the state of the method."""

    z: jax.Array
    state: optzoo.ThreePillarsState


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

    def transformation(
        self, key: jax.Array, compressor: Compressor | None = None
    ) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.gamma,
            self.local_step,
            self.local_steps,
            momentum=self.momentum,
            refresh_probability=self.refresh_probability,
            compressor=compressor or self.compressor,
            axis_name=AXIS,
            project=self.problem.project,
            key=key,
        )

    def init(self, key: jax.Array) -> Run:
        n = self.problem.num_workers
        state = self.transformation(key).init(self.z0)
        rows = jnp.broadcast_to(state.reference_operator, (n, *state.reference_operator.shape))
        return Run(self.z0, state._replace(reference_operator=rows))

    def at(self, z: jax.Array, m: jax.Array, key: jax.Array) -> Run:
        """In the midst of a run, at z^k = z with the reference m^k = m."""
        values = self.problem.operators(m)
        state = self.init(key).state._replace(
            steps=jnp.ones([], jnp.int32),
            reference=m,
            reference_operator=values[:, None],
            mean_reference_operator=jnp.mean(values, axis=0),
        )
        return Run(z, state)

    def step(self, carry: Run, k: jax.Array, key: jax.Array) -> Run:
        return self.advance(carry)

    def advance(self, carry: Run, compressor: Compressor | None = None) -> Run:
        """One step, on all workers; with another compressor where one is given."""
        transformation = self.transformation(carry.state.key, compressor)
        problem = self.problem

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

        _, specs = optzoo.three_pillars_specs(carry.z, AXIS)
        axes = jax.tree.map(lambda spec: 0 if spec == PartitionSpec(AXIS) else None, specs)
        z, state = jax.vmap(on_worker, (None, axes, 0), (None, axes), axis_name=AXIS)(
            carry.z, carry.state, problem.workers
        )
        return Run(z, state)

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        distance = jnp.sum((carry.z - self.z_star) ** 2)
        steps = carry.state.steps.astype(distance.dtype)
        sent = carry.state.refreshes.astype(distance.dtype)
        return {
            "distance": distance,
            "potential": distance + jnp.sum((carry.state.reference - self.z_star) ** 2),
            # Whole vectors of a worker, without the first refresh.
            "uplink": self.compressor.numbers(carry.z.size) / carry.z.size * steps + sent - 1.0,
            "steps": steps,
            "refreshes": sent,
        }


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ScaledRun(PillarsRun):
    """A mutant: the messages count `factor` times."""

    factor: jax.Array

    def transformation(
        self, key: jax.Array, compressor: Compressor | None = None
    ) -> optax.GradientTransformationExtraArgs:
        return super().transformation(key, Scaled(compressor or self.compressor, self.factor))


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class OperatorSum(PillarsRun):
    """With the mean of |F(u^k)|^2 over the steps so far; u^k is a step without its messages."""

    def init(self, key: jax.Array) -> Any:
        return super().init(key), jnp.zeros([])

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        run, total = carry
        u = self.advance(run, Scaled(self.compressor, 0.0)).z
        return self.advance(run), total + jnp.sum(self.problem.operator(u) ** 2)

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        run, total = carry
        found = super().measure(run)
        return found | {"operator": total / found["steps"]}


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class FullExtragradient(Process):
    """Extragradient on F: every worker sends two whole vectors a step."""

    problem: DistributedOperator
    z_star: jax.Array
    step_size: jax.Array

    def init(self, key: jax.Array) -> jax.Array:
        return jnp.zeros_like(self.z_star)

    def step(self, carry: jax.Array, k: jax.Array, key: jax.Array) -> jax.Array:
        project = self.problem.project or (lambda z: z)
        half = project(carry - self.step_size * self.problem.operator(carry))
        return project(carry - self.step_size * self.problem.operator(half))

    def measure(self, carry: jax.Array) -> dict[str, jax.Array]:
        return {"distance": jnp.sum((carry - self.z_star) ** 2)}
