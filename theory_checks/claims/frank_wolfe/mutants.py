"""Mistakes in Sarah Frank-Wolfe.

Each takes the arguments of `optzoo.sarah_frank_wolfe` and makes one mistake.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import pytree_dataclass

__all__ = [
    "Opposite",
    "constant_batch",
    "never_restarted",
    "projection_in_place_of_the_oracle",
    "restarted_half_as_often",
    "wrong_sign_of_the_oracle",
]


def never_restarted(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """SARAH without restarts: only the first gradient is full, whatever p is claimed."""
    never = jnp.asarray(1e-30)
    return optzoo.sarah_frank_wolfe(constraint, learning_rate, never, key=key)


def restarted_half_as_often(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """Restarts come with probability p/2 instead of p."""
    return optzoo.sarah_frank_wolfe(constraint, learning_rate, restart_probability / 2, key=key)


def constant_batch(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """Plain stochastic Frank-Wolfe: the estimate is the minibatch gradient itself."""
    sarah = never_restarted(constraint, learning_rate, restart_probability, key=key)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        # g = 0 + grad f_S(x) - 0
        zeros = jax.tree.map(jnp.zeros_like, state.estimate)
        extra_args["grad_fn"] = lambda params: jax.tree.map(jnp.zeros_like, params)
        return sarah.update(updates, state._replace(estimate=zeros), params, **extra_args)

    return optax.GradientTransformationExtraArgs(sarah.init, update)


def wrong_sign_of_the_oracle(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """The oracle maximizes where it should minimize."""
    return optzoo.sarah_frank_wolfe(
        Opposite(constraint), learning_rate, restart_probability, key=key
    )


def projection_in_place_of_the_oracle(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    restart_probability: jax.typing.ArrayLike,
    *,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    """Projected gradient steps of length 1 on the estimate: more than an oracle can do."""
    sarah = optzoo.sarah_frank_wolfe(constraint, learning_rate, restart_probability, key=key)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        _, state = sarah.update(updates, state, params, **extra_args)
        target = constraint.project(jax.tree.map(jnp.subtract, params, state.estimate))
        return jax.tree.map(jnp.subtract, target, params), state

    return optax.GradientTransformationExtraArgs(sarah.init, update)


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
