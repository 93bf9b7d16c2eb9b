# SPDX-License-Identifier: Apache-2.0
"""The ball of the largest row norm: each row in an l2 ball of its own."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._gauge import NormBall
from ._set_arguments import as_scalar, require_positive, require_range
from .constraint_set import register
from .norm_balls import l2_ball

__all__ = ["row_norm_ball"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class row_norm_ball(NormBall):
    """`{x : |x_G|_2 <= radius for every row G}`, the ball of the largest row norm.

    A row is a slice along the last axis of a leaf: a matrix (m, n) has m rows, a vector is one row,
    a number is one too. For a table of embeddings (tokens, width) it bounds what a one-hot input is
    mapped to. Columns are rows after a transpose. The norm is dual to that of `group_lasso_ball`.

    - lmo: -radius g_G / |g_G|_2 in every row; radius e_0 in a row of zeros (subnormal numbers count
      as 0).
    - diameter: 2 radius sqrt(number of rows).
    - project and retract: x_G min(1, radius / |x_G|_2).

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> s = row_norm_ball(10.0).lmo(jnp.array([[3.0, -4.0], [0.5, 0.0]]))
        >>> [[round(x, 4) + 0.0 for x in row] for row in s.tolist()]
        [[-6.0, 8.0], [-10.0, 0.0]]
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        require_range("radius", self.radius, direction)
        return _on_rows(l2_ball(self.radius)._lmo, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.default_dtype())
        shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(like)]
        rows = sum(math.prod(shape[:-1]) for shape in shapes if 0 not in shape)
        return radius * (2 * math.sqrt(rows))

    def _norm(self, x: PyTree) -> jax.Array:
        found = [
            jnp.max(jax.vmap(tv.norm)(_rows(leaf)), initial=0)
            for leaf in jax.tree.leaves(tv.widen(x))
        ]
        return jnp.max(jnp.stack([jnp.zeros((), tv.wide_dtype(x)), *found]))

    def _project(self, x: PyTree) -> PyTree:
        return _on_rows(l2_ball(self.radius)._project, x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)


def _rows(leaf: jax.Array) -> jax.Array:
    return leaf.reshape(math.prod(leaf.shape[:-1]), leaf.shape[-1] if leaf.ndim else 1)


def _on_rows(method: Callable[[jax.Array], jax.Array], tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: jax.vmap(method)(_rows(leaf)).reshape(leaf.shape), tree)
