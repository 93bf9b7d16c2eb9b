# SPDX-License-Identifier: Apache-2.0
r"""SPIDER Frank-Wolfe: recursive gradients along the path, in epochs that double.

    minimize f(x) = (1/n) sum_i f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

Epoch t = 1, 2, ... has the steps k = 1, ..., K_t. The first takes the full gradient, the others
follow it with a fresh batch S_k of K_t samples (SPIDER-FW of the paper):

    g^1     = grad f(x^1)
    g^k     = g^{k-1} + (1/K_t) sum_{S_k} [grad f_i(x^k) - grad f_i(x^{k-1})]
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k),      eta_k = 2 / (K_t + k),      K_t = 2^(t-1).

The next epoch starts at x^{K_t + 1}. For non-convex f the epochs have a constant length q, the
batches a constant size and the steps are given.

For convex f an accuracy eps takes of the order of 1/eps calls of the oracle, log(1/eps) full
gradients and 1/eps^2 samples.

Differs from the paper:
 1. The batch of a step comes in micro batches of b samples, one a call, ceil(m / b) of them; in
    the last call the step is taken, in the others the updates are zero. The last micro batch is
    not cut to size, so that up to b - 1 samples more than m are in the mean.
 2. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate, the sums of the
    batch and the estimate are kept in float32, as in `sarah_frank_wolfe`.

References:
  Yurtsever, Sra, Cevher, "Conditional gradient methods via stochastic path-integrated differential
  estimator", ICML 2019.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_gradients, require_integer, require_step_size
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

__all__ = ["SpiderFrankWolfeState", "spider_frank_wolfe"]


class SpiderFrankWolfeState(NamedTuple):
    """State of `spider_frank_wolfe`."""

    steps: jax.Array  # of all epochs, int32: the calls of the linear oracle so far
    epochs: jax.Array  # t, int32: the full gradients so far
    epoch_steps: jax.Array  # k - 1, int32; 0 where the next call begins an epoch
    calls: jax.Array  # micro batches so far, int32
    gathered: jax.Array  # those of them that belong to step k, int32
    total: optax.Updates  # the sum of their differences, float32 for 16-bit leaves
    estimate: optax.Updates  # g^{k-1}, float32 for 16-bit leaves
    previous: optax.Params  # x^{k-1}, where the estimate was formed, in the parameters' dtype
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def spider_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | None = None,
    *,
    batch_size: int,
    epoch_length: int | None = None,
    samples_per_step: jax.typing.ArrayLike | optax.Schedule | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""SPIDER Frank-Wolfe: variance reduction along the path, restarted by full gradients.

    .. math::
      g^k &= \begin{cases}
        \nabla f(x^k) & \text{in the first step of an epoch,} \\
        g^{k-1} + \frac1m \sum_{i \in S_k} [\nabla f_i(x^k) - \nabla f_i(x^{k-1})]
        & \text{otherwise,}
      \end{cases} \\
      x^{k+1} &= x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    With nothing but b it is the paper's method for convex f: epochs of K = 1, 2, 4, ... steps,
    batches of m = K samples and eta_k = 2 / (K + k) in the steps k = 1, ..., K of an epoch. With
    `epoch_length=q` it is the one for non-convex f: a full gradient every q steps, batches of
    `samples_per_step` samples and a step that is given; the paper takes q and m of the order of
    sqrt(n) and a constant step of T^(-1/2) for T steps.

    One call brings a micro batch of `batch_size` fresh samples. The updates are zero until
    ceil(m / b) of them are together; in the call in which they are, the oracle is asked and the
    step is taken. The first call of an epoch takes a full gradient in the place of the micro
    batch, and a step.

    `update(grads, state, params, *, grad_fn, full_grad_fn)`:

    - `grads`: the gradient of the micro batch at `params`; it is drawn afresh for every call.
    - `grad_fn(p)`: the gradient of the same micro batch at `p`; evaluated once, at the previous
      iterate, unless the call begins an epoch.
    - `full_grad_fn(p)`: the full gradient at `p`; evaluated where an epoch begins only. It sits in
      one branch of a `lax.cond`: under `vmap` both branches are computed, so run many replicates
      with `lax.map`.

    Functions cannot cross `jit`: call `update` inside the jitted step. `optax.MultiSteps`,
    clipping before this transformation and `optax.masked` change the gradients but not what
    `grad_fn` returns: they are not supported. In a loop that is not jitted the first call
    evaluates `grad_fn(params)` to compare it with `grads`, and raises where they differ.

    The schedules count the steps 0, 1, ... of the whole run, not the calls.
    `optax.inject_hyperparams` would evaluate them at the calls: give it
    `static_args=("learning_rate", "samples_per_step")`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta in (0, 1], a number or a schedule; 2 / (K + k) if None, which epochs of a
        given length do not allow.
      batch_size: b, the number of samples in a micro batch.
      epoch_length: q, the number of steps of every epoch; 1, 2, 4, ... if None.
      samples_per_step: m, a number of at least 1 or a schedule step -> number, rounded up; if None
        the length K of the epoch, and b with `epoch_length`. At a step where a schedule is below 1
        or NaN the updates are NaN.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The state counts
      `steps`, each with one call of the oracle, `epochs`, each with one full gradient, and the
      `calls` with a micro batch; see `gradient_calls`.

    Raises:
      ValueError: if the step, b, q or m is out of range, if a step is missing that q needs, if an
        extra argument or the parameters are missing, if the parameters start outside C, if a
        gradient does not match them, or if `grads` is seen to differ from `grad_fn(params)`.
      TypeError: if the constraint is not a set, or b, q or m is no number.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> features = jax.random.normal(jax.random.key(0), (64, 8))
      >>> targets = features @ jnp.eye(8)[0]
      >>> def loss(x, rows):
      ...     return jnp.mean((features[rows] @ x - targets[rows]) ** 2)
      >>> everything = jnp.arange(64)
      >>> method = optzoo.spider_frank_wolfe(optzoo.lmo.l1_ball(1.0), batch_size=16)
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
      (7, 115)

    References:
      Yurtsever, Sra, Cevher, "Conditional gradient methods via stochastic path-integrated
      differential estimator", ICML 2019.
    """
    require_set(constraint)
    if learning_rate is not None:
        require_step_size("learning_rate", learning_rate)
    require_batch_size(batch_size)
    if epoch_length is not None:
        require_integer("epoch_length", epoch_length, 1)
        if learning_rate is None:
            raise ValueError(
                "learning_rate must be given with epoch_length: None stands for 2 / (K + k) in "
                "epochs of the lengths K = 1, 2, 4, ...."
            )
    if samples_per_step is not None:
        require_samples("samples_per_step", samples_per_step)

    def fresh(params: optax.Params) -> SpiderFrankWolfeState:
        return SpiderFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            epochs=jnp.zeros([], jnp.int32),
            epoch_steps=jnp.zeros([], jnp.int32),
            calls=jnp.zeros([], jnp.int32),
            gathered=jnp.zeros([], jnp.int32),
            total=wide_zeros(params),
            estimate=wide_zeros(params),
            previous=jax.tree.map(jnp.zeros_like, params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> SpiderFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: SpiderFrankWolfeState,
        params: optax.Params | None = None,
        *,
        grad_fn: GradientFn | None = None,
        full_grad_fn: GradientFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SpiderFrankWolfeState]:
        del extra_args
        params = require_gradients("spider_frank_wolfe", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        batch_gradient, full_gradient = checked_functions(
            "spider_frank_wolfe", updates, params, state.epochs, grad_fn, full_grad_fn
        )
        begins = state.epoch_steps == 0
        epochs = jnp.where(begins, optax.safe_increment(state.epochs), state.epochs)
        k = state.epoch_steps + 1
        if epoch_length is None:
            # K_t = 2^(t-1), the largest power of two in int32 at most
            length = jnp.left_shift(1, jnp.minimum(epochs - 1, 30)).astype(jnp.int32)
        else:
            length = jnp.asarray(epoch_length).astype(jnp.int32)

        def restart() -> tuple[optax.Updates, optax.Updates]:
            # g^1 = grad f(x^1)
            return full_gradient(params), wide_zeros(params)

        def recursion() -> tuple[optax.Updates, optax.Updates]:
            # g^{k-1}, and the sum over S_k of grad f_i(x^k) - grad f_i(x^{k-1})
            total = jax.tree.map(
                lambda s, new, old: s + (new - old),
                state.total,
                wide(updates, params),
                batch_gradient(state.previous),
            )
            return state.estimate, total

        known, total = jax.lax.cond(begins, restart, recursion)
        default = length if epoch_length is None else batch_size
        samples = default if samples_per_step is None else samples_per_step
        gathered = state.gathered + 1
        needed = jnp.where(begins, 1, calls_needed(samples, state.steps, batch_size))
        complete = begins | (gathered >= needed)
        estimate = jax.tree.map(jnp.add, known, mean_of(total, needed))

        def eta() -> Any:
            if learning_rate is None:
                return 2 / (length.astype(float) + k.astype(float))
            return learning_rate(state.steps) if callable(learning_rate) else learning_rate

        new_updates, remainder = step_when(
            complete, constraint, eta, estimate, params, state.remainder
        )

        def renewed(new: optax.Params, old: optax.Params) -> optax.Params:
            return jax.tree.map(lambda a, b: jnp.where(complete, a, b), new, old)

        return new_updates, SpiderFrankWolfeState(
            steps=jnp.where(complete, optax.safe_increment(state.steps), state.steps),
            epochs=epochs,
            epoch_steps=jnp.where(complete, k % length, state.epoch_steps),
            calls=jnp.where(begins, state.calls, optax.safe_increment(state.calls)),
            gathered=jnp.where(complete, 0, gathered),
            total=emptied(complete, total),
            estimate=renewed(estimate, state.estimate),
            previous=renewed(params, state.previous),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
