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

__all__: list[str] = []

DimensionNumbers: TypeAlias = MuonDimensionNumbers | optax.Params
WeightDimensionNumbers: TypeAlias = (
    DimensionNumbers | Callable[[optax.Params], DimensionNumbers] | None
)


class View(NamedTuple):
    """A leaf as (batch?, matrix axes...): a transposition and a reshape."""

    permutation: tuple[int, ...]
    permuted_shape: tuple[int, ...]
    shape: tuple[int, ...]
    batched: bool

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


def views(specification: WeightDimensionNumbers, tree: optax.Params) -> list[tuple[View, bool]]:
    """For every leaf its view, and whether the specification lets it have bases at all."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    if not leaves:  # a placeholder, which no specification matches
        return []
    found = []
    for (path, leaf), numbers in zip(leaves, _for_every_leaf(specification, tree), strict=True):
        name = f"params{jax.tree_util.keystr(path)}"
        found.append((_view(name, leaf.shape, numbers), numbers is not None))
    return found


def rotated_axes(
    view: View,
    *,
    max_precond_dim: int,
    precondition_1d: bool,
    one_sided: bool,
) -> tuple[bool, ...]:
    """For every matrix axis, whether it gets a basis: at most the shortest if one-sided."""
    sizes = view.sizes
    matrix = len(sizes) >= 2 or precondition_1d
    rotated = [matrix and d <= max_precond_dim for d in sizes]
    if math.prod(view.shape) == 0:
        rotated = [False] * len(sizes)
    if one_sided and any(rotated):
        shortest = min((d, k) for k, d in enumerate(sizes) if rotated[k])[1]
        rotated = [k == shortest for k in range(len(sizes))]
    return tuple(rotated)


_EACH_AXIS = "every axis is a matrix axis of its own"


def _for_every_leaf(specification: WeightDimensionNumbers, tree: optax.Params) -> list[Any]:
    """The specification, a tree prefix of `tree`, spread over the leaves of `tree`."""
    if specification is None:
        return [_EACH_AXIS] * len(jax.tree.leaves(tree))
    if callable(specification):
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
        return View(identity, shape, shape, batched=False)
    reduction = _axes(name, shape, "reduction_axis", numbers.reduction_axis)
    output = _axes(name, shape, "output_axis", numbers.output_axis)
    if set(reduction) & set(output) or not reduction or not output:
        raise ValueError(
            f"weight_dimension_numbers of {name}: reduction_axis and output_axis must be disjoint "
            f"and not empty, got {numbers} for shape {shape}."
        )
    batch = tuple(axis for axis in identity if axis not in (*reduction, *output))
    permutation = batch + reduction + output
    merged = tuple(math.prod(shape[a] for a in axes) for axes in (batch, reduction, output))
    return View(
        permutation,
        tuple(shape[axis] for axis in permutation),
        merged if batch else merged[1:],
        batched=bool(batch),
    )


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
