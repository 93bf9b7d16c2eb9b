# SPDX-License-Identifier: Apache-2.0
"""What a call of SOAP does to the bases: nothing, a power step, or at the first eigenvectors."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from . import _soap_places as on
from ._arguments import require_in
from ._soap_basis import (
    Attempt,
    decomposed,
    eigenvectors,
    off_diagonal_share,
    power_step,
    power_step_by_products,
)
from ._soap_exchange import decomposed_by_owners, largest_by_owners
from ._soap_factors import Factors
from ._soap_gradients import narrow, wide_dtype
from ._soap_places import Place

__all__: list[str] = []

KEEP, REFRESH, FIRST = 0, 1, 2
BASES = ("qr", "adaptive", "cholesky")
TOLERANCE = 0.01


class Turning(NamedTuple):
    """How bases follow their Gram matrices, and when."""

    basis: str  # one of BASES
    tolerance: Any  # of "adaptive": the share of A off the diagonal that is left alone
    slots: int | None  # refreshes are spread over so many calls; None: all in one


QR = Turning("qr", None, None)


def require_turning(basis: Any, tolerance: Any) -> None:
    """Raises what is wrong with the arguments `basis` and `basis_tolerance`."""
    if basis not in BASES:
        raise ValueError(f"basis must be one of {', '.join(map(repr, BASES))}, got {basis!r}.")
    if tolerance is None:
        return
    if basis != "adaptive":
        raise ValueError(
            f"basis_tolerance goes with basis='adaptive' alone, got {tolerance!r} with basis="
            f"{basis!r}."
        )
    require_in("basis_tolerance", tolerance, 0.0, 1.0)


def phase_of(t: jax.Array, frequency: Any) -> jax.Array:
    """What happens to the bases: nothing, a power step, or at the first call eigenvectors."""
    due = t % jnp.asarray(frequency).astype(t.dtype) == 0
    return jnp.where(due, jnp.where(t == 0, FIRST, REFRESH), KEEP).astype(jnp.int32)


def phase_of_slot(t: jax.Array, slot: int, slots: int) -> jax.Array:
    """The same for the leaves of a slot; FIRST, if their bases are the coordinates until now."""
    due = t % slots == slot
    return jnp.where(due, jnp.where(t < slots, FIRST, REFRESH), KEEP).astype(jnp.int32)


GROUPS = 4


def in_groups(places: Sequence[Place], count: int = GROUPS) -> list[list[int]]:
    """The numbers of the leaves with bases that are refreshed together, group after group.

    A refresh holds several copies of the bases and momenta of all its leaves. In groups it needs
    so much less memory, and leaves enough decompositions next to each other for two cores: leaves
    are dealt by descending cost, in pairs.
    """
    order = _by_descending_cost(places)
    groups = [
        order[2 * first :: 2 * count] + order[2 * first + 1 :: 2 * count] for first in range(count)
    ]
    return [sorted(group) for group in groups if group]


def in_slots(places: Sequence[Place], slots: int) -> list[list[int]]:
    """The numbers of the leaves with bases of every slot: the next goes where the cost is least."""
    members: list[list[int]] = [[] for _ in range(slots)]
    costs = [0] * slots
    for leaf in _by_descending_cost(places):
        least = costs.index(min(costs))
        members[least].append(leaf)
        costs[least] += places[leaf].cost
    return members


def _by_descending_cost(places: Sequence[Place]) -> list[int]:
    """The numbers of the leaves that have bases."""
    with_bases = [leaf for leaf, place in enumerate(places) if place.cost]
    return sorted(with_bases, key=lambda leaf: -places[leaf].cost)


def refreshed(
    turning: Turning,
    phases: Sequence[jax.Array],
    groups: Sequence[Sequence[int]],
    grams: list[Factors],
    bases: list[Factors],
    mu: list[Any],
    places: list[Place],
) -> tuple[list[Factors], list[Any], jax.Array]:
    """The bases after the call, M in them, and the number of decompositions that failed.

    Args:
      turning: how.
      phases: of every group, what `phase_of` says, or KEEP.
      groups: the places of their leaves.
      grams: of every leaf, after the call.
      bases: of every leaf, before it.
      mu: of every leaf; None where it is not kept in the bases.
      places: of every leaf.
    """
    turned, transported, failures = list(bases), list(mu), jnp.zeros([], jnp.int32)
    for phase, group in zip(phases, groups, strict=True):
        new_bases, new_mu, failed = _refreshed_together(
            turning,
            phase,
            [grams[i] for i in group],
            [bases[i] for i in group],
            [mu[i] for i in group],
            [places[i] for i in group],
        )
        failures += failed
        for i, factors, m in zip(group, new_bases, new_mu, strict=True):
            turned[i], transported[i] = factors, m
    return turned, transported, failures


def _refreshed_together(
    turning: Turning,
    phase: jax.Array,
    grams: list[Factors],
    bases: list[Factors],
    mu: list[Any],
    places: list[Place],
) -> tuple[list[Factors], list[Any], jax.Array]:
    """As `refreshed`, for one group."""

    def keep(bases: list[Factors], mu: list[Any]) -> Any:
        return bases, mu, jnp.zeros([], jnp.int32)

    step = power_step_by_products if turning.basis == "cholesky" else power_step
    first = phase == FIRST

    def new_basis(gram: jax.Array, basis: jax.Array) -> Attempt:
        # Bases in slots begin as the coordinates: eigenvectors of all at once would be a spike.
        if turning.slots:
            return step(gram, basis)
        return jax.lax.cond(first, lambda: eigenvectors(gram), lambda: step(gram, basis))

    def turn(bases: list[Factors], mu: list[Any]) -> Any:
        new, failures = _decomposed(new_basis, places, grams, bases)
        transported = [
            _transport(m, old, turned, place)
            for m, old, turned, place in zip(mu, bases, new, places, strict=True)
        ]
        return new, transported, failures

    def turn_where_needed(bases: list[Factors], mu: list[Any]) -> Any:
        off = [first | is_off for is_off in _are_off(places, grams, bases, turning.tolerance)]
        if on_several_devices(places):
            new, failures = decomposed_by_owners(new_basis, places, grams, bases, wanted=off)
            transported = [
                jax.lax.cond(is_off, functools.partial(_transport, place=place), _kept, m, old, now)
                for is_off, m, old, now, place in zip(off, mu, bases, new, places, strict=True)
            ]
            return new, transported, failures
        turned, transported, failures = [], [], jnp.zeros([], jnp.int32)
        one = functools.partial(_refreshed_together, turning._replace(basis="qr"))
        for is_off, a, r, m, place in zip(off, grams, bases, mu, places, strict=True):
            phase_of_leaf = jnp.where(is_off, phase, KEEP)
            (factors,), (moved,), failed = one(phase_of_leaf, [a], [r], [m], [place])
            turned.append(factors)
            transported.append(moved)
            failures += failed
        return turned, transported, failures

    turns = turn_where_needed if turning.basis == "adaptive" else turn
    return jax.lax.cond(phase != KEEP, turns, keep, bases, mu)


def on_several_devices(places: Sequence[Place]) -> bool:
    return any(place.mesh_axes for place in places)


def _are_off(
    places: Sequence[Place], grams: list[Factors], bases: list[Factors], tolerance: Any
) -> list[jax.Array]:
    """Whether a basis of a leaf is further from diagonalizing its matrix than is tolerated."""
    limit = TOLERANCE if tolerance is None else tolerance
    if on_several_devices(places):
        shares = largest_by_owners(off_diagonal_share, places, grams, bases)
        return [share > limit for share in shares]
    return [_is_off(of_leaf, r, limit) for of_leaf, r in zip(grams, bases, strict=True)]


def _is_off(grams: Factors, bases: Factors, limit: Any) -> jax.Array:
    shares = [
        jax.lax.map(lambda pair: off_diagonal_share(*pair), (a, r))
        if a.ndim > 2
        else off_diagonal_share(a, r)
        for a, r in zip(grams, bases, strict=True)
        if a is not None and r is not None
    ]
    return jnp.any(jnp.stack([jnp.max(share, initial=0) > limit for share in shares] or [False]))


def _decomposed(
    decomposition: Callable[..., Attempt], places: Sequence[Place], *operands: list[Factors]
) -> tuple[list[Factors], jax.Array]:
    """The decomposition for every axis with a basis, and the number of failures."""
    if on_several_devices(places):
        return decomposed_by_owners(decomposition, places, *operands)
    treedef: Any = jax.tree.structure(operands[0])
    new, failures = decomposed(decomposition, *map(jax.tree.leaves, operands))
    return treedef.unflatten(new), failures


def _kept(m: Any, old: Factors, new: Factors) -> Any:
    del old, new
    return m


@functools.partial(jax.jit, static_argnames="place")
def _transport(m: Any, old: Factors, new: Factors, place: Place) -> Any:
    """M, out of the old basis and into the new one."""
    if m is None or not jax.tree.leaves(old):
        return m
    x = place.part.of(m.astype(wide_dtype(m)))
    return narrow(place.part.back(on.moved(place, x, old, new), m), m)
