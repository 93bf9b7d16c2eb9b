"""Every path of the shipped chain: `optzoo.ito_chain` with the noise written out."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

import optzoo
from optzoo import NoiseLaw
from optzoo.problems import Atoms

__all__ = ["Field", "Method", "all_paths", "chain_law", "states_after"]

Array = NDArray[np.float64]
Method = Callable[..., optax.GradientTransformationExtraArgs]
Field = Callable[[jax.Array], jax.Array]


@partial(jax.jit, static_argnames=("drift", "sigma", "method"))
def states_after(
    noises: jax.Array,
    start: jax.Array,
    step: ArrayLike,
    gamma: ArrayLike,
    key: jax.Array,
    *,
    drift: Field,
    sigma: Field,
    method: Method = optzoo.ito_chain,
) -> jax.Array:
    """X_k of the shipped chain, one for each sequence of noises.

    Args:
        noises: eps_0, ..., eps_{k-1} of every path, shape (paths, k, d).
        start: X_0, shape (d,).
        step: eta.
        gamma: gamma.
        key: of the chain; nothing is drawn with it.
        drift: b.
        sigma: a scalar, a diagonal or a matrix at x.
        method: the chain or a mutant.
    """

    def chain(eps: jax.Array) -> optax.GradientTransformationExtraArgs:
        noise = NoiseLaw("given", lambda key, shape, dtype: eps.astype(dtype))
        return method(step, noise=noise, diffusion=None, gamma=gamma, key=key)

    def advance(
        carry: tuple[jax.Array, optax.OptState], eps: jax.Array
    ) -> tuple[tuple[jax.Array, optax.OptState], None]:
        x, state = carry
        updates, state = chain(eps).update(-drift(x), state, x, diffusion=sigma(x))
        return (optax.apply_updates(x, updates), state), None

    def path(eps: jax.Array) -> jax.Array:
        return jax.lax.scan(advance, (start, chain(eps[0]).init(start)), eps)[0][0]

    return jax.vmap(path)(noises)


def all_paths(atoms: Sequence[float], weights: Sequence[float], steps: int) -> tuple[Array, Array]:
    """All sequences of noises on the line, shape (paths, steps, 1), with their probabilities."""
    picks = np.array(list(itertools.product(range(len(atoms)), repeat=steps)))
    chances = np.prod(np.asarray(weights)[picks], axis=1)
    return np.asarray(atoms)[picks][:, :, None], chances


def chain_law(
    atoms: Sequence[float],
    weights: Sequence[float],
    steps: int,
    *,
    start: float,
    step: float,
    gamma: float,
    drift: Field,
    sigma: Field,
    method: Method = optzoo.ito_chain,
) -> Atoms:
    """The law of X_k of the shipped chain on the line, all paths enumerated."""
    noises, chances = all_paths(atoms, weights, steps)
    ends = states_after(
        jnp.asarray(noises),
        jnp.array([start]),
        step,
        gamma,
        jax.random.key(0),
        drift=drift,
        sigma=sigma,
        method=method,
    )
    return Atoms(np.asarray(ends)[:, 0], chances)
