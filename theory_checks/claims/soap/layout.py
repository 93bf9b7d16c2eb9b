"""Where SOAP's and Shampoo's states keep the matrices of a leaf: the one place that knows."""

from typing import Any

import jax

__all__ = ["field_of", "matrices_of"]


def matrices_of(field: Any, like: Any) -> list[tuple[Any, ...]]:
    """For every leaf its matrices in a field of the state, axis by axis; None where there is none.

    Args:
        field: `gram`, `basis` or `root` of a state.
        like: a tree of the structure of the parameters.
    """
    structure: Any = jax.tree.structure(like)
    return list(structure.flatten_up_to(field))


def field_of(matrices: list[tuple[Any, ...]], like: Any) -> Any:
    """The field of the state that has these matrices: the inverse of `matrices_of`."""
    structure: Any = jax.tree.structure(like)
    return structure.unflatten(matrices)
