# SPDX-License-Identifier: Apache-2.0
"""A leaf as blocks: neighbouring axes merged, and long axes cut into nearly equal lengths.

An axis of n entries becomes ceil(n / b) blocks whose lengths differ by at most one, so that there
are at most two lengths. Every entry of a block is an entry of the leaf: nothing is padded.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

__all__: list[str] = []


class Cut(NamedTuple):
    """How a leaf is cut into blocks."""

    shape: tuple[int, ...]  # of the leaf
    groups: tuple[tuple[int, ...], ...]  # neighbouring axes that are merged into one
    lengths: tuple[tuple[int, ...], ...]  # of the blocks, along every merged axis

    @property
    def is_whole(self) -> bool:
        """Whether the leaf is its own only block."""
        return self.number == 1 and len(self.groups) == len(self.shape)

    @property
    def number(self) -> int:
        """Of blocks."""
        return math.prod(map(len, self.lengths))

    def blocks(self, leaf: jax.Array) -> tuple[jax.Array, ...]:
        """The blocks; those next to each other along the last axis follow each other."""
        leaf = _placed(leaf, self._touchable(leaf))
        pieces = [leaf.reshape(tuple(map(sum, self.lengths)))]
        for axis, lengths in enumerate(self.lengths):
            ends = list(itertools.accumulate(lengths[:-1]))
            pieces = [part for piece in pieces for part in _split(piece, ends, axis)]
        return tuple(pieces)

    def joined(self, pieces: Sequence[jax.Array], like: jax.Array) -> jax.Array:
        """The inverse of `blocks`, on the devices of the leaf `like`."""
        touchable = self._touchable(like)
        of_block = None if touchable is None else self._merged(touchable)
        pieces = [_placed(piece, of_block) for piece in pieces]
        for axis, lengths in reversed(list(enumerate(self.lengths))):
            rows = [pieces[k : k + len(lengths)] for k in range(0, len(pieces), len(lengths))]
            pieces = [row[0] if len(row) == 1 else jnp.concatenate(row, axis) for row in rows]
        return _placed(pieces[0].reshape(self.shape), _sharding(like))

    def _touchable(self, leaf: jax.Array) -> Any:
        """The leaf's sharding without the axes that are merged or cut: these must lie together."""
        sharding = _sharding(leaf)
        if sharding is None:
            return None
        parts = list(sharding.spec)
        for group, lengths in zip(self.groups, self.lengths, strict=True):
            if len(group) > 1 or len(lengths) > 1:
                for axis in group:
                    parts[axis] = None
        return sharding.update(spec=jax.sharding.PartitionSpec(*parts))

    def _merged(self, touchable: Any) -> Any:
        parts = [touchable.spec[group[0]] for group in self.groups]
        return touchable.update(spec=jax.sharding.PartitionSpec(*parts))


def cut(shape: tuple[int, ...], block_size: int | None, merge: int | None) -> Cut:
    """How a leaf of this shape is cut."""
    groups = _groups(shape, merge)
    sizes = [math.prod(shape[axis] for axis in group) for group in groups]
    return Cut(shape, groups, tuple(_lengths(size, block_size) for size in sizes))


def _lengths(size: int, longest: int | None) -> tuple[int, ...]:
    """As few as there can be, as equal as they can be, the longer ones first."""
    count = 1 if longest is None else max(1, -(-size // longest))
    shorter, longer = divmod(size, count)
    return (shorter + 1,) * longer + (shorter,) * (count - longer)


def _groups(shape: tuple[int, ...], longest: int | None) -> tuple[tuple[int, ...], ...]:
    """From the left an axis joins its neighbour while two or more remain."""
    groups: list[tuple[int, ...]] = []
    size = 1  # of the last group
    for axis, length in enumerate(shape):
        remain = len(groups) + len(shape) - axis - 1  # axes, if this one joins
        short = longest is not None and (size * length <= longest or 1 in (size, length))
        if groups and remain >= 2 and short:
            groups[-1] += (axis,)
            size *= length
        else:
            groups.append((axis,))
            size = length
    return tuple(groups)


def _split(x: jax.Array, ends: list[int], axis: int) -> list[jax.Array]:
    return jnp.split(x, ends, axis) if ends else [x]


def _sharding(x: jax.Array) -> Any:
    """The sharding of x if the axes of its mesh are explicit; otherwise the compiler's affair."""
    sharding = jax.typeof(x).sharding
    return sharding if jax.sharding.AxisType.Explicit in sharding.mesh.axis_types else None


def _placed(x: jax.Array, sharding: Any) -> jax.Array:
    if sharding is None or _sharding(x) == sharding:
        return x
    return jax.sharding.reshard(x, sharding)
