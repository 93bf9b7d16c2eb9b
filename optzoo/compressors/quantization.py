# SPDX-License-Identifier: Apache-2.0
"""Compressors by few bits: each entry rounded at random to one of its two neighbours."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from .compressor import Compressor, Vector

__all__ = ["NaturalCompression", "StochasticQuantization"]


@dataclass(frozen=True)
class NaturalCompression(Compressor):
    r"""Each entry rounded at random to one of the two powers of two around it: 2 bytes an entry.

    .. math:: Q(a)_l = \mathrm{sign}(a_l) \cdot \begin{cases}
        2^{e + 1} & \text{with probability } |a_l| / 2^e - 1, \\
        2^e & \text{otherwise,}
      \end{cases} \quad 2^e \le |a_l| < 2^{e + 1}; \qquad \omega = \frac18, \quad A = \frac\omega n

    Omega is attained at |a_l| = (3/2) 2^e. A message has the sign and the exponent of each entry in
    16 bits. The probability is exact: a uniform mantissa is added to that of the entry, and what
    carries over rounds it up. Subnormal entries become 0 or the least normal number, without bias
    but with more variance; entries in the last binade before overflow may become infinite.

    Args:
      num_workers: n.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from optzoo.compressors import NaturalCompression
      >>> natural = NaturalCompression(8)
      >>> a = jnp.array([4.0, -0.5, 0.0])
      >>> message = natural.encode(jax.random.key(0), 0, a)
      >>> message.dtype.name, natural.decode(jax.random.key(0), 0, message, a).tolist()
      ('uint16', [4.0, -0.5, 0.0])
    """

    num_workers: int

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> jax.Array:
        """Sign and exponent of each rounded entry, uint16 of shape (d,)."""
        unsigned, mantissa_bits = _layout(vector.dtype)
        dither = jax.random.bits(jax.random.fold_in(key, worker), vector.shape, unsigned)
        return self.round(vector, dither & ((1 << mantissa_bits) - 1))

    @staticmethod
    def round(vector: jax.Array, dither: jax.Array) -> jax.Array:
        """The message for given mantissas to be added."""
        unsigned, mantissa_bits = _layout(vector.dtype)
        bits = jax.lax.bitcast_convert_type(vector, unsigned)
        # Beside an infinity the carry would run into the sign. A NaN becomes an infinity.
        carried = jnp.where(jnp.isfinite(vector), bits + dither, bits)
        return (carried >> mantissa_bits).astype(jnp.uint16)

    def decode(
        self, key: jax.Array, worker: jax.Array, message: jax.Array, like: Vector
    ) -> jax.Array:
        """The powers of two that the codes stand for."""
        unsigned, mantissa_bits = _layout(like.dtype)
        return jax.lax.bitcast_convert_type(message.astype(unsigned) << mantissa_bits, like.dtype)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """(1 / (8 n), 0)."""
        return 0.125 / self.num_workers, 0.0


@dataclass(frozen=True)
class StochasticQuantization(Compressor):
    r"""Each entry rounded at random to one of s levels of the vector's norm: 1 byte an entry.

    .. math:: Q(a)_l = |a| \, \mathrm{sign}(a_l) \, \frac{\lfloor y_l \rfloor + \xi_l}{s}, \quad
      y_l = \frac{s |a_l|}{|a|}, \quad \xi_l \in \{0, 1\}, \ E \xi_l = y_l - \lfloor y_l \rfloor;
      \qquad \omega = \min\Bigl(\frac{d}{s^2}, \frac{\sqrt d}{s}\Bigr), \quad A = \frac\omega n

    A message is the norm and d signed levels, int8. Omega is an upper bound; the variance of a
    vector is (|a| / s)^2 sum_l f_l (1 - f_l) with f the fractional parts of y.

    Args:
      num_levels: s, from 1 to 127.
      num_workers: n.

    Raises:
      ValueError: if a number is out of range.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from optzoo.compressors import StochasticQuantization
      >>> quantize = StochasticQuantization(num_levels=5, num_workers=8)
      >>> a = jnp.array([3.0, -4.0])
      >>> message = quantize.encode(jax.random.key(0), 0, a)
      >>> bool(jnp.allclose(quantize.decode(jax.random.key(0), 0, message, a), a))
      True
      >>> quantize.numbers(100), quantize.num_bytes(100, jnp.float32)
      (101.0, 104.0)
    """

    num_levels: int
    num_workers: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_levels > 127:
            raise ValueError(f"num_levels must be at most 127, got {self.num_levels}.")

    def encode(
        self, key: jax.Array, worker: jax.Array, vector: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The norm, and the signed levels, int8 of shape (d,)."""
        uniform = jax.random.uniform(jax.random.fold_in(key, worker), vector.shape, vector.dtype)
        return self.round(vector, uniform)

    def round(self, vector: jax.Array, uniform: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The message for given uniform numbers in [0, 1)."""
        norm = tv.norm(vector)
        y = abs(vector) / jnp.where(norm > 0, norm, 1) * self.num_levels
        lower = jnp.floor(y)
        # By round-off the largest entry may be above the norm.
        level = jnp.minimum(lower + (uniform < y - lower).astype(y.dtype), self.num_levels)
        return norm, (jnp.sign(vector) * level).astype(jnp.int8)

    def decode(
        self,
        key: jax.Array,
        worker: jax.Array,
        message: tuple[jax.Array, jax.Array],
        like: Vector,
    ) -> jax.Array:
        """The levels times norm / s."""
        norm, levels = message
        return norm / self.num_levels * levels.astype(norm.dtype)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """(min(d / s^2, sqrt(d) / s) / n, 0)."""
        ratio = math.sqrt(dimension) / self.num_levels
        return min(ratio**2, ratio) / self.num_workers, 0.0


def _layout(dtype: Any) -> tuple[Any, int]:
    """The unsigned integer of a float's width, and the number of its mantissa's bits."""
    if dtype == jnp.float32:
        return jnp.uint32, 23
    if dtype == jnp.float64:
        return jnp.uint64, 52
    raise TypeError(f"vector must be float32 or float64, got {dtype}.")
