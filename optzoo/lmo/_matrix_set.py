# SPDX-License-Identifier: Apache-2.0
"""Sets of matrices: what they share, and the decompositions they are made of.

Stacked eigenvalue, QR and singular value decompositions can block each other's threads on CPUs:
under `vmap`, and over the matrices of a stack, they run one after the other. This is also why
reverse-mode derivatives do not pass through them; forward-mode ones do.
"""

import abc
import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path

from .. import _tree_vector as tv
from ._leading_eigenvectors import basis_size, leading_eigenvectors, times
from .constraint_set import ConstraintSet

__all__: list[str] = []

PyTree: TypeAlias = Any
_Function = TypeVar("_Function", bound=Callable[..., Any])

# Up to this size of the smaller side a decomposition costs no more than an iteration does.
SMALL = 64


class MatrixSet(ConstraintSet):
    """A set of m x n matrices, and of trees of stacks of them: the last two axes are a matrix's.

    Each matrix of each leaf lies in a copy of the set, so that the whole is their product. A
    concrete set implements the hooks below for one matrix, of dtype float32 or float64.
    """

    @abc.abstractmethod
    def _check_matrix(self, name: str, m: int, n: int) -> None:
        """Raises ValueError unless the set has m x n matrices."""

    @abc.abstractmethod
    def _scalar(self, dtype: Any) -> jax.Array:
        """The radius or the scale in a dtype, in whose range it has to be."""

    @abc.abstractmethod
    def _vertex(self, direction: jax.Array) -> jax.Array:
        """The oracle, for a direction whose largest entry in modulus is 1."""

    @abc.abstractmethod
    def _width(self, m: int, n: int) -> jax.Array:
        """The diameter."""

    @abc.abstractmethod
    def _holds(self, x: jax.Array, slack: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """Membership; `slack` makes a tolerance of the size of the set."""

    @abc.abstractmethod
    def _nearest(self, x: jax.Array) -> jax.Array:
        """The projection."""

    @abc.abstractmethod
    def _pulled(self, x: jax.Array) -> jax.Array:
        """The retraction."""

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array) -> jax.Array:
            largest, scaled = tv.scale_by_largest(g)
            # The zero direction is read as -e_0 e_0'.
            return self._vertex(jnp.where(largest == 0, -_first_entry(g), scaled))

        for leaf in jax.tree.leaves(direction):
            self._scalar(leaf.dtype)
        return self._on_each_matrix(vertex, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        widths = [
            math.sqrt(math.prod(jnp.shape(leaf)[:-2])) * self._width(*jnp.shape(leaf)[-2:])
            for leaf in self._checked(like)
        ]
        return tv.norm([width.astype(tv.default_dtype()) for width in widths]).astype(
            tv.default_dtype()
        )

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        # The tolerance is of the whole tree: that of its coarsest dtype.
        eps = tv.coarsest_eps(x)

        def slack(size: jax.Array) -> jax.Array:
            return 10 * eps * size if atol is None else jnp.asarray(atol, size.dtype)

        def holds(leaf: jax.Array) -> jax.Array:
            return _on_stack(lambda matrix: self._holds(matrix, slack), leaf)

        flags = [jnp.all(holds(leaf)) for leaf in self._checked(x)]
        return jnp.all(jnp.stack([jnp.array(True), *flags]))

    def _project(self, x: PyTree) -> PyTree:
        return self._on_each_matrix(self._nearest, x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._on_each_matrix(self._pulled, x)

    def _on_each_matrix(self, function: Callable[[jax.Array], jax.Array], tree: PyTree) -> PyTree:
        self._checked(tree)

        def on_leaf(leaf: jax.Array) -> jax.Array:
            return _on_stack(function, leaf).reshape(leaf.shape).astype(leaf.dtype)

        return jax.tree.map(on_leaf, tree)

    def _checked(self, tree: PyTree) -> list[Any]:
        """The leaves, all of them matrices of the set or stacks of such."""
        for path, leaf in tree_leaves_with_path(tree):
            name, shape = f"the leaf{keystr(path)}", jnp.shape(leaf)
            if len(shape) < 2 or 0 in shape[-2:]:
                raise ValueError(
                    f"{type(self).__name__} takes matrices, or stacks of them along leading axes: "
                    f"{name} must have shape (..., m, n) with m, n >= 1, got {shape}."
                )
            self._check_matrix(name, *shape[-2:])
        return jax.tree.leaves(tree)


def _on_stack(function: Callable[[jax.Array], jax.Array], leaf: jax.Array) -> jax.Array:
    """The function of each matrix, stacked along one axis unless there is one matrix only."""
    wide = leaf.astype(tv.wide_dtype(leaf))
    if leaf.ndim == 2:
        return function(wide)
    return jax.vmap(function)(wide.reshape(-1, *leaf.shape[-2:]))


def _first_entry(matrix: jax.Array) -> jax.Array:
    return jnp.zeros_like(matrix).at[0, 0].set(1)


def _one_at_a_time(function: _Function) -> _Function:
    # Compiled as a whole outside jit too, where each of its operations would be otherwise.
    return jax.jit(jax.custom_batching.sequential_vmap(function))  # type: ignore[return-value]


def _finite_or_nan(matrix: jax.Array) -> jax.Array:
    # LAPACK's singular value decomposition of an infinity does not return; that of a NaN does.
    return jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, jnp.nan)


@_one_at_a_time
def singular_values(matrix: jax.Array) -> jax.Array:
    """In descending order."""
    values: jax.Array = jnp.linalg.svd(_finite_or_nan(matrix), compute_uv=False)
    return values


@_one_at_a_time
def decompose(matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The thin singular value decomposition: U, the values in descending order, V'."""
    left, values, right = jnp.linalg.svd(_finite_or_nan(matrix), full_matrices=False)
    return left, values, right


@_one_at_a_time
def eigenvalues(symmetric: jax.Array) -> jax.Array:
    """In ascending order."""
    return jnp.linalg.eigvalsh(symmetric)


@_one_at_a_time
def diagonalize(symmetric: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues in ascending order, and eigenvectors, one a column."""
    values, vectors = jnp.linalg.eigh(symmetric)
    return values, vectors


@_one_at_a_time
def leading_singular_pair(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Unit vectors u and v with Av = |Av| u and |Av| the largest singular value, of A not zero.

    By an eigenvalue decomposition of the smaller Gram matrix up to the size SMALL, which loses
    half of the digits of small singular values and none of the largest; by products with A and A'
    alone above it.
    """
    m, n = matrix.shape
    tall = matrix if m >= n else matrix.T
    size = min(m, n)
    if size <= SMALL:
        right = jnp.linalg.eigh(times(tall.T, tall))[1][:, -1]
    else:
        # Rows from the left: XLA copies a transposed matrix in every product on CPUs.
        right = leading_eigenvectors(
            lambda rows: times(times(rows, tall.T), tall), size, 1, matrix.dtype
        )[0]
    right = right / jnp.linalg.norm(right)
    left = times(tall, right)
    left = left / jnp.linalg.norm(left)
    return (left, right) if m >= n else (right, left)


def least_eigenvectors(symmetric: jax.Array, count: int) -> jax.Array:
    """Orthonormal eigenvectors of the least eigenvalues, shape (n, count).

    By a full decomposition up to the size SMALL, and where so many vectors are asked for that an
    iteration has no room; by products with the matrix alone otherwise.
    """
    return _least_eigenvectors(count)(symmetric)


@functools.cache
def _least_eigenvectors(count: int) -> Callable[[jax.Array], jax.Array]:
    @_one_at_a_time
    def vectors(symmetric: jax.Array) -> jax.Array:
        n = symmetric.shape[0]
        # So much room, and more than it must have, the iteration needs to be the faster one.
        if n <= max(SMALL, 2 * (basis_size(count) - basis_size(0))):
            return jnp.linalg.eigh(symmetric)[1][:, :count]
        found = leading_eigenvectors(lambda r: -times(r, symmetric), n, count, symmetric.dtype)
        # Restarts add up the round-off of their rotations.
        return jnp.linalg.qr(found.T)[0]

    return vectors
