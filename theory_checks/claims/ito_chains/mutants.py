"""Mistakes in Ito chains; each takes the arguments of `optzoo.ito_chain`."""

import dataclasses
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo import NoiseLaw

__all__ = [
    "doubled_noise_exponent",
    "drift_with_error",
    "frozen_diffusion",
    "moving_average_noise",
    "noise_times_step",
    "unstandardized_noise",
    "uphill",
]

Method: TypeAlias = optax.GradientTransformationExtraArgs


def noise_times_step(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """The noise is multiplied by eta whatever gamma is."""
    return optzoo.ito_chain(
        learning_rate, noise=noise, diffusion=diffusion, gamma=jnp.ones(()), key=key
    )


def doubled_noise_exponent(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """eta^(1/2 + gamma) in place of eta^((1 + gamma)/2): right for gamma = 0 alone."""
    return optzoo.ito_chain(
        learning_rate, noise=noise, diffusion=diffusion, gamma=2 * jnp.asarray(gamma), key=key
    )


def unstandardized_noise(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """E eps eps^T = 1.21 I."""
    louder = dataclasses.replace(noise, draw=lambda *spec: 1.1 * noise.draw(*spec))
    return optzoo.ito_chain(learning_rate, noise=louder, diffusion=diffusion, gamma=gamma, key=key)


def uphill(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """The drift has the wrong sign."""
    chain = optzoo.ito_chain(learning_rate, noise=noise, diffusion=diffusion, gamma=gamma, key=key)

    def update(
        updates: optax.Updates, state: Any, params: Any = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        return chain.update(jax.tree.map(jnp.negative, updates), state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(chain.init, update)


def drift_with_error(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """Gradients that are off by a constant, 0.1 in every coordinate."""
    chain = optzoo.ito_chain(learning_rate, noise=noise, diffusion=diffusion, gamma=gamma, key=key)

    def update(
        updates: optax.Updates, state: Any, params: Any = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        wrong = jax.tree.map(lambda g: g + 0.1, updates)
        return chain.update(wrong, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(chain.init, update)


class _Frozen(NamedTuple):
    chain: Any
    sigma: jax.Array
    known: jax.Array


def frozen_diffusion(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """Sigma stays what it was at the start; for vectors of parameters and diagonal sigma."""
    chain = optzoo.ito_chain(learning_rate, noise=noise, diffusion=diffusion, gamma=gamma, key=key)

    def init(params: Any) -> _Frozen:
        return _Frozen(chain.init(params), jnp.zeros_like(params), jnp.zeros((), bool))

    def update(
        updates: optax.Updates, state: _Frozen, params: Any = None, *, diffusion: Any
    ) -> tuple[optax.Updates, _Frozen]:
        sigma = jnp.where(state.known, state.sigma, diffusion)
        moved, inner = chain.update(updates, state.chain, params, diffusion=sigma)
        return moved, _Frozen(inner, sigma, jnp.ones((), bool))

    return optax.GradientTransformationExtraArgs(init, update)


class _Remembering(NamedTuple):
    chain: Any
    last: jax.Array


def moving_average_noise(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """(eps_k + eps_{k-1}) / sqrt(2) in place of eps_k: the right variance, but correlated."""

    def init(params: Any) -> _Remembering:
        chain = optzoo.ito_chain(
            learning_rate, noise=noise, diffusion=diffusion, gamma=gamma, key=key
        )
        return _Remembering(chain.init(params), jnp.zeros_like(params))

    def update(
        updates: optax.Updates, state: _Remembering, params: Any = None, **extra_args: Any
    ) -> tuple[optax.Updates, _Remembering]:
        new = noise.draw(key, params.shape, params.dtype)
        mixed = dataclasses.replace(noise, draw=lambda *spec: (new + state.last) / 2**0.5)
        chain = optzoo.ito_chain(
            learning_rate, noise=mixed, diffusion=diffusion, gamma=gamma, key=key
        )
        moved, inner = chain.update(updates, state.chain, params, **extra_args)
        return moved, _Remembering(inner, new)

    return optax.GradientTransformationExtraArgs(init, update)
