"""Counters of what a method under an axis of workers has sent."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__: list[str] = []


class Traffic(NamedTuple):
    """What was sent so far, int32 each. A round is an exchange that the next one waits for."""

    rounds: jax.Array  # a broadcast with its answers, or a sum over the workers
    messages: jax.Array  # compressed vectors sent by every worker
    vectors: jax.Array  # whole vectors sent by every worker
    broadcasts: jax.Array  # whole vectors sent by the server to everybody

    def plus(
        self,
        *,
        rounds: int | jax.Array = 0,
        messages: int | jax.Array = 0,
        vectors: int | jax.Array = 0,
        broadcasts: int | jax.Array = 0,
    ) -> "Traffic":
        """These and what was sent since."""
        more = Traffic(
            *(jnp.asarray(n, jnp.int32) for n in (rounds, messages, vectors, broadcasts))
        )
        return Traffic(*(count + new for count, new in zip(self, more, strict=True)))


def no_traffic() -> Traffic:
    """Nothing was sent yet."""
    return Traffic(*(jnp.zeros([], jnp.int32) for _ in Traffic._fields))
