"""What the ball of a norm does with the norm: membership and the pull to the origin."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from .constraint_set import tolerance

__all__: list[str] = []

PyTree: TypeAlias = Any


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
