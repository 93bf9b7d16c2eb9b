"""Minibatches: how they are drawn, how noisy their means are, and how often an index is in one."""

import jax
import jax.numpy as jnp

__all__ = ["balanced_probability", "floyd_subset", "refresh_probability", "variance_factor"]


def variance_factor(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    """nu: the variance of a batch mean, in units of the variance of one sample.

    1/b with replacement, (n - b) / (b (n - 1)) without.

    Example:
        >>> variance_factor(4, 2, replacement=True), round(
        ...     variance_factor(4, 2, replacement=False), 4)
        (0.5, 0.3333)
    """
    n, b = num_samples, batch_size
    if replacement:
        return 1.0 / b
    return 0.0 if b == n else (n - b) / (b * (n - 1))


def refresh_probability(num_samples: int, batch_size: int, *, replacement: bool) -> float:
    """a: the probability that an index is in a batch.

    1 - (1 - 1/n)^b with replacement, b / n without.

    Example:
        >>> refresh_probability(4, 2, replacement=True)
        0.4375
    """
    n, b = num_samples, batch_size
    return 1 - (1 - 1 / n) ** b if replacement else b / n


def balanced_probability(num_samples: int, batch_size: int) -> float:
    """B / (n + b): p for which both kinds of steps of Sarah cost about the same."""
    return batch_size / (num_samples + batch_size)


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
