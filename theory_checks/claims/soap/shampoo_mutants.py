"""Mistakes in Shampoo, as wrappers of a transformation made by `optzoo.shampoo` for one matrix."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

__all__ = ["grams_not_accumulated", "power_one_half"]


def grams_not_accumulated(
    method: optax.GradientTransformationExtraArgs,
) -> optax.GradientTransformationExtraArgs:
    """Every call begins with Gram matrices of zeros."""

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        forgotten = state._replace(gram=jax.tree.map(jnp.zeros_like, state.gram))
        return method.update(updates, forgotten, params, **extra_args)

    return optax.GradientTransformationExtraArgs(method.init, update)


def power_one_half(
    method: optax.GradientTransformationExtraArgs,
) -> optax.GradientTransformationExtraArgs:
    """L^(-1/2) G R^(-1/2): the roots are applied twice."""

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        once, new = method.update(updates, state, params, **extra_args)
        left, right = new.root
        return left @ once @ right, new

    return optax.GradientTransformationExtraArgs(method.init, update)
