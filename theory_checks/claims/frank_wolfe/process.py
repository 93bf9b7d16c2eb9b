"""Frank-Wolfe methods on a finite sum over a constraint set, as processes to be replicated."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import FiniteSum, NoiseTight, pytree_dataclass

from ...simulation import Process

__all__ = [
    "AlongTheRun",
    "AveragedGap",
    "FiniteSumRun",
    "GapAverage",
    "LineTest",
    "ReusedBatch",
    "Run",
    "SarahRun",
    "SlopeFamily",
    "floyd_subset",
    "line_test",
    "noise_tight_run",
    "sample_variance",
    "step_table",
    "variance_factor",
    "with_slope",
]

AnyRun = TypeVar("AnyRun", bound="FiniteSumRun")
Method = Callable[..., optax.GradientTransformationExtraArgs]
_STATIC = {"static": True}


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


class Run(NamedTuple):
    """A run after k steps."""

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

    def draw(self, key: jax.Array) -> jax.Array:
        """Indices of a minibatch, (batch_size,)."""
        n = self.problem.num_samples
        if self.replacement:
            return jax.random.randint(key, (self.batch_size,), 0, n)
        first = jnp.arange(n - self.batch_size, n)
        return floyd_subset(jax.random.randint(key, first.shape, 0, first + 1), n)

    @abc.abstractmethod
    def init(self, key: jax.Array) -> Run:
        """The state before the first step."""

    @abc.abstractmethod
    def advance(self, carry: Run, batch: jax.Array) -> Run:
        """One step with this batch, as in a user's training loop."""

    def step(self, carry: Run, k: jax.Array, key: jax.Array) -> Run:
        return self.advance(carry, self.draw(key))

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        gradient = self.problem.gradient(carry.x)
        error = carry.state.estimate - self.problem.gradient(carry.state.previous)
        return {
            # r_k = f(x^k) - f*
            "suboptimality": self.problem.value(carry.x) - self.f_star,
            # G_k
            "gap": optzoo.frank_wolfe_gap(self.constraint, gradient, carry.x),
            # e_{k-1}^2 = |g^{k-1} - grad f(x^{k-1})|^2
            "squared_error": jnp.sum(error**2),
            "gradient_calls": jnp.asarray(
                optzoo.gradient_calls(carry.state, self.problem.num_samples, self.batch_size)
            ),
        }


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SarahRun(FiniteSumRun):
    """Sarah Frank-Wolfe, or a mutant of it."""

    restart_probability: jax.Array
    method: Method = field(default=optzoo.sarah_frank_wolfe, metadata=_STATIC)

    def transformation(self, key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return self.method(
            self.constraint, lambda k: self.steps[k], self.restart_probability, key=key
        )

    def init(self, key: jax.Array) -> Run:
        return Run(self.x0, self.transformation(key).init(self.x0))

    def advance(self, carry: Run, batch: jax.Array) -> Run:
        updates, state = self.transformation(carry.state.key).update(
            self.problem.batch_gradient(carry.x, batch),
            carry.state,
            carry.x,
            grad_fn=lambda x: self.problem.batch_gradient(x, batch),
            full_grad_fn=self.problem.gradient,
        )
        return Run(optax.apply_updates(carry.x, updates), state)

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        return super().measure(carry) | {"restarts": carry.state.restarts.astype(float)}


class GapAverage(FiniteSumRun):
    """Adds to a run the average of all its gaps, weighted by the steps; comes before the run."""

    def init(self, key: jax.Array) -> Any:
        start = super().init(key)  # type: ignore[safe-super]  # of the run that comes after
        return start, jnp.zeros([]), jnp.zeros([])

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        run, total, weight = carry
        gap = optzoo.frank_wolfe_gap(self.constraint, self.problem.gradient(run.x), run.x)
        eta = self.steps[k]
        return super().step(run, k, key), total + eta * gap, weight + eta

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        run, total, weight = carry
        return super().measure(run) | {"average_gap": total / weight}


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class AveragedGap(GapAverage, SarahRun):
    """Sarah Frank-Wolfe with the average of all its gaps, weighted by the steps."""


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class AlongTheRun(SarahRun):
    """Sarah Frank-Wolfe with the sums over all steps of the terms of the estimator's identity."""

    def init(self, key: jax.Array) -> Any:
        return super().init(key), jnp.zeros([]), jnp.zeros([]), jnp.zeros([])

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        run, before, variance, after = carry
        follows = (k > 0).astype(float)  # the first estimate is exact by definition
        error = self._squared_error(run)
        spread = sample_variance(self.problem, run.x, run.state.previous)
        run = super().step(run, k, key)
        return (
            run,
            before + follows * error,
            variance + follows * spread,
            after + follows * self._squared_error(run),
        )

    def _squared_error(self, run: Run) -> jax.Array:
        return jnp.sum((run.state.estimate - self.problem.gradient(run.state.previous)) ** 2)

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        _, before, variance, after = carry
        return {"before": before, "variance": variance, "after": after}


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class LineTest(SarahRun):
    """The estimator alone, fed the points x_k = k h of a line whatever it answers.

    `steps` holds h. On f_i(x) = z_i x^2 / 2 the variance V_k is h^2 exactly.
    """

    def init(self, key: jax.Array) -> Run:
        return Run(jnp.zeros(1), self.transformation(key).init(jnp.zeros(1)))

    def step(self, carry: Run, k: jax.Array, key: jax.Array) -> Run:
        _, state = super().step(carry, k, key)
        return Run((k + 1.0) * self.steps[:1], state)


def line_test(
    *,
    restart_probability: float,
    step: float,
    batch_size: int = 1,
    num_samples: int = 64,
    replacement: bool = True,
    method: Method = optzoo.sarah_frank_wolfe,
) -> LineTest:
    """The line test at step h, restart probability p and batch size b."""
    return LineTest(
        problem=NoiseTight(slope=0.0, num_samples=num_samples),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.zeros(1),
        steps=jnp.full(1, step),
        restart_probability=jnp.asarray(restart_probability),
        f_star=jnp.zeros([]),
        batch_size=batch_size,
        replacement=replacement,
        method=method,
    )


def sample_variance(problem: FiniteSum, new: jax.Array, old: jax.Array) -> jax.Array:
    """V = (1/n) sum_i |d_i|^2 - |mean d|^2 with d_i = grad f_i(new) - grad f_i(old)."""
    everyone = jnp.arange(problem.num_samples)
    change = problem.sample_gradients(new, everyone) - problem.sample_gradients(old, everyone)
    return jnp.sum(jnp.mean((change - jnp.mean(change, axis=0, keepdims=True)) ** 2, axis=0))


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class SlopeFamily(Process):
    """One run on f_i(x) = c x + z_i x^2 / 2 for each slope c of a grid, with common batches.

    A horizon picks the slope that is worst for it; averaging over a grid of slopes keeps the
    worst one in, whatever the horizon.
    """

    run: FiniteSumRun
    slopes: jax.Array

    def init(self, key: jax.Array) -> Any:
        return jax.vmap(lambda slope: with_slope(self.run, slope).init(key))(self.slopes)

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        return jax.vmap(lambda slope, run: with_slope(self.run, slope).step(run, k, key))(
            self.slopes, carry
        )

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        metrics = jax.vmap(lambda slope, run: with_slope(self.run, slope).measure(run))(
            self.slopes, carry
        )
        return {name: jnp.mean(values) for name, values in metrics.items()}


def with_slope(run: AnyRun, slope: jax.Array) -> AnyRun:
    """A run on `NoiseTight` with another slope."""
    assert isinstance(run.problem, NoiseTight)
    return replace(run, problem=replace(run.problem, slope=slope), f_star=-slope)


def noise_tight_run(
    *,
    slope: float,
    restart_probability: float,
    batch_size: int,
    steps: jax.Array,
    noise: float = 1.0,
    num_samples: int = 64,
    method: Method = optzoo.sarah_frank_wolfe,
) -> SarahRun:
    """Sarah Frank-Wolfe on f_i(x) = c x + sigma z_i x^2 / 2 on [-1, 1], from the wrong end."""
    return SarahRun(
        problem=NoiseTight(jnp.asarray(slope), jnp.asarray(noise), num_samples),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.ones(1),
        steps=steps,
        restart_probability=jnp.asarray(restart_probability),
        f_star=jnp.asarray(-slope),
        batch_size=batch_size,
        method=method,
    )


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ReusedBatch(AlongTheRun):
    """A mutant: every batch serves two consecutive steps."""

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        return super().step(carry, k, jax.random.fold_in(carry[0].state.key, k // 2))
