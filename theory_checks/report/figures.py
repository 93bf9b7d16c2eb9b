# SPDX-License-Identifier: Apache-2.0
"""The figures of report.html: inline drawings from result records, with their legends."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from optzoo import plots

from ..records.read import Record
from .rendering import anchor, format_number

__all__ = ["Easel", "draw_claim", "overview", "tightness"]

_SHAPES = {":": "dotted", "--": "dashed", "-.": "dash-dotted", "None": "dots"}
Drawing = tuple[Markup, list[dict[str, str]]]


class Easel:
    """Draws the figures of one size, one after another, in the same axes.

    Making axes and their ticks is most of what a small figure costs.

    Args:
        width: of a figure, in inches.
        height: of a figure, in inches.
        sheet: takes what the figures of a page share.
    """

    def __init__(self, width: float, height: float, sheet: plots.Sheet | None = None) -> None:
        self._sheet = sheet
        self._figure = Figure(figsize=(width, height))
        self._axes: Axes | None = None

    def claim(self, claim: Record, prefix: str) -> Drawing | None:
        """The figure of a claim and its legend; None where no curve was recorded.

        Args:
            claim: a complete record of `load_results`.
            prefix: of the ids in the figure.

        Raises:
            ValueError: its curves cannot be drawn.
        """
        if not claim["checkpoints"] or not claim["mean"]:
            return None
        with plots.style():
            ax = self._blank()
            try:
                draw_claim(ax, claim)
            except (TypeError, ValueError) as error:
                raise ValueError(f"the curves of {claim['id']} cannot be drawn: {error}") from error
            return self._finished(ax, prefix, claim["title"] or claim["id"])

    def panel(
        self, beside: Record, panel: Record, prefix: str, labels: Sequence[str]
    ) -> Drawing | None:
        """A panel of methods side by side and its legend; None where no curve was recorded.

        Args:
            beside: whose panel it is.
            panel: one of its panels.
            prefix: of the ids in the figure.
            labels: all that share their looks with this panel's curves.

        Raises:
            ValueError: its curves cannot be drawn.
        """
        if not any(curve["x"] and curve["mean"] for curve in panel["curves"]):
            return None
        with plots.style():
            ax = self._blank()
            try:
                plots.side_by_side(ax, panel["curves"], labels=labels)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"the curves of {beside['id']} cannot be drawn: {error}"
                ) from error
            return self._finished(ax, prefix, panel["title"])

    def drawing(self, draw: Callable[[Axes], Axes], prefix: str, title: str) -> Drawing:
        """Any other figure and its legend.

        Args:
            draw: on the axes that it is given.
            prefix: of the ids in the figure.
            title: of the figure.
        """
        with plots.style():
            ax = self._blank()
            draw(ax)
            return self._finished(ax, prefix, title)

    def _blank(self) -> Axes:
        ax = self._axes
        if ax is None or ax.texts:  # a sentence in place of curves took the ticks and the grid away
            self._figure.clear()
            self._axes = ax = self._figure.add_subplot()
            self._figure.subplots_adjust(left=0.12, right=0.97, bottom=0.1, top=0.97)
            for axis in (ax.xaxis, ax.yaxis):  # its label is in the page: no place to look for
                axis.set_label_coords(0.5, 0.5)
            return ax
        for artist in (*ax.lines, *ax.collections, *ax.patches):
            artist.remove()
        ax.containers.clear()
        ax.set_prop_cycle(None)
        ax.set_xscale("linear")
        ax.set_yscale("linear")
        ax.dataLim.set(Bbox.null())
        ax.ignore_existing_data_limits = True
        ax.autoscale(True)
        return ax

    def _finished(self, ax: Axes, prefix: str, title: str) -> Drawing:
        legend = _legend(ax)
        named = f"{title}: {', '.join(entry['label'] for entry in legend)}"
        drawn = plots.inline_svg(self._figure, prefix=prefix, title=named, sheet=self._sheet)
        return Markup(drawn), legend


def draw_claim(ax: Axes, claim: Record) -> None:
    """The curves of a claim, as its kind wants them.

    Args:
        ax: empty axes.
        claim: a complete record of `load_results` with checkpoints and a mean.
    """
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
        mean_label="computed exactly" if claim["seeds"] is None else "mean over seeds",
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


def overview(papers: Mapping[str, Sequence[Record]], sheet: plots.Sheet | None = None) -> Markup:
    """All claims at a glance, each a link to its own section.

    Args:
        papers: for each short name of a paper its claims, in the order of the page.
        sheet: takes what the figures of a page share.
    """
    figure = plots.overview(
        Figure(), {name: [_drawable(claim) for claim in paper] for name, paper in papers.items()}
    )
    claims = [claim for paper in papers.values() for claim in paper]
    title = "Verdict, tightness and detectable factor of every claim"
    links = _link_names(claims)
    return Markup(
        plots.inline_svg(figure, prefix="overview", title=title, links=links, sheet=sheet)
    )


def tightness(claims: Sequence[Record], sheet: plots.Sheet | None = None) -> Markup | None:
    """One row a claim that has a share of its bound; None where there is none.

    Args:
        claims: in the order of the rows.
        sheet: takes what the figures of a page share.
    """
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
        plots.tightness(ax, [_drawable(claim) for claim in sampled])
        title = "Metric as a share of the bound, for every claim that has one"
        links = _link_names(sampled)
        return Markup(
            plots.inline_svg(figure, prefix="tightness", title=title, links=links, sheet=sheet)
        )


def _drawable(claim: Record) -> Record:
    """The record with what lies below 0 at 0, the end of a logarithmic axis."""
    names = ("tightness", "tightness_lower", "tightness_upper", "detectable_factor")
    return claim | {name: max(claim[name], 0.0) for name in names if claim[name] is not None}


def _link_names(claims: Sequence[Record]) -> dict[str, str]:
    names = {}
    for claim in claims:
        parts = [claim["id"], claim["verdict"] or "no verdict"]
        if claim["vacuous"]:
            parts.append("vacuous")
        if claim["tightness"] is not None:
            parts.append(f"tightness {format_number(claim['tightness'])}")
        if claim["detectable_factor"] is not None:
            parts.append(f"would catch {format_number(claim['detectable_factor'])} times")
        names["#" + anchor(claim["id"])] = ", ".join(parts)
    return names
