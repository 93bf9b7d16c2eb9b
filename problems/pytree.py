# SPDX-License-Identifier: Apache-2.0
"""Dataclasses as pytrees: arrays are leaves, fields marked static are structure."""

import dataclasses
from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

import jax

__all__ = ["pytree_dataclass"]

_Class = TypeVar("_Class", bound=type)


def pytree_dataclass(cls: _Class) -> _Class:
    """Registers a frozen dataclass as a pytree.

    `jax.tree_util.register_dataclass` will not do: in JAX 0.10.2 the structures of two dataclasses
    with equally many leaves compare equal whatever their types, so that now and then (when the
    hashes collide) a jitted function runs what it compiled for another class.

    Args:
        cls: a frozen dataclass; a field with `metadata={"static": True}` is structure and must be
            hashable, every other one is a leaf or a pytree.

    Returns:
        The class itself. Rebuilding it from leaves skips its constructor and its checks.

    Example:
        >>> import dataclasses
        >>> @pytree_dataclass
        ... @dataclasses.dataclass(frozen=True)
        ... class Line:
        ...     slope: float
        ...     name: str = dataclasses.field(default="line", metadata={"static": True})
        >>> jax.tree.leaves(Line(2.0))
        [2.0]
    """
    fields = dataclasses.fields(cls)
    static = tuple(field.name for field in fields if field.metadata.get("static", False))
    data = tuple(field.name for field in fields if field.name not in static)

    def flatten(problem: Any) -> tuple[tuple[Any, ...], Hashable]:
        children = tuple(getattr(problem, name) for name in data)
        return children, tuple(getattr(problem, name) for name in static)

    def flatten_with_keys(problem: Any) -> tuple[tuple[tuple[Any, Any], ...], Hashable]:
        children, structure = flatten(problem)
        keys = (jax.tree_util.GetAttrKey(name) for name in data)
        return tuple(zip(keys, children, strict=True)), structure

    def unflatten(structure: Any, children: Iterable[Any]) -> Any:
        # Not through __init__: leaves may be tracers or placeholders, which its checks refuse.
        problem: Any = object.__new__(cls)
        for names, values in ((data, children), (static, structure)):
            for name, value in zip(names, values, strict=True):
                object.__setattr__(problem, name, value)
        return problem

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
