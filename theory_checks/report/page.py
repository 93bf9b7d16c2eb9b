# SPDX-License-Identifier: Apache-2.0
"""The two readable forms of a results file: report.html for people, summary.md for repositories.

Both are functions of `results.json` alone, so that a report can be made again, anywhere, from the
numbers that were recorded. The prose is in `templates/`; this file reads and counts, `figures`
draws.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from optzoo import plots

from ..records.coverage import Coverage, coverage_of, headline, untested
from ..records.read import CURVES, VERDICTS, Record, load_results
from .coverage import Matrix, matrix, shade
from .figures import Easel, overview, tightness
from .rendering import TEMPLATES, template_environment
from .search import SearchView, search_view
from .squeeze import squeezed
from .theorems import TheoremView, theorem_views

__all__ = ["write_report", "write_summary"]

T = TypeVar("T")

_MOST_LOOKS = 6
_LONGEST_NAME = 40
_OF_CASES = ("Verdict", "Vacuous", "Seeds")
_MOST_ROWS = 8
"""Of a table of numbers; a thousand rows are for programs to read, which have results.json."""


def write_report(directory: Path, *, on_drawn: Callable[[str], None] = lambda name: None) -> Path:
    """Writes report.html, one page that needs nothing else, from the directory's results.json.

    Args:
        directory: where results.json lies and report.html goes (an old one is replaced).
        on_drawn: called with the id of each claim and all side by side whose figures are drawn.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: there is no results.json.
        ValueError: results.json is not complete strict JSON of schema 1, or a record in it
            contradicts itself (curves of different lengths, an unknown verdict, an id used twice).

    Example:
        >>> import json, pathlib, tempfile
        >>> from theory_checks.report.page import write_report
        >>> folder = tempfile.TemporaryDirectory()
        >>> directory = pathlib.Path(folder.name)
        >>> results = {"schema": 1, "environment": {}, "claims": [], "summary": None}
        >>> _ = (directory / "results.json").write_text(json.dumps(results))
        >>> write_report(directory).name
        'report.html'
        >>> folder.cleanup()
    """
    return _write(directory, "report.html", on_drawn)


def write_summary(directory: Path) -> Path:
    """Writes summary.md, the table of verdicts in Markdown, from the directory's results.json.

    Args:
        directory: where results.json lies and summary.md goes (an old one is replaced).

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: there is no results.json.
        ValueError: as for `write_report`.

    Example:
        >>> import json, pathlib, tempfile
        >>> from theory_checks.report.page import write_summary
        >>> folder = tempfile.TemporaryDirectory()
        >>> directory = pathlib.Path(folder.name)
        >>> results = {"schema": 1, "environment": {}, "claims": [], "summary": None}
        >>> _ = (directory / "results.json").write_text(json.dumps(results))
        >>> write_summary(directory).read_text().splitlines()[0]
        '# Theory checks'
        >>> folder.cleanup()
    """
    return _write(directory, "summary.md", lambda name: None)


@dataclass(frozen=True)
class _View:
    """A record and what the templates need to know about it beyond the record itself."""

    record: Record
    figure: Markup | None
    legend: list[dict[str, str]]
    rows: list[dict[str, Any]]
    largest_difference: float | None
    largest_relative_difference: float | None
    largest_excess: float | None
    smallest_at: float | None
    partners: list[Record]
    killed: int
    search: SearchView | None
    has_limits: bool
    problems: list[str]
    in_common: dict[str, Any]
    quotes: str | None = None
    assumed_at: str | None = None


@dataclass(frozen=True)
class _PanelView:
    record: Record
    figure: Markup | None
    legend: list[dict[str, str]]
    tables: list[dict[str, Any]]


@dataclass(frozen=True)
class _SideBySide:
    """The record of methods side by side and its panels as the templates need them."""

    record: Record
    panels: list[_PanelView]


@dataclass
class _Paper:
    """What one paper's chapter shows."""

    name: str
    short: str
    claims: list[_View]
    side_by_side: list[_SideBySide]
    theorems: list[TheoremView] = field(default_factory=list)
    coverage: Matrix | None = None
    known: str | None = None

    @property
    def records(self) -> list[Record]:
        claims = [view.record for view in self.claims]
        return claims + [beside.record for beside in self.side_by_side]


def _write(directory: Path, name: str, on_drawn: Callable[[str], None]) -> Path:
    results = load_results(directory)
    claims: list[Record] = results["claims"]
    draw = name.endswith(".html")
    undrawn: list[str] = []
    sheet = plots.Sheet()
    views = _views(claims, on_drawn, undrawn, sheet, draw=draw)
    side_by_side = []
    for number, one in enumerate(results["comparisons"]):
        side_by_side.append(_side_by_side(one, f"s{number}", undrawn, sheet, draw=draw))
        on_drawn(one["id"])
    papers = _grouped(views, side_by_side)
    tested = coverage_of(results["theorems"], claims)
    for paper in papers:
        rows = [row for row in tested if row.paper == paper.name]
        paper.coverage = matrix(rows) if rows else None
        records = [view.record for view in paper.claims]
        paper.theorems = theorem_views(results["theorems"], records, paper.name)
        _refer(paper, results["theorems"])
        known = (one["known"] for one in results["theorems"] if one["paper"] == paper.name)
        paper.known = next(known, None)
    scripts = {part: _script(f"{part}.js") for part in ("theme", "filter")} if draw else {}
    text = (
        template_environment()
        .get_template(name)
        .render(
            environment=results["environment"],
            run=results["hash"],
            older=results["schema"] == 1,
            seconds=results["summary"]["seconds"],
            counts=_counts(views),
            failures=[*_failures(views), *_untested(tested)],
            tested=headline(tested) if tested else None,
            shade=shade,
            unevaluated=results["failures"],
            undrawn=undrawn,
            undecided=[view for view in views if view.record["verdict"] == "INCONCLUSIVE"],
            papers=papers,
            side_by_side=side_by_side,
            shorts={one["id"]: paper.short for paper in papers for one in paper.records},
            algorithms=Counter(sorted(str(claim["algorithm"] or "") for claim in claims)),
            overview=_drawn(_overview, papers, sheet, undrawn=undrawn) if draw and claims else None,
            tightness=_drawn(tightness, claims, sheet, undrawn=undrawn) if draw else None,
            sheet=sheet,
            most_rows=_MOST_ROWS,
            colours=plots.COLOURS,
            dark_colours=plots.DARK_COLOURS,
            scripts=scripts,
            allowed=" ".join(_digest(script) for script in scripts.values()),
        )
    )
    path = Path(directory) / name
    path.write_text(squeezed(text) if draw else text, encoding="utf-8")
    return path


def _drawn(draw: Callable[..., T], *arguments: Any, undrawn: list[str]) -> T | None:
    """A figure; None, and a sentence, if it cannot be drawn: that must not cost the page."""
    try:
        return draw(*arguments)
    except Exception as error:  # what goes wrong in a drawing has no common type
        undrawn.append(" ".join(str(error).split()) or type(error).__name__)
        return None


def _overview(papers: Sequence[_Paper], sheet: plots.Sheet) -> Markup:
    records = {paper.short: [view.record for view in paper.claims] for paper in papers}
    return overview(records, sheet)


def _script(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    """What a Content-Security-Policy calls the only scripts that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _views(
    claims: list[Record],
    on_drawn: Callable[[str], None],
    undrawn: list[str],
    sheet: plots.Sheet,
    *,
    draw: bool,
) -> list[_View]:
    by_id = {claim["id"]: claim for claim in claims}
    easel = Easel(4.6, 2.9, sheet)
    views = []
    for number, claim in enumerate(claims):
        drawing = _drawn(easel.claim, claim, f"c{number}", undrawn=undrawn) if draw else None
        figure, legend = drawing or (None, [])
        on_drawn(claim["id"])
        pairs = _pairs(claim)
        partners = [
            by_id.get(name, {"id": name, "verdict": None, "vacuous": None, "absent": True})
            for name in claim["pairs_with"]
        ]
        views.append(
            _View(
                record=claim,
                figure=figure,
                legend=legend,
                rows=_rows(claim),
                largest_difference=max((abs(m - b) for m, b in pairs), default=None),
                largest_relative_difference=max(
                    (abs(m - b) / abs(b) for m, b in pairs if b != 0.0), default=None
                ),
                largest_excess=max((m - b for m, b in pairs), default=None),
                smallest_at=_smallest_at(claim),
                partners=partners,
                killed=sum(control["killed"] is True for control in claim["controls"]),
                search=_drawn(
                    partial(search_view, draw=draw, sheet=sheet),
                    claim,
                    f"f{number}",
                    undrawn=undrawn,
                ),
                has_limits=bool(claim["lower"] or claim["upper"]),
                in_common=_in_common(claim["cases"]),
                problems=_repeated([str(case["problem"] or "") for case in claim["cases"]]),
            )
        )
    return views


def _in_common(cases: Sequence[Record]) -> dict[str, Any]:
    """What need not stand in a table of cases, since it is the same for all of them."""
    columns = {name: [case[name.lower()] for case in cases] for name in _OF_CASES}
    return {
        name: column[0]
        for name, column in columns.items()
        if len(column) > 1 and all(value == column[0] for value in column)
    }


def _repeated(problems: list[str]) -> list[str]:
    """The problems of the cases for a list of their own, where cases share them."""
    each = list(dict.fromkeys(problems))
    return each if len(each) < len(problems) and all(each) else []


def _pairs(claim: Record) -> list[tuple[float, float]]:
    """Measured value and bound at the checkpoints that have both."""
    columns = zip(claim["mean"] or (), claim["bound"] or (), strict=False)
    return [(m, b) for m, b in columns if m is not None and b is not None]


def _smallest_at(claim: Record) -> float | None:
    """Where the measured quantity is smallest."""
    columns = zip(claim["mean"] or (), claim["checkpoints"] or (), strict=False)
    measured = [(mean, x) for mean, x in columns if mean is not None]
    return min(measured)[1] if measured else None


def _side_by_side(
    record: Record, prefix: str, undrawn: list[str], sheet: plots.Sheet, *, draw: bool
) -> _SideBySide:
    panels = record["panels"]
    labels = list(dict.fromkeys(curve["label"] for p in panels for curve in p["curves"]))
    if len(labels) > _MOST_LOOKS:  # each panel then has looks of its own
        labels = []
    easel = Easel(4.6, 3.2, sheet)
    views = []
    for number, panel in enumerate(panels):
        place = f"{prefix}p{number}"
        drawing = (
            _drawn(easel.panel, record, panel, place, labels, undrawn=undrawn) if draw else None
        )
        figure, legend = drawing or (None, [])
        views.append(_PanelView(panel, figure, legend, _tables(panel)))
    return _SideBySide(record, views)


def _tables(panel: Record) -> list[dict[str, Any]]:
    """The numbers of a panel: one table for all curves that share their x, or one for each."""
    curves = panel["curves"]
    shared = all(curve["x"] == curves[0]["x"] for curve in curves)
    return [_table(group) for group in ([curves] if shared and curves else [[c] for c in curves])]


def _table(curves: list[Record]) -> dict[str, Any]:
    x = curves[0]["x"] or ()
    cells = [
        [
            tuple((curve[name] or [None] * len(x))[index] for name in ("mean", "lower", "upper"))
            for curve in curves
        ]
        for index in range(len(x))
    ]
    return {
        "labels": [curve["label"] for curve in curves],
        "rows": [{"x": at, "cells": row} for at, row in zip(x, cells, strict=True)],
    }


def _rows(claim: Record) -> list[dict[str, Any]]:
    """The curves as a table, one row a checkpoint."""
    points = claim["checkpoints"] or ()
    columns = {name: claim[name] or [None] * len(points) for name in CURVES}
    rows = [
        {"k": k, **{name: columns[name][index] for name in CURVES}}
        for index, k in enumerate(points)
    ]
    for row in rows:
        divisible = row["mean"] is not None and row["bound"]
        row["ratio"] = row["mean"] / row["bound"] if divisible else None
    return rows


def _counts(views: list[_View]) -> dict[str, int]:
    verdicts = Counter(view.record["verdict"] for view in views)
    return {
        "claims": len(views),
        **{verdict.lower(): verdicts[verdict] for verdict in VERDICTS},
        "open": verdicts[None],
        "consistent_vacuous": sum(
            bool(view.record["vacuous"]) and view.record["verdict"] == "CONSISTENT"
            for view in views
        ),
        "controls": sum(len(view.record["controls"]) for view in views),
        "killed": sum(view.killed for view in views),
    }


def _failures(views: list[_View]) -> list[dict[str, Any]]:
    """What keeps the run from counting as verified, in the order of the claims."""
    failures: list[dict[str, Any]] = []
    for view in views:
        claim = view.record
        if claim["verdict"] == "REFUTED":
            failures.append({"id": claim["id"], "what": "refuted"})
        failures.extend(
            {"id": claim["id"], "what": "control", "control": control}
            for control in claim["controls"]
            if control["killed"] is not True
        )
    return failures


def _untested(rows: Sequence[Coverage]) -> list[dict[str, Any]]:
    """Theorems with constants that could be wrong by any factor unnoticed."""
    return [
        {
            "id": row.claims[0],
            "what": "untested",
            "theorem": row.label,
            "constants": names,
            "asked": row.asked,
        }
        for row, names in untested(rows)
    ]


def _refer(paper: _Paper, theorems: Sequence[Record]) -> None:
    """Where a claim repeats what the page of its theorem says, names the place instead."""
    stated = {one["label"]: one for one in theorems if one["paper"] == paper.name}
    for number, view in enumerate(paper.claims):
        claim = view.record
        label = str(claim["part"] or claim["theorem"])
        if label in stated:
            place = f"{paper.short}/theorem/{label}"
            assumed = [one["text"] for one in stated[label]["assumptions"]]
            paper.claims[number] = replace(
                view,
                quotes=place if stated[label]["statement"] == claim["statement"] else None,
                assumed_at=place if assumed and assumed == claim["assumptions"] else None,
            )


def _grouped(views: list[_View], side_by_side: list[_SideBySide]) -> list[_Paper]:
    """Papers in order of appearance; within a paper, the claims of one theorem side by side."""
    papers: dict[str, _Paper] = {}

    def paper(record: Record) -> _Paper:
        name = str(record["paper"] or record["id"].partition("/")[0])
        return papers.setdefault(name, _Paper(name, "", [], []))

    for view in views:
        paper(view.record).claims.append(view)
    for beside in side_by_side:
        paper(beside.record).side_by_side.append(beside)
    for one in papers.values():
        theorems = list(dict.fromkeys(view.record["theorem"] for view in one.claims))
        one.claims.sort(key=lambda view: theorems.index(view.record["theorem"]))
    _name_shortly(list(papers.values()))
    return list(papers.values())


def _name_shortly(papers: Sequence[_Paper]) -> None:
    """Names a paper by the path that its ids share, which is how the command line names it too."""
    taken: set[str] = set()
    for paper in papers:
        folders = [record["id"].split("/")[:-1] for record in paper.records]
        short = "/".join(_shared(folders)) or paper.name[:_LONGEST_NAME]
        paper.short = short if short not in taken else paper.name
        taken.add(paper.short)


def _shared(folders: Sequence[Sequence[str]]) -> list[str]:
    """The components that all paths begin with."""
    alike = (set(level) for level in zip(*folders, strict=False))
    return [level.pop() for level in takewhile(lambda level: len(level) == 1, alike)]
