# SPDX-License-Identifier: Apache-2.0
"""Polytopes of matrices with given row and column sums.

They are sets of matrices (m, n), which are the last two axes of each leaf. Leading axes make a leaf
a stack of them, and a stack or a tree with several leaves is a point of the product.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_map_with_path

from .. import _tree_vector as tv
from ._set_arguments import as_bound, require_array, require_positive
from ._transportation_simplex import cheapest_plan
from .constraint_set import ConstraintSet, register, tolerance

__all__ = ["birkhoff_polytope", "transport_polytope"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class birkhoff_polytope(ConstraintSet):
    """`{X in R^(n x n) : X >= 0, X 1 = 1, X^T 1 = 1}`, the doubly stochastic matrices.

    Matrices are the last two axes of each leaf; leading axes and further leaves make a product.

    - lmo: the permutation matrix of an optimal assignment, by the Hungarian algorithm of optax,
      O(n^3). Of several optimal ones it returns the one that the algorithm meets, always the same.
    - diameter: sqrt(2 n) a matrix (0 for n = 1): two permutations without a common entry.
    - project: none, it is a quadratic program.
    - retract: max(X, 0), its rows and then its columns scaled down to sums of at most 1, and what
      is missing added as a matrix of rank one.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> jax.jit(birkhoff_polytope().lmo)(jnp.array([[2.0, 1.0], [0.0, 0.5]])).tolist()
        [[0.0, 1.0], [1.0, 0.0]]

    References:
        Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics
        Quarterly 2 (1955).
        Altschuler, Weed, Rigollet, "Near-linear time approximation algorithms for optimal
        transport via Sinkhorn iteration", NeurIPS 2017, arXiv:1705.09634 (the retraction).
    """

    def _lmo(self, direction: PyTree) -> PyTree:
        def permutation(costs: jax.Array) -> jax.Array:
            _, scaled = tv.scale_by_largest(costs)
            i, j = optax.assignment.hungarian_algorithm(scaled.astype(tv.default_dtype()))
            return jnp.zeros(costs.shape, costs.dtype).at[i, j].set(1)

        _require_matrices("direction", direction, None)
        return jax.tree.map(lambda leaf: _map_stack(permutation, leaf), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        _require_matrices("like", like, None)
        squares = [2 * tv.dimension(v) for v in jax.tree.leaves(like) if v.shape[-1] > 1]
        # A stack of matrices (n, n) with s entries has s / n^2 of them, of squared diameter 2 n.
        sizes = [v.shape[-1] for v in jax.tree.leaves(like) if v.shape[-1] > 1]
        total = sum(square / n for square, n in zip(squares, sizes, strict=True))
        return jnp.asarray(math.sqrt(total), tv.default_dtype())

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        _require_matrices("x", x, None)
        flags = [
            _has_marginals(v, *_ones(v), tolerance(atol, v, jnp.ones((), tv.wide_dtype(v))))
            for v in jax.tree.leaves(x)
        ]
        return jnp.all(jnp.stack([jnp.array(True), *flags]))

    def _retract(self, x: PyTree) -> PyTree:
        _require_matrices("x", x, None)
        return jax.tree.map(lambda v: _onto_marginals(v, *_ones(v)), x)


@final
@register
@dataclasses.dataclass(frozen=True)
class transport_polytope(ConstraintSet):
    """`{X in R^(m x n) : X >= 0, X 1 = rows, X^T 1 = columns}`, the plans between two measures.

    Matrices are the last two axes of each leaf; leading axes and further leaves make a product.

    - lmo: an optimal vertex (at most m + n - 1 entries are not 0, and their graph has no cycle) by
      the network simplex method, whatever the degeneracy. A pivot costs O(m n); for m = n from 10
      to 200 there were 1 to 5 times m + n of them on random costs. No polynomial bound is known,
      and the answer is NaN after (m + n)^2 + 20 m n. It runs in the widest dtype that is enabled.
    - diameter: the upper bound sqrt(2) min(|rows|_2, |columns|_2). The exact diameter is NP-hard:
      for two equal columns it is sqrt(2) |rows|_2 if and only if the rows can be split in halves of
      equal sum. For m = n and uniform marginals the bound is exact.
    - project: none, it is a quadratic program.
    - retract: max(X, 0), its rows and then its columns scaled down to sums of at most the given
      ones, and what is missing added as a matrix of rank one.

    Args:
        rows: array (m,), positive and finite.
        columns: array (n,), likewise, with the sum of `rows` to the round-off of float32.

    Raises:
        TypeError: an argument holds no real numbers.
        ValueError: an argument is not positive and finite, the sums differ, or the shape of a
            leaf is not (..., m, n).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> plans = transport_polytope(jnp.array([2.0, 1.0]), jnp.array([1.0, 1.0, 1.0]))
        >>> jax.jit(plans.lmo)(jnp.array([[1.0, 5.0, 1.0], [1.0, 3.0, 2.0]])).tolist()
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]

    References:
        Cunningham, "A network simplex method", Mathematical Programming 11 (1976).
        Altschuler, Weed, Rigollet, "Near-linear time approximation algorithms for optimal
        transport via Sinkhorn iteration", NeurIPS 2017, arXiv:1705.09634 (the retraction).
    """

    rows: jax.Array
    columns: jax.Array

    def __post_init__(self) -> None:
        for name, marginal in (("rows", self.rows), ("columns", self.columns)):
            require_array(name, marginal, 1)
            require_positive(name, marginal)
        if tv.is_concrete(self.rows) and tv.is_concrete(self.columns):
            with jax.ensure_compile_time_eval():
                sums = [
                    jnp.sum(jnp.asarray(v, tv.default_dtype()), axis=-1)
                    for v in (self.rows, self.columns)
                ]
                if not bool(jnp.all(abs(sums[0] - sums[1]) <= 1e-6 * sums[0])):
                    raise ValueError(
                        f"rows and columns must have the same sum, got {sums[0]} and {sums[1]}."
                    )

    def _marginals(self, dtype: Any) -> tuple[jax.Array, jax.Array]:
        rows, columns = as_bound("rows", self.rows, dtype), as_bound("columns", self.columns, dtype)
        # Their sums differ by round-off.
        return rows, columns * (jnp.sum(rows) / jnp.sum(columns))

    def _require(self, name: str, x: PyTree) -> None:
        shapes = jnp.shape(self.rows), jnp.shape(self.columns)
        if len(shapes[0]) != 1 or len(shapes[1]) != 1:
            raise ValueError(
                f"rows and columns must have one axis here, got the shapes {shapes[0]} and "
                f"{shapes[1]}; a batch of sets is for jax.vmap."
            )
        _require_matrices(name, x, shapes[0] + shapes[1])

    def _lmo(self, direction: PyTree) -> PyTree:
        self._require("direction", direction)
        marginals = self._marginals(tv.default_dtype())

        def plan(costs: jax.Array) -> jax.Array:
            return cheapest_plan(costs.astype(marginals[0].dtype), *marginals).astype(costs.dtype)

        return jax.tree.map(lambda leaf: _map_stack(plan, leaf), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        self._require("like", like)
        rows, columns = self._marginals(tv.default_dtype())
        matrices = tv.dimension(like) // (rows.size * columns.size)
        return math.sqrt(2 * matrices) * jnp.minimum(tv.norm(rows), tv.norm(columns))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        self._require("x", x)

        def inside(v: jax.Array) -> jax.Array:
            rows, columns = self._marginals(tv.wide_dtype(v))
            return _has_marginals(v, rows, columns, tolerance(atol, v, jnp.sum(rows)))

        return jnp.all(jnp.stack([jnp.array(True), *map(inside, jax.tree.leaves(x))]))

    def _retract(self, x: PyTree) -> PyTree:
        self._require("x", x)
        return jax.tree.map(lambda v: _onto_marginals(v, *self._marginals(tv.wide_dtype(v))), x)


def _require_matrices(name: str, tree: PyTree, shape: tuple[int, ...] | None) -> None:
    """Raises unless the last two axes of every leaf have the given shape, or are square."""

    def check(path: Any, leaf: Any) -> None:
        found = tuple(leaf.shape)
        fits = len(found) >= 2 and (found[-2:] == shape if shape else found[-1] == found[-2])
        if not fits:
            wanted = f"end with {shape}" if shape else "end with two equal axes"
            raise ValueError(f"{name}{keystr(path)} must {wanted}, got the shape {found}.")

    tree_map_with_path(check, tree)


def _map_stack(function: Callable[[jax.Array], jax.Array], leaf: jax.Array) -> jax.Array:
    """The function of each matrix of a stack."""
    for _ in range(leaf.ndim - 2):
        function = jax.vmap(function)
    return function(leaf) if leaf.size else leaf


def _ones(leaf: jax.Array) -> tuple[jax.Array, jax.Array]:
    ones = jnp.ones(leaf.shape[-1], tv.wide_dtype(leaf))
    return ones, ones


def _has_marginals(
    leaf: jax.Array, rows: jax.Array, columns: jax.Array, slack: jax.Array
) -> jax.Array:
    x = tv.widen(leaf)
    row_errors = jnp.sum(x, axis=-1) - jnp.broadcast_to(rows, x.shape[:-1])
    column_errors = jnp.sum(x, axis=-2) - jnp.broadcast_to(columns, x.shape[:-2] + x.shape[-1:])
    flags = [jnp.all(x >= -slack)]
    flags += [jnp.all(abs(errors) <= slack) for errors in (row_errors, column_errors)]
    return jnp.all(jnp.stack(flags))


def _onto_marginals(leaf: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    def one(x: jax.Array) -> jax.Array:
        x = jnp.maximum(x, 0)
        x = x * _shrinkage(jnp.sum(x, axis=1), rows)[:, None]
        x = x * _shrinkage(jnp.sum(x, axis=0), columns)[None, :]
        missing_rows = jnp.maximum(rows - jnp.sum(x, axis=1), 0)
        missing_columns = jnp.maximum(columns - jnp.sum(x, axis=0), 0)
        mass = jnp.sum(missing_rows)
        return x + missing_rows[:, None] * (missing_columns / jnp.where(mass > 0, mass, 1))[None, :]

    return _map_stack(one, tv.widen(leaf)).astype(leaf.dtype)


def _shrinkage(sums: jax.Array, bounds: jax.Array) -> jax.Array:
    return bounds / jnp.maximum(sums, bounds)
