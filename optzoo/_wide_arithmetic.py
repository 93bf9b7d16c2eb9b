# SPDX-License-Identifier: Apache-2.0
"""Methods calculate with 16-bit leaves in float32, and with all others in their own dtype."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

__all__: list[str] = []


def is_16_bit(leaf: Any) -> bool:
    return jnp.dtype(leaf.dtype).itemsize == 2


def wide_dtype(leaf: Any) -> Any:
    return jnp.float32 if is_16_bit(leaf) else leaf.dtype


def wide(tree: optax.Updates, params: optax.Params) -> optax.Updates:
    """The tree in the dtypes that these parameters are calculated with in."""
    return jax.tree.map(lambda t, p: jnp.asarray(t).astype(wide_dtype(p)), tree, params)


def wide_zeros(params: optax.Params) -> optax.Params:
    """Zeros like the parameters; works on shapes."""
    return jax.tree.map(lambda p: jnp.zeros(p.shape, wide_dtype(p)), params)


def wide_copy(params: optax.Params) -> optax.Params:
    """The parameters in memory of their own, so that both can be donated; zeros for shapes."""

    def copy(p: Any) -> jax.Array:
        if isinstance(p, jax.ShapeDtypeStruct):
            return jnp.zeros(p.shape, wide_dtype(p))
        return jnp.array(p, wide_dtype(p), copy=True)

    return jax.tree.map(copy, params)


def weighted(scalar: Any, tree: optax.Params) -> optax.Params:
    """The tree times the scalar, in the tree's dtypes."""
    return jax.tree.map(lambda leaf: jnp.asarray(scalar).astype(leaf.dtype) * leaf, tree)
