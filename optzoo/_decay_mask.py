# SPDX-License-Identifier: Apache-2.0
"""Which leaves decay: a mask as optax takes it, a tree prefix of the parameters or a function."""

from typing import Any

import jax

from ._soap_axes import is_function_of_params

__all__: list[str] = []


def require_mask(mask: Any) -> None:
    if mask is None or is_function_of_params(mask):
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(mask):
        is_array = str(getattr(leaf, "dtype", None)) == "bool" and leaf.shape == ()
        if not isinstance(leaf, bool) and not is_array:
            raise TypeError(
                f"mask{jax.tree_util.keystr(path)} must be True or False, got {leaf!r}."
            )


def spread_mask(mask: Any, params: Any) -> Any:
    """A tree of bools like the parameters."""
    if mask is None:
        return jax.tree.map(lambda _: True, params)
    given = mask(params) if is_function_of_params(mask) else mask
    require_mask(given)
    try:
        return jax.tree.map(lambda m, tree: jax.tree.map(lambda _: bool(m), tree), given, params)
    except ValueError as error:
        raise ValueError(
            f"mask must be a tree prefix of params, {jax.tree.structure(params)}; it has "
            f"{jax.tree.structure(given)}."
        ) from error
