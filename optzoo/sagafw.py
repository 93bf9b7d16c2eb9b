# SPDX-License-Identifier: Apache-2.0
r"""SAGAFW: variance-reduced Frank-Wolfe with a table, whose refresh is drawn independently.

    minimize f(x) = (1/n) sum_i f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

A table y_1, ..., y_n remembers a gradient of every sample, and ybar is its mean. Two independent
batches I and J of b samples, drawn after x^k with replacement, are one step (Algorithm 4 of the
paper):

    g^k     = (1/b) sum_I [grad f_i(x^k) - y_i] + ybar
    y_j     = grad f_j(x^k) for j in J
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k).

The table is refreshed at x^k, not at x^{k+1}, after g^k has read it. ybar is never summed anew: it
changes by the changed rows over n, each distinct index once, and is kept as a sum of two numbers,
so that it does not drift.

Differs from the paper:
 1. The paper's table starts with the gradients at x^0: `saga_warm_start` fills it so. Without it
    the table is 0, and the first estimate is the minibatch gradient of I.
 2. I and J may have different sizes, and the table may hold scalars where the losses are those of
    a generalized linear model.
 3. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate, the table and its
    mean are kept in float32, as in `saga_sarah_frank_wolfe`.

References:
  Reddi, Sra, Poczos, Smola, "Stochastic Frank-Wolfe methods for nonconvex optimization", Allerton
  2016, arXiv:1607.08254.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._agreement import require_agreement
from ._arguments import (
    missing_extra,
    require_function,
    require_gradients,
    require_step_size,
)
from ._compensated_sum import zero_remainder
from ._frank_wolfe_step import require_feasible_start, require_set, step
from ._gradient_table import (
    add_exactly,
    batch_sum,
    changed_entries,
    read_entries,
    twice,
    within,
    write_entries,
)
from ._saga_arguments import (
    known_num_samples,
    require_entries,
    require_feature_tree,
    require_indices,
    require_num_samples,
    rows_of,
)
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_dtype, wide_zeros
from .lmo import ConstraintSet

__all__ = ["SagafwState", "sagafw"]


class SampleGradsFn(Protocol):
    """Parameters -> the gradients of the batch's samples, one row each, or their scalars."""

    def __call__(self, params: optax.Params, /) -> optax.Updates: ...


class SagafwState(NamedTuple):
    """State of `sagafw`."""

    steps: jax.Array  # k, int32: the calls of the linear oracle so far
    table: optax.Updates  # y: leaves (n, *shape), or scalars (n,); float32 for 16-bit leaves
    table_mean: optax.Updates  # ybar, rounded, float32 for 16-bit leaves, as is the next
    table_mean_error: optax.Updates  # ybar less its rounding
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def sagafw(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    table: str = "rows",
) -> optax.GradientTransformationExtraArgs:
    r"""SAGAFW: Frank-Wolfe with a table of gradients, refreshed at an independent batch.

    .. math::
      g^k &= \frac1b \sum_{i \in I} [\nabla f_i(x^k) - y_i] + \bar y, \\
      y_j &= \nabla f_j(x^k) \text{ for } j \in J, \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    One step costs the gradients of 2 b samples and work O(b d), whatever n is. In the paper the
    step is constant, of the order of T^(-1/2) for T steps, and b of the order of n^(2/3).

    `update(grads, state, params, *, indices, sample_grads_fn, refresh_indices, refresh_grads_fn,
    features=None, refresh_features=None)`:

    - `indices` and `refresh_indices`: I and J, integers of shape (b,) in [0, n), drawn afresh for
      every call, independently of each other and with replacement; 1 <= b <= n. A repeated index
      counts in the mean over I as often as it was drawn; in J it refreshes its row once.
    - `grads`: the minibatch gradient at `params`, the mean over I. The method works on the rows
      themselves; `grads` is compared with their mean where both are concrete.
    - `sample_grads_fn(p)` and `refresh_grads_fn(p)`: the gradients of the samples I, and J, at
      `p`, each evaluated once, at `params`. With `table="rows"` a tree like the parameters whose
      leaves have a leading axis b. With `table="linear"`, for f_i(x) = phi_i(<a_i, x>), the
      scalars phi_i'(<a_i, p>) of shape (b,).
    - `features` and `refresh_features`: with `table="linear"` the a_i of the samples I, and J, a
      tree like the parameters whose leaves have a leading axis b; the same in every call.

    The table of rows holds n copies of the parameters, the linear one n scalars. Under
    `jax.jit(..., donate_argnums=...)` of the state it is updated in place.

    An index outside [0, n) is an error where it is concrete; where it is traced, the updates are
    NaN, from the next step on if it was one of J. Functions cannot cross `jit`: call `update`
    inside the jitted step. `optax.MultiSteps`, clipping before this transformation and
    `optax.masked` change the gradients but not the rows: they are not supported. Under
    `optax.inject_hyperparams` run `init` outside `jit`, or pass `static_args=("num_samples",)`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule.
      num_samples: n, the number of samples, an int.
      table: "rows" for general losses, "linear" for losses of one linear function of the
        parameters each.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The table
      starts at zero; `saga_warm_start` fills it as in the paper. `state.steps` counts the steps,
      each with one call of the oracle; see `gradient_calls`.

    Raises:
      ValueError: if the step is out of range, a batch is empty or larger than n, an index is out
        of range, an extra argument or the parameters are missing, the parameters start outside C,
        a gradient does not match them, or the rows disagree with `grads`.
      TypeError: if the constraint is not a set, or num_samples or the indices are not integers.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> a = jax.random.normal(jax.random.key(0), (64, 8))
      >>> y = a @ jnp.eye(8)[0]
      >>> def rows(x, batch):
      ...     return a[batch] * (a[batch] @ x - y[batch])[:, None]
      >>> method = optzoo.sagafw(optzoo.lmo.l1_ball(1.0), optzoo.open_loop_schedule(), 64)
      >>> @jax.jit
      ... def step(x, state, batch, other):
      ...     updates, state = method.update(
      ...         rows(x, batch).mean(axis=0), state, x,
      ...         indices=batch, sample_grads_fn=lambda p: rows(p, batch),
      ...         refresh_indices=other, refresh_grads_fn=lambda p: rows(p, other))
      ...     return optax.apply_updates(x, updates), state
      >>> x = jnp.zeros(8)
      >>> state = optzoo.saga_warm_start(method.init(x), rows(x, jnp.arange(64)))
      >>> for k in range(300):
      ...     x, state = step(x, state, *jax.random.randint(jax.random.key(k), (2, 16), 0, 64))
      >>> bool(jnp.mean((a @ x - y) ** 2) < 1e-3)
      True

    References:
      Reddi, Sra, Poczos, Smola, "Stochastic Frank-Wolfe methods for nonconvex optimization",
      Allerton 2016, arXiv:1607.08254.
    """
    require_set(constraint)
    require_step_size("learning_rate", learning_rate)
    require_num_samples(num_samples)
    if table not in ("rows", "linear"):
        raise ValueError(f'table must be "rows" or "linear", got {table!r}.')
    linear = table == "linear"

    def fresh(params: optax.Params, n: int) -> SagafwState:
        rows = jax.tree.map(lambda p: jnp.zeros((n, *p.shape), wide_dtype(p)), params)
        return SagafwState(
            steps=jnp.zeros([], jnp.int32),
            table=jnp.zeros(n, tv.wide_dtype(params)) if linear else rows,
            table_mean=wide_zeros(params),
            table_mean_error=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SagafwState:
        require_feasible_start(constraint, params)
        return fresh(params, known_num_samples(num_samples))

    def update_fn(
        updates: optax.Updates,
        state: SagafwState,
        params: optax.Params | None = None,
        *,
        indices: jax.Array | None = None,
        sample_grads_fn: SampleGradsFn | None = None,
        refresh_indices: jax.Array | None = None,
        refresh_grads_fn: SampleGradsFn | None = None,
        features: optax.Params | None = None,
        refresh_features: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SagafwState]:
        del extra_args
        params = require_gradients("sagafw", updates, params)
        n = int(num_samples) if tv.is_concrete(num_samples) else rows_of(state)
        require_own_state(
            state,
            jax.eval_shape(lambda p: fresh(p, n), params),
            {"table": {"num_samples": n, "table": table}},
        )
        if (
            indices is None
            or sample_grads_fn is None
            or refresh_indices is None
            or refresh_grads_fn is None
        ):
            raise missing_extra(
                "sagafw",
                indices=indices,
                sample_grads_fn=sample_grads_fn,
                refresh_indices=refresh_indices,
                refresh_grads_fn=refresh_grads_fn,
            )

        def batch(
            prefix: str, chosen: jax.Array, grads_fn: SampleGradsFn, given: optax.Params | None
        ) -> tuple[jax.Array, optax.Updates, optax.Params | None]:
            """The indices, the entries at the parameters, and the features."""
            name = f"{prefix or 'sample_'}grads_fn"
            require_function(name, grads_fn, "the parameters")
            require_indices(chosen, n, f"{prefix}indices")
            b = chosen.shape[0]
            require_feature_tree(f"{prefix}features", given, params, b, linear)
            entries = grads_fn(params)
            require_entries(f"the result of {name}", entries, params, b, linear)
            if linear:
                entries = jnp.asarray(entries).astype(state.table.dtype)
            else:
                entries = wide(entries, params)
            found = (within(chosen, n), entries, None if given is None else wide(given, params))
            return jax.tree.map(twice, found) if b == 1 else found

        drawn, seen, rows = batch("", indices, sample_grads_fn, features)
        renewed, now, a = batch("refresh_", refresh_indices, refresh_grads_fn, refresh_features)
        b = drawn.shape[0]
        require_agreement(
            updates,
            jax.tree.map(lambda total: total / b, batch_sum(seen, rows)),
            "the mean of the rows that sample_grads_fn returns at params",
        )

        # Read at once: the write must wait for both, or the compiler copies the table.
        read = read_entries(state.table, jnp.concatenate([drawn, renewed]))
        stale = jax.tree.map(lambda entries: entries[:b], read)
        before = jax.tree.map(lambda entries: entries[b:], read)

        # g^k = mean_I [grad f_i(x^k) - y_i] + ybar
        estimate = jax.tree.map(
            lambda total, mean: total / b + mean,
            batch_sum(jax.tree.map(jnp.subtract, seen, stale), rows),
            state.table_mean,
        )
        new_updates, remainder = step(
            constraint, learning_rate, state.steps, estimate, params, state.remainder
        )

        # y_j = grad f_j(x^k) for j in J, and ybar with it
        change = batch_sum(changed_entries(renewed, n, now, before), a)
        table_mean, table_mean_error = add_exactly(
            state.table_mean,
            state.table_mean_error,
            jax.tree.map(lambda total: total / n, change),
        )
        return new_updates, SagafwState(
            steps=optax.safe_increment(state.steps),
            table=write_entries(state.table, renewed, now, before),
            table_mean=table_mean,
            table_mean_error=table_mean_error,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
