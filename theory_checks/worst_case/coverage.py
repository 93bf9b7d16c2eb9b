# SPDX-License-Identifier: Apache-2.0
r"""Which constant of a theorem, and which part of its formula, could be wrong unnoticed in a run.

.. math:: \varphi_j = \inf \{ \varphi \ge 1 : \text{the data refute } B(k; c) \text{ with } c_j
    \text{ moved by } \varphi \text{ to make } B \text{ claim more} \}

Nothing is simulated again: the theorem is restated, and the check's own data are asked about that.
A statement about refutation, with the error rate of a case's own: that it refutes the bound with a
constant moved by less than what it could be moved by has at most the probability alpha.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ..checks.restatable import HasExponents, Restatable
from ..claim import Case, Claim, Finding
from ..restated import restated
from ..simulation.laboratory import Laboratory
from .misreadings import constants_read, misreadings, moved

__all__ = ["Outcome", "Place", "coverage"]

Array = NDArray[np.float64]
Outcome = Literal["killed", "survived", "weaker", "untestable"]

RESOLUTION = 1e-3
"""Relative, of a factor."""

_LADDER = (2.0, 4.0, 16.0, 256.0, 1e5, 1e9)
_CHANGED = 1e-9


def coverage(
    claim: Claim, found: Sequence[tuple[str, Case, Finding]], laboratory: Laboratory
) -> dict[str, Any]:
    """What a claim's run would have caught of its theorem.

    Args:
        claim: that was evaluated.
        found: the name, the case and what was found, of each case.
        laboratory: which has the data.

    Returns:
        "coverage": for each constant of the theorem that its bound depends on the `factor` by
        which it could be better before the data refute the bound (None if it could at any), the
        `direction` in which it moves, the `limit` that was tried in any case, and the `case` that
        is sharpest; "structure": the outcome for each generated misreading by its name.
    """
    theorem = claim.theorem
    places = [
        Place(name, case.check, finding.seeds, laboratory, theorem)
        for name, case, finding in sorted(found, key=lambda one: _slack(one[2]))
        if finding.verdict != "REFUTED" and isinstance(case.check, Restatable)
    ]
    places = [place for place in places if place.asks]
    constants, outcomes = {}, {}
    if places:
        constants = {name: _caught(name, places) for name in constants_read(theorem)}
        outcomes = {one.name: _outcome(one.theorem, places) for one in misreadings(theorem)}
    structure = {name: seen for name, seen in outcomes.items() if seen is not None}
    return {"coverage": constants, "structure": structure | _exponents(found, laboratory)}


def _slack(finding: Finding) -> float:
    return math.inf if finding.detectable_factor is None else finding.detectable_factor


@dataclass(eq=False)
class Place:
    """A case that can be asked again: what it says, and what other theorems would say here.

    Args:
        name: of the case.
        check: which has the data, or gets them from the laboratory.
        seeds: how many replicates were looked at; None where nothing was sampled.
        laboratory: which has them.
        theorem: what is claimed.
    """

    name: str
    check: Restatable
    seeds: int | None
    laboratory: Laboratory
    theorem: Theorem

    def __post_init__(self) -> None:
        with restated(self.theorem, self.theorem) as place:
            self.said = self.check.says(self.laboratory, self.seeds)
        self.asks = place.asked

    def says(self, instead: Theorem) -> Array | None:
        """What another theorem says here; None where it says nothing that could be compared."""
        try:
            with restated(self.theorem, instead), np.errstate(all="ignore"):
                said = self.check.says(self.laboratory, self.seeds)
        except Exception:  # a formula with a mistake in it may fail in any way
            return None
        if said.ndim == 0:  # what depended on the point was dropped
            said = np.full(self.said.shape, said)
        sound = said.shape == self.said.shape and np.all(np.isfinite(said))
        return said if sound else None

    def refutes(self, said: Array) -> bool:
        """Whether the data refute these numbers."""
        return self.check.refutes(said, self.laboratory, self.seeds)

    def more(self, said: Array) -> NDArray[np.bool_]:
        """Where these numbers claim more than the theorem does."""
        change = said - self.said
        noticeable = np.abs(change) > _CHANGED * np.abs(self.said)
        side = self.theorem.side
        if side == "law" and getattr(self.check, "relation", None) == "at_least":
            side = "below"  # a smaller exponent claims less
        claims = {"above": change < 0, "below": change > 0}.get(side, change != 0)
        return np.asarray(claims & noticeable)

    def refuted(self, instead: Theorem) -> bool:
        """Whether another theorem says more than this one, and the data refute it."""
        said = self.says(instead)
        return said is not None and bool(self.more(said).any()) and self.refutes(said)


def _caught(name: str, places: Sequence[Place]) -> dict[str, Any]:
    """The least factor of a constant that is refuted, over the cases, the sharpest first."""
    theorem = places[0].theorem
    assert theorem.constants is not None
    direction = "down" if theorem.constants.directions()[name] == "up" else "up"
    best: float | None = None
    sharpest, seen = None, False
    for place in places:
        limit = _admissible(place, name)
        if limit is None:
            continue
        said = place.says(moved(theorem, name, limit))
        seen = seen or (said is not None and _differs(said, place.said))

        def refuted(factor: float, place: Place = place) -> bool:
            return place.refuted(moved(theorem, name, factor))

        # A case is worth a search only if it catches less than what was caught before.
        first = limit if best is None else min(limit, best * (1 - RESOLUTION))
        if first > 1 and refuted(first):
            found = _smallest(refuted, first)
            if found < math.inf:
                best, sharpest = found, place.name
    return {
        "factor": best,
        "direction": direction,
        "limit": "reached" if seen else "no part",
        "case": sharpest,
    }


def _admissible(place: Place, name: str) -> float | None:
    """The farthest that a constant can be moved: to its end, if the formula can be evaluated."""
    for factor in (math.inf, *reversed(_LADDER)):
        if place.says(moved(place.theorem, name, factor)) is not None:
            return factor
    return None


def _smallest(refuted: Callable[[float], bool], high: float) -> float:
    """The smallest factor that is refuted, where `high` is; infinite if only the end itself is."""
    low = 1.0
    for step in _LADDER:
        if step >= high:
            break
        if refuted(step):
            high = step
            break
        low = step
    if high == math.inf:
        high = 1e12  # the end of its range, whose factor has no size
        if not refuted(high):
            return math.inf
    while high > low * (1 + RESOLUTION):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


def _differs(said: Array, before: Array) -> bool:
    return bool(np.any(np.abs(said - before) > _CHANGED * np.abs(before)))


def _outcome(instead: Theorem, places: Sequence[Place]) -> Outcome | None:
    """Whether the run would have noticed this mistake; None where it makes no statement."""
    seen: Outcome | None = None
    for place in places:
        said = place.says(instead)
        if said is None:
            continue
        seen = seen or "untestable"
        if not _differs(said, place.said):
            continue
        if not place.more(said).any():
            seen = "weaker" if seen == "untestable" else seen
        elif place.refutes(said):
            return "killed"
        else:
            seen = "survived"
    return seen


def _exponents(
    found: Sequence[tuple[str, Case, Finding]], laboratory: Laboratory
) -> dict[str, Outcome]:
    """The same for the exponents that a law states."""
    outcomes: dict[str, Outcome] = {}
    for _, case, finding in found:
        if finding.verdict == "REFUTED" or not isinstance(case.check, HasExponents):
            continue
        for name, check in case.check.with_exponents().items():
            killed = check.run(laboratory).verdict == "REFUTED"
            outcomes[name] = "killed" if killed or outcomes.get(name) == "killed" else "survived"
    return outcomes
