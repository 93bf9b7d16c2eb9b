# SPDX-License-Identifier: Apache-2.0
r"""How hard an instance is: how close a theorem is to what is measured, as a whole and in a part.

.. math:: \max_k \frac{m_k}{B_k}, \qquad \max \Big\{ \frac1\varphi : m_k > B_k(c_j / \varphi)
    \text{ for some } k \Big\}

with the mean m_k and the bound B_k. The second, the *share* of a constant, is one over the factor
by which the constant could be better before this instance shows it. A linear function may attain
a bound, and test nothing of it but its start: of the other constants it needs no share. Above 1
either says that the theorem is violated, and both are above 1 then.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...checks.restatable import Measured
from ...claim import Case
from ...simulation.laboratory import Laboratory
from ...statistics.verdict import TOLERANCE
from ..coverage import Place
from ..misreadings import constants_read, moved

__all__ = ["RATIO", "NoInstanceError", "Scores", "objectives", "scores", "seeds_of"]

Array = NDArray[np.float64]
Scores = Mapping[str, float]

RATIO = "ratio"

CAUTION = 2.0
"""Standard errors by which a sampled mean is taken to be easier than it looks."""

_PART = 1e-9
"""What adds less than this to a bound is no part of it there."""
_FACTORS = (1.5, 2.0, 4.0, 16.0, 256.0, 1e5, math.inf)


class NoInstanceError(ValueError):
    """Parameters for which there is no instance, or where the theorem does not apply."""


def objectives(theorem: Theorem) -> tuple[str, ...]:
    """What can be searched for: the ratio, and the share of each constant.

    Args:
        theorem: with a bound.

    Returns:
        Their names.

    Example:
        >>> from optzoo.theorems.frank_wolfe import F2
        >>> objectives(F2)
        ('ratio', 'L', 'D')
    """
    return (RATIO, *constants_read(theorem))


def seeds_of(case: Case, laboratory: Laboratory) -> int | None:
    """How many replicates a case is looked at with; None where nothing is sampled."""
    check = case.check
    return laboratory.seeds if isinstance(check, Measured) and check.experiments() else None


def scores(
    theorem: Theorem, cases: Sequence[Case], laboratory: Laboratory
) -> list[Scores | NoInstanceError]:
    """All objectives of instances, those that are sampled as one program.

    Args:
        theorem: what is claimed.
        cases: the instances.
        laboratory: where replicates come from; all instances see the same random numbers.

    Returns:
        The objectives by name, or why there are none.

    Raises:
        TypeError: if a check measures nothing that a bound could be compared with.
    """
    for case in cases:
        if not isinstance(case.check, Measured):
            raise TypeError(
                f"{type(case.check).__name__} measures nothing beside a bound; a family needs "
                "UpperBound, ExactInequality or another check with `means` and `says`"
            )
    checks = [case.check for case in cases if isinstance(case.check, Measured)]
    wanted = [one for check in checks for one in check.experiments()]
    if wanted:
        laboratory.prepare(wanted)
    return [_scored(theorem, case, laboratory) for case in cases]


def _scored(theorem: Theorem, case: Case, laboratory: Laboratory) -> Scores | NoInstanceError:
    check = case.check
    assert isinstance(check, Measured)
    seeds = seeds_of(case, laboratory)
    try:
        place = Place("", check, seeds, laboratory, theorem)
        means, errors = check.means(laboratory, seeds)
    except (ValueError, ArithmeticError) as error:  # it does not apply, or the bound is no number
        return NoInstanceError(str(error))
    if not np.all(np.isfinite(place.said)):
        return NoInstanceError("the bound is not finite")
    if seeds is not None and np.any(place.said <= 0):
        return NoInstanceError("the bound is not positive everywhere")
    # What diverges is above every bound.
    means = np.where(np.isfinite(means), means, math.inf if theorem.side == "above" else -math.inf)
    sign = 1.0 if theorem.side == "above" else -1.0
    # Of two instances the one that is known to be harder, not the one that was luckier.
    means = means - sign * CAUTION * np.where(np.isfinite(errors), errors, 0.0)
    tiny = np.finfo(np.float64).tiny
    with np.errstate(over="ignore"):
        ratio = float(np.max(1 + sign * (means - place.said) / np.maximum(abs(place.said), tiny)))
        if theorem.side == "below":
            # A metric at the b-th part of its bound from below violates it b times.
            ratio = float(np.max(place.said / np.maximum(means, tiny)))
    found = {RATIO: ratio}
    for name in constants_read(theorem):
        found[name] = _share(place, means, name, sign, ratio)
    return found


def _share(place: Place, means: Array, name: str, sign: float, ratio: float) -> float:
    """One over the factor of a constant that the means exceed; -inf where it has no part.

    Linear in between: exact where the bound is linear in the constant. Where no factor will do it
    is negative, and says by how much of the constant's part the means fall short.
    """
    if ratio > 1 + TOLERANCE:
        return ratio
    u_before, short = 1.0, sign * (means - place.said)
    part = np.zeros_like(short)
    for factor in _FACTORS:
        said = place.says(moved(place.theorem, name, factor))
        if said is None or np.any((said < 0) & (place.said >= 0)):
            break  # the formula makes no sense so far out
        u, now = 1.0 / factor, sign * (means - said)
        crosses = (now > 0) & (short <= 0) & (now > short)
        if crosses.any():
            way = -short[crosses] / (now - short)[crosses]
            return float(np.max(u_before - (u_before - u) * way))
        u_before, short, part = u, now, sign * (place.said - said)
    has = part > _PART * np.abs(place.said)
    return float(np.max(short[has] / part[has])) if has.any() else -math.inf
