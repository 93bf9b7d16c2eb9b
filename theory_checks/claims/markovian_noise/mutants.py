# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the multilevel estimator, in the methods that are fed by it, and in their bounds.

Those of the estimator take the arguments of `optzoo.mlmc_gradient`, the level's wrong law those of
`optzoo.mlmc_stream`, and those of a method the constants of the method.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

import optzoo

from ...controls import wrong
from ...mutants import Call, altered

__all__ = [
    "MIXING_TIME_ONE",
    "level_correlated_with_the_chain",
    "level_law_that_does_not_match_its_weights",
    "levels_not_nested",
    "momentum_undamped",
    "second_half_from_the_point_looked_ahead_at",
    "wrong_level_weight",
]

Parts = tuple[optax.Updates, Any, optzoo.MLMCInfo]
_NEVER = 33  # a level above every cut

MIXING_TIME_ONE = wrong("mixing time 1", r"the bound evaluated with $\tau' = 1$", tau=1)


def wrong_level_weight(grad_fn: Any, step_fn: Any, **sizes: ArrayLike) -> Any:
    """The correction is weighted by 2^(J-1) in place of 2^J: half of it is missing."""
    full = optzoo.mlmc_gradient(grad_fn, step_fn, **sizes)
    base = optzoo.mlmc_gradient(grad_fn, step_fn, **sizes | {"max_level": 0})

    def estimate(key: jax.Array, params: optax.Params, chain_state: Any) -> Parts:
        g, state, info = full(key, params, chain_state)
        g_0, _, _ = base(key, params, chain_state)
        half = jax.tree.map(lambda a, b: jnp.where(info.level > 0, (a + b) / 2, a), g, g_0)
        return half, state, info

    return estimate


def levels_not_nested(
    grad_fn: Any, step_fn: Any, *, batch_size: ArrayLike, max_level: ArrayLike
) -> Any:
    """The means g_{J-1} and g_0 are formed from the samples that follow those of g_J."""
    drawn = optzoo.mlmc_gradient(grad_fn, step_fn, batch_size=1, max_level=max_level)

    def plain(size: ArrayLike) -> Any:
        return optzoo.mlmc_gradient(grad_fn, step_fn, batch_size=size, max_level=0)

    def estimate(key: jax.Array, params: optax.Params, chain_state: Any) -> Parts:
        level = drawn(key, params, chain_state)[2].level
        long = jnp.left_shift(jnp.asarray(batch_size).astype(jnp.int32), level)
        short = jnp.maximum(long // 2, 1)
        g_j, state, _ = plain(long)(jax.random.fold_in(key, 1), params, chain_state)
        g_below, after, _ = plain(short)(jax.random.fold_in(key, 2), params, state)
        g_0, end, _ = plain(batch_size)(jax.random.fold_in(key, 3), params, after)
        scale = jnp.left_shift(1, level)

        def combine(base: jax.Array, high: jax.Array, low: jax.Array) -> jax.Array:
            return jnp.where(level > 0, base + scale * (high - low), high)

        samples = jnp.where(level > 0, long + short + batch_size, long)
        end = jax.tree.map(lambda a, b: jnp.where(level > 0, a, b), end, state)
        return jax.tree.map(combine, g_0, g_j, g_below), end, optzoo.MLMCInfo(samples, level)

    return estimate


def level_correlated_with_the_chain(grad_fn: Any, step_fn: Any, **sizes: ArrayLike) -> Any:
    """The level and the first transition of the chain are drawn with the same random bits."""

    def step(key: jax.Array, carry: Any) -> tuple[Any, Any]:
        chain_state, level_key, is_first = carry
        chain_state, sample = step_fn(
            jax.random.wrap_key_data(
                jnp.where(is_first, jax.random.key_data(level_key), jax.random.key_data(key))
            ),
            chain_state,
        )
        return (chain_state, level_key, jnp.zeros_like(is_first)), sample

    shared = optzoo.mlmc_gradient(grad_fn, step, **sizes)

    def estimate(key: jax.Array, params: optax.Params, chain_state: Any) -> Parts:
        carry = (chain_state, jax.random.fold_in(key, 0), jnp.array(True))
        g, (state, _, _), info = shared(key, params, carry)
        return g, state, info

    return estimate


def level_law_that_does_not_match_its_weights(
    grad_fn: Any, step_fn: Any, **sizes: Any
) -> optzoo.MLMCStream:
    """The level has P(J = j) = 2^-(j+1) from j = 0 on: its law starts one too early."""
    right = optzoo.mlmc_stream(grad_fn, step_fn, **sizes)

    def one_less(state: optzoo.MLMCStreamState) -> optzoo.MLMCStreamState:
        level = state.drawn_level
        return state._replace(drawn_level=jnp.where(level == 1, _NEVER, level - 1))

    def init(params: optax.Params, key: jax.Array) -> optzoo.MLMCStreamState:
        return one_less(right.init(params, key))

    def tick(key: jax.Array, params: optax.Params, chain_state: Any, stream: Any) -> Any:
        g, ready, chain_state, stream, info = right.tick(key, params, chain_state, stream)
        stream = jax.tree.map(
            lambda fresh, old: jnp.where(ready, fresh, old), one_less(stream), stream
        )
        return g, ready, chain_state, stream, info

    return optzoo.MLMCStream(init, tick)


def momentum_undamped(
    learning_rate: ArrayLike, strong_convexity: ArrayLike, momentum_scale: ArrayLike
) -> optax.GradientTransformationExtraArgs:
    """The accelerated method with p = 1, whatever condition (C) asks for."""
    return optzoo.randomized_accelerated_gd(learning_rate, strong_convexity)


@altered(optzoo.randomized_extragradient)
def second_half_from_the_point_looked_ahead_at(call: Call) -> tuple[optax.Updates, Any]:
    """Extragradient with x^{k+1} = x^{k+1/2} - gamma g^{k+1/2}, not from x^k."""
    return call.step(state=call.state._replace(base_point=call.params))
