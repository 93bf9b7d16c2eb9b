# SPDX-License-Identifier: Apache-2.0
"""What a compressor is, and the one that compresses nothing."""

import abc
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from .._arguments import require_integer
from .._worker_axis import gather, num_workers

__all__ = ["Compressor", "Identity"]

Vector: TypeAlias = jax.Array | jax.ShapeDtypeStruct


class Compressor(abc.ABC):
    """What the n workers do to their vectors of dimension d, and what they make of the messages.

    A new one is a frozen dataclass of integers, the field `num_workers` among them. It implements
    `encode`, `decode` and `variance_constants`, and `combine` where the mean can be had without n
    vectors in memory. Vectors are one-dimensional arrays, float32 or float64.
    """

    num_workers: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, bool):
                require_static(name, value, 1)

    @abc.abstractmethod
    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> Any:
        """The message of a worker: a pytree of arrays. The key is the same on all of them."""

    @abc.abstractmethod
    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Vector) -> jax.Array:
        """Q_i(a_i) of the worker that sent the message; `like` has its shape and dtype."""

    def combine(self, key: jax.Array, messages: Any, like: Vector) -> jax.Array:
        """(1/n) sum_i Q_i(a_i), shape (d,); every leaf of the messages has one row a worker."""
        decode: Any = jax.vmap(lambda i, message: self.decode(key, i, message, like))
        return jnp.mean(decode(jnp.arange(self.num_workers), messages), axis=0)

    def mean(self, key: jax.Array, vector: jax.Array, axis_name: str) -> jax.Array:
        """(1/n) sum_i Q_i(a_i) on every worker, by one collective; under an axis of workers."""
        self.require_axis(axis_name)
        message = self.encode(key, jax.lax.axis_index(axis_name), vector)
        return self.combine(key, gather(message, axis_name), vector)

    @abc.abstractmethod
    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """A and B of the joint variance; ValueError for a biased compressor."""

    def omega(self, dimension: int) -> float:
        """The variance omega of a single Q_i; ValueError for a biased compressor."""
        require_static("dimension", dimension, 1)
        a, _ = self.variance_constants(dimension)
        return self.num_workers * a

    def contraction(self, dimension: int) -> float:
        """The c of E|C_i(a) - a|^2 <= (1 - c) |a|^2; ValueError where none in (0, 1] is known."""
        omega = self.omega(dimension)
        if omega >= 1:
            raise ValueError(
                f"{self} is not contractive: its variance omega = {omega:g} is not below 1."
            )
        return 1 - omega

    def numbers(self, dimension: int) -> float:
        """How many numbers a worker sends, in the mean over the workers."""
        leaves = jax.tree.leaves(self._message(dimension, tv.default_dtype()))
        return float(sum(leaf.size for leaf in leaves))

    def num_bytes(self, dimension: int, dtype: Any) -> float:
        """How many bytes a worker sends for a vector of this dtype, in the mean."""
        leaves = jax.tree.leaves(self._message(dimension, dtype))
        return float(sum(leaf.size * leaf.dtype.itemsize for leaf in leaves))

    def require_axis(self, axis_name: str) -> None:
        """Raises ValueError unless the axis holds the n workers that the compressor is for."""
        size = num_workers(axis_name)
        if size != self.num_workers:
            raise ValueError(
                f"compressor {self} is for num_workers = {self.num_workers}, but the axis "
                f"{axis_name!r} has {size}."
            )

    def _message(self, dimension: int, dtype: Any) -> Any:
        require_static("dimension", dimension, 1)
        vector = jax.ShapeDtypeStruct((dimension,), jnp.dtype(dtype))
        return jax.eval_shape(self.encode, jax.random.key(0), jnp.int32(0), vector)


@dataclass(frozen=True)
class Identity(Compressor):
    """No compression: every worker sends all d numbers. A = B = omega = 0.

    Args:
      num_workers: n.

    Example:
      >>> from optzoo.compressors import Identity
      >>> Identity(4).numbers(100), Identity(4).omega(100)
      (100.0, 0.0)
    """

    num_workers: int

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> jax.Array:
        """The vector."""
        return vector

    def decode(
        self, key: jax.Array, worker: jax.Array, message: jax.Array, like: Vector
    ) -> jax.Array:
        """The message."""
        return message

    def mean(self, key: jax.Array, vector: jax.Array, axis_name: str) -> jax.Array:
        """The mean of the vectors, by an all-reduce."""
        self.require_axis(axis_name)
        return jax.lax.pmean(vector, axis_name)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """(0, 0)."""
        return 0.0, 0.0


def require_static(name: str, value: Any, least: int) -> None:
    if require_integer(name, value, least) is None:
        raise TypeError(f"{name} must be a concrete integer, because it is a shape; got {value}.")
