# SPDX-License-Identifier: Apache-2.0
"""Ellipsoids: of given semi-axes along the coordinates, or the image of the unit ball."""

import dataclasses
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._set_arguments import (
    as_bound,
    bound_like,
    require_array,
    require_bound,
    require_positive_tree,
)
from .constraint_set import ConstraintSet, register

__all__ = ["ellipsoid", "rotated_ellipsoid"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class ellipsoid(ConstraintSet):
    """`{x : sum_i ((x_i - center_i) / semi_axes_i)^2 <= 1}`, its axes along the coordinates.

    - lmo: center - semi_axes u / |u|_2 with u_i = semi_axes_i g_i; u = -e_0 for g = 0.
    - diameter: 2 max semi_axes_i.
    - project: none, it is an equation in one unknown that has no closed form.
    - retract: center + (x - center) min(1, 1 / r), r the root of the sum that defines the set.
    - contains: by default r <= 1 + 10 eps (1 + |center / semi_axes|_2), eps of the coarsest dtype.

    Args:
        semi_axes: positive and finite number, array, or prefix tree of them of the arguments of
            the methods. A scalar serves all coordinates of its subtree, an array has the shape of
            its leaf.
        center: likewise, finite.

    Raises:
        TypeError: an argument is no real number.
        ValueError: `semi_axes` is not positive and finite, or `center` not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> E = ellipsoid(jnp.array([1.0, 2.0]), center=jnp.array([0.0, 10.0]))
        >>> E.lmo(jnp.array([0.0, 1.0])).tolist()
        [0.0, 8.0]
        >>> [round(x, 4) for x in E.lmo(jnp.array([4.0, -1.5])).tolist()]
        [-0.8, 11.2]
    """

    semi_axes: PyTree
    center: PyTree = 0.0

    def __post_init__(self) -> None:
        require_positive_tree("semi_axes", self.semi_axes)
        require_bound("center", self.center)

    def _vectors(self, x: PyTree) -> tuple[jax.Array, jax.Array]:
        """One semi-axis and one center for each coordinate."""

        def spread(name: str, value: Any) -> jax.Array:
            def broadcast(leaf: Any, number: Any) -> jax.Array:
                as_bound(name, number, leaf.dtype)
                return jnp.broadcast_to(as_bound(name, number, tv.wide_dtype(x)), leaf.shape)

            return tv.concatenate(jax.tree.map(broadcast, x, bound_like(name, value, x)))

        return spread("semi_axes", self.semi_axes), spread("center", self.center)

    def _lmo(self, direction: PyTree) -> PyTree:
        axes, center = self._vectors(direction)
        _, scaled = tv.scale_by_largest(tv.concatenate(direction))
        unit = _descent(scaled * (axes / jnp.max(axes, initial=0)))
        return tv.split_like(center + axes * unit, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        dtype = tv.default_dtype()

        def largest(leaf: Any, number: Any) -> jax.Array:
            used = as_bound("semi_axes", number, dtype)
            return jnp.max(used, initial=0) if tv.dimension(leaf) else jnp.zeros((), dtype)

        bounds = bound_like("semi_axes", self.semi_axes, like)
        found = jax.tree.leaves(jax.tree.map(largest, like, bounds))
        return 2 * jnp.max(jnp.stack([jnp.zeros((), dtype), *found]))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        axes, center = self._vectors(x)
        slack = 10 * tv.coarsest_eps(x) * (1 + tv.norm(center / axes)) if atol is None else atol
        return tv.norm((tv.concatenate(x) - center) / axes) <= 1 + slack

    def _retract(self, x: PyTree) -> PyTree:
        axes, center = self._vectors(x)
        offset = tv.concatenate(x) - center
        return tv.split_like(center + offset / jnp.maximum(tv.norm(offset / axes), 1), x)


@final
@register
@dataclasses.dataclass(frozen=True)
class rotated_ellipsoid(ConstraintSet):
    """`{x : (x - center)^T A^-1 (x - center) <= 1}` = {center + L u : |u|_2 <= 1}, A = L L^T.

    The tree is read as one vector of d coordinates.

    - lmo: center - L u / |u|_2 with u = L^T g; u = -e_0 for g = 0.
    - diameter: 2 sigma_1(L), twice the longest semi-axis.
    - project: none, it needs the eigenvectors of A.
    - retract: center + (x - center) min(1, 1 / r), r = |L^-1 (x - center)|_2.
    - contains: by default r <= 1 + 10 eps |v|_2 with v = |L^-1| (|center| + |L| 1), which is what
      the round-off of a point of the set amounts to, eps that of the coarsest dtype.

    Args:
        cholesky: array (d, d), the factor L: lower triangular, no zeros on the diagonal.
        center: finite number or array (d,).

    Raises:
        TypeError: an argument holds no real numbers, or `cholesky` has no two axes.
        ValueError: `cholesky` is not square, not lower triangular or singular; an argument is not
            finite or does not fit the number of coordinates.

    Example:
        >>> import jax.numpy as jnp
        >>> E = rotated_ellipsoid(jnp.array([[5.0, 0.0], [4.0, 3.0]]))
        >>> E.lmo(jnp.array([0.0, 1.0])).tolist()
        [-4.0, -5.0]
    """

    cholesky: jax.Array
    center: float | jax.Array = 0.0

    def __post_init__(self) -> None:
        require_array("cholesky", self.cholesky, 2)
        require_bound("center", self.center)
        shape = jnp.shape(self.cholesky)
        if shape[-2] != shape[-1]:
            raise ValueError(f"cholesky must be square, got the shape {shape}.")
        if tv.is_concrete(self.cholesky):
            with jax.ensure_compile_time_eval():
                factor = jnp.asarray(self.cholesky)
                diagonal = jnp.diagonal(factor, axis1=-2, axis2=-1)
                if not bool(jnp.all(jnp.tril(factor) == factor) & jnp.all(diagonal != 0)):
                    raise ValueError(
                        "cholesky must be lower triangular, without zeros on the diagonal, "
                        f"got {self.cholesky}."
                    )

    def _constants(self, x: PyTree, dtype: Any) -> tuple[jax.Array, jax.Array]:
        d = tv.dimension(x)
        if jnp.shape(self.cholesky) != (d, d):
            raise ValueError(
                f"cholesky must have the shape ({d}, {d}) for the argument's coordinates, "
                f"got {jnp.shape(self.cholesky)}."
            )
        if jnp.shape(self.center) not in ((), (d,)):
            raise ValueError(
                f"center must be a number or have the shape ({d},), got {jnp.shape(self.center)}."
            )
        factor = as_bound("cholesky", self.cholesky, dtype)
        return factor, jnp.broadcast_to(as_bound("center", self.center, dtype), (d,))

    def _lmo(self, direction: PyTree) -> PyTree:
        _, vector = tv.scale_by_largest(tv.concatenate(direction))
        factor, center = self._constants(direction, vector.dtype)
        largest = jnp.max(abs(factor), initial=0)
        unit = _descent((factor / largest).T @ vector)
        return tv.split_like(center + factor @ unit, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        factor, _ = self._constants(like, tv.default_dtype())
        return 2 * _largest_singular_value(factor) if factor.size else jnp.zeros(())

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        vector = tv.concatenate(x)
        factor, center = self._constants(x, vector.dtype)
        inverse = abs(_solve(factor, jnp.eye(vector.size, dtype=vector.dtype)))
        rounded = tv.norm(inverse @ (abs(center) + jnp.sum(abs(factor), axis=1)))
        slack = 10 * tv.coarsest_eps(x) * rounded if atol is None else atol
        return tv.norm(_solve(factor, vector - center)) <= 1 + slack

    def _retract(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        factor, center = self._constants(x, vector.dtype)
        offset = vector - center
        return tv.split_like(center + offset / jnp.maximum(tv.norm(_solve(factor, offset)), 1), x)


def _descent(vector: jax.Array) -> jax.Array:
    """-v / |v|_2; e_0 for v = 0."""
    largest, scaled = tv.scale_by_largest(vector)
    first = tv.first_entry(vector).astype(vector.dtype)
    descent = jnp.where(largest == 0, first, -scaled)
    return descent / jnp.sqrt(tv.total(descent**2))


def _solve(factor: jax.Array, right: jax.Array) -> jax.Array:
    return jax.scipy.linalg.solve_triangular(factor, right, lower=True)


def _largest_singular_value(factor: jax.Array) -> jax.Array:
    def largest(matrix: jax.Array) -> jax.Array:
        return jnp.linalg.svd(matrix, compute_uv=False)[0]

    # A batch of singular value decompositions deadlocks on some CPUs.
    return jax.custom_batching.sequential_vmap(largest)(factor)
