# SPDX-License-Identifier: Apache-2.0
"""A method's own state inside that of the wrappers around it."""

from typing import TypeVar

import jax
import optax

__all__: list[str] = []

State = TypeVar("State")


def find_state(state: optax.OptState, kind: type[State]) -> State:
    """The one state of this kind anywhere inside the state of a chain or a wrapper."""
    leaves = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kind))
    found = [leaf for leaf in leaves if isinstance(leaf, kind)]
    if len(found) != 1:
        raise ValueError(f"state must hold exactly one {kind.__name__}; it holds {len(found)}.")
    return found[0]
