"""What a call of SOAP does to the bases: nothing, a power step, or at the first eigenvectors."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._soap_axes import View
from ._soap_basis import Attempt, decomposed, eigenvectors, power_step, rotate
from ._soap_factors import Factors
from ._soap_gradients import narrow, wide_dtype

__all__: list[str] = []

KEEP, REFRESH, FIRST = 0, 1, 2


def phase_of(t: jax.Array, frequency: Any) -> jax.Array:
    """What happens to the bases: nothing, a power step, or at the first call eigenvectors."""
    due = t % jnp.asarray(frequency).astype(t.dtype) == 0
    return jnp.where(due, jnp.where(t == 0, FIRST, REFRESH), KEEP).astype(jnp.int32)


_GROUPS = 4


def _in_groups(bases: list[Factors]) -> list[list[int]]:
    """The places of the leaves whose bases are refreshed together, one group after the other.

    A refresh holds several copies of the bases and momenta of all its leaves. In groups it needs
    so much less memory, and leaves enough decompositions next to each other for two cores: leaves
    are dealt by descending cost, in pairs.
    """
    order = sorted(range(len(bases)), key=lambda place: -_cost_of(bases[place]))
    groups = [
        order[2 * first :: 2 * _GROUPS] + order[2 * first + 1 :: 2 * _GROUPS]
        for first in range(_GROUPS)
    ]
    return [sorted(group) for group in groups if group]


def _cost_of(bases: Factors) -> int:
    """Of a refresh of these bases, up to a factor: a decomposition takes the cube of the length."""
    return sum(math.prod(basis.shape) * basis.shape[-1] for basis in bases if basis is not None)


def refreshed(
    phase: jax.Array,
    grams: list[Factors],
    bases: list[Factors],
    mu: list[Any],
    leaf_views: list[View],
) -> tuple[list[Factors], list[Any], jax.Array]:
    """The bases after the call, M in them, and the number of decompositions that failed.

    Args:
      phase: what `phase_of` says, or KEEP.
      grams: of every leaf, after the call.
      bases: of every leaf, before it.
      mu: of every leaf; None where it is not kept in the bases.
      leaf_views: of every leaf.
    """
    turned, transported, failures = list(bases), list(mu), jnp.zeros([], jnp.int32)
    for group in _in_groups(bases):
        new_bases, new_mu, failed = _refreshed_together(
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
        new, failures = _decomposed(power_step, grams, bases)
        transported = [
            _transport(m, old, turned, view)
            for m, old, turned, view in zip(mu, bases, new, leaf_views, strict=True)
        ]
        return new, transported, failures

    def first(bases: list[Factors], mu: list[Any]) -> Any:
        new, failures = _decomposed(eigenvectors, grams)
        return new, mu, failures  # M is still zero

    return jax.lax.switch(phase, (keep, power_steps, first), bases, mu)


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
