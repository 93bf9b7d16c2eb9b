"""Uniform subsets of indices, drawn at the cost of their size."""

import jax
import jax.numpy as jnp

__all__ = ["floyd_subset"]


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

    def add(j: jax.Array, members: jax.Array) -> jax.Array:
        taken = jnp.any(members == draws[j])
        return members.at[j].set(jnp.where(taken, num_samples - b + j, draws[j]))

    return jax.lax.fori_loop(0, b, add, jnp.full(b, -1, draws.dtype))
