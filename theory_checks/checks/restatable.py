# SPDX-License-Identifier: Apache-2.0
"""Checks that can be asked again: what would the same data say of another statement?"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..claim import Check

if TYPE_CHECKING:
    from ..simulation import Experiment
    from ..simulation.laboratory import Laboratory

__all__ = ["HasExponents", "Measured", "Restatable", "Says", "numbers", "other_exponents"]

Array = NDArray[np.float64]

Says: TypeAlias = ArrayLike | Callable[[], ArrayLike]
"""What a theorem says at the points of a check: a function of no arguments is asked each time, and
so takes part in `coverage`, where the theorem is restated; numbers are what they are."""


def numbers(says: Says) -> Array:
    """The numbers, asked for now.

    Args:
        says: numbers, or a function that returns them.

    Returns:
        The numbers as an array of float64.

    Raises:
        ValueError: if they are complex, such as a power of a negative number.

    Example:
        >>> numbers(lambda: [1, 2]).tolist()
        [1.0, 2.0]
    """
    found = np.asarray(says() if callable(says) else says)
    if np.iscomplexobj(found):
        raise ValueError(f"real numbers are needed, got {found}")
    return found.astype(np.float64)


@runtime_checkable
class Restatable(Protocol):
    """A check of numbers that a theorem says, which recorded data may refute."""

    def says(self, laboratory: "Laboratory", seeds: int | None) -> Array:
        """What the theorem says at the points of the check, asked for now.

        Args:
            laboratory: which has the data.
            seeds: how many replicates were looked at; None where nothing was sampled.
        """

    def refutes(self, said: Array, laboratory: "Laboratory", seeds: int | None) -> bool:
        """Whether the same data refute these numbers: nothing is simulated.

        Args:
            said: numbers as `says` returns them.
            laboratory: which has the data.
            seeds: how many replicates were looked at.
        """


@runtime_checkable
class Measured(Restatable, Protocol):
    """One whose numbers say how far a theorem is from what was measured."""

    def experiments(self) -> Sequence["Experiment"]:
        """What it needs simulated; nothing where all is computed."""

    def means(self, laboratory: "Laboratory", seeds: int | None) -> tuple[Array, Array]:
        """What was measured beside each of the numbers of `says`, and its standard errors.

        Args:
            laboratory: which has the data, or simulates them.
            seeds: how many replicates to look at; None where nothing is sampled.
        """


@runtime_checkable
class HasExponents(Check, Protocol):
    """A check of exponents that a law states."""

    def with_exponents(self) -> Mapping[str, "HasExponents"]:
        """The check with other exponents, which claim more than the law does, by their names."""


def other_exponents(stated: float) -> dict[str, float]:
    """What papers get wrong of an exponent: it is dropped, halved or doubled.

    Args:
        stated: the exponent.

    Returns:
        Others by their names.

    Example:
        >>> other_exponents(0.5)
        {'exponent 0': 0.0, 'exponent 0.25': 0.25, 'exponent 1': 1.0}
        >>> other_exponents(0.0)
        {'exponent 0.5': 0.5, 'exponent -0.5': -0.5}
    """
    others = (0.0, stated / 2, 2 * stated) if stated else (0.5, -0.5)
    return {f"exponent {other:g}": other for other in others}
