# SPDX-License-Identifier: Apache-2.0
"""Compression by a partition of the coordinates among the workers."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from .compressor import Compressor, Vector, require_static

__all__ = ["PermK"]


@dataclass(frozen=True)
class PermK(Compressor):
    r"""Each coordinate from one worker, uniform among all n: blocks of ceil(d / n) numbers.

    .. math:: Q_i(a) = n \, a|_{B_i}, \qquad \omega = n - 1, \quad A = B = 1

    B_1, ..., B_n partition the coordinates. The mean takes each coordinate from the worker in whose
    block it lies, so it is exact where the vectors agree, and its second moment is that of one
    uniform worker's whole vector: E|(1/n) sum Q_i(a_i)|^2 = (1/n) sum |a_i|^2. The three constants
    are attained.

    If n does not divide d, or exceeds it, the vector is padded with zeros to a multiple of n; the
    constants stay the same.

    The blocks are contiguous, and a uniform shift says which worker has which: the second moment
    needs no more than that each coordinate's owner is uniform. With `permute` the coordinates
    are first put in a uniform order, as in the paper; it is slow in large dimensions and changes
    only the correlation between coordinates.

    Args:
      num_workers: n.
      permute: whether a uniform permutation of the coordinates comes first.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from optzoo.compressors import PermK
      >>> third = PermK(3)
      >>> third.numbers(7)  # ceil(7 / 3)
      3.0
      >>> common = jnp.arange(7.0)
      >>> mean = jax.vmap(lambda i: third.mean(jax.random.key(0), common, "workers"),
      ...                 axis_name="workers")(jnp.arange(3))
      >>> mean[0].tolist()
      [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """

    num_workers: int
    permute: bool = False

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> jax.Array:
        """The worker's block, shape (ceil(d / n),)."""
        size = self._block_size(vector.size)
        padded = jnp.pad(vector, (0, self.num_workers * size - vector.size))
        if self.permute:
            padded = padded[self.order(key, padded.size)]
            shift = jnp.int32(0)
        else:
            shift = self.shift(key)
        owned = (jnp.asarray(worker, jnp.int32) + shift) % self.num_workers
        return padded.reshape(self.num_workers, size)[owned]

    def decode(
        self, key: jax.Array, worker: jax.Array, message: jax.Array, like: Vector
    ) -> jax.Array:
        """The block in its place, times n."""
        n = self.num_workers
        messages = jnp.zeros((n, *message.shape), message.dtype).at[worker].set(n * message)
        return self.combine(key, messages, like)

    def combine(self, key: jax.Array, messages: jax.Array, like: Vector) -> jax.Array:
        """The blocks side by side: the factors n and 1 / n cancel."""
        if self.permute:
            mean = jnp.zeros_like(messages).ravel()
            return mean.at[self.order(key, messages.size)].set(messages.ravel())[: like.size]
        return jnp.roll(messages, self.shift(key), axis=0).ravel()[: like.size]

    def shift(self, key: jax.Array) -> jax.Array:
        """The block of worker 0, uniform; worker i has the i-th after it."""
        return jax.random.randint(key, (), 0, self.num_workers, jnp.int32)

    def order(self, key: jax.Array, size: int) -> jax.Array:
        """The uniform order that `permute` puts the coordinates in; worker 0 has the first."""
        return jax.random.permutation(key, size)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """(1, 1); (0, 0) for one worker."""
        return (1.0, 1.0) if self.num_workers > 1 else (0.0, 0.0)

    def omega(self, dimension: int) -> float:
        """The variance n - 1."""
        require_static("dimension", dimension, 1)
        return self.num_workers - 1.0

    def _block_size(self, dimension: int) -> int:
        return -(-dimension // self.num_workers)
