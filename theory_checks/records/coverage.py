# SPDX-License-Identifier: Apache-2.0
"""What a run tested of each theorem: its own claims and those on its parts, put together."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell", "Coverage", "coverage_of", "headline", "untested"]

Record = dict[str, Any]

SHARP, FAIR = 2.0, 10.0
"""The factors that the headline counts by."""


@dataclass(frozen=True)
class Cell:
    """By which factor a constant could be wrong unnoticed.

    Attributes:
        factor: the least that a claim would have caught; infinite where none would at any.
        claim: the id of the claim that is sharpest; None where there is none.
        case: which of its instances.
    """

    factor: float = math.inf
    claim: str | None = None
    case: str | None = None

    @property
    def caught(self) -> bool:
        """Whether there is a factor at all."""
        return math.isfinite(self.factor)


@dataclass(frozen=True)
class Coverage:
    """One theorem of a run.

    Attributes:
        paper: its paper's citation.
        label: its own.
        root: the label of the theorem that it is a part of, or its own.
        side: of its bound.
        own: constant -> what the claims on the theorem itself would have caught.
        parts: constant -> what the claims on the parts of its proof would have.
        outcomes: misreading -> "killed", "killed by a part", "survived", "untestable" or "weaker".
        not_tested: constant -> the reason why no factor is caught, where a claim lists one.
        hardest: the id of the claim, and its instance, that comes closest to the bound.
        absent: ids of partners, and of other claims on the theorem and its parts, that are not in
            the run.
        claims: ids of the claims on the theorem itself.
        asked: whether a check of theirs asks the theorem for its bound, and so could be asked anew.
        refuted: whether one of them is refuted: then nothing is to be said of what it tested.
    """

    paper: str
    label: str
    root: str
    side: str | None
    own: Mapping[str, Cell]
    parts: Mapping[str, Cell]
    outcomes: Mapping[str, str] = field(default_factory=dict)
    not_tested: Mapping[str, str] = field(default_factory=dict)
    hardest: tuple[str, str] | None = None
    absent: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    asked: bool = True
    refuted: bool = False

    @property
    def is_root(self) -> bool:
        """Whether it is no part of another theorem."""
        return self.label == self.root

    @property
    def untested(self) -> tuple[str, ...]:
        """Constants that could be wrong by any factor, and for which no claim says why.

        A part of another theorem is asked for none: what it leaves open is open there. Nor is one
        that is refuted, which says enough, nor one of which some claims were not asked for.
        """
        if not self.is_root or self.refuted or self.absent:
            return ()
        return tuple(
            name
            for name, own in self.own.items()
            if not own.caught and not self.parts[name].caught and name not in self.not_tested
        )

    @property
    def survivors(self) -> tuple[str, ...]:
        """Misreadings that neither the theorem's own claims nor its parts' would notice."""
        return tuple(name for name, seen in self.outcomes.items() if seen == "survived")

    def count(self, *outcomes: str) -> int:
        """How many misreadings came out so."""
        return sum(seen in outcomes for seen in self.outcomes.values())


def coverage_of(theorems: Sequence[Record], claims: Sequence[Record]) -> list[Coverage]:
    """The coverage of each theorem that claims of the run speak of, in the order of the pages.

    A theorem's own claims are those on it; its parts' are those on theorems that are parts of it,
    and those that its own claims name as partners (`pairs_with`). They are never mixed: parts do
    not show that the parts compose.

    Args:
        theorems: their records.
        claims: their records.

    Returns:
        One for each theorem with constants or misreadings.

    Example:
        >>> theorem = {"paper": "P", "label": "T", "root": "T", "side": "above",
        ...            "constants": [{"name": "L", "weakens": "up", "read": True}]}
        >>> claim = {"id": "p/t", "paper": "P", "part": "T", "theorem": "T", "pairs_with": [],
        ...          "coverage": {"L": {"factor": 3.0, "case": ""}}, "structure": {}}
        >>> found = coverage_of([theorem], [claim])[0]
        >>> found.own["L"].factor, found.untested
        (3.0, ())
    """
    by_id = {claim["id"]: claim for claim in claims}
    found = [_coverage(theorem, claims, by_id) for theorem in theorems]
    return [one for one in found if one.claims and (one.own or one.outcomes)]


def _coverage(theorem: Record, claims: Sequence[Record], by_id: Mapping[str, Record]) -> Coverage:
    paper, label = theorem["paper"], theorem["label"]
    same = [claim for claim in claims if claim["paper"] == paper]
    own = [claim for claim in same if claim["part"] == label]
    partners = dict.fromkeys(name for claim in own for name in claim.get("pairs_with") or ())
    partners |= {one["id"]: None for one in same if one["theorem"] == label}
    mine = {claim["id"] for claim in own}
    parts = [by_id[name] for name in partners if name in by_id and name not in mine]
    names = [
        constant["name"]
        for constant in theorem["constants"] or ()
        if constant["weakens"] and theorem["side"] != "law" and _takes_part(constant, own)
    ]
    closest = max(own, key=_closeness, default=None)
    return Coverage(
        paper=paper,
        label=label,
        root=theorem["root"],
        side=theorem["side"],
        own={name: _sharpest(name, own) for name in names},
        parts={name: _sharpest(name, parts) for name in names},
        outcomes=_outcomes(own, parts),
        not_tested={
            name: why for claim in own for name, why in (claim.get("not_tested") or {}).items()
        },
        hardest=None if closest is None else (closest["id"], closest.get("case") or ""),
        absent=tuple(
            name
            for name in dict.fromkeys((*partners, *(theorem.get("claims") or ())))
            if name not in by_id
        ),
        claims=tuple(claim["id"] for claim in own),
        asked=any(claim.get("coverage") for claim in own),
        refuted=any(claim.get("verdict") == "REFUTED" for claim in own),
    )


def _takes_part(constant: Record, own: Sequence[Record]) -> bool:
    """Whether the bound reads the constant, or was seen to where its source is not known."""
    if constant.get("read") is not None or not any(claim.get("coverage") for claim in own):
        return constant.get("read") is not False
    moved = [(claim.get("coverage") or {}).get(constant["name"]) for claim in own]
    return any(one is not None and one["limit"] == "reached" for one in moved)


def _closeness(claim: Record) -> float:
    factor = claim.get("detectable_factor")
    return -math.inf if factor is None else -float(factor)


def _sharpest(name: str, claims: Sequence[Record]) -> Cell:
    cells = []
    for claim in claims:
        caught = (claim.get("coverage") or {}).get(name)
        if caught is not None and caught["factor"] is not None:
            cells.append(Cell(float(caught["factor"]), claim["id"], caught.get("case")))
    return min(cells, key=lambda cell: cell.factor, default=Cell())


def _outcomes(own: Sequence[Record], parts: Sequence[Record]) -> dict[str, str]:
    order = ("killed", "survived", "weaker", "untestable")
    found: dict[str, str] = {}
    for claim in own:
        for name, seen in (claim.get("structure") or {}).items():
            found[name] = min(seen, found.get(name, seen), key=order.index)
    by_parts = {
        name
        for claim in parts
        for name, seen in (claim.get("structure") or {}).items()
        if seen == "killed"
    }
    return {
        name: "killed by a part"
        if seen in ("survived", "untestable") and name in by_parts
        else seen
        for name, seen in found.items()
    }


def headline(rows: Sequence[Coverage]) -> dict[str, int]:
    """Counts over the theorems that are no parts: how much of them the run has tested.

    Args:
        rows: of the run.

    Returns:
        `pairs` of a theorem and a constant; how many of them are caught at a factor of at most 2
        (`sharp`), 10 (`fair`) or any (`caught`), by the theorem's own runs and with the parts
        (`..._with_parts`); `misreadings` that could be told, and how many were `killed`.

    Example:
        >>> headline([])["pairs"]
        0
    """
    rows = [row for row in rows if row.is_root]
    pairs = [(own.factor, row.parts[name].factor) for row in rows for name, own in row.own.items()]
    counts: Counter[str] = Counter(pairs=len(pairs))
    for own, part in pairs:
        for word, limit in (("sharp", SHARP), ("fair", FAIR), ("caught", 1e300)):
            counts[word] += own <= limit
            counts[f"{word}_with_parts"] += min(own, part) <= limit
    killed = sum(row.count("killed") for row in rows)
    with_parts = sum(row.count("killed by a part") for row in rows)
    counts["killed"] = killed
    counts["killed_with_parts"] = killed + with_parts
    counts["misreadings"] = killed + with_parts + sum(row.count("survived") for row in rows)
    counts["untestable"] = sum(row.count("untestable") for row in rows)
    return {
        name: counts[name]
        for name in (
            *("pairs", "sharp", "sharp_with_parts", "fair", "fair_with_parts", "caught"),
            *("caught_with_parts", "misreadings", "killed", "killed_with_parts", "untestable"),
        )
    }


def untested(rows: Sequence[Coverage]) -> Iterator[tuple[Coverage, tuple[str, ...]]]:
    """The theorems with constants that the run would have caught at no factor, without a reason.

    Those whose partners were not asked for are left out: they may have.

    Args:
        rows: of the run.

    Yields:
        The theorem and the names of the constants.
    """
    for row in rows:
        if row.untested:
            yield row, row.untested
