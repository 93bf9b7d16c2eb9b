# SPDX-License-Identifier: Apache-2.0
"""Iterates of a transformation on given gradients, and how two sequences of them are compared."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

__all__ = ["WINDOW", "Tree", "farthest", "iterates"]

Array = NDArray[np.float64]
Tree = Mapping[str, Array]
Carry = tuple[optax.Params, optax.OptState]
WINDOW = 20


def iterates(
    make: Callable[..., optax.GradientTransformationExtraArgs],
    start: Tree,
    gradients: Tree,
    *,
    structure: Mapping[str, Any] = MappingProxyType({}),
    **numbers: float,
) -> dict[str, Array]:
    """The parameters after every call, on gradients that are given beforehand.

    Args:
        make: makes the transformation, whose updates are added.
        start: the parameters before the first call.
        gradients: for every leaf all its gradients, shape (calls, *shape of the leaf).
        structure: arguments of `make` that are no numbers; one program is compiled for each.
        **numbers: arguments of `make`, which the program takes as arguments.

    Returns:
        For every leaf an array of shape (calls, *shape of the leaf).
    """
    params, given = (
        {name: jnp.asarray(leaf) for name, leaf in tree.items()} for tree in (start, gradients)
    )
    found = _run(make, tuple(sorted(structure.items())), numbers, params, given)
    return {name: np.asarray(leaf) for name, leaf in found.items()}


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    make: Callable[..., optax.GradientTransformationExtraArgs],
    structure: tuple[tuple[str, Any], ...],
    numbers: dict[str, float],
    params: optax.Params,
    gradients: optax.Updates,
) -> dict[str, jax.Array]:
    method = make(**numbers, **dict(structure))

    def step(carry: Carry, g: optax.Updates) -> tuple[Carry, optax.Params]:
        params, state = carry
        updates, state = method.update(g, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    return jax.lax.scan(step, (params, method.init(params)), gradients)[1]


def farthest(measured: Tree, exact: Tree, window: int = WINDOW) -> tuple[Array, Array]:
    """From every window of calls the pair of numbers that lie farthest apart.

    Every entry of every iterate decides; what is kept is small enough for a record.

    Args:
        measured, exact: for every leaf an array of one shape, calls along the first axis.
        window: so many calls.

    Returns:
        The two sides, each of shape (cases,).
    """
    left, right = [], []
    for name, leaf in exact.items():
        for first in range(0, len(leaf), window):
            a, b = (np.ravel(tree[name][first : first + window]) for tree in (measured, exact))
            worst = int(np.argmax(np.abs(a - b)))
            left.append(a[worst])
            right.append(b[worst])
    return np.array(left), np.array(right)
