"""What a call does to the bases of Kronecker factors, whatever else is kept in them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._soap_basis import Attempt, decomposed, eigenvectors, power_step
from ._soap_factors import Factors

__all__: list[str] = []


def bases_after(
    phase: jax.Array, factors: list[Factors], bases: list[Factors]
) -> tuple[list[Factors], jax.Array]:
    """The bases after the call, and the number of decompositions that failed.

    Args:
      phase: what `_soap_refresh.phase_of` says, or KEEP.
      factors: of every leaf, after the call.
      bases: of every leaf, before it.
    """

    def keep(bases: list[Factors]) -> Any:
        return bases, jnp.zeros([], jnp.int32)

    def power_steps(bases: list[Factors]) -> Any:
        return _decomposed(power_step, factors, bases)

    def first(bases: list[Factors]) -> Any:
        del bases
        return _decomposed(eigenvectors, factors)

    return jax.lax.switch(phase, (keep, power_steps, first), bases)


def _decomposed(
    decomposition: Callable[..., Attempt], *operands: list[Factors]
) -> tuple[list[Factors], jax.Array]:
    treedef: Any = jax.tree.structure(operands[0])
    new, failures = decomposed(decomposition, *map(jax.tree.leaves, operands))
    return treedef.unflatten(new), failures
