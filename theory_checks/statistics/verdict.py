# SPDX-License-Identifier: Apache-2.0
"""From samples of metric / bound to a verdict on "E[metric] <= bound at every checkpoint".

Refuting and supporting are two questions with two tools. An e-value refutes: it is valid for any
tail, any dependence between checkpoints and any rule for stopping. Upper limits support. Where the
metric has a cap they hold for every law, too (`betting`); where it has none, or where its cap is
too far above the bound to help, they are bootstrap-t limits and asymptotic, because no upper limit
for an unbounded mean can hold for every law.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .betting import capped_upper_limits
from .evidence import (
    MIN_SEEDS,
    ROUND_OFF,
    Array,
    column_scale,
    hill_index,
    is_constant,
    log_e_process,
    mean_limits,
)
from .protocol import Protocol

__all__ = [
    "Decision",
    "Verdict",
    "assess",
    "assess_pathwise",
    "decide",
]

Decision = Literal["REFUTED", "CONSISTENT", "INCONCLUSIVE"]

_DEFAULT = Protocol()
_HILL_MIN_SEEDS = 200
_HILL_ALARM_BELOW = 2.5


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the replicates say about one claim.

    With Z[r, k] = metric / bound of replicate r at checkpoint k:

    Attributes:
        verdict: REFUTED (the e-value reached 1 / alpha), CONSISTENT (an upper limit is at most 1 at
            every checkpoint, without a tail alarm where it is asymptotic) or INCONCLUSIVE.
        reason: one sentence: which check decided, and where.
        log_e_value: natural logarithm of the largest e-value over the seeds so far.
        tightness: max_k mean_r Z[r, k] (min over paths and checkpoints for a pathwise bound).
        tightness_lower: lower limit of the mean at the checkpoint where it is largest.
        tightness_upper: largest upper limit; it covers max_k E Z at the stated confidence.
        detectable_factor: smallest c >= 0 such that the same data refute bound / c; infinity where
            none does (Z = 0 everywhere). For a pathwise lower bound, bound * c.
        vacuous: the run could not have failed for a tenfold mistake: every upper limit is below
            0.1, or the detectable factor above 10 (noisy limits must not hide slackness).
        mean: mean over seeds, shape (checkpoints,).
        lower: one-sided lower confidence limits of the mean, (checkpoints,), clipped at 0.
        upper: one-sided asymptotic upper limits of the mean, (checkpoints,); infinite where the
            seeds allow none.
        finite_upper: upper limits that hold for every law, (checkpoints,); None without a cap.
        support: which limits are at most 1: "finite-sample", "asymptotic", "certain", or several
            joined by " and ".
        tail_alarm: pairs (checkpoint index, why) where the largest seeds carry too much.
        seeds: number of replicates.
    """

    verdict: Decision
    reason: str
    log_e_value: float
    tightness: float
    tightness_lower: float
    tightness_upper: float
    detectable_factor: float
    vacuous: bool
    mean: Array
    lower: Array
    upper: Array
    tail_alarm: tuple[tuple[int, str], ...]
    seeds: int
    finite_upper: Array | None = None
    support: str = "asymptotic"

    @property
    def e_value(self) -> float:
        """The largest e-value, infinite where it overflows (`log_e_value` does not)."""
        return math.exp(self.log_e_value) if self.log_e_value < 709.0 else math.inf


TOLERANCE = 1e-9
"""Round-off of a ratio that is not left to chance."""


def assess(
    ratios: ArrayLike,
    alpha: float = _DEFAULT.alpha,
    *,
    confidence: float = _DEFAULT.confidence,
    resamples: int = _DEFAULT.resamples,
    vacuous: float = _DEFAULT.vacuous,
    seed: int = 0,
    points: Sequence[float] | None = None,
    cap: ArrayLike | None = None,
    certain: int = 0,
    support_error: float = _DEFAULT.support_error,
) -> Verdict:
    """Verdict on the claim E Z[., k] <= 1 at every checkpoint k.

    REFUTED iff max_n e_n >= 1 / alpha (`log_e_process`), or Z > 1 beyond round-off where all seeds
    agree by construction, and nothing is left to chance. Otherwise CONSISTENT iff at every
    checkpoint one of these is at most 1: the limit that the cap gives (`capped_upper_limits`), or
    the bootstrap-t limit (`mean_limits`) without a tail alarm. Every checkpoint has to pass, so
    none is corrected for their number. A tail alarm sounds at k where

    - upper_k + max_r Z[r, k] / S > 1: one more seed like the largest would change the verdict;
    - from 200 seeds on, the Hill index a of the top tenth is below 2.5 and
      upper_k + (max_r Z[r, k] / S) a / (a - 1) > 1: that is how much of the mean a Pareto tail of
      index a leaves beyond the largest of S samples (all of it for a <= 1). The index alone would
      not do: the top tenth of squared normal variables has index 2.4.

    Where all seeds agree there is no asymptotic limit, unless that is declared (`certain`).

    Args:
        ratios: Z = metric / bound, shape (seeds, checkpoints), in the order in which the seeds
            were drawn. Seeds are independent, checkpoints may depend on each other in any way.
        alpha: probability of refuting a true claim, at most.
        confidence: one-sided level of the limits that support the claim.
        resamples: number of bootstrap resamples.
        vacuous: a bound is vacuous if one so many times smaller would have passed as well.
        seed: seed of the resampling.
        points: the steps k of the checkpoints, for the reason; their numbers if None.
        cap: the largest value that a ratio can have, a number or shape (checkpoints,); None if it
            has none.
        certain: at so many of the first checkpoints all seeds agree, by construction.
        support_error: probability that the limit of a capped mean is ever wrong, at most.

    Returns:
        The verdict with its evidence.

    Raises:
        ValueError: if `ratios` is not a non-empty table of finite numbers >= 0 (to round-off), one
            is above its cap, seeds differ at a checkpoint declared certain, or `alpha`,
            `confidence` or `resamples` are out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> ratios = 0.5 * rng.exponential(size=(64, 20))
        >>> assess(ratios).verdict, assess(4.0 * ratios).verdict
        ('CONSISTENT', 'REFUTED')
        >>> factor = assess(ratios).detectable_factor
        >>> print(f"these runs would have caught a bound {factor:.1f}x smaller")
        these runs would have caught a bound 2.9x smaller
    """
    table = _table(ratios)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in (0, 1), got {alpha}")
    seeds = len(table)
    scale = column_scale(table)
    mean = scale * (table / scale).mean(axis=0)
    lower, upper = mean_limits(
        table, confidence=confidence, resamples=resamples, seed=seed, certain=certain
    )
    finite = None if cap is None else capped_upper_limits(table, cap, error=support_error)
    log_e = log_e_process(table)
    alarms = _tail_alarms(table, upper)

    fixed = np.arange(table.shape[1]) < certain
    proved = np.full(len(mean), False) if finite is None else finite <= 1.0 + ROUND_OFF
    proved = proved & ~fixed
    below = upper <= 1.0 + ROUND_OFF
    alarmed = [alarm for alarm in alarms if not proved[alarm[0]]]
    support = _support(proved, fixed)

    verdict: Decision
    threshold = -math.log(alpha)
    crossed = np.flatnonzero(log_e >= threshold)
    known = float(mean[fixed].max()) if fixed.any() else 0.0
    above = np.flatnonzero(~(proved | below))
    if known > 1.0 + TOLERANCE:
        verdict = "REFUTED"
        worst = int(np.argmax(np.where(fixed, mean, -np.inf)))
        reason = (
            f"measured / bound = {known:.6g} > 1 at {_at(worst, points)}, where all seeds agree by "
            "construction"
        )
    elif crossed.size:
        verdict = "REFUTED"
        reason = (
            f"e-value {_format_exp(log_e[crossed[0]])} >= {1 / alpha:g} after "
            f"{crossed[0] + 1} seeds"
        )
    elif seeds < MIN_SEEDS and not proved.all():
        verdict = "INCONCLUSIVE"
        reason = f"an upper limit needs at least {MIN_SEEDS} seeds, got {seeds}"
    elif above.size:
        verdict = "INCONCLUSIVE"
        worst = int(above[np.argmax(upper[above])])
        reason = f"upper limit {upper[worst]:.3g} > 1 at {_at(worst, points)}"
        if is_constant(table)[worst]:
            reason += ", where all seeds agree and nothing is declared of rarer ones"
    elif alarmed:
        verdict = "INCONCLUSIVE"
        reason = f"tail alarm at {_at(alarmed[0][0], points)}: {alarmed[0][1]}"
    else:
        verdict = "CONSISTENT"
        limits = upper if finite is None else np.where(proved, finite, upper)
        worst = int(np.argmax(limits))
        reason = (
            f"largest upper limit {limits[worst]:.3g} <= 1 at {_at(worst, points)} ({support}, "
            f"{seeds} seeds)"
        )
    tightest = int(np.argmax(mean))
    detectable = _detectable_factor(table, threshold)
    if known > 0.0:
        detectable = min(detectable, (1.0 + TOLERANCE) / known)
    return Verdict(
        verdict=verdict,
        reason=reason,
        log_e_value=float(log_e.max()),
        tightness=float(mean[tightest]),
        tightness_lower=float(lower[tightest]),
        tightness_upper=float(upper.max()),
        detectable_factor=detectable,
        vacuous=bool(np.all(upper < 1 / vacuous) or detectable > vacuous),
        mean=mean,
        lower=lower,
        upper=upper,
        tail_alarm=alarms,
        seeds=seeds,
        finite_upper=finite,
        support=support,
    )


def _support(proved: NDArray[np.bool_], fixed: NDArray[np.bool_]) -> str:
    """Which kinds of limits speak at the checkpoints, the strongest first."""
    kinds = (
        ("finite-sample", proved),
        ("asymptotic", ~proved & ~fixed),
        ("certain", fixed),
    )
    return " and ".join(name for name, where in kinds if where.any())


def decide(
    draw: Callable[[int, int], ArrayLike],
    seeds: int,
    *,
    protocol: Protocol = _DEFAULT,
    seed: int = 0,
    points: Sequence[float] | None = None,
    cap: ArrayLike | None = None,
    certain: int = 0,
) -> tuple[Verdict, Array]:
    """Add seeds until decided: looks at S, 2S, 4S, ... replicates, going on when INCONCLUSIVE.

    The e-value runs over all seeds in their order, so every look is covered by the one alpha. The
    support is asked once a look; four looks at the default 98.75% make a nominal 5% of false
    support at the boundary (simulated: 2-4% for exponential to log-normal(1) tails, about 10% for
    log-normal(1.5)). Replicates are only ever added: none is drawn again.

    Args:
        draw: `draw(first, count)` returns Z of replicates first, ..., first + count - 1, shape
            (count, checkpoints).
        seeds: S, the replicates of the first look, at least 1.
        protocol: the probabilities, and how many looks there are at most.
        seed: seed of the resampling.
        points: the steps k of the checkpoints, for the reason.
        cap: of the ratios, as for `assess`.
        certain: as for `assess`.

    Returns:
        The last look's verdict, and all ratios drawn, shape (seeds, checkpoints).

    Raises:
        ValueError: if `seeds` is out of range, `draw` returns a table of the wrong shape, or
            `assess` finds the ratios unusable.

    Example:
        >>> verdict, ratios = decide(lambda first, count: np.full((count, 1), 0.9), 32, certain=1)
        >>> verdict.verdict, ratios.shape
        ('CONSISTENT', (32, 1))
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    ratios = _drawn(draw, 0, seeds)
    for look in range(1, protocol.looks + 1):
        verdict = assess(
            ratios,
            protocol.alpha,
            confidence=protocol.confidence,
            resamples=protocol.resamples,
            vacuous=protocol.vacuous,
            seed=seed,
            points=points,
            cap=cap,
            certain=certain,
            support_error=protocol.support_error,
        )
        if verdict.verdict != "INCONCLUSIVE" or look == protocol.looks:
            break
        more = _drawn(draw, len(ratios), len(ratios))
        if more.shape[1] != ratios.shape[1]:
            raise ValueError(
                f"draw must keep its {ratios.shape[1]} checkpoints, got {more.shape[1]}"
            )
        ratios = np.concatenate([ratios, more])
    return verdict, ratios


def assess_pathwise(
    ratios: ArrayLike,
    *,
    tolerance: float = TOLERANCE,
    vacuous: float = _DEFAULT.vacuous,
    points: Sequence[float] | None = None,
) -> Verdict:
    """Verdict on a pathwise lower bound, metric >= bound on every path at every checkpoint.

    One path with Z < 1 - tolerance refutes, without any probability: its e-value is infinite.
    Paths that keep the bound do not contradict it, and the e-value stays 1. VACUOUS means that
    every path lies above ten times the bound.

    Args:
        ratios: Z = metric / bound (as for `assess`, and not its inverse), shape
            (paths, checkpoints).
        tolerance: relative round-off allowed, in [0, 1).
        vacuous: a bound is vacuous if one so many times larger would have passed as well.
        points: the steps k of the checkpoints, for the reason; their numbers if None.

    Returns:
        The verdict; `lower` and `upper` are the smallest and largest Z among the paths, and
        `tightness` the smallest of all.

    Raises:
        ValueError: if `ratios` is not a non-empty table of finite numbers >= 0, or `tolerance` is
            out of range.

    Example:
        >>> assess_pathwise([[1.0, 1.5], [1.2, 0.9]]).reason
        'metric is 0.9 of its lower bound on path 1 at checkpoint 1'
    """
    table = _table(ratios)
    if not 0.0 <= tolerance < 1.0:
        raise ValueError(f"tolerance must lie in [0, 1), got {tolerance}")
    lower, upper = table.min(axis=0), table.max(axis=0)
    scale = column_scale(table)
    worst = float(table.min())
    path, checkpoint = np.unravel_index(int(np.argmin(table)), table.shape)
    where = f"of its lower bound on path {path} at {_at(int(checkpoint), points)}"
    refuted = worst < 1.0 - tolerance
    return Verdict(
        verdict="REFUTED" if refuted else "CONSISTENT",
        reason=f"metric is {worst:.6g} {where}"
        if refuted
        else f"no path is below: metric is at least {worst:.6g} {where}",
        log_e_value=math.inf if refuted else 0.0,
        tightness=worst,
        tightness_lower=worst,
        tightness_upper=worst,
        detectable_factor=float(np.nextafter(worst / (1.0 - tolerance), np.inf)),
        vacuous=bool(np.all(lower > vacuous)),
        mean=scale * (table / scale).mean(axis=0),
        lower=lower,
        upper=upper,
        tail_alarm=(),
        seeds=len(table),
    )


def _at(checkpoint: int, points: Sequence[float] | None) -> str:
    return f"checkpoint {checkpoint}" if points is None else f"k = {points[checkpoint]}"


def _table(ratios: ArrayLike) -> Array:
    """Z as float64 with its round-off below 0 clipped; anything worse is an error."""
    table = np.array(ratios, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(
            f"ratios must be a non-empty table of shape (seeds, checkpoints), got {table.shape}"
        )
    bad = ~np.isfinite(table) | (table < -ROUND_OFF)
    if bad.any():
        seed, checkpoint = np.argwhere(bad)[0]
        raise ValueError(
            f"ratios must be finite and >= 0 (to round-off, {ROUND_OFF:g}), got "
            f"{table[seed, checkpoint]} at seed {seed}, checkpoint {checkpoint} "
            f"({int(bad.sum())} such values)"
        )
    return np.maximum(table, 0.0)


def _drawn(draw: Callable[[int, int], ArrayLike], first: int, count: int) -> Array:
    rows = np.asarray(draw(first, count), dtype=np.float64)
    if rows.ndim != 2 or len(rows) != count:
        raise ValueError(f"draw({first}, {count}) must return {count} rows, got shape {rows.shape}")
    return rows


def _tail_alarms(table: Array, upper: Array) -> tuple[tuple[int, str], ...]:
    seeds = len(table)
    share = table.max(axis=0) / seeds
    alarms = []
    for k in np.flatnonzero(~is_constant(table)):
        if upper[k] + share[k] > 1.0:
            alarms.append(
                (int(k), f"upper limit {upper[k]:.3g} plus largest seed's share {share[k]:.2g} > 1")
            )
        elif seeds >= _HILL_MIN_SEEDS and (index := hill_index(table[:, k])) < _HILL_ALARM_BELOW:
            unseen = share[k] * index / (index - 1.0) if index > 1.0 else math.inf
            if upper[k] + unseen > 1.0:
                alarms.append(
                    (
                        int(k),
                        f"upper limit {upper[k]:.3g} plus unseen tail {unseen:.2g} > 1 "
                        f"(Hill index {index:.2f})",
                    )
                )
    return tuple(alarms)


def _detectable_factor(table: Array, threshold: float) -> float:
    """Smallest c with max_n e_n(c Z) >= exp(threshold): e_n is non-decreasing in c."""
    top = float(table.max())
    if top == 0.0:
        return math.inf
    unit = table / top

    def refutes(factor: float) -> bool:
        return bool(log_e_process(factor * unit).max() >= threshold)

    high = 1.0
    while not refutes(high):
        high *= 2.0
    low = high / 2.0
    while refutes(low):
        low /= 2.0
    while high > low * (1.0 + 1e-9):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if refutes(middle) else (middle, high)
    # A subnormal ratio would need a factor beyond the largest float.
    return high / top if top > high / np.finfo(np.float64).max else math.inf


def _format_exp(log_value: float) -> str:
    exponent = math.floor(log_value / math.log(10.0))
    if abs(exponent) < 3:
        return f"{math.exp(log_value):.3g}"
    return f"{10.0 ** (log_value / math.log(10.0) - exponent):.1f}e{exponent:+03d}"
