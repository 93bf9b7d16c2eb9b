"""Methods on Markovian problems, replicated in lock-step over the samples of their chains.

A step of a process is a tick of `optzoo.mlmc_stream`, a fixed number of samples, so that replicates
under `vmap` never wait for each other although their estimates differ in length.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike

import optzoo
from optzoo.problems import MarkovChain, pytree_dataclass

from ...claim import Check, Finding
from ...simulation import Process
from ...simulation.laboratory import Laboratory

__all__ = [
    "AtIterations",
    "EstimateMoments",
    "IterationRun",
    "Run",
    "StreamRun",
    "accelerated",
    "extragradient",
    "gradient_descent",
    "one_batch",
    "parameters_themselves",
    "plain_first_half",
    "stream_run",
    "ticks_for",
]

_STATIC = {"static": True}
Method = Callable[..., optax.GradientTransformationExtraArgs]
Output = Callable[[optax.OptState, optax.Params], optax.Params]
Sizes = Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


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


class Run(NamedTuple):
    """Where a replicate is."""

    x: jax.Array
    state: Any
    chain_state: jax.Array
    partial: Any
    iterations: jax.Array
    ticks: jax.Array
    watched: jax.Array  # sum of `watch` over the iterates before this one


def gradient_descent(gamma: jax.Array) -> optax.GradientTransformationExtraArgs:
    """The shipped method as a function of its constants alone."""
    return optzoo.randomized_gd(gamma)


def accelerated(
    gamma: jax.Array, mu: jax.Array, p: jax.Array
) -> optax.GradientTransformationExtraArgs:
    """The shipped method as a function of its constants alone."""
    return optzoo.randomized_accelerated_gd(gamma, mu, momentum_scale=p)


def extragradient(gamma: jax.Array) -> optax.GradientTransformationExtraArgs:
    """The shipped method as a function of its constants alone."""
    return optzoo.randomized_extragradient(gamma)


def parameters_themselves(state: optax.OptState, params: optax.Params) -> optax.Params:
    """The output of a method that has no other."""
    return params


def one_batch(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    """The same multilevel estimator each time."""
    return batch_size, max_level


def plain_first_half(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    """Extragradient: a plain batch for the first half of a step."""
    return batch_size, jnp.where(state.phase == 0, 0, max_level)


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class StreamRun(Process):
    """A method fed by the multilevel stream, observed after numbers of ticks.

    The chain starts from its stationary law.

    Args:
        problem: what is solved.
        solution: x*, from which distances are measured.
        x0: where from.
        constants: arguments of `method`.
        batch_size: B, an integer array.
        max_level: m, an integer array.
        method: constants -> optax transformation.
        output: state and parameters -> the point that is evaluated.
        sizes: state, B, m -> the sizes of the next estimate.
        stream: `optzoo.mlmc_stream` or a mutant.
        samples_per_tick: divides B.
    """

    problem: Oracle
    solution: jax.Array
    x0: jax.Array
    constants: tuple[jax.Array, ...]
    batch_size: jax.Array
    max_level: jax.Array
    method: Method = field(default=gradient_descent, metadata=_STATIC)
    output: Output = field(default=parameters_themselves, metadata=_STATIC)
    sizes: Sizes = field(default=one_batch, metadata=_STATIC)
    stream: Callable[..., optzoo.MLMCStream] = field(default=optzoo.mlmc_stream, metadata=_STATIC)
    samples_per_tick: int = field(default=1, metadata=_STATIC)

    def _parts(self, state: Any) -> tuple[optax.GradientTransformationExtraArgs, optzoo.MLMCStream]:
        batch_size, max_level = self.sizes(state, self.batch_size, self.max_level)
        stream = self.stream(
            self.problem.sample_operator,
            self.problem.chain.step_and_sample,
            batch_size=batch_size,
            max_level=max_level,
            samples_per_tick=self.samples_per_tick,
        )
        return self.method(*self.constants), stream

    def init(self, key: jax.Array) -> Run:
        chain_key, level_key = jax.random.split(key)
        state = self.method(*self.constants).init(self.x0)
        _, stream = self._parts(state)
        chain_state = self.problem.chain.stationary_state(chain_key)
        zero = jnp.zeros([], jnp.int32)
        partial = stream.init(self.x0, level_key)
        return Run(self.x0, state, chain_state, partial, zero, zero, jnp.zeros([]))

    def watch(self, x: jax.Array) -> jax.Array:
        """What is summed over the iterates; nothing."""
        return jnp.zeros([])

    def step(self, carry: Run, k: jax.Array, key: jax.Array) -> Run:
        method, stream = self._parts(carry.state)
        g, ready, chain_state, partial, _ = stream.tick(
            key, carry.x, carry.chain_state, carry.partial
        )
        updates, state = method.update(g, carry.state, carry.x)
        moved = optax.apply_updates(carry.x, updates), state
        x, state = jax.tree.map(
            lambda new, old: jnp.where(ready, new, old), moved, (carry.x, carry.state)
        )
        iterations = carry.iterations + ready.astype(jnp.int32)
        watched = carry.watched + jnp.where(ready, self.watch(carry.x), 0.0)
        return Run(x, state, chain_state, partial, iterations, carry.ticks + 1, watched)

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        point = self.output(carry.state, carry.x)
        error = point - self.solution
        return {
            "squared_distance": jnp.sum(error**2),
            "watched": carry.watched / jnp.maximum(carry.iterations, 1),
            "gradient_calls": carry.ticks * float(self.samples_per_tick),
        }


def stream_run(
    problem: Oracle,
    x0: ArrayLike,
    constants: tuple[float, ...],
    batch_size: int,
    max_level: int,
    **changes: Any,
) -> StreamRun:
    """A run from numbers; `changes` are the other fields."""
    return StreamRun(
        problem=problem,
        solution=jnp.asarray(problem.solution),
        x0=jnp.asarray(x0, dtype=float),
        constants=tuple(jnp.asarray(constant, dtype=float) for constant in constants),
        batch_size=jnp.asarray(batch_size),
        max_level=jnp.asarray(max_level),
        **changes,
    )


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class IterationRun(Process):
    """A run observed after numbers of iterations, not of ticks.

    At tick deadlines[i] it shows what was there after iterations[i]; a replicate that is not so far
    by then shows a NaN, which stops the whole check.

    Args:
        run: the run.
        iterations: shape (points,), increasing.
        deadlines: in ticks, shape (points,), late enough: see `ticks_for`.
        metric: what of the run is shown.
    """

    run: StreamRun
    iterations: jax.Array
    deadlines: jax.Array
    metric: str = field(default="squared_distance", metadata=_STATIC)

    def init(self, key: jax.Array) -> Any:
        return self.run.init(key), jnp.full(self.iterations.shape, jnp.nan)

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        before, kept = carry
        after = self.run.step(before, k, key)
        now = self.run.measure(after)[self.metric]
        arrived = (after.iterations == self.iterations) & (before.iterations < self.iterations)
        return after, jnp.where(arrived, now, kept)

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        run, kept = carry
        at = jnp.searchsorted(self.deadlines, run.ticks)
        calls = self.run.measure(run)["gradient_calls"]
        return {self.metric: kept[at], "gradient_calls": calls}


def ticks_for(
    iterations: int, batch_size: int, max_level: int, samples_per_tick: int, *, risk: float = 1e-9
) -> int:
    """Ticks by which so many estimates are complete, but for a probability of at most `risk`.

    Chernoff's bound on the sum of the lengths 2^J B, J > m counting as B.
    """
    m = max_level
    lengths = np.array([1.0, *(2.0**j for j in range(1, m + 1))])
    shares = np.array([2.0**-m, *(2.0**-j for j in range(1, m + 1))])
    best = math.inf
    for rate in np.geomspace(1e-4, 3.0, 200) / 2**m:
        growth = float(np.log(shares @ np.exp(rate * lengths)))
        best = min(best, (iterations * growth - math.log(risk)) / rate)
    most = min(best, iterations * 2.0**m)
    return math.ceil(most * batch_size / samples_per_tick)


@dataclass(frozen=True, eq=False)
class AtIterations:
    """A check whose points are shown under other names: iterations in place of ticks.

    Args:
        check: the check itself.
        points: shape (points,).
    """

    check: Check
    points: tuple[int, ...]

    @property
    def name(self) -> str:
        """What decides."""
        return self.check.name

    def run(self, laboratory: Laboratory) -> Finding:
        """Runs the check."""
        found = self.check.run(laboratory)
        decided = found.decided
        for shown, point in zip(found.checkpoints, self.points, strict=False):
            decided = re.sub(rf"\bk = {shown:g}\b", f"k = {point}", decided)
        points = np.asarray(self.points, dtype=np.float64)
        return replace(found, checkpoints=points, decided=decided)


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class EstimateMoments(Process):
    """Many single estimates at one point, each begun in a given state of the chain.

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

    def init(self, key: jax.Array) -> Any:
        zero = jnp.zeros([])
        return zero, zero, zero, zero

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        estimate = self.estimator(
            self.problem.sample_operator,
            self.problem.chain.step_and_sample,
            batch_size=self.batch_size,
            max_level=self.max_level,
        )
        g, _, info = estimate(key, self.x, self.chain_state)
        count, first, second, samples = carry
        return count + 1, first + g[0], second + g[0] ** 2, samples + info.samples

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        count, first, second, samples = carry
        return {
            "mean": first / count,
            "square": second / count,
            "samples": samples / count,
            "gradient_calls": samples,
        }
