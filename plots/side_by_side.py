# SPDX-License-Identifier: Apache-2.0
"""Several methods side by side: labelled curves, each with its band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS, column, log_scale, note, positive

__all__ = ["band", "side_by_side"]

# The first colours differ most to every eye: of the order's first 2, 3, 4, 5, 6 no two are nearer
# than 84, 33, 25, 12, 8 in CIELAB, with full protanopia, deuteranopia or tritanopia too. Dashes
# and markers, all different, help where colours do not.
LOOKS = (
    ("mean", "-", "o"),
    ("bound", "--", "s"),
    ("ink", ":", "^"),
    ("guide", "-.", "D"),
    ("lower_bound", "-", "v"),
    ("fit", "--", "X"),
)
_MOST_MARKERS = 14
_Array = npt.NDArray[np.float64]


def side_by_side(
    ax: Axes, curves: Sequence[Mapping[str, Any]], *, labels: Sequence[str] = ()
) -> Axes:
    r"""Labelled curves with bands on log-log axes, one look a method.

    A curve is the mean over the seeds with the band [lower, upper]. Its look (colour, dashes,
    marker) is that of its label's place in `labels`, so that a method looks the same in every
    drawing that is given the same `labels`; without them it is the curve's own place.

    A logarithmic axis shows positive numbers only. What is zero, negative, infinite or missing is
    left out and breaks its line; a band whose lower limit is not positive runs to the bottom of
    the axes. Axes with nothing left say so.

    Args:
        ax: where to draw.
        curves: one mapping a curve, with the keys "label", "x" and "mean" and, for a band, "lower"
            and "upper"; all but the label are arrays of shape (m,), None inside stands for
            missing, and m may differ between curves.
        labels: all labels of a set of drawings, at most 6.

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: there are more than 6 looks to tell apart, two curves have one label, a label
            is not among `labels`, an array is not one-dimensional, its length differs from that of
            x, or one limit is given without the other.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import side_by_side
        >>> ax = Figure().add_subplot()
        >>> sarah = {"label": "SARAH", "x": [1, 10], "mean": [1.0, 0.1]}
        >>> saga = {"label": "SAGA", "x": [1, 10], "mean": [1.0, 0.2]}
        >>> _ = side_by_side(ax, [saga, sarah], labels=["SARAH", "SAGA"])
        >>> [(line.get_label(), line.get_marker()) for line in ax.get_lines()]
        [('SAGA', 's'), ('SARAH', 'o')]
    """
    names = [str(curve["label"]) for curve in curves]
    order = list(labels) or names
    if len(order) > len(LOOKS):
        raise ValueError(
            f"{len(order)} curves cannot be told apart: at most {len(LOOKS)} have a look"
        )
    for name in names:
        if name not in order or names.count(name) > 1:
            problem = "is the label of two curves" if name in order else f"is not among {order}"
            raise ValueError(f"label {name!r} {problem}")

    drawn = []
    for name, curve in zip(names, curves, strict=True):
        x = positive(column(f"x of {name}", curve["x"]))
        drawn.append((x, positive(column(f"mean of {name}", curve["mean"], x))))
    if not any(np.any(~np.isnan(x) & ~np.isnan(mean)) for x, mean in drawn):
        note(ax, "no positive values to show")
        return ax

    for name, (x, mean) in zip(names, drawn, strict=True):
        colour, dashes, marker = LOOKS[order.index(name)]
        ax.plot(
            x,
            mean,
            color=COLOURS[colour],
            linestyle=dashes,
            marker=marker,
            markevery=math.ceil(len(x) / _MOST_MARKERS),
            label=name,
        )
    bands = []
    for name, curve, (x, _) in zip(names, curves, drawn, strict=True):
        lower, upper = curve.get("lower"), curve.get("upper")
        if (lower is None) != (upper is None):
            raise ValueError(f"the band of {name} needs both limits")
        if lower is not None and upper is not None:
            limits = column(f"lower of {name}", lower, x), column(f"upper of {name}", upper, x)
            bands.append((x, *limits, LOOKS[order.index(name)][0], None))
    return _fill(ax, bands)


def band(
    ax: Axes,
    x: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    *,
    colour: str = "mean",
    label: str | None = None,
) -> Axes:
    """A filled band between two curves on log-log axes, behind what is drawn already.

    Points where x or the upper limit is not positive, or a limit is missing, are left out. Where
    the lower limit is not positive the band runs down to half of the smallest height that is drawn
    so far, and the axes end there. Call it after the lines.

    Args:
        ax: where to draw.
        x: shape (m,), None inside stands for missing.
        lower: the lower edge, shape (m,).
        upper: the upper edge, shape (m,).
        colour: a name in the palette.
        label: the legend's name for the band; None for none.

    Returns:
        The same axes.

    Raises:
        ValueError: an array is not one-dimensional, its length differs from that of x, or there is
            no such colour.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import band
        >>> ax = band(Figure().add_subplot(), [1, 2], [0.1, 0.2], [0.3, 0.4])
        >>> float(ax.collections[0].get_paths()[0].vertices[:, 1].max())
        0.4
    """
    if colour not in COLOURS:
        raise ValueError(f"colour must be one of {', '.join(COLOURS)}, but is {colour!r}")
    points = positive(column("x", x))
    limits = column("lower", lower, points), column("upper", upper, points)
    return _fill(ax, [(points, *limits, colour, label)])


def _fill(ax: Axes, bands: Sequence[tuple[_Array, _Array, _Array, str, str | None]]) -> Axes:
    """Bands (x, lower, upper, colour, label); those that reach zero share the bottom."""
    lines = [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.get_lines()]
    heights = positive(
        np.concatenate([*lines, *(edge for _, *edges, _, _ in bands for edge in edges)])
    )
    floor = 0.5 * float(np.nanmin(heights)) if np.any(heights > 0.0) else 0.0
    reaches_zero = False
    for x, lower, upper, colour, label in bands:
        shown = ~np.isnan(x) & ~np.isnan(lower) & ~np.isnan(positive(upper))
        reaches_zero |= bool(np.any(lower[shown] <= 0.0))
        ax.fill_between(
            x,
            np.where(lower > 0.0, lower, floor),
            upper,
            where=list(shown),
            color=COLOURS[colour],
            alpha=0.2,
            linewidth=0.0,
            label=label,
        )
    if reaches_zero:
        ax.set_yscale("log")
        ax.set_ylim(bottom=floor)
    return log_scale(ax)
