# SPDX-License-Identifier: Apache-2.0
"""Sampled laws: exponents of a constant or of the steps, and where a mean is smallest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..claim import Finding, Kind
from ..simulation import Experiment
from ..simulation.laboratory import Laboratory
from ..statistics.exponents import Exponent, law_exponent, rate_exponent, scaling_exponent
from ..statistics.log_log import Relation
from ..statistics.minimizer import share_inside
from .restatable import other_exponents

__all__ = ["Law", "Minimizer", "Passage", "Rate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Law:
    """mean metric ~ theta^q: one experiment for each theta, common replicate indices.

    Args:
        theta: the varied constant, at least 5 values over 1.5 decades.
        experiments: one for each value, of which the last checkpoint counts; or a single one, with
            a checkpoint for each.
        metric: its name.
        stated: q.
        relation: "exactly" or "at_most".
        looks: the number of seeds is this many times the laboratory's.
    """

    theta: Sequence[float]
    experiments: Sequence[Experiment]
    metric: str
    stated: float
    relation: Relation = "exactly"
    looks: int = 4

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "exponent with interval"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the exponent."""
        seeds = self.looks * laboratory.seeds
        if len(self.experiments) == 1:
            values = laboratory.sample(self.experiments[0], 0, seeds)[self.metric].T
        else:
            values = np.stack(
                [laboratory.sample(e, 0, seeds)[self.metric][:, -1] for e in self.experiments]
            )
        exponent = law_exponent(self.theta, values, stated=self.stated, relation=self.relation)
        return _exponent_finding(exponent, seeds, laboratory)

    def with_exponents(self) -> Mapping[str, "Law"]:
        """The same with other exponents, of which a law from above must state smaller ones."""
        return _others(self, self.relation)


@dataclass(frozen=True, eq=False)
class Passage:
    """Steps until the mean metric is at most eps ~ theta^q.

    Args:
        theta: the varied constant, at least 5 values over 1.5 decades.
        experiments: one for each value, all with equally many checkpoints.
        metric: its name.
        eps: the threshold.
        stated: q.
        relation: "exactly" or "at_most".
        looks: the number of seeds is this many times the laboratory's.
    """

    theta: Sequence[float]
    experiments: Sequence[Experiment]
    metric: str
    eps: float
    stated: float
    relation: Relation = "at_most"
    looks: int = 1

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "exponent with interval"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the exponent."""
        seeds = self.looks * laboratory.seeds
        values = np.stack([laboratory.sample(e, 0, seeds)[self.metric] for e in self.experiments])
        exponent = scaling_exponent(
            self.theta,
            np.array([experiment.checkpoints for experiment in self.experiments]),
            values,
            self.eps,
            stated=self.stated,
            relation=self.relation,
        )
        return _exponent_finding(exponent, seeds, laboratory)

    def with_exponents(self) -> Mapping[str, "Passage"]:
        """The same with other exponents, of which a law from above must state smaller ones."""
        return _others(self, self.relation)


@dataclass(frozen=True, eq=False)
class Rate:
    """The mean metric falls at least as fast as k^(-stated) over a window.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        stated: the exponent.
        window: (k0, k1).
        looks: the number of seeds is this many times the laboratory's.
        points: what k is at each checkpoint, such as calls of an oracle in place of ticks; the
            checkpoints if None.
        base: what the power is of, at the points, where it is not yet k^(-1) such as 1/(k + 2):
            the exponent of its power there is what the metric's is compared with.
    """

    experiment: Experiment
    metric: str
    stated: float
    window: tuple[float, float]
    looks: int = 4
    points: Sequence[float] | None = None
    base: Sequence[float] | None = None

    kind: ClassVar[Kind] = "rate"
    name: ClassVar[str] = "exponent with interval"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the exponent."""
        seeds = self.looks * laboratory.seeds
        values = laboratory.sample(self.experiment, 0, seeds)[self.metric]
        exponent = rate_exponent(
            self.experiment.checkpoints if self.points is None else self.points,
            values,
            stated=self.stated,
            window=self.window,
            bound=None if self.base is None else np.asarray(self.base) ** self.stated,
        )
        return _exponent_finding(exponent, seeds, laboratory)

    def with_exponents(self) -> Mapping[str, "Rate"]:
        """The same with faster rates."""
        others = other_exponents(self.stated).items()
        return {name: replace(self, stated=other) for name, other in others if other > self.stated}


@dataclass(frozen=True, eq=False)
class Minimizer:
    """The value of a constant at which a mean metric is smallest lies in a window.

    The minimizer over the values tried is found anew for 1000 resamples of the seeds, which are
    common to all values. Supported iff 99% of them fall into the window, refuted iff 99% do not.

    Args:
        theta: the values tried, shape (values,).
        experiment: observes "metric@j" for value j, averaged over its checkpoints.
        metric: its name there.
        window: first and last value allowed.
        looks: the number of seeds is this many times the laboratory's.
    """

    theta: Sequence[float]
    experiment: Experiment
    metric: str
    window: tuple[float, float]
    looks: int = 4

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "minimizer over resamples"

    def run(self, laboratory: Laboratory) -> Finding:
        """Resamples the seeds."""
        seeds = self.looks * laboratory.seeds
        sample = laboratory.sample(self.experiment, 0, seeds)
        theta = np.asarray(self.theta, dtype=np.float64)
        values = np.stack(
            [sample[f"{self.metric}@{j}"].mean(axis=1) for j in range(len(theta))], axis=1
        )
        share, verdict, means = share_inside(theta, values, self.window)
        mean = values.mean(axis=0)
        return Finding(
            verdict=verdict,
            decided=(
                f"smallest at {theta[np.argmin(mean)]:.3g}; in {share:.1%} of 1000 resamples of "
                f"the seeds between {self.window[0]:.3g} and {self.window[1]:.3g}"
            ),
            checkpoints=theta,
            mean=mean,
            lower=np.quantile(means, 0.01, axis=0),
            upper=np.quantile(means, 0.99, axis=0),
            seeds=seeds,
            support="asymptotic",
            unseen=laboratory.protocol.unseen(seeds),
        )


Exponential = TypeVar("Exponential", Law, Passage)


def _others(check: Exponential, relation: Relation) -> dict[str, Exponential]:
    return {
        name: replace(check, stated=other)
        for name, other in other_exponents(check.stated).items()
        if relation == "exactly" or other < check.stated
    }


def _exponent_finding(exponent: Exponent, seeds: int, laboratory: Laboratory) -> Finding:
    return Finding(
        verdict=exponent.verdict,
        decided=exponent.reason,
        checkpoints=np.asarray(exponent.points),
        mean=np.asarray(exponent.levels),
        seeds=seeds,
        exponent=exponent,
        support="asymptotic",
        unseen=laboratory.protocol.unseen(seeds),
    )
