# SPDX-License-Identifier: Apache-2.0
"""The search for hard instances in the report: its path, and what it found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from optzoo import plots

from ..records.read import Record
from .figures import Easel
from .rendering import format_number

__all__ = ["SearchView", "search_view"]

_MOST_PATHS = 6


@dataclass(frozen=True)
class Drawn:
    """A drawing with its caption and its legend."""

    caption: str
    figure: Markup
    legend: list[dict[str, str]]


@dataclass(frozen=True)
class SearchView:
    """What the templates need to know of a search."""

    record: Record
    hardest: list[dict[str, Any]]
    path: Drawn | None
    pictures: list[Drawn]


def search_view(
    claim: Record, prefix: str, *, draw: bool, sheet: plots.Sheet | None = None
) -> SearchView | None:
    """The search that found a claim's instances; None where there was none.

    Args:
        claim: a complete record of `load_results`.
        prefix: of the ids in the drawings.
        draw: whether to draw.
        sheet: takes what the figures of a page share.
    """
    search = claim["search"]
    if search is None:
        return None
    hardest = [
        {
            "for": ", ".join(one["for"]),
            "family": one["family"],
            "parameters": {name: _short(value) for name, value in one["parameters"].items()},
            "scores": {name: format_number(value) for name, value in one["scores"].items()},
        }
        for one in search["hardest"]
    ]
    path = _path(search, f"{prefix}path", sheet) if draw else None
    pictures = []
    for number, (name, picture) in enumerate((claim["pictures"] or {}).items()):
        if picture is not None and draw:
            pictures.append(_picture(name, picture, f"{prefix}i{number}", sheet))
    return SearchView(search, hardest, path, pictures)


def _short(value: Any) -> str:
    return format_number(value, 4)


def _path(search: Record, prefix: str, sheet: plots.Sheet | None) -> Drawn | None:
    """The best so far for each objective, over the instances looked at."""
    paths: dict[str, tuple[list[float], list[float]]] = {}
    looked_at = 0
    for restart in search["restarts"]:
        looked_at += restart["evaluations"]
        for name, value in restart["reached"].items():
            x, y = paths.setdefault(name, ([], []))
            x.append(looked_at)
            y.append(value)
    if not paths:
        return None
    # Of objectives that rise together one is drawn, under the names of all.
    together: dict[tuple[float, ...], list[str]] = {}
    for name, (_, y) in paths.items():
        together.setdefault(tuple(round(value, 6) for value in y), []).append(name)
    shown = {", ".join(names): paths[names[0]] for names in list(together.values())[:_MOST_PATHS]}
    return _drawn(
        "best so far, over the instances looked at",
        prefix,
        lambda ax: plots.search_path(ax, shown),
        sheet,
    )


def _picture(name: str, picture: Record, prefix: str, sheet: plots.Sheet | None) -> Drawn:
    if picture["dimension"] == 1:

        def draw(ax: Axes) -> Axes:
            return plots.line_instance(ax, picture["x"], picture["curves"], picture["start"])

        return _drawn(f"hardest for {name}: the derivatives", prefix, draw, sheet)

    def draw_levels(ax: Axes) -> Axes:
        x = picture["x"]
        return plots.level_lines(ax, x, x, picture["values"], picture["start"], picture["least"])

    return _drawn(f"hardest for {name}: level lines of f", prefix, draw_levels, sheet)


def _drawn(
    caption: str, prefix: str, draw: Callable[[Axes], Axes], sheet: plots.Sheet | None
) -> Drawn:
    figure, legend = Easel(4.6, 2.9, sheet).drawing(draw, prefix, caption)
    return Drawn(caption, figure, legend)
