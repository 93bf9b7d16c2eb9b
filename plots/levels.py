# SPDX-License-Identifier: Apache-2.0
"""The nested batches of a multilevel estimator: which sample has which weight at which level."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from .style import COLOURS

__all__ = ["nested_levels"]


def nested_levels(ax: Axes, levels: Mapping[str, Sequence[tuple[float, int]]]) -> Axes:
    r"""One row a level, one box a run of samples with one weight, along the trajectory.

    Blue boxes have positive weights, orange ones negative, grey ones zero: those samples are
    passed over. The weight stands in the box where there is room for it.

    Args:
        ax: where to draw.
        levels: name of the row -> segments (weight, number of samples) from the first sample on; a
            number of 0 is left out. The first row is at the top.

    Returns:
        The same axes, with the sample's number on the first axis.

    Raises:
        ValueError: there is no row, a row has no sample, or a number is negative.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import nested_levels
        >>> rows = {"level 0": [(1.0, 1)], "level 1": [(0.0, 1), (1.0, 1)]}
        >>> ax = nested_levels(Figure().add_subplot(), rows)
        >>> [(box.get_x(), box.get_width()) for box in ax.patches]
        [(0, 1), (0, 1), (1, 1)]
    """
    lengths = {name: sum(count for _, count in row) for name, row in levels.items()}
    if not lengths or min(lengths.values()) < 1:
        raise ValueError(f"levels must have rows with samples, but has {dict(lengths)}")
    longest = max(lengths.values())
    for height, row in enumerate(levels.values()):
        start = 0
        for weight, count in row:
            if count < 0:
                raise ValueError(f"levels must have counts of at least 0, but has {count}")
            if count:
                _box(ax, start, count, height, weight, longest)
            start += count
    ax.set_xlim(0, longest)
    ax.set_ylim(len(levels) - 0.4, -0.6)
    ax.set_yticks(range(len(levels)), list(levels))
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    return ax


def _box(ax: Axes, start: int, count: int, height: int, weight: float, longest: int) -> None:
    colour = "mean" if weight > 0.0 else "bound" if weight < 0.0 else "grid"
    ax.add_patch(
        Rectangle(
            (start, height - 0.35),
            count,
            0.7,
            facecolor=COLOURS[colour],
            edgecolor=COLOURS["paper"],
            linewidth=1.0,
        )
    )
    text = f"{weight:+.3g}".replace("-", "−") if weight else "0"
    if count / longest > 0.022 * len(text):
        light = COLOURS["ink" if weight == 0.0 else "paper"]
        ax.text(start + count / 2, height, text, ha="center", va="center", color=light)
