# SPDX-License-Identifier: Apache-2.0
"""The multilevel estimator as the weights it gives to the samples, read off the shipped code.

On a stream whose i-th gradient is the i-th unit vector, an estimate is its weights. With them the
moments along any finite chain follow exactly, by dynamic programming over the chain.
"""

from collections.abc import Callable
from functools import cache, wraps
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

import optzoo
from optzoo.problems import MarkovChain, PathMoments, level_weights, weighted_sum_moments

__all__ = [
    "Estimator",
    "from_stream",
    "mixture",
    "path_moments",
    "segments",
    "shipped_weights",
    "stated_weights",
]

Array = NDArray[np.float64]
Estimator = Callable[..., Any]  # the arguments of mlmc_gradient -> its result
Levels = dict[int, Array]

_KEYS = 256


@cache
def from_stream(stream: Callable[..., optzoo.MLMCStream], samples_per_tick: int = 1) -> Estimator:
    """One whole estimate of a stream, in the form of `mlmc_gradient`, under the stream's name."""

    @wraps(stream)
    def estimator(grad_fn: Any, step_fn: Any, **sizes: Any) -> Any:
        parts = stream(grad_fn, step_fn, samples_per_tick=samples_per_tick, **sizes)

        def estimate(key: jax.Array, params: Any, chain_state: Any) -> Any:
            def tick(count: jax.Array, chain_state: Any, partial: Any) -> Any:
                of_tick = jax.random.fold_in(key, count)
                return count + 1, parts.tick(of_tick, params, chain_state, partial)

            first = parts.init(params, jax.random.fold_in(key, 0))
            _, (g, _, chain_state, _, info) = jax.lax.while_loop(
                lambda carry: ~carry[1][1],
                lambda carry: tick(carry[0], carry[1][2], carry[1][3]),
                tick(jnp.asarray(1), chain_state, first),
            )
            return g, chain_state, info

        return estimate

    return estimator


@cache
def shipped_weights(estimator: Estimator, sizes: tuple[tuple[int, int], ...]) -> list[Levels]:
    """Level -> weights of the samples 1, 2, ..., for each (B, m); level 0 is J > m."""
    length = max(3 * 2**m * b for b, m in sizes)

    @jax.jit
    @jax.vmap
    def draw(key: jax.Array, batch_size: jax.Array, max_level: jax.Array) -> Any:
        estimate = estimator(
            lambda params, i: jax.nn.one_hot(i, length, dtype=params.dtype),
            lambda key, i: (i + 1, i),
            batch_size=batch_size,
            max_level=max_level,
        )
        g, _, info = estimate(key, jnp.zeros(length), jnp.int32(0))
        return g, info.level, info.samples

    keys = jax.random.split(jax.random.key(0), _KEYS)
    found: list[Levels] = []
    for b, m in sizes:
        full = jnp.full(_KEYS, b), jnp.full(_KEYS, m)
        weights, levels, samples = (np.asarray(part) for part in draw(keys, *full))
        first = {int(level): int(np.argmax(levels == level)) for level in np.unique(levels)}
        if set(first) != set(range(m + 1)):
            raise ValueError(f"{_KEYS} keys must meet all levels up to {m}, got {sorted(first)}")
        found.append({j: weights[i, : samples[i]] for j, i in first.items()})
    return found


def stated_weights(batch_size: int, max_level: int) -> Levels:
    """What the statement says they are."""
    return {
        j: np.concatenate([np.full(count, w) for w, count in level_weights(batch_size, j)])
        for j in range(max_level + 1)
    }


def segments(weights: ArrayLike) -> list[tuple[float, int]]:
    """Runs of equal weights."""
    return [(float(w), len(list(run))) for w, run in groupby(np.asarray(weights).tolist())]


def path_moments(chain: MarkovChain, noise: ArrayLike, weights: ArrayLike) -> PathMoments:
    """Moments of sum_i w_i h(Z_i) from each starting state."""
    return weighted_sum_moments(chain, noise, segments(weights))


def mixture(levels: dict[int, Array]) -> Array:
    """sum_j 2^-j (level j) + 2^-m (level 0) of one number a level."""
    m = max(levels)
    total = 2.0**-m * levels[0]
    return total + sum((2.0**-j * levels[j] for j in range(1, m + 1)), start=np.zeros(()))
