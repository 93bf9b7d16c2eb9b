# SPDX-License-Identifier: Apache-2.0
"""Batches that grow from step to step, gathered over calls of one shape.

Under `jit` a batch cannot change its shape. One call of `update` brings a micro batch of b samples
instead, and step k is taken in the call in which ceil(m_k / b) of them are together; until then
the updates are zero. All micro batches of a step weigh alike.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._arguments import concrete_number, first_value, require_integer
from ._frank_wolfe_step import step
from .lmo import ConstraintSet

__all__: list[str] = []

MOST = 2**31 - 128  # the largest int32 that is a float32 as well


def require_batch_size(batch_size: Any) -> None:
    """Raises unless b is an integer from 1 to the largest int32, or traced."""
    size = require_integer("batch_size", batch_size, 1)
    if size is not None and size > MOST:
        raise ValueError(f"batch_size must be an integer of at most {MOST}, got {size}.")


def require_samples(name: str, samples: Any) -> None:
    """Raises unless 1 <= m <= 2^31 - 128, for a schedule at its first step."""
    if callable(samples):
        name, number = f"{name}(0)", concrete_number(f"{name}(0)", first_value(name, samples))
    else:
        number = concrete_number(name, samples)
    if number is not None and not 1.0 <= number <= MOST:
        raise ValueError(f"{name} must lie in [1, {MOST}], a number of samples; got {number}.")


def calls_needed(samples: Any, steps: jax.Array, batch_size: Any) -> jax.Array:
    """The micro batches of a step, ceil(m / b); 0 where m is below 1 or not a number.

    With 0 the mean of the batch is a division by zero, and so the updates are NaN: a schedule
    that fails at a later step must not go unnoticed.
    """
    m = jnp.asarray(samples(steps) if callable(samples) else samples)
    whole = jnp.ceil(m) if jnp.issubdtype(m.dtype, jnp.floating) else m
    count = jnp.clip(whole, 1, MOST).astype(jnp.int32)
    size = jnp.asarray(batch_size).astype(jnp.int32)
    return jnp.where(m >= 1, -(-count // size), 0)


def mean_of(total: optax.Updates, number: jax.Array) -> optax.Updates:
    """The mean over so many micro batches."""
    return jax.tree.map(lambda leaf: leaf / number.astype(leaf.dtype), total)


def emptied(complete: jax.Array, total: optax.Updates) -> optax.Updates:
    """Zeros after a step, the same sums before it."""
    return jax.tree.map(lambda leaf: jnp.where(complete, jnp.zeros_like(leaf), leaf), total)


def step_when(
    complete: jax.Array,
    constraint: ConstraintSet,
    learning_rate: Callable[[], Any],
    estimate: optax.Updates,
    params: optax.Params,
    remainder: optax.Params,
) -> tuple[optax.Updates, optax.Params]:
    """The step along the estimate where the batch is complete, else zeros; and the remainder."""

    def taken() -> tuple[optax.Updates, optax.Params]:
        eta = jnp.asarray(learning_rate())
        return step(constraint, eta, jnp.zeros([], jnp.int32), estimate, params, remainder)

    def waited() -> tuple[optax.Updates, optax.Params]:
        return jax.tree.map(jnp.zeros_like, params), remainder

    return jax.lax.cond(complete, taken, waited)
