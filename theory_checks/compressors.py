# SPDX-License-Identifier: Apache-2.0
"""Compressors under a check: the shipped ones with given draws, and with mistakes.

With a given draw they are the shipped ones but for where the draw comes from: encoding, decoding
and the collective are theirs. So all outcomes of a method that compresses can be enumerated.
"""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients

__all__ = ["Scaled", "SharedKey", "draws", "with_draw"]


@dataclass(frozen=True)
class _Around(Compressor):
    """A compressor of which a part is changed; abstract."""

    compressor: Compressor

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_workers", self.compressor.num_workers)

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> Any:
        return self.compressor.encode(key, worker, vector)

    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Any) -> jax.Array:
        return self.compressor.decode(key, worker, message, like)

    def variance_constants(self, dimension: int) -> tuple[float, float]:
        return self.compressor.variance_constants(dimension)


@dataclass(frozen=True)
class Scaled(_Around):
    """A compressor times a factor."""

    factor: float

    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Any) -> jax.Array:
        return self.factor * super().decode(key, worker, message, like)

    def mean(self, key: jax.Array, vector: jax.Array, axis_name: str) -> jax.Array:
        return self.factor * self.compressor.mean(key, vector, axis_name)


@dataclass(frozen=True)
class SharedKey(_Around):
    """A compressor whose workers all draw what worker 0 draws."""

    def encode(self, key: jax.Array, worker: jax.Array, vector: jax.Array) -> Any:
        return super().encode(key, jnp.zeros_like(worker), vector)

    def decode(self, key: jax.Array, worker: jax.Array, message: Any, like: Any) -> jax.Array:
        return super().decode(key, jnp.zeros_like(worker), message, like)


# The method by which a compressor draws.
DRAWN_BY: dict[type[Compressor], str] = {
    PermK: "shift",
    SampledClients: "clients",
    RandK: "indices",
}


def draws(compressor: Compressor, dimension: int) -> NDArray[Any]:
    """All equally likely draws of a compressor, one row each."""
    n = compressor.num_workers
    if isinstance(compressor, Scaled):
        return draws(compressor.compressor, dimension)
    if isinstance(compressor, PermK):
        return np.arange(n)
    if isinstance(compressor, SampledClients):
        return np.array(list(itertools.product(range(n), repeat=compressor.num_clients)))
    if isinstance(compressor, RandK):
        subsets = list(itertools.combinations(range(dimension), compressor.num_coordinates))
        return np.array(list(itertools.product(subsets, repeat=n)))
    if isinstance(compressor, Identity):
        return np.zeros(1)
    raise TypeError(f"the draws of {compressor} are not enumerated")


def with_draw(compressor: Compressor, draw: jax.Array) -> Compressor:
    """The compressor with this draw for every key; where workers draw apart, a row a worker."""

    def drawn(self: Compressor, key: Any, worker: Any = None, dimension: Any = None) -> jax.Array:
        return draw if worker is None else draw[worker]

    if isinstance(compressor, Scaled):
        return replace(compressor, compressor=with_draw(compressor.compressor, draw))
    if isinstance(compressor, Identity):
        return compressor
    kind = type(compressor)
    fixed: Compressor = type("Drawn", (kind,), {DRAWN_BY[kind]: drawn})(**vars(compressor))
    return fixed
