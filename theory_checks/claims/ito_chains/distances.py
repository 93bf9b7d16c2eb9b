"""The checks of this paper: the distances of a family of chains beside what a theorem says."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...checks import ExactExponent, ExactInequality, ExactLowerBound
from ...controls import Change, wrong
from .settings import Chain, Family

__all__ = [
    "CLOSEST",
    "CORRELATED",
    "STEP",
    "TOLERANCE",
    "beside_bounds",
    "distances",
    "louder",
    "slopes",
]

Array = NDArray[np.float64]
TOLERANCE = 1e-9
CLOSEST, STEP = "case, the closest to the bound first", r"step $\eta$"
"""Axes of the checkpoints."""

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


def beside_bounds(
    family: Family[AnyChain],
    theorem: Theorem,
    what: str,
    *,
    scale: float = 1.0,
    changes: Mapping[str, float] = MappingProxyType({}),
    **mistakes: Any,
) -> ExactInequality | ExactLowerBound:
    """Each member's distance beside its bound, on the side that the theorem says.

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
        return distances(family, **mistakes), scale * family.bounds(theorem, **changes)

    check = ExactLowerBound if theorem.side == "below" else ExactInequality
    return check(compute, TOLERANCE, what)


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
