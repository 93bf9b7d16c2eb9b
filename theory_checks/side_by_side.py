"""A comparison: several methods on one instance, with the same random numbers, and no verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .presets import PRESETS

if TYPE_CHECKING:
    from .simulation.laboratory import Laboratory

__all__ = ["Comparison", "Curve", "Outcome", "Panel"]

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

    @classmethod
    def of_sample(cls, label: str, x: Array, sample: Array) -> "Curve":
        """The mean over seeds, with a band of two standard errors.

        Args:
            label: the method.
            x: where it was measured, shape (points,).
            sample: what was measured, shape (seeds, points).

        Returns:
            The curve.

        Example:
            >>> Curve.of_sample("SARAH", np.array([1.0]), np.array([[1.0], [3.0]])).upper
            array([4.])
        """
        mean, error = sample.mean(axis=0), sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
        return cls(label, x, mean, mean - 2 * error, mean + 2 * error)


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
    """What a comparison found.

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
            raise ValueError("the outcome of a comparison needs at least one panel")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several methods side by side on one instance.

    Texts are plain sentences with TeX between dollar signs. Nothing is computed before the
    comparison runs, so that listing costs nothing.

    Args:
        id: path-like, unique among claims and comparisons: "frank_wolfe/compare/...".
        title: a short line.
        paper: authors, title, year, arXiv number, as the paper's claims have it.
        description: what is compared, on what terms, and how the bands were made.
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
        if self.id != self.id.lower() or " " in self.id or self.id.count("/") < 1:
            raise ValueError(
                f"id must be a lower-case path such as 'paper/compare/this', got {self.id!r}"
            )
