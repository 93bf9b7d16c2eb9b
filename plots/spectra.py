# SPDX-License-Identifier: Apache-2.0
"""A Gram matrix before and after a rotation: its diagonal beside its spectrum, and its entries."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .side_by_side import LOOKS
from .style import COLOURS, column, log_ticks, note, positive

__all__ = ["magnitudes", "spectra"]


def spectra(ax: Axes, values: Mapping[str, npt.ArrayLike]) -> Axes:
    r"""Non-negative numbers in descending order against their rank, one curve a name.

    For a Gram matrix A, an orthogonal Q and its eigenvalues the three curves diag(A), diag(Q'AQ)
    and lambda(A) show how nearly Q diagonalizes A: the diagonal in any basis is majorized by the
    spectrum, with equality in an eigenbasis alone.

    What is zero or negative cannot be shown on the logarithmic axis and is left out.

    Args:
        ax: where to draw.
        values: name -> numbers, shape (d,), in any order; d may differ. At most 6.

    Returns:
        The same axes. Labels for the two axes are the caller's.

    Raises:
        ValueError: an array is not one-dimensional, or there are more than 6.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import spectra
        >>> ax = spectra(Figure().add_subplot(), {"eigenvalues": [1.0, 100.0, 10.0]})
        >>> ax.get_lines()[0].get_ydata().tolist()
        [100.0, 10.0, 1.0]
    """
    if len(values) > len(LOOKS):
        raise ValueError(f"{len(values)} curves cannot be told apart: at most {len(LOOKS)}")
    sorted_values = {
        name: positive(np.sort(column(name, numbers))[::-1]) for name, numbers in values.items()
    }
    shown = [curve[~np.isnan(curve)] for curve in sorted_values.values()]
    if not any(curve.size for curve in shown):
        note(ax, "no positive values to show")
        return ax
    for (name, curve), (colour, dashes, marker) in zip(sorted_values.items(), LOOKS, strict=False):
        ranks = np.arange(1, len(curve) + 1)
        ax.plot(ranks, curve, color=COLOURS[colour], linestyle=dashes, marker=marker, label=name)
    ax.set_yscale("log")
    log_ticks(ax.yaxis, *ax.get_ylim())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return ax


def magnitudes(ax: Axes, matrix: npt.ArrayLike, *, decades: float = 4.0) -> Axes:
    r"""The entries of a matrix by magnitude: dark is the largest, white is 10^-decades of it.

    .. math:: 1 + \log_{10}(|a_{ij}| / \max |a|) / \text{decades} \in [0, 1]

    Args:
        ax: where to draw.
        matrix: A, shape (m, n), finite, not zero.
        decades: how many powers of ten the greys span, positive.

    Returns:
        The same axes, without ticks. The title is the caller's.

    Raises:
        ValueError: the matrix has another number of axes, is zero or not finite, or `decades` is
            not positive.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import magnitudes
        >>> ax = magnitudes(Figure().add_subplot(), [[1.0, -0.01], [0.0, 1.0]])
        >>> ax.get_images()[0].get_array().tolist()
        [[1.0, 0.5], [0.0, 1.0]]
    """
    entries = np.abs(np.asarray(matrix, dtype=np.float64))
    if entries.ndim != 2 or not np.all(np.isfinite(entries)) or not np.any(entries):
        raise ValueError(
            f"matrix must have two axes, finite entries and one that is not zero; its shape is "
            f"{entries.shape}"
        )
    if not decades > 0.0:
        raise ValueError(f"decades must be positive, but is {decades!r}")
    relative = np.maximum(entries / entries.max(), 10.0**-decades)
    ax.imshow(1.0 + np.log10(relative) / decades, cmap="Greys", vmin=0.0, vmax=1.0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    return ax
