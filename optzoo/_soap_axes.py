# SPDX-License-Identifier: Apache-2.0
"""Which axes of a leaf are matrix axes: how SOAP sees a parameter.

A leaf is viewed as an optional batch axis followed by matrix axes, each of which has a Gram matrix
and a basis, or neither. Without a specification every axis of a leaf is a matrix axis of its own.
With `optax.contrib.MuonDimensionNumbers`, as in optax's muon, the reduction axes are merged into
one matrix axis and the output axes into a second; what is left is merged into the batch axis,
along which the leaf is a stack of independent matrices.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers

from ._soap_basis import replicated, sharding_of
from ._soap_factors import by_axis
from ._soap_gradients import wide_dtype

__all__: list[str] = []

DimensionNumbers: TypeAlias = MuonDimensionNumbers | optax.Params
WeightDimensionNumbers: TypeAlias = (
    DimensionNumbers | Callable[[optax.Params], DimensionNumbers] | None
)


def is_function_of_params(argument: Any) -> bool:
    """Whether an argument is called with the parameters or is itself a tree, as optax decides.

    A tree may have `__call__`, such as an equinox module of booleans: the leaves are looked at.
    """
    leaves = jax.tree.leaves(argument)
    return bool(leaves) and all(map(callable, leaves))


class View(NamedTuple):
    """A leaf as (batch?, matrix axes...): a transposition and a reshape."""

    permutation: tuple[int, ...]
    permuted_shape: tuple[int, ...]
    shape: tuple[int, ...]
    batched: bool
    merged: tuple[int, ...]  # how many axes of the leaf there are in each of them

    def first_leaf_axis(self, axis: int) -> int:
        """The axis of the leaf that is the outermost of those merged in an axis of the view."""
        return self.permutation[sum(self.merged[:axis])]

    def part(self, axis: int, count: int) -> "View":
        """The view of one of `count` equal parts of the leaf along the axis `first_leaf_axis`."""
        first = sum(self.merged[:axis])
        return self._replace(
            permuted_shape=_divided(self.permuted_shape, first, count),
            shape=_divided(self.shape, axis, count),
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the matrix axes."""
        return self.shape[1:] if self.batched else self.shape

    @property
    def is_leaf_itself(self) -> bool:
        return self.shape == self.permuted_shape and self.permutation == tuple(
            range(len(self.permutation))
        )

    def of(self, leaf: jax.Array) -> jax.Array:
        if self.is_leaf_itself:
            return leaf
        # Axes that are split over devices cannot be merged in place.
        if sharding_of(leaf) is not None:
            leaf = jax.sharding.reshard(leaf, replicated(leaf))
        return leaf.transpose(self.permutation).reshape(self.shape)

    def back(self, viewed: jax.Array, like: jax.Array) -> jax.Array:
        """The inverse of `of`, on the devices of the leaf `like`."""
        if self.is_leaf_itself:
            return viewed
        inverse = sorted(range(len(self.permutation)), key=self.permutation.__getitem__)
        leaf = viewed.reshape(self.permuted_shape).transpose(inverse)
        sharding = sharding_of(like)
        return leaf if sharding is None else jax.sharding.reshard(leaf, sharding)


class Structure(NamedTuple):
    """The settings that decide which bases there are."""

    max_precond_dim: Any
    precondition_1d: bool
    one_sided: bool
    weight_dimension_numbers: WeightDimensionNumbers

    @property
    def is_known(self) -> bool:
        return not isinstance(self.max_precond_dim, jax.core.Tracer)

    def views(self, params: optax.Params) -> list[tuple[View, bool]]:
        """For every leaf its view, and whether the dimension numbers let it have bases at all."""
        leaves = jax.tree_util.tree_leaves_with_path(params)
        if not leaves:  # a placeholder, which no specification matches
            return []
        found = []
        numbers = _for_every_leaf(self.weight_dimension_numbers, params)
        for (path, leaf), of_leaf in zip(leaves, numbers, strict=True):
            name = f"params{jax.tree_util.keystr(path)}"
            found.append((_view(name, leaf.shape, of_leaf), of_leaf is not None))
        return found

    def field(
        self, params: optax.Params, leaf_views: list[tuple[View, bool]], make: Callable[..., Any]
    ) -> Any:
        """The field of a state with `make(shape, dtype)` for every axis that has a basis."""
        longest = 10_000 if self.max_precond_dim is None else int(self.max_precond_dim)
        leaves, treedef = jax.tree.flatten(params)
        factors = []
        for leaf, (view, allowed) in zip(leaves, leaf_views, strict=True):
            rotated = self._rotated(view, longest if allowed else 0)
            batch = view.shape[:1] if view.batched else ()
            factors.append(
                tuple(
                    make((*batch, d, d), wide_dtype(leaf)) if is_rotated else None
                    for d, is_rotated in zip(view.sizes, rotated, strict=True)
                )
            )
        return by_axis(treedef, factors)

    def _rotated(self, view: View, longest: int) -> tuple[bool, ...]:
        """For every matrix axis, whether it gets a basis: at most the shortest if one-sided."""
        sizes = view.sizes
        matrix = len(sizes) >= 2 or self.precondition_1d
        rotated = [matrix and d <= longest for d in sizes]
        if math.prod(view.shape) == 0:
            rotated = [False] * len(sizes)
        if self.one_sided and any(rotated):
            shortest = min((d, k) for k, d in enumerate(sizes) if rotated[k])[1]
            rotated = [k == shortest for k in range(len(sizes))]
        return tuple(rotated)


_EACH_AXIS = "every axis is a matrix axis of its own"


def _for_every_leaf(specification: WeightDimensionNumbers, tree: optax.Params) -> list[Any]:
    """The specification, a tree prefix of `tree`, spread over the leaves of `tree`."""
    if specification is None:
        return [_EACH_AXIS] * len(jax.tree.leaves(tree))
    if is_function_of_params(specification):
        specification = specification(tree)

    def is_entry(node: Any) -> bool:
        return node is None or isinstance(node, MuonDimensionNumbers)

    spread: list[Any] = []

    def add(entry: Any, subtree: Any) -> None:
        if not is_entry(entry) and entry != ():
            raise TypeError(
                "weight_dimension_numbers must hold optax.contrib.MuonDimensionNumbers or None, "
                f"got {entry!r}."
            )
        spread.extend([entry] * len(jax.tree.leaves(subtree)))

    try:
        jax.tree.map(add, specification, tree, is_leaf=is_entry)
    except ValueError as error:
        raise ValueError(
            "weight_dimension_numbers must be a tree prefix of params: "
            f"{jax.tree.structure(tree)}; {error}"
        ) from error
    return spread


def _view(name: str, shape: tuple[int, ...], numbers: Any) -> View:
    identity = tuple(range(len(shape)))
    if not isinstance(numbers, MuonDimensionNumbers):
        return View(identity, shape, shape, batched=False, merged=(1,) * len(shape))
    reduction = _axes(name, shape, "reduction_axis", numbers.reduction_axis)
    output = _axes(name, shape, "output_axis", numbers.output_axis)
    if set(reduction) & set(output) or not reduction or not output:
        raise ValueError(
            f"weight_dimension_numbers of {name}: reduction_axis and output_axis must be disjoint "
            f"and not empty, got {numbers} for shape {shape}."
        )
    batch = tuple(axis for axis in identity if axis not in (*reduction, *output))
    permutation = batch + reduction + output
    groups = (batch, reduction, output) if batch else (reduction, output)
    return View(
        permutation,
        tuple(shape[axis] for axis in permutation),
        tuple(math.prod(shape[axis] for axis in group) for group in groups),
        batched=bool(batch),
        merged=tuple(map(len, groups)),
    )


def _divided(shape: tuple[int, ...], axis: int, by: int) -> tuple[int, ...]:
    return tuple(size // by if place == axis else size for place, size in enumerate(shape))


def _axes(
    name: str, shape: tuple[int, ...], field: str, given: Sequence[int] | int
) -> tuple[int, ...]:
    axes = (given,) if isinstance(given, int) else tuple(given)
    rank = len(shape)
    if any(not -rank <= axis < rank for axis in axes):
        raise ValueError(
            f"weight_dimension_numbers of {name}: {field} must name axes of shape {shape}, "
            f"got {given}."
        )
    return tuple(axis % rank for axis in axes)


def require_real_floating(tree: optax.Params) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            given = type(leaf).__name__ if dtype is None else f"dtype {dtype}"
            raise TypeError(
                f"params{jax.tree_util.keystr(path)} must be a real floating array, got {given}."
            )
