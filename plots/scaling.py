# SPDX-License-Identifier: Apache-2.0
"""A measured quantity against the constant it should scale in, with the fitted power law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from .style import COLOURS, column, log_scale, note, positive

__all__ = ["scaling"]


def scaling(
    ax: Axes,
    x: npt.ArrayLike,
    value: npt.ArrayLike,
    lower: npt.ArrayLike | None = None,
    upper: npt.ArrayLike | None = None,
    *,
    fitted: float | None = None,
    stated: float | None = None,
    window: tuple[float, float] | None = None,
) -> Axes:
    r"""Points with intervals on log-log axes, the fitted power law and the stated one.

    The law $y = c\, x^p$ is a line of slope p. Least squares in the logarithms put it through the
    centre of the points, $(\overline{\log x}, \overline{\log y})$, so that slope alone determines
    it; the stated slope is drawn through the same centre and the two can be compared by eye.

    Points that are zero, negative, infinite or missing cannot be shown and are left out, of the
    centre too. An interval that reaches down to zero or below runs to the bottom of the axes.

    Args:
        ax: where to draw.
        x: the constant varied, or the iterations of a rate, shape (m,).
        value: the quantity measured, shape (m,).
        lower: lower limits of the intervals, shape (m,). Intervals need both limits.
        upper: upper limits of the intervals, shape (m,).
        fitted: slope of the fitted line in the logarithms (negative for decay).
        stated: slope that the theorem states.
        window: (first, last) x of the fit; None means all points.

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: an array is not one-dimensional, its length differs from that of x, one limit
            is given without the other, or the window contains no visible point.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import scaling
        >>> ax = Figure().add_subplot()
        >>> _ = scaling(ax, [1, 2, 4], [3.0, 6.0, 12.0], fitted=1.0)
        >>> [round(float(y), 9) for y in ax.get_lines()[0].get_ydata()]
        [3.0, 12.0]
    """
    points = positive(column("x", x))
    values = positive(column("value", value, points))
    if (lower is None) != (upper is None):
        given, absent = ("upper", "lower") if lower is None else ("lower", "upper")
        raise ValueError(f"{given} is given without {absent}: an interval needs both limits")
    visible = ~np.isnan(points) & ~np.isnan(values)
    if not visible.any():
        note(ax, "no positive values to show")
        return ax

    inside = visible
    if window is not None:
        inside = visible & (points >= window[0]) & (points <= window[1])
        if not inside.any():
            raise ValueError(
                f"window is {window[0]:g} to {window[1]:g}, but the points shown lie in "
                f"{np.nanmin(points[visible]):g} to {np.nanmax(points[visible]):g}"
            )
    log_x, log_y = np.log(points[inside]), np.log(values[inside])
    ends = np.array([points[inside].min(), points[inside].max()])
    for slope, colour, dashes, label in (
        (fitted, COLOURS["fit"], "-", "fitted slope"),
        (stated, COLOURS["ink"], ":", "stated slope"),
    ):
        if slope is not None:
            line = np.exp(log_y.mean() + slope * (np.log(ends) - log_x.mean()))
            text = f"{label} {slope:.3g}".replace("-", "−")
            ax.plot(ends, line, color=colour, linestyle=dashes, label=text)

    errors = None
    if lower is not None and upper is not None:
        low, high = column("lower", lower, points), column("upper", upper, points)
        low = np.where(low > 0.0, low, 0.0)
        errors = np.stack([values - low, high - values])[:, visible]
        errors = np.maximum(np.nan_to_num(errors, nan=0.0, posinf=0.0), 0.0)
        reaches_zero = bool(np.any(low[visible] == 0.0))
        if reaches_zero:
            ax.set_yscale("log", nonpositive="clip")
    ax.errorbar(
        points[visible],
        values[visible],
        yerr=errors,
        fmt="o",
        color=COLOURS["mean"],
        elinewidth=1.0,
        capsize=2.0,
        label="measured",
    )
    if errors is not None and reaches_zero:
        ax.set_ylim(bottom=0.5 * float(values[visible].min()))
    return log_scale(ax)
