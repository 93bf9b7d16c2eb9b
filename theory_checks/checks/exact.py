# SPDX-License-Identifier: Apache-2.0
"""Checks without chance: identities, inequalities and scalings, computed to round-off."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..claim import Finding, Kind
from ..simulation import Experiment
from ..simulation.laboratory import Laboratory
from ..statistics.exponents import Exponent
from .restatable import Says, numbers, other_exponents

__all__ = ["CLOSEST", "ExactIdentity", "ExactInequality", "ExactLowerBound", "ExactScaling"]

Array = NDArray[np.float64]

CLOSEST = "case, the closest to the bound first"
"""What the axis of the cases of an inequality shows."""


@dataclass(frozen=True, eq=False)
class _TwoSides(abc.ABC):
    """What was computed beside what the theorem says, in every case; nothing is sampled."""

    compute: Callable[[], tuple[ArrayLike, Says]]
    tolerance: float = 1e-10
    what: str = "every outcome enumerated"
    round_off: float = 0.0

    def experiments(self) -> Sequence[Experiment]:
        """None: all is computed."""
        return ()

    def means(self, laboratory: Laboratory, seeds: int | None) -> tuple[Array, Array]:
        """What was computed in each case; it has no error."""
        computed = np.asarray(self._computed[0], dtype=np.float64)
        return computed, np.zeros_like(computed)

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """What the theorem says of each case."""
        return numbers(self._computed[1])

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether a case violates it."""
        return bool(self._violated(*_sides(self._computed[0], said)).any())

    @cached_property
    def _computed(self) -> tuple[ArrayLike, Says]:
        return self.compute()

    @abc.abstractmethod
    def _violated(self, measured: Array, said: Array) -> NDArray[np.bool_]:
        """Which cases do."""

    def _allowed(self, said: Array) -> Array:
        return np.maximum(self.tolerance * np.abs(said), self.round_off)


@dataclass(frozen=True, eq=False)
class ExactIdentity(_TwoSides):
    """measured = exact in every case, to a tolerance of its own; nothing is sampled.

    Args:
        compute: returns (measured, exact), each of shape (cases,); what is exact may be a function
            of no arguments, which is asked anew whenever the theorem is restated.
        tolerance: relative to the exact value of each case.
        what: what was enumerated, for the report.
        round_off: by how much a case may be off whatever its size: the round-off of the terms
            that it is made of. A case that is exactly 0 needs it.
    """

    kind: ClassVar[Kind] = "identity"
    name: ClassVar[str] = "exact enumeration"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        measured, exact = _sides(self._computed[0], self.says(laboratory, None))
        off = np.abs(measured - exact)
        violated = self._violated(measured, exact)
        size = np.abs(exact)
        relative = np.full_like(off, np.inf)
        np.divide(off, size, out=relative, where=size > 0)
        judged = violated | (self.tolerance * size >= self.round_off) & (size > 0)
        worst = float(np.max(relative[judged])) if judged.any() else 0.0
        zeros = int(np.sum(~judged))
        return Finding(
            verdict="REFUTED" if violated.any() else "CONSISTENT",
            decided=(
                f"{self.what}: largest relative deviation {worst:.2g} "
                f"{'>' if violated.any() else '<='} {self.tolerance:.0e} over {len(exact)} cases"
                + (f", of which {zeros} are 0 to {self.round_off:.0e}" if zeros else "")
            ),
            checkpoints=np.arange(1.0, len(exact) + 1),
            mean=measured,
            bound=exact,
        )

    def _violated(self, measured: Array, said: Array) -> NDArray[np.bool_]:
        return np.asarray(np.abs(measured - said) > self._allowed(said))


_CASES_KEPT = 60


@dataclass(frozen=True, eq=False)
class ExactInequality(_TwoSides):
    """measured <= bound in every case, by enumeration of all outcomes.

    All cases decide, each to a tolerance of its own, so that a large bound hides no violation of a
    small one; those closest to the bound are kept for the record, the closest first.

    Args:
        compute: returns (measured, bound), each of shape (cases,); the bound may be a function of
            no arguments, which is asked anew whenever the theorem is restated.
        tolerance: relative to the bound of each case.
        what: what was enumerated, for the report.
        round_off: by how much a case may exceed its bound whatever its size: the round-off of the
            terms that it is made of. A bound that is exactly 0 needs it.
    """

    kind: ClassVar[Kind] = "one_step"
    name: ClassVar[str] = "exact enumeration"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        return _compared(self, laboratory, from_below=False)

    def _violated(self, measured: Array, said: Array) -> NDArray[np.bool_]:
        return np.asarray(measured - said > self._allowed(said))


@dataclass(frozen=True, eq=False)
class ExactLowerBound(_TwoSides):
    """measured >= bound in every case, without sampling.

    All cases decide, each to a tolerance of its own; those closest to the bound are kept for the
    record, the closest first.

    Args:
        compute: returns (measured, bound), each of shape (cases,); the bound may be a function of
            no arguments, which is asked anew whenever the theorem is restated.
        tolerance: relative to the bound of each case.
        what: what was computed, for the report.
        round_off: by how much a case may fall below its bound whatever its size: the round-off of
            the terms that it is made of.
    """

    kind: ClassVar[Kind] = "lower_bound"
    name: ClassVar[str] = "exact bound from below"

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares all cases."""
        return _compared(self, laboratory, from_below=True)

    def _violated(self, measured: Array, said: Array) -> NDArray[np.bool_]:
        return np.asarray(said - measured > self._allowed(said))


def _compared(check: _TwoSides, laboratory: Laboratory, *, from_below: bool) -> Finding:
    """The finding on all cases, with those kept whose ratio to the bound is closest to 1."""
    measured, bound = _sides(check._computed[0], check.says(laboratory, None))
    violated = check._violated(measured, bound)
    # What lies within round-off of 0 has no ratio, unless it violates the bound.
    size = np.abs(bound)
    judged = (bound != 0) & (violated | (check.tolerance * size >= check.round_off))
    if not judged.any() and not violated.any():
        raise ValueError(f"{check.what}: every bound is 0 to round-off, nothing can be compared")
    if not judged.any():
        judged = violated
    # measured / bound where the bound is positive; the same distance from 1 where it is negative.
    ratio = np.full_like(bound, -np.inf if from_below else np.inf)
    np.divide(measured - bound, size, out=ratio, where=size > 0)
    ratio = np.where(bound > 0, measured / np.where(bound > 0, bound, 1.0), 1 + ratio)
    order = np.argsort(ratio if from_below else -ratio, kind="stable")
    closest = order[judged[order]][:_CASES_KEPT]
    extreme = float(ratio[closest[0]])
    detectable = max(extreme, 0.0) if from_below else 1 / extreme if extreme > 0 else np.inf
    left_out = int(np.sum(~judged))
    return Finding(
        verdict="REFUTED" if violated.any() else "CONSISTENT",
        decided=(
            f"{check.what}: measured / bound is at {'least' if from_below else 'most'} "
            f"{extreme:.6f} over {len(bound)} cases"
            + (f", of which {left_out} are 0 to round-off" if left_out else "")
            + (f"; {int(np.sum(violated))} violate it" if violated.any() else "")
        ),
        checkpoints=np.arange(1.0, len(closest) + 1),
        mean=measured[closest],
        bound=bound[closest],
        tightness=extreme,
        detectable_factor=detectable,
        vacuous=bool(detectable > laboratory.protocol.vacuous),
    )


def _sides(measured: ArrayLike, said: ArrayLike) -> tuple[Array, Array]:
    """Both sides of every case, as a check may compare them."""
    left, right = np.asarray(measured, dtype=np.float64), np.asarray(said, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        raise ValueError(
            "compute must return two arrays of one shape (cases,) with at least one case, got "
            f"shapes {left.shape} and {right.shape}"
        )
    _require_finite(left, right)
    return left, right


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
        theta, table = (np.asarray(side, dtype=np.float64) for side in self._once(laboratory))
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

    def with_exponents(self) -> Mapping[str, "ExactScaling"]:
        """The same with each exponent wrong, alone."""
        return {
            f"{name} in place of {stated:g}": replace(
                self,
                compute=self._once,
                exponents=[other if one == stated else one for one in self.exponents],
            )
            for stated in dict.fromkeys(self.exponents)
            for name, other in other_exponents(stated).items()
        }

    @cached_property
    def _once(self) -> Callable[[Laboratory], tuple[ArrayLike, ArrayLike]]:
        return cache(self.compute)


def _require_finite(*tables: Array) -> None:
    if not all(np.all(np.isfinite(table)) for table in tables):
        raise ValueError("a computed quantity is not finite")
