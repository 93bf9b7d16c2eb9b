# SPDX-License-Identifier: Apache-2.0
r"""Momentum Frank-Wolfe: one small batch a step, and an average of the gradients so far.

    minimize f(x) = E f_i(x) over x in C, with LMO(g) = argmin_{s in C} <g, s>.

With g^k the gradient of a fresh batch of any constant size at x^k (Algorithm 2 of the paper):

    d^k     = (1 - rho_k) d^{k-1} + rho_k g^k,      d^{-1} = 0,      rho_k = 4 / (k + 8)^(2/3)
    x^{k+1} = x^k + eta_k (LMO(d^k) - x^k),                          eta_k = 1 / (k + 1).

The iterates move less and less, so that old gradients are worth averaging: the error of d^k goes
to 0 as k^(-2/3) in its square without batches that grow, and the gap as k^(-1/3).

Differs from the paper:
 1. k counts from 0, where both steps are 1 exactly, so that d^{-1} is not looked at.
 2. x^{k+1} is drawn radially back into C, and for 16-bit parameters the iterate and the average
    are kept in float32, as in `frank_wolfe`.

References:
  Mokhtari, Hassani, Karbasi, "Stochastic conditional gradient methods: from convex minimization to
  submodular maximization", JMLR 2020, arXiv:1804.09554.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    first_value,
    require_gradients,
    require_probability,
    require_step_size,
)
from ._compensated_sum import zero_remainder
from ._frank_wolfe_step import require_feasible_start, require_set, step
from ._state_layout import require_own_state
from ._wide_arithmetic import wide, wide_zeros
from .lmo import ConstraintSet

__all__ = ["MomentumFrankWolfeState", "momentum_frank_wolfe"]


class MomentumFrankWolfeState(NamedTuple):
    """State of `momentum_frank_wolfe`."""

    steps: jax.Array  # k, int32: the calls of the linear oracle so far
    estimate: optax.Updates  # d^{k-1}, float32 for 16-bit leaves
    remainder: optax.Params  # x^k less the 16-bit parameters, float32; None for wider leaves


def momentum_frank_wolfe(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | None = None,
    momentum: optax.ScalarOrSchedule | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Stochastic Frank-Wolfe along an average of minibatch gradients.

    .. math::
      d^k = (1 - \rho_k) d^{k-1} + \rho_k g^k, \qquad
      x^{k+1} = x^k + \eta_k \bigl(\mathrm{LMO}(d^k) - x^k\bigr).

    `update(grads, state, params)`: `grads` is the gradient of a fresh minibatch at `params`; its
    size may be any, and is the same in every step. One call is one step.

    Args:
      constraint: the set C, such as `optzoo.lmo.l1_ball(1.0)`. The parameters must start in it.
      learning_rate: eta_k in (0, 1], a number or a schedule; the paper's 1 / (k + 1) if None.
      momentum: rho_k in (0, 1], a number or a schedule; the paper's 4 / (k + 8)^(2/3) if None. It
        is the weight of the new gradient, as in the paper: with 1 nothing is kept of the old ones.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. `state.steps`
      counts the steps, each with one call of the oracle; see `gradient_calls`.

    Raises:
      ValueError: if a step is outside (0, 1], if the parameters are missing or start outside C, or
        if the gradients do not match them.
      TypeError: if the constraint is not a set with a linear minimization oracle, or a step is no
        number.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jnp.array([0.5, 0.3, 0.2])
      >>> loss = lambda x, noise: jnp.sum((x - target - noise) ** 2)
      >>> method = optzoo.momentum_frank_wolfe(optzoo.lmo.simplex())
      >>> @jax.jit
      ... def step(params, state, key):
      ...     grads = jax.grad(loss)(params, 0.1 * jax.random.normal(key, 3))
      ...     updates, state = method.update(grads, state, params)
      ...     return optax.apply_updates(params, updates), state
      >>> params = jnp.array([1.0, 0.0, 0.0])
      >>> state = method.init(params)
      >>> for k in range(300):
      ...     params, state = step(params, state, jax.random.key(k))
      >>> bool(loss(params, 0.0) < 1e-2)
      True

    References:
      Mokhtari, Hassani, Karbasi, "Stochastic conditional gradient methods: from convex
      minimization to submodular maximization", JMLR 2020, arXiv:1804.09554.
    """
    require_set(constraint)
    if learning_rate is not None:
        require_step_size("learning_rate", learning_rate)
    _require_weight(momentum)
    rate = _one_over if learning_rate is None else learning_rate
    weight = _four_over if momentum is None else momentum

    def fresh(params: optax.Params) -> MomentumFrankWolfeState:
        return MomentumFrankWolfeState(
            steps=jnp.zeros([], jnp.int32),
            estimate=wide_zeros(params),
            remainder=zero_remainder(params),
        )

    def init_fn(params: optax.Params) -> MomentumFrankWolfeState:
        require_feasible_start(constraint, params)
        return fresh(params)

    def update_fn(
        updates: optax.Updates,
        state: MomentumFrankWolfeState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, MomentumFrankWolfeState]:
        del extra_args
        params = require_gradients("momentum_frank_wolfe", updates, params)
        require_own_state(state, jax.eval_shape(fresh, params))
        rho = jnp.asarray(weight(state.steps) if callable(weight) else weight)

        def averaged(d: jax.Array, g: jax.Array) -> jax.Array:
            r = rho.astype(d.dtype)
            return (1 - r) * d + r * g

        # d^k = (1 - rho_k) d^{k-1} + rho_k g^k
        estimate = jax.tree.map(averaged, state.estimate, wide(updates, params))
        new_updates, remainder = step(
            constraint, rate, state.steps, estimate, params, state.remainder
        )
        return new_updates, MomentumFrankWolfeState(
            optax.safe_increment(state.steps), estimate, remainder
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _one_over(count: jax.typing.ArrayLike) -> jax.Array:
    return 1 / (jnp.asarray(count, dtype=float) + 1)


def _four_over(count: jax.typing.ArrayLike) -> jax.Array:
    # The root of 8 may be rounded down, and rho_0 is 1.
    return jnp.minimum(4 / jnp.cbrt(jnp.asarray(count, dtype=float) + 8) ** 2, 1)


def _require_weight(momentum: Any) -> None:
    """Raises unless 0 < rho <= 1, for a schedule at its first step."""
    if callable(momentum):
        require_probability("momentum(0)", first_value("momentum", momentum))
    elif momentum is not None:
        require_probability("momentum", momentum)
