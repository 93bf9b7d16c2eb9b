# SPDX-License-Identifier: Apache-2.0
"""Power laws fitted in log-log: slopes of log(mean over seeds), with limits by resampling seeds.

The logarithm is taken of the mean, never averaged (Jensen). One resample takes the same seeds at
every point, so common random numbers and whole trajectories stay together (`resampling`).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .evidence import Array
from .resampling import Limits
from .verdict import Decision

__all__ = ["Exponent", "Relation"]

Relation = Literal["at_most", "exactly"]
_SLACK = {"at_most": 0.1, "exactly": 0.15}
_MIN_VALUES = 5
_MIN_DECADES = 1.5


@dataclass(frozen=True, eq=False)
class Exponent:
    """A measured exponent and what it says about the stated one.

    Attributes:
        verdict: CONSISTENT, REFUTED or INCONCLUSIVE.
        reason: one sentence: which limit decided, or what could not be measured.
        value: least-squares exponent; None where it could not be measured.
        lower: one-sided 95% lower limit; with `upper` a 90% interval. May be -infinity.
        upper: one-sided 95% upper limit. May be infinity.
        outer_lower: one-sided 99% lower limit, used to refute.
        outer_upper: one-sided 99% upper limit, used to refute.
        stated: the exponent of the claim.
        reference: what `value` is compared with: the bound's own exponent on the same points where
            a bound is given, else `stated`.
        window: first and last of `points`.
        points: k or theta, shape (n,).
        levels: the quantity whose logarithm was fitted, shape (n,): the mean metric, or the first
            passage (infinite where the threshold was never reached).
    """

    verdict: Decision
    reason: str
    value: float | None
    lower: float | None
    upper: float | None
    outer_lower: float | None
    outer_upper: float | None
    stated: float
    reference: float
    window: tuple[float, float]
    points: Array
    levels: Array


def slope(x: Array, y: Array) -> Array:
    """Least-squares slope of y, shape (..., n), against x, shape (n,)."""
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def curvature(x: Array, y: Array) -> Array:
    """Coefficient of x^2 in the least-squares parabola; shapes as for `slope`."""
    basis = np.linalg.qr(np.vander(x - x.mean(), 3, increasing=True))
    return np.asarray(y @ basis.Q[:, 2] / basis.R[2, 2])


def compare(
    theta: Array,
    levels: Array,
    value: float,
    limits: Limits,
    stated: float,
    relation: Relation,
) -> Exponent:
    """Decide "at most theta^stated" or "exactly theta^stated" (two one-sided tests)."""
    outer_lower, lower, upper, outer_upper = limits
    slack = _SLACK[relation]
    ceiling = stated + slack
    floor = stated - slack if relation == "exactly" else -math.inf
    verdict: Decision = "INCONCLUSIVE"
    claim = f"{relation.replace('_', ' ')} {stated:g} (slack {slack:g})"
    if floor <= lower and upper <= ceiling:
        verdict = "CONSISTENT"
        reason = f"{claim}: 90% interval [{lower:.3g}, {upper:.3g}]"
    elif outer_lower > ceiling or outer_upper < floor:
        verdict = "REFUTED"
        reason = f"not {claim}: 98% interval [{outer_lower:.3g}, {outer_upper:.3g}]"
    else:
        reason = f"undecided whether {claim}: 90% interval [{lower:.3g}, {upper:.3g}]"
    return measured(verdict, reason, value, limits, stated, stated, theta, levels)


def measured(
    verdict: Decision,
    reason: str,
    value: float | None,
    limits: Limits | None,
    stated: float,
    reference: float,
    points: Array,
    levels: Array,
) -> Exponent:
    """The exponent as a record; None for value and limits where there was none to measure."""
    outer_lower, lower, upper, outer_upper = limits or (None, None, None, None)
    return Exponent(
        verdict=verdict,
        reason=reason,
        value=value,
        lower=lower,
        upper=upper,
        outer_lower=outer_lower,
        outer_upper=outer_upper,
        stated=float(stated),
        reference=float(reference),
        window=(float(points[0]), float(points[-1])),
        points=points,
        levels=levels,
    )


def check_claim(stated: float, relation: Relation = "at_most") -> None:
    """Raise unless the stated exponent is a number and the relation a known one."""
    if not math.isfinite(stated):
        raise ValueError(f"stated must be finite, got {stated}")
    if relation not in _SLACK:
        raise ValueError(f"relation must be one of {list(_SLACK)}, got {relation!r}")


def check_values(name: str, values: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Finite float64 values of the wanted shape (None: any length)."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != len(shape) or any(
        want is not None and got != want for got, want in zip(table.shape, shape, strict=False)
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {table.shape}")
    if not np.all(np.isfinite(table)):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return table


def check_theta(theta: ArrayLike) -> Array:
    """The varied constant, long and dense enough for an exponent."""
    varied = np.asarray(theta, dtype=np.float64)
    if varied.ndim != 1 or varied.size < _MIN_VALUES:
        raise ValueError(f"theta must hold at least {_MIN_VALUES} values, got shape {varied.shape}")
    if not (np.all(np.isfinite(varied)) and varied[0] > 0.0 and np.all(np.diff(varied) > 0.0)):
        raise ValueError(f"theta must be positive, finite and increasing, got {varied}")
    gaps = np.diff(np.log10(varied))
    decades = float(gaps.sum())
    # 1e-9: the ends of a geomspace are only as exact as their logarithms.
    if decades < _MIN_DECADES - 1e-9:
        raise ValueError(
            f"theta must span at least {_MIN_DECADES} decades, got {decades:.2f} from "
            f"{varied[0]:g} to {varied[-1]:g}"
        )
    if gaps.max() > decades / 2.0:
        raise ValueError(
            f"theta must be log-spaced, got a gap of {gaps.max():.2f} in {decades:.2f} decades"
        )
    return varied
