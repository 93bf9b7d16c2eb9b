# SPDX-License-Identifier: Apache-2.0
"""The look of every figure: a palette for colour-blind readers too, and one rc context."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

__all__ = ["COLOURS", "DARK_COLOURS", "log_scale", "style"]

# Okabe and Ito's palette. Every value is different from every other, so that a figure can be
# recoloured after it was drawn.
COLOURS: dict[str, str] = {
    "mean": "#0072b2",
    "bound": "#d55e00",
    "lower_bound": "#009e73",
    "fit": "#aa4499",
    "guide": "#7d8590",
    "consistent": "#0a6ebd",
    "refuted": "#c8400a",
    "inconclusive": "#8a6d00",
    "ink": "#24292f",
    "grid": "#e3e6ea",
    "paper": "#ffffff",
}

DARK_COLOURS: dict[str, str] = {
    "mean": "#56b4e9",
    "bound": "#ff8c42",
    "lower_bound": "#2fd0a0",
    "fit": "#e39bd3",
    "guide": "#8b949e",
    "consistent": "#5db8f5",
    "refuted": "#ff7f50",
    "inconclusive": "#e3c04b",
    "ink": "#dfe4ea",
    "grid": "#30363d",
    "paper": "#161b22",
}

_RC: Any = {
    "figure.facecolor": COLOURS["paper"],
    "savefig.facecolor": COLOURS["paper"],
    "axes.facecolor": COLOURS["paper"],
    "axes.edgecolor": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.6,
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["ink"],
    "ytick.color": COLOURS["ink"],
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 3.5,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "svg.fonttype": "none",
    # Element ids would otherwise differ from one rendering of the same data to the next.
    "svg.hashsalt": "optzoo",
}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@contextmanager
def style() -> Iterator[None]:
    """The project's figure style, for as long as the block lasts.

    Figures made or saved inside the block have it; Matplotlib's global settings are what they
    were when the block ends, also when it ends with an exception. Interactive mode alone stays as
    the block leaves it.

    Returns:
        A context manager that yields nothing.

    Example:
        >>> import matplotlib
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import style
        >>> before = matplotlib.rcParams["axes.grid"]
        >>> with style():
        ...     axes = Figure().add_subplot()
        ...     matplotlib.rcParams["axes.grid"]
        True
        >>> matplotlib.rcParams["axes.grid"] == before
        True
    """
    interactive = matplotlib.is_interactive()
    try:
        with matplotlib.rc_context(_RC):
            try:
                yield
            finally:
                interactive = matplotlib.is_interactive()
    finally:
        # A notebook's first figure loads its backend, which turns this on for all that follow.
        matplotlib.interactive(interactive)


def log_scale(ax: Axes) -> Axes:
    r"""Both axes logarithmic, labelled at powers of ten, or between them where the range is short.

    The labels are plain Unicode text (10⁻³), so that they need no mathematical font. Call it last:
    the ticks are chosen for the limits that the axes have at that moment.

    Args:
        ax: the axes, with everything drawn in it.

    Returns:
        The same axes.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import log_scale
        >>> ax = Figure().add_subplot()
        >>> _ = ax.plot([1, 10, 100], [1e-6, 1e-8, 1e-10])
        >>> log_scale(ax).yaxis.get_major_formatter()(1e-8)
        '10⁻⁸'
    """
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        log_ticks(axis, *limits)
    return ax


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Ticks and labels for a logarithmic axis that shows low to high."""
    decades = abs(math.log10(high / low))
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    elif decades < 2.0:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(LogLocator(numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(tick_text))


def tick_text(value: float, position: int | None = None) -> str:
    """The label of a tick at a positive value: 0.05, 20, 10⁻⁸."""
    if value <= 0.0:
        return ""
    exponent = math.floor(math.log10(value) + 1e-9)
    if -3 <= exponent <= 3:
        return f"{value:.5g}" if exponent < 3 else f"{value:.0f}"
    power = "10" + str(exponent).translate(_SUPERSCRIPTS)
    mantissa = f"{value / 10.0**exponent:.5g}"
    return power if mantissa == "1" else f"{mantissa}×{power}"


def column(
    name: str, values: npt.ArrayLike, like: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """A one-dimensional float64 array, None read as NaN; with `like`, of its length.

    Args:
        name: what the error message calls it.
        values: numbers or None, shape (m,).
        like: an array of the length wanted.

    Returns:
        A float64 array of shape (m,).

    Raises:
        ValueError: it has another number of axes or another length.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but has shape {array.shape}")
    if like is not None and array.shape != like.shape:
        raise ValueError(
            f"{name} has {array.size} values, but there are {like.size} points on the x-axis"
        )
    return array


def positive(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The array, with NaN for what a logarithmic axis cannot show: zero, negative, infinite."""
    return np.where(np.isfinite(array) & (array > 0.0), array, np.nan)


def note(ax: Axes, text: str) -> None:
    """A sentence in the middle of axes that have nothing to show."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=COLOURS["guide"]
    )
