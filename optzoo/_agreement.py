# SPDX-License-Identifier: Apache-2.0
"""Whether the gradients handed in are those that the functions handed in return.

A method that evaluates gradients itself, beside those that it is given, is wrong after whatever
changes the given ones: clipping before it in a chain, an average, a mask. It is seen where the
numbers are known, which they are in neither `jit` nor `cond`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_leaves_with_path

from ._tree_vector import finfo, is_concrete

__all__: list[str] = []


def are_concrete(*trees: Any) -> bool:
    return all(is_concrete(leaf) for leaf in jax.tree.leaves(trees))


def require_agreement(updates: optax.Updates, expected: optax.Updates, source: str) -> None:
    """Raises where concrete `updates` are not what is expected, up to round-off.

    `source` completes the sentence "updates must be ...".
    """
    if not are_concrete(updates, expected):
        return
    with jax.ensure_compile_time_eval():
        # Of all leaves: the gradient of one may be nothing but round-off.
        scale = max(map(_largest, jax.tree.leaves((updates, expected))), default=0.0)
        leaves = zip(tree_leaves_with_path(updates), jax.tree.leaves(expected), strict=True)
        for (path, given), right in leaves:
            # Loose enough for products in the 19 bits that accelerators use by default.
            atol = max(_eps(given), _eps(right)) ** (1 / 3) * scale
            if not bool(jnp.allclose(_wide(given), _wide(right), 0.0, atol, equal_nan=True)):
                raise ValueError(
                    f"updates{keystr(path)} must be {source}; they disagree by more than "
                    "round-off. Are both of the same batch, and is nothing (clipping, MultiSteps, "
                    "masked) between them?"
                )


def _eps(leaf: Any) -> float:
    dtype = jnp.result_type(leaf)
    return float(finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else 0.0


def _wide(leaf: Any) -> jax.Array:
    return jnp.asarray(leaf, jnp.result_type(float))


def _largest(leaf: Any) -> float:
    numbers = _wide(leaf)
    return float(jnp.max(jnp.abs(jnp.where(jnp.isfinite(numbers), numbers, 0)), initial=0))
