# SPDX-License-Identifier: Apache-2.0
"""Every path of the shipped chain: `optzoo.ito_chain` with the noise written out."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

import optzoo
from optzoo import NoiseLaw
from optzoo.problems import Atoms

from .settings import NOISES, LinearChain

__all__ = ["STEPS", "Coefficients", "Method", "all_paths", "shipped_law", "states_after"]

Array = NDArray[np.float64]
Method = Callable[..., optax.GradientTransformationExtraArgs]


class Coefficients(NamedTuple):
    """Of a chain and its diffusion, functions of the state."""

    drift: Callable[[jax.Array], jax.Array]  # b
    sigma: Callable[[jax.Array], jax.Array]  # a scalar, a diagonal or a matrix


@partial(jax.jit, static_argnames=("coefficients", "method"))
def states_after(
    noises: jax.Array,
    start: jax.Array,
    step: ArrayLike,
    gamma: ArrayLike,
    coefficients: Coefficients,
    *,
    method: Method = optzoo.ito_chain,
    seed: int = 0,
) -> jax.Array:
    """X_k of the shipped chain, one for each sequence of noises.

    Args:
        noises: eps_0, ..., eps_{k-1} of every path, shape (paths, k, d).
        start: X_0, shape (d,).
        step: eta.
        gamma: gamma.
        coefficients: b and sigma.
        method: the chain or a mutant.
        seed: of the chain's key; nothing is drawn with it.
    """
    key = jax.random.key(seed)

    def chain(eps: jax.Array) -> optax.GradientTransformationExtraArgs:
        noise = NoiseLaw("given", lambda key, shape, dtype: eps.astype(dtype))
        return method(step, noise=noise, diffusion=None, gamma=gamma, key=key)

    def advance(
        carry: tuple[jax.Array, optax.OptState], eps: jax.Array
    ) -> tuple[tuple[jax.Array, optax.OptState], None]:
        x, state = carry
        drift, sigma = coefficients.drift(x), coefficients.sigma(x)
        updates, state = chain(eps).update(-drift, state, x, diffusion=sigma)
        return (optax.apply_updates(x, updates), state), None

    def path(eps: jax.Array) -> jax.Array:
        return jax.lax.scan(advance, (start, chain(eps[0]).init(start)), eps)[0][0]

    return jax.vmap(path)(noises)


def all_paths(atoms: Sequence[float], weights: Sequence[float], steps: int) -> tuple[Array, Array]:
    """All sequences of noises on the line, shape (paths, steps, 1), with their probabilities."""
    picks = np.array(list(itertools.product(range(len(atoms)), repeat=steps)))
    chances = np.prod(np.asarray(weights)[picks], axis=1)
    return np.asarray(atoms)[picks][:, :, None], chances


STEPS = 8
_RATES = (1.0, 0.0, -0.5)
_LINEAR = Coefficients(lambda x: -jnp.asarray(_RATES) * x, jnp.ones_like)


def shipped_law(
    chain: LinearChain, *, noise: NoiseLaw | None = None, method: Method = optzoo.ito_chain
) -> Atoms:
    """The law of X_8 of the shipped chain with b(x) = -a x and sigma = 1, all paths enumerated.

    Args:
        chain: of 8 steps, with a = 1, 0 or -1/2: one program has a coordinate for each.
        noise: in place of the chain's own.
        method: the chain or a mutant.
    """
    law = NOISES[chain.noise] if noise is None else noise
    noises, chances = all_paths(law.atoms or (), law.weights or (), STEPS)
    ends = states_after(
        jnp.asarray(np.repeat(noises, len(_RATES), axis=2)),
        jnp.full(len(_RATES), chain.start),
        chain.eta,
        chain.gamma,
        _LINEAR,
        method=method,
    )
    return Atoms(np.asarray(ends)[:, _RATES.index(chain.rate)], chances)
