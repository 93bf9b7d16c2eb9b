# SPDX-License-Identifier: Apache-2.0
"""A quantity known exactly at several values of a constant: its exponent, and its bound."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..claim import Finding, Kind
from ..simulation.laboratory import Laboratory
from ..statistics.log_log import Exponent
from ..statistics.verdict import Decision
from .restatable import Says, numbers

__all__ = ["ExactExponent"]

Array = NDArray[np.float64]

_LAST = 3


@dataclass(frozen=True, eq=False)
class ExactExponent:
    """The slope of log quantity against log constant, between neighbours; nothing is sampled.

    - "at_least": every slope between neighbours is at least `stated` less the slack. A distance
      that falls faster than a theorem says supports it.
    - "exactly": the last two slopes lie within the slack of `stated`.

    Args:
        compute: returns (constant, quantity, bound), each of shape (values,), in an order in which
            the law becomes ever more exact, such as steps that fall; the bound may be None.
        stated: the exponent, or a function of no arguments that is asked anew whenever the theorem
            is restated.
        relation: "at_least" or "exactly".
        slack: how far a slope may be off.
    """

    compute: Callable[[], tuple[Array, Array, Array | None]]
    stated: Says
    relation: Literal["at_least", "exactly"] = "at_least"
    slack: float = 0.03

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "slopes of exact quantities"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the slopes."""
        eta, distance, bound = self._computed
        stated, slopes = float(self.says(laboratory, None)), self._slopes
        fits = not self.refutes(np.asarray(stated), laboratory, None)
        wanted = (
            f"{stated:.3g} within {self.slack}"
            if self.relation == "exactly"
            else f"at least {stated:.3g} less {self.slack}"
        )
        below = bound is None or bool(np.all(distance <= bound))
        verdict: Decision = "CONSISTENT" if fits and below else "REFUTED"
        decided = (
            f"slopes between neighbours {slopes.min():.3f} to {slopes.max():.3f}, "
            f"{'' if fits else 'not '}{wanted}"
        )
        if bound is not None:
            decided += f"; at most {np.max(distance / bound):.3g} of the explicit bound"
        fitted = float(np.polyfit(np.log(eta), np.log(distance), 1)[0])
        order = np.argsort(eta)
        return Finding(
            verdict=verdict,
            decided=decided,
            checkpoints=eta[order],
            mean=distance[order],
            bound=None if bound is None else bound[order],
            exponent=Exponent(
                verdict=verdict,
                reason=decided,
                value=fitted,
                lower=float(slopes.min()),
                upper=float(slopes.max()),
                outer_lower=float(slopes.min()),
                outer_upper=float(slopes.max()),
                stated=stated,
                reference=stated,
                window=(float(eta.min()), float(eta.max())),
                points=eta[order],
                levels=distance[order],
            ),
        )

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """The exponent."""
        return numbers(self.stated)

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether the slopes are others."""
        if self.relation == "exactly":
            return bool(np.any(np.abs(self._slopes - said) > self.slack))
        return bool(self._slopes.min() < said - self.slack)

    @cached_property
    def _computed(self) -> tuple[Array, Array, Array | None]:
        eta, distance, bound = self.compute()
        if not (np.all(distance > 0) and np.all(np.isfinite(distance))):
            raise ValueError(f"quantities must be positive and finite, got {distance}")
        return eta, distance, bound

    @property
    def _slopes(self) -> Array:
        """Between neighbours; where the law is exact, the last two."""
        eta, distance, _ = self._computed
        slopes = np.asarray(np.diff(np.log(distance)) / np.diff(np.log(eta)))
        return slopes[1 - _LAST :] if self.relation == "exactly" else slopes
