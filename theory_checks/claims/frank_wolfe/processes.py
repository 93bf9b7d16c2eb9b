"""Frank-Wolfe methods on a finite sum over a constraint set, as processes to be replicated."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import FiniteSum, NoiseTight, pytree_dataclass

from ...simulation import Mean, Process, Sum, Watch, held

__all__ = [
    "AVERAGE_GAP",
    "IDENTITY_TERMS",
    "FiniteSumRun",
    "Method",
    "MixingFamily",
    "OnALine",
    "Position",
    "ReusedBatch",
    "SagaRun",
    "SarahRun",
    "SlopeFamily",
    "StaleTable",
    "floyd_subset",
    "gap",
    "gradient_calls",
    "line_test",
    "noise_tight_saga",
    "noise_tight_sarah",
    "plain_frank_wolfe",
    "refresh_probability",
    "restarts",
    "sample_variance",
    "squared_error",
    "stale",
    "staleness",
    "step_table",
    "suboptimality",
    "variance_factor",
    "with_slope",
]

AnyRun = TypeVar("AnyRun", bound="FiniteSumRun")
Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}

# --- What batches are ---


def variance_factor(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    """nu: the variance of a batch mean, in units of the variance of one sample.

    1/b with replacement, (n - b) / (b (n - 1)) without.

    Example:
        >>> variance_factor(4, 2, replacement=True), round(
        ...     variance_factor(4, 2, replacement=False), 4)
        (0.5, 0.3333)
    """
    n, b = num_samples, batch_size
    if replacement:
        return 1.0 / b
    return 0.0 if b == n else (n - b) / (b * (n - 1))


def refresh_probability(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    """a: the probability that an index is in a batch.

    1 - (1 - 1/n)^b with replacement, b / n without.

    Example:
        >>> refresh_probability(4, 2, replacement=True)
        0.4375
    """
    n, b = num_samples, batch_size
    return 1 - (1 - 1 / n) ** b if replacement else b / n


def floyd_subset(draws: jax.Array, num_samples: int) -> jax.Array:
    """Floyd's uniform subset of {0, ..., n-1}, of b members in O(b^2) whatever n is.

    `jax.random.choice` sorts n numbers, which is most of the time of a step.

    Args:
        draws: integers of shape (b,), the j-th uniform on {0, ..., n - b + j}.
        num_samples: n.

    Returns:
        Distinct indices of shape (b,).

    Example:
        >>> floyd_subset(jnp.array([2, 2]), 4).tolist()
        [2, 3]
    """
    b = draws.shape[0]

    def add(j: jax.Array, members: jax.Array) -> jax.Array:
        taken = jnp.any(members == draws[j])
        return members.at[j].set(jnp.where(taken, num_samples - b + j, draws[j]))

    return jax.lax.fori_loop(0, b, add, jnp.full(b, -1, draws.dtype))


def step_table(schedule: optax.ScalarOrSchedule, horizon: int) -> jax.Array:
    """eta_0, ..., eta_{horizon-1} of a schedule, as an array: schedules then share a program."""
    counts = jnp.arange(horizon)
    if not callable(schedule):
        return jnp.full(horizon, schedule, dtype=float)
    return jax.vmap(schedule)(counts)


# --- The methods ---


class Position(NamedTuple):
    """Where a run is after k steps."""

    x: jax.Array  # x^k
    state: Any  # of the transformation; its estimate is g^{k-1}, formed at x^{k-1}


@dataclass(frozen=True, eq=False, kw_only=True)
class FiniteSumRun(Process):
    """A Frank-Wolfe method on a finite sum over a set, exactly as a user would run it."""

    problem: FiniteSum
    constraint: ConstraintSet
    x0: jax.Array
    steps: jax.Array  # eta_k
    f_star: jax.Array
    batch_size: int = field(metadata=_STATIC)
    replacement: bool = field(default=True, metadata=_STATIC)

    @abc.abstractmethod
    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The method; `key` counts in `init` only."""

    @abc.abstractmethod
    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        """What `update` takes beside the gradient of the batch."""

    def draw(self, key: jax.Array) -> jax.Array:
        """Indices of a minibatch, (batch_size,)."""
        n = self.problem.num_samples
        if self.replacement:
            return jax.random.randint(key, (self.batch_size,), 0, n)
        first = jnp.arange(n - self.batch_size, n)
        return floyd_subset(jax.random.randint(key, first.shape, 0, first + 1), n)

    def init(self, key: jax.Array) -> Position:
        return Position(self.x0, self.transformation(key).init(self.x0))

    def advance(self, position: Position, batch: jax.Array, **changed: Any) -> Position:
        """One step with this batch, as in a user's training loop."""
        updates, state = self.transformation(jax.random.key(0)).update(
            self.problem.batch_gradient(position.x, batch),
            position.state,
            position.x,
            **(self.extra_arguments(batch) | changed),
        )
        return Position(optax.apply_updates(position.x, updates), state)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return self.advance(position, self.draw(key))


# --- What is observed of them ---


def suboptimality(run: FiniteSumRun, position: Position) -> jax.Array:
    """r_k = f(x^k) - f*."""
    return run.problem.value(position.x) - run.f_star


def gap(run: FiniteSumRun, position: Position) -> jax.Array:
    """G_k, the Frank-Wolfe gap at x^k."""
    gradient = run.problem.gradient(position.x)
    return optzoo.frank_wolfe_gap(run.constraint, gradient, position.x)


def squared_error(run: Any, position: Position) -> jax.Array:
    """e_{k-1}^2 = |g^{k-1} - grad f(x^{k-1})|^2."""
    state = held(position.state, "estimate", "previous")
    return jnp.sum((state.estimate - run.problem.gradient(state.previous)) ** 2)


def gradient_calls(run: FiniteSumRun, position: Position) -> jax.Array:
    """Gradients of single samples so far."""
    n, b = run.problem.num_samples, run.batch_size
    return jnp.asarray(optzoo.gradient_calls(position.state, n, b))


def restarts(run: FiniteSumRun, position: Position) -> jax.Array:
    """Full gradients so far."""
    return held(position.state, "restarts").restarts.astype(float)


def stale(run: Any, position: Position) -> jax.Array:
    """Y_{k-1}, the staleness of the table at x^{k-1}."""
    state = held(position.state, "previous", "table")
    return staleness(run.problem, state.previous, state.table)


def staleness(problem: FiniteSum, x: jax.Array, table: jax.Array) -> jax.Array:
    """Y = (1/n) sum_i |grad f_i(x) - y_i|^2."""
    off = problem.sample_gradients(x, jnp.arange(problem.num_samples)) - table
    return jnp.mean(jnp.sum(off**2, axis=1))


def sample_variance(problem: FiniteSum, new: jax.Array, old: jax.Array) -> jax.Array:
    """V = (1/n) sum_i |d_i|^2 - |mean d|^2 with d_i = grad f_i(new) - grad f_i(old)."""
    everyone = jnp.arange(problem.num_samples)
    change = problem.sample_gradients(new, everyone) - problem.sample_gradients(old, everyone)
    return jnp.sum(jnp.mean((change - jnp.mean(change, axis=0, keepdims=True)) ** 2, axis=0))


_ANY: Mapping[str, Watch] = {
    "suboptimality": suboptimality,
    "gap": gap,
    "squared_error": squared_error,
    "gradient_calls": gradient_calls,
}

AVERAGE_GAP: Mapping[str, Watch] = {
    "average_gap": Mean(gap, weight=lambda run, k: run.steps[k]),
    "gradient_calls": gradient_calls,
}
"""The average of all gaps, weighted by the steps."""


def _after_the_first(
    term: Callable[[Any, Position, Position], jax.Array],
) -> Sum:
    """The first estimate is exact by definition, and no term of the identity."""
    return Sum(lambda run, k, before, after: (k > 0) * term(run, before, after))


IDENTITY_TERMS: Mapping[str, Watch] = {
    "before": _after_the_first(lambda run, before, after: squared_error(run, before)),
    "variance": _after_the_first(
        lambda run, before, after: sample_variance(run.problem, before.x, before.state.previous)
    ),
    "after": _after_the_first(lambda run, before, after: squared_error(run, after)),
}
"""The sums over all steps of the terms of Sarah's identity."""


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SarahRun(FiniteSumRun):
    """Sarah Frank-Wolfe, a mutant of it, or any method with its arguments."""

    restart_probability: jax.Array
    method: Method = field(default=optzoo.sarah_frank_wolfe, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {**_ANY, "restarts": restarts}

    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.constraint, lambda k: self.steps[k], self.restart_probability, key=key
        )

    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        return {
            "grad_fn": lambda x: self.problem.batch_gradient(x, batch),
            "full_grad_fn": self.problem.gradient,
        }


def plain_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """Frank-Wolfe on the batches' gradients, as a method of `SarahRun`."""
    return optzoo.frank_wolfe(constraint, learning_rate)


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SagaRun(FiniteSumRun):
    """Saga Sarah Frank-Wolfe, or a mutant of it, from a table of first gradients or of zeros."""

    mixing: jax.Array  # lambda
    warm: bool = field(default=True, metadata=_STATIC)
    method: Method = field(default=optzoo.saga_sarah_frank_wolfe, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {**_ANY, "staleness": stale}

    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.constraint,
            lambda k: self.steps[k],
            self.problem.num_samples,
            mixing=self.mixing,
        )

    def init(self, key: jax.Array) -> Position:
        start = super().init(key)
        if not self.warm:
            return start
        rows = self.problem.sample_gradients(self.x0, jnp.arange(self.problem.num_samples))
        return Position(start.x, optzoo.saga_warm_start(start.state, rows))

    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        return {
            "indices": batch,
            "sample_grads_fn": lambda x: self.problem.sample_gradients(x, batch),
        }


# --- Runs inside other processes ---


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class OnALine(Process):
    """The estimator of a run alone, fed the points x_k = k h of a line whatever it answers.

    The steps of the run hold h. On f_i(x) = z_i x^2 / 2 the variance V_k is h^2 exactly.
    """

    run: FiniteSumRun

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {name: _OfTheRun(watch) for name, watch in self.run.watch.items()}

    def init(self, key: jax.Array) -> Position:
        return self.run.init(key)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        _, state = self.run.step(position, k, key)
        return Position((k + 1.0) * self.run.steps[:1], state)


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class ReusedBatch(Process):
    """A mutant: every batch serves two consecutive steps."""

    run: SarahRun

    @property
    def problem(self) -> FiniteSum:
        return self.run.problem

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {name: _OfTheRun(watch) for name, watch in self.run.watch.items()}

    def init(self, key: jax.Array) -> Position:
        return self.run.init(key)

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return self.run.step(position, k, jax.random.fold_in(position.state.key, k // 2))


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class StaleTable(Process):
    """A mutant on the line: the table is read and written at the indices of the batch before."""

    run: SagaRun

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {name: _OfTheRun(watch, first=True) for name, watch in self.run.watch.items()}

    def init(self, key: jax.Array) -> Any:
        return self.run.init(key), self.run.draw(key)

    def step(self, position: Any, k: jax.Array, key: jax.Array) -> Any:
        inside, rows = position
        batch = self.run.draw(key)
        _, state = self.run.advance(inside, batch, indices=rows)
        return Position((k + 1.0) * self.run.steps[:1], state), batch


@dataclass(frozen=True)
class _OfTheRun:
    """A watch of the run inside a process."""

    watch: Any
    first: bool = False  # the run's position is the first of a tuple

    def __call__(self, process: Any, position: Any) -> jax.Array:
        inside: jax.Array = self.watch(process.run, position[0] if self.first else position)
        return inside


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class MixingFamily(Process):
    """One estimator on a line for each lambda of a grid, all on the same batches.

    Metrics "squared_error@j".
    """

    run: SagaRun
    mixings: jax.Array

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {f"squared_error@{j}": _ErrorOf(j) for j in range(len(self.mixings))}

    def _with(self, mixing: jax.Array) -> OnALine:
        return OnALine(replace(self.run, mixing=mixing))

    def init(self, key: jax.Array) -> Any:
        return jax.vmap(lambda mixing: self._with(mixing).init(key))(self.mixings)

    def step(self, position: Any, k: jax.Array, key: jax.Array) -> Any:
        return jax.vmap(lambda mixing, at: self._with(mixing).step(at, k, key))(
            self.mixings, position
        )


@dataclass(frozen=True)
class _ErrorOf:
    """The squared error of the j-th estimator of a family."""

    j: int

    def __call__(self, family: MixingFamily, position: Any) -> jax.Array:
        return squared_error(family.run, jax.tree.map(lambda leaf: leaf[self.j], position))


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class SlopeFamily(Process):
    """One run on f_i(x) = c x + z_i x^2 / 2 for each slope c of a grid, with common batches.

    A horizon picks the slope that is worst for it; averaging over a grid of slopes keeps the
    worst one in, whatever the horizon.
    """

    run: FiniteSumRun
    slopes: jax.Array

    @property
    def watch(self) -> Mapping[str, Watch]:  # type: ignore[override]
        return {name: _OverSlopes(watch) for name, watch in self.run.watch.items()}

    def init(self, key: jax.Array) -> Any:
        return jax.vmap(lambda slope: with_slope(self.run, slope).init(key))(self.slopes)

    def step(self, position: Any, k: jax.Array, key: jax.Array) -> Any:
        return jax.vmap(lambda slope, at: with_slope(self.run, slope).step(at, k, key))(
            self.slopes, position
        )


@dataclass(frozen=True)
class _OverSlopes:
    """The mean of a watch over the slopes of a family."""

    watch: Any

    def __call__(self, family: SlopeFamily, position: Any) -> jax.Array:
        def at(slope: jax.Array, inside: Position) -> jax.Array:
            watched: jax.Array = self.watch(with_slope(family.run, slope), inside)
            return watched

        return jnp.mean(jax.vmap(at)(family.slopes, position))


def with_slope(run: AnyRun, slope: jax.Array) -> AnyRun:
    """A run on `NoiseTight` with another slope."""
    assert isinstance(run.problem, NoiseTight)
    return replace(run, problem=replace(run.problem, slope=slope), f_star=-slope)


# --- On f_i(x) = c x + sigma z_i x^2 / 2 over [-1, 1] ---


def _noise_tight(
    process: type[AnyRun],
    *,
    slope: float,
    start: float,
    steps: jax.Array,
    batch_size: int,
    num_samples: int,
    noise: float = 1.0,
    **more: Any,
) -> AnyRun:
    return process(
        problem=NoiseTight(jnp.asarray(slope), jnp.asarray(noise), num_samples),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.full(1, start),
        steps=steps,
        f_star=jnp.asarray(-slope),
        batch_size=batch_size,
        **more,
    )


def noise_tight_sarah(
    *,
    slope: float,
    restart_probability: float,
    batch_size: int,
    steps: jax.Array,
    noise: float = 1.0,
    num_samples: int = 64,
    replacement: bool = True,
    start: float = 1.0,
    method: Method = optzoo.sarah_frank_wolfe,
) -> SarahRun:
    """Sarah Frank-Wolfe there, from the wrong end."""
    return _noise_tight(
        SarahRun,
        slope=slope,
        start=start,
        steps=steps,
        batch_size=batch_size,
        num_samples=num_samples,
        noise=noise,
        replacement=replacement,
        restart_probability=jnp.asarray(restart_probability),
        method=method,
    )


def noise_tight_saga(
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
    """Saga Sarah Frank-Wolfe there; lambda = a/2 unless given."""
    a = refresh_probability(num_samples, batch_size, replacement=replacement)
    return _noise_tight(
        SagaRun,
        slope=slope,
        start=start,
        steps=steps,
        batch_size=batch_size,
        num_samples=num_samples,
        replacement=replacement,
        mixing=jnp.asarray(a / 2 if mixing is None else mixing),
        warm=warm,
        method=method,
    )


def line_test(
    *,
    restart_probability: float,
    step: float,
    batch_size: int = 1,
    num_samples: int = 64,
    replacement: bool = True,
    method: Method = optzoo.sarah_frank_wolfe,
) -> OnALine:
    """Sarah's estimator on a line, at step h, restart probability p and batch size b."""
    return OnALine(
        noise_tight_sarah(
            slope=0.0,
            start=0.0,
            restart_probability=restart_probability,
            batch_size=batch_size,
            steps=jnp.full(1, step),
            num_samples=num_samples,
            replacement=replacement,
            method=method,
        )
    )
