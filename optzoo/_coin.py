# SPDX-License-Identifier: Apache-2.0
"""A coin that falls alike under every precision and transformation."""

import jax
import jax.numpy as jnp

__all__: list[str] = []


def toss(key: jax.Array, probability: jax.typing.ArrayLike) -> jax.Array:
    """True with the given probability, to 2^-24 of it: the same coin in every precision."""
    uniform = jax.random.bits(key, dtype=jnp.uint32).astype(jnp.float32) * jnp.float32(2.0**-32)
    below_one = jnp.float32(1.0 - 2.0**-24)
    return jnp.minimum(uniform, below_one) < jnp.asarray(probability).astype(jnp.float32)
