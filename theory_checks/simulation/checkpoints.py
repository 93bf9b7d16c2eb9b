# SPDX-License-Identifier: Apache-2.0
"""When a run is looked at: equally often in every octave of its steps."""

import numpy as np

__all__ = ["log_spaced"]


def log_spaced(first: float, last: float, points: int) -> tuple[int, ...]:
    """Whole numbers of steps, equally far apart in logarithms.

    Args:
        first: the first one.
        last: the last one.
        points: how many; fewer where two of them round to one number.

    Returns:
        Increasing numbers.

    Example:
        >>> log_spaced(1, 100, 5)
        (1, 3, 10, 32, 100)
    """
    grid = np.unique(np.round(np.geomspace(first, last, points)).astype(int))
    return tuple(grid.tolist())
