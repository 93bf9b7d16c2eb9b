"""A method's own state inside that of the wrappers around it."""

from typing import Any

import jax
import optax

__all__: list[str] = []


def find_state(state: optax.OptState, *kinds: Any) -> Any:
    """The one state of these kinds anywhere inside the state of a chain or a wrapper."""
    leaves = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    found = [leaf for leaf in leaves if isinstance(leaf, kinds)]
    if len(found) != 1:
        name = kinds[0].__name__
        raise ValueError(f"state must hold exactly one {name}; it holds {len(found)}.")
    return found[0]
