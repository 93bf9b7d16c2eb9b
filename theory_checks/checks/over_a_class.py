# SPDX-License-Identifier: Apache-2.0
"""An exact run below a bound, and between the two the worst case over a class of problems."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..claim import Finding, Kind
from ..simulation.laboratory import Laboratory
from .restatable import Says, numbers

__all__ = ["WorstCaseBound"]

Array = NDArray[np.float64]

ROUND_OFF = 1e-9
SOLVED_TO = 1e-5
"""Relative: what a worst case may exceed a bound by before it refutes it."""


class OverAClass(Protocol):
    """The worst case, such as a `WorstCase`; exact where some problem attains it."""

    @property
    def value(self) -> float: ...

    @property
    def exact(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class WorstCaseBound:
    """measured <= worst case over the class <= bound, each where it is asked; nothing is sampled.

    A bound below the worst case is refuted without a run, one below what was measured by the run.
    The worst case needs the extra `pep`; without it the check is of the run alone, and says so.

    Args:
        measured: an exact run on one problem of the class: the metric after each number of steps.
        bound: what the theorem says of it.
        at: numbers of steps, or whatever is varied; each is a semidefinite program.
        worst: one of these -> the worst case over the class.
        over: the class, in words.
        what: the run, in words.
    """

    measured: Callable[[], ArrayLike]
    bound: Says
    at: tuple[float, ...]
    worst: Callable[[Any], OverAClass]
    over: str
    what: str = "exact run"

    kind: ClassVar[Kind] = "upper_bound"
    name: ClassVar[str] = "exact run, and the worst case over the class"

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """What the theorem says, asked for now."""
        return numbers(self.bound)

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether the run, or the worst case, exceeds it."""
        return bool(self._exceeded_by_run(said).any() or self._exceeded_by_worst(said).any())

    def run(self, laboratory: Laboratory) -> Finding:
        """Compares the three."""
        said, run = self.says(laboratory, None), self._run
        worst, note = self._worst
        by_run, by_worst = self._exceeded_by_run(said), self._exceeded_by_worst(said)
        ratios = run / said
        tightness = float(np.max(ratios))
        parts = [f"{self.what}: measured / bound is at most {tightness:.6f}"]
        if worst is not None:
            index = int(np.nanargmax(worst / said))
            parts.append(
                f"worst case over the class / bound is at most {worst[index] / said[index]:.6f}, "
                f"at {self.at[index]:g}"
            )
        if by_worst.any():
            parts.append("the bound is refuted without a run")
        if note is not None:
            parts.append(f"worst case {note}")
        factor = 1 / float(np.nanmax(np.concatenate([ratios, self._refuting / said])))
        return Finding(
            verdict="REFUTED" if by_run.any() or by_worst.any() else "CONSISTENT",
            decided="; ".join(parts),
            checkpoints=np.array(self.at, dtype=np.float64),
            mean=run,
            bound=said,
            tightness=tightness,
            detectable_factor=factor,
            vacuous=bool(factor > laboratory.protocol.vacuous),
            support="certain",
            worst_case=worst,
            worst_case_over=self.over if note is None else f"{self.over} ({note})",
        )

    def _exceeded_by_run(self, said: Array) -> NDArray[np.bool_]:
        return np.asarray(self._run > said + ROUND_OFF * np.abs(said))

    def _exceeded_by_worst(self, said: Array) -> NDArray[np.bool_]:
        return np.asarray(self._refuting > said + SOLVED_TO * np.abs(said))

    @cached_property
    def _run(self) -> Array:
        found = np.asarray(self.measured(), dtype=np.float64)
        if found.shape != (len(self.at),) or not np.all(np.isfinite(found)):
            raise ValueError(
                f"measured must return a finite number for each of {len(self.at)} places, got "
                f"{found}"
            )
        return found

    @cached_property
    def _solved(self) -> tuple[tuple[OverAClass, ...] | None, str | None]:
        """The worst cases, or why there are none."""
        from ..worst_case.pep import SolverFailed, require_extra

        try:
            require_extra()
            return tuple(self.worst(k) for k in self.at), None
        except ImportError:
            return None, "not computed: needs optzoo[pep]"
        except SolverFailed as error:
            return None, f"not computed: {error}"

    @property
    def _worst(self) -> tuple[Array | None, str | None]:
        solved, note = self._solved
        return None if solved is None else np.array([one.value for one in solved]), note

    @property
    def _refuting(self) -> Array:
        """What a bound must be at least: worst cases where they are exact, otherwise nothing."""
        solved, _ = self._solved
        none = np.full(len(self.at), np.nan)
        if solved is None:
            return none
        return np.array([one.value if one.exact else np.nan for one in solved])
