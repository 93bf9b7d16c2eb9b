# SPDX-License-Identifier: Apache-2.0
"""What a linear minimization oracle does: a set, a direction, the vertex, the step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS

__all__ = ["oracle_step"]

_ARROW = 0.28  # of the set's diameter, the length of the arrow of -g
_MARGIN = 0.12


def oracle_step(
    ax: Axes,
    boundary: npt.ArrayLike,
    point: npt.ArrayLike,
    direction: npt.ArrayLike,
    vertex: npt.ArrayLike,
    step: float,
) -> Axes:
    r"""One step of Frank-Wolfe in the plane: from x along the segment to the oracle's vertex.

    .. math:: s = \arg\min_{c \in C} \langle g, c \rangle, \qquad x^+ = x + \eta (s - x)

    Draws the set, the arrow of -g at x, the level line of <g, .> through s (the set lies on one
    side of it), the segment from x to s dashed and its part that is walked solid. The step is thus
    the last point on the solid part; it is inside the set because the segment is.

    Args:
        ax: where to draw.
        boundary: the set's corners, or points along its boundary, in order, shape (m, 2), m >= 3.
        point: x, shape (2,).
        direction: g, shape (2,), not zero.
        vertex: s, shape (2,).
        step: eta in [0, 1].

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: a shape is wrong, the step lies outside [0, 1], the direction is zero, or a
            point of the boundary is better than the vertex: <g, c> < <g, s>.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import oracle_step
        >>> diamond = [[1, 0], [0, 1], [-1, 0], [0, -1]]
        >>> ax = Figure().add_subplot()
        >>> _ = oracle_step(ax, diamond, [0.5, 0.0], [1.0, 2.0], [0, -1], step=0.5)
        >>> {line.get_label(): line.get_xydata()[-1].tolist() for line in ax.get_lines()}["step"]
        [0.25, -0.5]
    """
    corners = np.asarray(boundary, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise ValueError(f"boundary must have shape (m, 2) with m >= 3, but has {corners.shape}")
    x, g, s = (
        _vector(name, value)
        for name, value in (("point", point), ("direction", direction), ("vertex", vertex))
    )
    if not 0.0 <= step <= 1.0:
        raise ValueError(f"step must lie in [0, 1], but is {step!r}")
    length = float(np.linalg.norm(g))
    if length == 0.0:
        raise ValueError("direction must not be zero")
    size = float(np.linalg.norm(np.ptp(corners, axis=0)))
    if np.min(corners @ g) < s @ g - 1e-6 * length * size:
        best = corners[np.argmin(corners @ g)]
        raise ValueError(
            f"vertex {s.tolist()} is not the oracle's answer: {best.tolist()} is a better one"
        )

    ax.fill(*corners.T, facecolor=COLOURS["mean"], alpha=0.12)
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=COLOURS["mean"], label="set")
    low, high = corners.min(axis=0) - _MARGIN * size, corners.max(axis=0) + _MARGIN * size
    along = np.array([-g[1], g[0]]) / length
    ends = np.array([s - 2 * size * along, s + 2 * size * along])
    ax.plot(*ends.T, color=COLOURS["guide"], linestyle=":", label="level line")
    ax.plot(*np.array([x, s]).T, color=COLOURS["bound"], linestyle="--", label="segment")
    moved = x + step * (s - x)
    ax.plot(*np.array([x, moved]).T, color=COLOURS["bound"], linewidth=2.5, label="step")
    tip = x - _ARROW * size * g / length
    ax.annotate(
        "",
        (float(tip[0]), float(tip[1])),
        (float(x[0]), float(x[1])),
        arrowprops={"arrowstyle": "->", "color": COLOURS["ink"], "shrinkA": 0, "shrinkB": 0},
    )
    for where, name, away in (
        (x, "$x$", -(s - x)),
        (moved, "$x^+$", along if along @ (moved - x) >= 0 else -along),
        (s, "$s$", s - corners.mean(axis=0)),
    ):
        ax.plot(*where, color=COLOURS["ink"], marker="o", markersize=5.0)
        _name(ax, where, name, away)
    _name(ax, tip, "$-g$", tip - x)
    ax.set_aspect("equal")
    ax.grid(False)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    return ax


def _name(
    ax: Axes, where: npt.NDArray[np.float64], text: str, away: npt.NDArray[np.float64]
) -> None:
    """A name beside a point, on the side that a vector points to."""
    norm = float(np.linalg.norm(away))
    shift = 11.0 * (away / norm if norm > 0.0 else np.array([0.0, 1.0]))
    ax.annotate(
        text,
        (float(where[0]), float(where[1])),
        (float(shift[0]), float(shift[1])),
        textcoords="offset points",
        ha="center",
        va="center",
    )


def _vector(name: str, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
    vector = np.asarray(value, dtype=np.float64)
    if vector.shape != (2,):
        raise ValueError(f"{name} must have shape (2,), but has {vector.shape}")
    return vector
