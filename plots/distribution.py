# SPDX-License-Identifier: Apache-2.0
"""Distribution functions: laws of atoms as stairs, laws with densities as curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .style import COLOURS, column, note

__all__ = ["distribution"]

# Fewer than the colours of the palette: with more stairs nobody sees which is which.
_COLOURS = ("bound", "lower_bound", "mean", "fit")


def distribution(ax: Axes, laws: Sequence[Mapping[str, Any]]) -> Axes:
    r"""Distribution functions $x \mapsto P(X \leq x)$ of laws on the line, on linear axes.

    The mean squared *horizontal* distance of two such curves is the squared Wasserstein distance

    .. math:: W_2^2 = \int_0^1 \bigl( Q_1(q) - Q_2(q) \bigr)^2 dq, \qquad Q \text{ the quantiles.}

    Atoms are drawn as solid stairs in the order given, laws with a density as dashed curves in the
    colour of ink.

    Args:
        ax: where to draw.
        laws: one mapping a law, with the key "label" and either "points" and "weights", atoms in
            any order with weights that sum to 1, or "x" and "below", increasing points and
            P(X <= x) there. At most 4 have atoms.

    Returns:
        The same axes. The label of the x-axis and the legend are the caller's.

    Raises:
        ValueError: there are more than 4 laws of atoms, a law is given neither or both ways, or an
            array is not one-dimensional or has another length than its partner.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import distribution
        >>> coin = {"label": "coin", "points": [1, -1], "weights": [0.5, 0.5]}
        >>> ax = distribution(Figure().add_subplot(), [coin])
        >>> ax.get_lines()[0].get_xydata().tolist()
        [[-1.0, 0.0], [-1.0, 0.5], [1.0, 0.5], [1.0, 1.0]]
    """
    if not laws:
        note(ax, "no law to show")
        return ax
    atomic = [_has_atoms(law) for law in laws]
    if sum(atomic) > len(_COLOURS):
        raise ValueError(
            f"{sum(atomic)} laws of atoms cannot be told apart: at most {len(_COLOURS)} have a look"
        )
    colours = iter(_COLOURS)
    for law, stairs in zip(laws, atomic, strict=True):
        label = str(law["label"])
        if stairs:
            points = column(f"points of {label}", law["points"])
            weights = column(f"weights of {label}", law["weights"], points)
            order = np.argsort(points, kind="stable")
            ends = np.concatenate([[0.0], np.cumsum(weights[order])])
            ax.plot(
                np.repeat(points[order], 2),
                np.repeat(ends, 2)[1:-1],
                color=COLOURS[next(colours)],
                linewidth=1.2,
                label=label,
            )
        else:
            x = column(f"x of {label}", law["x"])
            below = column(f"below of {label}", law["below"], x)
            ax.plot(x, below, color=COLOURS["ink"], linestyle="--", linewidth=1.4, label=label)
    ax.set_ylim(0.0, 1.0)
    ax.set_ylabel(r"$P(X \leq x)$")
    return ax


def _has_atoms(law: Mapping[str, Any]) -> bool:
    atoms, density = {"points", "weights"} <= law.keys(), {"x", "below"} <= law.keys()
    if atoms == density:
        raise ValueError(
            f"the law {law['label']!r} needs either points and weights or x and below, but has "
            f"{sorted(set(law) - {'label'})}"
        )
    return atoms
