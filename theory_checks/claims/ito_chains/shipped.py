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

__all__ = ["RATES", "STEPS", "Field", "Method", "all_paths", "linear_laws", "states_after"]

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


RATES = np.array([1.0, 0.0, -0.5])
STEPS = 8


def _linear(x: jax.Array) -> jax.Array:
    return -jnp.asarray(RATES) * x


def _unit(x: jax.Array) -> jax.Array:
    return jnp.ones_like(x)


def linear_laws(
    noise: NoiseLaw, *, start: float, step: float, gamma: float, method: Method = optzoo.ito_chain
) -> dict[float, Atoms]:
    """The laws of X_8 of the shipped chain with b(x) = -a x and sigma = 1, by their rates a.

    One chain whose coordinates share their noise, all paths enumerated.
    """
    atoms, weights = noise.atoms or (), noise.weights or ()
    noises, chances = all_paths(atoms, weights, STEPS)
    ends = states_after(
        jnp.asarray(np.repeat(noises, len(RATES), axis=2)),
        jnp.full(len(RATES), start),
        step,
        gamma,
        jax.random.key(0),
        drift=_linear,
        sigma=_unit,
        method=method,
    )
    columns = np.asarray(ends).T
    return {
        float(rate): Atoms(column, chances) for rate, column in zip(RATES, columns, strict=True)
    }
