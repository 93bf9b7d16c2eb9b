"""Mistakes in Sarah and in Saga Sarah Frank-Wolfe, and the other convention for Saga's table.

Each takes the arguments of the method that it spoils; `more` and `named` are those it leaves alone.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import pytree_dataclass

from .processes import Transformation

__all__ = [
    "Opposite",
    "constant_batch",
    "never_mixed",
    "never_restarted",
    "projection_in_place_of_the_oracle",
    "refreshed_too_early",
    "refreshed_with_old",
    "restarted_half_as_often",
    "wrong_sign_of_the_oracle",
]

NEVER = 1e-30

# --- Of either ---


def wrong_sign_of_the_oracle(constraint: ConstraintSet, *more: Any, **named: Any) -> Transformation:
    """The oracle maximizes where it should minimize."""
    # Sarah needs a key for its coins, Saga has none.
    method = optzoo.sarah_frank_wolfe if "key" in named else optzoo.saga_sarah_frank_wolfe
    return method(Opposite(constraint), *more, **named)


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class Opposite(ConstraintSet):
    """The set with argmax in place of argmin."""

    inner: ConstraintSet

    def _lmo(self, direction: Any) -> Any:
        return self.inner.lmo(jax.tree.map(jnp.negative, direction))

    def _diameter(self, like: Any) -> jax.Array:
        return self.inner.diameter(like)

    def _contains(self, x: Any, atol: float | jax.Array | None) -> jax.Array:
        return self.inner.contains(x, atol)

    def _project(self, x: Any) -> Any:
        return self.inner.project(x)

    def _retract(self, x: Any) -> Any:
        return self.inner.retract(x)


# --- Of Sarah Frank-Wolfe ---


def never_restarted(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    **named: Any,
) -> Transformation:
    """SARAH without restarts: only the first gradient is full, whatever p is claimed."""
    return optzoo.sarah_frank_wolfe(constraint, learning_rate, jnp.asarray(NEVER), **named)


def restarted_half_as_often(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    **named: Any,
) -> Transformation:
    """Restarts come with probability p/2 instead of p."""
    return optzoo.sarah_frank_wolfe(constraint, learning_rate, restart_probability / 2, **named)


def constant_batch(*more: Any, **named: Any) -> Transformation:
    """Plain stochastic Frank-Wolfe: the estimate is the minibatch gradient itself."""
    sarah = never_restarted(*more, **named)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        # g = 0 + grad f_S(x) - 0
        zeros = jax.tree.map(jnp.zeros_like, state.estimate)
        extra_args["grad_fn"] = lambda params: jax.tree.map(jnp.zeros_like, params)
        return sarah.update(updates, state._replace(estimate=zeros), params, **extra_args)

    return Transformation(sarah.init, update)


def projection_in_place_of_the_oracle(
    constraint: ConstraintSet, *more: Any, **named: Any
) -> Transformation:
    """Projected gradient steps of length 1 on the estimate: more than an oracle can do."""
    sarah = optzoo.sarah_frank_wolfe(constraint, *more, **named)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        _, state = sarah.update(updates, state, params, **extra_args)
        target = constraint.project(jax.tree.map(jnp.subtract, params, state.estimate))
        return jax.tree.map(jnp.subtract, target, params), state

    return Transformation(sarah.init, update)


# --- Of Saga Sarah Frank-Wolfe ---


def never_mixed(*more: Any, mixing: jax.typing.ArrayLike) -> Transformation:
    """Lambda = 0, whatever is claimed: the table is never looked at after the first step."""
    return optzoo.saga_sarah_frank_wolfe(*more, mixing=jnp.asarray(NEVER))


def refreshed_with_old(*more: Any, **named: Any) -> Transformation:
    """No mistake but the other convention: rows are refreshed with grad f_i(x^{k-1})."""
    saga = optzoo.saga_sarah_frank_wolfe(*more, **named)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        old = jnp.where(state.steps == 0, params, state.previous)
        rows = extra_args["sample_grads_fn"](old)
        new_updates, new_state = saga.update(updates, state, params, **extra_args)
        return new_updates, _with_rows(new_state, state.table, extra_args["indices"], rows)

    return Transformation(saga.init, update)


def refreshed_too_early(*more: Any, **named: Any) -> Transformation:
    """The table is refreshed before the difference to it is formed."""
    saga = optzoo.saga_sarah_frank_wolfe(*more, **named)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        rows = extra_args["sample_grads_fn"](params)
        state = _with_rows(state, state.table, extra_args["indices"], rows)
        return saga.update(updates, state, params, **extra_args)

    return Transformation(saga.init, update)


def _with_rows(state: Any, table: jax.Array, indices: jax.Array, rows: jax.Array) -> Any:
    """The state with this table, its rows replaced at the indices, and its mean anew."""
    table = table.at[indices].set(rows)
    mean = jnp.mean(table, axis=0)
    return state._replace(table=table, table_mean=mean, table_mean_error=jnp.zeros_like(mean))
