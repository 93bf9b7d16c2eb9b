"""The checks of this paper: the distances of a family of chains beside what a theorem says."""

from dataclasses import replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...checks import ExactExponent, ExactInequality, ExactLowerBound
from ...controls import Change, wrong
from .settings import Chain, Family

__all__ = ["CORRELATED", "TOLERANCE", "at_least", "at_most", "distances", "louder", "slopes"]

Array = NDArray[np.float64]
TOLERANCE = 1e-9
AnyChain = TypeVar("AnyChain", bound=Chain)


def distances(family: Family[AnyChain], **mistakes: Any) -> Array:
    """W2(X_k, Z_T) of each member, or of those with mistakes."""
    return np.array([replace(member, **mistakes).distance() for member in family.members])


def louder(times: float) -> Change:
    """A row of the table of controls: the chain with too much noise."""
    return wrong(
        "wrong diffusion", f"the chain's noise is {times:g} times the diffusion's", louder=times
    )


CORRELATED = wrong("correlated noise", "a moving average of two draws", correlated=True)


def at_most(
    family: Family[AnyChain], theorem: Theorem, what: str, *, scale: float = 1.0, **mistakes: Any
) -> ExactInequality:
    """Each member's distance is at most its bound.

    Args:
        family: with the bound's constants.
        theorem: whose bound.
        what: what was computed, for the report.
        scale: of the bound, for false claims.
        **mistakes: of the members, for controls.

    Returns:
        The check.
    """

    def compute() -> tuple[Array, Array]:
        return distances(family, **mistakes), scale * family.bounds(theorem)

    return ExactInequality(compute, TOLERANCE, what, per_case=True)


def at_least(
    family: Family[AnyChain],
    theorem: Theorem,
    what: str,
    *,
    scale: float = 1.0,
    changes: dict[str, float] | None = None,
    **mistakes: Any,
) -> ExactLowerBound:
    """Each member's distance is at least its bound.

    Args:
        family: with the bound's constants.
        theorem: whose bound.
        what: what was computed, for the report.
        scale: of the bound, for false claims.
        changes: of the bound's constants, for false claims.
        **mistakes: of the members, for controls.

    Returns:
        The check.
    """

    def compute() -> tuple[Array, Array]:
        return distances(family, **mistakes), scale * family.bounds(theorem, **(changes or {}))

    return ExactLowerBound(compute, TOLERANCE, what, per_case=True)


def slopes(
    family: Family[AnyChain],
    *,
    stated: float,
    bounds: tuple[Theorem, ...] = (),
    relation: Literal["at_least", "exactly"] = "at_least",
    **mistakes: Any,
) -> ExactExponent:
    """The slopes of the distances in the step, and the distances below a bound.

    Args:
        family: along decreasing steps.
        stated: the exponent.
        bounds: theorems whose bounds add up to one of the distance; none where there is no bound.
        relation: "at_least" or "exactly".
        **mistakes: of the members, for controls.

    Returns:
        The check.
    """

    def compute() -> tuple[Array, Array, Array | None]:
        eta = np.array([member.eta for member in family.members])
        limit = sum((family.bounds(theorem) for theorem in bounds), np.zeros(len(eta)))
        return eta, distances(family, **mistakes), limit if bounds else None

    return ExactExponent(compute, stated, relation)
