# SPDX-License-Identifier: Apache-2.0
"""Frank-Wolfe methods on a finite sum over a constraint set, as processes to be replicated."""

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar, final

import jax
import jax.numpy as jnp
import numpy as np
import optax

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import Constant, FiniteSum, NoiseTight, pytree_dataclass
from optzoo.theorems.frank_wolfe import index_probability, variance_factor

from ...setting import chosen
from ...simulation import Process, Watch
from ...simulation.subsets import floyd_subset, uniform_below
from .watches import OF_ANY, restarts, stale

__all__ = [
    "AnyRun",
    "FiniteSumRun",
    "Method",
    "OnALine",
    "Position",
    "ReusedBatch",
    "SagaRun",
    "SarahRun",
    "StaleTable",
    "line_test",
    "plain_frank_wolfe",
    "step_table",
    "with_mixing",
    "with_slope",
]

AnyRun = TypeVar("AnyRun", bound="FiniteSumRun")
Transformation: TypeAlias = optax.GradientTransformationExtraArgs
Method: TypeAlias = Callable[..., Transformation]
_STATIC = {"static": True}


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
    method: Method = field(metadata=_STATIC)

    @abc.abstractmethod
    def transformation(self, key: jax.Array) -> Transformation:
        """The method; `key` counts in `init` only."""

    @abc.abstractmethod
    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        """What `update` takes beside the gradient of the batch."""

    @property
    def constants(self) -> dict[str, Constant]:
        """What the method adds to the constants of its instance: nu, and its own numbers.

        Read off the run, so that a bound has what is run.
        """
        nu = variance_factor(
            self.problem.num_samples, self.batch_size, replacement=self.replacement
        )
        return {"nu": Constant(nu, "exact", derivation="variance factor of a batch")}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        """The method's numbers, in the report's words."""
        return {"batch size": self.batch_size, "replacement": str(self.replacement)}

    def draw(self, key: jax.Array) -> jax.Array:
        """Indices of a minibatch, (batch_size,)."""
        n = self.problem.num_samples
        if self.replacement:
            return uniform_below(key, jnp.full(self.batch_size, n))
        first = jnp.arange(n - self.batch_size, n)
        return floyd_subset(uniform_below(key, first + 1), n)

    def init(self, key: jax.Array) -> Position:
        return Position(self.x0, self.transformation(key).init(self.x0))

    def advance(self, position: Any, batch: jax.Array, **changed: Any) -> Position:
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


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SarahRun(FiniteSumRun):
    """Sarah Frank-Wolfe, a mutant of it, or any method with its arguments."""

    restart_probability: jax.Array
    method: Method = field(default=optzoo.sarah_frank_wolfe, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {**OF_ANY, "restarts": restarts}

    @property
    def constants(self) -> dict[str, Constant]:
        return {**super().constants, **chosen(p=float(self.restart_probability))}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {"p": float(self.restart_probability), **super().parameters}

    def transformation(self, key: jax.Array) -> Transformation:
        return self.method(
            self.constraint, lambda k: self.steps[k], self.restart_probability, key=key
        )

    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        return {
            "grad_fn": lambda x: self.problem.batch_gradient(x, batch),
            "full_grad_fn": self.problem.gradient,
        }


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SagaRun(FiniteSumRun):
    """Saga Sarah Frank-Wolfe, or a mutant of it, from a table of first gradients or of zeros."""

    mixing: jax.Array  # lambda
    warm: bool = field(default=True, metadata=_STATIC)
    method: Method = field(default=optzoo.saga_sarah_frank_wolfe, metadata=_STATIC)

    watch: ClassVar[Mapping[str, Watch]] = {**OF_ANY, "staleness": stale}

    @property
    def constants(self) -> dict[str, Constant]:
        """Also the exact error and staleness of the first call."""
        known, n = super().constants, self.problem.num_samples
        a = index_probability(n, self.batch_size, replacement=self.replacement)
        error = stale = 0.0
        if not self.warm:
            rows = np.asarray(self._first_gradients)
            spread = np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1))
            error = known["nu"].value * float(spread)
            stale = (1 - a) * float(np.mean(np.sum(rows**2, axis=1)))
        return {
            **known,
            "a": Constant(a, "exact", derivation="probability that an index is in a batch"),
            **chosen(mixing=float(self.mixing)),
            "E_0": Constant(error, "exact", derivation="error of the first estimate"),
            "Y_0": Constant(stale, "exact", derivation="staleness after the first call"),
        }

    @property
    def parameters(self) -> dict[str, float | int | str]:
        table = "first gradients" if self.warm else "zeros"
        return {"lambda": float(self.mixing), **super().parameters, "table": table}

    @property
    def _first_gradients(self) -> jax.Array:
        return self.problem.sample_gradients(self.x0, jnp.arange(self.problem.num_samples))

    def transformation(self, key: jax.Array) -> Transformation:
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
        return Position(start.x, optzoo.saga_warm_start(start.state, self._first_gradients))

    def extra_arguments(self, batch: jax.Array) -> dict[str, Any]:
        return {
            "indices": batch,
            "sample_grads_fn": lambda x: self.problem.sample_gradients(x, batch),
        }


def plain_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> Transformation:
    """Frank-Wolfe on the batches' gradients, as a method of `SarahRun`."""
    return optzoo.frank_wolfe(constraint, learning_rate)


# --- Runs with one of their numbers varied, for families ---


def with_slope(run: AnyRun, slope: jax.Array) -> AnyRun:
    """A run on `NoiseTight` with another slope."""
    assert isinstance(run.problem, NoiseTight)
    return replace(run, problem=replace(run.problem, slope=slope), f_star=-slope)


def with_mixing(run: SagaRun, mixing: jax.Array) -> SagaRun:
    """A run with another lambda."""
    return replace(run, mixing=mixing)


# --- The estimator alone ---


@final
@dataclass(frozen=True)
class OnALine:
    """The estimator of a method, fed the points x_k = k h of a line whatever it answers.

    The steps of the run hold h. On f_i(x) = z_i x^2 / 2 the variance V_k is h^2 exactly.
    """

    method: Method

    def __call__(
        self,
        constraint: ConstraintSet,
        length: Callable[[Any], jax.Array],
        *more: Any,
        **named: Any,
    ) -> Transformation:
        inside = self.method(constraint, length, *more, **named)

        def update(
            updates: jax.Array, state: Any, params: jax.Array, **extra_args: Any
        ) -> tuple[jax.Array, Any]:
            _, after = inside.update(updates, state, params, **extra_args)
            return after.steps * length(0) - params, after

        return Transformation(inside.init, update)


def line_test(*, restart_probability: float, step: float) -> SarahRun:
    """Sarah's estimator on a line, at step h and restart probability p, on single samples."""
    return SarahRun(
        problem=NoiseTight(jnp.asarray(0.0), jnp.asarray(1.0), num_samples=64),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.zeros(1),
        steps=jnp.full(1, step),
        f_star=jnp.asarray(0.0),
        batch_size=1,
        restart_probability=jnp.asarray(restart_probability),
        method=OnALine(optzoo.sarah_frank_wolfe),
    )


# --- Mistakes in how batches are handed to a method ---


@dataclass(frozen=True, eq=False)
class Around(Process):
    """A run with a mistake around it, and in all else the run itself; abstract."""

    run: FiniteSumRun

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)  # what is observed, and of what

    def init(self, key: jax.Array) -> Any:
        return self.run.init(key)


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False)
class ReusedBatch(Around):
    """A mutant of Sarah: every batch serves two consecutive steps."""

    def step(self, position: Position, k: jax.Array, key: jax.Array) -> Position:
        return self.run.step(position, k, jax.random.fold_in(position.state.key, k // 2))


class Remembering(NamedTuple):
    """Where a run is, and the batch before."""

    x: jax.Array
    state: Any
    rows: jax.Array


@final
@pytree_dataclass
@dataclass(frozen=True, eq=False)
class StaleTable(Around):
    """A mutant of Saga: the table is read and written at the indices of the batch before."""

    def init(self, key: jax.Array) -> Remembering:
        return Remembering(*self.run.init(key), self.run.draw(key))

    def step(self, position: Remembering, k: jax.Array, key: jax.Array) -> Remembering:
        batch = self.run.draw(key)
        return Remembering(*self.run.advance(position, batch, indices=position.rows), batch)
