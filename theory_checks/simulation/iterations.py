"""What is observed after numbers of iterations, where these take different numbers of steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .process import Along, Position

__all__ = ["AtIterations"]


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
