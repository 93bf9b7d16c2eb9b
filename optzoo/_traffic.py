# SPDX-License-Identifier: Apache-2.0
"""Counters of what a method under an axis of workers has sent."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

__all__: list[str] = []

Count: TypeAlias = int | jax.Array


class Traffic(NamedTuple):
    """What was sent so far, int32 each."""

    rounds: jax.Array  # a broadcast with its answers, or a sum over the workers
    messages: jax.Array | None  # compressed vectors of every worker; None where there are none
    vectors: jax.Array  # whole vectors sent by every worker
    broadcasts: jax.Array  # whole vectors sent by the server to everybody

    def plus(
        self, *, rounds: Count, messages: Count = 0, vectors: Count = 0, broadcasts: Count = 0
    ) -> "Traffic":
        """These and what was sent since."""
        return Traffic(
            rounds=_sum(self.rounds, rounds),
            messages=None if self.messages is None else _sum(self.messages, messages),
            vectors=_sum(self.vectors, vectors),
            broadcasts=_sum(self.broadcasts, broadcasts),
        )


def no_traffic(*, messages: bool) -> Traffic:
    """Nothing was sent yet; whether there will be compressed messages."""
    zero = [jnp.zeros([], jnp.int32) for _ in Traffic._fields]
    return Traffic(zero[0], zero[1] if messages else None, zero[2], zero[3])


def _sum(count: jax.Array, more: Count) -> jax.Array:
    return count + jnp.asarray(more, jnp.int32)
