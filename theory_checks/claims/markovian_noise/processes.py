# SPDX-License-Identifier: Apache-2.0
"""Methods on Markovian problems, replicated in lock-step over the samples of their chains.

A step of a process is a tick of `optzoo.mlmc_stream`, a fixed number of samples, so that replicates
under `vmap` never wait for each other although their estimates differ in length.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike

import optzoo
from optzoo.problems import MarkovChain, pytree_dataclass

from ...simulation import AtIterations, Experiment, Process, Sum, Watch
from ...simulation.iterations import ticks_for
from .methods import DESCENT, Method

__all__ = [
    "Estimates",
    "Position",
    "StreamRun",
    "by_iterations",
    "gradient_calls",
    "squared_distance",
    "stream_run",
]

_STATIC = {"static": True}


class Oracle(Protocol):
    """What a run needs of a problem."""

    @property
    def chain(self) -> MarkovChain:
        """The chain of the samples."""

    @property
    def solution(self) -> np.ndarray:
        """x*, shape (d,)."""

    def sample_operator(self, x: jax.Array, state: Any, /) -> jax.Array:
        """The gradient, or operator, that the chain in this state shows."""


class Position(NamedTuple):
    """Where a replicate is after a number of ticks."""

    x: jax.Array
    state: Any  # of the transformation
    chain_state: jax.Array
    partial: Any  # the estimate that is in progress
    iterations: jax.Array  # complete ones
    ticks: jax.Array


def squared_distance(run: Any, position: Position) -> jax.Array:
    """|x - x*|^2 at the method's output."""
    return jnp.sum((run.method.output(position.state, position.x) - run.solution) ** 2)


def gradient_calls(run: Any, position: Position) -> jax.Array:
    """Samples so far."""
    return position.ticks * float(run.samples_per_tick)


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class StreamRun(Process):
    """A method fed by the multilevel stream; a step of the process is a tick.

    The chain starts from its stationary law.

    Args:
        problem: what is solved.
        solution: x*, from which distances are measured.
        x0: where from.
        constants: of the method, by their symbols.
        batch_size: B, an integer array.
        max_level: m, an integer array.
        method: which takes them.
        samples_per_tick: divides B.
    """

    problem: Oracle
    solution: jax.Array
    x0: jax.Array
    constants: dict[str, jax.Array]
    batch_size: jax.Array
    max_level: jax.Array
    method: Method = field(default=DESCENT, metadata=_STATIC)
    samples_per_tick: int = field(default=1, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {
        "squared_distance": squared_distance,
        "gradient_calls": gradient_calls,
    }

    def _parts(self, state: Any) -> tuple[optax.GradientTransformationExtraArgs, optzoo.MLMCStream]:
        batch_size, max_level = self.method.sizes(state, self.batch_size, self.max_level)
        stream = self.method.stream(
            self.problem.sample_operator,
            self.problem.chain.step_and_sample,
            batch_size=batch_size,
            max_level=max_level,
            samples_per_tick=self.samples_per_tick,
        )
        return self.method.with_constants(self.constants), stream

    def init(self, key: jax.Array) -> Position:
        chain_key, level_key = jax.random.split(key)
        method = self.method.with_constants(self.constants)
        state = method.init(self.x0)
        _, stream = self._parts(state)
        chain_state = self.problem.chain.stationary_state(chain_key)
        zero = jnp.zeros([], jnp.int32)
        partial = stream.init(self.x0, level_key)
        return Position(self.x0, state, chain_state, partial, zero, zero)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        method, stream = self._parts(position.state)
        g, ready, chain_state, partial, _ = stream.tick(
            key, position.x, position.chain_state, position.partial
        )
        updates, state = method.update(g, position.state, position.x)
        moved = optax.apply_updates(position.x, updates), state
        x, state = jax.tree.map(
            lambda new, old: jnp.where(ready, new, old), moved, (position.x, position.state)
        )
        iterations = position.iterations + ready.astype(jnp.int32)
        return Position(x, state, chain_state, partial, iterations, position.ticks + 1)


def stream_run(
    problem: Oracle,
    x0: ArrayLike,
    constants: Mapping[str, float],
    batch_size: int,
    max_level: int,
    **changes: Any,
) -> StreamRun:
    """A run from numbers; `changes` are the other fields."""
    return StreamRun(
        problem=problem,
        solution=jnp.asarray(problem.solution),
        x0=jnp.asarray(x0, dtype=float),
        constants={name: jnp.asarray(value, dtype=float) for name, value in constants.items()},
        batch_size=jnp.asarray(batch_size),
        max_level=jnp.asarray(max_level),
        **changes,
    )


# --- What is observed after numbers of iterations, which take different numbers of ticks ---


def by_iterations(
    name: str,
    run: StreamRun,
    iterations: tuple[int, ...],
    watch: Callable[[Any, Position], jax.Array],
    *,
    mean: bool = False,
) -> Experiment:
    """An experiment whose metric "watched" is seen after numbers of iterations.

    Args:
        name: of the experiment.
        run: what one replicate does.
        iterations: when it is looked at, increasing.
        watch: what is seen.
        mean: whether the mean over the iterates before is seen.

    Returns:
        The experiment, with a checkpoint for each number.
    """
    counts = tuple(run.method.estimates * k for k in iterations)
    sizes = int(run.batch_size), int(run.max_level), run.samples_per_tick
    deadlines = tuple(ticks_for(count, *sizes) for count in counts)
    watches: dict[str, Watch] = {
        "watched": AtIterations(watch, counts, deadlines, mean),
        "gradient_calls": gradient_calls,
    }
    return Experiment(name, run, deadlines, watches, lanes=16)


# --- Single estimates ---


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False)
class Estimates(Process):
    """Many single estimates at one point, each begun in a given state of the chain.

    The position is the last of them with its number of samples.

    Args:
        problem: one-dimensional.
        x: the point, shape (1,).
        chain_state: z.
        batch_size: B, an integer array.
        max_level: m, an integer array.
        estimator: `optzoo.mlmc_gradient` or a mutant.
    """

    problem: Oracle
    x: jax.Array
    chain_state: jax.Array
    batch_size: jax.Array
    max_level: jax.Array
    estimator: Callable[..., Any] = field(metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {
        "first": Sum(lambda run, k, before, after: after[0]),
        "second": Sum(lambda run, k, before, after: after[0] ** 2),
        "gradient_calls": Sum(lambda run, k, before, after: after[1]),
    }

    def init(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.zeros([]), jnp.zeros([], jnp.int32)

    def step(self, position: Any, k: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        estimate = self.estimator(
            self.problem.sample_operator,
            self.problem.chain.step_and_sample,
            batch_size=self.batch_size,
            max_level=self.max_level,
        )
        g, _, info = estimate(key, self.x, self.chain_state)
        return g[0], info.samples
