# SPDX-License-Identifier: Apache-2.0
"""What is observed after numbers of iterations, where these take different numbers of steps."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .process import Along, Position

__all__ = ["AtIterations", "ticks_for"]


@dataclass(frozen=True)
class AtIterations(Along):
    """A watch that shows at each deadline what was there after a number of iterations.

    The positions of the process count their complete `iterations`. A replicate that is not so far
    by the deadline shows a NaN, which stops the whole check.

    Args:
        watch: (process, position) -> scalar.
        iterations: increasing.
        deadlines: in steps, late enough; the checkpoints of the experiment.
        mean: whether the mean over the iterates before is shown, in place of the last of them.
    """

    watch: Callable[[Any, Position], jax.Array]
    iterations: tuple[int, ...]
    deadlines: tuple[int, ...]
    mean: bool = False

    def start(self) -> Any:
        """Steps, the sum over the iterates, and what is kept for the deadlines."""
        kept = jnp.full(len(self.iterations), jnp.nan)
        return jnp.zeros([], jnp.int32), jnp.zeros([]), kept

    def add(
        self, memory: Any, process: Any, k: jax.Array, before: Position, after: Position
    ) -> Any:
        steps, total, kept = memory
        moved = after.iterations > before.iterations
        if self.mean:
            total = total + jnp.where(moved, self.watch(process, before), 0.0)
            now = total / jnp.maximum(after.iterations, 1)
        else:
            now = self.watch(process, after)
        arrived = moved & (after.iterations == jnp.asarray(self.iterations))
        return steps + 1, total, jnp.where(arrived, now, kept)

    def read(self, memory: Any) -> jax.Array:
        steps, _, kept = memory
        shown: jax.Array = kept[jnp.searchsorted(jnp.asarray(self.deadlines), steps)]
        return shown


def ticks_for(
    iterations: int, batch_size: int, max_level: int, samples_per_tick: int, *, risk: float = 1e-9
) -> int:
    """Ticks by which so many multilevel estimates are complete, but for a probability of `risk`.

    Chernoff's bound on the sum of the lengths 2^J B, J > m counting as B.

    Args:
        iterations: number of estimates.
        batch_size: B, samples.
        max_level: m.
        samples_per_tick: how many samples a tick takes.
        risk: at most the probability that they are not.

    Returns:
        A number of ticks.

    Example:
        >>> ticks_for(10, 2, 0, 1)
        20
    """
    m = max_level
    lengths = np.array([1.0, *(2.0**j for j in range(1, m + 1))])
    shares = np.array([2.0**-m, *(2.0**-j for j in range(1, m + 1))])
    best = math.inf
    for rate in np.geomspace(1e-4, 3.0, 200) / 2**m:
        growth = float(np.log(shares @ np.exp(rate * lengths)))
        best = min(best, (iterations * growth - math.log(risk)) / rate)
    most = min(best, iterations * 2.0**m)
    return math.ceil(most * batch_size / samples_per_tick)
