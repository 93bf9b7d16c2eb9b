"""The ways in which a claim is checked; each turns an experiment or a computation into a finding.

Sampled: `UpperBound`, `PathwiseLowerBound`, `SampledIdentity`, `Law`, `Passage`, `Rate`,
`Minimizer`.
Exact: `ExactIdentity`, `ExactInequality`, `ExactLowerBound`, `ExactScaling`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .claim import Finding
from .exponents import Exponent, law_exponent, rate_exponent, scaling_exponent
from .laboratory import Laboratory
from .log_log import Relation
from .simulation import Experiment
from .verdict import Decision, assess_pathwise, decide, identity_z

__all__ = [
    "ExactIdentity",
    "ExactInequality",
    "ExactLowerBound",
    "ExactScaling",
    "Law",
    "Minimizer",
    "Passage",
    "PathwiseLowerBound",
    "Rate",
    "SampledIdentity",
    "UpperBound",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UpperBound:
    """E[metric_k] <= bound_k at every checkpoint: refuted by an e-value, supported by limits.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        bound: shape (checkpoints,), positive.
        lower_bound: a curve from below for the figure, shape (checkpoints,).
        last_only: the bound speaks of the last checkpoint alone; its shape is (1,).
        uncertainty: half-width of what the metric rests on, such as f*; it must be far below the
            smallest mean that is measured.
    """

    experiment: Experiment
    metric: str
    bound: ArrayLike
    lower_bound: ArrayLike | None = None
    last_only: bool = False
    uncertainty: float = 0.0

    name = "e-value"

    def run(self, laboratory: Laboratory) -> Finding:
        """Adds seeds until decided."""
        points = self.experiment.checkpoints[-1:] if self.last_only else self.experiment.checkpoints
        bound = _positive_bound(self.bound, self.experiment, len(points))

        def ratios(first: int, count: int) -> Array:
            sample = laboratory.sample(self.experiment, first, count)[self.metric]
            table = sample[:, -len(points) :] / bound
            if not np.all(np.isfinite(table)):
                raise _Diverged
            return table

        try:
            verdict, table = decide(ratios, laboratory.seeds, alpha=laboratory.alpha)
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
            decided=_named(verdict.reason, points),
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
            gradient_calls=_calls(laboratory, self.experiment, len(table)),
        )


@dataclass(frozen=True, eq=False)
class PathwiseLowerBound:
    """metric_k >= bound_k on every path: one path below refutes.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        bound: shape (checkpoints,), positive.
    """

    experiment: Experiment
    metric: str
    bound: ArrayLike

    name = "pathwise"

    def run(self, laboratory: Laboratory) -> Finding:
        """Looks at every path."""
        bound = _positive_bound(self.bound, self.experiment, len(self.experiment.checkpoints))
        paths = laboratory.sample(self.experiment, 0, laboratory.seeds)[self.metric]
        verdict = assess_pathwise(paths / bound)
        return Finding(
            verdict=verdict.verdict,
            decided=_named(verdict.reason, self.experiment.checkpoints),
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
            gradient_calls=_calls(laboratory, self.experiment, len(paths)),
        )


@dataclass(frozen=True, eq=False)
class SampledIdentity:
    """E[left - right] = 0 at every checkpoint, tested seed by seed with |z| < 4.

    Args:
        experiment: where both sides are observed.
        left, right: functions of the metrics, each result of shape (seeds, checkpoints).
        looks: the number of seeds is this many times the laboratory's.
    """

    experiment: Experiment
    left: Callable[[Mapping[str, Array]], Array]
    right: Callable[[Mapping[str, Array]], Array]
    looks: int = 4

    name = "z-test"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares the sides seed by seed."""
        seeds = self.looks * laboratory.seeds
        metrics = laboratory.sample(self.experiment, 0, seeds)
        left, right = self.left(metrics), self.right(metrics)
        left, right = np.broadcast_arrays(left, right)
        test = identity_z(left - right)
        error = left.std(axis=0, ddof=1) / np.sqrt(seeds)
        mean, exact = left.mean(axis=0), right.mean(axis=0)
        ratio = mean / exact
        worst = int(np.argmax(np.abs(ratio - 1)))
        return Finding(
            verdict=test.verdict,
            decided=f"{test.reason}; measured / exact = {ratio[worst]:.4f} where farthest from 1",
            checkpoints=np.asarray(self.experiment.checkpoints, dtype=np.float64),
            mean=mean,
            lower=mean - 3 * error,
            upper=mean + 3 * error,
            bound=exact,
            seeds=seeds,
            tightness=float(ratio[worst]),
            tightness_lower=float((ratio - 3 * error / exact)[worst]),
            tightness_upper=float((ratio + 3 * error / exact)[worst]),
            gradient_calls=_calls(laboratory, self.experiment, seeds),
        )


@dataclass(frozen=True, eq=False)
class ExactIdentity:
    """measured = exact in every case, to a relative tolerance; nothing is sampled.

    Args:
        compute: returns (measured, exact), each of shape (cases,).
        tolerance: relative to the largest exact value.
        what: what was enumerated, for the report.
    """

    compute: Callable[[], tuple[ArrayLike, ArrayLike]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"

    name = "exact enumeration"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, exact = (np.asarray(side, dtype=np.float64) for side in self.compute())
        _require_finite(measured, exact)
        scale = np.max(np.abs(exact))
        deviation = np.abs(measured - exact) / scale
        worst = int(np.argmax(deviation))
        holds = bool(deviation[worst] <= self.tolerance)
        relation = "<=" if holds else ">"
        return Finding(
            verdict="CONSISTENT" if holds else "REFUTED",
            decided=(
                f"{self.what}: largest relative deviation {deviation[worst]:.2g} {relation} "
                f"{self.tolerance:.0e} over {len(exact)} cases"
            ),
            checkpoints=np.arange(1.0, len(exact) + 1),
            mean=measured,
            bound=exact,
        )


_STATES_KEPT = 60


@dataclass(frozen=True, eq=False)
class ExactInequality:
    """measured <= bound in every case, by enumeration of all outcomes.

    All cases decide; those closest to the bound are kept for the record, the closest first.

    Args:
        compute: returns (measured, bound), each of shape (cases,).
        tolerance: relative to the largest bound.
        what: what was enumerated, for the report.
    """

    compute: Callable[[], tuple[ArrayLike, ArrayLike]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"

    name = "exact enumeration"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, bound = (np.asarray(side, dtype=np.float64) for side in self.compute())
        _require_finite(measured, bound)
        excess = (measured - bound) / np.max(np.abs(bound))
        return _at_the_closest(
            measured, bound, measured / bound, violated=excess > self.tolerance, what=self.what
        )


@dataclass(frozen=True, eq=False)
class ExactLowerBound:
    """measured >= bound in every case, without sampling.

    All cases decide; those closest to the bound are kept for the record, the closest first.

    Args:
        compute: returns (measured, bound), each of shape (cases,), no bound negative. A bound of
            zero is met by every case and not kept.
        tolerance: relative to the largest bound.
        what: what was computed, for the report.
    """

    compute: Callable[[], tuple[ArrayLike, ArrayLike]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"

    name = "exact bound from below"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, bound = (np.asarray(side, dtype=np.float64) for side in self.compute())
        _require_finite(measured, bound)
        below = (bound - measured) / np.max(bound) > self.tolerance
        ratio = np.full_like(measured, np.inf)
        np.divide(measured, bound, out=ratio, where=bound > 0)
        return _at_the_closest(
            measured, bound, ratio, violated=below, what=self.what, from_below=True
        )


def _at_the_closest(
    measured: Array,
    bound: Array,
    ratio: Array,
    *,
    violated: NDArray[np.bool_],
    what: str,
    from_below: bool = False,
) -> Finding:
    """The finding on all cases, with those kept whose ratio to a bound is closest to violation."""
    order = np.argsort(ratio if from_below else -ratio)
    closest = order[bound[order] != 0][:_STATES_KEPT]
    extreme = ratio[closest[0]]
    detectable = float(extreme if from_below else 1 / extreme)
    return Finding(
        verdict="REFUTED" if np.any(violated) else "CONSISTENT",
        decided=(
            f"{what}: measured / bound is at {'least' if from_below else 'most'} {extreme:.6f} "
            f"over {len(bound)} cases"
            + (f"; {int(np.sum(violated))} violate it" if np.any(violated) else "")
        ),
        checkpoints=np.arange(1.0, len(closest) + 1),
        mean=measured[closest],
        bound=bound[closest],
        tightness=float(extreme),
        detectable_factor=detectable,
        vacuous=bool(detectable > 10),
    )


@dataclass(frozen=True, eq=False)
class ExactScaling:
    """measured(theta) / measured(1) = theta^q on the same random numbers, to a tolerance.

    Args:
        compute: runs in the laboratory; returns (theta, measured), of shapes (values,) and
            (values, quantities); theta contains 1.
        exponents: q of each quantity, shape (quantities,).
        tolerance: relative.
    """

    compute: Callable[[Laboratory], tuple[ArrayLike, ArrayLike]]
    exponents: Sequence[float]
    tolerance: float = 1e-9

    name = "exact scaling"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all quantities at all values of the constant."""
        theta, table = (np.asarray(side, dtype=np.float64) for side in self.compute(laboratory))
        _require_finite(theta, table)
        reference = table[int(np.argmin(np.abs(theta - 1)))]
        exact = reference * theta[:, None] ** np.asarray(self.exponents)
        deviation = np.abs(table - exact) / np.abs(exact)
        worst = float(deviation.max())
        holds = worst <= self.tolerance
        slope = float(np.polyfit(np.log(theta), np.log(table[:, 0]), 1)[0])
        first = float(self.exponents[0])
        return Finding(
            verdict="CONSISTENT" if holds else "REFUTED",
            decided=(
                f"largest relative deviation from the power law {worst:.2g} "
                f"{'<=' if holds else '>'} {self.tolerance:.0e} over {table.size} quantities"
            ),
            checkpoints=theta,
            mean=table[:, 0],
            exponent=Exponent(
                verdict="CONSISTENT" if holds else "REFUTED",
                reason="exact",
                value=slope,
                lower=slope,
                upper=slope,
                outer_lower=slope,
                outer_upper=slope,
                stated=first,
                reference=first,
                window=(float(theta.min()), float(theta.max())),
                points=theta,
                levels=table[:, 0],
            ),
        )


@dataclass(frozen=True, eq=False)
class Law:
    """mean metric ~ theta^q: one experiment for each theta, common replicate indices.

    Args:
        theta: the varied constant, at least 5 values over 1.5 decades.
        experiments: one for each value; the last checkpoint counts.
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

    name = "exponent with interval"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the exponent."""
        seeds = self.looks * laboratory.seeds
        values = np.stack(
            [laboratory.sample(e, 0, seeds)[self.metric][:, -1] for e in self.experiments]
        )
        exponent = law_exponent(self.theta, values, stated=self.stated, relation=self.relation)
        return _exponent_finding(exponent, seeds)


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

    name = "exponent with interval"

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
        return _exponent_finding(exponent, seeds)


@dataclass(frozen=True, eq=False)
class Rate:
    """The mean metric falls at least as fast as k^(-stated) over a window.

    Args:
        experiment: where the metric is observed.
        metric: its name there.
        stated: the exponent.
        window: (k0, k1).
        looks: the number of seeds is this many times the laboratory's.
    """

    experiment: Experiment
    metric: str
    stated: float
    window: tuple[float, float]
    looks: int = 4

    name = "exponent with interval"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the exponent."""
        seeds = self.looks * laboratory.seeds
        values = laboratory.sample(self.experiment, 0, seeds)[self.metric]
        exponent = rate_exponent(
            self.experiment.checkpoints,
            values,
            stated=self.stated,
            window=self.window,
        )
        return _exponent_finding(exponent, seeds)


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

    name = "minimizer over resamples"

    def run(self, laboratory: Laboratory) -> Finding:
        """Resamples the seeds."""
        seeds = self.looks * laboratory.seeds
        sample = laboratory.sample(self.experiment, 0, seeds)
        theta = np.asarray(self.theta, dtype=np.float64)
        values = np.stack(
            [sample[f"{self.metric}@{j}"].mean(axis=1) for j in range(len(theta))], axis=1
        )
        generator = np.random.default_rng(0)
        weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=1000) / seeds
        means = weights @ values
        best = theta[np.argmin(means, axis=1)]
        share = float(np.mean((best >= self.window[0]) & (best <= self.window[1])))
        verdict: Decision = "INCONCLUSIVE"
        if share >= 0.99:
            verdict = "CONSISTENT"
        elif share <= 0.01:
            verdict = "REFUTED"
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
        )


class _Diverged(Exception):
    """A metric is not finite."""


def _diverged(points: Sequence[int], bound: Array) -> Finding:
    """A metric that is not finite is above every bound: its mean is."""
    return Finding(
        verdict="REFUTED",
        decided="the metric is not finite in some of the seeds",
        checkpoints=np.asarray(points, dtype=np.float64),
        mean=np.full(len(points), np.nan),
        bound=bound,
    )


def _named(reason: str, points: Sequence[int]) -> str:
    """The reason with the step in place of the checkpoint's index."""
    return re.sub(r"checkpoint (\d+)", lambda found: f"k = {points[int(found[1])]}", reason)


def _exponent_finding(exponent: Exponent, seeds: int) -> Finding:
    return Finding(
        verdict=exponent.verdict,
        decided=exponent.reason,
        checkpoints=np.asarray(exponent.points),
        mean=np.asarray(exponent.levels),
        seeds=seeds,
        exponent=exponent,
    )


def _positive_bound(bound: ArrayLike, experiment: Experiment, points: int) -> Array:
    values = np.asarray(bound, dtype=np.float64)
    if values.shape != (points,) or not np.all(values > 0):
        raise ValueError(
            f"the bound of {experiment.name} must be positive at each of its {points} "
            f"checkpoints, got {values}"
        )
    return values


def _require_finite(*tables: Array) -> None:
    if not all(np.all(np.isfinite(table)) for table in tables):
        raise ValueError("a computed quantity is not finite")


def _calls(laboratory: Laboratory, experiment: Experiment, seeds: int) -> float | None:
    calls = laboratory.sample(experiment, 0, seeds).get("gradient_calls")
    return None if calls is None else float(calls[:, -1].mean())
