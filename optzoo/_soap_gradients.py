# SPDX-License-Identifier: Apache-2.0
"""What SOAP and Shampoo compute with: gradients in float32 or float64, and none that is not finite.

Leaves keep their own dtypes, whatever those of the gradients are. 16-bit ones are computed in
float32 and rounded once.
"""

from collections import defaultdict
from typing import Any

import jax
import jax.numpy as jnp

from . import _tree_vector as tv
from ._soap_basis import sharding_of

__all__: list[str] = []

_SMALL = 2**14  # numbers in a leaf


def wide_dtype(leaf: Any) -> Any:
    return jnp.float64 if leaf.dtype == jnp.float64 else jnp.float32


def narrow(x: jax.Array, like: jax.Array) -> jax.Array:
    """The array in the dtype of `like`; what is beyond its range becomes its largest number."""
    if x.dtype == like.dtype:
        return x
    largest = float(tv.finfo(like.dtype).max)
    return jnp.clip(x, -largest, largest).astype(like.dtype)


def squared_norms(gradients: list[jax.Array]) -> list[jax.Array]:
    """Of every leaf, and one of all small ones together: a sum for each takes long to compile.

    Where they are finite there is room for the squares of the gradient and their averages.
    """
    summands = defaultdict(list)
    for place, g in enumerate(gradients):
        joined = g.size <= _SMALL and sharding_of(g) is None
        summands[str(g.dtype) if joined else place].append(g.ravel() if joined else g)
    return [
        jnp.sum(jnp.square(gs[0] if len(gs) == 1 else jnp.concatenate(gs)))
        for gs in summands.values()
    ]


def all_finite(numbers: list[jax.Array]) -> jax.Array:
    return jnp.all(jnp.stack([jnp.isfinite(number) for number in numbers] or [jnp.array(True)]))
