# SPDX-License-Identifier: Apache-2.0
"""Polytopes whose oracle sorts: the hypersimplex, its signed sibling, and the permutahedron."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._gauge import away_from, shrink
from ._order_statistic import largest_mask
from ._set_arguments import (
    as_bound,
    as_scalar,
    require_array,
    require_count,
    require_positive,
    require_range,
)
from .constraint_set import STATIC, ConstraintSet, register, tolerance

__all__ = ["hypersimplex", "k_sparse_polytope", "permutahedron"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class hypersimplex(ConstraintSet):
    """`{x : 0 <= x <= scale, sum(x) = k scale}`, the sum being over all coordinates of the tree.

    - lmo: scale at the k smallest g_i, of equal ones the first, 0 elsewhere.
    - diameter: scale sqrt(2 min(k, d - k)), between vertices with the fewest common coordinates.
    - project: min(max(x - theta, 0), scale), theta such that the sum is k scale.
    - retract: min(max(x, 0), scale), then pulled to 0 or to scale until the sum is k scale.

    Args:
        k: int of at least 1 and at most the dimension d; 1 makes it `simplex(scale)`.
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int, or `scale` no real number.
        ValueError: `k` is below 1, or, from a method, exceeds the dimension; `scale` is not
            positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> hypersimplex(2).lmo(jnp.array([3.0, -1.0, 0.0, 0.0])).tolist()
        [0.0, 1.0, 1.0, 0.0]
    """

    k: int = dataclasses.field(metadata=STATIC)
    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("scale", self.scale)

    def _require_dimension(self, x: PyTree) -> int:
        d = tv.dimension(x)
        if self.k > d:
            raise ValueError(f"k must not exceed the dimension of the argument, {d}, got {self.k}.")
        return d

    def _lmo(self, direction: PyTree) -> PyTree:
        self._require_dimension(direction)
        require_range("scale", self.scale, direction)
        vector = tv.concatenate(direction)
        scale = as_scalar("scale", self.scale, vector.dtype)
        return tv.split_like(jnp.where(largest_mask(-vector, self.k), scale, 0), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        d = self._require_dimension(like)
        scale = as_scalar("scale", self.scale, tv.default_dtype())
        return scale * math.sqrt(2 * min(self.k, d - self.k))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        self._require_dimension(x)
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        slack, sum_slack = tolerance(atol, x, scale), tolerance(atol, x, self.k * scale)
        in_box = jnp.all((vector >= -slack) & (vector <= scale + slack))
        return in_box & (abs(tv.total(vector) - self.k * scale) <= sum_slack)

    def _project(self, x: PyTree) -> PyTree:
        self._require_dimension(x)
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        return tv.split_like(_project_onto_hypersimplex(vector, self.k, scale), x)

    def _retract(self, x: PyTree) -> PyTree:
        d = self._require_dimension(x)
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        vector = jnp.clip(vector, 0, scale)
        total, target = tv.total(vector), self.k * scale
        missing = jnp.where(total < target, (target - total) / (d * scale - total), 0)
        raised = vector + (scale - vector) * missing
        lowered = vector * (target / jnp.where(total > target, total, target))
        return tv.split_like(jnp.where(total > target, lowered, raised), x)


@final
@register
@dataclasses.dataclass(frozen=True)
class k_sparse_polytope(ConstraintSet):
    """`{x : |x|_1 <= k radius, |x|_inf <= radius}`, the norms being those of the whole tree.

    The hull of the vectors with k entries of +-radius and zeros elsewhere; the polar of
    `k_norm_ball(k, 1 / radius)`.

    - lmo: -radius sign(g_i) at the k largest |g_i|, of equal ones the first, 0 elsewhere.
    - diameter: 2 radius sqrt(min(k, d)), between opposite vertices.
    - project: sign(x) min(max(|x| - theta, 0), radius), theta >= 0 the least that is feasible.
    - retract: x clipped to +-radius, times min(1, k radius / |x|_1).

    Args:
        k: int of at least 1; from the dimension on, the set is `linf_ball(radius)`; for 1 it is
            `l1_ball(radius)`.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int, or `radius` no real number.
        ValueError: `k` is below 1, or `radius` not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> k_sparse_polytope(2, 3.0).lmo(jnp.array([1.0, 2.0, -5.0])).tolist()
        [0.0, -3.0, 3.0]
    """

    k: int = dataclasses.field(metadata=STATIC)
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector = tv.concatenate(direction)
        radius = as_scalar("radius", self.radius, vector.dtype)
        chosen = largest_mask(abs(vector), min(self.k, vector.size))
        return tv.split_like(jnp.where(chosen, radius * away_from(vector), 0), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        return radius * (2 * math.sqrt(min(self.k, tv.dimension(like))))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        vector = tv.concatenate(x)
        radius = as_scalar("radius", self.radius, vector.dtype)
        in_box = jnp.all(abs(vector) <= radius + tolerance(atol, x, radius))
        size = self.k * radius
        return in_box & (tv.absolute_total(vector) <= size + tolerance(atol, x, size))

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        radius = as_scalar("radius", self.radius, vector.dtype)
        clipped = jnp.clip(vector, -radius, radius)
        if self.k >= vector.size:
            return tv.split_like(clipped, x)
        on_face = jnp.sign(vector) * _project_onto_hypersimplex(abs(vector), self.k, radius)
        outside = tv.absolute_total(clipped) > self.k * radius
        return tv.split_like(jnp.where(outside, on_face, clipped), x)

    def _retract(self, x: PyTree) -> PyTree:
        def clip(v: jax.Array) -> jax.Array:
            radius = as_scalar("radius", self.radius, v.dtype)
            return jnp.clip(v, -radius, radius)

        clipped = jax.tree.map(clip, x)
        size = self.k * as_scalar("radius", self.radius, tv.wide_dtype(x))
        return shrink(clipped, tv.absolute_total(clipped), size)


@final
@register
@dataclasses.dataclass(frozen=True)
class permutahedron(ConstraintSet):
    """`{x : sum(x) = sum(c), the j largest x_i sum to at most the j largest c_i for every j}`.

    The hull of the rearrangements of the vector c.

    - lmo: the largest c_i where g is smallest, and so on; of equal g_i the first takes the largest.
    - diameter: |c increasing - c decreasing|_2, between opposite rearrangements.
    - project: none, it is an isotonic regression.
    - retract: x shifted to the sum of c, then pulled to the centre (mean(c), ..., mean(c)) until
      every inequality holds, by one sort.

    Args:
        c: array of shape (d,) for the d coordinates of the tree, finite, in any order.

    Raises:
        TypeError: `c` holds no real numbers.
        ValueError: `c` is not finite, or has not the number of coordinates of the argument.

    Example:
        >>> import jax.numpy as jnp
        >>> permutahedron(jnp.array([1.0, 2.0, 3.0])).lmo(jnp.array([0.0, 5.0, -5.0])).tolist()
        [2.0, 1.0, 3.0]

    References:
        Lim, Wright, "Beyond the Birkhoff polytope: convex relaxations for vector permutation
        problems", NeurIPS 2014, arXiv:1407.6609.
    """

    c: jax.Array

    def __post_init__(self) -> None:
        require_array("c", self.c, 1)

    def _descending(self, x: PyTree, dtype: Any) -> jax.Array:
        d = tv.dimension(x)
        if jnp.shape(self.c) != (d,):
            raise ValueError(
                f"c must have the shape ({d},) of the argument's coordinates, "
                f"got {jnp.shape(self.c)}."
            )
        # At once if c is known: XLA would take seconds to fold the sort of a constant.
        with jax.ensure_compile_time_eval():
            return jnp.sort(as_bound("c", self.c, dtype), descending=True)

    def _lmo(self, direction: PyTree) -> PyTree:
        for leaf in jax.tree.leaves(direction):
            as_bound("c", self.c, leaf.dtype)
        vector = tv.concatenate(direction)
        order = jnp.argsort(vector)
        vertex = jnp.zeros_like(vector).at[order].set(self._descending(direction, vector.dtype))
        return tv.split_like(vertex, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        descending = self._descending(like, tv.default_dtype())
        return tv.norm(descending - jnp.flip(descending))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        vector = tv.concatenate(x)
        bounds = jnp.cumsum(self._descending(x, vector.dtype))
        sums = jnp.cumsum(jnp.sort(vector, descending=True))
        slack = tolerance(atol, x, tv.absolute_total(self._descending(x, vector.dtype)))
        return jnp.all(sums <= bounds + slack) & jnp.all(abs(sums - bounds)[-1:] <= slack)

    def _retract(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        if not vector.size:
            return x
        descending = self._descending(x, vector.dtype)
        centre = jnp.mean(descending)
        offset = vector - jnp.mean(vector)
        # Half of the tolerance of `contains`: what lies within it is round-off of the sums.
        slack = 5 * float(tv.finfo(vector.dtype).eps) * tv.absolute_total(descending)
        sums = jnp.cumsum(jnp.sort(offset, descending=True))[:-1]
        bounds = jnp.cumsum(descending - centre)[:-1]
        ratios = jnp.where(sums > bounds + slack, bounds / jnp.where(sums == 0, 1, sums), 1)
        return tv.split_like(centre + offset * jnp.min(ratios, initial=1), x)


def _project_onto_hypersimplex(vector: jax.Array, k: int, scale: jax.Array) -> jax.Array:
    """min(max(x - theta, 0), scale) with the sum k scale, which decreases with theta."""
    target = k * scale
    # theta lies less than `scale` below the k-th largest entry and not above it: shifted by that
    # entry, larger numbers than `scale` need not be told apart, nor summed.
    v = jnp.clip(vector - jax.lax.top_k(vector, k)[0][-1], -scale, scale)
    ascending = jnp.sort(v)
    suffix = jnp.append(jnp.flip(jnp.cumsum(jnp.flip(ascending))), 0)

    def sum_above(theta: jax.Array) -> jax.Array:
        first = jnp.searchsorted(ascending, theta, side="right")
        return suffix[first] - theta * (v.size - first).astype(v.dtype)

    breaks = jnp.sort(jnp.clip(jnp.concatenate([v, v - scale]), -scale, 0))
    sums = sum_above(breaks) - sum_above(breaks + scale)
    # Linear in between. The coordinates that move there are not counted: which ones are at a bound
    # at a break is for round-off to say.
    last = jnp.clip(jnp.sum(sums >= target) - 1, 0, breaks.size - 2)
    high, low = sums[last], sums[last + 1]
    part = jnp.clip((high - target) / jnp.where(high > low, high - low, 1), 0, 1)
    theta = breaks[last] + part * (breaks[last + 1] - breaks[last])
    point = jnp.clip(v - theta, 0, scale)
    # The sums are rounded at the scale of their largest; the rest is spread where there is room.
    between = (point > 0) & (point < scale)
    rest = (target - tv.total(point)) / jnp.maximum(jnp.sum(between), 1).astype(v.dtype)
    return jnp.clip(jnp.where(between, point + rest, point), 0, scale)
