"""A page beside the tests': what a formula calls may stand in another module of its package."""

import numpy as np

__all__ = ["decayed", "ignored"]


def decayed(rate, k):
    """The rate divided by k + 1."""
    return rate / (np.asarray(k) + 1)


def ignored(k):
    """Called by nobody."""
    return k * k
