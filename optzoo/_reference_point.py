"""A point at which all workers know the whole operator, renewed with a small probability."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ._coin import toss
from ._wide_arithmetic import wide_dtype, wide_zeros
from ._worker_axis import mark_as_differing
from ._worker_operators import mean_of_vectors

__all__: list[str] = []

Tree: TypeAlias = Any


class Reference(NamedTuple):
    """m, and what is known there. Trees are like the parameters, float32 for 16-bit leaves."""

    point: optax.Params  # m
    operator: optax.Updates  # this worker's value at m: leaves (1, *shape)
    mean: optax.Updates  # (1/n) sum_i of the workers' values

    def own(self, axis_name: str) -> optax.Updates:
        """This worker's value at m, in the shapes of the parameters."""
        values = jax.tree.map(lambda row, p: row.reshape(p.shape), self.operator, self.point)
        return mark_as_differing(values, axis_name)

    def refreshed(
        self,
        key: jax.Array,
        probability: Any,
        first: jax.Array,
        z: Tree,
        at_z: Tree,
        axis_name: str,
    ) -> tuple["Reference", jax.Array]:
        """The reference moved to z with this probability, and at first; and 1 if it was, else 0.

        Args:
            key: of the coin, the same on all workers.
            probability: p.
            first: whether there is no reference yet.
            z: the new point.
            at_z: this worker's value there.
            axis_name: the axis of workers.
        """
        now = first | toss(key, probability)

        def moved() -> tuple[Tree, Tree, Tree]:
            return z, at_z, mean_of_vectors(at_z, axis_name)

        def kept() -> tuple[Tree, Tree, Tree]:
            return self.point, self.own(axis_name), self.mean

        point, operator, mean = jax.lax.cond(now, moved, kept)
        rows = jax.tree.map(lambda value, row: value.reshape(row.shape), operator, self.operator)
        return Reference(point, rows, mean), now.astype(jnp.int32)


def fresh_reference(params: optax.Params) -> Reference:
    """Zeros, which the first step replaces; works on shapes."""
    rows = jax.tree.map(lambda p: jnp.zeros((1, *p.shape), wide_dtype(p)), params)
    return Reference(wide_zeros(params), rows, wide_zeros(params))
