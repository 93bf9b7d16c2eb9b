# SPDX-License-Identifier: Apache-2.0
r"""Stochastic Frank-Wolfe: minibatches that grow, so that their noise falls as the steps do.

    minimize f(x) = E f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

Step k = 0, 1, ... draws a fresh batch S_k of m_k samples (Algorithm 3 of the paper):

    g^k     = (1/m_k) sum_{S_k} grad f_i(x^k)
    x^{k+1} = x^k + eta_k (LMO(g^k) - x^k),      eta_k = 2 / (k + 2),
    m_k     = ceil( (G (k + 2) / (L D))^2 ).

An accuracy eps takes of the order of 1/eps calls of the oracle and G^2/eps^3 samples.

Differs from the paper:
 1. The batch of a step comes in micro batches of b samples, one a call, ceil(m_k / b) of them; in
    the last call the step is taken, in the others the updates are zero. The last micro batch is
    not cut to size, so that up to b - 1 samples more than m_k are in the mean.
 2. k counts from 0, in the paper from 1.
 3. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate and the sums of
    the batch are kept in float32, as in `frank_wolfe`.

References:
  Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016,
  arXiv:1602.02101.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_gradients, require_positive, require_step_size
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
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_zeros
from .lmo import ConstraintSet
from .schedules import open_loop_schedule

__all__ = ["StochasticFrankWolfeState", "growing_batches", "stochastic_frank_wolfe"]


class StochasticFrankWolfeState(NamedTuple):
    """State of `stochastic_frank_wolfe`."""

    steps: jax.Array  # k, int32: the calls of the linear oracle so far
    calls: jax.Array  # micro batches so far, int32
    gathered: jax.Array  # those of them that belong to step k, int32
    total: optax.Updates  # the sum of their gradients, float32 for 16-bit leaves
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def stochastic_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | None = None,
    *,
    batch_size: int,
    samples_per_step: jax.typing.ArrayLike | optax.Schedule,
) -> optax.GradientTransformationExtraArgs:
    r"""Stochastic Frank-Wolfe with batches that grow over the steps.

    .. math::
      g^k = \frac{1}{m_k} \sum_{i \in S_k} \nabla f_i(x^k), \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(g^k) - x^k\bigr).

    One call of `update(grads, state, params)` brings the gradient of a micro batch of
    `batch_size` fresh samples. The updates are zero until ceil(m_k / b) of them are together; in
    the call in which they are, the oracle is asked and the step is taken along their mean.
    `state.steps` counts the steps, each with one call of the oracle, `state.calls` the micro
    batches; see `gradient_calls`.

    The schedules are those of the steps k, not of the calls. `optax.inject_hyperparams` would
    evaluate them at the calls: give it `static_args=("learning_rate", "samples_per_step")`.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule; the paper's 2 / (k + 2) if None.
      batch_size: b, the number of samples in a micro batch.
      samples_per_step: m_k, a number of at least 1 or a schedule step -> number, rounded up; the
        paper's is `optzoo.growing_batches(G, L, D)`. At a step where a schedule is below 1 or NaN
        the updates are NaN.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32.

    Raises:
      ValueError: if the step, b or m_0 is out of range, if the parameters are missing or start
        outside C, or if the gradients do not match them.
      TypeError: if the constraint is not a set with a linear minimization oracle, or b or m is no
        number.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> features = jax.random.normal(jax.random.key(0), (64, 8))
      >>> targets = features @ jnp.eye(8)[0]
      >>> def loss(x, rows):
      ...     return jnp.mean((features[rows] @ x - targets[rows]) ** 2)
      >>> method = optzoo.stochastic_frank_wolfe(
      ...     optzoo.lmo.l1_ball(1.0), batch_size=8, samples_per_step=lambda k: 4 * (k + 1))
      >>> @jax.jit
      ... def step(params, state, rows):
      ...     grads = jax.grad(loss)(params, rows)
      ...     updates, state = method.update(grads, state, params)
      ...     return optax.apply_updates(params, updates), state
      >>> params = jnp.zeros(8)
      >>> state = method.init(params)
      >>> for k in range(300):
      ...     rows = jax.random.randint(jax.random.key(k), (8,), 0, 64)
      ...     params, state = step(params, state, rows)
      >>> bool(loss(params, jnp.arange(64)) < 1e-2)
      True
      >>> int(state.steps), int(state.calls)
      (33, 300)

    References:
      Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016,
      arXiv:1602.02101.
    """
    require_set(constraint)
    if learning_rate is not None:
        require_step_size("learning_rate", learning_rate)
    require_batch_size(batch_size)
    require_samples("samples_per_step", samples_per_step)
    rate = open_loop_schedule() if learning_rate is None else learning_rate

    def fresh(params: optax.Params) -> StochasticFrankWolfeState:
        return StochasticFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            calls=jnp.zeros([], jnp.int32),
            gathered=jnp.zeros([], jnp.int32),
            total=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> StochasticFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: StochasticFrankWolfeState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, StochasticFrankWolfeState]:
        del extra_args
        params = require_gradients("stochastic_frank_wolfe", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        total = jax.tree.map(jnp.add, state.total, wide(updates, params))
        gathered = state.gathered + 1
        needed = calls_needed(samples_per_step, state.steps, batch_size)
        complete = gathered >= needed

        new_updates, remainder = step_when(
            complete,
            constraint,
            lambda: rate(state.steps) if callable(rate) else rate,
            mean_of(total, needed),
            params,
            state.remainder,
        )
        return new_updates, StochasticFrankWolfeState(
            steps=jnp.where(complete, optax.safe_increment(state.steps), state.steps),
            calls=optax.safe_increment(state.calls),
            gathered=jnp.where(complete, 0, gathered),
            total=emptied(complete, total),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def growing_batches(
    lipschitz: jax.typing.ArrayLike,
    smoothness: jax.typing.ArrayLike,
    diameter: jax.typing.ArrayLike,
) -> optax.Schedule:
    r"""The batches of stochastic Frank-Wolfe, which grow as the square of the steps.

    .. math:: m_k = \Bigl\lceil \Bigl( \frac{G (k + 2)}{L D} \Bigr)^2 \Bigr\rceil

    Then the noise of the mean is at most L D / (k + 2), of the order of the step.

    Args:
      lipschitz: G, a positive number with E |grad f_i(x) - grad f(x)|^2 <= G^2 on C; in the paper
        the Lipschitz constant of every f_i.
      smoothness: L, the Lipschitz constant of grad f.
      diameter: D, the diameter of C.

    Returns:
      A schedule: step count k = 0, 1, ... (integer scalar) -> number of samples (floating scalar).
      It is calculated in JAX's default precision, in which a number on an integer may be rounded
      to the next one.

    Raises:
      ValueError: if a number is not positive and finite.
      TypeError: if it is no number.

    Example:
      >>> import optzoo
      >>> schedule = optzoo.growing_batches(lipschitz=3.0, smoothness=1.0, diameter=2.0)
      >>> [int(schedule(k)) for k in (0, 1, 8)]
      [9, 21, 225]

    References:
      Hazan, Luo, "Variance-reduced and projection-free stochastic optimization", ICML 2016,
      arXiv:1602.02101.
    """
    require_positive("lipschitz", lipschitz)
    require_positive("smoothness", smoothness)
    require_positive("diameter", diameter)

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        k, G, L, D = (jnp.asarray(v, dtype=float) for v in (count, lipschitz, smoothness, diameter))
        return jnp.ceil((G * (k + 2) / (L * D)) ** 2)

    return schedule
