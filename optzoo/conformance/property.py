# SPDX-License-Identifier: Apache-2.0
"""What a property of an optax transformation is, and how its violation is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from .row import Row, Subject

__all__ = ["Property", "Violation", "require", "require_same_layout"]


class Violation(AssertionError):
    """A property does not hold; the message says where and by how much."""


def _always(row: Row) -> str | None:
    return None


@dataclass(frozen=True, eq=False)
class Property:
    """One thing that is checked.

    Args:
        name: short; it says what holds.
        check: raises `Violation`, or lets an exception of the transformation through.
        mend: what to look for where it fails.
        advice: good manners, which optax itself does not ask for.
        does_not_apply: why a row has no such property, or None.
    """

    name: str
    check: Callable[[Subject], None]
    mend: str
    advice: bool = False
    does_not_apply: Callable[[Row], str | None] = _always


def require(holds: Any, message: str) -> None:
    if not holds:
        raise Violation(message)


def _layout(tree: Any) -> dict[str, tuple[Any, ...]]:
    """What `jit` compiles for: path -> (shape, dtype, weak type); "" -> the structure."""
    leaves = jax.tree_util.tree_leaves_with_path(jax.eval_shape(lambda: tree))
    found = {
        jax.tree_util.keystr(path): (leaf.shape, leaf.dtype, leaf.weak_type)
        for path, leaf in leaves
    }
    return found | {"": (jax.tree.structure(tree),)}


def require_same_layout(before: Any, after: Any, when: str) -> None:
    old, new = _layout(before), _layout(after)
    require(old[""] == new[""], f"the tree's structure changes {when}: {old['']} becomes {new['']}")
    for path, kind in old.items():
        if kind != new[path]:
            raise Violation(f"{path} changes {when}: {_words(kind)} becomes {_words(new[path])}")


def _words(kind: tuple[Any, ...]) -> str:
    shape, dtype, weak = kind
    return f"{'weak ' if weak else ''}{dtype}{list(shape)}"
