"""Mistakes in Ito chains; each takes the arguments of `optzoo.ito_chain`."""

import dataclasses
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo import NoiseLaw

__all__ = [
    "correlated_noise",
    "doubled_exponent",
    "drift_error",
    "frozen_sigma",
    "noise_times_step",
    "unstandardized",
    "uphill",
]

Method: TypeAlias = optax.GradientTransformationExtraArgs


def noise_times_step(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    r"""The noise is multiplied by $\eta$ whatever $\gamma$ is."""
    return optzoo.ito_chain(
        learning_rate, noise=noise, diffusion=diffusion, gamma=jnp.ones(()), key=key
    )


def doubled_exponent(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    r"""$\eta^{1/2+\gamma}$ in place of $\eta^{(1+\gamma)/2}$: right for $\gamma = 0$ alone."""
    return optzoo.ito_chain(
        learning_rate, noise=noise, diffusion=diffusion, gamma=2 * jnp.asarray(gamma), key=key
    )


def unstandardized(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    r"""The noise is louder than it should be: $E\varepsilon\varepsilon^\top = 1.21 I$."""
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


def drift_error(
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


def frozen_sigma(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    r"""$\sigma(x_0)$ for ever.

    For vectors of parameters and diagonal sigma.
    """
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


def correlated_noise(
    learning_rate: Any, *, noise: NoiseLaw, diffusion: Any, gamma: Any, key: jax.Array
) -> Method:
    """A moving average of two draws: the right variance, but correlated."""

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
