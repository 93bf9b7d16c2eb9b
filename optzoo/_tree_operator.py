# SPDX-License-Identifier: Apache-2.0
"""Linear maps of a pytree read as one vector: a multiple of the identity, a diagonal, a matrix."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from ._arguments import is_real
from ._tree_vector import concatenate, dimension, require_finite, split_like

__all__: list[str] = []


def operator_kind(
    name: str, operator: Any, params: optax.Params
) -> Literal["scalar", "diagonal", "matrix"]:
    """What the operator is, read by its shapes; a matrix acts on the leaves concatenated.

    Raises a ValueError for anything else, and for a NaN or an infinity in it.
    """
    leaves = jax.tree.leaves(operator)
    for leaf in leaves:
        if not is_real(leaf):
            raise TypeError(f"{name} must be made of real numbers, got {leaf!r}.")
    require_finite(name, operator)
    shapes = [jnp.shape(leaf) for leaf in leaves]
    structure: Any = jax.tree.structure(operator)
    is_array = structure == jax.tree.structure(0)
    if is_array and shapes == [()]:
        return "scalar"
    like_params = [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
    if structure == jax.tree.structure(params) and shapes == like_params:
        return "diagonal"
    size = dimension(params)
    if is_array and shapes == [(size, size)]:
        return "matrix"
    given = f"an array of shape {shapes[0]}" if is_array else f"a tree with shapes {shapes}"
    raise ValueError(
        f"{name} must be a number, a tree like the parameters or a square matrix of shape "
        f"({size}, {size}), one row and one column for each parameter; got {given}."
    )


def apply_operator(name: str, operator: Any, tree: optax.Updates) -> optax.Updates:
    """The operator times the tree, in the tree's dtypes."""
    kind = operator_kind(name, operator, tree)
    if kind == "scalar":
        return jax.tree.map(lambda leaf: jnp.asarray(operator).astype(leaf.dtype) * leaf, tree)
    if kind == "diagonal":
        return jax.tree.map(
            lambda entry, leaf: jnp.asarray(entry).astype(leaf.dtype) * leaf, operator, tree
        )
    vector = concatenate(tree)
    return split_like(jnp.asarray(operator).astype(vector.dtype) @ vector, tree)
