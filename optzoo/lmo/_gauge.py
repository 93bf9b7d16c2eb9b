# SPDX-License-Identifier: Apache-2.0
"""The ball of a norm: membership and the pull to the origin, and what its oracles share."""

import abc
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._set_arguments import as_scalar
from .constraint_set import ConstraintSet, tolerance

__all__: list[str] = []

PyTree: TypeAlias = Any


class NormBall(ConstraintSet):
    """`{x : |x| <= radius}`, the norm being the hook of a concrete set."""

    radius: float | jax.Array

    @abc.abstractmethod
    def _norm(self, x: PyTree) -> jax.Array:
        """|x|, a scalar of the widest dtype of the tree."""

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        return is_within(x, self._norm(x), radius, atol)

    def _retract(self, x: PyTree) -> PyTree:
        return shrink(x, self._norm(x), as_scalar("radius", self.radius, tv.wide_dtype(x)))


def is_within(x: PyTree, size: jax.Array, radius: jax.Array, atol: Any) -> jax.Array:
    """Whether the norm of x, `size`, is at most radius, with the slack of `contains`."""
    return size <= radius + tolerance(atol, x, radius)


def shrink(x: PyTree, size: jax.Array, radius: jax.Array) -> PyTree:
    """The pull of x to the origin, x min(1, radius / size)."""
    factor = jnp.where(size > radius, radius / size, 1)
    # A norm that is NaN compares as inside.
    factor = jnp.where(jnp.isnan(size), size, factor)
    return tv.cast_like(jax.tree.map(lambda v: v * factor, tv.widen(x)), x)


def away_from(g: jax.Array) -> jax.Array:
    """-sign(g), where a zero counts as negative."""
    return jnp.where(g > 0, -1, 1).astype(g.dtype)


def scaled_vector(direction: PyTree) -> tuple[jax.Array, jax.Array]:
    """A direction as one vector, its largest magnitude made 1, and whether it is zero.

    Oracles do not depend on the length of a direction, and this one neither over- nor underflows.
    """
    largest, scaled = tv.scale_by_largest(direction)
    return tv.concatenate(scaled), largest == 0
