# SPDX-License-Identifier: Apache-2.0
"""V of one leaf, the running average of squares: whole, or as the outer product of its margins.

Whole it has the leaf's shape. Factored, a matrix keeps the averages of its rows and of its columns,

    A_i = mean_j V_ij,   C_j = mean_i V_ij,   and V = A C^T / mean(A),

which is exact for matrices of rank one: Adafactor's second moment.
"""

from typing import Any

import jax
import jax.numpy as jnp

from . import _soap_places as places
from . import _tree_vector as tv
from ._soap_axes import View
from ._soap_factors import Factors
from ._soap_gradients import narrow, wide_dtype
from ._soap_places import Place

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


def adam_direction(
    m: jax.Array, v: jax.Array, kept_dtype: Any, t: jax.Array, moves: jax.Array, numbers: Any
) -> jax.Array:
    """sqrt(1 - b2^t) / (1 - b1^t) M / (sqrt(V) + eps), and 0 if the call does not move.

    In float16 V underflows where M does not; it is then at least the smallest number of the dtype
    that it is kept in.
    """
    b1, b2, eps = (jnp.asarray(x, m.dtype) for x in (numbers.b1, numbers.b2, numbers.eps))
    power = jnp.maximum(t, 1).astype(m.dtype)
    correction = jnp.sqrt(1 - b2**power) / (1 - b1**power)
    info = tv.finfo(kept_dtype)
    least = info.smallest_subnormal if kept_dtype == jnp.float16 else info.tiny
    u = m / (jnp.sqrt(jnp.maximum(v, float(least))) + eps)
    return u * jnp.where(moves, correction, 0)


def is_pair(v: Any) -> bool:
    """Whether V of a leaf is its margins."""
    return isinstance(v, tuple) and len(v) == 2


def averaged(v: Any, square: jax.Array, beta: jax.Array, moves: jax.Array, place: Place) -> Any:
    """The average, beta V + (1 - beta) G'^2 if it moves, in the dtype of G'."""

    def average(old: jax.Array, new: jax.Array) -> jax.Array:
        wide = old.astype(new.dtype)
        return jnp.where(moves, beta * wide + (1 - beta) * new, wide)

    if not isinstance(v, tuple):
        return average(v, square)
    if len(v) == 1:
        return (average(v[0], square),)
    rows, columns = v
    viewed = place.part.of(square)
    first = viewed.ndim - 2
    return (
        average(rows, places.mean(place, viewed, first + 1)),
        average(columns, places.mean(place, viewed, first)),
    )


def anew(v: Any, grams: Factors, bases: Factors, place: Place) -> Any:
    r"""V in new bases that have little to do with the old ones, from what is known there.

    The sums of E[G'^2] over all axes but one are the diagonal of Q^T A Q, A the axis' Gram matrix,
    and the sum over all is what it was in any basis. With these sums, and in no way else dependent,

        V = |V| p_1 p_2^T,   p_k = diag(Q_k^T A_k Q_k) / tr(A_k),   |V| the sum of its entries.

    An axis without a basis keeps its own sums.

    Args:
      v: of the leaf, before.
      grams: of every axis, the rows that the device has.
      bases: likewise, the new ones.
      place: of the leaf.
    """
    batch = int(place.whole.batched)
    last = batch + len(bases)

    def along(axis: int) -> list[int]:
        """The axes to sum over, one of them excepted."""
        return [other for other in range(batch, last) if other != axis + batch]

    if is_pair(v):
        margins = [
            of_axis if share is None else places.total_of_vector(place, of_axis, axis) * share
            for axis, (of_axis, share) in enumerate(
                zip(v, _shares(grams, bases, place, v[0].dtype), strict=True)
            )
        ]
        return tuple(m.astype(old.dtype) for m, old in zip(margins, v, strict=True))
    (leaf,) = v if isinstance(v, tuple) else (v,)
    x = place.part.of(leaf.astype(wide_dtype(leaf)))
    sum_of_all = places.total(place, x, range(batch, last))
    new = sum_of_all
    for axis, share in enumerate(_shares(grams, bases, place, x.dtype)):
        if share is None:
            sums = places.total(place, x, along(axis))
            share_along = sums / jnp.where(sum_of_all > 0, sum_of_all, 1)
        else:
            share_along = jnp.expand_dims(share, along(axis))
        new = new * share_along
    found = narrow(place.part.back(new, leaf), leaf)
    return (found,) if isinstance(v, tuple) else found


def _shares(grams: Factors, bases: Factors, place: Place, dtype: Any) -> list[jax.Array | None]:
    """p_k of every axis with a basis, of M's part of the axis."""
    shares: list[jax.Array | None] = []
    for axis, (a, basis) in enumerate(zip(grams, bases, strict=True)):
        if a is None or basis is None:
            shares.append(None)
            continue
        of_axis = jnp.maximum(places.quotients(place, a, basis, axis), 0)
        whole_axis = places.whole_vector(place, of_axis, axis)
        trace = jnp.sum(whole_axis, axis=-1, keepdims=True)
        share = whole_axis / jnp.where(trace > 0, trace, 1)
        shares.append(places.part_of_vector(place, share, axis).astype(dtype))
    return shares


def whole(v: Any, like: jax.Array, place: Place) -> jax.Array:
    """V in the shape of the leaf, or of the part of it that a device has."""
    if not isinstance(v, tuple):
        return v
    if len(v) == 1:
        return v[0]
    rows, columns = v
    mean = places.mean(place, rows, rows.ndim - 1, keepdims=True)
    share = rows / jnp.where(mean > 0, mean, 1)
    return place.part.back(share[..., :, None] * columns[..., None, :], like)
