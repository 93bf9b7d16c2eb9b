# SPDX-License-Identifier: Apache-2.0
"""Whether a mean difference is 0: a z-test that allows for seeds unseen, or a bet where it can."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .betting import log_wealth
from .evidence import Array, is_constant
from .protocol import Protocol

__all__ = ["IdentityTest", "identity_test"]

_DEFAULT = Protocol()


@dataclass(frozen=True, eq=False)
class IdentityTest:
    """Outcome of `identity_test`.

    Attributes:
        verdict: CONSISTENT, REFUTED, or INCONCLUSIVE where a few seeds like the farthest one, or
            seeds that are rarer than any seen, would change the matter.
        reason: one sentence with the quantity that decided.
        z: standard score of that quantity, signed; infinite where its seeds agree.
        mean: its mean difference.
        standard_error: of that mean.
        resolves: the smallest mean difference that would have had |z| = max_z, of each quantity.
        suspect: whether |z| is at least max_z, of each quantity.
        refuted: whether a quantity refutes by itself; where a range is declared, all do or none.
        log_e_value: logarithm of the e-value where a range is declared, else None.
    """

    verdict: Literal["REFUTED", "CONSISTENT", "INCONCLUSIVE"]
    reason: str
    z: float
    mean: float
    standard_error: float
    resolves: Array
    suspect: NDArray[np.bool_]
    refuted: NDArray[np.bool_]
    log_e_value: float | None = None


def identity_test(
    differences: ArrayLike,
    *,
    within: tuple[ArrayLike, ArrayLike] | None = None,
    tolerance: float = 1e-12,
    protocol: Protocol = _DEFAULT,
) -> IdentityTest:
    r"""Two-sided test of E[left - right] = 0 from seed-wise differences.

    The t statistic mean / (sd / sqrt(S)) is turned into the normal score z of the same tail
    probability, so that few seeds do not reject too often. A quantity is suspect if |z| is at
    least `max_z`. With skewed differences that alone refutes true identities far too often: the
    seeds that would pull the mean back are rare, and were not drawn. So a suspect quantity is

    - REFUTED if |z| is that large as well with ln(1 / alpha) seeds added to the sample, each like
      the one farthest on the other side of 0. So many of S + ln(1 / alpha) may belong to an event
      that S seeds have missed with probability alpha. Still asymptotic: an event may be larger
      than all that was seen.
    - INCONCLUSIVE otherwise, and where all seeds agree: then nothing is known of what is rarer.

    Where a range of the differences is declared, a bet against each side decides in the place of
    the second test: REFUTED iff an e-value reaches 1 / alpha, whatever the law.

    Args:
        differences: left - right, one row a seed, shape (seeds,) or (seeds, quantities).
        within: (lowest, highest) value that a difference can have, numbers or (quantities,).
        tolerance: a mean difference of at most this size is round-off, in the unit of the
            differences.
        protocol: alpha and max_z.

    Returns:
        The outcome for the quantity that decides: the most suspect one.

    Raises:
        ValueError: if there are fewer than 2 seeds, no quantities, values that are not finite, or
            values out of the declared range.

    Example:
        >>> differences = np.random.default_rng(0).normal(size=(200, 3))
        >>> identity_test(differences).verdict, identity_test(differences + 0.6).verdict
        ('CONSISTENT', 'REFUTED')
    """
    table = np.asarray(differences, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 1:
        raise ValueError(
            "differences must have shape (seeds,) or (seeds, quantities) with at least 2 seeds, "
            f"got {np.shape(differences)}"
        )
    if not np.all(np.isfinite(table)):
        raise ValueError("differences must be finite, got NaN or infinity")
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance must be at least 0, got {tolerance}")
    seeds = len(table)
    mean = table.mean(axis=0)
    error = table.std(axis=0, ddof=1) / math.sqrt(seeds)
    agree = is_constant(np.abs(table)) & (np.ptp(np.sign(table), axis=0) == 0)
    z = np.where(np.abs(mean) <= tolerance, 0.0, _score(mean, np.where(agree, 0.0, error), seeds))
    suspect = np.abs(z) >= protocol.max_z
    log_e = None
    if within is None:
        refuted = suspect & ~agree & (np.abs(_with_unseen(table, protocol)) >= protocol.max_z)
    else:
        each = _wealth(table, within, tolerance)
        # Two bets for each quantity; an average of e-values is an e-value.
        log_e = float(np.max(np.logaddexp.reduce(each, axis=1)) - math.log(each.shape[1]))
        refuted = np.full(z.shape, log_e >= -math.log(protocol.alpha))
    decisive = refuted if refuted.any() else suspect if suspect.any() else np.full(z.shape, True)
    worst = int(np.argmax(np.where(decisive, np.abs(z), -1.0)))
    verdict: Literal["REFUTED", "CONSISTENT", "INCONCLUSIVE"]
    verdict = "REFUTED" if refuted.any() else "INCONCLUSIVE" if suspect.any() else "CONSISTENT"
    how = ""
    if verdict == "INCONCLUSIVE" and agree[worst]:
        how = ", but all seeds agree: of rarer ones nothing is known"
    elif verdict == "INCONCLUSIVE":
        how = ", but seeds as rare as those unseen might change that"
    elif log_e is not None:
        how = f", e-value {math.exp(min(log_e, 700.0)):.3g} within the declared range"
    sign = ">=" if suspect[worst] else "<"
    return IdentityTest(
        verdict=verdict,
        reason=f"|z| = {abs(z[worst]):.2f} {sign} {protocol.max_z:g} for quantity {worst}: mean "
        f"difference {mean[worst]:.3g} +- {error[worst]:.2g} over {seeds} seeds{how}",
        z=float(z[worst]),
        mean=float(mean[worst]),
        standard_error=float(error[worst]),
        resolves=protocol.max_z * error,
        suspect=suspect,
        refuted=refuted,
        log_e_value=log_e,
    )


def _score(mean: Array, error: Array, seeds: float) -> Array:
    spread = error > 0.0
    t = np.where(spread, np.abs(mean) / np.where(spread, error, 1.0), np.inf)
    return np.asarray(np.copysign(stats.norm.isf(stats.t.sf(t, df=seeds - 1)), mean))


def _with_unseen(table: Array, protocol: Protocol) -> Array:
    """The score with ln(1 / alpha) seeds more, each like the farthest one on the other side of 0.

    0 where they take the mean to that side.
    """
    more = -math.log(protocol.alpha)
    seeds = len(table) + more
    sign = np.sign(table.mean(axis=0))
    towards = table * sign  # the mean is above 0
    farthest = np.minimum(towards.min(axis=0), 0.0)
    mean = (towards.sum(axis=0) + more * farthest) / seeds
    square = (np.square(towards).sum(axis=0) + more * np.square(farthest)) / seeds
    variance = np.maximum(square - mean**2, 0.0) / (1.0 - 1.0 / seeds)
    kept = mean > 0.0
    score = _score(np.where(kept, mean, 0.0), np.sqrt(variance / seeds), seeds)
    return np.asarray(np.where(kept, sign * np.where(kept, score, 0.0), 0.0))


def _wealth(table: Array, within: tuple[ArrayLike, ArrayLike], tolerance: float) -> Array:
    """Log wealth of the bets that a mean is above 0 and below it, (seeds, 2 * quantities)."""
    low, high = (
        np.broadcast_to(np.asarray(end, dtype=np.float64), table.shape[1:]) for end in within
    )
    slack = tolerance + 1e-9 * (high - low)
    if not np.all((table >= low - slack) & (table <= high + slack)):
        raise ValueError(
            f"differences must lie within the declared range from {within[0]} to {within[1]}, got "
            f"{table.min():g} to {table.max():g}"
        )
    # A range that touches 0 allows no mean but 0 with differences on its other side.
    above = table / np.maximum(-low, slack)
    below = -table / np.maximum(high, slack)
    return log_wealth(np.maximum(np.hstack([above, below]), -1.0))
