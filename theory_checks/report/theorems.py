# SPDX-License-Identifier: Apache-2.0
"""The report's chapters begin with theorems: each as it stands on its page, and what was found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records.read import Record

__all__ = ["TheoremView", "theorem_views"]

_WORST = ("REFUTED", "INCONCLUSIVE", None, "CONSISTENT")


@dataclass(frozen=True)
class TheoremView:
    """One theorem of a paper, its parts, and the claims on all of them.

    Attributes:
        label: of the theorem.
        statements: the records of the theorem and its parts; empty in files without theorems.
        claims: the records of the claims.
        verdict: the worst of theirs.
        sharpest: the claim that would have caught the smallest violation; None where none can.
        below: the claim on a bound from below that comes closest, or None.
        instances: number of settings, the cases of grids counted.
        constants: what is known of each constant of the theorem where it is sharpest.
        said: for a statement's label and "proof", "assumptions" or a constant's name the label of
            the statement before it that says the same.
    """

    label: str
    statements: list[Record]
    claims: list[Record]
    verdict: str | None
    sharpest: Record | None
    below: Record | None
    instances: int
    constants: Mapping[str, Any]
    said: Mapping[tuple[str, str], str]

    @property
    def title(self) -> str:
        """Of the theorem, or of its first claim in a file without theorems."""
        return str(self.statements[0]["title"] if self.statements else self.claims[0]["title"])

    def shared(self, statement: Record) -> dict[str, list[str]]:
        """The constants of a statement that an earlier one explains, by its label."""
        found: dict[str, list[str]] = {}
        for one in statement["constants"]:
            if (statement["label"], one["name"]) in self.said:
                found.setdefault(self.said[statement["label"], one["name"]], []).append(one["name"])
        return found

    def has_own_constants(self, statement: Record) -> bool:
        """Whether a statement explains constants itself."""
        names = [one["name"] for one in statement["constants"]]
        return any((statement["label"], name) not in self.said for name in names)


def theorem_views(
    theorems: Sequence[Record], claims: Sequence[Record], paper: str
) -> list[TheoremView]:
    """The theorems of a paper in the order of their labels, with what the run says of them.

    Args:
        theorems: records of all theorems, in order.
        claims: records of the paper's claims.
        paper: its citation.

    Returns:
        A view for each theorem that a claim speaks of.

    Example:
        >>> claim = {"theorem": "F3", "verdict": "CONSISTENT", "kind": "upper_bound", "cases": [],
        ...          "detectable_factor": 9.0, "constants": {}, "title": "A rate"}
        >>> [(view.label, view.instances, view.title) for view in theorem_views([], [claim], "")]
        [('F3', 1, 'A rate')]
    """
    of_paper = [one for one in theorems if one["paper"] == paper]
    labels = dict.fromkeys(one["root"] for one in of_paper)
    labels |= dict.fromkeys(str(claim["theorem"]) for claim in claims if claim["theorem"])
    views = []
    for label in sorted(labels, key=_numbers_by_size):
        mine = [claim for claim in claims if str(claim["theorem"]) == label]
        if mine:
            statements = [one for one in of_paper if one["root"] == label]
            views.append(_view(label, statements, mine))
    return views


def _numbers_by_size(label: str) -> list[tuple[bool, int, str]]:
    """F2 before F10, and F3 before F3a."""
    parts = re.split(r"(\d+)", label)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _view(label: str, statements: list[Record], claims: list[Record]) -> TheoremView:
    sharp = [claim for claim in claims if claim["detectable_factor"] is not None]
    above = [claim for claim in sharp if claim["kind"] != "lower_bound"]
    below = [claim for claim in sharp if claim["kind"] == "lower_bound"]
    sharpest = min(above or sharp, key=lambda claim: claim["detectable_factor"], default=None)
    return TheoremView(
        label=label,
        statements=statements,
        claims=claims,
        verdict=min((claim["verdict"] for claim in claims), key=_WORST.index),
        sharpest=sharpest,
        below=min(below, key=lambda claim: claim["detectable_factor"], default=None),
        instances=sum(max(len(claim["cases"]), 1) for claim in claims),
        constants={} if sharpest is None else sharpest["constants"],
        said=_said_before(statements),
    )


def _said_before(statements: list[Record]) -> dict[tuple[str, str], str]:
    """What a part has in common with the theorem, or with a part before it."""
    first: dict[tuple[str, str], str] = {}
    said: dict[tuple[str, str], str] = {}
    for one in statements:
        told = {"proof": one["proof"], "assumptions": [each["text"] for each in one["assumptions"]]}
        if one["code"]:  # otherwise its constants are not listed
            told |= {each["name"]: (each["meaning"], each["weakens"]) for each in one["constants"]}
        for name, words in told.items():
            if not words:
                continue
            label = first.setdefault((name, str(words)), one["label"])
            if label != one["label"]:
                said[one["label"], name] = label
    return said
