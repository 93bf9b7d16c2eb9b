r"""Compressors: random maps Q_i that n workers apply to their vectors before they send them.

    worker i sends a message that stands for Q_i(a_i);   all of them get (1/n) sum_i Q_i(a_i).

All but `TopK` are unbiased, E Q_i(a) = a. Three constants tell what the mean costs in variance:

    E|Q_i(a) - a|^2 <= omega |a|^2
    E|(1/n) sum_i Q_i(a_i) - abar|^2 <= A (1/n) sum_i |a_i|^2 - B |abar|^2,   abar = (1/n) sum a_i.

Independent compressors have A = omega / n and B = 0. Those of `PermK` are correlated, with
A = B = 1: where the workers' vectors agree, nothing is lost.

Messages are really small. The draws come from a key that all workers share, so indices are known
to everybody and never sent: the collective carries the values alone.

References:
  Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: communication-efficient SGD via gradient
  quantization and encoding", NeurIPS 2017, arXiv:1610.02132.
  Horvath, Ho, Horvath, Sahu, Canini, Richtarik, "Natural compression for distributed deep
  learning", 2019, arXiv:1905.10988.
  Szlendak, Tyurin, Richtarik, "Permutation compressors for provably faster distributed nonconvex
  optimization", ICLR 2022, arXiv:2110.03300.
"""

import abc
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from . import _tree_vector as tv
from ._markovian_step import require_integer
from ._worker_axis import gather, num_workers

__all__ = [
    "Compressor",
    "Identity",
    "NaturalCompression",
    "PermK",
    "RandK",
    "SampledClients",
    "StochasticQuantization",
    "TopK",
]

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
                _require_static(name, value, 1)

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
        a, _ = self.variance_constants(dimension)
        return self.num_workers * a

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
        _require_static("dimension", dimension, 1)
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
            return _scatter(self.order(key, messages.size), messages.ravel(), messages.size)[
                : like.size
            ]
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
        return self.num_workers - 1.0

    def _block_size(self, dimension: int) -> int:
        return -(-dimension // self.num_workers)


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
        return (self.num_workers - 1) / self.num_clients

    def numbers(self, dimension: int) -> float:
        """The mean b d / n over the workers: the b draws send d numbers each."""
        return super().numbers(dimension) * self.num_clients / self.num_workers

    def num_bytes(self, dimension: int, dtype: Any) -> float:
        """The mean over the workers: the b draws send d numbers each."""
        return super().num_bytes(dimension, dtype) * self.num_clients / self.num_workers


@dataclass(frozen=True)
class TopK(Compressor):
    r"""The K entries of largest magnitude, unscaled: biased, and so outside the theorems.

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

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        """Raises ValueError: there are none."""
        raise ValueError(f"{self} is biased: it has no omega, A and B.")


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


def _scatter(indices: jax.Array, values: jax.Array, dimension: int) -> jax.Array:
    """The values at their indices, equal indices added up, and zeros elsewhere."""
    return jnp.zeros(dimension, values.dtype).at[indices].add(values)


def _layout(dtype: Any) -> tuple[Any, int]:
    """The unsigned integer of a float's width, and the number of its mantissa's bits."""
    if dtype == jnp.float32:
        return jnp.uint32, 23
    if dtype == jnp.float64:
        return jnp.uint64, 52
    raise TypeError(f"vector must be float32 or float64, got {dtype}.")


def _require_static(name: str, value: Any, least: int) -> None:
    if require_integer(name, value, least) is None:
        raise TypeError(f"{name} must be a concrete integer, because it is a shape; got {value}.")


def _require_at_most_dimension(num_coordinates: int, dimension: int) -> None:
    if num_coordinates > dimension:
        raise ValueError(
            f"num_coordinates must be at most the dimension of the vectors, {dimension}, got "
            f"{num_coordinates}."
        )
