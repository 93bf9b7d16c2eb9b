# SPDX-License-Identifier: Apache-2.0
"""Sets of matrices for arrays with more than two axes: kernels of convolutions, attention heads."""

import dataclasses
import math
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path

from .constraint_set import STATIC, ConstraintSet, register

__all__ = ["matricized"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class matricized(ConstraintSet):
    """`{x : M(x) in constraint}`, M(x) the matrix of a leaf: axes merged to rows and to columns.

    With `row_axes=-1` a kernel (height, width, in, out) of flax becomes the matrix
    (height width in, out); with `row_axes=1` one of equinox, (out, in, height, width), becomes
    (out, in height width), the transpose of the same matrix but for the order of its rows, which no
    set of singular values sees. Attention heads (in, heads, out) are matrices with `row_axes=1`.

    - lmo, project, retract: those of the constraint, in the shape of x.
    - diameter: that of the constraint.

    Args:
        constraint: a set of matrices, such as `spectral_norm_ball(1.0)`.
        row_axes: number of axes that are merged to rows, at least 1; or, negative, the number of
            axes that are merged to columns, with a minus.

    Raises:
        TypeError: `constraint` is no `ConstraintSet`, or `row_axes` no int.
        ValueError: `row_axes` is 0; or, from a method, a leaf has too few axes.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.lmo import spectral_norm_ball
        >>> kernel = jnp.ones((3, 3, 2, 4))
        >>> s = matricized(spectral_norm_ball(1.0)).lmo(kernel)
        >>> s.shape, round(float(jnp.linalg.norm(s.reshape(18, 4), 2)), 5)
        ((3, 3, 2, 4), 1.0)
    """

    constraint: ConstraintSet
    row_axes: int = dataclasses.field(default=-1, metadata=STATIC)

    def __post_init__(self) -> None:
        if not isinstance(self.constraint, ConstraintSet):
            raise TypeError(
                "constraint must be a set of optzoo.lmo, such as spectral_norm_ball(1.0), "
                f"got {self.constraint!r}."
            )
        if isinstance(self.row_axes, bool) or not isinstance(self.row_axes, int):
            raise TypeError(f"row_axes must be an int, got {self.row_axes!r}.")
        if self.row_axes == 0:
            raise ValueError("row_axes must not be 0: a matrix has rows and columns.")

    def _lmo(self, direction: PyTree) -> PyTree:
        return _shaped_like(self.constraint._lmo(self._matrices(direction)), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        return self.constraint._diameter(self._matrices(like))

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        return self.constraint._contains(self._matrices(x), atol)

    def _project(self, x: PyTree) -> PyTree:
        return _shaped_like(self.constraint._project(self._matrices(x)), x)

    def _retract(self, x: PyTree) -> PyTree:
        return _shaped_like(self.constraint._retract(self._matrices(x)), x)

    def _matrices(self, tree: PyTree) -> PyTree:
        """The leaves, or their shapes, as matrices."""
        for path, leaf in tree_leaves_with_path(tree):
            if len(jnp.shape(leaf)) <= abs(self.row_axes):
                raise ValueError(
                    f"matricized with row_axes = {self.row_axes} takes arrays with more axes: the "
                    f"leaf{keystr(path)} has the shape {jnp.shape(leaf)}."
                )
        return jax.tree.map(self._matrix, tree)

    def _matrix(self, leaf: Any) -> Any:
        rows, columns = jnp.shape(leaf)[: self.row_axes], jnp.shape(leaf)[self.row_axes :]
        shape = (math.prod(rows), math.prod(columns))
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(shape, leaf.dtype)
        return jnp.reshape(leaf, shape)


def _shaped_like(tree: PyTree, like: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf, model: leaf.reshape(model.shape), tree, like)
