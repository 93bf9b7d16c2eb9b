# SPDX-License-Identifier: Apache-2.0
"""A theorem restated: what settings evaluate in its place, to ask what the data say of that."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from optzoo.theorems import Theorem

__all__ = ["as_stated", "restated"]


@dataclass
class _Place:
    theorem: Theorem
    instead: Theorem
    asked: bool = False


_PLACE: ContextVar[_Place | None] = ContextVar("a theorem restated", default=None)


@contextmanager
def restated(theorem: Theorem, instead: Theorem) -> Iterator[_Place]:
    """Lets settings evaluate another statement wherever they are asked for this one.

    Args:
        theorem: as it stands on its page.
        instead: what it is read as.

    Yields:
        An object whose `asked` says whether the theorem was evaluated at all.

    Example:
        >>> from dataclasses import replace
        >>> from optzoo.theorems.frank_wolfe import F9
        >>> from theory_checks.setting import Stated, chosen
        >>> setting = Stated("a simplex", chosen(d=4))
        >>> doubled = replace(F9, formula=lambda constants, k: 2 * constants.floor(k))
        >>> with restated(F9, doubled) as place:
        ...     float(setting.bound(F9, 1)), place.asked
        (0.25, True)
        >>> float(setting.bound(F9, 1))
        0.125
    """
    place = _Place(theorem, instead)
    token = _PLACE.set(place)
    try:
        yield place
    finally:
        _PLACE.reset(token)


def as_stated(theorem: Theorem) -> Theorem:
    """The theorem, or what stands in its place at the moment.

    Args:
        theorem: as it stands on its page.

    Returns:
        What is to be evaluated.
    """
    place = _PLACE.get()
    if place is None or place.theorem is not theorem:
        return theorem
    place.asked = True
    return place.instead
