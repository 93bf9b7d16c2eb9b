# SPDX-License-Identifier: Apache-2.0
"""Balls of the vector norms: the whole tree is one vector."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._gauge import NormBall, away_from, is_within, scaled_vector
from ._set_arguments import (
    as_bound,
    as_scalar,
    bound_like,
    require_positive,
    require_positive_tree,
    require_range,
)
from .constraint_set import ConstraintSet, register, tolerance
from .simplices import project_onto_simplex

__all__ = ["l1_ball", "l2_ball", "linf_ball", "lp_ball", "weighted_l1_ball"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class l1_ball(ConstraintSet):
    """`{x : |x|_1 <= radius}`, the norm being that of the whole tree as one vector.

    - lmo: -radius sign(g_i) e_i with i the first index of max |g_i|; radius e_0 for g = 0.
    - diameter: 2 radius (0 in dimension 0).
    - project: sign(x) max(|x| - theta, 0), theta >= 0 such that the norm is radius.
    - retract: x min(1, radius / |x|_1).

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = l1_ball(3.0)
        >>> ball.lmo({"b": jnp.array(0.5), "w": jnp.array([2.0, -1.0])})["w"].tolist()
        [-3.0, 0.0]
        >>> ball.project(jnp.array([4.0, 1.0])).tolist()
        [3.0, 0.0]

    References:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for
        learning in high dimensions", ICML 2008 (the projection).
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, chosen: jax.Array) -> jax.Array:
            radius = as_scalar("radius", self.radius, g.dtype)
            return jnp.where(chosen, jnp.where(g > 0, -radius, radius), 0)

        return jax.tree.map(vertex, direction, tv.first_argmax(jax.tree.map(abs, direction)))

    def _diameter(self, like: PyTree) -> jax.Array:
        return as_scalar("radius", self.radius, tv.default_dtype()) * (
            2 if tv.dimension(like) else 0
        )

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        return tv.absolute_total(x) <= radius + tolerance(atol, x, radius)

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        radius = as_scalar("radius", self.radius, vector.dtype)
        on_sphere = jnp.sign(vector) * project_onto_simplex(abs(vector), radius)
        outside = tv.absolute_total(vector) > radius
        return tv.split_like(jnp.where(outside, on_sphere, vector), x)

    def _retract(self, x: PyTree) -> PyTree:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        norm = tv.absolute_total(x)
        factor = jnp.where(norm > radius, radius / norm, 1)
        return tv.cast_like(jax.tree.map(lambda v: v * factor, tv.widen(x)), x)


@final
@register
@dataclasses.dataclass(frozen=True)
class l2_ball(ConstraintSet):
    """`{x : |x|_2 <= radius}`, the norm being that of the whole tree as one vector.

    - lmo: -radius g / |g|_2; radius e_0 for g = 0 (subnormal numbers count as 0).
    - diameter: 2 radius (0 in dimension 0).
    - project and retract: x min(1, radius / |x|_2).

    Norms are taken after division by the largest entry, so they neither overflow nor underflow.

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> [round(x, 5) for x in l2_ball(10.0).lmo(jnp.array([3.0, -4.0])).tolist()]
        [-6.0, 8.0]
        >>> l2_ball(10.0).lmo(jnp.zeros(2)).tolist()
        [10.0, 0.0]
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        largest, scaled = tv.scale_by_largest(direction)
        first = jax.tree.map(lambda e, v: e.astype(v.dtype), tv.first_entry(scaled), scaled)
        # The zero direction is read as -e_0.
        descent = jax.tree.map(lambda v, e: jnp.where(largest == 0, e, -v), scaled, first)
        norm = jnp.sqrt(tv.total(jax.tree.map(jnp.square, descent)))

        def boundary(v: jax.Array, g: jax.Array) -> jax.Array:
            as_scalar("radius", self.radius, g.dtype)
            return (as_scalar("radius", self.radius, v.dtype) * (v / norm)).astype(g.dtype)

        return jax.tree.map(boundary, descent, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        return as_scalar("radius", self.radius, tv.default_dtype()) * (
            2 if tv.dimension(like) else 0
        )

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        return tv.norm(x) <= radius + tolerance(atol, x, radius)

    def _project(self, x: PyTree) -> PyTree:
        largest, scaled = tv.scale_by_largest(x)
        radius = as_scalar("radius", self.radius, largest.dtype)
        # The largest entry of `scaled` is 1, unless x = 0.
        norm = jnp.maximum(jnp.sqrt(tv.total(jax.tree.map(jnp.square, scaled))), 1)
        on_sphere = tv.cast_like(jax.tree.map(lambda v: radius * (v / norm), scaled), x)
        outside = largest > radius / norm
        return jax.tree.map(lambda s, leaf: jnp.where(outside, s, leaf), on_sphere, x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)


@final
@register
@dataclasses.dataclass(frozen=True)
class linf_ball(ConstraintSet):
    """`{x : |x_i| <= radius for every i}`, the box from -radius to radius.

    - lmo: -radius sign(g_i) in every coordinate.
    - diameter: 2 radius sqrt(d), between opposite corners.
    - project and retract: min(max(x, -radius), radius).

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> linf_ball(2.0).lmo(jnp.array([1.0, -3.0, 0.0])).tolist()
        [-2.0, 2.0, 2.0]
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        def corner(g: jax.Array) -> jax.Array:
            return as_scalar("radius", self.radius, g.dtype) * away_from(g)

        return jax.tree.map(corner, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        return radius * (2 * math.sqrt(tv.dimension(like)))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        largest = [jnp.max(abs(v), initial=0) for v in jax.tree.leaves(tv.widen(x))]
        return is_within(x, jnp.max(jnp.stack([radius * 0, *largest])), radius, atol)

    def _project(self, x: PyTree) -> PyTree:
        def clip(v: jax.Array) -> jax.Array:
            radius = as_scalar("radius", self.radius, v.dtype)
            return jnp.clip(v, -radius, radius)

        return jax.tree.map(clip, x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)


@final
@register
@dataclasses.dataclass(frozen=True)
class lp_ball(NormBall):
    """`{x : |x|_p <= radius}`, |x|_p = (sum |x_i|^p)^(1/p) over the whole tree, 1 < p < inf.

    - lmo: -radius sign(g_i) |g_i|^(q-1) / |g|_q^(q-1) with 1/p + 1/q = 1, where Hölder's
      inequality is tight; radius e_0 for g = 0 (subnormal numbers count as 0).
    - diameter: 2 radius d^max(0, 1/2 - 1/p): the longest vectors are e_i for p <= 2 and
      d^(-1/p) (1, ..., 1) for p >= 2.
    - project: none, it is an equation in every coordinate; p = 2 is `l2_ball`.
    - retract: x min(1, radius / |x|_p).

    Args:
        p: number or scalar array above 1; `l1_ball` and `linf_ball` are its limits.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: an argument is no real number.
        ValueError: `p` is not above 1 and finite, or `radius` not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> s = lp_ball(3.0, 1.0).lmo(jnp.array([4.0, -1.0]))
        >>> [round(x, 4) for x in s.tolist()]
        [-0.9615, 0.4807]
    """

    p: float | jax.Array
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("p", self.p)
        require_positive("radius", self.radius)
        if tv.is_concrete(self.p):
            with jax.ensure_compile_time_eval():
                if not bool(jnp.all(jnp.asarray(self.p) > 1)):
                    raise ValueError(f"p must exceed 1, got {self.p}; p = 1 is l1_ball.")

    def _norm(self, x: PyTree) -> jax.Array:
        largest, scaled = tv.scale_by_largest(tv.concatenate(x))
        p = as_scalar("p", self.p, scaled.dtype)
        return largest * tv.total(abs(scaled) ** p) ** (1 / p)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector, is_zero = scaled_vector(direction)
        radius = as_scalar("radius", self.radius, vector.dtype)
        p = as_scalar("p", self.p, vector.dtype)
        first = tv.first_entry(vector).astype(vector.dtype)
        magnitudes = jnp.where(is_zero, first, abs(vector) ** (1 / (p - 1)))
        norm = tv.total(magnitudes**p) ** (1 / p)
        return tv.split_like(away_from(vector) * (radius * (magnitudes / norm)), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        p = as_scalar("p", self.p, tv.default_dtype())
        d = tv.dimension(like)
        return radius * (2 * d ** jnp.maximum(0, 0.5 - 1 / p) if d else 0)


@final
@register
@dataclasses.dataclass(frozen=True)
class weighted_l1_ball(NormBall):
    """`{x : sum_i weights_i |x_i| <= radius}`, the sum being over all coordinates of the tree.

    - lmo: -(radius / weights_i) sign(g_i) e_i with i the first index of max |g_i| / weights_i.
    - diameter: 2 radius / min weights_i, between the two vertices of that coordinate.
    - project: sign(x) max(|x| - theta weights, 0), theta >= 0 such that the sum is radius; to the
      round-off of the largest |x_i|.
    - retract: x min(1, radius / sum_i weights_i |x_i|).

    Args:
        weights: positive and finite number, array, or prefix tree of them of the arguments of the
            methods. A scalar serves all coordinates of its subtree, an array has the shape of its
            leaf.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: an argument is no real number.
        ValueError: an argument is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = weighted_l1_ball(jnp.array([1.0, 4.0]), 2.0)
        >>> ball.lmo(jnp.array([1.0, -3.0])).tolist(), ball.lmo(jnp.array([1.0, -5.0])).tolist()
        ([-2.0, 0.0], [0.0, 0.5])
    """

    weights: PyTree
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive_tree("weights", self.weights)
        require_positive("radius", self.radius)

    def _weights(self, x: PyTree) -> jax.Array:
        """One weight for each coordinate."""

        def spread(leaf: Any, weight: Any) -> jax.Array:
            return jnp.broadcast_to(as_bound("weights", weight, tv.wide_dtype(x)), leaf.shape)

        return tv.concatenate(jax.tree.map(spread, x, bound_like("weights", self.weights, x)))

    def _norm(self, x: PyTree) -> jax.Array:
        return tv.absolute_total(self._weights(x) * tv.concatenate(x))

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        weights, (vector, _) = self._weights(direction), scaled_vector(direction)
        radius = as_scalar("radius", self.radius, vector.dtype)
        chosen = tv.first_argmax(abs(vector) * (jnp.min(weights, initial=1) / weights))
        vertex = jnp.where(chosen, away_from(vector) * (radius / weights), 0)
        return tv.split_like(vertex, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())

        def smallest(leaf: Any, weight: Any) -> jax.Array:
            return jnp.min(as_bound("weights", weight, radius.dtype))

        bounds = bound_like("weights", self.weights, like)
        found = jax.tree.leaves(
            jax.tree.map(
                lambda leaf, w: smallest(leaf, w) if tv.dimension(leaf) else jnp.inf, like, bounds
            )
        )
        return 2 * radius / jnp.min(jnp.stack([jnp.asarray(jnp.inf, radius.dtype), *found]))

    def _project(self, x: PyTree) -> PyTree:
        vector, weights = tv.concatenate(x), self._weights(x)
        radius = as_scalar("radius", self.radius, vector.dtype)
        if not vector.size:
            return x
        # theta is where the support, the coordinates of largest |x_i| / w_i, has the sum radius.
        largest, scaled = tv.scale_by_largest(vector)
        size = abs(scaled)
        order = jnp.argsort(size / weights, descending=True)
        size, weight = size[order], weights[order]
        excess = jnp.cumsum(weight * size) - radius / jnp.where(largest == 0, 1, largest)
        squares = jnp.cumsum(weight**2)
        support = jnp.maximum(jnp.sum(size * squares > excess * weight), 1)
        theta = largest * (excess[support - 1] / squares[support - 1])
        on_sphere = jnp.sign(vector) * jnp.maximum(abs(vector) - theta * weights, 0)
        outside = self._norm(x) > radius
        point = tv.split_like(jnp.where(outside, on_sphere, vector), x)
        # theta is rounded at the scale of x.
        return self._retract(point)
