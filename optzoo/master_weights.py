# SPDX-License-Identifier: Apache-2.0
r"""A float32 iterate for 16-bit parameters, under any optimizer.

    p_0 = x_0;      x_{k+1} = x_k + v(x_k),      p_{k+1} = p_k + round(x_{k+1} - p_k),

where v is the update of any optax transformation. The parameters p are what a network computes
with, and x is where the optimizer is. Only x - p is kept, a rounding, so that the two cannot drift
apart: it is Kahan's compensated sum of the updates.

References:
  Kahan, "Further remarks on reducing truncation errors", Communications of the ACM, 1965.
  Zamirai, Zhang, Aberger, De Sa, "Revisiting BFloat16 training", 2020, arXiv:2010.06192.
"""

from typing import Any, NamedTuple

import jax
import optax

from ._arguments import require_floating, require_gradients, require_matching_tree
from ._compensated_sum import iterate, step_to, zero_remainder
from ._state_layout import require_own_state
from ._wide_arithmetic import is_16_bit, wide, wide_copy

__all__ = ["MasterWeightsState", "master_weights"]


class MasterWeightsState(NamedTuple):
    """State of `master_weights`."""

    remainder: optax.Params  # x_k less the 16-bit parameters, float32; None for wider leaves
    inner: optax.OptState  # of the inner transformation; float32 where it mirrors 16-bit leaves


def master_weights(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    r"""Runs a transformation on the float32 iterate that 16-bit parameters stand for.

    .. math::
      x_k = p_k + r_k, \qquad x_{k+1} = x_k + v(x_k), \qquad
      p_{k+1} = p_k + \mathrm{round}(x_{k+1} - p_k), \qquad r_{k+1} = x_{k+1} - p_{k+1}

    In 16 bits a step below half a unit in the last place of a parameter does nothing: at 1, steps
    below 1/256 in bfloat16, 1/2048 in float16. Here no step is lost. `inner` sees x_k and the
    gradients in float32, so that its own state is in float32 as well; the gradients are still taken
    at the parameters p_k. Wider leaves are left as they are.

    Any method that is not given its iterate by itself (`optzoo.sgld`, `optzoo.ito_chain`,
    `optzoo.randomized_gd`, `optax.adamw`) should be wrapped for 16-bit parameters. It belongs
    outside of what makes the step, `master_weights(optax.chain(...))`, and works under every
    optax wrapper.

    Args:
      inner: any optax transformation; extra arguments of `update` are passed on.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      TypeError: if `inner` is no transformation, or a parameter is not a real floating array.
      ValueError: if the parameters are missing, or the gradients do not match them.

    Example:
      A thousand steps of 0.001 from 1, in bfloat16:

      >>> import jax.numpy as jnp, optax, optzoo
      >>> def after_a_thousand(method):
      ...     x = jnp.ones(1, jnp.bfloat16)
      ...     state = method.init(x)
      ...     def step(_, carry):
      ...         x, state = carry
      ...         updates, state = method.update(jnp.ones(1, jnp.bfloat16), state, x)
      ...         return optax.apply_updates(x, updates), state
      ...     return float(jax.lax.fori_loop(0, 1000, step, (x, state))[0][0])
      >>> import jax
      >>> sgd = optax.sgd(0.001)
      >>> after_a_thousand(sgd), abs(after_a_thousand(optzoo.master_weights(sgd))) < 0.001
      (1.0, True)

    References:
      Kahan, "Further remarks on reducing truncation errors", Communications of the ACM, 1965.
      Zamirai, Zhang, Aberger, De Sa, "Revisiting BFloat16 training", 2020, arXiv:2010.06192.
    """
    if not isinstance(inner, optax.GradientTransformation):
        raise TypeError(
            f"inner must be an optax transformation, such as optax.adamw(1e-3), got {inner!r}."
        )
    inner_update = optax.with_extra_args_support(inner).update

    def init_fn(params: optax.Params) -> MasterWeightsState:
        require_floating(params)
        return MasterWeightsState(
            remainder=zero_remainder(params), inner=inner.init(wide_copy(params))
        )

    def update_fn(
        updates: optax.Updates,
        state: MasterWeightsState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, MasterWeightsState]:
        params = require_gradients("master_weights", updates, params)
        _require_own_remainder(state, params)
        x = iterate(params, state.remainder)
        moved, inner_state = inner_update(wide(updates, params), state.inner, x, **extra_args)
        require_matching_tree("the updates of inner", moved, params)
        compensated, remainder = step_to(
            jax.tree.map(lambda xi, v: xi + v.astype(xi.dtype), x, moved), params
        )
        # Wider leaves take the update itself: x + v - x would round it.
        new_updates = jax.tree.map(
            lambda p, u, v: u if is_16_bit(p) else v.astype(p.dtype), params, compensated, moved
        )
        return new_updates, MasterWeightsState(remainder, inner_state)

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _require_own_remainder(state: MasterWeightsState, params: optax.Params) -> None:
    """The state of the inner transformation is its own affair."""
    inner = getattr(state, "inner", None)
    fresh = MasterWeightsState(jax.eval_shape(zero_remainder, params), inner)
    require_own_state(state, fresh)
