"""A page beside the tests': what a formula calls may stand in another module of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["decayed", "ignored"]


def decayed(rate: ArrayLike, k: ArrayLike) -> ArrayLike:
    """The rate divided by k + 1, where k is not far below it."""
    return np.where(k > rate - 1e9, rate / (np.asarray(k) + 1), 0.0)


def ignored(k: ArrayLike) -> ArrayLike:
    """Called by nobody."""
    return k * k
