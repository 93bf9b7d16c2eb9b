# SPDX-License-Identifier: Apache-2.0
"""Where the parts of SOAP's state lie on the devices of a mesh, and the products between them.

Everything that has an axis whose size the number of devices S divides is split along it, over all
axes of the mesh together, so that the devices hold the state once:

    L, R       by rows: device i holds L_i, with m / S of the rows
    Q^T        by rows: device i holds m / S of the eigenvectors
    M, V       along the first such axis of the leaf, here its rows
    stacks     of matrices along the batch, if S divides it: every matrix is whole on one device

and each device computes its share of the products. From the whole gradient G device i computes

    L_i = s L_i + (1 - s) G_i G^T,    R_i likewise        nothing is sent
    F = G Q_R: its own m x n/S columns of F               all-gather of F, m n numbers
    G'_i = (Q_L^T)_i F                                    rows of M and V
    U = sum_i (Q_L)_i X_i (Q_R)^T                         two reduce-scatters of m n numbers

Leaves that nothing divides are on every device, which then all do the same.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ._soap_axes import View
from ._soap_basis import gram, rotate
from ._soap_factors import Factors

__all__: list[str] = []

_SMALL = 2**14  # a leaf without bases and with fewer numbers is not worth a message


class Place(NamedTuple):
    """Where M, V, the Gram matrices and the bases of one leaf are."""

    whole: View  # of the leaf
    part: View  # of what a device holds of M and of V
    mesh_axes: tuple[str, ...]  # over which things are split; none: there is one device
    devices: int  # their number
    split: int | None  # the axis of the view along which M and V are split
    spread: tuple[bool, ...]  # for every matrix axis, whether its matrices are split by rows
    bases: tuple[bool, ...]  # for every matrix axis, whether it has a Gram matrix and a basis

    @property
    def cost(self) -> int:
        """Of a refresh, up to a factor: a decomposition takes the cube of the length."""
        stack = self.whole.shape[0] if self.whole.batched else 1
        lengths = zip(self.whole.sizes, self.bases, strict=True)
        return stack * sum(d**3 for d, has in lengths if has)

    @property
    def by_matrix(self) -> bool:
        """Whether a device holds whole matrices of a stack."""
        return self.whole.batched and self.split == 0

    @property
    def needs_whole(self) -> bool:
        """Whether a device needs the whole gradient; if not, its part."""
        return any(self.bases) and not self.by_matrix

    @property
    def given(self) -> View:
        """Of the gradient, as a device gets it."""
        return self.whole if self.needs_whole else self.part

    def spec_of_gradient(self) -> PartitionSpec:
        return PartitionSpec() if self.needs_whole else self.spec()

    def spec(self) -> PartitionSpec:
        """Of M and of V, in the axes of the leaf."""
        if self.split is None:
            return PartitionSpec()
        return _spec(self.whole.first_leaf_axis(self.split), self.mesh_axes)

    def spec_of_margin(self, axis: int) -> PartitionSpec:
        """Of the mean of V over all matrix axes but one."""
        if self.by_matrix:
            return _spec(0, self.mesh_axes)
        batch = int(self.whole.batched)
        return _spec(batch, self.mesh_axes) if self.split == axis + batch else PartitionSpec()

    def spec_of_matrix(self, axis: int) -> PartitionSpec:
        """Of the Gram matrix and of the basis of a matrix axis."""
        if self.by_matrix:
            return _spec(0, self.mesh_axes)
        if self.spread[axis]:
            return _spec(int(self.whole.batched), self.mesh_axes)
        return PartitionSpec()


def on_one_device(view: View, bases: tuple[bool, ...]) -> Place:
    return Place(view, view, (), 1, None, (False,) * len(bases), bases)


def on_mesh(view: View, bases: tuple[bool, ...], mesh: Any) -> Place:
    """The place of a leaf.

    Args:
      view: of the leaf.
      bases: for every matrix axis, whether it has one.
      mesh: its devices; None for one device.
    """
    if mesh is None:
        return on_one_device(view, bases)
    devices = mesh.size
    spread = tuple(has and d % devices == 0 for has, d in zip(bases, view.sizes, strict=True))
    worthwhile = any(bases) or math.prod(view.shape) >= _SMALL
    outermost = [view.permuted_shape[sum(view.merged[:axis])] for axis in range(len(view.shape))]
    splits = [axis for axis, size in enumerate(outermost) if worthwhile and size % devices == 0]
    if math.prod(view.shape) == 0 or not splits:
        return Place(view, view, mesh.axis_names, devices, None, spread, bases)
    split = splits[0]
    if view.batched and split == 0:
        spread = (False,) * len(spread)
    part = view.part(split, devices)
    return Place(view, part, mesh.axis_names, devices, split, spread, bases)


def mesh_of(tree: Any) -> Any:
    """The mesh that the leaves of a tree are on, if it has several devices; None if not.

    Inside `jax.shard_map` there is none: what a device computes there is its own affair. Nor is
    there inside `vmap`, where the axes of a leaf are not those that were split.
    """
    for leaf in jax.tree.leaves(tree):
        if type(leaf).__name__ == "BatchTracer":  # jax has no public name for it
            return None
        # To ask a tracer for its sharding takes long, because it is looked up and then refused.
        traced = isinstance(leaf, jax.core.Tracer)
        sharding = jax.typeof(leaf).sharding if traced else getattr(leaf, "sharding", None)
        mesh = getattr(sharding, "mesh", None)
        if mesh is None or mesh.size <= 1 or AxisType.Manual in mesh.axis_types:
            continue
        return mesh
    return None


def rotated(place: Place, x: jax.Array, bases: Factors) -> jax.Array:
    """The part of X' = R_1 X R_2^T, X as given; likewise for more axes and fewer."""
    batched = place.whole.batched
    if not place.mesh_axes or not place.needs_whole:
        return rotate(x, bases, batched=batched)
    own = None if place.split is None else place.split - batched
    for axis in range(len(bases)):
        if axis != own:
            x = rotate(x, _only(bases, axis), batched=batched)
            if place.spread[axis]:
                x = _gathered(place, x, axis + batched)
    if own is None:
        return x
    if bases[own] is None:
        return mine(place, x, own + batched)
    return rotate(x, _only(bases, own), batched=batched)


def returned(place: Place, x: jax.Array, bases: Factors) -> jax.Array:
    """The part of R_1^T X R_2, from the part of X: the inverse of `rotated`."""
    batched = place.whole.batched
    if not place.mesh_axes or not place.needs_whole:
        return rotate(x, bases, batched=batched, back=True)
    alone = tuple(
        None if spread else basis for basis, spread in zip(bases, place.spread, strict=True)
    )
    x = rotate(x, alone, batched=batched, back=True)
    # The axis along which X is split has its turn first: so no turn but perhaps one needs X anew.
    turns = [axis + batched for axis, spread in enumerate(place.spread) if spread]
    turns.sort(key=lambda axis: axis != place.split)
    at = place.split
    for axis, following in zip(turns, [*turns, place.split][1:], strict=True):
        if at is None:
            x = mine(place, x, axis)
        elif at != axis:
            x = jax.lax.all_to_all(x, place.mesh_axes, axis, at, tiled=True)
        x = rotate(x, _only(bases, axis - batched), batched=batched, back=True)
        x = _summed(place, x, following)
        at = following
    return x


def moved(place: Place, x: jax.Array, old: Factors, new: Factors) -> jax.Array:
    """The part of X in the new bases, given that in the old ones."""
    x = returned(place, x, old)
    if not place.mesh_axes or not place.needs_whole:
        return rotate(x, new, batched=place.whole.batched)
    return rotated(place, x if place.split is None else _gathered(place, x, place.split), new)


def quotients(place: Place, gram_rows: jax.Array, basis: jax.Array, axis: int) -> jax.Array:
    """q^T A q of the vectors of the basis that the device has; A is gathered where it is split."""
    a = gram_rows
    if place.spread[axis]:
        a = _gathered(place, a, int(place.whole.batched))
    images = jnp.einsum("...ij,...jk->...ik", basis, a, precision=jax.lax.Precision.HIGHEST)
    return jnp.sum(images * basis, axis=-1)


def whole_vector(place: Place, vector: jax.Array, axis: int) -> jax.Array:
    """A number for each vector of a basis, from those of the device."""
    return _gathered(place, vector, int(place.whole.batched)) if place.spread[axis] else vector


def part_of_vector(place: Place, vector: jax.Array, axis: int) -> jax.Array:
    """Of numbers along an axis those that go with the device's part of M."""
    along = axis + place.whole.batched
    own = place.split == along and not place.by_matrix
    return mine(place, vector, int(place.whole.batched)) if own else vector


def total_of_vector(place: Place, vector: jax.Array, axis: int) -> jax.Array:
    """The sum of numbers along an axis, given those of the device's part of M."""
    local = jnp.sum(vector, axis=-1, keepdims=True)
    own = place.split == axis + place.whole.batched and not place.by_matrix
    return jax.lax.psum(local, place.mesh_axes) if own else local


def gram_rows(place: Place, x: jax.Array, axis: int) -> jax.Array:
    """The part of X_(k) X_(k)^T, X as given."""
    batched = place.whole.batched
    rows = mine(place, x, axis + batched) if place.spread[axis] else x
    return gram(x, axis, batched=batched, rows=rows)


def mine(place: Place, x: jax.Array, axis: int) -> jax.Array:
    """The part of the whole that is this device's, along an axis of the view."""
    size = x.shape[axis] // place.devices
    start = jax.lax.axis_index(place.mesh_axes) * size
    return jax.lax.dynamic_slice_in_dim(x, start, size, axis)


def mean(place: Place, x: jax.Array, axis: int, *, keepdims: bool = False) -> jax.Array:
    """The mean over an axis of the view, given its part; x may have lost axes behind it."""
    local = jnp.mean(x, axis, keepdims=keepdims)
    return jax.lax.pmean(local, place.mesh_axes) if place.split == axis else local


def total(place: Place, x: jax.Array, axes: Sequence[int]) -> jax.Array:
    """The sum over axes of the view, kept with size 1, given the part of M's shape."""
    local = jnp.sum(x, axis=tuple(axes), keepdims=True)
    return jax.lax.psum(local, place.mesh_axes) if place.split in axes else local


def on_all_devices(mesh: Any, body: Any, args: Any, in_specs: Any, out_specs: Any) -> Any:
    """body(*args) on every device, each with its parts."""
    if AxisType.Explicit in mesh.axis_types:
        args = jax.tree.map(
            lambda spec, x: jax.sharding.reshard(x, NamedSharding(mesh, spec)),
            in_specs,
            args,
            is_leaf=_is_spec,
        )
    mapped = jax.shard_map(body, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)
    return mapped(*args)


def constrained(tree: Any, shardings: Any) -> Any:
    """The tree of a traced computation, placed so."""

    def one(x: jax.Array, sharding: NamedSharding) -> jax.Array:
        if AxisType.Explicit in sharding.mesh.axis_types:
            return jax.sharding.reshard(x, sharding)
        return jax.lax.with_sharding_constraint(x, sharding)

    return jax.tree.map(one, tree, shardings)


def zero_from(params: Any) -> jax.Array:
    """0, computed from the parameters: what depends on none of them has no mesh under `jit`."""
    if mesh_of(params) is None:
        return jnp.zeros([], jnp.int32)
    placed = (leaf for leaf in jax.tree.leaves(params) if mesh_of(leaf) is not None)
    smallest = min(placed, key=lambda leaf: leaf.size)
    return 0 * jnp.isnan(jnp.sum(smallest)).astype(jnp.int32)


def placed_like(tree: Any, like: Any) -> Any:
    """The tree, with every leaf on the devices as the corresponding one of `like` is."""
    mesh = mesh_of(like)
    if mesh is None:
        return tree
    if AxisType.Explicit in mesh.axis_types:
        tree = jax.tree.map(
            lambda x, other: jax.sharding.reshard(x, jax.typeof(other).sharding), tree, like
        )
    if AxisType.Auto in mesh.axis_types:
        tree = jax.tree.map(_as_the_compiler_placed, tree, like)
    return tree


@jax.custom_batching.custom_vmap
def _as_the_compiler_placed(x: jax.Array, like: jax.Array) -> jax.Array:
    """x, sharded as `like` is: with automatic axes only the compiler knows how.

    Left to itself the compiler would do it the other way round, and split replicated parameters as
    the update is that is added to them.
    """
    return _placing(x.ndim)(x, like) if x.ndim else x


@_as_the_compiler_placed.def_vmap
def _placed_in_a_batch(
    size: int, batched: list[bool], x: jax.Array, like: jax.Array
) -> tuple[jax.Array, bool]:
    del size, like
    return x, batched[0]


@functools.cache
def _placing(ndim: int) -> Any:
    @custom_partitioning
    def placed(x: jax.Array, like: jax.Array) -> jax.Array:
        del like
        return x

    def sharding_of_like(mesh: Any, args: Any, result: Any) -> Any:
        del mesh, result
        return args[1].sharding

    def partition(mesh: Any, args: Any, result: Any) -> Any:
        sharding = sharding_of_like(mesh, args, result)
        return mesh, lambda x, like: x, sharding, (sharding, sharding)

    # Factors without anything in common: nothing is propagated from x to the result.
    factors = [f"{name}{axis}" for name in "xy" for axis in range(ndim)]
    own, others = " ".join(factors[:ndim]), " ".join(factors[ndim:])
    placed.def_partition(
        partition=partition,
        infer_sharding_from_operands=sharding_of_like,
        sharding_rule=f"{own}, {others} -> {others}",
    )
    return placed


def _gathered(place: Place, x: jax.Array, axis: int) -> jax.Array:
    return jax.lax.all_gather(x, place.mesh_axes, axis=axis, tiled=True)


def _summed(place: Place, x: jax.Array, axis: int | None) -> jax.Array:
    """The sum over the devices; of it their parts along an axis, if there is one."""
    if axis is None:
        return jax.lax.psum(x, place.mesh_axes)
    return jax.lax.psum_scatter(x, place.mesh_axes, scatter_dimension=axis, tiled=True)


def _only(bases: Factors, axis: int) -> Factors:
    return tuple(basis if place == axis else None for place, basis in enumerate(bases))


def _is_spec(node: Any) -> bool:
    return isinstance(node, PartitionSpec)


def _spec(axis: int, mesh_axes: tuple[str, ...]) -> PartitionSpec:
    return PartitionSpec(*(None,) * axis, mesh_axes)
