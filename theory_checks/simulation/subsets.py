"""Uniform subsets of indices, drawn at the cost of their size."""

import jax
import jax.numpy as jnp

__all__ = ["floyd_subset", "uniform_below"]


def uniform_below(key, limits):
    bits = jax.random.bits(key, limits.shape, jnp.uint64)
    return (bits % limits.astype(jnp.uint64)).astype(limits.dtype)


def floyd_subset(draws: jax.Array, num_samples: int) -> jax.Array:
    """Floyd's uniform subset of {0, ..., n-1}, of b members in O(b^2) whatever n is.

    `jax.random.choice` sorts n numbers, which is most of the time of a step.

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
    # A draw may also be what an earlier one fell back to, if that one was taken, and so on.
    link = jnp.where((draws >= fallback) & (draws - fallback < place), draws - fallback, place)
    for _ in range((b - 1).bit_length()):
        taken, link = taken | taken[link], link[link]
    return jnp.where(taken, fallback + place, draws)
