# SPDX-License-Identifier: Apache-2.0
"""Whether a state is one that this very transformation could have made.

Settings decide which fields a state has, and parameters how large they are. A state that was made
with other settings, for other parameters, or restored from a checkpoint in other containers would
fail far from the cause, or, worse, quietly go on under the old settings. Containers and shapes are
known while a step is traced, so that looking at them costs a compiled step nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any

import jax
from jax.tree_util import keystr

__all__: list[str] = []

Settings = Mapping[str, Mapping[str, Any]]


def require_own_state(
    state: Any, fresh: Any, settings: Settings | None = None, unknown: Collection[str] = ()
) -> None:
    """Raises unless the state has the containers and the shapes of a fresh one; dtypes are free.

    Args:
        state: as `update` was given it.
        fresh: a NamedTuple, what `init` makes of the parameters; shapes are enough, such as
            `jax.eval_shape(init, params)`.
        settings: field -> the arguments of the constructor that decide its layout, name -> value.
        unknown: fields that are not looked at, because a traced setting decides their layout.

    Raises:
        ValueError: if it does not; the message says where first, and what may be the cause.
    """
    kind = type(fresh)
    if type(state) is not kind:
        raise ValueError(
            f"state must be a {kind.__name__}, got a {type(state).__name__}. {_causes({})}"
        )
    for field, given, own in zip(kind._fields, state, fresh, strict=True):
        if field in unknown or _layout(given) == _layout(own):
            continue
        place = f"state.{field}"
        # What nodes hold beside their children, such as the static fields of a module, has no path.
        difference = _first_difference(place, given, own) or (
            f"{place} must have the structure {jax.tree.structure(own)}, got "
            f"{jax.tree.structure(given)}."
        )
        raise ValueError(f"{difference} {_causes((settings or {}).get(field, {}))}")


def _layout(tree: Any) -> tuple[Any, list[tuple[int, ...]]]:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [_shape(leaf) for leaf in leaves]


def _first_difference(place: str, given: Any, fresh: Any) -> str | None:
    """Where two trees begin to differ, and how."""
    if _kind(given) is not _kind(fresh):
        return f"{place} must be {_words(fresh)}, got {_words(given)}."
    if _is_leaf(fresh):
        if _shape(given) == _shape(fresh):
            return None
        return f"{place} must have shape {_shape(fresh)}, got {_shape(given)}."
    children, fresh_children = _children(given), _children(fresh)
    if children.keys() != fresh_children.keys():
        found, wanted = (", ".join(each) or "nothing" for each in (children, fresh_children))
        return f"{place} must hold {wanted}, got {found}."
    differences = (
        _first_difference(place + key, children[key], fresh_children[key]) for key in children
    )
    return next((difference for difference in differences if difference is not None), None)


def _children(node: Any) -> dict[str, Any]:
    """The children one level below, under the words that lead to them."""
    paths, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda part: part is not node)
    return {keystr(path): child for path, child in paths}


def _is_leaf(node: Any) -> bool:
    return jax.tree_util.all_leaves([node])


def _kind(node: Any) -> type:
    """The container; all arrays, numbers and shapes are one kind."""
    return jax.Array if _is_leaf(node) else type(node)


def _shape(leaf: Any) -> tuple[int, ...]:
    return getattr(leaf, "shape", ())


def _words(node: Any) -> str:
    if _is_leaf(node):
        return f"an array of shape {_shape(node)}"
    return "None" if node is None else f"a {type(node).__name__}"


def _causes(settings: Mapping[str, Any]) -> str:
    given = [
        f"{name} = {value!r}" if value is None or isinstance(value, (bool, int, float)) else name
        for name, value in settings.items()
    ]
    other = f"with other settings than here ({', '.join(given)}), " if given else ""
    return (
        f"Such a state was made for other parameters, {other}or restored from a checkpoint without "
        "a fresh state, init(params), as the target."
    )
