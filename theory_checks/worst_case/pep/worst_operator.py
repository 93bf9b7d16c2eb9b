# SPDX-License-Identifier: Apache-2.0
r"""A linear operator of the plane that is nearly as bad as an operator can be.

The conditions on operators are not sufficient, so that there may be no worst one to be made of the
solution. Every linear one is a lower bound. Of those that turn and stretch the plane, x -> z x in
complex numbers, a method makes polynomials in z, whose modulus is largest on the border of

.. math:: \{ z : \mathrm{Re}\, z \ge \mu, \ |z| \le L \},

an arc and a segment.
"""

import cmath
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .classes import StronglyMonotoneLipschitz

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_matrix", "worst_turn"]

Array = NDArray[np.float64]

POINTS = 201
ROUNDS = 4


def as_matrix(z: complex) -> Array:
    """The matrix of x -> z x on the plane.

    Example:
        >>> as_matrix(1 + 2j).tolist()
        [[1.0, -2.0], [2.0, 1.0]]
    """
    return np.array([[z.real, -z.imag], [z.imag, z.real]])


def worst_turn(kind: StronglyMonotoneLipschitz, metric: "Callable[[complex], float]") -> complex:
    """The z on the border of the class at which a metric of the run is largest.

    Args:
        kind: the class.
        metric: of the run on x -> z x.

    Returns:
        z, with a non-negative imaginary part.

    Example:
        >>> z = worst_turn(StronglyMonotoneLipschitz(0.5, 1.0), lambda z: z.imag)
        >>> round(z.real, 3), round(z.imag, 3)
        (0.5, 0.866)
    """
    corner = math.acos(kind.mu / kind.L)

    def arc(t: float) -> complex:
        return cmath.rect(kind.L, corner * t)

    def segment(t: float) -> complex:
        return complex(kind.mu, kind.L * math.sin(corner) * t)

    best, at = -math.inf, 0.0 + 0.0j
    for border in (arc, segment):
        low, high = 0.0, 1.0
        for _ in range(ROUNDS):  # a grid, then a finer one around the best of it
            places = np.linspace(low, high, POINTS).tolist()
            values = [metric(border(t)) for t in places]
            index = int(np.argmax(values))
            if values[index] > best:
                best, at = values[index], border(places[index])
            width = (high - low) / (POINTS - 1)
            low, high = max(0.0, places[index] - width), min(1.0, places[index] + width)
    return at
