# SPDX-License-Identifier: Apache-2.0
"""A metric against the number of iterations, oracle calls, rounds or bits, with its bound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS, column, log_scale, note, positive

__all__ = ["convergence"]


def convergence(
    ax: Axes,
    k: npt.ArrayLike,
    mean: npt.ArrayLike,
    lower: npt.ArrayLike | None = None,
    upper: npt.ArrayLike | None = None,
    bound: npt.ArrayLike | None = None,
    *,
    lower_bound: npt.ArrayLike | None = None,
    slope: float | None = None,
    mean_label: str = "mean over seeds",
    band_label: str = "confidence band",
) -> Axes:
    r"""Mean, confidence band and bound of a metric on log-log axes.

    Draws mean_k with the band [lower_k, upper_k], the curve bound_k that a theorem puts above it,
    the curve that another puts below, and a guide proportional to $k^{\text{slope}}$ over the
    second half of the logarithmic range, a factor of two below the mean's last point.

    A logarithmic axis shows positive numbers only. What is zero, negative, infinite or missing is
    left out and breaks its line; a band whose lower limit is not positive runs to the bottom of
    the axes; a point k <= 0 is left out as a whole. Axes with nothing left say so.

    Args:
        ax: where to draw.
        k: the checkpoints, shape (m,), in the unit of the claim.
        mean: mean of the metric over the seeds, shape (m,); None inside stands for missing.
        lower: lower confidence limits of the mean, shape (m,). A band needs both limits.
        upper: upper confidence limits of the mean, shape (m,).
        bound: the bound from above, shape (m,).
        lower_bound: the bound from below, shape (m,).
        slope: exponent of the guide in k, negative for decay.
        mean_label: the legend's name for the mean.
        band_label: the legend's name for the band.

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: an array is not one-dimensional, its length differs from that of k, or one
            limit of the band is given without the other.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import convergence
        >>> ax = Figure().add_subplot()
        >>> _ = convergence(ax, [1, 10, 100], [0.5, 0.05, 0.0], bound=[1.0, 0.1, 0.01], slope=-1)
        >>> [line.get_label() for line in ax.get_lines()]
        ['bound', 'mean over seeds', 'slope −1']
    """
    x = positive(column("k", k))
    measured = positive(column("mean", mean, x))
    above = None if bound is None else positive(column("bound", bound, x))
    below = None if lower_bound is None else positive(column("lower_bound", lower_bound, x))
    if (lower is None) != (upper is None):
        given, absent = ("upper", "lower") if lower is None else ("lower", "upper")
        raise ValueError(f"{given} is given without {absent}: a band needs both limits")

    shown = [measured] + [curve for curve in (above, below) if curve is not None]
    drawn = [curve[~np.isnan(x) & ~np.isnan(curve)] for curve in shown]
    if not any(curve.size for curve in drawn):
        note(ax, "no positive values to show")
        return ax

    bottom = None
    if lower is not None and upper is not None:
        top = positive(column("upper", upper, x))
        limit = column("lower", lower, x)
        floor = 0.5 * float(np.nanmin(np.concatenate([*drawn, top[~np.isnan(top)]])))
        ax.fill_between(
            x,
            np.where(limit > 0.0, limit, floor),
            top,
            where=list(~np.isnan(x) & ~np.isnan(top) & ~np.isnan(limit)),
            color=COLOURS["mean"],
            alpha=0.22,
            linewidth=0.0,
            label=band_label,
        )
        if np.any(limit[~np.isnan(x)] <= 0.0):
            bottom = floor
    if above is not None:
        ax.plot(x, above, color=COLOURS["bound"], marker=_marker(above, "_"), label="bound")
    if below is not None:
        ax.plot(
            x,
            below,
            color=COLOURS["lower_bound"],
            linestyle=(0, (5, 2)),
            marker=_marker(below, "_"),
            label="lower bound",
        )
    ax.plot(x, measured, color=COLOURS["mean"], marker="o", label=mean_label)
    if slope is not None:
        _guide(ax, x, measured, slope)
    if bottom is not None:
        ax.set_yscale("log")
        ax.set_ylim(bottom=bottom)
    return log_scale(ax)


def _marker(curve: npt.NDArray[np.float64], marker: str) -> str:
    """A line through a single point is invisible: give the point a mark."""
    return marker if np.count_nonzero(~np.isnan(curve)) == 1 else ""


def _guide(
    ax: Axes, x: npt.NDArray[np.float64], measured: npt.NDArray[np.float64], slope: float
) -> None:
    visible = ~np.isnan(x) & ~np.isnan(measured)
    if np.count_nonzero(visible) < 2:
        return
    start, end = x[visible].min(), x[visible].max()
    ends = np.array([np.sqrt(start * end), end])
    last = measured[visible][np.argmax(x[visible])]
    ax.plot(
        ends,
        0.5 * last * (ends / end) ** slope,
        color=COLOURS["guide"],
        linestyle=":",
        label=f"slope {slope:.3g}".replace("-", "−"),
    )
