# SPDX-License-Identifier: Apache-2.0
"""Random workers in the place of compressed messages."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .compressor import Compressor, Vector, require_static

__all__ = ["SampledClients"]


@dataclass(frozen=True)
class SampledClients(Compressor):
    r"""b uniform draws of a worker, with replacement: these send all d numbers, the others none.

    .. math:: Q_i(a) = \frac nb \, \#\{j : i_j = i\} \, a, \qquad A = B = \frac1b, \quad
      \omega = \frac{n - 1}{b}

    The mean is the average of the b draws. With b = 1 its second moment is that of `PermK`.

    In a program where all workers run the same instructions the average is an all-reduce to which
    those that were not drawn add zeros. `numbers` counts what the method sends, b d / n a worker.

    Args:
      num_clients: b.
      num_workers: n.

    Raises:
      ValueError: if a number is not positive.

    Example:
      >>> from optzoo.compressors import SampledClients
      >>> SampledClients(num_clients=2, num_workers=8).numbers(100)
      25.0
    """

    num_clients: int
    num_workers: int

    def clients(self, key: jax.Array) -> jax.Array:
        """The draws i_1, ..., i_b."""
        return jax.random.randint(key, (self.num_clients,), 0, self.num_workers, jnp.int32)

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> jax.Array:
        """The vector times the number of draws of this worker: zeros for most."""
        draws = jnp.sum(self.clients(key) == jnp.asarray(worker, jnp.int32))
        return draws.astype(vector.dtype) * vector

    def decode(
        self, key: jax.Array, worker: jax.Array, message: jax.Array, like: Vector
    ) -> jax.Array:
        """The message times n / b."""
        return message * (self.num_workers / self.num_clients)

    def mean(self, key: jax.Array, vector: jax.Array, axis_name: str) -> jax.Array:
        """The average of the draws, by an all-reduce."""
        self.require_axis(axis_name)
        message = self.encode(key, jax.lax.axis_index(axis_name), vector)
        return jax.lax.psum(message, axis_name) / self.num_clients

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """(1 / b, 1 / b)."""
        return 1 / self.num_clients, 1 / self.num_clients

    def omega(self, dimension: int) -> float:
        """The variance (n - 1) / b."""
        require_static("dimension", dimension, 1)
        return (self.num_workers - 1) / self.num_clients

    def numbers(self, dimension: int) -> float:
        """The mean b d / n over the workers: the b draws send d numbers each."""
        return super().numbers(dimension) * self.num_clients / self.num_workers

    def num_bytes(self, dimension: int, dtype: Any) -> float:
        """The mean over the workers: the b draws send d numbers each."""
        return super().num_bytes(dimension, dtype) * self.num_clients / self.num_workers
