"""Checks without chance: identities, inequalities and scalings, computed to round-off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..claim import Finding, Kind
from ..simulation.laboratory import Laboratory
from ..statistics.exponents import Exponent

__all__ = ["CLOSEST", "ExactIdentity", "ExactInequality", "ExactLowerBound", "ExactScaling"]

Array = NDArray[np.float64]

CLOSEST = "case, the closest to the bound first"
"""What the axis of the cases of an inequality shows."""


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

    kind: ClassVar[Kind] = "identity"
    name: ClassVar[str] = "exact enumeration"

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
        per_case: whether the tolerance is relative to each case's own bound instead, so that a
            large one hides no violation of a small one; no bound is 0 then.
    """

    compute: Callable[[], tuple[ArrayLike, ArrayLike]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"
    per_case: bool = False

    kind: ClassVar[Kind] = "one_step"
    name: ClassVar[str] = "exact enumeration"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, bound = (np.asarray(side, dtype=np.float64) for side in self.compute())
        _require_finite(measured, bound)
        excess = (measured - bound) / _scale(bound, per_case=self.per_case)
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
        per_case: whether the tolerance is relative to each case's own bound instead, so that a
            large one hides no violation of a small one; no bound is 0 then.
    """

    compute: Callable[[], tuple[ArrayLike, ArrayLike]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"
    per_case: bool = False

    kind: ClassVar[Kind] = "lower_bound"
    name: ClassVar[str] = "exact bound from below"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, bound = (np.asarray(side, dtype=np.float64) for side in self.compute())
        _require_finite(measured, bound)
        below = (bound - measured) / _scale(bound, per_case=self.per_case) > self.tolerance
        ratio = np.full_like(measured, np.inf)
        np.divide(measured, bound, out=ratio, where=bound > 0)
        return _at_the_closest(
            measured, bound, ratio, violated=below, what=self.what, from_below=True
        )


def _scale(bound: Array, *, per_case: bool) -> Array:
    """What a violation is measured in."""
    size = np.abs(bound)
    return size if per_case else np.max(size)


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

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "exact scaling"

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


def _require_finite(*tables: Array) -> None:
    if not all(np.all(np.isfinite(table)) for table in tables):
        raise ValueError("a computed quantity is not finite")
