"""The k-th largest entry of a vector, and the mask of the k largest, without sorting it.

IEEE numbers have the order of their bit patterns, read as integers and the negative ones reversed.
The pattern of the k-th largest is found from its highest bit down, by counting the entries not
below a candidate: as many passes over the vector as a number has bits, where XLA's sort takes
log2(d) passes of a much slower kind on CPUs.
"""

import jax
import jax.numpy as jnp

__all__: list[str] = []

# Up to this size a partial sort is faster.
SMALL = 1000


def largest_mask(vector: jax.Array, count: int) -> jax.Array:
    """True at the `count` largest entries, ties resolved towards the first; shape (d,)."""
    d = vector.size
    if count >= d or count < 1:
        return jnp.full((d,), count >= 1)
    # Neither way takes the two zeros for equal.
    vector = jnp.where(vector == 0, jnp.zeros((), vector.dtype), vector)
    if d <= SMALL:
        _, indices = jax.lax.top_k(vector, count)
        return jnp.zeros(d, bool).at[indices].set(True)
    ranks = _ranks(vector)
    smallest = _kth_largest(ranks, count)
    above, equal = ranks > smallest, ranks == smallest
    room = count - jnp.sum(above, dtype=jnp.int32)
    # Without ties, as always with random numbers, nothing has to be summed along the vector.
    return above | jax.lax.cond(
        jnp.sum(equal, dtype=jnp.int32) == room,
        lambda: equal,
        lambda: equal & (jnp.cumsum(equal, dtype=jnp.int32) <= room),
    )


def _ranks(vector: jax.Array) -> jax.Array:
    """Unsigned integers in the order of the entries."""
    bits = 8 * vector.dtype.itemsize
    unsigned = {16: jnp.uint16, 32: jnp.uint32, 64: jnp.uint64}[bits]
    pattern = jax.lax.bitcast_convert_type(vector, unsigned)
    top = unsigned(1 << (bits - 1))
    return jnp.where(pattern >= top, ~pattern, pattern | top)


def _kth_largest(ranks: jax.Array, k: int) -> jax.Array:
    bits = 8 * ranks.dtype.itemsize

    def decide(i: jax.Array, found: jax.Array) -> jax.Array:
        one = jnp.ones((), ranks.dtype)
        candidate = found | (one << (bits - 1 - i).astype(ranks.dtype))
        enough = jnp.sum(ranks >= candidate, dtype=jnp.int32) >= k
        return jnp.where(enough, candidate, found)

    return jax.lax.fori_loop(0, bits, decide, jnp.zeros((), ranks.dtype))
