"""V of one leaf, the running average of squares: whole, or as the outer product of its margins.

Whole it has the leaf's shape. Factored, a matrix keeps the averages of its rows and of its columns,

    A_i = mean_j V_ij,   C_j = mean_i V_ij,   and V = A C^T / mean(A),

which is exact for matrices of rank one: Adafactor's second moment.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ._soap_axes import View
from ._soap_factors import Factors
from ._soap_gradients import wide_dtype

__all__: list[str] = []


def is_factored(view: View) -> bool:
    """Whether the leaf is a matrix, or a stack of them."""
    return len(view.sizes) == 2


def zero_margins(leaf: Any, view: View, make: Any) -> Factors:
    """(A, C) of a matrix, with make(shape, dtype); the whole V, as one factor, of other leaves."""
    if not is_factored(view):
        return (make(leaf.shape, leaf.dtype),)
    batch = view.shape[:1] if view.batched else ()
    return tuple(make((*batch, d), wide_dtype(leaf)) for d in view.sizes)


def averaged(v: Any, square: jax.Array, beta: jax.Array, moves: jax.Array, view: View) -> Any:
    """The average, beta V + (1 - beta) G'^2 if it moves, in the dtype of G'."""

    def average(old: jax.Array, new: jax.Array) -> jax.Array:
        wide = old.astype(new.dtype)
        return jnp.where(moves, beta * wide + (1 - beta) * new, wide)

    if not isinstance(v, tuple):
        return average(v, square)
    if len(v) == 1:
        return (average(v[0], square),)
    rows, columns = v
    viewed = view.of(square)
    return average(rows, jnp.mean(viewed, -1)), average(columns, jnp.mean(viewed, -2))


def whole(v: Any, like: jax.Array, view: View) -> jax.Array:
    """V in the shape of the leaf."""
    if not isinstance(v, tuple):
        return v
    if len(v) == 1:
        return v[0]
    rows, columns = v
    mean = jnp.mean(rows, -1, keepdims=True)
    share = rows / jnp.where(mean > 0, mean, 1)
    return view.back(share[..., :, None] * columns[..., None, :], like)
