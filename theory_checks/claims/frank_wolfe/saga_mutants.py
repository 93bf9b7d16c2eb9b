"""Mistakes in Saga Sarah Frank-Wolfe, and the other convention for its table.

Each takes the arguments of `optzoo.saga_sarah_frank_wolfe`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.lmo import ConstraintSet

from .mutants import Opposite

__all__ = ["never_mixed", "refreshed_too_early", "refreshed_with_old", "wrong_sign_of_the_oracle"]


def refreshed_with_old(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    mixing: jax.typing.ArrayLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    """No mistake but the other convention: rows are refreshed with grad f_i(x^{k-1})."""
    saga = optzoo.saga_sarah_frank_wolfe(constraint, learning_rate, num_samples, mixing=mixing)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        old = jnp.where(state.steps == 0, params, state.previous)
        rows = extra_args["sample_grads_fn"](old)
        new_updates, new_state = saga.update(updates, state, params, **extra_args)
        return new_updates, _with_rows(new_state, state.table, extra_args["indices"], rows)

    return optax.GradientTransformationExtraArgs(saga.init, update)


def refreshed_too_early(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    mixing: jax.typing.ArrayLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    """The table is refreshed before the difference to it is formed."""
    saga = optzoo.saga_sarah_frank_wolfe(constraint, learning_rate, num_samples, mixing=mixing)

    def update(
        updates: optax.Updates, state: Any, params: Any, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        rows = extra_args["sample_grads_fn"](params)
        state = _with_rows(state, state.table, extra_args["indices"], rows)
        return saga.update(updates, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(saga.init, update)


def never_mixed(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    mixing: jax.typing.ArrayLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Lambda = 0, whatever is claimed: the table is never looked at after the first step."""
    return optzoo.saga_sarah_frank_wolfe(
        constraint, learning_rate, num_samples, mixing=jnp.asarray(1e-30)
    )


def wrong_sign_of_the_oracle(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    mixing: jax.typing.ArrayLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    """The oracle maximizes where it should minimize."""
    return optzoo.saga_sarah_frank_wolfe(
        Opposite(constraint), learning_rate, num_samples, mixing=mixing
    )


def _with_rows(state: Any, table: jax.Array, indices: jax.Array, rows: jax.Array) -> Any:
    """The state with this table, its rows replaced at the indices, and its mean anew."""
    table = table.at[indices].set(rows)
    mean = jnp.mean(table, axis=0)
    return state._replace(table=table, table_mean=mean, table_mean_error=jnp.zeros_like(mean))
