# SPDX-License-Identifier: Apache-2.0
"""An axis of workers, whether it is one of `jax.shard_map` or of `vmap(axis_name=...)`.

Under `shard_map`, JAX tracks which values differ between the workers, and asks that the branches of
a `cond` and the carry of a loop agree in it; under `vmap` there is nothing to track.
"""

from typing import Any

import jax

__all__: list[str] = []


def num_workers(axis_name: str) -> int:
    """The size of the axis; raises ValueError outside of it."""
    try:
        return int(jax.lax.axis_size(axis_name))
    except NameError:
        raise ValueError(
            f"axis_name {axis_name!r} must be the name of an axis of workers around the call of "
            "update, which jax.shard_map or jax.vmap(..., axis_name=...) makes; there is none."
        ) from None


def differs_between_workers(tree: Any, axis_name: str) -> bool:
    """Whether JAX knows that a leaf differs; False where it does not track this."""
    return any(axis_name in _differing_axes(leaf) for leaf in jax.tree.leaves(tree))


def mark_as_differing(tree: Any, axis_name: str) -> Any:
    """The tree, each leaf of it tracked as one that differs between the workers."""
    if not _is_tracked(axis_name):
        return tree
    return jax.tree.map(
        lambda leaf: (
            leaf
            if axis_name in _differing_axes(leaf)
            else jax.lax.pcast(leaf, axis_name, to="varying")
        ),
        tree,
    )


def gather(tree: Any, axis_name: str) -> Any:
    """The leaves of all workers, one row each, the same on every worker."""
    to = "invarying" if _is_tracked(axis_name) else "varying"
    tree = mark_as_differing(tree, axis_name)
    return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, axis_name, to=to), tree)


def _is_tracked(axis_name: str) -> bool:
    return axis_name in _differing_axes(jax.lax.axis_index(axis_name))


def _differing_axes(leaf: Any) -> frozenset[Any]:
    kind = jax.typeof(leaf)
    if hasattr(kind, "manual_axis_type"):
        return frozenset(kind.manual_axis_type.varying)
    return frozenset(kind.vma)  # jax before 0.10
