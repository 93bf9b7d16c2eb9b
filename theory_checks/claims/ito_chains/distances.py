# SPDX-License-Identifier: Apache-2.0
"""The cases of this paper: the distances of a family of chains beside what a theorem says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...checks import ExactExponent, ExactInequality, ExactLowerBound
from ...claim import Case
from ...controls import Change, Sides, case, exact_case, wrong
from ...family import Family
from ...setting import Setting
from .settings import AnyChain

__all__ = [
    "CORRELATED",
    "STEP",
    "beside_bounds",
    "distances",
    "louder",
    "slopes",
]

Array = NDArray[np.float64]
STEP = r"step $\eta$"
"""The axis of the slopes."""

Member = TypeVar("Member", bound=Setting)


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
    family: Family[Member],
    theorem: Theorem,
    what: str,
    *changes: Change,
    measured: Callable[..., Array] = distances,
    tolerance: float = 1e-9,
) -> Case:
    """Each member's distance beside its bound, on the side that the theorem says.

    Args:
        family: with the bound's constants.
        theorem: whose bound.
        what: was computed, for the report.
        *changes: the controls: of the bound its `constants` or the `claimed` theorem,
            and mistakes of the members.
        measured: the family and the mistakes -> a number for each member.
        tolerance: relative to each bound.
    """

    def sides(
        family: Family[Member],
        constants: Mapping[str, float] = MappingProxyType({}),
        claimed: Theorem = theorem,
        **mistakes: Any,
    ) -> Sides:
        return measured(family, **mistakes), lambda: family.bounds(claimed, **constants)

    check = ExactLowerBound if theorem.side == "below" else ExactInequality
    return exact_case(family, sides, check, *changes, tolerance=tolerance, what=what)


def slopes(
    family: Family[AnyChain],
    theorem: Theorem,
    *changes: Change,
    bounds: tuple[Theorem, ...] = (),
    relation: Literal["at_least", "exactly"] = "at_least",
) -> Case:
    """The slopes of the distances in the step, and the distances below a bound.

    Args:
        family: along decreasing steps.
        theorem: whose exponent.
        *changes: the controls: the exponent `stated`, and mistakes of the members.
        bounds: theorems whose bounds add up to one of the distance; none where there is no bound.
        relation: "at_least" or "exactly".
    """

    def check(stated: float | None = None, **mistakes: Any) -> ExactExponent:
        def compute() -> tuple[Array, Array, Array | None]:
            eta = np.array([member.eta for member in family.members])
            limit = sum((family.bounds(one) for one in bounds), np.zeros(len(eta)))
            return eta, distances(family, **mistakes), limit if bounds else None

        return ExactExponent(
            compute, partial(family.exponent, theorem) if stated is None else stated, relation
        )

    return case(family, check, *changes)
