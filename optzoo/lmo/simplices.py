# SPDX-License-Identifier: Apache-2.0
"""Simplices: the coordinates of the whole tree are non-negative and share a sum."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._gauge import shrink
from ._set_arguments import as_scalar, require_positive
from .constraint_set import ConstraintSet, register, tolerance

__all__ = ["simplex", "unit_simplex"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class simplex(ConstraintSet):
    """`{x : x >= 0, sum(x) = scale}`, the sum being over all coordinates of the tree.

    - lmo: scale e_i with i the first index of min g_i.
    - diameter: sqrt(2) scale (0 in dimension 1).
    - project: max(x - theta, 0), theta such that the sum is scale.
    - retract: max(x, 0) rescaled to sum to scale; the centre where no coordinate is positive.

    Args:
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `scale` is no real number.
        ValueError: `scale` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> simplex().lmo(jnp.array([0.0, -1.0, -1.0])).tolist()
        [0.0, 1.0, 0.0]
        >>> simplex(2.0).retract(jnp.array([3.0, -1e-9, 1.0])).tolist()
        [1.5, 0.0, 0.5]

    References:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for
        learning in high dimensions", ICML 2008 (the projection).
    """

    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, chosen: jax.Array) -> jax.Array:
            return jnp.where(chosen, as_scalar("scale", self.scale, g.dtype), 0)

        return jax.tree.map(
            vertex, direction, tv.first_argmax(jax.tree.map(jnp.negative, direction))
        )

    def _diameter(self, like: PyTree) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.default_dtype())
        return scale * (math.sqrt(2) if tv.dimension(like) > 1 else 0)

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        slack = tolerance(atol, x, scale)
        non_negative = [jnp.all(v >= -slack) for v in jax.tree.leaves(tv.widen(x))]
        return jnp.all(jnp.stack([abs(tv.total(x) - scale) <= slack, *non_negative]))

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        return tv.split_like(project_onto_simplex(vector, scale), x)

    def _retract(self, x: PyTree) -> PyTree:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        positive = jax.tree.map(lambda v: jnp.maximum(v, 0), tv.widen(x))
        total = tv.total(positive)
        factor = scale / jnp.where(total == 0, 1, total)
        centre = scale / max(tv.dimension(x), 1)
        return tv.cast_like(
            jax.tree.map(lambda v: jnp.where(total == 0, centre, v * factor), positive), x
        )


@final
@register
@dataclasses.dataclass(frozen=True)
class unit_simplex(ConstraintSet):
    """`{x : x >= 0, sum(x) <= scale}`, the sum being over all coordinates of the tree.

    - lmo: scale e_i with i the first index of min g_i where that is negative, else the origin.
    - diameter: sqrt(2) scale (scale in dimension 1).
    - project: max(x, 0) where that sums to at most scale, else the projection onto `simplex`.
    - retract: max(x, 0) min(1, scale / sum).

    Args:
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `scale` is no real number.
        ValueError: `scale` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> unit_simplex(2.0).lmo(jnp.array([1.0, -1.0, -3.0])).tolist()
        [0.0, 0.0, 2.0]
        >>> unit_simplex(2.0).lmo(jnp.array([1.0, 0.0])).tolist()
        [0.0, 0.0]
    """

    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, chosen: jax.Array) -> jax.Array:
            return jnp.where(chosen & (g < 0), as_scalar("scale", self.scale, g.dtype), 0)

        return jax.tree.map(
            vertex, direction, tv.first_argmax(jax.tree.map(jnp.negative, direction))
        )

    def _diameter(self, like: PyTree) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.default_dtype())
        return scale * math.sqrt(min(tv.dimension(like), 2))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        slack = tolerance(atol, x, scale)
        non_negative = [jnp.all(v >= -slack) for v in jax.tree.leaves(tv.widen(x))]
        return jnp.all(jnp.stack([tv.total(x) <= scale + slack, *non_negative]))

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        positive = jnp.maximum(vector, 0)
        inside = tv.total(positive) <= scale
        return tv.split_like(jnp.where(inside, positive, project_onto_simplex(vector, scale)), x)

    def _retract(self, x: PyTree) -> PyTree:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        positive = tv.cast_like(jax.tree.map(lambda v: jnp.maximum(v, 0), x), x)
        return shrink(positive, tv.total(positive), scale)


def project_onto_simplex(vector: jax.Array, scale: jax.Array) -> jax.Array:
    """The point of the simplex of sum `scale` nearest to a vector."""
    if not vector.size:
        return vector
    # A shift of all coordinates does not move the projection, and none more than `scale` below
    # the largest is in its support: neither large numbers nor their differences are summed.
    vector = jnp.clip(vector - jnp.max(vector), -scale, 0)
    descending = jnp.sort(vector, descending=True)
    excess = jnp.cumsum(descending) - scale
    counts = jnp.arange(1, vector.size + 1, dtype=vector.dtype)
    support = jnp.sum(descending * counts > excess)
    theta = excess[support - 1] / support.astype(vector.dtype)
    point = jnp.maximum(vector - theta, 0)
    # The running sum and theta are rounded at the scale of `vector`; the rest is spread at that
    # of `point`.
    positive = point > 0
    rest = (scale - tv.total(point)) / jnp.sum(positive).astype(vector.dtype)
    return jnp.maximum(jnp.where(positive, point + rest, 0), 0)
