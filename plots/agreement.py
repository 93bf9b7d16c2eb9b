# SPDX-License-Identifier: Apache-2.0
"""Measured values beside the exact ones they should equal, or the bounds they should not pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS, column, log_ticks, note

__all__ = ["agreement"]

_SPREAD_FOR_LOG = 30.0


def agreement(
    ax: Axes,
    x: npt.ArrayLike,
    measured: npt.ArrayLike,
    exact: npt.ArrayLike | None = None,
    *,
    exact_label: str = "exact",
) -> Axes:
    """Measured values as dots, the exact ones as rings around them.

    An axis is logarithmic where all its values are positive and the largest is at least 30 times
    the smallest, else linear: identities may well be negative or zero. Missing and infinite values
    are left out.

    Args:
        ax: where to draw.
        x: the cases, or the constant varied, shape (m,).
        measured: measured values, shape (m,); None inside stands for missing.
        exact: exact values, shape (m,), or the bounds of an inequality that is attained.
        exact_label: the legend's name for them.

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: an array is not one-dimensional, or its length differs from that of x.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import agreement
        >>> ax = agreement(Figure().add_subplot(), [1, 2, 3], [0.5, -0.25, 0.0], [0.5, -0.25, 0.0])
        >>> [line.get_label() for line in ax.get_lines()], ax.get_yscale()
        (['exact', 'measured'], 'linear')
    """
    cases = column("x", x)
    dots = column("measured", measured, cases)
    rings = np.full_like(dots, np.nan) if exact is None else column("exact", exact, cases)
    usable = np.isfinite(cases) & (np.isfinite(dots) | np.isfinite(rings))
    if not usable.any():
        note(ax, "no values to show")
        return ax
    if exact is not None:
        ax.plot(
            cases,
            rings,
            linestyle="none",
            marker="o",
            markersize=8.0,
            markerfacecolor="none",
            color=COLOURS["bound"],
            label=exact_label,
        )
    ax.plot(cases, dots, linestyle="none", marker="o", color=COLOURS["mean"], label="measured")

    heights = np.concatenate([dots[usable], rings[usable]])
    if _wide(cases[usable]):
        ax.set_xscale("log")
        log_ticks(ax.xaxis, *ax.get_xlim())
    if _wide(heights[np.isfinite(heights)]):
        ax.set_yscale("log")
        log_ticks(ax.yaxis, *ax.get_ylim())
    return ax


def _wide(values: npt.NDArray[np.float64]) -> bool:
    return bool(values.min() > 0.0 and values.max() >= _SPREAD_FOR_LOG * values.min())
