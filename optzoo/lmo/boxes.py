# SPDX-License-Identifier: Apache-2.0
"""Boxes: bounds on every coordinate."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._set_arguments import as_bound, bound_like, require_bound, require_ordered
from .constraint_set import ConstraintSet, register, tolerance

__all__ = ["box"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class box(ConstraintSet):
    """`{x : lower <= x <= upper}`, coordinate by coordinate.

    - lmo: lower_i where g_i > 0, upper_i elsewhere.
    - diameter: |upper - lower|_2.
    - project and retract: min(max(x, lower), upper).

    Args:
        lower: finite number, array, or prefix tree of them of the arguments of the methods. A
            scalar serves all coordinates of its subtree, an array has the shape of its leaf.
        upper: likewise and nowhere below `lower`; equality is allowed and fixes the coordinate.
            Where both bounds are trees they have the same structure.

    Raises:
        TypeError: a bound is no real number.
        ValueError: a bound is not finite, `lower` exceeds `upper` somewhere, or their structures
            or shapes do not match.

    Example:
        >>> import jax.numpy as jnp
        >>> unit = box(0.0, {"w": jnp.array([1.0, 2.0]), "b": 3.0})
        >>> x = {"w": jnp.array([-1.0, 5.0]), "b": jnp.array(2.5)}
        >>> unit.project(x)["w"].tolist()
        [0.0, 2.0]
        >>> round(float(unit.diameter(x)) ** 2, 4)
        14.0
    """

    lower: PyTree
    upper: PyTree

    def __post_init__(self) -> None:
        require_bound("lower", self.lower)
        require_bound("upper", self.upper)
        require_ordered(self.lower, self.upper)

    def _bounds(self, x: PyTree) -> tuple[PyTree, PyTree]:
        return bound_like("lower", self.lower, x), bound_like("upper", self.upper, x)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound("lower and upper", b, g.dtype) for b in (lower, upper))
            return jnp.where(g > 0, low, high)

        return jax.tree.map(vertex, direction, *self._bounds(direction))

    def _diameter(self, like: PyTree) -> jax.Array:
        def width(leaf: Any, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound("lower and upper", b, tv.default_dtype()) for b in (lower, upper))
            copies = tv.dimension(leaf) if jnp.ndim(high - low) == 0 else 1
            return tv.norm(high - low) * math.sqrt(copies)

        return tv.norm(jax.tree.map(width, like, *self._bounds(like))).astype(tv.default_dtype())

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        def inside(v: jax.Array, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound("lower and upper", b, tv.wide_dtype(v)) for b in (lower, upper))
            slack = tolerance(atol, v, jnp.maximum(abs(low), abs(high)))
            wide = tv.widen(v)
            return jnp.all((wide >= low - slack) & (wide <= high + slack))

        flags = jax.tree.map(inside, x, *self._bounds(x))
        return jnp.all(jnp.stack([jnp.array(True), *jax.tree.leaves(flags)]))

    def _project(self, x: PyTree) -> PyTree:
        def clip(v: jax.Array, lower: Any, upper: Any) -> jax.Array:
            return jnp.clip(v, *(as_bound("lower and upper", b, v.dtype) for b in (lower, upper)))

        return jax.tree.map(clip, x, *self._bounds(x))

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)
