# SPDX-License-Identifier: Apache-2.0
"""Pytrees of floating arrays, read as one vector: sums, norms, argmax and their round-off.

Leaves keep their dtypes; sums and norms are taken in the widest of them, at least float32. Every
promotion is explicit, so that all of it works under `jax.numpy_dtype_promotion("strict")`.
"""

import math
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path, tree_map_with_path

__all__: list[str] = []

PyTree: TypeAlias = Any

finfo: Any = jnp.finfo

# Entries of which the maximum is taken first, where an argmax is asked for.
_BLOCK = 1024


def is_concrete(value: object) -> bool:
    """Whether the value is known now, which that of a tracer is not."""
    return not isinstance(value, jax.core.Tracer)


def as_floating(name: str, tree: PyTree) -> PyTree:
    """The tree with arrays for leaves; raises TypeError unless all of them are real floats."""

    def check(path: Any, leaf: Any) -> jax.Array:
        if isinstance(leaf, (float, jax.Array)) or hasattr(leaf, "__array__"):
            dtype = leaf.dtype if isinstance(leaf, jax.Array) else jnp.result_type(leaf)
            if jnp.issubdtype(dtype, jnp.floating):
                # To ask for the same array once more would take long to trace.
                is_plain = isinstance(leaf, jax.Array) and not leaf.weak_type
                return leaf if is_plain else jnp.asarray(leaf, dtype)
        given = f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf)
        raise TypeError(f"{name}{keystr(path)} must be a real floating array, got {given}.")

    return tree_map_with_path(check, tree)


def require_finite(name: str, tree: PyTree) -> jax.Array:
    """Whether all entries are finite, a traced boolean; raises ValueError on a concrete no."""
    flags = [jnp.array(True)]
    for path, leaf in tree_leaves_with_path(tree):
        # 0 times a number that is not finite is NaN; XLA sums faster than it joins flags.
        flags.append(jnp.isfinite(jnp.sum(leaf * 0)))
        if is_concrete(flags[-1]) and not bool(flags[-1]):
            raise ValueError(f"{name}{keystr(path)} must be finite, got a NaN or an infinity.")
    return jnp.all(jnp.stack(flags))


def nan_unless(condition: jax.Array, tree: PyTree) -> PyTree:
    """The tree, or NaN in each of its coordinates."""
    return jax.tree.map(lambda leaf: jnp.where(condition, leaf, jnp.nan), tree)


def dimension(tree: PyTree) -> int:
    """Number of coordinates."""
    return sum(math.prod(jnp.shape(leaf)) for leaf in jax.tree.leaves(tree))


def default_dtype() -> Any:
    """The widest floating dtype that is enabled."""
    return jnp.result_type(float)


def wide_dtype(tree: PyTree) -> Any:
    """The dtype of sums over the tree: float64 if a leaf has it, float32 otherwise."""
    leaves = jax.tree.leaves(tree)
    return jnp.float64 if any(leaf.dtype == jnp.float64 for leaf in leaves) else jnp.float32


def coarsest_eps(tree: PyTree) -> float:
    """The largest unit of round-off among the leaves' dtypes."""
    return max((float(finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(tree)), default=0.0)


def widen(tree: PyTree) -> PyTree:
    """The tree with every leaf in `wide_dtype`."""
    dtype = wide_dtype(tree)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)


def cast_like(tree: PyTree, like: PyTree) -> PyTree:
    """The tree with every leaf in the dtype of that of `like`."""
    return jax.tree.map(lambda leaf, model: leaf.astype(model.dtype), tree, like)


def total(tree: PyTree) -> jax.Array:
    """Sum of all entries."""
    sums = [jnp.sum(leaf) for leaf in jax.tree.leaves(widen(tree))]
    return jnp.sum(jnp.stack([jnp.zeros((), wide_dtype(tree)), *sums]))


def absolute_total(tree: PyTree) -> jax.Array:
    """l1 norm."""
    return total(jax.tree.map(abs, tree))


def scale_by_largest(tree: PyTree) -> tuple[jax.Array, PyTree]:
    """The largest |x_i|, m, and x / m, widened; zeros where m is 0 or subnormal.

    The squares of x / m neither overflow nor, where it matters, underflow.
    """
    wide = widen(tree)
    largest = jnp.zeros((), wide_dtype(tree))
    for leaf in jax.tree.leaves(wide):
        largest = jnp.maximum(largest, jnp.max(abs(leaf), initial=0))
    is_zero = largest < finfo(largest.dtype).tiny
    # XLA divides by a scalar by multiplying with its inverse, and the inverse of a number beyond a
    # quarter of the range is subnormal, that is, 0.
    shrink = jnp.where(largest > 1, 0.25, 1).astype(largest.dtype)
    divisor = jnp.where(is_zero, 1, largest * shrink)
    scaled = jax.tree.map(lambda leaf: jnp.where(is_zero, 0, leaf * shrink / divisor), wide)
    return jnp.where(is_zero, 0, largest), scaled


def norm(tree: PyTree) -> jax.Array:
    """Euclidean norm."""
    largest, scaled = scale_by_largest(tree)
    return largest * jnp.sqrt(total(jax.tree.map(jnp.square, scaled)))


def first_argmax(tree: PyTree) -> PyTree:
    """Masks that are True at the first maximum in flattening order and nowhere else."""
    leaves, treedef = jax.tree.flatten(widen(tree))
    # An empty leaf has no maximum, and cannot hold the first one.
    best = {rank: _first_argmax(leaf.ravel()) for rank, leaf in enumerate(leaves) if leaf.size}
    if not best:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, bool), tree)
    ranks = jnp.array(list(best))
    maxima = jnp.stack([leaves[rank].ravel()[index] for rank, index in best.items()])
    winner = ranks[jnp.argmax(maxima)]
    masks = [
        ((jnp.arange(leaf.size, dtype=jnp.int32) == best.get(rank, 0)) & (winner == rank)).reshape(
            leaf.shape
        )
        for rank, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(treedef, masks)


def first_entry(tree: PyTree) -> PyTree:
    """Masks that are True at the first entry in flattening order and nowhere else."""
    leaves, treedef = jax.tree.flatten(tree)
    first = next((rank for rank, leaf in enumerate(leaves) if leaf.size), None)
    masks = [
        (jnp.arange(leaf.size, dtype=jnp.int32) == (0 if rank == first else -1)).reshape(leaf.shape)
        for rank, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(treedef, masks)


def _first_argmax(vector: jax.Array) -> jax.Array:
    """The first index of the maximum, or of a NaN; int32.

    XLA's argmax takes one entry at a time on CPUs, its maximum many: only the first block that
    holds the maximum is searched.
    """
    size = vector.size
    if size < 2 * _BLOCK:
        return jax.lax.argmax(vector, 0, jnp.int32)
    # A part of the vector would be copied.
    width = next((w for w in range(_BLOCK, _BLOCK // 8, -1) if size % w == 0), _BLOCK)
    maxima = jnp.max(vector[: size - size % width].reshape(-1, width), axis=1)
    if size % width:
        maxima = jnp.append(maxima, jnp.max(vector[size - size % width :]))
    block = jax.lax.argmax(maxima, 0, jnp.int32)
    # What the last window holds of the block before it is less than its maximum.
    start = jnp.minimum(block * width, size - width)
    window = jax.lax.dynamic_slice(vector, (start,), (width,))
    return start + jax.lax.argmax(window, 0, jnp.int32)


def concatenate(tree: PyTree) -> jax.Array:
    """All entries in one vector, widened."""
    leaves = jax.tree.leaves(widen(tree))
    return jnp.concatenate([leaf.ravel() for leaf in leaves] or [jnp.zeros(0)])


def split_like(vector: jax.Array, like: PyTree) -> PyTree:
    """The inverse of `concatenate`, in the shapes and dtypes of `like`."""
    leaves, treedef = jax.tree.flatten(like)
    parts, start = [], 0
    for leaf in leaves:
        part = vector[start : start + leaf.size]
        parts.append(part.reshape(leaf.shape).astype(leaf.dtype))
        start += leaf.size
    return jax.tree.unflatten(treedef, parts)
