"""What a call of SOAP does to the bases: nothing, a power step, or at the first eigenvectors."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._arguments import require_in
from ._soap_axes import View
from ._soap_basis import (
    Attempt,
    decomposed,
    eigenvectors,
    off_diagonal_share,
    power_step,
    power_step_by_products,
    rotate,
)
from ._soap_factors import Factors
from ._soap_gradients import narrow, wide_dtype

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
    """The same for the leaves of a slot, whose bases begin as the coordinates."""
    return jnp.where(t % slots == slot, REFRESH, KEEP).astype(jnp.int32)


_GROUPS = 4


def in_groups(bases: list[Factors]) -> list[list[int]]:
    """The places of the leaves with bases that are refreshed together, group after group.

    A refresh holds several copies of the bases and momenta of all its leaves. In groups it needs
    so much less memory, and leaves enough decompositions next to each other for two cores: leaves
    are dealt by descending cost, in pairs.
    """
    order = _by_descending_cost(bases)
    groups = [
        order[2 * first :: 2 * _GROUPS] + order[2 * first + 1 :: 2 * _GROUPS]
        for first in range(_GROUPS)
    ]
    return [sorted(group) for group in groups if group]


def in_slots(bases: list[Factors], slots: int) -> list[list[int]]:
    """The places of the leaves with bases of every slot: the next goes where the cost is least."""
    members: list[list[int]] = [[] for _ in range(slots)]
    costs = [0] * slots
    for place in _by_descending_cost(bases):
        least = costs.index(min(costs))
        members[least].append(place)
        costs[least] += cost_of(bases[place])
    return members


def _by_descending_cost(bases: list[Factors]) -> list[int]:
    """The places of the leaves that have bases."""
    costs = [cost_of(of_leaf) for of_leaf in bases]
    return sorted((k for k, cost in enumerate(costs) if cost), key=lambda k: -costs[k])


def cost_of(bases: Factors) -> int:
    """Of a refresh of these bases, up to a factor: a decomposition takes the cube of the length."""
    return sum(math.prod(basis.shape) * basis.shape[-1] for basis in bases if basis is not None)


def refreshed(
    turning: Turning,
    phases: Sequence[jax.Array],
    groups: Sequence[Sequence[int]],
    grams: list[Factors],
    bases: list[Factors],
    mu: list[Any],
    leaf_views: list[View],
) -> tuple[list[Factors], list[Any], jax.Array]:
    """The bases after the call, M in them, and the number of decompositions that failed.

    Args:
      turning: how.
      phases: of every group, what `phase_of` says, or KEEP.
      groups: the places of their leaves.
      grams: of every leaf, after the call.
      bases: of every leaf, before it.
      mu: of every leaf; None where it is not kept in the bases.
      leaf_views: of every leaf.
    """
    turned, transported, failures = list(bases), list(mu), jnp.zeros([], jnp.int32)
    for phase, group in zip(phases, groups, strict=True):
        new_bases, new_mu, failed = _refreshed_together(
            turning,
            phase,
            [grams[i] for i in group],
            [bases[i] for i in group],
            [mu[i] for i in group],
            [leaf_views[i] for i in group],
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
    leaf_views: list[View],
) -> tuple[list[Factors], list[Any], jax.Array]:
    """As `refreshed`, for one group."""

    def keep(bases: list[Factors], mu: list[Any]) -> Any:
        return bases, mu, jnp.zeros([], jnp.int32)

    def power_steps(bases: list[Factors], mu: list[Any]) -> Any:
        step = power_step_by_products if turning.basis == "cholesky" else power_step
        new, failures = _decomposed(step, grams, bases)
        transported = [
            _transport(m, old, turned, view)
            for m, old, turned, view in zip(mu, bases, new, leaf_views, strict=True)
        ]
        return new, transported, failures

    def power_steps_where_needed(bases: list[Factors], mu: list[Any]) -> Any:
        turned, transported, failures = [], [], jnp.zeros([], jnp.int32)
        for a, r, m, view in zip(grams, bases, mu, leaf_views, strict=True):
            one = functools.partial(_refreshed_together, turning._replace(basis="qr"))
            phase_of_leaf = jnp.where(_is_off(a, r, turning.tolerance), REFRESH, KEEP)
            (factors,), (moved,), failed = one(phase_of_leaf, [a], [r], [m], [view])
            turned.append(factors)
            transported.append(moved)
            failures += failed
        return turned, transported, failures

    def first(bases: list[Factors], mu: list[Any]) -> Any:
        new, failures = _decomposed(eigenvectors, grams)
        return new, mu, failures  # M is still zero

    turn = power_steps_where_needed if turning.basis == "adaptive" else power_steps
    # Bases in slots begin as the coordinates: eigenvectors of all at once would be a spike.
    branches = (keep, turn) if turning.slots else (keep, turn, first)
    return jax.lax.switch(phase, branches, bases, mu)


def _is_off(grams: Factors, bases: Factors, tolerance: Any) -> jax.Array:
    """Whether a basis of the leaf is further from diagonalizing its matrix than is tolerated."""
    limit = TOLERANCE if tolerance is None else tolerance
    shares = [
        jax.lax.map(lambda pair: off_diagonal_share(*pair), (a, r))
        if a.ndim > 2
        else off_diagonal_share(a, r)
        for a, r in zip(grams, bases, strict=True)
        if a is not None and r is not None
    ]
    return jnp.any(jnp.stack([jnp.max(share, initial=0) > limit for share in shares] or [False]))


def _decomposed(
    decomposition: Callable[..., Attempt], *operands: list[Factors]
) -> tuple[list[Factors], jax.Array]:
    """The decomposition for every axis with a basis, and the number of failures."""
    treedef: Any = jax.tree.structure(operands[0])
    new, failures = decomposed(decomposition, *map(jax.tree.leaves, operands))
    return treedef.unflatten(new), failures


@functools.partial(jax.jit, static_argnames="view")
def _transport(m: Any, old: Factors, new: Factors, view: View) -> Any:
    """M, out of the old basis and into the new one."""
    if m is None or not jax.tree.leaves(old):
        return m
    original = rotate(view.of(m.astype(wide_dtype(m))), old, batched=view.batched, back=True)
    return narrow(view.back(rotate(original, new, batched=view.batched), m), m)
