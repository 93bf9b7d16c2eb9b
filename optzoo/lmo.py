"""Linear minimisation oracles: the convex sets that projection-free methods optimise over.

A set answers `lmo(direction)`, the minimiser of a linear function over it, which is all that a
Frank-Wolfe method asks for, and beside it the Euclidean diameter, a membership test, the
projection and a cheap retraction. The vector-norm sets read a whole pytree as one concatenated
vector; a set for each part of a tree is written `product({"w": l1_ball(3.0), "b": box(-1, 1)})`.

The numbers of a set are leaves of a pytree: a set crosses `jit`, `vmap` and `shard_map` as an
argument, with a traced or batched radius. Values are checked when a set is written down by hand
and they are concrete; rebuilding a set from its leaves checks nothing.
"""

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, final

import jax
import jax.numpy as jnp
from jax.tree_util import GetAttrKey, keystr, tree_leaves_with_path

from . import _tree_vector as tv
from ._set_arguments import (
    as_bound,
    as_scalar,
    bound_like,
    match_prefix,
    require_bound,
    require_ordered,
    require_positive,
)

__all__ = ["ConstraintSet", "box", "l1_ball", "l2_ball", "product", "simplex"]

PyTree: TypeAlias = Any
_Set = TypeVar("_Set", bound="ConstraintSet")


class ConstraintSet(abc.ABC):
    """C, a non-empty, convex and compact set of pytrees.

    The public methods check their argument once, over the whole tree, and hand it to the hook of
    the same name with an underscore, which is what a new set implements: it is given floating
    arrays, and `_lmo` and `_project` may take them to be finite.

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
        return tv.nan_unless(finite, self._lmo(direction))

    def diameter(self, like: PyTree) -> jax.Array:
        """Euclidean diameter of C: max over x, y in C of |x - y|_2.

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
        """Euclidean projection: argmin over s in C of |x - s|_2.

        Args:
            x: pytree of floating arrays.

        Returns:
            A pytree with the structure, shapes and dtypes of `x`. If a traced `x` is not finite,
            every coordinate is NaN.

        Raises:
            TypeError: a leaf of `x` is no floating array.
            ValueError: `x` is concrete and not finite, or does not fit the set.

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

        Unlike the projection it sorts nothing: a ball pulls `x` to the origin, the simplex
        rescales. The result is feasible to a few units of round-off of its dtype, and a feasible
        `x` is returned unchanged to as much. A NaN stays one.

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

    @abc.abstractmethod
    def _project(self, x: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def _retract(self, x: PyTree) -> PyTree: ...


def _register(cls: type[_Set]) -> type[_Set]:
    """Register a dataclass as a pytree all of whose fields are data.

    `jax.tree_util.register_dataclass` would rebuild a set by its constructor, whose checks refuse
    what transformations put into the leaves: cotangents, zeros, axis numbers, placeholders.
    """
    names = tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    def flatten(tree: _Set) -> tuple[tuple[Any, ...], None]:
        return tuple(getattr(tree, name) for name in names), None

    def flatten_with_keys(tree: _Set) -> tuple[tuple[tuple[Any, Any], ...], None]:
        return tuple((GetAttrKey(name), getattr(tree, name)) for name in names), None

    def unflatten(_: None, children: Any) -> _Set:
        tree = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(tree, name, child)
        return tree

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


@final
@_register
@dataclasses.dataclass(frozen=True)
class l1_ball(ConstraintSet):
    """`{x : |x|_1 <= radius}`, the norm being that of the whole tree as one vector.

    - lmo: -radius sign(g_i) e_i with i the first index of max |g_i|; radius e_0 for g = 0.
    - diameter: 2 radius (0 in dimension 0).
    - project: sign(x) max(|x| - theta, 0), theta >= 0 such that the norm is radius.
    - retract: x min(1, radius / |x|_1).

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = l1_ball(3.0)
        >>> ball.lmo({"b": jnp.array(0.5), "w": jnp.array([2.0, -1.0])})["w"].tolist()
        [-3.0, 0.0]
        >>> ball.project(jnp.array([4.0, 1.0])).tolist()
        [3.0, 0.0]

    References:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for
        learning in high dimensions", ICML 2008 (the projection).
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, chosen: jax.Array) -> jax.Array:
            radius = as_scalar("radius", self.radius, g.dtype)
            return jnp.where(chosen, jnp.where(g > 0, -radius, radius), 0)

        return jax.tree.map(vertex, direction, tv.first_argmax(jax.tree.map(abs, direction)))

    def _diameter(self, like: PyTree) -> jax.Array:
        return as_scalar("radius", self.radius, tv.default_dtype()) * (
            2 if tv.dimension(like) else 0
        )

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        return tv.absolute_total(x) <= radius + _tolerance(atol, x, radius)

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        radius = as_scalar("radius", self.radius, vector.dtype)
        on_sphere = jnp.sign(vector) * _project_onto_simplex(abs(vector), radius)
        outside = tv.absolute_total(vector) > radius
        return tv.split_like(jnp.where(outside, on_sphere, vector), x)

    def _retract(self, x: PyTree) -> PyTree:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        norm = tv.absolute_total(x)
        factor = jnp.where(norm > radius, radius / norm, 1)
        return tv.cast_like(jax.tree.map(lambda v: v * factor, tv.widen(x)), x)


@final
@_register
@dataclasses.dataclass(frozen=True)
class simplex(ConstraintSet):
    """`{x : x >= 0, sum(x) = scale}`, the sum being over all coordinates of the tree.

    - lmo: scale e_i with i the first index of min g_i.
    - diameter: sqrt(2) scale (0 in dimension 1).
    - project: max(x - theta, 0), theta such that the sum is scale.
    - retract: max(x, 0) rescaled to sum to scale; the centre where no coordinate is positive.

    Args:
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `scale` is no real number.
        ValueError: `scale` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> simplex().lmo(jnp.array([0.0, -1.0, -1.0])).tolist()
        [0.0, 1.0, 0.0]
        >>> simplex(2.0).retract(jnp.array([3.0, -1e-9, 1.0])).tolist()
        [1.5, 0.0, 0.5]

    References:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for
        learning in high dimensions", ICML 2008 (the projection).
    """

    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, chosen: jax.Array) -> jax.Array:
            return jnp.where(chosen, as_scalar("scale", self.scale, g.dtype), 0)

        return jax.tree.map(
            vertex, direction, tv.first_argmax(jax.tree.map(jnp.negative, direction))
        )

    def _diameter(self, like: PyTree) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.default_dtype())
        return scale * (math.sqrt(2) if tv.dimension(like) > 1 else 0)

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        slack = _tolerance(atol, x, scale)
        non_negative = [jnp.all(v >= -slack) for v in jax.tree.leaves(tv.widen(x))]
        return jnp.all(jnp.stack([abs(tv.total(x) - scale) <= slack, *non_negative]))

    def _project(self, x: PyTree) -> PyTree:
        vector = tv.concatenate(x)
        scale = as_scalar("scale", self.scale, vector.dtype)
        return tv.split_like(_project_onto_simplex(vector, scale), x)

    def _retract(self, x: PyTree) -> PyTree:
        scale = as_scalar("scale", self.scale, tv.wide_dtype(x))
        positive = jax.tree.map(lambda v: jnp.maximum(v, 0), tv.widen(x))
        total = tv.total(positive)
        factor = scale / jnp.where(total == 0, 1, total)
        centre = scale / max(tv.dimension(x), 1)
        return tv.cast_like(
            jax.tree.map(lambda v: jnp.where(total == 0, centre, v * factor), positive), x
        )


@final
@_register
@dataclasses.dataclass(frozen=True)
class l2_ball(ConstraintSet):
    """`{x : |x|_2 <= radius}`, the norm being that of the whole tree as one vector.

    - lmo: -radius g / |g|_2; radius e_0 for g = 0 (subnormal numbers count as 0).
    - diameter: 2 radius (0 in dimension 0).
    - project and retract: x min(1, radius / |x|_2).

    Norms are taken after division by the largest entry, so they neither overflow nor underflow.

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> [round(x, 5) for x in l2_ball(10.0).lmo(jnp.array([3.0, -4.0])).tolist()]
        [-6.0, 8.0]
        >>> l2_ball(10.0).lmo(jnp.zeros(2)).tolist()
        [10.0, 0.0]
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _lmo(self, direction: PyTree) -> PyTree:
        largest, scaled = tv.scale_by_largest(direction)
        zeros = jax.tree.map(jnp.zeros_like, scaled)
        first = jax.tree.map(lambda e, v: e.astype(v.dtype), tv.first_argmax(zeros), scaled)
        # The zero direction is read as -e_0.
        descent = jax.tree.map(lambda v, e: jnp.where(largest == 0, e, -v), scaled, first)
        norm = jnp.sqrt(tv.total(jax.tree.map(jnp.square, descent)))

        def boundary(v: jax.Array, g: jax.Array) -> jax.Array:
            as_scalar("radius", self.radius, g.dtype)
            return (as_scalar("radius", self.radius, v.dtype) * (v / norm)).astype(g.dtype)

        return jax.tree.map(boundary, descent, direction)

    def _diameter(self, like: PyTree) -> jax.Array:
        return as_scalar("radius", self.radius, tv.default_dtype()) * (
            2 if tv.dimension(like) else 0
        )

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        radius = as_scalar("radius", self.radius, tv.wide_dtype(x))
        return tv.norm(x) <= radius + _tolerance(atol, x, radius)

    def _project(self, x: PyTree) -> PyTree:
        largest, scaled = tv.scale_by_largest(x)
        radius = as_scalar("radius", self.radius, largest.dtype)
        # The largest entry of `scaled` is 1, unless x = 0.
        norm = jnp.maximum(jnp.sqrt(tv.total(jax.tree.map(jnp.square, scaled))), 1)
        on_sphere = tv.cast_like(jax.tree.map(lambda v: radius * (v / norm), scaled), x)
        outside = largest > radius / norm
        return jax.tree.map(lambda s, leaf: jnp.where(outside, s, leaf), on_sphere, x)

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)


@final
@_register
@dataclasses.dataclass(frozen=True)
class box(ConstraintSet):
    """`{x : lower <= x <= upper}`, coordinate by coordinate.

    - lmo: lower_i where g_i > 0, upper_i elsewhere.
    - diameter: |upper - lower|_2.
    - project and retract: min(max(x, lower), upper).

    Args:
        lower: finite number, array, or prefix tree of them of the arguments of the methods. A
            scalar serves all coordinates of its subtree, an array has the shape of its leaf.
        upper: likewise and nowhere below `lower`; equality is allowed and fixes the coordinate.
            Where both bounds are trees they have the same structure.

    Raises:
        TypeError: a bound is no real number.
        ValueError: a bound is not finite, `lower` exceeds `upper` somewhere, or their structures
            or shapes do not match.

    Example:
        >>> import jax.numpy as jnp
        >>> unit = box(0.0, {"w": jnp.array([1.0, 2.0]), "b": 3.0})
        >>> x = {"w": jnp.array([-1.0, 5.0]), "b": jnp.array(2.5)}
        >>> unit.project(x)["w"].tolist()
        [0.0, 2.0]
        >>> round(float(unit.diameter(x)) ** 2, 4)
        14.0
    """

    lower: PyTree
    upper: PyTree

    def __post_init__(self) -> None:
        require_bound("lower", self.lower)
        require_bound("upper", self.upper)
        require_ordered(self.lower, self.upper)

    def _bounds(self, x: PyTree) -> tuple[PyTree, PyTree]:
        return bound_like("lower", self.lower, x), bound_like("upper", self.upper, x)

    def _lmo(self, direction: PyTree) -> PyTree:
        def vertex(g: jax.Array, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound(b, g.dtype) for b in (lower, upper))
            return jnp.where(g > 0, low, high)

        return jax.tree.map(vertex, direction, *self._bounds(direction))

    def _diameter(self, like: PyTree) -> jax.Array:
        def width(leaf: Any, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound(b, tv.default_dtype()) for b in (lower, upper))
            copies = tv.dimension(leaf) if jnp.ndim(high - low) == 0 else 1
            return tv.norm(high - low) * math.sqrt(copies)

        return tv.norm(jax.tree.map(width, like, *self._bounds(like))).astype(tv.default_dtype())

    def _contains(self, x: PyTree, atol: float | jax.Array | None) -> jax.Array:
        def inside(v: jax.Array, lower: Any, upper: Any) -> jax.Array:
            low, high = (as_bound(b, tv.wide_dtype(v)) for b in (lower, upper))
            slack = _tolerance(atol, v, jnp.maximum(abs(low), abs(high)))
            wide = tv.widen(v)
            return jnp.all((wide >= low - slack) & (wide <= high + slack))

        flags = jax.tree.map(inside, x, *self._bounds(x))
        return jnp.all(jnp.stack([jnp.array(True), *jax.tree.leaves(flags)]))

    def _project(self, x: PyTree) -> PyTree:
        def clip(v: jax.Array, lower: Any, upper: Any) -> jax.Array:
            return jnp.clip(v, *(as_bound(b, v.dtype) for b in (lower, upper)))

        return jax.tree.map(clip, x, *self._bounds(x))

    def _retract(self, x: PyTree) -> PyTree:
        return self._project(x)


@final
@_register
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


def _tolerance(atol: float | jax.Array | None, x: PyTree, size: jax.Array) -> jax.Array:
    return 10 * tv.coarsest_eps(x) * size if atol is None else jnp.asarray(atol, size.dtype)


def _project_onto_simplex(vector: jax.Array, scale: jax.Array) -> jax.Array:
    if not vector.size:
        return vector
    # A shift of all coordinates does not move the projection, and none more than `scale` below
    # the largest is in its support: neither large numbers nor their differences are summed.
    vector = jnp.clip(vector - jnp.max(vector), -scale, 0)
    descending = jnp.sort(vector, descending=True)
    excess = jnp.cumsum(descending) - scale
    counts = jnp.arange(1, vector.size + 1, dtype=vector.dtype)
    support = jnp.sum(descending * counts > excess)
    theta = excess[support - 1] / support.astype(vector.dtype)
    point = jnp.maximum(vector - theta, 0)
    # The running sum and theta are rounded at the scale of `vector`; the rest is spread at that
    # of `point`.
    positive = point > 0
    rest = (scale - tv.total(point)) / jnp.sum(positive).astype(vector.dtype)
    return jnp.maximum(jnp.where(positive, point + rest, 0), 0)
