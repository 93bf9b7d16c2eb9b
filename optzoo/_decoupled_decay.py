# SPDX-License-Identifier: Apache-2.0
"""Steps along directions, with a decay of the weights that does not pass through them.

W -= eta U, then W *= 1 - eta lambda: SOAP's and KL-Shampoo's last line, as one additive update.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._arguments import concrete_number, require_in, require_learning_rate
from ._decay_mask import require_mask, spread_mask

__all__: list[str] = []


def steps(
    name: str,
    init: Callable[[optax.Params], Any],
    called: Callable[[optax.Updates, Any, Any], tuple[optax.Updates, Any]],
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: Any,
    mask: Any,
) -> optax.GradientTransformationExtraArgs:
    """The method whose directions these are.

    Args:
      name: of the method, for messages.
      init: parameters -> a state with `count`, `skipped` and `mu`.
      called: updates, state, parameters or None -> directions, at least in float32, and the state.
      learning_rate: eta, a positive number or a schedule of calls.
      weight_decay: lambda, at least 0.
      mask: where weights decay.
    """
    require_learning_rate("learning_rate", learning_rate)
    require_in("weight_decay", weight_decay, 0.0, math.inf)
    require_mask(mask)
    never_decays = concrete_number("weight_decay", weight_decay) == 0.0

    def init_fn(params: optax.Params) -> Any:
        state = init(params)
        if jax.tree.leaves(params):  # a placeholder matches no mask
            spread_mask(mask, params)
        return state

    def update_fn(
        updates: optax.Updates,
        state: Any,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, Any]:
        del extra_args
        if params is None and not never_decays:
            raise ValueError(
                f"{name}: `params` is missing; weight decay needs it: update(grads, state, params)."
            )
        found, new_state = called(updates, state, params)
        calls = state.count + state.skipped
        eta = learning_rate(calls) if callable(learning_rate) else learning_rate
        moves = (state.count > 0) & (new_state.count > state.count)

        @functools.partial(jax.jit, static_argnames="decays")
        def step(u: jax.Array, m: jax.Array, decays: bool, p: Any) -> jax.Array:
            rate = jnp.asarray(eta, u.dtype)
            u = -rate * u
            if decays:
                # (1 - eta lambda) (p + u) - p
                shrink = jnp.where(moves, rate * jnp.asarray(weight_decay, u.dtype), 0)
                u = u * (1 - shrink) - shrink * p.astype(u.dtype)
            return u.astype(m.dtype)

        if never_decays:
            decays = jax.tree.map(lambda _: False, found)
            params = found
        else:
            decays = spread_mask(mask, params)
        return jax.tree.map(step, found, state.mu, decays, params), new_state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
