"""Saga Sarah Frank-Wolfe on a finite sum over a constraint set, as processes to be replicated."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.problems import NoiseTight, pytree_dataclass

from ....simulation import Process
from ..process import FiniteSumRun, GapAverage, Run

__all__ = [
    "AveragedSagaGap",
    "MixingFamily",
    "SagaLine",
    "SagaRun",
    "StaleLine",
    "noise_tight_saga",
    "refresh_probability",
    "staleness",
]

Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}


def refresh_probability(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    """a: the probability that an index is in a batch.

    1 - (1 - 1/n)^b with replacement, b / n without.

    Example:
        >>> refresh_probability(4, 2, replacement=True)
        0.4375
    """
    n, b = num_samples, batch_size
    return 1 - (1 - 1 / n) ** b if replacement else b / n


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SagaRun(FiniteSumRun):
    """Saga Sarah Frank-Wolfe, or a mutant of it, from a table of first gradients or of zeros."""

    mixing: jax.Array  # lambda
    warm: bool = field(default=True, metadata=_STATIC)
    method: Method = field(default=optzoo.saga_sarah_frank_wolfe, metadata=_STATIC)

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.constraint,
            lambda k: self.steps[k],
            self.problem.num_samples,
            mixing=self.mixing,
        )

    def init(self, key: jax.Array) -> Run:
        state = self.transformation().init(self.x0)
        if self.warm:
            everyone = jnp.arange(self.problem.num_samples)
            state = optzoo.saga_warm_start(state, self.problem.sample_gradients(self.x0, everyone))
        return Run(self.x0, state)

    def advance(self, carry: Run, batch: jax.Array) -> Run:
        return self.advance_at(carry, batch, batch)

    def advance_at(self, carry: Run, batch: jax.Array, rows: jax.Array) -> Run:
        """One step with this batch, told that its gradients belong to these rows of the table."""
        updates, state = self.transformation().update(
            self.problem.batch_gradient(carry.x, batch),
            carry.state,
            carry.x,
            indices=rows,
            sample_grads_fn=lambda x: self.problem.sample_gradients(x, batch),
        )
        return Run(optax.apply_updates(carry.x, updates), state)

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        stale = staleness(self, carry.state.previous, carry.state.table)
        return super().measure(carry) | {"staleness": stale}


def staleness(run: SagaRun, x: jax.Array, table: jax.Array) -> jax.Array:
    """Y = (1/n) sum_i |grad f_i(x) - y_i|^2."""
    everyone = jnp.arange(run.problem.num_samples)
    off = run.problem.sample_gradients(x, everyone) - table
    return jnp.mean(jnp.sum(off**2, axis=1))


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class AveragedSagaGap(GapAverage, SagaRun):
    """Saga Sarah Frank-Wolfe with the average of all its gaps, weighted by the steps."""


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SagaLine(SagaRun):
    """The estimator alone, fed the points x_k = k h of a line whatever it answers.

    `steps` holds h.
    """

    def step(self, carry: Run, k: jax.Array, key: jax.Array) -> Run:
        _, state = super().step(carry, k, key)
        return Run((k + 1.0) * self.steps[:1], state)


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class StaleLine(SagaLine):
    """A mutant on the line: the table is read and written at the indices of the batch before."""

    def init(self, key: jax.Array) -> Any:
        return super().init(key), self.draw(key)

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        run, rows = carry
        batch = self.draw(key)
        _, state = self.advance_at(run, batch, rows)
        return Run((k + 1.0) * self.steps[:1], state), batch

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        return super().measure(carry[0])


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class MixingFamily(Process):
    """One run for each lambda of a grid, all on the same batches; metrics "name@j"."""

    run: SagaRun
    mixings: jax.Array

    def init(self, key: jax.Array) -> Any:
        return jax.vmap(lambda mixing: replace(self.run, mixing=mixing).init(key))(self.mixings)

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        return jax.vmap(lambda mixing, run: replace(self.run, mixing=mixing).step(run, k, key))(
            self.mixings, carry
        )

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        errors = jax.vmap(self.run.measure)(carry)["squared_error"]
        return {f"squared_error@{j}": error for j, error in enumerate(errors)}


def noise_tight_saga(
    process: type[SagaRun],
    *,
    num_samples: int,
    batch_size: int,
    steps: jax.Array,
    slope: float = 0.0,
    start: float = 1.0,
    mixing: float | None = None,
    replacement: bool = False,
    warm: bool = True,
    method: Method = optzoo.saga_sarah_frank_wolfe,
) -> SagaRun:
    """A process on f_i(x) = c x + z_i x^2 / 2 over [-1, 1]; lambda = a/2 unless given."""
    a = refresh_probability(num_samples, batch_size, replacement=replacement)
    return process(
        problem=NoiseTight(jnp.asarray(slope), jnp.asarray(1.0), num_samples),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.full(1, start),
        steps=steps,
        f_star=jnp.asarray(-slope),
        batch_size=batch_size,
        replacement=replacement,
        mixing=jnp.asarray(a / 2 if mixing is None else mixing),
        warm=warm,
        method=method,
    )
