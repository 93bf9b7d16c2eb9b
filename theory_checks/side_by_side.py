# SPDX-License-Identifier: Apache-2.0
"""Methods side by side: on one instance, with the same random numbers, and no verdict."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .claim import require_path
from .presets import PRESETS

if TYPE_CHECKING:
    from .simulation.laboratory import Laboratory

__all__ = ["Curve", "Outcome", "Panel", "SideBySide"]

Array = NDArray[np.float64]

MOST_CURVES = 6


@dataclass(frozen=True, eq=False)
class Curve:
    """What one method did.

    Args:
        label: the method, the same words in every panel where it occurs.
        x: where it was measured, shape (points,).
        mean: the mean over the seeds, shape (points,).
        lower: lower confidence limits of the mean, shape (points,), or None; a band needs both.
        upper: upper confidence limits of the mean.

    Raises:
        ValueError: if there is no label or no point, if an array has another shape than x, or if
            one limit is given without the other.

    Example:
        >>> Curve("SARAH", np.array([1.0, 2.0]), np.array([0.5])).label
        Traceback (most recent call last):
        ValueError: mean of the curve 'SARAH' has shape (1,), but x has shape (2,)
    """

    label: str
    x: Array
    mean: Array
    lower: Array | None = None
    upper: Array | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("a curve needs a label")
        if np.ndim(self.x) != 1 or np.size(self.x) == 0:
            raise ValueError(
                f"x of the curve {self.label!r} must be one-dimensional and not empty, "
                f"but has shape {np.shape(self.x)}"
            )
        for name in ("mean", "lower", "upper"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != np.shape(self.x):
                raise ValueError(
                    f"{name} of the curve {self.label!r} has shape {np.shape(values)}, "
                    f"but x has shape {np.shape(self.x)}"
                )
        if (self.lower is None) != (self.upper is None):
            raise ValueError(f"the band of the curve {self.label!r} needs both limits")

    def passage(self, level: float) -> float | None:
        """Where the mean first is at most a level; between points on a straight line in logarithms.

        Args:
            level: positive.

        Returns:
            The place, or None if the curve does not get there.

        Example:
            >>> curve = Curve("SARAH", np.array([1.0, 4.0]), np.array([1.0, 0.25]))
            >>> round(curve.passage(0.5), 12), curve.passage(0.1)
            (2.0, None)
        """
        below = np.flatnonzero(self.mean <= level)
        if not below.size:
            return None
        j = int(below[0])
        if j == 0:
            return float(self.x[0])
        share = np.log(self.mean[j - 1] / level) / np.log(self.mean[j - 1] / self.mean[j])
        return float(np.exp(np.log(self.x[j - 1]) + share * np.log(self.x[j] / self.x[j - 1])))

    @classmethod
    def of_seeds(cls, label: str, x: Array, sample: Array, least: float | None = None) -> "Curve":
        """The mean over seeds with a band of two standard errors.

        Args:
            label: the method.
            x: where it was measured, shape (points,).
            sample: shape (seeds, points), two seeds or more.
            least: the band ends at this share of the mean, for logarithmic axes.

        Returns:
            The curve.

        Example:
            >>> curve = Curve.of_seeds("SARAH", np.array([1.0]), np.array([[1.0], [3.0]]))
            >>> curve.mean.item(), curve.lower.item(), curve.upper.item()
            (2.0, 0.0, 4.0)
        """
        mean, error = sample.mean(axis=0), sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
        lower = mean - 2 * error
        if least is not None:
            lower = np.maximum(lower, least * mean)
        return cls(label, x, mean, lower, mean + 2 * error)


@dataclass(frozen=True, eq=False)
class Panel:
    """One drawing: curves that share both axes.

    Args:
        title: what is drawn; may contain TeX between dollar signs, as the two labels may.
        x_label: name of the horizontal axis.
        y_label: name of the vertical axis.
        curves: 1 to 6 of them, with different labels.

    Raises:
        ValueError: if there are too few or too many curves, or two with one label.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.curves) <= MOST_CURVES:
            raise ValueError(
                f"the panel {self.title!r} has {len(self.curves)} curves; 1 to {MOST_CURVES} can "
                "be told apart"
            )
        labels = [curve.label for curve in self.curves]
        if len(set(labels)) != len(labels):
            raise ValueError(f"the panel {self.title!r} has two curves with one label: {labels}")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What methods side by side did.

    Args:
        panels: the drawings, at least one.
        notes: plain sentences that are derived from the numbers; TeX between dollar signs.
        problem: the instance in words and numbers.
        seeds: number of replicates.

    Raises:
        ValueError: if there is no panel.
    """

    panels: tuple[Panel, ...]
    notes: tuple[str, ...]
    problem: str
    seeds: int

    def __post_init__(self) -> None:
        if not self.panels:
            raise ValueError("the outcome of methods side by side needs at least one panel")


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Several methods side by side on one instance.

    Texts are plain sentences with TeX between dollar signs. Nothing is computed before
    `evaluate` is called, so that listing costs nothing.

    Args:
        id: path-like, unique among these and the claims: "frank_wolfe/compare/...".
        title: a short line.
        paper: authors, title, year, arXiv number, as the paper's claims have it.
        description: what stands side by side, on what terms, and how the bands were made.
        evaluate: runs the methods in the laboratory, whose replicates are the claims' own.
        presets: of those of the command line, the ones that it is evaluated in.

    Raises:
        ValueError: if the id is not a lower-case path, or a preset is unknown.
    """

    id: str
    title: str
    paper: str
    description: str
    evaluate: Callable[["Laboratory"], Outcome]
    presets: tuple[str, ...] = tuple(PRESETS)

    def __post_init__(self) -> None:
        for preset in self.presets:
            if preset not in PRESETS:
                raise ValueError(f"presets must be of {', '.join(PRESETS)}, got {preset!r}")
        require_path(self.id, "paper/compare/this")


def __getattr__(name: str) -> Any:
    """`Comparison` is the former name of `SideBySide`."""
    if name != "Comparison":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("Comparison is called SideBySide", DeprecationWarning, stacklevel=2)
    return SideBySide
