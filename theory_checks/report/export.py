# SPDX-License-Identifier: Apache-2.0
"""The figures of a run as files for a paper, and their data."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from optzoo import plots

from ..records.read import CURVES, Record
from .figures import draw_claim

__all__ = ["FORMATS", "Exported", "exports"]

FORMATS = ("pdf", "svg", "csv")
_SIZE = (4.6, 3.2)
# Equal files of equal runs; letters that journals take.
_DATELESS = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
_SETTINGS: Any = {"pdf.fonttype": 42}


@dataclass(frozen=True)
class Exported:
    """A figure that can be written.

    Attributes:
        name: of its file, without the ending.
        draw: on empty axes.
        x_label: of its axis.
        y_label: of its axis.
        rows: its data as a table, the names of the columns first.
    """

    name: str
    draw: Callable[[Axes], object]
    x_label: str
    y_label: str
    rows: Sequence[Sequence[Any]]

    def write(self, path: Path) -> None:
        """Writes the figure, or its data, in the format of the path's ending.

        Args:
            path: of the file; an old one is replaced.
        """
        kind = path.suffix[1:]
        if kind == "csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(self.rows)
            return
        with plots.style(), matplotlib.rc_context(_SETTINGS):
            figure = Figure(figsize=_SIZE)
            ax = figure.add_subplot()
            self.draw(ax)
            ax.set_xlabel(_label(self.x_label))
            ax.set_ylabel(_label(self.y_label))
            if ax.get_legend_handles_labels()[0]:
                ax.legend()
            figure.savefig(path, format=kind, bbox_inches="tight", metadata=_DATELESS[kind])


def exports(record: Record) -> Iterator[Exported]:
    """What can be written of a claim, or of methods side by side: a figure a panel.

    Args:
        record: a complete record of `load_results`.

    Returns:
        Its figures; none where no curve was recorded.

    Example:
        >>> from theory_checks.report.export import exports
        >>> panel = {"title": "", "x_label": "k", "y_label": "f", "curves": []}
        >>> list(exports({"id": "paper/beside", "panels": [panel]}))
        []
    """
    name = record["id"].replace("/", "-")
    if "panels" not in record:
        if record["checkpoints"] and record["mean"]:
            known = [column for column in CURVES if record[column]]
            x_label = str(record["x_label"] or record["exponent"]["x"] or record["unit"] or "")
            y_label = str(record["y_label"] or record["metric"] or "")
            columns = (record["checkpoints"], *(record[column] for column in known))
            rows = [("x", *known), *zip(*columns, strict=True)]
            yield Exported(name, partial(draw_claim, claim=record), x_label, y_label, rows)
        return
    for number, panel in enumerate(record["panels"], 1):
        curves = [curve for curve in panel["curves"] if curve["x"] and curve["mean"]]
        if not curves:
            continue
        rows = [("label", "x", "mean", "lower", "upper")]
        for curve in curves:
            blank = [None] * len(curve["x"])
            columns = (curve["x"], *(curve[one] or blank for one in ("mean", "lower", "upper")))
            rows += [(curve["label"], *values) for values in zip(*columns, strict=True)]
        labels = (str(panel["x_label"] or ""), str(panel["y_label"] or ""))
        yield Exported(
            f"{name}-{number}", partial(plots.side_by_side, curves=curves), *labels, rows
        )


def _label(text: str) -> str:
    """The text, its formulas as they stand where Matplotlib cannot set them."""
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return text.replace("$", r"\$")
    return text
