# SPDX-License-Identifier: Apache-2.0
"""A point at which all workers know the whole operator, renewed with a small probability."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ._coin import toss
from ._wide_arithmetic import wide_zeros
from ._worker_operators import as_rows, mean_of_vectors, own_row

__all__: list[str] = []

Tree: TypeAlias = Any


class Reference(NamedTuple):
    """m, and what is known there. Trees are like the parameters, float32 for 16-bit leaves."""

    point: optax.Params  # m
    operator: optax.Updates  # this worker's value at m: leaves (1, *shape)
    mean: optax.Updates  # (1/n) sum_i of the workers' values

    @staticmethod
    def per_worker() -> tuple[str, ...]:
        """The fields of which every worker has its own."""
        return ("operator",)

    def own(self, axis_name: str) -> optax.Updates:
        """The value of this worker at m, in the shapes of the parameters."""
        return own_row(self.operator, self.point, axis_name)

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
        return Reference(point, as_rows(operator, point), mean), now.astype(jnp.int32)

    def unless(self, first: jax.Array, other: "Reference") -> "Reference":
        """The other reference at first, else this one."""
        return jax.tree.map(lambda own, new: jnp.where(first, new, own), self, other)


def fresh_reference(params: optax.Params) -> Reference:
    """Zeros, which the first step replaces; works on shapes."""
    return Reference(wide_zeros(params), as_rows(wide_zeros(params), params), wide_zeros(params))
