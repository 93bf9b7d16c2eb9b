# SPDX-License-Identifier: Apache-2.0
"""How close the runs came to each bound, and how much smaller a bound they would have caught."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from .style import COLOURS, log_ticks, note

__all__ = ["tightness"]

_MARKERS = {"CONSISTENT": "o", "REFUTED": "X", "INCONCLUSIVE": "D"}
_VACUOUS_BELOW = 0.1


def tightness(ax: Axes, claims: Sequence[Mapping[str, Any]]) -> Axes:
    r"""One row a claim: its metric as a share of its bound, on a logarithmic axis.

    The dot is the tightness $\max_k \operatorname{mean}_r Z_{r,k}$, Z = metric / bound, with its
    interval; the tick is 1 / (detectable factor): had the bound been lowered to there, the same
    runs would have refuted it. For a bound from below (kind "lower_bound") the tightness is the
    smallest Z and the tick is the detectable factor: had the bound been raised to there. A claim
    whose dot lies in a shaded part, a factor of ten from its bound, holds with so much room that
    the run says little about it. A tightness of zero is drawn as an arrow at the left edge. Each
    row links to `#` and the claim's id, percent-encoded.

    Args:
        ax: where to draw; a row wants about 0.2 inches.
        claims: result records, first one on top. Read are "id", "kind", "verdict", "tightness",
            "tightness_lower", "tightness_upper" and "detectable_factor"; records without a
            tightness (nothing was sampled) are left out.

    Returns:
        The same axes.

    Raises:
        ValueError: a record has a tightness or a detectable factor that is negative or not finite.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from optzoo.plots import tightness
        >>> ax = Figure().add_subplot()
        >>> record = {"id": "soap/descent", "tightness": 0.5, "detectable_factor": 1.6}
        >>> [label.get_text() for label in tightness(ax, [record]).get_yticklabels()]
        ['soap/descent']
    """
    rows = [claim for claim in claims if claim.get("tightness") is not None]
    if not rows:
        note(ax, "no claim was sampled")
        return ax
    values = [ratios(claim)[0] for claim in rows]
    marks = [ratios(claim)[1] for claim in rows]
    lows = [_value(claim, "tightness_lower") for claim in rows]
    highs = [_value(claim, "tightness_upper") for claim in rows]
    shown = [v for v in (*values, *lows, *highs, *marks, 1.0) if v]
    left, right = min(0.05, min(shown) / 1.6), max(2.0, max(shown) * 1.6)
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    for start, end in ((left, _VACUOUS_BELOW), (1.0 / _VACUOUS_BELOW, right)):
        if start < end:
            ax.axvspan(start, end, color=COLOURS["grid"], alpha=0.55, linewidth=0.0)
    ax.axvline(1.0, color=COLOURS["bound"], linewidth=1.2)

    edge = blended_transform_factory(ax.transAxes, ax.transData)
    for row, claim in enumerate(rows):
        verdict = str(claim.get("verdict") or "")
        colour = COLOURS.get(verdict.lower(), COLOURS["guide"])
        value, low, high, mark = values[row], lows[row], highs[row], marks[row]
        link = claim_link(claim)
        if low is not None and high is not None:
            ax.plot([max(low, left), high], [row, row], color=colour, linewidth=1.3, url=link)
        if mark:
            ax.plot([mark], [row], color=COLOURS["ink"], marker="|", markersize=8, url=link)
        if value:
            ax.plot(
                [value],
                [row],
                color=colour,
                marker=_MARKERS.get(verdict, "o"),
                markersize=5,
                url=link,
            )
        else:
            ax.plot([0.0], [row], color=colour, marker="<", transform=edge, clip_on=False, url=link)

    log_ticks(ax.xaxis, left, right)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [str(claim.get("id")) for claim in rows])
    for label, claim in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_url(claim_link(claim))
        label.set_parse_math(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("metric / bound")
    return ax


def claim_link(claim: Mapping[str, Any]) -> str:
    """Where a page on the claims has the claim."""
    return "#" + quote(str(claim.get("id")), safe="/")


def ratios(claim: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """A claim's tightness, and where a bound would have been refuted, as shares of its bound.

    Args:
        claim: a result record.

    Returns:
        The tightness, and the reciprocal of the detectable factor (a bound from below: the factor
        itself); None for what the record has not.

    Raises:
        ValueError: one of them is negative or not finite.
    """
    factor = _value(claim, "detectable_factor")
    if factor and claim.get("kind") != "lower_bound":
        factor = 1.0 / factor
    return _value(claim, "tightness"), factor


def _value(claim: Mapping[str, Any], key: str) -> float | None:
    value = claim.get(key)
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number) or (number < 0.0 and key != "tightness_lower"):
        raise ValueError(
            f"{key} of {claim.get('id')} must be finite and not negative, but is {value}"
        )
    return max(number, 0.0)
