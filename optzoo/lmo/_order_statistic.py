# SPDX-License-Identifier: Apache-2.0
"""The k-th largest entry of a vector, and the mask of the k largest, without sorting it.

A bracket around the k-th largest shrinks by counting the entries not below a candidate, one pass
over the vector each, until as many entries lie above it as are wanted. XLA's sort takes log2(d)
passes of a much slower kind on CPUs.

A candidate halves the bracket in the order of IEEE numbers, that of their bit patterns read as
integers and the negative ones reversed; or it interpolates the counts, as long as that leaves less
than half of the entries in the bracket: 15 to 30 passes for 10^6 random numbers, and for ties as
many as a number has bits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv

__all__: list[str] = []

# Up to this size a partial sort is faster.
SMALL = 1000


class _Bracket(NamedTuple):
    """At least k entries are not below `low`, fewer than k not below `high`."""

    low: jax.Array  # ranks
    high: jax.Array
    from_low: jax.Array  # number of entries that are not below
    from_high: jax.Array
    passes: jax.Array
    shrank: jax.Array  # whether the last pass took half of the entries in between or more


def largest_mask(vector: jax.Array, count: int) -> jax.Array:
    """True at the `count` largest entries, ties resolved towards the first; shape (d,)."""
    d = vector.size
    if count >= d or count < 1:
        return jnp.full((d,), count >= 1)
    # A partial sort does not take the two zeros for equal.
    vector = jnp.where(vector == 0, jnp.zeros((), vector.dtype), vector)
    if d <= SMALL:
        _, indices = jax.lax.top_k(vector, count)
        return jnp.zeros(d, bool).at[indices].set(True)
    found = _bracket(vector, count)
    # Where numbers below the least normal one compare as 0, 0 is not below the next above 0.
    above = (vector >= _value(found.high, vector.dtype)) & (found.from_high > 0)
    # Nothing lies strictly inside unless all of it is wanted.
    equal = (vector >= _value(found.low, vector.dtype)) & ~above
    room = count - found.from_high
    # Without ties, as always with random numbers, nothing has to be summed along the vector.
    return above | jax.lax.cond(
        found.from_low == count,
        lambda: equal,
        lambda: equal & (jnp.cumsum(equal, dtype=jnp.int32) <= room),
    )


def _bracket(vector: jax.Array, k: int) -> _Bracket:
    """From which exactly k entries are not below `low`, or in which no number lies strictly."""
    dtype, wide = vector.dtype, tv.wide_dtype(vector)

    def unfinished(bracket: _Bracket) -> jax.Array:
        return (bracket.from_low != k) & (bracket.high - bracket.low > 1)

    def narrow(bracket: _Bracket) -> _Bracket:
        low, high, from_low, from_high, passes, shrank = bracket
        halfway = low + (high - low) // 2
        # As if the entries in between were spread evenly, and aiming now at a few more than k,
        # now at a few less, so that both ends come close.
        inside = (from_low - from_high).astype(wide)
        spare = 0.5 * jnp.sqrt(inside) * jnp.where(passes % 2 == 0, 1, -1).astype(wide)
        part = ((from_low - k).astype(wide) - spare) / inside
        a, b = _value(low, dtype).astype(wide), _value(high - 1, dtype).astype(wide)
        guess = _rank((a + jnp.clip(part, 0, 1) * (b - a)).astype(dtype))
        one = jnp.ones((), low.dtype)
        candidate = jnp.where(shrank, jnp.clip(guess, low + one, high - one), halfway)
        found = jnp.sum(vector >= _value(candidate, dtype), dtype=jnp.int32)
        enough = found >= k
        from_low = jnp.where(enough, found, from_low)
        from_high = jnp.where(enough, from_high, found)
        return _Bracket(
            jnp.where(enough, candidate, low),
            jnp.where(enough, high, candidate),
            from_low,
            from_high,
            passes + 1,
            2 * (from_low - from_high).astype(wide) <= inside,
        )

    nothing = jnp.zeros((), jnp.int32)
    least, largest = _rank(jnp.min(vector)), _rank(jnp.max(vector))
    first = _Bracket(least, largest + 1, nothing + vector.size, nothing, nothing, nothing > 0)
    return jax.lax.while_loop(unfinished, narrow, first)


def _rank(number: jax.Array) -> jax.Array:
    """Its place in the order of the numbers of its dtype, an unsigned integer."""
    bits = 8 * number.dtype.itemsize
    unsigned = {16: jnp.uint16, 32: jnp.uint32, 64: jnp.uint64}[bits]
    pattern = jax.lax.bitcast_convert_type(number, unsigned)
    top = unsigned(1 << (bits - 1))
    return jnp.where(pattern >= top, ~pattern, pattern | top)


def _value(rank: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """The number of a rank."""
    top = jnp.asarray(1 << (8 * rank.dtype.itemsize - 1), rank.dtype)
    return jax.lax.bitcast_convert_type(jnp.where(rank >= top, rank ^ top, ~rank), dtype)
