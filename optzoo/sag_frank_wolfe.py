# SPDX-License-Identifier: Apache-2.0
r"""SAG Frank-Wolfe: for generalized linear models, a table of one number a sample.

    minimize f(x) = (1/n) sum_i phi_i(<a_i, x>) over x in C, LMO(g) = argmin_{s in C} <g, s>.

A table alpha_1, ..., alpha_n remembers the last derivative seen of every sample. With a fresh
minibatch S of any constant size, drawn after x^k (Algorithm 1 of the paper):

    alpha_i = phi_i'(<a_i, x^k>) for i in S
    g^k     = (1/n) sum_i alpha_i a_i
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k),      eta_k = 2 / (k + 2).

The table starts at 0. g^k is a biased estimate whose error falls as the steps do: no batch grows,
no full gradient is taken, and no number of the problem is asked for.

g^k is never summed anew: it changes by the changed scalars times their features over n, each
distinct index once, and is kept as a sum of two numbers, so that it does not drift.

Differs from the paper:
 1. A batch of several samples, with or without replacement, in the place of one sample.
 2. The parameters may be a tree, such as weights and a bias; then so is every a_i.
 3. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate, the table and its
    mean are kept in float32, as in `saga_sarah_frank_wolfe`.

References:
  Negiar, Dresdner, Tsai, El Ghaoui, Locatello, Freund, Pedregosa, "Stochastic Frank-Wolfe for
  constrained finite-sum minimization", ICML 2020, arXiv:2002.11860.
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
from ._wide_arithmetic import wide, wide_zeros
from .lmo import ConstraintSet
from .schedules import open_loop_schedule

__all__ = ["SagFrankWolfeState", "sag_frank_wolfe"]


class SampleDerivativesFn(Protocol):
    """Parameters -> the derivatives phi_i'(<a_i, x>) of the batch's samples, shape (b,)."""

    def __call__(self, params: optax.Params, /) -> jax.Array: ...


class SagFrankWolfeState(NamedTuple):
    """State of `sag_frank_wolfe`."""

    steps: jax.Array  # k, int32: the calls of the linear oracle so far
    table: jax.Array  # alpha, (n,), float32 for 16-bit parameters, as are the next two
    table_mean: optax.Updates  # g^{k-1} = (1/n) sum_i alpha_i a_i, rounded
    table_mean_error: optax.Updates  # g^{k-1} less its rounding
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def sag_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | None = None,
    *,
    num_samples: int,
) -> optax.GradientTransformationExtraArgs:
    r"""SAG Frank-Wolfe for generalized linear models: one number a sample is remembered.

    .. math::
      \alpha_i = \varphi_i'(\langle a_i, x^k \rangle) \text{ for } i \in S, \qquad
      g^k = \frac1n \sum_i \alpha_i a_i, \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    One step costs one minibatch gradient and work O(b d), whatever n is.

    `update(grads, state, params, *, indices, sample_grads_fn, features)`:

    - `indices`: S, integers of shape (b,) in [0, n), drawn afresh for every call, with or without
      replacement; 1 <= b <= n. A repeated index is refreshed once.
    - `grads`: the minibatch gradient at `params`, the mean over `indices`. The method works on the
      scalars; `grads` is compared with the mean of their gradients where both are concrete.
    - `sample_grads_fn(p)`: the scalars phi_i'(<a_i, p>) of the samples `indices`, of shape (b,);
      evaluated once, at `params`.
    - `features`: the a_i of the batch, a tree like the parameters whose leaves have a leading axis
      b. A sample must have the same features in every call, or the mean is not that of the table.

    Under `jax.jit(..., donate_argnums=...)` of the state the table is updated in place. An index
    outside [0, n) is an error where it is concrete and makes the updates NaN where it is traced.
    Functions cannot cross `jit`: call `update` inside the jitted step. `optax.MultiSteps`,
    clipping before this transformation and `optax.masked` change the gradients but not the
    scalars: they are not supported. Under `optax.inject_hyperparams` run `init` outside `jit`, or
    pass `static_args=("num_samples",)`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule; the paper's 2 / (k + 2) if None.
      num_samples: n, the number of samples, an int.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The table starts
      at 0, as in the paper; `saga_warm_start` fills it. `state.steps` counts the steps, each with
      one call of the oracle; see `gradient_calls`.

    Raises:
      ValueError: if the step is out of range, the batch is empty or larger than n, an index is out
        of range, an extra argument or the parameters are missing, the parameters start outside C,
        a tree does not match them, or the scalars disagree with `grads`.
      TypeError: if the constraint is not a set, or num_samples or the indices are not integers.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> a = jax.random.normal(jax.random.key(0), (64, 8))
      >>> y = a @ jnp.eye(8)[0]
      >>> method = optzoo.sag_frank_wolfe(optzoo.lmo.l1_ball(1.0), num_samples=64)
      >>> @jax.jit
      ... def step(x, state, batch):
      ...     scalars = lambda p: a[batch] @ p - y[batch]
      ...     updates, state = method.update(
      ...         a[batch].T @ scalars(x) / len(batch), state, x,
      ...         indices=batch, sample_grads_fn=scalars, features=a[batch])
      ...     return optax.apply_updates(x, updates), state
      >>> x = jnp.zeros(8)
      >>> state = method.init(x)
      >>> for k in range(300):
      ...     batch = jax.random.choice(jax.random.key(k), 64, (8,), replace=False)
      ...     x, state = step(x, state, batch)
      >>> bool(jnp.mean((a @ x - y) ** 2) < 1e-2)
      True

    References:
      Negiar, Dresdner, Tsai, El Ghaoui, Locatello, Freund, Pedregosa, "Stochastic Frank-Wolfe for
      constrained finite-sum minimization", ICML 2020, arXiv:2002.11860.
    """
    require_set(constraint)
    if learning_rate is not None:
        require_step_size("learning_rate", learning_rate)
    require_num_samples(num_samples)
    rate = open_loop_schedule() if learning_rate is None else learning_rate

    def fresh(params: optax.Params, n: int) -> SagFrankWolfeState:
        return SagFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            table=jnp.zeros(n, tv.wide_dtype(params)),
            table_mean=wide_zeros(params),
            table_mean_error=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SagFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params, known_num_samples(num_samples))

    def update_fn(
        updates: optax.Updates,
        state: SagFrankWolfeState,
        params: optax.Params | None = None,
        *,
        indices: jax.Array | None = None,
        sample_grads_fn: SampleDerivativesFn | None = None,
        features: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SagFrankWolfeState]:
        del extra_args
        params = require_gradients("sag_frank_wolfe", updates, params)
        n = int(num_samples) if tv.is_concrete(num_samples) else rows_of(state)
        require_own_state(
            state, jax.eval_shape(lambda p: fresh(p, n), params), {"table": {"num_samples": n}}
        )
        if indices is None or sample_grads_fn is None or features is None:
            raise missing_extra(
                "sag_frank_wolfe",
                indices=indices,
                sample_grads_fn=sample_grads_fn,
                features=features,
            )
        require_function("sample_grads_fn", sample_grads_fn, "the parameters")
        require_indices(indices, n)
        b = indices.shape[0]
        require_feature_tree("features", features, params, b, linear=True)
        now = sample_grads_fn(params)
        require_entries("the result of sample_grads_fn", now, params, b, linear=True)
        now, rows = jnp.asarray(now).astype(state.table.dtype), wide(features, params)
        indices = within(indices, n)
        if b == 1:
            indices, now, rows, b = twice(indices), twice(now), jax.tree.map(twice, rows), 2
        require_agreement(
            updates,
            jax.tree.map(lambda total: total / b, batch_sum(now, rows)),
            "the mean of the scalars that sample_grads_fn returns at params, times the features",
        )

        # alpha_i = phi_i'(<a_i, x^k>), and g^k = (1/n) sum_i alpha_i a_i with it
        before = read_entries(state.table, indices)
        change = batch_sum(changed_entries(indices, n, now, before), rows)
        estimate, error = add_exactly(
            state.table_mean,
            state.table_mean_error,
            jax.tree.map(lambda total: total / n, change),
        )
        new_updates, remainder = step(
            constraint, rate, state.steps, estimate, params, state.remainder
        )
        return new_updates, SagFrankWolfeState(
            steps=optax.safe_increment(state.steps),
            table=write_entries(state.table, indices, now, before),
            table_mean=estimate,
            table_mean_error=error,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
