# SPDX-License-Identifier: Apache-2.0
"""A search for hard instances: how far it came, and the instance that it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS

__all__ = ["level_lines", "line_instance", "search_path"]

_LINES = (
    ("mean", "-"),
    ("bound", "--"),
    ("ink", ":"),
    ("lower_bound", "-."),
    ("fit", "-"),
    ("guide", "--"),
)


def search_path(ax: Axes, paths: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]) -> Axes:
    """The best found so far for each objective, over the instances looked at; 1 is a violation.

    Args:
        ax: where to draw.
        paths: label of an objective -> (instances looked at, the best so far), each of shape (m,),
            with infinities where nothing was found; at most 6.

    Returns:
        The same axes, with linear scales; labels for the two axes are the caller's.

    Raises:
        ValueError: there are more than 6 objectives.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import search_path
        >>> ax = search_path(Figure().add_subplot(), {"ratio": ([20, 40], [0.2, 0.7])})
        >>> [line.get_label() for line in ax.get_lines()]
        ['ratio', 'violated above']
    """
    if len(paths) > len(_LINES):
        raise ValueError(f"at most {len(_LINES)} objectives can be told apart, got {len(paths)}")
    most = 1.0
    for (label, (x, best)), (colour, dashes) in zip(paths.items(), _LINES, strict=False):
        heights = np.asarray(best, dtype=np.float64)
        heights = np.where(np.isfinite(heights), heights, np.nan)
        if np.any(np.isfinite(heights)):
            most = max(most, float(np.nanmax(heights)))
        ax.step(
            np.asarray(x, dtype=np.float64),
            heights,
            where="post",
            marker=".",  # a search may have come to one point alone
            color=COLOURS[colour],
            linestyle=dashes,
            label=label,
        )
    ax.axhline(1.0, color=COLOURS["refuted"], linewidth=0.9, label="violated above")
    ax.set_ylim(0.0, min(1.08 * most, 3.0))
    return ax


def line_instance(
    ax: Axes, x: npt.ArrayLike, curves: Mapping[str, npt.ArrayLike], start: float
) -> Axes:
    """An instance on the line: the derivative of f, those of its samples, and the start.

    Args:
        ax: where to draw.
        x: shape (m,).
        curves: label -> derivatives, shape (m,); the first is that of f, at most 6.
        start: x^0.

    Returns:
        The same axes; labels for the two axes are the caller's.

    Raises:
        ValueError: there are more than 6 curves.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import line_instance
        >>> ax = line_instance(Figure().add_subplot(), [-1, 1], {"f'": [-1, 1]}, start=0.5)
        >>> [line.get_label() for line in ax.get_lines()]
        ["f'", 'start']
    """
    if len(curves) > len(_LINES):
        raise ValueError(f"at most {len(_LINES)} curves can be told apart, got {len(curves)}")
    points = np.asarray(x, dtype=np.float64)
    for (label, values), (colour, dashes) in zip(curves.items(), _LINES, strict=False):
        height = np.asarray(values, dtype=np.float64)
        ax.plot(points, height, color=COLOURS[colour], linestyle=dashes, label=label)
    first = np.asarray(next(iter(curves.values())), dtype=np.float64)
    ax.plot(
        [start],
        [np.interp(start, points, first)],
        color=COLOURS["consistent"],
        linestyle="None",
        marker="o",
        markersize=6,
        label="start",
    )
    return ax


def level_lines(
    ax: Axes,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    values: Sequence[Any],
    start: Sequence[float],
    least: Sequence[float],
) -> Axes:
    """An instance in the plane: level lines of f, the start and the minimum.

    Args:
        ax: where to draw.
        x, y: the grid, shapes (m,) and (l,).
        values: f on it, shape (l, m).
        start: x^0, shape (2,).
        least: where f is least, shape (2,).

    Returns:
        The same axes; labels for the two axes are the caller's.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import level_lines
        >>> x = np.linspace(-1, 1, 5)
        >>> f = x[None, :] ** 2 + x[:, None] ** 2
        >>> ax = level_lines(Figure().add_subplot(), x, x, f, [1.0, 0.0], [0.0, 0.0])
        >>> [line.get_label() for line in ax.get_lines()]
        ['start', 'minimum']
    """
    heights = np.asarray(values, dtype=np.float64)
    low, high = float(heights.min()), float(heights.max())
    # Level lines of a parabola at equal distances.
    levels = low + (high - low) * np.linspace(0.0, 1.0, 11)[1:] ** 2
    ax.contour(
        np.asarray(x),
        np.asarray(y),
        heights,
        levels=levels,
        colors=COLOURS["guide"],
        linewidths=0.8,
    )
    for label, point, colour, marker in (
        ("start", start, "consistent", "o"),
        ("minimum", least, "bound", "s"),
    ):
        ax.plot(
            [point[0]],
            [point[1]],
            color=COLOURS[colour],
            linestyle="None",
            marker=marker,
            markersize=6,
            label=label,
        )
    return ax
