# SPDX-License-Identifier: Apache-2.0
r"""Saga Sarah Frank-Wolfe: variance-reduced Frank-Wolfe that never takes a full gradient.

    minimize f(x) = (1/n) sum_i f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

A table y_1, ..., y_n remembers the last gradient seen of every sample, and ybar is its mean. With
a fresh minibatch S of b samples, drawn after x^k, Algorithm 2 of the paper is

    g^k     = (1/b) sum_S [grad f_i(x^k) - grad f_i(x^{k-1})] + (1 - lambda) g^{k-1}
              + lambda ( (1/b) sum_S [grad f_i(x^{k-1}) - y_i] + ybar )
    y_i     = grad f_i(x^k) for i in S
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k).

ybar is never summed anew: it changes by the changed rows over n, each distinct index once. A plain
running mean would lose changes below half a unit in its last place, which for large n is most of
them: in float32 with n = 10^6 it would stand still. It is therefore kept as a sum of two numbers,
and its error after any number of steps is the rounding of the mean itself, plus that of the
changes, which does not grow with n.

Differs from the paper:
 1. The paper forms g^{k+1} at the end of step k. Here g^k is formed at the beginning of call k,
    from a batch drawn after x^k, because an optax transformation is handed the gradient first.
    The sequence of (x^k, g^k) is the same.
 2. The first estimate is g^0 = (1/b) sum_S [grad f_i(x^0) - y_i] + ybar, the formula above with
    lambda = 1 and x^{-1} = x^0. With a table of zeros it is the first minibatch gradient, better
    than the mean of the table, which is zero and has no direction. With a table of first gradients
    it is that mean, the full gradient. The bounds hold with E_0 and Y_0 of this start.
 3. Sampling with replacement is accepted as well: a repeated index counts in the minibatch means
    as often as it was drawn, and refreshes its row once.
 4. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate, the estimate and
    the table are kept in float32, as in `sarah_frank_wolfe`.

References:
  Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: methods for constrained optimization with best
  rates and practical features", ICML 2024, arXiv:2304.11737.
  Li, Hanzely, Richtarik, "ZeroSARAH: efficient nonconvex finite-sum optimization with zero full
  gradient computation", 2021, arXiv:2103.01447.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from ._agreement import require_agreement
from ._arguments import (
    missing_extra,
    require_function,
    require_gradients,
    require_probability,
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
    require_features,
    require_indices,
    require_num_samples,
    require_one_vector,
    rows_of,
)
from ._state_layout import require_own_state
from ._tree_vector import is_concrete
from ._wide_arithmetic import wide, wide_dtype, wide_zeros
from .lmo import ConstraintSet

__all__ = ["SagaSarahFrankWolfeState", "saga_sarah_frank_wolfe"]


class SampleGradsFn(Protocol):
    """Parameters -> the gradients of the batch's samples, one row each, or their scalars."""

    def __call__(self, params: optax.Params, /) -> optax.Updates: ...


class SagaSarahFrankWolfeState(NamedTuple):
    """State of `saga_sarah_frank_wolfe`."""

    steps: jax.Array  # k, int32
    estimate: optax.Updates  # g^{k-1}, float32 for 16-bit leaves, as are the next three
    table: optax.Updates  # y: leaves (n, *shape), or (n,) for the scalars of a linear table
    table_mean: optax.Updates  # ybar, rounded
    table_mean_error: optax.Updates  # ybar less its rounding
    previous: optax.Params  # x^{k-1}, in the parameters' dtype
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def saga_sarah_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    *,
    mixing: jax.typing.ArrayLike | None = None,
    table: str = "rows",
) -> optax.GradientTransformationExtraArgs:
    r"""Saga Sarah Frank-Wolfe: variance reduction by a table of gradients, without full ones.

    .. math::
      g^k &= \frac1b \sum_{i \in S} [\nabla f_i(x^k) - \nabla f_i(x^{k-1})] + (1 - \lambda) g^{k-1}
        + \lambda \Bigl(\frac1b \sum_{i \in S} [\nabla f_i(x^{k-1}) - y_i] + \bar y\Bigr), \\
      y_i &= \nabla f_i(x^k) \text{ for } i \in S, \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    One step costs two minibatch gradients and work O(b d), whatever n is. An accuracy eps takes
    of the order of n + sqrt(n) / eps gradients of single samples in the convex case and
    n + sqrt(n) / eps^2 in the non-convex one, as with `sarah_frank_wolfe`; the price of doing
    without full gradients is the table.

    `update(grads, state, params, *, indices, sample_grads_fn, features=None)`:

    - `indices`: S, integers of shape (b,) in [0, n), drawn afresh for every call, with or without
      replacement; 1 <= b <= n.
    - `grads`: the minibatch gradient at `params`, the mean over `indices`. The method works on
      the rows themselves; `grads` is compared with their mean where both are concrete.
    - `sample_grads_fn(p)`: the gradients of the samples `indices` at `p`, evaluated at `params`
      and at the previous parameters. With `table="rows"` a tree like the parameters whose leaves
      have a leading axis b. With `table="linear"`, for f_i(x) = phi_i(<a_i, x>) of one parameter
      vector of shape (d,), the scalars phi_i'(<a_i, p>) of shape (b,).
    - `features`: with `table="linear"` the rows a_i of the batch, of shape (b, d).

    The table of rows holds n copies of the parameters, the linear one n scalars. Under
    `jax.jit(..., donate_argnums=...)` of the state it is updated in place.

    An index outside [0, n) is an error where it is concrete and makes the updates NaN where it is
    traced. Functions cannot cross `jit`: call `update` inside the jitted step.
    `optax.MultiSteps`, clipping before this transformation and `optax.masked` change the
    gradients but not what `sample_grads_fn` returns: they are not supported. Under
    `optax.inject_hyperparams` run `init` outside `jit`, or pass
    `static_args=("num_samples",)`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule: `optzoo.open_loop_schedule()`, or
        with the theorem's offset `optzoo.open_loop_schedule(8 * n / b)`.
      num_samples: n, the number of samples, an int.
      mixing: lambda in (0, 1]; b / (2n) if None. The pull towards the table is lost where lambda
        times it falls below a rounding of the estimate: in float32 for lambda below about 1e-6,
        that is b = 1 and n above a million.
      table: "rows" for general losses, "linear" for losses of one linear function of the
        parameters each.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The table
      starts at zero; `saga_warm_start` fills it. See `gradient_calls` for the cost.

    Raises:
      ValueError: if the step or lambda is out of range, the batch is empty or larger than n, an
        index is out of range, an extra argument or the parameters are missing, the parameters
        start outside C, a gradient does not match them, or the rows disagree with `grads`.
      TypeError: if the constraint is not a set, num_samples or the indices are not integers, or
        lambda is not a number.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> a = jax.random.normal(jax.random.key(0), (64, 8))
      >>> y = a @ jnp.eye(8)[0]
      >>> method = optzoo.saga_sarah_frank_wolfe(
      ...     optzoo.lmo.l1_ball(1.0), optzoo.open_loop_schedule(), 64, table="linear")
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
      >>> bool(jnp.mean((a @ x - y) ** 2) < 1e-3)
      True

    References:
      Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: methods for constrained optimization with
      best rates and practical features", ICML 2024, arXiv:2304.11737.
    """
    require_set(constraint)
    require_step_size("learning_rate", learning_rate)
    require_num_samples(num_samples)
    if mixing is not None:
        require_probability("mixing", mixing)
    if table not in ("rows", "linear"):
        raise ValueError(f'table must be "rows" or "linear", got {table!r}.')
    linear = table == "linear"

    def fresh(params: optax.Params, n: int) -> SagaSarahFrankWolfeState:
        return SagaSarahFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            estimate=wide_zeros(params),
            table=jax.tree.map(
                lambda p: jnp.zeros((n,) if linear else (n, *p.shape), wide_dtype(p)), params
            ),
            table_mean=wide_zeros(params),
            table_mean_error=wide_zeros(params),
            previous=jax.tree.map(jnp.zeros_like, params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SagaSarahFrankWolfeState:
        require_feasible_start(constraint, params)
        if linear:
            require_one_vector(params)
        return fresh(params, known_num_samples(num_samples))

    def update_fn(
        updates: optax.Updates,
        state: SagaSarahFrankWolfeState,
        params: optax.Params | None = None,
        *,
        indices: jax.Array | None = None,
        sample_grads_fn: SampleGradsFn | None = None,
        features: jax.Array | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SagaSarahFrankWolfeState]:
        del extra_args
        params = require_gradients("saga_sarah_frank_wolfe", updates, params)
        if indices is None or sample_grads_fn is None:
            raise missing_extra(
                "saga_sarah_frank_wolfe", indices=indices, sample_grads_fn=sample_grads_fn
            )
        require_function("sample_grads_fn", sample_grads_fn, "the parameters")
        n = rows_of(state) if not is_concrete(num_samples) else int(num_samples)
        require_own_state(
            state,
            jax.eval_shape(lambda p: fresh(p, n), params),
            {"table": {"num_samples": n, "table": table}},
        )
        require_indices(indices, n)
        b = indices.shape[0]
        require_features(features, linear, (b, jax.tree.leaves(params)[0].size))
        mix = jnp.where(state.steps == 0, 1.0, b / (2 * n) if mixing is None else mixing)

        def evaluate(p: optax.Params) -> optax.Updates:
            entries = sample_grads_fn(p)
            require_entries("the result of sample_grads_fn", entries, params, b, linear)
            found = wide_entries(entries, params, linear)
            return jax.tree.map(twice, found) if b == 1 else found

        now = evaluate(params)
        before = evaluate(
            jax.tree.map(lambda p, old: jnp.where(state.steps == 0, p, old), params, state.previous)
        )
        rows = None if features is None else wide_entries(features, params, linear)
        indices = within(indices, n)
        if b == 1:
            indices, b = twice(indices), 2
            rows = None if rows is None else jax.tree.map(twice, rows)
        require_agreement(
            updates,
            jax.tree.map(lambda total: total / b, batch_sum(now, rows)),
            "the mean of the rows that sample_grads_fn returns at params",
        )

        old_rows = read_entries(state.table, indices)

        # g^k = g^{k-1} + mean_S [new - old] + lambda (mean_S [old - y] + ybar - g^{k-1}), with one
        # sum over the batch: a linear table has a pass over the features for each.
        terms = jax.tree.map(
            lambda new, old, y: new - old + mix.astype(new.dtype) * (old - y),
            now,
            before,
            old_rows,
        )
        estimate = jax.tree.map(
            lambda g, total, mean: g + total / b + mix.astype(g.dtype) * (mean - g),
            state.estimate,
            batch_sum(terms, rows),
            state.table_mean,
        )

        # y_i = grad f_i(x^k), and ybar with it: only the first of equal indices counts.
        changes = changed_entries(indices, n, now, old_rows)
        change = jax.tree.map(lambda total: total / n, batch_sum(changes, rows))
        table_mean, table_mean_error = add_exactly(state.table_mean, state.table_mean_error, change)
        new_table = write_entries(state.table, indices, now, old_rows)

        new_updates, remainder = step(
            constraint, learning_rate, state.steps, estimate, params, state.remainder
        )
        return new_updates, SagaSarahFrankWolfeState(
            steps=optax.safe_increment(state.steps),
            estimate=estimate,
            table=new_table,
            table_mean=table_mean,
            table_mean_error=table_mean_error,
            previous=params,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def wide_entries(entries: Any, params: optax.Params, linear: bool) -> optax.Updates:
    """A tree like the parameters of the rows, or of the scalars, in the table's dtype.

    Of the features a_i as well, which are given as one array for one vector of parameters.
    """
    if linear:
        return jax.tree.map(lambda p: jnp.asarray(entries).astype(wide_dtype(p)), params)
    return wide(entries, params)
