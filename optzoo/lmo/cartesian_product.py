# SPDX-License-Identifier: Apache-2.0
"""A set for each part of a tree."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias, final

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_leaves_with_path

from .. import _tree_vector as tv
from ._set_arguments import match_prefix
from .constraint_set import ConstraintSet, register

__all__ = ["product"]

PyTree: TypeAlias = Any


@final
@register
@dataclasses.dataclass(frozen=True)
class product(ConstraintSet):
    """`{x : x[k] in sets[k] for every k}`, the Cartesian product of sets.

    - lmo, project, retract: each set's own, on its subtree.
    - diameter: sqrt(sum of squared diameters).

    Args:
        sets: pytree whose leaves are `ConstraintSet`s, a prefix of the arguments of the methods:
            the set at a node takes the whole subtree that the argument has there.

    Raises:
        TypeError: a leaf of `sets` is no `ConstraintSet`.
        ValueError: `sets` holds no set at all; or, from a method, is no prefix of the argument.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.lmo import box, l1_ball
        >>> C = product({"w": l1_ball(3.0), "b": box(-1.0, 1.0)})
        >>> s = C.lmo({"w": jnp.array([1.0, 2.0]), "b": jnp.array(-0.1)})
        >>> s["w"].tolist(), s["b"].tolist()
        ([0.0, -3.0], 1.0)
    """

    sets: PyTree

    def __post_init__(self) -> None:
        found = tree_leaves_with_path(self.sets, is_leaf=_is_set)
        if not found:
            raise ValueError(f"sets must hold at least one ConstraintSet, got {self.sets!r}.")
        for path, leaf in found:
            if not _is_set(leaf):
                raise TypeError(
                    f"sets{keystr(path)} must be a ConstraintSet, such as l1_ball(1.0), "
                    f"got {leaf!r}."
                )

    def _parts(self, x: PyTree) -> list[tuple[ConstraintSet, PyTree]]:
        return match_prefix("sets", self.sets, x, _is_set)

    def _map(self, method: Callable[[ConstraintSet, PyTree], PyTree], x: PyTree) -> PyTree:
        treedef = jax.tree.structure(self.sets, is_leaf=_is_set)
        return jax.tree.unflatten(treedef, [method(part, sub) for part, sub in self._parts(x)])

    def _lmo(self, direction: PyTree) -> PyTree:
        return self._map(lambda part, sub: part._lmo(sub), direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        return tv.norm([part._diameter(sub) for part, sub in self._parts(like)])

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        return jnp.all(jnp.stack([part._contains(sub, atol) for part, sub in self._parts(x)]))

    def _project(self, x: PyTree) -> PyTree:
        return self._map(lambda part, sub: part._project(sub), x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._map(lambda part, sub: part._retract(sub), x)


def _is_set(node: object) -> bool:
    return isinstance(node, ConstraintSet)
