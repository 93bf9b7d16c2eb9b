"""Methods on Markovian problems, replicated in lock-step over the samples of their chains.

A step of a process is a tick of `optzoo.mlmc_stream`, a fixed number of samples, so that replicates
under `vmap` never wait for each other although their estimates differ in length.
"""

import math
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

from ...simulation import Along, Experiment, Process, Watch

__all__ = [
    "AtIterations",
    "EstimateMoments",
    "Position",
    "StreamRun",
    "accelerated",
    "by_iterations",
    "gradient_calls",
    "one_batch",
    "parameters_themselves",
    "plain_first_half",
    "squared_distance",
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


class Position(NamedTuple):
    """Where a replicate is after a number of ticks."""

    x: jax.Array
    state: Any  # of the transformation
    chain_state: jax.Array
    partial: Any  # the estimate that is in progress
    iterations: jax.Array  # complete ones
    ticks: jax.Array


def accelerated(
    gamma: jax.Array, mu: jax.Array, p: jax.Array
) -> optax.GradientTransformationExtraArgs:
    """The shipped method as a function of its three constants alone."""
    return optzoo.randomized_accelerated_gd(gamma, mu, momentum_scale=p)


def parameters_themselves(state: optax.OptState, params: optax.Params) -> optax.Params:
    """The output of a method that has no other."""
    return params


def one_batch(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    """The same multilevel estimator each time."""
    return batch_size, max_level


def plain_first_half(state: Any, batch_size: jax.Array, max_level: jax.Array) -> Any:
    """Extragradient: a plain batch for the first half of a step."""
    return batch_size, jnp.where(state.phase == 0, 0, max_level)


def squared_distance(run: Any, position: Position) -> jax.Array:
    """|x - x*|^2 at the method's output."""
    return jnp.sum((run.output(position.state, position.x) - run.solution) ** 2)


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
    method: Method = field(default=optzoo.randomized_gd, metadata=_STATIC)
    output: Output = field(default=parameters_themselves, metadata=_STATIC)
    sizes: Sizes = field(default=one_batch, metadata=_STATIC)
    stream: Callable[..., optzoo.MLMCStream] = field(default=optzoo.mlmc_stream, metadata=_STATIC)
    samples_per_tick: int = field(default=1, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {
        "squared_distance": squared_distance,
        "gradient_calls": gradient_calls,
    }

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

    def init(self, key: jax.Array) -> Position:
        chain_key, level_key = jax.random.split(key)
        state = self.method(*self.constants).init(self.x0)
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


# --- What is observed after numbers of iterations, which take different numbers of ticks ---


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


@dataclass(frozen=True)
class AtIterations(Along):
    """A watch that shows at each deadline what was there after a number of iterations.

    A replicate that is not so far by then shows a NaN, which stops the whole check.

    Args:
        watch: (process, position) -> scalar.
        iterations: increasing.
        deadlines: in ticks, late enough: see `ticks_for`; the checkpoints of the experiment.
        mean: whether the mean over the iterates before is shown, in place of the last of them.
    """

    watch: Callable[[Any, Position], jax.Array]
    iterations: tuple[int, ...]
    deadlines: tuple[int, ...]
    mean: bool = False

    def start(self) -> Any:
        """Ticks, the sum over the iterates, and what is kept for the deadlines."""
        kept = jnp.full(len(self.iterations), jnp.nan)
        return jnp.zeros([], jnp.int32), jnp.zeros([]), kept

    def add(self, memory: Any, process: Any, k: jax.Array, before: Any, after: Any) -> Any:
        _, total, kept = memory
        moved = after.iterations > before.iterations
        if self.mean:
            total = total + jnp.where(moved, self.watch(process, before), 0.0)
            now = total / jnp.maximum(after.iterations, 1)
        else:
            now = self.watch(process, after)
        arrived = moved & (after.iterations == jnp.asarray(self.iterations))
        return after.ticks, total, jnp.where(arrived, now, kept)

    def read(self, memory: Any) -> jax.Array:
        ticks, _, kept = memory
        shown: jax.Array = kept[jnp.searchsorted(jnp.asarray(self.deadlines), ticks)]
        return shown


def by_iterations(
    name: str,
    run: StreamRun,
    iterations: tuple[int, ...],
    watch: Callable[[Any, Position], jax.Array],
    *,
    mean: bool = False,
    estimates: int = 1,
) -> Experiment:
    """An experiment whose metric "watched" is seen after numbers of iterations.

    Args:
        name: of the experiment.
        run: what one replicate does.
        iterations: when it is looked at, increasing.
        watch: what is seen.
        mean: whether the mean over the iterates before is seen.
        estimates: how many estimates an iteration takes.

    Returns:
        The experiment, with a checkpoint for each number.
    """
    counts = tuple(estimates * k for k in iterations)
    sizes = int(run.batch_size), int(run.max_level), run.samples_per_tick
    deadlines = tuple(ticks_for(count, *sizes) for count in counts)
    watches: dict[str, Watch] = {
        "watched": AtIterations(watch, counts, deadlines, mean),
        "gradient_calls": gradient_calls,
    }
    return Experiment(name, run, deadlines, watches, lanes=16)


# --- Single estimates ---


class Tally(NamedTuple):
    """Sums over the estimates so far."""

    estimates: jax.Array
    first: jax.Array
    second: jax.Array
    samples: jax.Array


@final
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

    watch: ClassVar[Mapping[str, Watch]] = {
        "mean": lambda run, tally: tally.first / tally.estimates,
        "square": lambda run, tally: tally.second / tally.estimates,
        "samples": lambda run, tally: tally.samples / tally.estimates,
        "gradient_calls": lambda run, tally: tally.samples,
    }

    def init(self, key: jax.Array) -> Tally:
        zero = jnp.zeros([])
        return Tally(zero, zero, zero, zero)

    def step(self, position: Tally, k: jax.Array, key: jax.Array) -> Tally:
        estimate = self.estimator(
            self.problem.sample_operator,
            self.problem.chain.step_and_sample,
            batch_size=self.batch_size,
            max_level=self.max_level,
        )
        g, _, info = estimate(key, self.x, self.chain_state)
        count, first, second, samples = position
        return Tally(count + 1, first + g[0], second + g[0] ** 2, samples + info.samples)
