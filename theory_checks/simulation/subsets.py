# SPDX-License-Identifier: Apache-2.0
"""Uniform indices and subsets of them, drawn at the cost of their number."""

import jax
import jax.numpy as jnp

__all__ = ["floyd_subset", "uniform_below"]


def uniform_below(key: jax.Array, limits: jax.Array) -> jax.Array:
    """Independent integers, the j-th uniform on {0, ..., limits[j] - 1}.

    The remainders of as many random bits as the limits have, 64 where float64 is enabled: no
    probability is off by more than 2^-64. One call of the generator, where `jax.random.randint`
    makes three: each is a loop, and its compilation dear.

    Args:
        key: of the draw.
        limits: positive integers, shape (b,).

    Returns:
        Integers of the dtype and shape of the limits.

    Example:
        >>> sorted(set(uniform_below(jax.random.key(0), jnp.full(1000, 3)).tolist()))
        [0, 1, 2]
    """
    unsigned = jnp.dtype(f"uint{8 * limits.dtype.itemsize}")
    bits = jax.random.bits(key, limits.shape, unsigned)
    return (bits % limits.astype(unsigned)).astype(limits.dtype)


def floyd_subset(draws: jax.Array, num_samples: int) -> jax.Array:
    """Floyd's uniform subset of {0, ..., n-1}, of b members in O(b^2) whatever n is.

    Without a loop. `jax.random.choice` sorts n numbers, which is most of the time of a step.

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
    place, fallback = jnp.arange(b), num_samples - b
    earlier = place[None, :] < place[:, None]
    taken = jnp.any((draws[None, :] == draws[:, None]) & earlier, axis=1)
    # A draw may also be what an earlier one falls back to, which is in if that one was taken; and
    # so on, along links whose lengths double.
    link = jnp.where((draws >= fallback) & (draws - fallback < place), draws - fallback, place)
    for _ in range((b - 1).bit_length()):
        taken, link = taken | taken[link], link[link]
    return jnp.where(taken, fallback + place, draws)
