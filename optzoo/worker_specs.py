# SPDX-License-Identifier: Apache-2.0
"""How the state of a method lies on an axis of workers."""

from typing import Any

import jax
import optax
from jax.sharding import PartitionSpec

from ._worker_arguments import require_workers

__all__ = ["worker_specs"]


def worker_specs(
    method: optax.GradientTransformation, params: optax.Params, axis_name: str
) -> optax.OptState:
    r"""How the state of a method lies on the axis of workers, as specs of `shard_map` for it.

    What all workers know is the same everywhere; of what a worker alone knows, such as the value
    of its operator at a reference point, the leaves have one row a worker, seen from outside.

    Args:
      method: one of the methods for distributed variational inequalities, such as `svogs`, alone
        or in a chain or a wrapper.
      params: the parameters, or their shapes.
      axis_name: the name of the axis of workers.

    Returns:
      A state with the `PartitionSpec` of every leaf in its place: in and out specs of `shard_map`.
      Parameters are the same everywhere.

    Raises:
      TypeError: if the method is no transformation, or the axis name not a string.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> method = optzoo.optimistic_masha(
      ...     0.1, momentum=0.5, refresh_probability=0.5, compressor=optzoo.compressors.PermK(2),
      ...     axis_name="workers", key=jax.random.key(0))
      >>> specs = optzoo.worker_specs(method, jnp.zeros(3), "workers")
      >>> specs.reference.mean == jax.P(), specs.previous_operator == jax.P("workers")
      (True, True)
    """
    require_workers(axis_name, None)
    if not callable(getattr(method, "init", None)):
        raise TypeError(f"method must be an optax transformation, got {method!r}.")
    return specs_of(jax.eval_shape(method.init, params), axis_name)


def specs_of(state: Any, axis_name: str) -> Any:
    """The specs of a state, or of its shapes."""

    def has_rows(part: Any) -> bool:
        return hasattr(part, "per_worker")

    def of_part(part: Any) -> Any:
        if not has_rows(part):
            return PartitionSpec()
        return type(part)(
            *(
                jax.tree.map(lambda leaf: PartitionSpec(axis_name), value)
                if name in part.per_worker()
                else specs_of(value, axis_name)
                for name, value in zip(part._fields, part, strict=True)
            )
        )

    return jax.tree.map(of_part, state, is_leaf=has_rows)
