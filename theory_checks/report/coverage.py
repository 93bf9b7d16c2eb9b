# SPDX-License-Identifier: Apache-2.0
"""Coverage for readers: the matrix of theorems and constants, and its worst cells in words."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ..records.coverage import FAIR, SHARP, Cell, Coverage, coverage_of, headline
from ..records.read import Record
from .rendering import format_number

__all__ = [
    "Matrix",
    "at_the_end",
    "headline_in_words",
    "in_words",
    "matrix",
    "of_claims",
    "shade",
]

_FEW = 6
"""Theorems that are told one by one at the end of a run."""


def shade(cell: Cell) -> str:
    """How sharp a cell is, as a class of the style sheet.

    Args:
        cell: of the matrix.

    Returns:
        "sharp" up to a factor of 2, "fair" up to 10, "blunt" above, "never".

    Example:
        >>> shade(Cell(1.5)), shade(Cell(30.0)), shade(Cell())
        ('sharp', 'blunt', 'never')
    """
    if not cell.caught:
        return "never"
    return "sharp" if cell.factor <= SHARP else "fair" if cell.factor <= FAIR else "blunt"


@dataclass(frozen=True)
class Matrix:
    """The theorems of a paper against the constants of all of them.

    Attributes:
        constants: the columns.
        rows: the theorems.
        worst: sentences on the cells that would have caught least.
    """

    constants: tuple[str, ...]
    rows: tuple[Coverage, ...]
    worst: tuple[str, ...]


def matrix(rows: Sequence[Coverage]) -> Matrix:
    """Puts the theorems of a paper into one table.

    Args:
        rows: theorems, in the order of their page.

    Returns:
        The table; the constants in the order in which the theorems name them.

    Example:
        >>> row = Coverage("P", "T", "T", "above", {"L": Cell()}, {"L": Cell(3.0, "p/part", "")})
        >>> matrix([row]).worst
        ('T, L: own runs never; p/part, on a part of its proof, would catch a factor of 3.',)
    """
    constants = tuple(dict.fromkeys(name for row in rows for name in row.own))
    return Matrix(constants, tuple(rows), tuple(_worst(rows)))


def _worst(rows: Sequence[Coverage]) -> Iterator[str]:
    for row in rows:
        if not row.is_root or row.refuted or row.absent:
            continue
        never = [name for name, own in row.own.items() if not own.caught]
        by_parts = [name for name in never if row.parts[name].caught]
        for name in by_parts:
            part = row.parts[name]
            yield (
                f"{row.label}, {name}: own runs never; {part.claim}, on a part of its proof, would "
                f"catch a factor of {format_number(part.factor)}."
            )
        for name in (one for one in never if one not in by_parts):
            reason = row.not_tested.get(name)
            yield (
                f"{row.label}, {name}: nothing would have noticed if it could be better by any "
                f"factor{f': {reason}' if reason else ''}."
            )


def in_words(row: Coverage) -> list[str]:
    r"""A theorem's coverage as lines for a terminal.

    Args:
        row: the theorem.

    Returns:
        A line for the theorem, one for each constant, and one for the misreadings.

    Example:
        >>> row = Coverage("P", "T", "T", "above", {"L": Cell(3.0, "p/t", "")}, {"L": Cell()},
        ...                {"L squared": "survived"})
        >>> print("\n".join(in_words(row)))
        T
          L            own 3, parts never
          misreadings  0 of 1 killed; survived: L squared
    """
    width = max([len(name) for name in row.own] + [len("misreadings")])
    lines = [row.label]
    for name, own in row.own.items():
        words = f"own {_factor(own)}, parts {_factor(row.parts[name])}"
        if name in row.untested:
            words += "  UNTESTED"
        elif name in row.not_tested:
            caught = own.caught or row.parts[name].caught
            words += f"  not tested{' sharply' if caught else ''}: {row.not_tested[name]}"
        lines.append(f"  {name:<{width}}  {words}")
    killed, told = row.count("killed", "killed by a part"), row.count("survived")
    if killed + told:
        words = f"{killed} of {killed + told} killed"
        by_parts = row.count("killed by a part")
        words += f" ({by_parts} by parts)" if by_parts else ""
        words += f"; survived: {'; '.join(row.survivors)}" if row.survivors else ""
        lines.append(f"  {'misreadings':<{width}}  {words}")
    return lines


def of_claims(run: Record, ids: Collection[str]) -> list[str]:
    """The coverage of the theorems that some claims speak of, as lines for a terminal.

    Args:
        run: what results.json holds.
        ids: of the claims.

    Returns:
        The lines; none where the run has nothing of them.

    Example:
        >>> of_claims({"theorems": [], "claims": []}, ["p/t"])
        []
    """
    rows = coverage_of(run["theorems"], run["claims"])
    return [line for row in rows if set(ids) & set(row.claims) for line in in_words(row)]


def at_the_end(run: Record) -> list[str]:
    """What a run has covered: of a few theorems each in its constants, of many the counts.

    Args:
        run: what results.json holds.

    Returns:
        Lines for a terminal.

    Example:
        >>> at_the_end({"theorems": [], "claims": []})
        []
    """
    rows = coverage_of(run["theorems"], run["claims"])
    lines = []
    if 0 < len(rows) <= _FEW:
        lines = ["coverage: by which factor each constant could be better before this run objects"]
        lines += [line for row in rows for line in in_words(row)]
    return [*lines, headline_in_words(rows)] if rows else []


def headline_in_words(rows: Sequence[Coverage]) -> str:
    """The counts of a run in a sentence.

    Args:
        rows: its theorems.

    Returns:
        The sentence.

    Example:
        >>> row = Coverage("P", "T", "T", "above", {"L": Cell(3.0, "p/t", "")}, {"L": Cell()})
        >>> print(headline_in_words([row]))
        coverage: of 1 constants own runs would catch a factor of 2 in 0, of 10 in 1, any in 1; \
with parts 0, 1, 1
    """
    counts = headline(rows)
    own, parts = (
        [counts[f"{word}{kind}"] for word in ("sharp", "fair", "caught")]
        for kind in ("", "_with_parts")
    )
    words = (
        f"coverage: of {counts['pairs']} constants own runs would catch a factor of {SHARP:g} in "
        f"{own[0]}, of {FAIR:g} in {own[1]}, any in {own[2]}; with parts {parts[0]}, {parts[1]}, "
        f"{parts[2]}"
    )
    if counts["misreadings"]:
        words += (
            f"; misreadings of the bounds killed: {counts['killed']} of {counts['misreadings']}, "
            f"with parts {counts['killed_with_parts']}"
        )
    return words


def _factor(cell: Cell) -> str:
    return "never" if math.isinf(cell.factor) else format_number(cell.factor)
