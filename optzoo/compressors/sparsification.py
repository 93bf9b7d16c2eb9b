# SPDX-License-Identifier: Apache-2.0
"""Compressors by few coordinates: K random ones, or the K largest."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from .compressor import Compressor, Vector, require_static

__all__ = ["RandK", "TopK"]


@dataclass(frozen=True)
class RandK(Compressor):
    r"""K coordinates of each worker, uniform and independent between workers, times d / K.

    .. math:: Q_i(a) = \frac dK \, a|_{S_i}, \quad |S_i| = K, \qquad
      \omega = \frac dK - 1, \quad A = \frac\omega n, \quad B = 0

    Omega and A are attained. Every worker draws the subsets of all of them, n permutations of d.

    Args:
      num_coordinates: K; at most d.
      num_workers: n.

    Raises:
      ValueError: if K is larger than the dimension of a vector, or a number is not positive.

    Example:
      >>> from optzoo.compressors import RandK
      >>> half = RandK(num_coordinates=2, num_workers=8)
      >>> half.numbers(4), half.omega(4)
      (2.0, 1.0)
    """

    num_coordinates: int
    num_workers: int

    def indices(self, key: jax.Array, worker: jax.Array, dimension: int) -> jax.Array:
        """S_i, shape (K,)."""
        _require_at_most_dimension(self.num_coordinates, dimension)
        order = jax.random.permutation(jax.random.fold_in(key, worker), dimension)
        return order[: self.num_coordinates]

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> jax.Array:
        """The entries at S_i, shape (K,)."""
        return vector[self.indices(key, worker, vector.size)]

    def decode(
        self, key: jax.Array, worker: jax.Array, message: jax.Array, like: Vector
    ) -> jax.Array:
        """The entries in their places, times d / K."""
        scaled = message * (like.size / self.num_coordinates)
        return _scatter(self.indices(key, worker, like.size), scaled, like.size)

    def combine(self, key: jax.Array, messages: jax.Array, like: Vector) -> jax.Array:
        """The mean, without n vectors in memory."""
        workers = jnp.arange(self.num_workers)
        subsets = jax.vmap(lambda i: self.indices(key, i, like.size))(workers)
        scaled = messages * (like.size / (self.num_coordinates * self.num_workers))
        return _scatter(subsets, scaled, like.size)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """((d / K - 1) / n, 0)."""
        _require_at_most_dimension(self.num_coordinates, dimension)
        return (dimension / self.num_coordinates - 1) / self.num_workers, 0.0


@dataclass(frozen=True)
class TopK(Compressor):
    r"""The K entries of largest magnitude, unscaled: biased, for methods with error feedback.

    .. math:: \|Q_i(a) - a\|^2 \le \Bigl(1 - \frac Kd\Bigr) \|a\|^2

    Which entries they are depends on the vector, so the K indices are sent with the K values. Ties
    go to the first coordinate.

    Args:
      num_coordinates: K; at most d.
      num_workers: n.

    Raises:
      ValueError: if K is larger than the dimension of a vector, or a number is not positive.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from optzoo.compressors import TopK
      >>> largest = TopK(num_coordinates=1, num_workers=8)
      >>> a = jnp.array([1.0, -3.0, 2.0])
      >>> message = largest.encode(jax.random.key(0), 0, a)
      >>> largest.decode(jax.random.key(0), 0, message, a).tolist(), largest.numbers(3)
      ([0.0, -3.0, 0.0], 2.0)
    """

    num_coordinates: int
    num_workers: int

    def encode(
        self, key: jax.Array, worker: jax.Array, vector: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Values and indices, both of shape (K,)."""
        _require_at_most_dimension(self.num_coordinates, vector.size)
        _, indices = jax.lax.top_k(abs(vector), self.num_coordinates)
        return vector[indices], indices

    def decode(
        self,
        key: jax.Array,
        worker: jax.Array,
        message: tuple[jax.Array, jax.Array],
        like: Vector,
    ) -> jax.Array:
        """The values in their places."""
        values, indices = message
        return _scatter(indices, values, like.size)

    def combine(
        self, key: jax.Array, messages: tuple[jax.Array, jax.Array], like: Vector
    ) -> jax.Array:
        """The mean, without n vectors in memory."""
        values, indices = messages
        return _scatter(indices, values / self.num_workers, like.size)

    def contraction(self, dimension: int) -> float:
        """K / d."""
        require_static("dimension", dimension, 1)
        _require_at_most_dimension(self.num_coordinates, dimension)
        return self.num_coordinates / dimension

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """Raises ValueError: there are none."""
        raise ValueError(f"{self} is biased: it has no omega, A and B.")


def _scatter(indices: jax.Array, values: jax.Array, dimension: int) -> jax.Array:
    """The values at their indices, equal indices added up, and zeros elsewhere."""
    return jnp.zeros(dimension, values.dtype).at[indices].add(values)


def _require_at_most_dimension(num_coordinates: int, dimension: int) -> None:
    if num_coordinates > dimension:
        raise ValueError(
            f"num_coordinates must be at most the dimension of the vectors, {dimension}, got "
            f"{num_coordinates}."
        )
