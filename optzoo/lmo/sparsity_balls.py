# SPDX-License-Identifier: Apache-2.0
"""Balls whose extreme points are sparse, or sparse in groups, and the balls dual to them."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._gauge import NormBall, away_from, scaled_vector
from ._order_statistic import largest_mask
from ._set_arguments import (
    as_bound,
    as_scalar,
    require_array,
    require_count,
    require_positive,
    require_range,
)
from .constraint_set import STATIC, register
from .simplices import project_onto_simplex

__all__ = [
    "group_lasso_ball",
    "k_norm_ball",
    "k_support_ball",
    "ordered_weighted_l1_ball",
    "top_k_l2_ball",
]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class k_support_ball(NormBall):
    """`{x : |x|_k <= radius}` = conv{x : |x|_2 <= radius, at most k entries are not 0}.

    The k-support norm is dual to the Euclidean norm of the k largest magnitudes, whose ball is
    `top_k_l2_ball`. With the magnitudes descending, z_1 >= ... >= z_d, its square is
    sum_{i<j} z_i^2 + (sum_{i>=j} z_i)^2 / (k - j + 1), j <= k the largest index for which z_{j-1}
    exceeds the mean (sum_{i>=j} z_i) / (k - j + 1).

    - lmo: -radius g_K / |g_K|_2 with K the k largest |g_i|; radius e_0 for g = 0.
    - diameter: 2 radius.
    - project: none that is cheap.
    - retract: x min(1, radius / |x|_k), by one sort.

    Args:
        k: int of at least 1; from the dimension on, the set is `l2_ball(radius)`; for 1 it is
            `l1_ball(radius)`.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int, or `radius` no real number.
        ValueError: `k` is below 1, or `radius` not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> s = k_support_ball(2, 10.0).lmo(jnp.array([3.0, 1.0, -4.0]))
        >>> [round(x, 4) for x in s.tolist()]
        [-6.0, 0.0, 8.0]

    References:
        Argyriou, Foygel, Srebro, "Sparse prediction with the k-support norm", NeurIPS 2012,
        arXiv:1204.5043.
    """

    k: int = dataclasses.field(metadata=STATIC)
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector, is_zero = scaled_vector(direction)
        kept = largest_mask(abs(vector), min(self.k, vector.size))
        first = tv.first_entry(vector).astype(vector.dtype)
        magnitudes = jnp.where(is_zero, first, jnp.where(kept, abs(vector), 0))
        norm = jnp.sqrt(tv.total(magnitudes**2))
        radius = as_scalar("radius", self.radius, vector.dtype)
        point = jnp.where(magnitudes > 0, away_from(vector) * (radius * (magnitudes / norm)), 0)
        return tv.split_like(point, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        return radius * (2 if tv.dimension(like) else 0)

    def _norm(self, x: PyTree) -> jax.Array:
        largest, scaled = tv.scale_by_largest(x)
        magnitudes = abs(tv.concatenate(scaled))
        k = min(self.k, magnitudes.size)
        dual = jnp.maximum(magnitudes, _mean_of_the_tail(magnitudes, k))
        # dual / |dual| is where the duality of the two norms is tight.
        size = jnp.where(largest == 0, 1, _top_k_norm(dual, k))
        return largest * (tv.total(dual * magnitudes) / size)


@final
@register
@dataclasses.dataclass(frozen=True)
class top_k_l2_ball(NormBall):
    """`{x : the k largest |x_i| have a Euclidean norm of at most radius}`, k-support's dual ball.

    - lmo: -radius sign(g_i) y_i / |y|, y_i = max(|g_i|, m), with m the mean of the tail of g in
      the k-support norm (see `k_support_ball`) and |y| the norm of the set; no coordinate is 0
      where m is not.
    - diameter: 2 radius max(1, sqrt(d / k)): the longest vector has equal magnitudes.
    - project: none that is cheap.
    - retract: x min(1, radius / |x|), |x| the norm of the set.

    Args:
        k: int of at least 1; from the dimension on, the set is `l2_ball(radius)`; for 1 it is
            `linf_ball(radius)`.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int, or `radius` no real number.
        ValueError: `k` is below 1, or `radius` not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> s = top_k_l2_ball(2, 5.0).lmo(jnp.array([-8.0, 4.0, 2.0]))
        >>> [round(x, 4) for x in s.tolist()]
        [4.0, -3.0, -3.0]

    References:
        Argyriou, Foygel, Srebro, "Sparse prediction with the k-support norm", NeurIPS 2012,
        arXiv:1204.5043.
    """

    k: int = dataclasses.field(metadata=STATIC)
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector, is_zero = scaled_vector(direction)
        if not vector.size:
            return direction
        k = min(self.k, vector.size)
        magnitudes = jnp.maximum(abs(vector), _mean_of_the_tail(abs(vector), k))
        magnitudes = jnp.where(is_zero, 1, magnitudes)
        radius = as_scalar("radius", self.radius, vector.dtype)
        point = radius * (magnitudes / _top_k_norm(magnitudes, k))
        return tv.split_like(away_from(vector) * point, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius, d = as_scalar("radius", self.radius, tv.default_dtype()), tv.dimension(like)
        return radius * (2 * math.sqrt(max(1, d / self.k)) if d else 0)

    def _norm(self, x: PyTree) -> jax.Array:
        largest, scaled = tv.scale_by_largest(x)
        magnitudes = abs(tv.concatenate(scaled))
        return largest * _top_k_norm(magnitudes, min(self.k, magnitudes.size))


@final
@register
@dataclasses.dataclass(frozen=True)
class k_norm_ball(NormBall):
    """`{x : the k largest |x_i| sum to at most radius}`, the ball of the vector K-norm.

    It is conv(B_1(radius) ∪ B_inf(radius / k)), the polar of `k_sparse_polytope(k, 1 / radius)`.

    - lmo: the l1 ball's vertex, -radius sign(g_i) e_i with i the first index of max |g_i|, where
      max |g_i| >= |g|_1 / k; else the cube's, -(radius / k) sign(g_i) in every coordinate. For
      k = 1, the cube's; k = 1 is `linf_ball(radius)`.
    - diameter: 2 radius max(1, sqrt(d) / k).
    - project: none that is cheap.
    - retract: x min(1, radius / |x|), |x| the K-norm.

    Args:
        k: int of at least 1; from the dimension on, the set is `l1_ball(radius)`.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int, or `radius` no real number.
        ValueError: `k` is below 1, or `radius` not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = k_norm_ball(2, 1.0)
        >>> ball.lmo(jnp.array([5.0, 1.0, -1.0])).tolist()
        [-1.0, 0.0, 0.0]
        >>> ball.lmo(jnp.array([5.0, 4.0, -2.0])).tolist()
        [-0.5, -0.5, 0.5]

    References:
        Kerdreux, d'Aspremont, Pokutta, "Projection-free optimization on uniformly convex sets",
        AISTATS 2021, arXiv:2004.11053 (Frank-Wolfe on balls of this kind).
    """

    k: int = dataclasses.field(metadata=STATIC)
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector, _ = scaled_vector(direction)
        radius = as_scalar("radius", self.radius, vector.dtype)
        k = min(self.k, max(vector.size, 1))
        # For k = 1 < d no e_i is an extreme point; from k = d on, no corner of the cube is.
        is_cube = jnp.max(abs(vector), initial=0) * k < tv.absolute_total(vector)
        is_cube = {1: jnp.array(True), vector.size: jnp.array(False)}.get(k, is_cube)
        size = jnp.where(is_cube, radius / k, radius)
        used = is_cube | tv.first_argmax(abs(vector))
        return tv.split_like(jnp.where(used, away_from(vector) * size, 0), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius, d = as_scalar("radius", self.radius, tv.default_dtype()), tv.dimension(like)
        return radius * (2 * max(1, math.sqrt(d) / self.k) if d else 0)

    def _norm(self, x: PyTree) -> jax.Array:
        magnitudes = abs(tv.concatenate(x))
        return tv.total(jax.lax.top_k(magnitudes, min(self.k, magnitudes.size))[0])


@final
@register
@dataclasses.dataclass(frozen=True)
class ordered_weighted_l1_ball(NormBall):
    """`{x : sum_i weights_i |x|_(i) <= radius}`, |x|_(1) >= |x|_(2) >= ... the sorted magnitudes.

    The ball of the OWL or SLOPE norm. Weights (1, ..., 1) make it the l1 ball, (1, 0, ..., 0) the
    cube, and k ones followed by zeros `k_norm_ball(k, radius)`.

    - lmo: with W_j = weights_1 + ... + weights_j and j the first index of max (|g|_(1) + ... +
      |g|_(j)) / W_j: -(radius / W_j) sign(g_i) at the j largest |g_i|, 0 elsewhere.
    - diameter: 2 radius max_j sqrt(j) / W_j, between opposite vertices.
    - project: none that is cheap.
    - retract: x min(1, radius / |x|), |x| the norm of the set, by one sort.

    Args:
        weights: array of shape (d,) for the d coordinates of the tree: not negative, not
            increasing, the first one positive.
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: an argument holds no real numbers.
        ValueError: the weights are not such, or their number is not that of the coordinates;
            `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = ordered_weighted_l1_ball(jnp.array([3.0, 1.0, 0.0]), 12.0)
        >>> ball.lmo(jnp.array([2.0, -1.9, 0.1])).tolist()
        [-3.0, 3.0, -3.0]

    References:
        Bogdan, van den Berg, Sabatti, Su, Candès, "SLOPE: adaptive variable selection via convex
        optimization", 2015, arXiv:1407.3824.
    """

    weights: jax.Array
    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_array("weights", self.weights, 1)
        require_positive("radius", self.radius)
        if tv.is_concrete(self.weights):
            with jax.ensure_compile_time_eval():
                w = jnp.asarray(self.weights, tv.default_dtype())
                good = jnp.all(w[..., 1:] <= w[..., :-1]) & jnp.all(w >= 0)
                if not w.shape[-1] or not bool(good & jnp.all(w[..., 0] > 0)):
                    raise ValueError(
                        "weights must not increase nor be negative, the first one being positive, "
                        f"got {self.weights}."
                    )

    def _weights(self, tree: PyTree, dtype: Any) -> jax.Array:
        d = tv.dimension(tree)
        if jnp.shape(self.weights) != (d,):
            raise ValueError(
                f"weights must have the shape ({d},) of the argument's coordinates, "
                f"got {jnp.shape(self.weights)}."
            )
        return as_bound("weights", self.weights, dtype)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        vector, _ = scaled_vector(direction)
        radius = as_scalar("radius", self.radius, vector.dtype)
        if not vector.size:
            return direction
        # At once if the weights are known: XLA would take seconds to fold sums of constants.
        with jax.ensure_compile_time_eval():
            weights = self._weights(direction, vector.dtype)
            sums = jnp.cumsum(weights)
        order = jnp.argsort(-abs(vector))
        ratios = jnp.cumsum(abs(vector)[order]) / sums
        # Equal weights make these ratios means, which exceed the first by round-off alone.
        is_mean = (weights == weights[0]).at[0].set(False)
        count = jnp.argmax(jnp.where(is_mean, -1, ratios))
        # Where all further weights are 0 further coordinates are free: extreme points take all.
        reach = jnp.where(count + 1 < jnp.sum(weights > 0), count, order.size - 1)
        rank = jnp.zeros_like(order).at[order].set(jnp.arange(order.size, dtype=order.dtype))
        vertex = jnp.where(rank <= reach, away_from(vector) * (radius / sums[count]), 0)
        return tv.split_like(vertex, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        sums = jnp.cumsum(self._weights(like, radius.dtype))
        counts = jnp.arange(1, sums.size + 1, dtype=radius.dtype)
        return 2 * radius * jnp.max(jnp.sqrt(counts) / sums)

    def _norm(self, x: PyTree) -> jax.Array:
        vector = tv.concatenate(x)
        weights = self._weights(x, vector.dtype)
        return tv.total(weights * jnp.sort(abs(vector), descending=True))


@final
@register
@dataclasses.dataclass(frozen=True)
class group_lasso_ball(NormBall):
    """`{x : sum over groups G of |x_G|_2 <= radius}`, the ball of the l1/l2 mixed norm.

    A group is a row, a slice along the last axis of a leaf: a matrix (m, n) holds m groups of n, a
    vector is one group, a number is one too. Columns, or other axes, are groups after a transpose.

    - lmo: -radius g_G / |g_G|_2 in the first group G of largest |g_G|_2, 0 elsewhere; radius e_0
      for g = 0 (subnormal numbers count as 0).
    - diameter: 2 radius.
    - project: x_G max(1 - theta / |x_G|_2, 0), theta >= 0 such that the norm is radius; to the
      round-off of the largest |x_G|_2.
    - retract: x min(1, radius / |x|), |x| the mixed norm.

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> s = group_lasso_ball(10.0).lmo(jnp.array([[3.0, -4.0], [4.5, 0.0]]))
        >>> [[round(x, 4) for x in row] for row in s.tolist()]
        [[-6.0, 8.0], [0.0, 0.0]]

    References:
        Yuan, Lin, "Model selection and estimation in regression with grouped variables", Journal
        of the Royal Statistical Society B 68 (2006).
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        largest, scaled = tv.scale_by_largest(direction)
        first = tv.first_entry(scaled)
        # The zero direction is read as -e_0.
        descent = jax.tree.map(lambda v, e: jnp.where(largest == 0, e, -v), scaled, first)
        norms = jax.tree.map(_row_norms, descent)

        def extreme(v: jax.Array, norm: jax.Array, chosen: jax.Array) -> jax.Array:
            radius = as_scalar("radius", self.radius, v.dtype)
            return jnp.where(chosen, radius * (v / jnp.where(chosen, norm, 1)), 0)

        s = jax.tree.map(extreme, descent, norms, tv.first_argmax(norms))
        return tv.cast_like(s, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        return radius * (2 if tv.dimension(like) else 0)

    def _norm(self, x: PyTree) -> jax.Array:
        largest, scaled = tv.scale_by_largest(x)
        return largest * tv.total(jax.tree.map(_row_norms, scaled))

    def _project(self, x: PyTree) -> PyTree:
        largest, scaled = tv.scale_by_largest(x)
        radius = as_scalar("radius", self.radius, largest.dtype)
        units = jax.tree.map(_row_norms, scaled)
        norms = jax.tree.map(lambda norm: largest * norm, units)
        shrunk = tv.split_like(project_onto_simplex(tv.concatenate(norms), radius), norms)

        def onto(v: jax.Array, unit: jax.Array, size: jax.Array) -> jax.Array:
            return jnp.where(unit == 0, 0, size * (v / jnp.where(unit == 0, 1, unit)))

        on_sphere = tv.cast_like(jax.tree.map(onto, scaled, units, shrunk), x)
        outside = tv.total(norms) > radius
        return jax.tree.map(lambda s, leaf: jnp.where(outside, s, leaf), on_sphere, x)


def _row_norms(leaf: jax.Array) -> jax.Array:
    """The norm of each row, with a last axis of length 1 unless the leaf is a number."""
    return jnp.sqrt(jnp.sum(leaf**2, axis=-1, keepdims=True)) if leaf.ndim else abs(leaf)


def _top_k_norm(magnitudes: jax.Array, k: int) -> jax.Array:
    return jnp.sqrt(tv.total(jax.lax.top_k(magnitudes, k)[0] ** 2))


def _mean_of_the_tail(magnitudes: jax.Array, k: int) -> jax.Array:
    """The mean (sum_{i>=j} z_i) / (k - j + 1) of the k-support norm, z the sorted magnitudes."""
    if not k:
        return jnp.zeros((), magnitudes.dtype)
    descending = jnp.sort(magnitudes, descending=True)
    tails = jnp.flip(jnp.cumsum(jnp.flip(descending)))[:k]
    means = tails / jnp.arange(k, 0, -1, dtype=magnitudes.dtype)
    # j = 1 always does; of those that do, the largest.
    does = jnp.concatenate([jnp.array([True]), descending[: k - 1] > means[1:]])
    return means[k - 1 - jnp.argmax(jnp.flip(does))]
