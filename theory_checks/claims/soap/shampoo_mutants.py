"""Mistakes in Shampoo for one matrix; each takes the arguments of `optzoo.shampoo`."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo

from .layout import matrices_of

__all__ = ["gram_matrices_not_accumulated", "power_one_half"]


def gram_matrices_not_accumulated(
    learning_rate: Any, eps: Any
) -> optax.GradientTransformationExtraArgs:
    """Every round forgets the Gram matrices before it."""
    shampoo = optzoo.shampoo(learning_rate, eps)

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        forgotten = state._replace(gram=jax.tree.map(jnp.zeros_like, state.gram))
        return shampoo.update(updates, forgotten, params, **extra_args)

    return optax.GradientTransformationExtraArgs(shampoo.init, update)


def power_one_half(learning_rate: Any, eps: Any) -> optax.GradientTransformationExtraArgs:
    """$L^{-1/2} G R^{-1/2}$, the roots applied twice: steps that fall like $1/t$."""
    shampoo = optzoo.shampoo(learning_rate, eps)

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        once, new = shampoo.update(updates, state, params, **extra_args)
        ((left, right),) = matrices_of(new.root, updates)
        return left @ once @ right, new

    return optax.GradientTransformationExtraArgs(shampoo.init, update)
