"""Iterates of 16-bit parameters are kept in float32: in 16 bits small steps would be lost."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

__all__: list[str] = []


def wide(tree: optax.Updates, params: optax.Params) -> optax.Updates:
    """The tree in the dtypes that the iterate is kept in."""
    return jax.tree.map(lambda t, p: jnp.asarray(t).astype(wide_dtype(p)), tree, params)


def wide_dtype(leaf: Any) -> Any:
    return jnp.float32 if is_16_bit(leaf) else leaf.dtype


def zeros_if_16_bit(leaf: Any) -> jax.Array | None:
    return jnp.zeros(leaf.shape, jnp.float32) if is_16_bit(leaf) else None


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


def current(params: optax.Params, iterate: optax.Params) -> optax.Params:
    """The point that the parameters stand for: the iterate while 16-bit ones are its rounding.

    They are not before the first step, nor where somebody else has moved them since.
    """

    def choose(param: jax.Array, x: jax.Array | None) -> jax.Array:
        if x is None or param.dtype == x.dtype:
            return param
        return jnp.where(x.astype(param.dtype) == param, x, param.astype(x.dtype))

    return jax.tree.map(choose, params, iterate)


def weighted(scalar: Any, tree: optax.Params) -> optax.Params:
    """The tree times the scalar, in the tree's dtypes."""
    return jax.tree.map(lambda leaf: jnp.asarray(scalar).astype(leaf.dtype) * leaf, tree)


def is_16_bit(leaf: Any) -> bool:
    return jnp.dtype(leaf.dtype).itemsize == 2
