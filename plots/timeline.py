# SPDX-License-Identifier: Apache-2.0
"""Who sends what when: the messages of a distributed method, one lane a worker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from .style import COLOURS, note

__all__ = ["timeline"]

_Array = npt.NDArray[np.float64]

# In the order in which a round goes through them; the local steps send nothing.
_REFRESH, _LOCAL, _BROADCAST, _MESSAGE = range(4)
_KINDS = (
    ("refresh", "bound", "//"),
    ("local steps", "guide", ""),
    ("broadcast", "lower_bound", ".."),
    ("message", "mean", ""),
)

_CHARACTER = 0.018  # of the whole width; two numbers of rounds are at least so far apart


def timeline(
    ax: Axes,
    totals: Axes,
    messages: npt.ArrayLike,
    *,
    refreshes: npt.ArrayLike | None = None,
    broadcasts: npt.ArrayLike | None = None,
    local_steps: npt.ArrayLike | None = None,
    step_length: float = 0.0,
    first_round: int = 0,
    unit: str = "bytes",
) -> tuple[Axes, Axes]:
    r"""A few rounds of a distributed method: bars as long as what is sent, and the sums below.

    In round k, first all workers send their refreshes, then the server makes its local steps, then
    it broadcasts, and then all workers send their messages. A phase lasts as long as its longest
    bar, so that round k ends at

    .. math:: t_{k+1} = t_k + \max_i R_{k,i} + \ell H_k + B_k + \max_i M_{k,i}

    Below, the bands are what was sent of each kind by all workers together, one upon the other:
    the upper edge is the total. Nothing is sent during local steps.

    Args:
        ax: where the lanes go, worker 0 on top, the server.
        totals: where the sums go; the two are given the same horizontal axis.
        messages: M, what each worker sends in each round, shape (rounds, workers).
        refreshes: R, likewise; None for none.
        broadcasts: B, what the server sends to everybody, shape (rounds,); None for none.
        local_steps: H, how many steps the server makes, shape (rounds,); None for none.
        step_length: l, the length of one local step on the axis, in the unit of the messages. At 0
            local steps are not drawn.
        first_round: the number of the first round.
        unit: what messages are measured in.

    Returns:
        The two axes. The legend is the caller's; `ax` has an entry for each kind that occurs.

    Raises:
        ValueError: an array has another shape than it should, or a number is negative or not
            finite.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import timeline
        >>> ax, totals = Figure().subplots(2, sharex=True)
        >>> _ = timeline(ax, totals, [[8, 8], [8, 8]], refreshes=[[16, 16], [0, 0]])
        >>> [int(bar.get_width()) for bars in ax.containers for bar in bars]
        [16, 16, 8, 8, 8, 8]
        >>> int(totals.get_lines()[0].get_ydata()[-1])
        64
    """
    sent = _numbers("messages", messages)
    if sent.ndim != 2:
        raise ValueError(f"messages must have shape (rounds, workers), but has {sent.shape}")
    rounds, workers = sent.shape
    if not np.isfinite(step_length) or step_length < 0:
        raise ValueError(f"step_length must be finite and not negative, but is {step_length}")

    # lengths[kind] has shape (rounds, workers); what the server does alone is in lane 0
    lengths = np.zeros((len(_KINDS), rounds, workers))
    lengths[_MESSAGE] = sent
    lengths[_REFRESH] = _numbers("refreshes", refreshes, (rounds, workers))
    lengths[_BROADCAST, :, :1] = _numbers("broadcasts", broadcasts, (rounds,))[:, None]
    lengths[_LOCAL, :, :1] = step_length * _numbers("local_steps", local_steps, (rounds,))[:, None]
    if not np.any(lengths):
        note(ax, "nothing was sent")
        note(totals, "nothing was sent")
        return ax, totals

    phases = lengths.max(axis=2, initial=0.0).T  # (rounds, kinds)
    ends = np.cumsum(phases).reshape(phases.shape)
    starts = ends - phases
    _lanes(ax, lengths, starts)
    _round_numbers(ax, starts[:, 0], ends[:, -1], first_round)
    _sums(totals, lengths, ends)
    for axes in (ax, totals):
        axes.set_xlim(0.0, ends[-1, -1])
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    totals.set_xlabel(f"time, in {unit} on one link")
    totals.set_ylabel(f"{unit} sent by all")
    return ax, totals


def _numbers(name: str, values: npt.ArrayLike | None, shape: tuple[int, ...] = ()) -> _Array:
    """A float64 array of a shape, zeros for None."""
    array = np.zeros(shape) if values is None else np.asarray(values, dtype=np.float64)
    if shape and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, but has {array.shape}")
    if not np.all(np.isfinite(array)) or np.any(array < 0):
        raise ValueError(f"{name} must be finite and not negative")
    return array


def _lanes(ax: Axes, lengths: _Array, starts: _Array) -> None:
    workers = lengths.shape[2]
    for kind, (label, colour, hatch) in enumerate(_KINDS):
        of_round, lane = np.nonzero(lengths[kind])
        if of_round.size:
            ax.barh(
                lane,
                lengths[kind][of_round, lane],
                left=starts[of_round, kind],
                height=0.72,
                facecolor=COLOURS[colour],
                edgecolor=COLOURS["paper"],  # of the hatch; a line would hide short bars
                linewidth=0.0,
                hatch=hatch,
                label=label,
            )
    ax.set_ylim(workers - 0.5, -0.5)
    ax.set_yticks(range(workers), ["server", *(f"worker {i}" for i in range(1, workers))])
    ax.tick_params(axis="y", length=0)
    ax.grid(False)


def _round_numbers(ax: Axes, starts: _Array, ends: _Array, first: int) -> None:
    """Where rounds begin, and their numbers as far as there is room."""
    ax.text(-0.01, 1.02, "round", transform=ax.transAxes, ha="right", va="bottom", fontsize=8.0)
    above = blended_transform_factory(ax.transData, ax.transAxes)
    taken = -np.inf
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), first):
        if number > first:
            ax.axvline(float(start), color=COLOURS["grid"], linewidth=0.5, zorder=3)
        middle = float(start + end) / 2
        if middle >= taken + _CHARACTER * (1 + len(f"{number}")) * ends[-1]:
            ax.text(
                middle, 1.02, f"{number}", transform=above, ha="center", va="bottom", fontsize=8.0
            )
            taken = middle


def _sums(totals: Axes, lengths: _Array, ends: _Array) -> None:
    times = np.append(0.0, ends.ravel())
    below = np.zeros_like(times)
    for kind, (label, colour, hatch) in enumerate(_KINDS):
        if kind == _LOCAL or not np.any(lengths[kind]):
            continue
        added = np.zeros_like(ends)
        added[:, kind] = lengths[kind].sum(axis=1)
        above = below + np.append(0.0, np.cumsum(added))
        totals.fill_between(
            times,
            below,
            above,
            facecolor=COLOURS[colour],
            edgecolor=COLOURS["paper"],
            linewidth=0.4,
            hatch=hatch,
            label=label,
        )
        below = above
    totals.plot(times, below, color=COLOURS["ink"], linewidth=1.0, label="total")
    totals.set_ylim(bottom=0.0)
