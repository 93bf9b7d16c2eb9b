# SPDX-License-Identifier: Apache-2.0
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


def noise_times_step(learning_rate: Any, **right: Any) -> Method:
    r"""The noise is multiplied by $\eta$ whatever $\gamma$ is."""
    return optzoo.ito_chain(learning_rate, **right | {"gamma": jnp.ones(())})


def doubled_exponent(learning_rate: Any, *, gamma: Any, **right: Any) -> Method:
    r"""$\eta^{1/2+\gamma}$ in place of $\eta^{(1+\gamma)/2}$: right for $\gamma = 0$ alone."""
    return optzoo.ito_chain(learning_rate, gamma=2 * jnp.asarray(gamma), **right)


def unstandardized(learning_rate: Any, *, noise: NoiseLaw, **right: Any) -> Method:
    r"""The noise is louder than it should be: $E\varepsilon\varepsilon^\top = 1.21 I$."""
    louder = dataclasses.replace(noise, draw=lambda *spec: 1.1 * noise.draw(*spec))
    return optzoo.ito_chain(learning_rate, noise=louder, **right)


def uphill(learning_rate: Any, **right: Any) -> Method:
    """The drift has the wrong sign."""
    return optax.chain(optax.scale(-1.0), optzoo.ito_chain(learning_rate, **right))


def drift_error(learning_rate: Any, **right: Any) -> Method:
    """Gradients that are off by a constant, 0.1 in every coordinate."""
    off = optax.stateless(lambda updates, params: jax.tree.map(lambda g: g + 0.1, updates))
    return optax.chain(off, optzoo.ito_chain(learning_rate, **right))


class _Remembering(NamedTuple):
    chain: Any
    last: jax.Array  # the sigma or the noise of the step before


def frozen_sigma(learning_rate: Any, **right: Any) -> Method:
    r"""$\sigma(x_0)$ for ever.

    For vectors of parameters and diagonal sigma.
    """
    chain = optzoo.ito_chain(learning_rate, **right)

    def init(params: Any) -> _Remembering:
        return _Remembering(chain.init(params), jnp.full_like(params, jnp.nan))

    def update(
        updates: optax.Updates, state: _Remembering, params: Any = None, *, diffusion: Any
    ) -> tuple[optax.Updates, _Remembering]:
        sigma = jnp.where(jnp.isnan(state.last), diffusion, state.last)
        moved, inner = chain.update(updates, state.chain, params, diffusion=sigma)
        return moved, _Remembering(inner, sigma)

    return optax.GradientTransformationExtraArgs(init, update)


def correlated_noise(
    learning_rate: Any, *, noise: NoiseLaw, key: jax.Array, **right: Any
) -> Method:
    """A moving average of two draws: the right variance, but correlated."""

    def chain(law: NoiseLaw) -> Method:
        return optzoo.ito_chain(learning_rate, noise=law, key=key, **right)

    def init(params: Any) -> _Remembering:
        return _Remembering(chain(noise).init(params), jnp.zeros_like(params))

    def update(
        updates: optax.Updates, state: _Remembering, params: Any = None, **extra_args: Any
    ) -> tuple[optax.Updates, _Remembering]:
        new = noise.draw(key, params.shape, params.dtype)
        mixed = dataclasses.replace(noise, draw=lambda *spec: (new + state.last) / 2**0.5)
        moved, inner = chain(mixed).update(updates, state.chain, params, **extra_args)
        return moved, _Remembering(inner, new)

    return optax.GradientTransformationExtraArgs(init, update)
