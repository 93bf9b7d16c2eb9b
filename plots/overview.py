# SPDX-License-Identifier: Apache-2.0
"""Every claim of a run at a glance: its verdict, how tight it is and what it would have caught."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .style import COLOURS, note, style, tick_text
from .tightness import claim_link, ratios

__all__ = ["overview"]

# Verdicts differ in shape as well as in colour.
_MARKERS = {"CONSISTENT": "o", "REFUTED": "X", "INCONCLUSIVE": "D"}
_NO_VERDICT = "s"
_LOWEST = 1e-6  # what lies below is an arrow at the edge, so that one claim cannot flatten all
_NEUTRAL = 1.0

# Inches.
_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN = 0.62, 0.08, 0.3, 0.4, 0.3
_HEIGHT = 1.3
_WIDEST_COLUMN = 0.3
_LETTER, _SMALL_LETTER = 0.085, 0.068

_LANE = 0.17  # the share of a panel's height that the claims without a ratio have


def overview(
    figure: Figure, papers: Mapping[str, Sequence[Mapping[str, Any]]], *, width: float = 11.0
) -> Figure:
    r"""One column a claim, one panel a paper: all verdicts, tightnesses and detectable factors.

    The height of a mark is the claim's tightness: metric / bound on a logarithmic axis, at the
    checkpoint where the metric comes closest. The grey bar hangs from the bound, at 1, down to
    1 / (detectable factor): a bound moved to anywhere inside it would not have been refuted by the
    same runs, so that a short bar is a sharp check. For a bound from below (kind "lower_bound")
    bar and mark stand above 1. The mark's shape and colour are the verdict; it is hollow where the
    claim is vacuous. Claims that have no bound to be a share of (identities, exponents) stand in a
    lane below. Each column links to `#` and the claim's id,
    percent-encoded.

    Args:
        figure: where to draw; it is cleared and its size is set.
        papers: for each panel its title and its result records, in the order of the columns. Read
            are "id", "theorem", "kind", "verdict", "vacuous", "tightness" and "detectable_factor";
            claims of one theorem that follow each other share a label.
        width: of the figure, in inches; panels flow into as many rows as they need.

    Returns:
        The same figure.

    Raises:
        ValueError: a record has a tightness or a detectable factor that is negative or not finite,
            or the width is not a positive number of inches that a column fits in.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import overview
        >>> record = {"id": "soap/descent", "tightness": 0.5, "detectable_factor": 1.6}
        >>> figure = overview(Figure(), {"soap": [record]})
        >>> [ax.get_title(loc="left") for ax in figure.axes]
        ['soap']
    """
    usable = width - _LEFT - _RIGHT
    if not (math.isfinite(width) and usable > 1.0):
        raise ValueError(f"width must be more than {_LEFT + _RIGHT + 1.0} inches, but is {width}")
    figure.clear()
    shown = {title: list(claims) for title, claims in papers.items() if claims}
    with style():
        if not shown:
            figure.set_size_inches(width, 1.0)
            note(figure.add_subplot(), "no claim was checked")
            return figure
        column = min(_WIDEST_COLUMN, usable / max(len(claims) for claims in shown.values()))
        sizes = {
            title: max(len(claims) * column, len(title) * _LETTER)
            for title, claims in shown.items()
        }
        rows = _flow(sizes, usable)
        height = len(rows) * (_TOP + _HEIGHT + _BOTTOM)
        figure.set_size_inches(width, height)
        limits = _limits([claim for claims in shown.values() for claim in claims])
        top = height
        for row in rows:
            left = _LEFT
            for title in row:
                size = min(sizes[title], usable)
                bottom = top - _TOP - _HEIGHT
                ax = figure.add_axes(
                    (left / width, bottom / height, size / width, _HEIGHT / height)
                )
                _panel(ax, title, shown[title], size / column, column, limits)
                ax.tick_params(labelleft=title == row[0])
                left += size + _BETWEEN
            top -= _TOP + _HEIGHT + _BOTTOM
    return figure


def _flow(sizes: Mapping[str, float], usable: float) -> list[list[str]]:
    """Titles into rows, as words into lines."""
    rows: list[list[str]] = [[]]
    filled = 0.0
    for title, size in sizes.items():
        if rows[-1] and filled + size > usable:
            rows.append([])
            filled = 0.0
        rows[-1].append(title)
        filled += size + _BETWEEN
    return rows


def _limits(claims: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    """Bottom of the axes, bottom of what has a ratio, top: the same in every panel."""
    values = [value for claim in claims for value in ratios(claim) if value]
    floor = min(0.5, max(_LOWEST, min(values, default=1.0) / 2.0))
    top = max(2.0, max(values, default=1.0) * 2.0)
    return top * (floor / top) ** (1.0 / (1.0 - _LANE)), floor, top


def _panel(
    ax: Axes,
    title: str,
    claims: Sequence[Mapping[str, Any]],
    columns: float,
    column: float,
    limits: tuple[float, float, float],
) -> None:
    bottom, floor, top = limits
    lane = math.sqrt(bottom * floor)
    ax.set_yscale("log")
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(bottom, top)
    # One point a column would touch its neighbours where there are many.
    size = min(5.5, 0.62 * 72.0 * column)
    for x, claim in enumerate(claims):
        tightness, edge = ratios(claim)
        verdict = str(claim.get("verdict") or "")
        colour = COLOURS.get(verdict.lower(), COLOURS["guide"])
        hollow = bool(claim.get("vacuous"))
        link = claim_link(claim)
        # The artists of one claim have one height and follow each other: they become one link.
        whole = Rectangle((x - 0.5, bottom), 1.0, top - bottom, alpha=0.0, url=link, zorder=2.5)
        ax.add_patch(whole)
        if edge:
            end = max(edge, floor)
            low, high = min(end, _NEUTRAL), max(end, _NEUTRAL)
            bar = Rectangle((x - 0.3, low), 0.6, high - low, url=link, zorder=2.5)
            bar.set(facecolor=COLOURS["guide"], alpha=0.4, linewidth=0.0)
            ax.add_patch(bar)
        marker = _MARKERS.get(verdict, _NO_VERDICT)
        height = lane if tightness is None else tightness
        if height < bottom or (tightness is not None and height < floor):
            height, marker = floor, "v"
        ax.plot(
            [x],
            [height],
            color=colour,
            marker=marker,
            markersize=size,
            markerfacecolor=COLOURS["paper"] if hollow else colour,
            markeredgewidth=1.1,
            linestyle="none",
            url=link,
            zorder=2.5,
        )
    ax.axhline(_NEUTRAL, color=COLOURS["bound"], linewidth=1.0, zorder=2.0)
    ax.axhline(floor, color=COLOURS["guide"], linewidth=0.5, zorder=2.0)
    _theorems(ax, claims, column)
    ax.grid(False, axis="x")
    decades = range(math.ceil(math.log10(floor)), math.floor(math.log10(top)) + 1)
    step = 1 + len(decades) // 7
    powers = [10.0**n for n in decades if n % step == 0]
    ax.set_yticks([lane, *powers], ["no ratio", *map(tick_text, powers)])
    ax.minorticks_off()
    ax.tick_params(axis="y", length=0)
    # A name is a name: dollar signs in it begin no formula.
    ax.set_title(title, loc="left", fontweight="bold", fontsize=9.0, pad=4.0, parse_math=False)


def _theorems(ax: Axes, claims: Sequence[Mapping[str, Any]], column: float) -> None:
    """A rule between theorems and their names below, in the first of two lines that is free."""
    free = [-math.inf, -math.inf]
    start = 0
    for theorem, group in groupby(claims, key=lambda claim: str(claim.get("theorem") or "")):
        if start:
            ax.axvline(start - 0.5, color=COLOURS["grid"], linewidth=0.6, zorder=1.0)
        for line, end in enumerate(free):
            if start >= end:
                ax.annotate(
                    theorem,
                    (start - 0.4, 0.0),
                    xycoords=ax.get_xaxis_transform(),
                    xytext=(0.0, -9.5 - 9.0 * line),
                    textcoords="offset points",
                    fontsize=7.0,
                    annotation_clip=False,
                    parse_math=False,
                )
                free[line] = start + (len(theorem) + 0.7) * _SMALL_LETTER / column
                break
        start += len(list(group))
    ax.set_xticks([])
