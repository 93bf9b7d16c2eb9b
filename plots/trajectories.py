# SPDX-License-Identifier: Apache-2.0
"""Paths of methods in the plane, over the level lines of what they minimize."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .side_by_side import LOOKS
from .style import COLOURS, column

__all__ = ["trajectories"]

_NUM_LEVELS = 9
_LOWEST_LEVEL = 1e-4  # of the range of the values


def trajectories(
    ax: Axes,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    values: npt.ArrayLike,
    paths: Mapping[str, npt.ArrayLike],
    *,
    optimum: npt.ArrayLike | None = None,
) -> Axes:
    r"""Paths $(w^0, w^1, \ldots)$ in the plane over the level lines of a function f.

    The level lines lie at f_min + (f_max - f_min) q, with q from 1e-4 to 1 in equal ratios, so that
    a quadratic's are equally spaced in the logarithm of the distance from its minimum. Both axes
    have one unit of length: an angle in the drawing is the angle in the plane.

    A method's look is that of its place among the paths, as in `side_by_side`. The start is a ring,
    the end a large mark, an optimum a cross.

    Args:
        ax: where to draw; its limits become those of the grid.
        x: the grid's first coordinates, increasing, shape (m,).
        y: its second ones, increasing, shape (n,).
        values: f on the grid, shape (n, m), finite.
        paths: name -> points, shape (k, 2) with k >= 1; at most 6.
        optimum: where to put a cross, shape (2,).

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: an array has the wrong shape, a value is not finite, the values are all equal,
            or there are more than 6 paths.

    Example:
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import trajectories
        >>> grid = np.linspace(-1, 1, 21)
        >>> bowl = grid[:, None] ** 2 + grid**2
        >>> ax = Figure().add_subplot()
        >>> _ = trajectories(ax, grid, grid, bowl, {"descent": [[1, 1], [0.5, 0.5], [0, 0]]})
        >>> ax.get_lines()[0].get_xdata().tolist()
        [1.0, 0.5, 0.0]
    """
    columns, rows = column("x", x), column("y", y)
    heights = np.asarray(values, dtype=np.float64)
    if heights.shape != (rows.size, columns.size):
        raise ValueError(
            f"values must have shape ({rows.size}, {columns.size}), but has {heights.shape}"
        )
    if not np.all(np.isfinite(heights)) or np.ptp(heights) == 0.0:
        raise ValueError("values must be finite and not all equal")
    if len(paths) > len(LOOKS):
        raise ValueError(f"{len(paths)} paths cannot be told apart: at most {len(LOOKS)}")

    shares = np.geomspace(_LOWEST_LEVEL, 1.0, _NUM_LEVELS)
    ax.contour(
        columns,
        rows,
        heights,
        levels=heights.min() + shares * np.ptp(heights),
        colors=COLOURS["guide"],
        linewidths=0.7,
        alpha=0.7,
    )
    for (name, path), (colour, dashes, marker) in zip(paths.items(), LOOKS, strict=False):
        points = _points(f"path {name!r}", path)
        (line,) = ax.plot(*points.T, color=COLOURS[colour], linestyle=dashes, label=name)
        line.set_marker(marker)
        line.set_markersize(2.5)
        ax.plot(*points[-1], color=COLOURS[colour], marker=marker, markersize=7.0)
    for path in paths.values():
        ax.plot(
            *np.asarray(path, dtype=np.float64)[0],
            marker="o",
            markersize=8.0,
            markerfacecolor="none",
            markeredgecolor=COLOURS["ink"],
        )
    if optimum is not None:
        (point,) = _points("optimum", np.asarray(optimum)[None])
        ax.plot(*point, marker="+", markersize=11.0, color=COLOURS["ink"], linestyle="none")
    ax.grid(False)
    ax.set_aspect("equal")
    ax.set_xlim(columns[0], columns[-1])
    ax.set_ylim(rows[0], rows[-1])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    return ax


def _points(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"{name} must have points of two coordinates, but has {points.shape}")
    return points
