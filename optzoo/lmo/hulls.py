# SPDX-License-Identifier: Apache-2.0
"""Any polytope, by its vertices."""

import dataclasses
from typing import Any, NamedTuple, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._set_arguments import as_bound, require_array
from .constraint_set import ConstraintSet, register, tolerance

__all__ = ["vertex_polytope"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class vertex_polytope(ConstraintSet):
    """`{x : x = sum_i w_i vertices_i, w >= 0, sum_i w_i = 1}`, the hull of the given points.

    The tree is read as one vector of d coordinates. Points that are no vertices of the hull do not
    harm, but the oracle may return one where it ties with a vertex that comes later.

    - lmo: vertices_i with i the first index of min <g, vertices_i>; O(m d).
    - diameter: the largest distance of two vertices; O(m^2 d).
    - contains: whether the l1 distance to the set is at most atol, by default 10 units of round-off
      of the coarsest dtype times the largest |vertex|_1.
    - project: none, it is a quadratic program.
    - retract: the point of the set that is nearest in the l1 norm.

    Membership and retraction solve a linear program by the simplex method, with a table of d + 1
    rows and m + 2 d + 1 columns: at about d pivots of O(d (m + d)) they are meant for small sets.

    Args:
        vertices: array (m, d), finite, m >= 1.

    Raises:
        TypeError: `vertices` holds no real numbers or has no two axes.
        ValueError: `vertices` is empty or not finite, or d is not the number of coordinates of the
            argument.

    Example:
        >>> import jax.numpy as jnp
        >>> triangle = vertex_polytope(jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]]))
        >>> triangle.lmo(jnp.array([-1.0, -1.0])).tolist()
        [4.0, 0.0]
        >>> float(triangle.diameter(jnp.zeros(2)))
        5.0
    """

    vertices: jax.Array

    def __post_init__(self) -> None:
        require_array("vertices", self.vertices, 2)
        if not jnp.shape(self.vertices)[-2]:
            raise ValueError(
                f"vertices must hold at least one, got the shape {jnp.shape(self.vertices)}."
            )

    def _vertices(self, x: PyTree, dtype: Any) -> jax.Array:
        shape, d = jnp.shape(self.vertices), tv.dimension(x)
        if len(shape) != 2 or shape[1] != d:
            raise ValueError(
                f"vertices must have the shape (m, {d}) for the coordinates of the argument, "
                f"got {shape}."
            )
        return as_bound("vertices", self.vertices, dtype)

    def _lmo(self, direction: PyTree) -> PyTree:
        for leaf in jax.tree.leaves(direction):
            self._vertices(direction, leaf.dtype)
        _, vector = tv.scale_by_largest(tv.concatenate(direction))
        vertices = self._vertices(direction, vector.dtype)
        # Equal vertices are to tie exactly, which blocks of a matrix product would not promise.
        values = jnp.sum(vertices * vector[None, :], axis=1)
        return tv.split_like(vertices[jnp.argmin(values)], direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        vertices = self._vertices(like, tv.default_dtype())

        def farthest(vertex: jax.Array) -> jax.Array:
            return jnp.max(jax.vmap(tv.norm)(vertices - vertex[None, :]))

        return jnp.max(jax.lax.map(farthest, vertices))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        vertices = self._vertices(x, tv.default_dtype())
        vector = tv.concatenate(x).astype(vertices.dtype)
        size = jnp.max(jnp.sum(abs(vertices), axis=1))
        distance = jnp.sum(abs(vector - _nearest(vector, vertices)))
        return distance <= tolerance(atol, x, size)

    def _retract(self, x: PyTree) -> PyTree:
        vertices = self._vertices(x, tv.default_dtype())
        return tv.split_like(_nearest(tv.concatenate(x).astype(vertices.dtype), vertices), x)


class _Table(NamedTuple):
    """A simplex table: rows B^-1 [A | b], then the reduced costs, and the basic column of each."""

    entries: jax.Array
    basis: jax.Array


def _nearest(x: jax.Array, vertices: jax.Array) -> jax.Array:
    """Argmin |x - V^T w|_1 over the weights w of the simplex; NaN where x is not finite.

    The linear program is min sum(r + t) with V^T w + r - t = x, sum(w) = 1 and w, r, t >= 0. It
    starts at the first vertex, and columns enter by Bland's rule. A simplex table breaks by
    rounding: what should be zero is not, and to divide by it loses all that was known. So the rows
    that end a step are all those that do so within the rounding of their values (Harris), and one
    of large slope is taken. With that, Bland's proof that no basis comes back is lost: the pivots
    are counted, and where they end the point is one of the hull, if not the nearest.
    """
    m, d = vertices.shape
    finite = jnp.all(jnp.isfinite(x))
    # Rounding is measured in units of the hull; the hull is translated to hold the origin.
    origin = vertices[0]
    size, shifted = tv.scale_by_largest(vertices - origin[None, :])
    size = jnp.where(size == 0, 1, size)
    target = jnp.where(finite, (x - origin) / size, 0)

    eps = float(tv.finfo(x.dtype).eps)
    sign = jnp.where(target < 0, -1, 1).astype(x.dtype)
    eye = jnp.eye(d, dtype=x.dtype)
    rows = jnp.concatenate([sign[:, None] * shifted.T, eye, -eye, abs(target)[:, None]], axis=1)
    total = jnp.concatenate([jnp.ones(m), jnp.zeros(2 * d), jnp.ones(1)]).astype(x.dtype)
    costs = jnp.concatenate([jnp.zeros(m), jnp.ones(2 * d), jnp.zeros(1)]).astype(x.dtype)
    entries = jnp.concatenate([rows, total[None], (costs - jnp.sum(rows, axis=0))[None]])
    start = _Table(entries, jnp.append(m + jnp.arange(d), 0))  # whose columns are unit vectors
    system, right = entries[:-1, :-1], entries[:-1, -1]

    def entering(entries: jax.Array) -> jax.Array:
        """Bland's rule: the first column of negative reduced cost."""
        return entries[-1, :-1] < -8 * eps

    def pivot(state: tuple[_Table, jax.Array]) -> tuple[_Table, jax.Array]:
        (entries, basis), pivots = state
        column = jnp.argmax(entering(entries))
        slope, values = entries[:-1, column], entries[:-1, -1]
        usable = slope > eps**0.75
        slope = jnp.where(usable, slope, 1)
        ratios = values / slope
        blocks = usable & (ratios <= jnp.min(jnp.where(usable, ratios + 2 * eps / slope, jnp.inf)))
        steep = blocks & (slope >= 0.1 * jnp.max(jnp.where(blocks, slope, 0)))
        # Of those that block first, the one whose basic column comes first.
        row = jnp.lexsort((basis, jnp.where(steep, ratios, jnp.inf)))[0]
        pivot_row = entries[row] / entries[row, column]
        updated = entries - entries[:, column][:, None] * pivot_row[None, :]
        updated = updated.at[row].set(pivot_row)
        updated = updated.at[:-1, -1].set(jnp.maximum(updated[:-1, -1], 0))
        return _Table(updated, basis.at[row].set(column)), pivots + 1

    def unfinished(state: tuple[_Table, jax.Array]) -> jax.Array:
        return jnp.any(entering(state[0].entries)) & (state[1] < 50 * (m + 2 * d))

    table, _ = jax.lax.while_loop(unfinished, pivot, (start, jnp.zeros((), int)))
    values = table.entries[:-1, -1]
    # The pivots have rounded. What the values miss is added to them, if that helps: a basis of
    # vertices that nearly agree makes large numbers of it.
    inverse = table.entries[:-1, start.basis]
    mended = values + inverse @ (right - system[:, table.basis] @ values)

    def sum_of_vertices(values: jax.Array) -> jax.Array:
        """A point of the hull, whatever the pivots have rounded."""
        weights = jnp.zeros(m + 2 * d, x.dtype).at[table.basis].add(jnp.maximum(values, 0))[:m]
        return (weights / jnp.sum(weights)) @ shifted

    points = jnp.stack([sum_of_vertices(values), sum_of_vertices(mended)])
    distances = jnp.sum(abs(points - target[None, :]), axis=1)
    nearest = origin + size * jnp.where(distances[1] < distances[0], points[1], points[0])
    return jnp.where(finite, nearest, jnp.where(jnp.isfinite(x), nearest, jnp.nan))
