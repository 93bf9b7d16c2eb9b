# SPDX-License-Identifier: Apache-2.0
"""The start of a method with a table of gradients, from given ones."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax

from ._gradient_table import batch_sum
from ._saga_arguments import require_entries, require_feature_tree, require_features, rows_of
from ._wide_arithmetic import wide
from .sag_frank_wolfe import SagFrankWolfeState
from .saga_frank_wolfe import SagaSarahFrankWolfeState, wide_entries
from .sagafw import SagafwState

__all__ = ["saga_warm_start"]

_State = TypeVar("_State", SagaSarahFrankWolfeState, SagafwState, SagFrankWolfeState)


def saga_warm_start(
    state: _State,
    sample_grads: optax.Updates,
    *,
    features: optax.Params | None = None,
) -> _State:
    r"""The state with a table of given gradients, such as those at the start.

    .. math:: y_i = \nabla f_i(x^0), \qquad \bar y = \frac1n \sum_i y_i

    The first estimate is then the full gradient: E_0 = 0 and, after the first step, Y_0 = 0. It
    costs n gradients of single samples, once, and needs all of them in memory, as does the table.

    Args:
      state: what `init` of `saga_sarah_frank_wolfe`, `sagafw` or `sag_frank_wolfe` returned.
      sample_grads: the entries of all n samples, as `sample_grads_fn` returns those of a batch:
        a tree like the parameters with a leading axis n, or scalars of shape (n,).
      features: for a linear table the rows a_i of all samples, as `update` takes those of a batch:
        of shape (n, d), or a tree like the parameters with a leading axis n.

    Returns:
      The state with its table and the table's mean replaced; the arrays are copies.

    Raises:
      ValueError: if the gradients or the features do not have the shapes of the table.
      TypeError: if the state is not one of these methods.

    Example:
      >>> import jax.numpy as jnp, optzoo
      >>> targets = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])  # f_i(x) = |x - t_i|^2 / 2
      >>> method = optzoo.saga_sarah_frank_wolfe(optzoo.lmo.simplex(), 0.5, num_samples=3)
      >>> x = jnp.array([1.0, 0.0])
      >>> state = optzoo.saga_warm_start(method.init(x), x[None] - targets)
      >>> _, state = method.update(x - targets[0], state, x, indices=jnp.array([0]),
      ...                          sample_grads_fn=lambda p: (p - targets[0])[None])
      >>> bool(jnp.allclose(state.estimate, x - targets.mean(axis=0)))  # the full gradient
      True
    """
    if not isinstance(state, (SagaSarahFrankWolfeState, SagafwState, SagFrankWolfeState)):
        raise TypeError(
            "state must be a SagaSarahFrankWolfeState, a SagafwState or a SagFrankWolfeState, got "
            f"{type(state).__name__}."
        )
    n, params = rows_of(state), state.table_mean
    if isinstance(state, SagaSarahFrankWolfeState):
        leaf, mean = jax.tree.leaves(state.table)[0], jax.tree.leaves(params)[0]
        linear = leaf.ndim == mean.ndim == 1
        require_entries("sample_grads", sample_grads, params, n, linear)
        require_features(features, linear, (n, mean.size))
        entries = wide_entries(sample_grads, params, linear)
        rows = wide_entries(features, params, linear) if linear else None
    else:
        linear = isinstance(state, SagFrankWolfeState) or _is_linear(state, features)
        require_entries("sample_grads", sample_grads, params, n, linear)
        require_feature_tree("features", features, params, n, linear)
        if linear:
            entries = jnp.asarray(sample_grads).astype(state.table.dtype)
        else:
            entries = wide(sample_grads, params)
        rows = wide(features, params) if linear else None
    return state._replace(
        table=jax.tree.map(jnp.copy, entries),
        table_mean=jax.tree.map(lambda total: total / n, batch_sum(entries, rows)),
        table_mean_error=jax.tree.map(jnp.zeros_like, state.table_mean_error),
    )


def _is_linear(state: SagafwState, features: Any) -> bool:
    """By the table's shape; a number as a parameter has the same one for rows and for scalars."""
    table, mean = state.table, state.table_mean
    if not hasattr(table, "shape") or table.ndim != 1:
        return False
    return features is not None or getattr(mean, "shape", None) != ()
