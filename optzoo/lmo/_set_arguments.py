# SPDX-License-Identifier: Apache-2.0
"""What a constraint set is made of: its numbers, and the trees that they are the prefix of.

Numbers are checked where they are concrete; those of a traced set are accepted as they are.
"""

import operator
from collections.abc import Callable
from typing import Any, SupportsIndex, TypeAlias

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path, tree_leaves_with_path

from .. import _tree_vector as tv

__all__: list[str] = []

PyTree: TypeAlias = Any


def require_positive(name: str, value: float | jax.Array) -> None:
    """Raises unless all of a number or batch of numbers is positive and finite."""
    _require_real(name, value)
    if tv.is_concrete(value):
        with jax.ensure_compile_time_eval():
            number = jnp.asarray(value)
            if not bool(jnp.all((number > 0) & jnp.isfinite(number))):
                raise ValueError(f"{name} must be positive and finite, got {value}.")


def require_positive_tree(name: str, tree: PyTree) -> None:
    """Raises unless the tree holds positive and finite numbers, and at least one."""
    require_bound(name, tree)
    for path, value in tree_leaves_with_path(tree):
        require_positive(f"{name}{keystr(path)}", value)


def require_count(name: str, value: Any) -> None:
    """Raises unless the value is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{name} must be an int, got {value!r}.")
    if operator.index(value) < 1:
        raise ValueError(f"{name} must be an int of at least 1, got {value!r}.")


def require_array(name: str, value: Any, rank: int) -> None:
    """Raises unless the value is an array of finite numbers with at least `rank` axes."""
    require_bound(name, value)
    if not _is_leaf(value) or jnp.ndim(value) < rank:
        raise TypeError(f"{name} must be an array with {rank} axes, got {value!r}.")


def require_bound(name: str, bound: PyTree) -> None:
    """Raises unless the tree holds finite numbers, and at least one."""
    leaves = tree_leaves_with_path(bound)
    if not leaves:
        raise TypeError(f"{name} must hold at least one real number, got {bound!r}.")
    for path, value in leaves:
        _require_real(f"{name}{keystr(path)}", value)
        if tv.is_concrete(value):
            with jax.ensure_compile_time_eval():
                if not bool(jnp.all(jnp.isfinite(jnp.asarray(value)))):
                    raise ValueError(f"{name}{keystr(path)} must be finite, got {value}.")


def require_ordered(lower: PyTree, upper: PyTree) -> None:
    """Raises unless lower <= upper, leaf by leaf or one number against all leaves."""
    structures: list[Any] = [jax.tree.structure(lower), jax.tree.structure(upper)]
    low, high = tree_leaves_with_path(lower), jax.tree.leaves(upper)
    if _is_leaf(lower):
        low = [((), lower)] * len(high)
    elif _is_leaf(upper):
        high = [upper] * len(low)
    elif structures[0] != structures[1]:
        raise ValueError(
            "lower and upper must have the same tree structure unless one is a number or an array; "
            f"lower has {structures[0]}, upper has {structures[1]}."
        )
    for (path, a), b in zip(low, high, strict=True):
        if () != jnp.shape(a) != jnp.shape(b) != ():
            raise ValueError(
                f"lower{keystr(path)} and upper must have the same shape unless one is a scalar, "
                f"got {jnp.shape(a)} and {jnp.shape(b)}."
            )
        if tv.is_concrete(a) and tv.is_concrete(b):
            with jax.ensure_compile_time_eval():
                dtype = tv.default_dtype()
                if not bool(jnp.all(jnp.asarray(a, dtype) <= jnp.asarray(b, dtype))):
                    raise ValueError(
                        f"lower{keystr(path)} must not exceed upper, got lower={a} and upper={b}."
                    )


def as_scalar(name: str, value: float | jax.Array, dtype: Any) -> jax.Array:
    """The constant of a set in the dtype of its user, in whose range it has to be."""
    if jnp.ndim(value) != 0:
        raise ValueError(
            f"{name} must be a scalar here, got the shape {jnp.shape(value)}; "
            "a batch of sets is for jax.vmap."
        )
    info = tv.finfo(dtype)
    if tv.is_concrete(value) and not float(info.tiny) <= float(value) <= float(info.max):
        raise ValueError(
            f"{name} must lie in the range of {info.dtype}, [{info.tiny}, {info.max}], got {value}."
        )
    return jnp.asarray(value, dtype)


def require_range(name: str, value: float | jax.Array, tree: PyTree) -> None:
    """Raises unless the constant of a set lies in the range of the dtype of every leaf."""
    for leaf in jax.tree.leaves(tree):
        as_scalar(name, value, leaf.dtype)


def as_bound(name: str, value: Any, dtype: Any) -> jax.Array:
    """A number or array of a set in the dtype of its user, in whose range it has to be."""
    if tv.is_concrete(value):
        with jax.ensure_compile_time_eval():
            largest = float(jnp.max(abs(jnp.asarray(value)), initial=0))
        if largest > float(tv.finfo(dtype).max):
            raise ValueError(f"{name} must lie in the range of {jnp.dtype(dtype)}, got {value}.")
    return jnp.asarray(value, dtype)


def bound_like(name: str, bound: PyTree, tree: PyTree) -> PyTree:
    """The bound with the structure of `tree`, each leaf a scalar or of the shape it bounds."""

    def spread(value: Any, subtree: PyTree) -> list[Any]:
        for path, leaf in tree_leaves_with_path(subtree):
            if jnp.shape(value) not in ((), jnp.shape(leaf)):
                raise ValueError(
                    f"{name} must be a scalar or have the shape of the array{keystr(path)} that "
                    f"it bounds, {jnp.shape(leaf)}; it has the shape {jnp.shape(value)}."
                )
        return [value] * len(jax.tree.leaves(subtree))

    pairs = match_prefix(name, bound, tree, _is_leaf)
    values = [copy for value, subtree in pairs for copy in spread(value, subtree)]
    return jax.tree.unflatten(jax.tree.structure(tree), values)


def match_prefix(
    name: str,
    prefix: PyTree,
    tree: PyTree,
    is_leaf: Callable[[Any], bool],
    path: tuple[Any, ...] = (),
) -> list[tuple[Any, PyTree]]:
    """Each leaf of the prefix with the subtree of `tree` that it stands for."""
    if is_leaf(prefix):
        return [(prefix, tree)]
    node: Any
    tree_node: Any
    children, node = tree_flatten_with_path(prefix, lambda n: n is not prefix)
    subtrees, tree_node = tree_flatten_with_path(tree, lambda n: n is not tree)
    if node != tree_node:
        raise ValueError(
            f"{name}{keystr(path)} must be a prefix tree of the argument: it is the node {node} "
            f"where the argument has {tree_node}."
        )
    pairs = []
    for (key, child), (_, subtree) in zip(children, subtrees, strict=True):
        pairs += match_prefix(name, child, subtree, is_leaf, path + key)
    return pairs


def _require_real(name: str, value: object) -> None:
    is_array = hasattr(value, "dtype") and hasattr(value, "shape")
    if is_array or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        dtype = jnp.result_type(value)
        if jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer):
            return
    raise TypeError(f"{name} must be a real number or an array of them, got {value!r}.")


def _is_leaf(node: object) -> bool:
    return jax.tree_util.treedef_is_leaf(jax.tree.structure(node))
