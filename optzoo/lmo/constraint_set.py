# SPDX-License-Identifier: Apache-2.0
"""What every set of the package is: the oracle, and beside it what a method asks of its set."""

import abc
import dataclasses
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax.tree_util import GetAttrKey

from .. import _tree_vector as tv

__all__ = ["ConstraintSet"]

PyTree: TypeAlias = Any
# The metadata of a field that is no leaf: it decides shapes or the program, and must be concrete.
STATIC = {"static": True}

_Record = TypeVar("_Record")


class ConstraintSet(abc.ABC):
    """C, a non-empty, convex and compact set of pytrees.

    The public methods check their argument once, over the whole tree, and hand it to the hook of
    the same name with an underscore, which is what a new set implements: it is given floating
    arrays, those of `_lmo` finite.

    Leaves may be of any shape (0-d and empty ones included) and of mixed floating dtypes; results
    keep the dtype of each leaf, while norms and sums are accumulated in the widest of them, at
    least float32.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.lmo import l1_ball
        >>> jnp.asarray(l1_ball(2.0).lmo(jnp.array([1.0, -3.0, 2.0]))).tolist()
        [0.0, 2.0, 0.0]
    """

    def lmo(self, direction: PyTree) -> PyTree:
        """Linear minimisation oracle: argmin over s in C of <direction, s>.

        The answer is always an extreme point, for a zero direction too. Ties go to the first
        coordinate in flattening order; a zero entry counts as negative where a sign decides.

        Args:
            direction: pytree of floating arrays, usually a gradient.

        Returns:
            A pytree with the structure, shapes and dtypes of `direction`, feasible to round-off.
            If a traced direction is not finite, every coordinate is NaN.

        Raises:
            TypeError: a leaf of `direction` is no floating array.
            ValueError: `direction` is concrete and not finite, does not fit the set, or has a
                dtype whose range does not hold the set.

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.lmo import box
            >>> box(-1.0, 2.0).lmo({"w": jnp.array([3.0, -1.0])})["w"].tolist()
            [-1.0, 2.0]
        """
        direction = tv.as_floating("direction", direction)
        finite = tv.require_finite("direction", direction)
        # An algorithm inside, such as a simplex method, might not end on a NaN.
        finite_direction = jax.tree.map(lambda leaf: jnp.where(finite, leaf, 0), direction)
        return tv.nan_unless(finite, self._lmo(finite_direction))

    def diameter(self, like: PyTree) -> jax.Array:
        """Euclidean diameter of C: max over x, y in C of |x - y|_2.

        It is exact, but for a set whose diameter is NP-hard and which says so: an upper bound.

        Args:
            like: pytree of arrays or `jax.ShapeDtypeStruct`; only its structure and shapes matter.

        Returns:
            A scalar of the default floating dtype, the widest one that is enabled.

        Raises:
            ValueError: `like` does not fit the set.

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.lmo import box
            >>> float(box(-1.0, 1.0).diameter(jnp.zeros(9)))
            6.0
        """
        return self._diameter(like)

    def contains(self, x: PyTree, atol: float | jax.Array | None = None) -> jax.Array:
        """Whether x lies in C, each inequality that defines C being relaxed by atol.

        Args:
            x: pytree of floating arrays.
            atol: absolute tolerance; by default 10 units of round-off (`finfo.eps`) of the
                coarsest dtype in `x` times the radius or scale of the set. For a box, of each
                leaf's own dtype times max(|lower|, |upper|), coordinate by coordinate.

        Returns:
            A boolean scalar; False where `x` holds a NaN.

        Raises:
            TypeError: a leaf of `x` is no floating array.
            ValueError: `x` does not fit the set.

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.lmo import simplex
            >>> bool(simplex().contains(jnp.array([0.25, 0.75])))
            True
        """
        return self._contains(tv.as_floating("x", x), atol)

    def project(self, x: PyTree) -> PyTree:
        """Euclidean projection: argmin over s in C of |x - s|_2, where there is a cheap one.

        Args:
            x: pytree of floating arrays.

        Returns:
            A pytree with the structure, shapes and dtypes of `x`. If a traced `x` is not finite,
            every coordinate is NaN.

        Raises:
            TypeError: a leaf of `x` is no floating array.
            ValueError: `x` is concrete and not finite, or does not fit the set.
            NotImplementedError: the set has no cheap projection, as its docstring says.

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.lmo import simplex
            >>> simplex().project(jnp.array([1.5, 1.0, -4.0])).tolist()
            [0.75, 0.25, 0.0]
        """
        x = tv.as_floating("x", x)
        finite = tv.require_finite("x", x)
        return tv.nan_unless(finite, self._project(x))

    def retract(self, x: PyTree) -> PyTree:
        """A feasible point beside an `x` that round-off has moved out of C, in one pass.

        Unlike the projection it solves nothing: a ball pulls `x` to the origin, the simplex
        rescales, a polytope pulls `x` to a point inside. The result is feasible to a few units of
        round-off of its dtype, and a feasible `x` is returned unchanged to as much. A NaN stays
        one.

        Args:
            x: pytree of floating arrays, outside C by round-off at most.

        Returns:
            A pytree with the structure, shapes and dtypes of `x`.

        Raises:
            TypeError: a leaf of `x` is no floating array.
            ValueError: `x` does not fit the set.

        Example:
            >>> import jax.numpy as jnp
            >>> from optzoo.lmo import l2_ball
            >>> [round(x, 5) for x in l2_ball(5.0).retract(jnp.array([6.0, 8.0])).tolist()]
            [3.0, 4.0]
        """
        return self._retract(tv.as_floating("x", x))

    @abc.abstractmethod
    def _lmo(self, direction: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def _diameter(self, like: PyTree) -> jax.Array: ...

    @abc.abstractmethod
    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array: ...

    def _project(self, x: PyTree) -> PyTree:
        raise NotImplementedError(
            f"{type(self).__name__} has no projection: it would cost an optimisation of its own. "
            "Its lmo and retract are cheap."
        )

    @abc.abstractmethod
    def _retract(self, x: PyTree) -> PyTree: ...


def register(cls: type[_Record]) -> type[_Record]:
    """Register a dataclass as a pytree whose fields are data unless their metadata are STATIC.

    `jax.tree_util.register_dataclass` would rebuild a set by its constructor, whose checks refuse
    what transformations put into the leaves: cotangents, zeros, axis numbers, placeholders.
    """
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    data = tuple(field.name for field in fields if not field.metadata.get("static"))
    static = tuple(field.name for field in fields if field.metadata.get("static"))

    def flatten(tree: _Record) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(tree, n) for n in data), tuple(getattr(tree, n) for n in static)

    def flatten_with_keys(tree: _Record) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
        children, constants = flatten(tree)
        return tuple(zip(map(GetAttrKey, data), children, strict=True)), constants

    def unflatten(constants: tuple[Any, ...], children: Any) -> _Record:
        tree = object.__new__(cls)
        for name, value in (
            *zip(data, children, strict=True),
            *zip(static, constants, strict=True),
        ):
            object.__setattr__(tree, name, value)
        return tree

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


def static_field() -> Any:
    """A field whose metadata are STATIC."""
    return dataclasses.field(metadata=STATIC)


def tolerance(atol: float | jax.Array | None, x: PyTree, size: jax.Array) -> jax.Array:
    """The slack of `contains`: atol, or 10 units of round-off of `x` times the size of the set."""
    return 10 * tv.coarsest_eps(x) * size if atol is None else jnp.asarray(atol, size.dtype)
