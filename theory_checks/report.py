"""The two readable forms of a results file: report.html for people, summary.md for repositories.

Both are functions of `results.json` alone, so that a report can be made again, anywhere, from the
numbers that were recorded. The prose is in `templates/`; this file reads, counts and draws.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.container import Container
from matplotlib.figure import Figure

from optzoo import plots

from .mathml import prose_to_html
from .results import CURVES, VERDICTS, Record, load_results

__all__ = ["write_report", "write_summary"]

_SHAPES = {":": "dotted", "--": "dashed", "-.": "dash-dotted", "None": "dots"}
_MOST_LOOKS = 6
_TEMPLATES = Path(__file__).parent / "templates"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_report(directory: Path, *, on_drawn: Callable[[str], None] = lambda name: None) -> Path:
    """Writes report.html, one page that needs nothing else, from the directory's results.json.

    Args:
        directory: where results.json lies and report.html goes (an old one is replaced).
        on_drawn: called with the id of each claim and each comparison whose figures are drawn.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: there is no results.json.
        ValueError: results.json is not complete strict JSON of schema 1, or a record in it
            contradicts itself (curves of different lengths, an unknown verdict, an id used twice).

    Example:
        >>> import json, pathlib, tempfile
        >>> from theory_checks.report import write_report
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
        >>> from theory_checks.report import write_summary
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
    sound_partner: Record | None
    killed: int


@dataclass(frozen=True)
class _PanelView:
    record: Record
    figure: Markup | None
    legend: list[dict[str, str]]
    tables: list[dict[str, Any]]


@dataclass(frozen=True)
class _SideBySide:
    """A comparison's record and its panels as the templates need them."""

    record: Record
    panels: list[_PanelView]


@dataclass
class _Paper:
    """What one paper's chapter shows."""

    name: str
    claims: list[_View]
    comparisons: list[_SideBySide]


def _write(directory: Path, name: str, on_drawn: Callable[[str], None]) -> Path:
    results = load_results(directory)
    claims: list[Record] = results["claims"]
    draw = name.endswith(".html")
    views = _views(claims, on_drawn, draw=draw)
    comparisons = []
    for number, one in enumerate(results["comparisons"]):
        comparisons.append(_side_by_side(one, f"s{number}", draw=draw))
        on_drawn(one["id"])
    text = (
        _environment()
        .get_template(name)
        .render(
            environment=results["environment"],
            seconds=results["summary"]["seconds"],
            counts=_counts(views),
            failures=_failures(views),
            undecided=[view for view in views if view.record["verdict"] == "INCONCLUSIVE"],
            papers=_grouped(views, comparisons),
            comparisons=comparisons,
            overview=_overview(claims) if draw else None,
            colours=plots.COLOURS,
            dark_colours=plots.DARK_COLOURS,
        )
    )
    path = Path(directory) / name
    path.write_text(text, encoding="utf-8")
    return path


def _views(claims: list[Record], on_drawn: Callable[[str], None], *, draw: bool) -> list[_View]:
    by_id = {claim["id"]: claim for claim in claims}
    canvas = Figure(figsize=(4.6, 2.9))
    views = []
    for number, claim in enumerate(claims):
        figure, legend = _figure(canvas, claim, f"c{number}") if draw else (None, [])
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
                sound_partner=partners[0] if partners and all(map(_is_sound, partners)) else None,
                killed=sum(control["killed"] is True for control in claim["controls"]),
            )
        )
    return views


def _pairs(claim: Record) -> list[tuple[float, float]]:
    """Measured value and bound at the checkpoints that have both."""
    columns = zip(claim["mean"] or (), claim["bound"] or (), strict=False)
    return [(m, b) for m, b in columns if m is not None and b is not None]


def _smallest_at(claim: Record) -> float | None:
    """Where the measured quantity is smallest."""
    columns = zip(claim["mean"] or (), claim["checkpoints"] or (), strict=False)
    measured = [(mean, x) for mean, x in columns if mean is not None]
    return min(measured)[1] if measured else None


def _side_by_side(comparison: Record, prefix: str, *, draw: bool) -> _SideBySide:
    panels = comparison["panels"]
    labels = list(dict.fromkeys(curve["label"] for p in panels for curve in p["curves"]))
    if len(labels) > _MOST_LOOKS:  # each panel then has looks of its own
        labels = []
    canvas = Figure(figsize=(4.6, 3.2))
    views = []
    for number, panel in enumerate(panels):
        figure, legend = None, []
        if draw and any(curve["x"] and curve["mean"] for curve in panel["curves"]):
            canvas.clear()
            with plots.style():
                ax = canvas.add_subplot()
                canvas.subplots_adjust(left=0.12, right=0.97, bottom=0.1, top=0.97)
                try:
                    plots.comparison(ax, panel["curves"], labels=labels)
                except (TypeError, ValueError) as error:
                    raise ValueError(
                        f"the curves of {comparison['id']} cannot be drawn: {error}"
                    ) from error
                legend = _legend(ax)
                title = f"{panel['title']}: {', '.join(entry['label'] for entry in legend)}"
                prefixed = f"{prefix}p{number}"
                figure = Markup(plots.inline_svg(canvas, prefix=prefixed, title=title))
        views.append(_PanelView(panel, figure, legend, _tables(panel)))
    return _SideBySide(comparison, views)


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
        "vacuous": sum(bool(view.record["vacuous"]) for view in views),
        "controls": sum(len(view.record["controls"]) for view in views),
        "killed": sum(view.killed for view in views),
    }


def _is_sound(partner: Record) -> bool:
    """It could have failed, and did not."""
    return partner.get("verdict") == "CONSISTENT" and not partner.get("vacuous")


def _failures(views: list[_View]) -> list[dict[str, Any]]:
    """What keeps the run from counting as verified, in the order of the claims."""
    failures: list[dict[str, Any]] = []
    for view in views:
        claim = view.record
        if claim["verdict"] == "REFUTED":
            failures.append({"id": claim["id"], "what": "refuted"})
        if claim["vacuous"] and view.sound_partner is None:
            failures.append({"id": claim["id"], "what": "vacuous", "partners": view.partners})
        failures.extend(
            {"id": claim["id"], "what": "control", "control": control}
            for control in claim["controls"]
            if control["killed"] is not True
        )
    return failures


def _grouped(views: list[_View], comparisons: list[_SideBySide]) -> list[_Paper]:
    """Papers in order of appearance; within a paper, the claims of one theorem side by side."""
    papers: dict[str, _Paper] = {}

    def paper(record: Record) -> _Paper:
        name = str(record["paper"] or record["id"].partition("/")[0])
        return papers.setdefault(name, _Paper(name, [], []))

    for view in views:
        paper(view.record).claims.append(view)
    for beside in comparisons:
        paper(beside.record).comparisons.append(beside)
    for one in papers.values():
        theorems = list(dict.fromkeys(view.record["theorem"] for view in one.claims))
        one.claims.sort(key=lambda view: theorems.index(view.record["theorem"]))
    return list(papers.values())


def _figure(
    canvas: Figure, claim: Record, prefix: str
) -> tuple[Markup | None, list[dict[str, str]]]:
    if not claim["checkpoints"] or not claim["mean"]:
        return None, []
    canvas.clear()
    with plots.style():
        ax = canvas.add_subplot()
        canvas.subplots_adjust(left=0.12, right=0.97, bottom=0.1, top=0.97)
        try:
            _draw(ax, claim)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the curves of {claim['id']} cannot be drawn: {error}") from error
        legend = _legend(ax)
        title = f"{claim['title'] or claim['id']}: {', '.join(entry['label'] for entry in legend)}"
        return Markup(plots.inline_svg(canvas, prefix=prefix, title=title)), legend


def _draw(ax: Axes, claim: Record) -> None:
    exponent = claim["exponent"]
    # Rates are stated as decay, k^-p; growth in a constant as theta^p.
    sign = 1.0 if claim["kind"] == "scaling" else -1.0
    stated, fitted = (
        None if exponent[key] is None else sign * exponent[key] for key in ("stated", "value")
    )
    band = claim["lower"], claim["upper"]
    if claim["lower"] is None or claim["upper"] is None:
        band = None, None
    if claim["kind"] in ("scaling", "rate"):
        # Where nothing positive was measured inside the window, the points outside still show.
        window = exponent["window"]
        inside = window is not None and any(
            value and window[0] <= x <= window[1]
            for x, value in zip(claim["checkpoints"], claim["mean"], strict=True)
        )
        plots.scaling(
            ax,
            claim["checkpoints"],
            claim["mean"],
            fitted=fitted,
            stated=stated,
            window=(window[0], window[1]) if inside else None,
        )
        if ax.get_lines() and None not in band:
            plots.band(ax, claim["checkpoints"], *band, label="confidence band")
        return
    if claim["kind"] in ("identity", "one_step"):
        plots.agreement(
            ax,
            claim["checkpoints"],
            claim["mean"],
            claim["bound"],
            exact_label="exact" if claim["kind"] == "identity" else "bound",
        )
        return
    plots.convergence(
        ax,
        claim["checkpoints"],
        claim["mean"],
        *band,
        claim["bound"],
        lower_bound=claim["lower_bound"],
        slope=stated,
        band_label="band of the runs" if claim["kind"] == "lower_bound" else "confidence band",
    )


def _legend(ax: Axes) -> list[dict[str, str]]:
    """What the axes show, for a legend outside the drawing that wraps on a narrow screen."""
    names = {value: name.replace("_", "-") for name, value in plots.COLOURS.items()}
    entries = []
    for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
        artist: Any = handle[0] if isinstance(handle, Container) else handle
        if isinstance(artist, Collection):
            face: Any = artist.get_facecolor()[0]
            colour, shape, marker = to_hex(face), "band", ""
        else:
            marker = str(artist.get_marker())
            colour = to_hex(artist.get_color())
            shape = _SHAPES.get(artist.get_linestyle(), "line")
            if shape == "dots" and artist.get_markerfacecolor() == "none":
                shape = "rings"
        entries.append({"label": label, "colour": names[colour], "shape": shape, "marker": marker})
    return entries


def _overview(claims: list[Record]) -> Markup | None:
    sampled = [claim for claim in claims if claim["tightness"] is not None]
    if not sampled:
        return None
    width, height = 7.2, 0.6 + 0.2 * len(sampled)
    names = 0.15 + 0.068 * max(len(claim["id"]) for claim in sampled)
    with plots.style():
        figure = Figure(figsize=(width, height))
        ax = figure.add_subplot()
        left = min(names / width, 0.6)
        figure.subplots_adjust(left=left, right=0.985, bottom=0.45 / height, top=1 - 0.05 / height)
        plots.tightness(ax, sampled)
        title = "Metric as a share of the bound, for every claim that was sampled"
        return Markup(plots.inline_svg(figure, prefix="overview", title=title))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=format_number,
        factor=_factor,
        prose=_prose,
        cell=_cell,
        anchor=_anchor,
        breakable=_breakable,
    )
    return environment


def _factor(value: float | None) -> str:
    text = format_number(value)
    return text if value is None or "×" in text else f"{text}×"


def _anchor(identifier: str) -> str:
    return quote(identifier, safe="/")


def _breakable(identifier: str) -> Markup:
    """An id that a narrow column may break after its slashes."""
    return escape(identifier).replace("/", Markup("/<wbr>"))


def format_number(value: Any, digits: int = 3) -> str:
    """A value as a reader wants it: three digits, powers of ten as 10⁻³, a dash for None."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(format_number(item, digits) for item in value) or "–"
    if isinstance(value, dict):
        pairs = (f"{key} = {format_number(item, digits)}" for key, item in value.items())
        return ", ".join(pairs) or "–"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    if not isinstance(value, float):
        return str(value)
    if value != 0.0 and not 1e-3 <= abs(value) < 10.0 ** max(digits, 4):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        text = f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    else:
        text = f"{value:.{digits}g}"
        if "e" in text:
            text = f"{value:.0f}"
    return text.replace("-", "−")


def _prose(value: Any) -> Markup:
    return prose_to_html(value if isinstance(value, str) and value else format_number(value))


def _cell(value: Any) -> str:
    """Text for one cell of a Markdown table: one line, no pipe, no HTML, formulas kept."""
    pieces = re.split(r"(\$\$?[^$]+\$\$?)", " ".join(format_number(value).split()))
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = piece.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        else:
            text = piece.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            pieces[index] = text.replace("\\", "\\\\").replace("|", r"\|").replace("`", r"\`")
    return "".join(pieces)
