# SPDX-License-Identifier: Apache-2.0
r"""SVRF: Frank-Wolfe with gradients that are corrected at a snapshot, in epochs that double.

    minimize f(x) = (1/n) sum_i f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

The start is w^0 = LMO(grad f(x)) with x the parameters given. Epoch t = 1, 2, ... takes a snapshot
of w^{t-1} and its full gradient; its steps k = 0, ..., N_t - 1 go from x^0 = w^{t-1} to x^{N_t} =
w^t, each with a fresh batch S_k of m_k samples (Algorithm 1 of the paper):

    g^k     = (1/m_k) sum_{S_k} [grad f_i(x^k) - grad f_i(w^{t-1})] + grad f(w^{t-1})
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k),      eta_k = 2 / (k + 2),
    N_t     = 2^(t+3) - 2,                       m_k = 96 (k + 2).

An accuracy eps takes of the order of 1/eps calls of the oracle, log(1/eps) full gradients and
1/eps^2 samples.

Differs from the paper:
 1. The batch of a step comes in micro batches of b samples, one a call, ceil(m_k / b) of them; in
    the last call the step is taken, in the others the updates are zero. The last micro batch is
    not cut to size, so that up to b - 1 samples more than m_k are in the mean.
 2. The first step of an epoch is taken in the call of its snapshot: x^0 is the snapshot, so that
    the differences of the batch are zero, and none is drawn. So is the start.
 3. k counts from 0, in the paper from 1.
 4. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate, the sums of the
    batch and the full gradient are kept in float32, as in `sarah_frank_wolfe`.

References:
  Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016,
  arXiv:1602.02101.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_gradients, require_step_size
from ._compensated_sum import zero_remainder
from ._frank_wolfe_step import require_feasible_start, require_set
from ._micro_batches import (
    calls_needed,
    emptied,
    mean_of,
    require_batch_size,
    require_samples,
    step_when,
)
from ._minibatch_functions import GradientFn, checked_functions
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_zeros
from .lmo import ConstraintSet
from .schedules import open_loop_schedule

__all__ = ["SvrfState", "svrf"]


class SvrfState(NamedTuple):
    """State of `svrf`."""

    steps: jax.Array  # of all epochs and the start, int32: the calls of the linear oracle so far
    epochs: jax.Array  # t + 1, int32: the snapshots so far, the start's included
    epoch_steps: jax.Array  # k, int32; 0 where the next call takes a snapshot
    calls: jax.Array  # micro batches so far, int32
    gathered: jax.Array  # those of them that belong to step k, int32
    total: optax.Updates  # the sum of their differences, float32 for 16-bit leaves
    snapshot: optax.Params  # w^{t-1}, in the parameters' dtype
    full_gradient: optax.Updates  # grad f(w^{t-1}), float32 for 16-bit leaves
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def svrf(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | None = None,
    *,
    batch_size: int,
    samples_per_step: jax.typing.ArrayLike | optax.Schedule | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""SVRF: variance-reduced Frank-Wolfe with full gradients at snapshots.

    .. math::
      g^k &= \frac{1}{m_k} \sum_{i \in S_k} [\nabla f_i(x^k) - \nabla f_i(w)] + \nabla f(w), \\
      x^{k+1} &= x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr), \qquad
      k = 0, \dots, 2^{t+3} - 3 \text{ in epoch } t, \quad w = x^0.

    One call brings a micro batch of `batch_size` fresh samples. The updates are zero until
    ceil(m_k / b) of them are together; in the call in which they are, the oracle is asked and the
    step is taken along their mean. The calls of a snapshot, of which the first is the start, take
    a full gradient in the place of the micro batch, and a step.

    `update(grads, state, params, *, grad_fn, full_grad_fn)`:

    - `grads`: the gradient of the micro batch at `params`; it is drawn afresh for every call.
    - `grad_fn(p)`: the gradient of the same micro batch at `p`; evaluated once, at the snapshot,
      unless the call takes one.
    - `full_grad_fn(p)`: the full gradient at `p`; evaluated at a snapshot only. It sits in one
      branch of a `lax.cond`: under `vmap` both branches are computed, so run many replicates with
      `lax.map`.

    Functions cannot cross `jit`: call `update` inside the jitted step. `optax.MultiSteps`,
    clipping before this transformation and `optax.masked` change the gradients but not what
    `grad_fn` returns: they are not supported. In a loop that is not jitted the first call
    evaluates `grad_fn(params)` to compare it with `grads`, and raises where they differ.

    The schedules are those of the step k of an epoch, not of the calls. `optax.inject_hyperparams`
    would evaluate them at the calls: give it `static_args=("learning_rate", "samples_per_step")`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule; the paper's 2 / (k + 2) if None. The
        start is a step of 1 whatever is given.
      batch_size: b, the number of samples in a micro batch.
      samples_per_step: m_k, a number of at least 1 or a schedule k -> number, rounded up; the
        paper's 96 (k + 2) if None. At a step where a schedule is below 1 or NaN the updates are
        NaN.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The state counts
      `steps`, each with one call of the oracle, `epochs`, each with one full gradient, and the
      `calls` with a micro batch; see `gradient_calls`.

    Raises:
      ValueError: if the step, b or m_0 is out of range, if an extra argument or the parameters are
        missing, if the parameters start outside C, if a gradient does not match them, or if
        `grads` is seen to differ from `grad_fn(params)`.
      TypeError: if the constraint is not a set, or b or m is no number.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> features = jax.random.normal(jax.random.key(0), (64, 8))
      >>> targets = features @ jnp.eye(8)[0]
      >>> def loss(x, rows):
      ...     return jnp.mean((features[rows] @ x - targets[rows]) ** 2)
      >>> everything = jnp.arange(64)
      >>> method = optzoo.svrf(
      ...     optzoo.lmo.l1_ball(1.0), batch_size=16, samples_per_step=lambda k: 4 * (k + 2))
      >>> @jax.jit
      ... def step(params, state, rows):
      ...     grads = jax.grad(loss)(params, rows)
      ...     updates, state = method.update(
      ...         grads, state, params,
      ...         grad_fn=lambda p: jax.grad(loss)(p, rows),
      ...         full_grad_fn=lambda p: jax.grad(loss)(p, everything))
      ...     return optax.apply_updates(params, updates), state
      >>> params = jnp.zeros(8)
      >>> state = method.init(params)
      >>> for k in range(300):
      ...     rows = jax.random.randint(jax.random.key(k), (16,), 0, 64)
      ...     params, state = step(params, state, rows)
      >>> bool(loss(params, everything) < 1e-2)
      True
      >>> int(state.epochs), int(state.steps)
      (4, 74)

    References:
      Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016,
      arXiv:1602.02101.
    """
    require_set(constraint)
    if learning_rate is not None:
        require_step_size("learning_rate", learning_rate)
    require_batch_size(batch_size)
    if samples_per_step is not None:
        require_samples("samples_per_step", samples_per_step)
    rate = open_loop_schedule() if learning_rate is None else learning_rate
    samples = _papers_samples if samples_per_step is None else samples_per_step

    def fresh(params: optax.Params) -> SvrfState:
        return SvrfState(
            steps=jnp.zeros([], jnp.int32),
            epochs=jnp.zeros([], jnp.int32),
            epoch_steps=jnp.zeros([], jnp.int32),
            calls=jnp.zeros([], jnp.int32),
            gathered=jnp.zeros([], jnp.int32),
            total=wide_zeros(params),
            snapshot=jax.tree.map(jnp.zeros_like, params),
            full_gradient=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SvrfState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: SvrfState,
        params: optax.Params | None = None,
        *,
        grad_fn: GradientFn | None = None,
        full_grad_fn: GradientFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SvrfState]:
        del extra_args
        params = require_gradients("svrf", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        batch_gradient, full_gradient = checked_functions(
            "svrf", updates, params, state.epochs, grad_fn, full_grad_fn
        )
        k, begins = state.epoch_steps, state.epoch_steps == 0
        epochs = jnp.where(begins, optax.safe_increment(state.epochs), state.epochs)
        t = epochs - 1

        def snapshot() -> tuple[optax.Params, optax.Updates, optax.Updates]:
            # w^{t-1} = x^0, grad f(w^{t-1})
            here = jax.tree.map(jnp.asarray, params)
            return here, full_gradient(params), wide_zeros(params)

        def difference() -> tuple[optax.Params, optax.Updates, optax.Updates]:
            # the sum over S_k of grad f_i(x^k) - grad f_i(w^{t-1})
            total = jax.tree.map(
                lambda s, new, old: s + (new - old),
                state.total,
                wide(updates, params),
                batch_gradient(state.snapshot),
            )
            return state.snapshot, state.full_gradient, total

        point, full, total = jax.lax.cond(begins, snapshot, difference)
        gathered = state.gathered + 1
        needed = jnp.where(begins, 1, calls_needed(samples, k, batch_size))
        complete = begins | (gathered >= needed)

        def eta() -> jax.Array:
            given = jnp.asarray(rate(k) if callable(rate) else rate, dtype=float)
            return jnp.where(t == 0, 1.0, given)

        new_updates, remainder = step_when(
            complete,
            constraint,
            eta,
            jax.tree.map(jnp.add, mean_of(total, needed), full),
            params,
            state.remainder,
        )
        return new_updates, SvrfState(
            steps=jnp.where(complete, optax.safe_increment(state.steps), state.steps),
            epochs=epochs,
            epoch_steps=jnp.where(complete, (k + 1) % _epoch_length(t), k),
            calls=jnp.where(begins, state.calls, optax.safe_increment(state.calls)),
            gathered=jnp.where(complete, 0, gathered),
            total=emptied(complete, total),
            snapshot=point,
            full_gradient=full,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _papers_samples(count: jax.typing.ArrayLike) -> jax.Array:
    return 96 * (jnp.asarray(count, dtype=float) + 2)


def _epoch_length(t: jax.Array) -> jax.Array:
    """N_t = 2^(t+3) - 2, and 1 for the start, t = 0; the largest power of two in int32 at most."""
    return jnp.where(t == 0, 1, jnp.left_shift(1, jnp.minimum(t + 3, 30)) - 2).astype(jnp.int32)
