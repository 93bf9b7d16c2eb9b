# SPDX-License-Identifier: Apache-2.0
"""Gram matrices, bases and roots as the states of SOAP and Shampoo keep them: axes outside.

A field is a tuple over matrix axes of trees like the parameters, with None in the place of a leaf
that has no matrix for that axis. Each of these trees is to optax's wrappers, to flax's nnx and to
checkpoints what the momentum is; a tuple in the place of every leaf would not be: nnx takes it for
a part of the parameters' own structure and makes a mapping of it.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax

__all__: list[str] = []

Factors = tuple[jax.Array | None, ...]  # of one leaf, for every matrix axis; None without a matrix


def by_axis(structure: Any, factors: Sequence[Factors]) -> Any:
    """The field of a state whose leaves, in the parameters' order, have these factors."""
    if not factors:  # a placeholder, or nothing
        return structure.unflatten([])
    return tuple(structure.unflatten(matrices) for matrices in itertools.zip_longest(*factors))


def by_leaf(structure: Any, field: Any, ranks: Sequence[int]) -> list[Factors]:
    """The factors of every leaf, given its number of matrix axes: the inverse of `by_axis`."""
    if not ranks:
        return []
    of_axes = [structure.flatten_up_to(tree) for tree in field]
    return [
        tuple(matrices[place] for matrices in of_axes[:rank]) for place, rank in enumerate(ranks)
    ]
