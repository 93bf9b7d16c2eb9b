"""A distance known exactly at several steps: its exponent, and the bound it must stay below."""

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

SLACK = 0.03
_LAST = 3


@dataclass(frozen=True, eq=False)
class ExactExponent:
    """The slope of log distance against log eta, between neighbours; nothing is sampled.

    - "at_least": every slope between neighbours is at least `stated` - 0.03. A distance that falls
      faster than a theorem says supports it.
    - "exactly": the slopes between the three smallest steps lie within 0.03 of `stated`.

    Args:
        compute: returns (eta, distance, bound), each of shape (steps,), eta decreasing; the bound
            may be None.
        stated: the exponent, or a function of no arguments that is asked anew whenever the theorem
            is restated.
        relation: "at_least" or "exactly".
    """

    compute: Callable[[], tuple[Array, Array, Array | None]]
    stated: Says
    relation: Literal["at_least", "exactly"] = "at_least"

    kind: ClassVar[Kind] = "scaling"
    name: ClassVar[str] = "slopes of exact distances"

    def run(self, laboratory: Laboratory) -> Finding:
        """Measures the slopes."""
        eta, distance, bound = self._computed
        stated, slopes = float(self.says(laboratory, None)), self._slopes
        fits = not self.refutes(np.asarray(stated), laboratory, None)
        wanted = (
            f"{stated:.3g} within {SLACK}"
            if self.relation == "exactly"
            else f"at least {stated:.3g} less {SLACK}"
        )
        below = bound is None or bool(np.all(distance <= bound))
        verdict: Decision = "CONSISTENT" if fits and below else "REFUTED"
        decided = (
            f"slopes between neighbouring steps {slopes.min():.3f} to {slopes.max():.3f}, "
            f"{'' if fits else 'not '}{wanted}"
        )
        if bound is not None:
            decided += f"; at most {np.max(distance / bound):.3g} of the explicit bound"
        fitted = float(np.polyfit(np.log(eta), np.log(distance), 1)[0])
        return Finding(
            verdict=verdict,
            decided=decided,
            checkpoints=eta[::-1],
            mean=distance[::-1],
            bound=None if bound is None else bound[::-1],
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
                points=eta[::-1],
                levels=distance[::-1],
            ),
        )

    def says(self, laboratory: Laboratory, seeds: int | None) -> Array:
        """The exponent."""
        return numbers(self.stated)

    def refutes(self, said: Array, laboratory: Laboratory, seeds: int | None) -> bool:
        """Whether the slopes are others."""
        if self.relation == "exactly":
            return bool(np.any(np.abs(self._slopes - said) > SLACK))
        return bool(self._slopes.min() < said - SLACK)

    @cached_property
    def _computed(self) -> tuple[Array, Array, Array | None]:
        eta, distance, bound = self.compute()
        if not (np.all(distance > 0) and np.all(np.isfinite(distance))):
            raise ValueError(f"distances must be positive and finite, got {distance}")
        return eta, distance, bound

    @property
    def _slopes(self) -> Array:
        """Between neighbours; where the law is exact, between the smallest steps."""
        eta, distance, _ = self._computed
        slopes = np.asarray(np.diff(np.log(distance)) / np.diff(np.log(eta)))
        return slopes[1 - _LAST :] if self.relation == "exactly" else slopes
