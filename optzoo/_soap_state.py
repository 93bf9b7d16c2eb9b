# SPDX-License-Identifier: Apache-2.0
"""The fields of SOAP's state: how they begin, and where their parts are on a mesh."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from ._soap_axes import Structure, View
from ._soap_factors import by_axis, by_leaf
from ._soap_moment import is_factored, is_pair, zero_margins
from ._soap_places import Place, constrained, mesh_of, on_mesh

__all__: list[str] = []


class Fields(NamedTuple):
    """M, V, the Gram matrices and the bases: trees, as the state has them, or lists by leaf."""

    mu: Any
    nu: Any
    gram: Any
    basis: Any

    def by_leaf(self, treedef: Any, leaf_views: list[View], factored: bool) -> "Fields":
        """Of every leaf M, V (factored, a tuple of margins), and for every axis its matrices."""
        ranks = [len(view.sizes) for view in leaf_views]
        margins = [2 if is_factored(view) else 1 for view in leaf_views]
        return Fields(
            treedef.flatten_up_to(self.mu),
            by_leaf(treedef, self.nu, margins) if factored else treedef.flatten_up_to(self.nu),
            by_leaf(treedef, self.gram, ranks),
            by_leaf(treedef, self.basis, ranks),
        )

    def as_trees(self, treedef: Any, factored: bool) -> "Fields":
        """The inverse of `by_leaf`."""
        return Fields(
            treedef.unflatten(self.mu),
            by_axis(treedef, self.nu) if factored else treedef.unflatten(self.nu),
            by_axis(treedef, self.gram),
            by_axis(treedef, self.basis),
        )


def views(params: optax.Params, structure: Structure) -> list[View]:
    return [view for view, _ in structure.views(params)]


def fresh(params: optax.Params, structure: Structure, factored: bool) -> Fields:
    """Zeros, and the coordinates for bases; on a mesh in parts, which are never whole anywhere."""
    mesh = mesh_of(params)
    if mesh is None:
        return _fields(params, structure, factored, jnp.zeros_like, jnp.zeros, _coordinates)

    def zeros_like(leaf: Any) -> jax.Array:
        return jnp.zeros(leaf.shape, leaf.dtype)  # and not on the leaf's devices

    def whole() -> Fields:
        return _fields(params, structure, factored, zeros_like, jnp.zeros, _coordinates)

    where = shardings(params, structure, factored, mesh)
    made: Fields = (
        constrained(whole(), where) if _is_traced(params) else jax.jit(whole, out_shardings=where)()
    )
    return made


def shapes(params: optax.Params, structure: Structure, factored: bool) -> Fields:
    """What `fresh` would make, as shapes; without Gram matrices and bases if they are unknown."""
    make = jax.ShapeDtypeStruct
    if structure.is_known:
        return _fields(params, structure, factored, lambda leaf: leaf, make, make)
    nu = _second_moments(params, structure, make) if factored else params
    return Fields(params, nu, None, None)


def shardings(params: optax.Params, structure: Structure, factored: bool, mesh: Any) -> Fields:
    """Of every array, on the mesh that the parameters are on."""
    treedef: Any = jax.tree.structure(params)
    leaf_views = views(params, structure)
    by_leaves = shapes(params, structure, factored).by_leaf(treedef, leaf_views, factored)
    of_parts = specs(places(by_leaves, leaf_views, mesh), by_leaves).as_trees(treedef, factored)
    placed: Fields = jax.tree.map(
        lambda spec: NamedSharding(mesh, spec),
        of_parts,
        is_leaf=lambda node: isinstance(node, PartitionSpec),
    )
    return placed


def places(fields: Fields, leaf_views: list[View], mesh: Any) -> list[Place]:
    """Of every leaf; the fields are by leaf."""
    return [
        on_mesh(view, tuple(matrix is not None for matrix in of_leaf), mesh)
        for view, of_leaf in zip(leaf_views, fields.basis, strict=True)
    ]


def specs(places: list[Place], fields: Fields) -> Fields:
    """Of every array, by leaf like the fields."""
    matrices = [
        tuple(
            None if basis is None else place.spec_of_matrix(axis)
            for axis, basis in enumerate(of_leaf)
        )
        for place, of_leaf in zip(places, fields.basis, strict=True)
    ]
    margins = [_specs_of_v(place, v) for place, v in zip(places, fields.nu, strict=True)]
    return Fields([place.spec() for place in places], margins, matrices, matrices)


def _specs_of_v(place: Place, v: Any) -> Any:
    if is_pair(v):
        return tuple(place.spec_of_margin(axis) for axis in range(2))
    return (place.spec(),) if isinstance(v, tuple) else place.spec()


def _fields(
    params: optax.Params,
    structure: Structure,
    factored: bool,
    make_like: Callable[[Any], Any],
    make: Callable[..., Any],
    make_basis: Callable[..., Any],
) -> Fields:
    leaf_views = structure.views(params)
    # M and V are never one array, which could not be donated.
    return Fields(
        jax.tree.map(make_like, params),
        _second_moments(params, structure, make) if factored else jax.tree.map(make_like, params),
        structure.field(params, leaf_views, make),
        structure.field(params, leaf_views, make_basis),
    )


def _second_moments(params: optax.Params, structure: Structure, make: Callable[..., Any]) -> Any:
    leaves, treedef = jax.tree.flatten(params)
    of_views = zip(leaves, views(params, structure), strict=True)
    return by_axis(treedef, [zero_margins(leaf, view, make) for leaf, view in of_views])


def _is_traced(params: optax.Params) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(params))


def _coordinates(shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), shape)
