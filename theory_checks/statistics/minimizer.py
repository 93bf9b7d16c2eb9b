# SPDX-License-Identifier: Apache-2.0
"""Where a mean is smallest, over resamples of the seeds."""

import numpy as np

from .evidence import Array
from .verdict import Decision

__all__ = ["share_inside"]


def share_inside(
    theta: Array, values: Array, window: tuple[float, float]
) -> tuple[float, Decision, Array]:
    """In how many resamples of the seeds the mean is smallest inside a window, and the verdict.

    CONSISTENT iff in 99% of them, REFUTED iff in at most 1%.

    Args:
        theta: the values tried, shape (values,).
        values: the metric, shape (seeds, values).
        window: first and last value allowed.

    Returns:
        The share of 1000 resamples, the verdict, and the means of each, (1000, values).

    Example:
        >>> values = np.array([[1.0, 0.0, 1.0]] * 8)
        >>> share_inside(np.arange(3.0), values, (1.0, 2.0))[:2]
        (1.0, 'CONSISTENT')
    """
    seeds = len(values)
    generator = np.random.default_rng(0)
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=1000) / seeds
    means = weights @ values
    best = theta[np.argmin(means, axis=1)]
    share = float(np.mean((best >= window[0]) & (best <= window[1])))
    verdict: Decision = "INCONCLUSIVE"
    if share >= 0.99:
        verdict = "CONSISTENT"
    elif share <= 0.01:
        verdict = "REFUTED"
    return share, verdict, means
