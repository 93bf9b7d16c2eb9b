# SPDX-License-Identifier: Apache-2.0
"""Sampled bounds and identities: what runs say about a mean, at every checkpoint."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..claim import Finding, Kind
from ..simulation import Experiment
from ..simulation.laboratory import Laboratory
from ..statistics.evidence import log_e_process
from ..statistics.identity import identity_test
from ..statistics.verdict import TOLERANCE, assess_pathwise, decide
from .restatable import Says, numbers

__all__ = ["PathwiseLowerBound", "SampledIdentity", "UpperBound", "calls"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UpperBound:
    """E[metric_k] <= bound_k at every checkpoint: refuted by an e-value, supported by limits.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        bound: shape (checkpoints,), positive; a function of no arguments is asked anew whenever
            the theorem is restated.
        lower_bound: a curve from below for the figure, shape (checkpoints,).
        last_only: the bound speaks of the last checkpoint alone; its shape is (1,).
        uncertainty: half-width of what the metric rests on, such as f*; it must be far below the
            smallest mean that is measured.
        points: what its points are called, such as iterations in place of ticks; the checkpoints
            if None.
        cap: the largest value that the metric can have, for certain: a number, or one a point. Its
            means then have limits that are not asymptotic, which are used where they suffice. A
            function of no arguments is called when they are asked for.
        certain: at so many of the first points the metric is the same for every seed, by
            construction (a common start, a first step without noise); refused where it is not.
        looks: the first look has this many times the laboratory's seeds: short runs can afford it.
    """

    experiment: Experiment
    metric: str
    bound: Says
    lower_bound: ArrayLike | None = None
    last_only: bool = False
    uncertainty: float = 0.0
    points: Sequence[int] | None = None
    cap: ArrayLike | Callable[[], ArrayLike] | None = None
    certain: int = 0
    looks: int = 1

    kind: ClassVar[Kind] = "upper_bound"
    name: ClassVar[str] = "e-value"

    def run(self, laboratory: Laboratory) -> Finding:
        """Adds seeds until decided."""
        points = self._points
        bound = _positive_bound(self.bound, self.experiment, len(points))

        def ratios(first: int, count: int) -> Array:
            sample = laboratory.sample(self.experiment, first, count)[self.metric]
            if diverges(sample, self.metric, self.experiment):
                raise _Diverged
            return np.asarray(sample[:, -len(points) :] / bound)

        try:
            verdict, table = decide(
                ratios,
                self.looks * laboratory.seeds,
                protocol=laboratory.protocol,
                points=points,
                cap=None if self.cap is None else numbers(self.cap) / bound,
                certain=self.certain,
            )
        except _Diverged:
            return _diverged(points, bound)
        smallest = float(np.min(verdict.mean * bound))
        if self.uncertainty > 0.01 * smallest:
            raise ValueError(
                f"{self.metric} of {self.experiment.name} is known to {self.uncertainty:.1e} only, "
                f"not far below the smallest mean measured, {smallest:.1e}"
            )
        return Finding(
            verdict=verdict.verdict,
            decided=verdict.reason,
            checkpoints=np.asarray(points, dtype=np.float64),
            mean=verdict.mean * bound,
            lower=verdict.lower * bound,
            upper=verdict.upper * bound,
            bound=bound,
            lower_bound=None if self.lower_bound is None else np.asarray(self.lower_bound),
            seeds=len(table),
            tightness=verdict.tightness,
            tightness_lower=verdict.tightness_lower,
            tightness_upper=verdict.tightness_upper,
            detectable_factor=verdict.detectable_factor,
            vacuous=verdict.vacuous,
            e_value=verdict.e_value,
            gradient_calls=calls(laboratory, self.experiment, len(table)),
            finite_upper=None if verdict.finite_upper is None else verdict.finite_upper * bound,
            support=verdict.support,
            unseen=laboratory.protocol.unseen(len(table)),
        )

    def experiments(self) -> Sequence[Experiment]:
        """The one where the metric is observed."""
        return (self.experiment,)

    def means(self, laboratory: Laboratory, seeds: int | None) -> tuple[Array, Array]:
        """The mean of the metric at each point, with its standard error."""
        assert seeds is not None
        sample = laboratory.sample(self.experiment, 0, seeds)[self.metric]
        seen = sample[:, -len(self._points) :]
        return seen.mean(axis=0), seen.std(axis=0, ddof=1) / np.sqrt(seeds)

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """The bound at each point."""
        return numbers(self.bound)

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether the runs' e-value reaches 1 / alpha, or a value that is certain is above."""
        assert seeds is not None
        sample = laboratory.sample(self.experiment, 0, seeds)[self.metric]
        ratios = _over(sample[:, -len(self._points) :], said)
        if np.any(ratios[:, : self.certain] > 1 + TOLERANCE):
            return True
        evidence = log_e_process(ratios).max()
        return bool(evidence >= -math.log(laboratory.protocol.alpha))

    @property
    def _points(self) -> Sequence[int]:
        points = self.experiment.checkpoints if self.points is None else self.points
        return points[-1:] if self.last_only else points


@dataclass(frozen=True, eq=False)
class PathwiseLowerBound:
    """metric_k >= bound_k on every path: one path below refutes.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        bound: a function of the metrics, positive, of shape (checkpoints,), or (seeds, checkpoints)
            where it is one of the path; asked anew whenever the theorem is restated.
    """

    experiment: Experiment
    metric: str
    bound: Callable[[Mapping[str, Array]], ArrayLike]

    kind: ClassVar[Kind] = "lower_bound"
    name: ClassVar[str] = "pathwise"

    def run(self, laboratory: Laboratory) -> Finding:
        """Looks at every path."""
        metrics = laboratory.sample(self.experiment, 0, laboratory.seeds)
        paths, said = metrics[self.metric], self.says(laboratory, laboratory.seeds)
        # What differs from path to path is shown in its own units.
        paths, bound = (paths / said, np.ones(paths.shape[1])) if said.ndim == 2 else (paths, said)
        bound = _positive_bound(bound, self.experiment, paths.shape[1])
        verdict = assess_pathwise(
            paths / bound,
            vacuous=laboratory.protocol.vacuous,
            points=self.experiment.checkpoints,
        )
        return Finding(
            verdict=verdict.verdict,
            decided=verdict.reason,
            checkpoints=np.asarray(self.experiment.checkpoints, dtype=np.float64),
            mean=verdict.mean * bound,
            lower=verdict.lower * bound,
            upper=verdict.upper * bound,
            bound=bound,
            seeds=verdict.seeds,
            tightness=verdict.tightness,
            tightness_lower=verdict.tightness_lower,
            tightness_upper=verdict.tightness_upper,
            detectable_factor=verdict.detectable_factor,
            vacuous=verdict.vacuous,
            gradient_calls=calls(laboratory, self.experiment, len(paths)),
        )

    def experiments(self) -> Sequence[Experiment]:
        """The one where the metric is observed."""
        return (self.experiment,)

    def means(self, laboratory: Laboratory, seeds: int | None) -> tuple[Array, Array]:
        """The lowest path at each checkpoint, or all of them where each has its own bound."""
        assert seeds is not None
        paths = laboratory.sample(self.experiment, 0, seeds)[self.metric]
        seen = paths if self.says(laboratory, seeds).ndim == 2 else paths.min(axis=0)
        return seen, np.zeros_like(seen)

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """The bound at each checkpoint, or on each path there."""
        assert seeds is not None
        metrics = laboratory.sample(self.experiment, 0, seeds)
        return np.asarray(self.bound(metrics), dtype=np.float64)

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether a path recorded is below."""
        assert seeds is not None
        paths = np.maximum(laboratory.sample(self.experiment, 0, seeds)[self.metric], 0.0)
        # A bound that is 0 or below says nothing of what is not negative.
        ratios = np.full(paths.shape, _LARGEST)
        np.divide(paths, said, out=ratios, where=np.broadcast_to(said > 0, paths.shape))
        return assess_pathwise(np.minimum(ratios, _LARGEST)).verdict == "REFUTED"


@dataclass(frozen=True, eq=False)
class SampledIdentity:
    """E[left - right] = 0 at every checkpoint, tested seed by seed.

    See `statistics.identity`: a z-test that allows for seeds unseen, or a bet where a range of the
    differences is declared. Where that is INCONCLUSIVE the seeds are doubled, twice at most.

    Args:
        experiment: where both sides are observed.
        left, right: functions of the metrics, each result of shape (seeds, checkpoints).
        looks: the first look has this many times the laboratory's seeds.
        points: what its points are called, such as iterations in place of ticks; the checkpoints
            if None.
        within: the lowest and the highest value that `left` can have, for certain: numbers, or one
            a point; `right` is then the same for every seed. The test is not asymptotic.
    """

    experiment: Experiment
    left: Callable[[Mapping[str, Array]], Array]
    right: Callable[[Mapping[str, Array]], Array]
    looks: int = 4
    points: Sequence[int] | None = None
    within: tuple[ArrayLike, ArrayLike] | None = None

    kind: ClassVar[Kind] = "identity"

    @property
    def name(self) -> str:
        """What decides, in words."""
        return "z-test" if self.within is None else "bet within a range"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares the sides seed by seed."""
        for doublings in range(3):
            seeds = 2**doublings * self.looks * laboratory.seeds
            metrics = laboratory.sample(self.experiment, 0, seeds)
            left, right = np.broadcast_arrays(self.left(metrics), self.right(metrics))
            test = identity_test(
                left - right, within=self._within(right[0]), protocol=laboratory.protocol
            )
            if test.verdict != "INCONCLUSIVE":
                break
        error = left.std(axis=0, ddof=1) / np.sqrt(seeds)
        mean, exact = left.mean(axis=0), right.mean(axis=0)
        ratio = mean / exact
        worst = int(np.argmax(np.abs(ratio - 1)))
        points = self.experiment.checkpoints if self.points is None else self.points
        resolves = float(np.max(test.resolves / np.abs(exact)))
        return Finding(
            verdict=test.verdict,
            decided=f"{test.reason}; measured / exact = {ratio[worst]:.4f} where farthest from 1; "
            f"resolves deviations of {resolves:.2g}",
            checkpoints=np.asarray(points, dtype=np.float64),
            mean=mean,
            lower=mean - 3 * error,
            upper=mean + 3 * error,
            bound=exact,
            seeds=seeds,
            tightness=float(ratio[worst]),
            tightness_lower=float((ratio - 3 * error / exact)[worst]),
            tightness_upper=float((ratio + 3 * error / exact)[worst]),
            gradient_calls=calls(laboratory, self.experiment, seeds),
            support="asymptotic" if self.within is None else "finite-sample",
            unseen=laboratory.protocol.unseen(seeds),
        )

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """The right side, of each seed at each point."""
        assert seeds is not None
        metrics = laboratory.sample(self.experiment, 0, seeds)
        return np.broadcast_arrays(self.left(metrics), self.right(metrics))[1]

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether the test refutes it on the seeds recorded."""
        assert seeds is not None
        left = self.left(laboratory.sample(self.experiment, 0, seeds))
        within = self._within(said[0])
        if within is not None and (np.any(within[0] > 0) or np.any(within[1] < 0)):
            return True  # a value that the left side cannot have
        test = identity_test(left - said, within=within, protocol=laboratory.protocol)
        return test.verdict == "REFUTED"

    def _within(self, right: Array) -> tuple[Array, Array] | None:
        """The range of left - right."""
        if self.within is None:
            return None
        low, high = (np.asarray(end, dtype=np.float64) for end in self.within)
        return low - right, high - right


class _Diverged(Exception):
    """A metric is infinite."""


def diverges(values: Array, metric: str, experiment: Experiment) -> bool:
    """Whether a metric is +inf somewhere; then it is above every bound, as its mean is.

    Args:
        values: shape (seeds, points).
        metric: its name.
        experiment: where it was observed.

    Returns:
        Whether a value is +inf. What comes after one on the same path may be NaN.

    Raises:
        ValueError: if a value is NaN or -inf and was not +inf before: that is a mistake in what
            is computed, and says nothing of the theorem.
    """
    infinite = np.logical_or.accumulate(np.isposinf(values), axis=1)
    lost = ~infinite & (np.isnan(values) | np.isneginf(values))
    if lost.any():
        seed, point = np.argwhere(lost)[0]
        raise ValueError(
            f"{metric} of {experiment.name} is {values[seed, point]} at seed {seed}, "
            f"k = {experiment.checkpoints[point]}: only +inf counts as divergence"
        )
    return bool(infinite.any())


def _diverged(points: Sequence[int], bound: Array) -> Finding:
    """The finding on a metric that is infinite somewhere: so is its mean."""
    return Finding(
        verdict="REFUTED",
        decided="the metric is infinite in some of the seeds",
        checkpoints=np.asarray(points, dtype=np.float64),
        mean=np.full(len(points), np.nan),
        bound=bound,
    )


_EPSILON = 1e-15
"""What is smaller beside the largest value of a metric is its round-off."""

_LARGEST = 1e12
"""Of a ratio to a bound that was moved to its limit."""


def _over(values: Array, said: Array) -> Array:
    """The ratios to a bound from above, which may be 0 or negative where it was moved.

    What is 0 to round-off is 0 beside any bound, so that it is no evidence.
    """
    kept = np.where(values > _EPSILON * np.max(values), values, 0.0)
    with np.errstate(over="ignore"):
        ratios = kept / np.maximum(said, np.finfo(np.float64).tiny)
    return np.asarray(np.minimum(ratios, _LARGEST))


def _positive_bound(bound: Says, experiment: Experiment, points: int) -> Array:
    values = numbers(bound)
    if values.shape != (points,) or not np.all(values > 0):
        raise ValueError(
            f"the bound of {experiment.name} must be positive at each of its {points} "
            f"checkpoints, got {values}"
        )
    return values


def calls(laboratory: Laboratory, experiment: Experiment, seeds: int) -> float | None:
    calls = laboratory.sample(experiment, 0, seeds).get("gradient_calls")
    return None if calls is None else float(calls[:, -1].mean())
