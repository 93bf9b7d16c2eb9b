# SPDX-License-Identifier: Apache-2.0
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

from ...mutants import Call, altered
from .processes import Method, Transformation

__all__ = [
    "Opposite",
    "constant_batch",
    "maximizing",
    "never_mixed",
    "never_restarted",
    "projection_in_place_of_the_oracle",
    "refreshed_too_early",
    "refreshed_with_old",
    "restarted_half_as_often",
    "saga_maximizing",
    "sarah_maximizing",
]

NEVER = 1e-30

# --- Of either ---


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


def maximizing(method: Method) -> Method:
    def wrong_sign_of_the_oracle(
        constraint: ConstraintSet, *more: Any, **named: Any
    ) -> Transformation:
        """The oracle maximizes where it should minimize."""
        return method(Opposite(constraint), *more, **named)

    return wrong_sign_of_the_oracle


sarah_maximizing = maximizing(optzoo.sarah_frank_wolfe)
saga_maximizing = maximizing(optzoo.saga_sarah_frank_wolfe)

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


@altered(never_restarted)
def constant_batch(call: Call) -> tuple[optax.Updates, Any]:
    """Plain stochastic Frank-Wolfe: the estimate is the minibatch gradient itself."""
    # g = 0 + grad f_S(x) - 0
    zeros = jax.tree.map(jnp.zeros_like, call.params)
    return call.step(state=call.state._replace(estimate=zeros), grad_fn=lambda params: zeros)


@altered(optzoo.sarah_frank_wolfe)
def projection_in_place_of_the_oracle(call: Call) -> tuple[optax.Updates, Any]:
    """Projected gradient steps of length 1 on the estimate: more than an oracle can do."""
    _, state = call.step()
    target = jax.tree.map(jnp.subtract, call.params, state.estimate)
    projected = call.arguments["constraint"].project(target)
    return jax.tree.map(jnp.subtract, projected, call.params), state


# --- Of Saga Sarah Frank-Wolfe ---


def never_mixed(*more: Any, mixing: jax.typing.ArrayLike) -> Transformation:
    """Lambda = 0, whatever is claimed: the table is never looked at after the first step."""
    return optzoo.saga_sarah_frank_wolfe(*more, mixing=jnp.asarray(NEVER))


@altered(optzoo.saga_sarah_frank_wolfe)
def refreshed_with_old(call: Call) -> tuple[optax.Updates, Any]:
    """No mistake but the other convention: rows are refreshed with grad f_i(x^{k-1})."""
    old = jnp.where(call.state.steps == 0, call.params, call.state.previous)
    updates, state = call.step()
    return updates, _refreshed(state, call.state.table, call, old)


@altered(optzoo.saga_sarah_frank_wolfe)
def refreshed_too_early(call: Call) -> tuple[optax.Updates, Any]:
    """The table is refreshed before the difference to it is formed."""
    return call.step(state=_refreshed(call.state, call.state.table, call, call.params))


def _refreshed(state: Any, table: jax.Array, call: Call, point: jax.Array) -> Any:
    """The state with this table, the batch's rows those of a point, and its mean anew."""
    rows = call.extra_args["sample_grads_fn"](point)
    table = table.at[call.extra_args["indices"]].set(rows)
    mean = jnp.mean(table, axis=0)
    return state._replace(table=table, table_mean=mean, table_mean_error=jnp.zeros_like(mean))
