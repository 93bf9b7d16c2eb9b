# SPDX-License-Identifier: Apache-2.0
"""Exact moments of batch means and multilevel estimators along a finite Markov chain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._arguments import check_size, host
from ..markov.markov_chain import MarkovChain

__all__ = [
    "PathMoments",
    "level_weights",
    "multilevel_moments",
    "plain_batch_moments",
    "weighted_sum_moments",
]


class PathMoments(NamedTuple):
    r"""Moments of S = sum_i w_i h(Z_i) over the paths from z to z', h(z) in R^r.

    The chain is in z before the first term is drawn. Sums over `end` give the conditional
    moments from each starting state.
    """

    probability: np.ndarray  # P[z -> z'], shape (K, K)
    first: np.ndarray  # E[S; z -> z'], shape (r, K, K)
    second: np.ndarray  # E[S S'; z -> z'], shape (r, r, K, K)

    @property
    def mean(self) -> np.ndarray:
        """E S from each starting state, shape (K, r)."""
        return self.first.sum(axis=-1).T

    @property
    def covariation(self) -> np.ndarray:
        """E S S' from each starting state, shape (K, r, r)."""
        return np.moveaxis(self.second.sum(axis=-1), -1, 0)

    @property
    def squared_norm(self) -> np.ndarray:
        """E |S|^2 from each starting state, shape (K,)."""
        return np.trace(self.covariation, axis1=1, axis2=2)

    def then(self, other: "PathMoments") -> "PathMoments":
        """The moments of S + S' when the second part of the path follows the first.

        Args:
            other: the moments of S' along the second part.

        Returns:
            The moments along both.
        """
        cross = self.first[:, None] @ other.first[None]
        return PathMoments(
            self.probability @ other.probability,
            self.first @ other.probability + self.probability @ other.first,
            self.second @ other.probability
            + self.probability @ other.second
            + cross
            + cross.swapaxes(0, 1),
        )


def weighted_sum_moments(
    chain: MarkovChain, noise: ArrayLike, weights: Sequence[tuple[float, int]]
) -> PathMoments:
    r"""Exact moments of sum_i w_i h(Z_i) for weights that are constant on segments.

    One term of weight w has the moments (Q, w Q diag h, w^2 Q diag h^2); parts of the path are
    joined by (P1, E1, S1)(P2, E2, S2) = (P1 P2, E1 P2 + P1 E2, S1 P2 + 2 E1 E2 + P1 S2), segments
    by repeated squaring: O(K^3 r^2 log n).

    Args:
        chain: K states.
        noise: h, shape (K,) or (K, r).
        weights: segments (w, number of terms), in the order of the path; a number of 0 is skipped.

    Returns:
        The moments for each start and end.

    Raises:
        ValueError: if `noise` has the wrong shape, a number is negative or all are zero.

    Example:
        >>> from optzoo.problems import two_state_switch, weighted_sum_moments
        >>> moments = weighted_sum_moments(two_state_switch(0.25), [1.0, -1.0], [(0.5, 2)])
        >>> moments.mean.ravel().tolist(), moments.squared_norm.tolist()
        ([0.375, -0.375], [0.75, 0.75])

    References:
        Markov reward processes with impulse rewards; arXiv 2305.15938 (what it is used for).
    """
    values = host(noise)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or len(values) != chain.num_states:
        raise ValueError(
            f"noise must have shape ({chain.num_states},) or ({chain.num_states}, r), got"
            f" {values.shape}"
        )
    if any(count < 0 for _, count in weights) or not any(count for _, count in weights):
        raise ValueError(f"weights must have counts >= 0, not all 0, got {list(weights)}")
    matrix = host(chain.transition)
    parts = []
    for weight, count in weights:
        if count:
            scaled = weight * values.T  # (r, K)
            products = scaled[:, None] * scaled[None]
            term = PathMoments(matrix, matrix * scaled[:, None], matrix * products[:, :, None])
            parts.append(_repeat(term, count))
    total = parts[0]
    for part in parts[1:]:
        total = total.then(part)
    return total


def level_weights(batch_size: int, level: int) -> list[tuple[float, int]]:
    r"""The weights of g_0 + 2^j (g_j - g_{j-1}) on the samples of one trajectory; j = 0 is g_0.

    0 on the first B samples, -1/B up to 2^{j-1} B, +1/B up to 2^j B: they add up to one.

    Args:
        batch_size: B >= 1.
        level: j >= 0.

    Returns:
        Segments (weight, number of samples).

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> level_weights(2, 0), level_weights(2, 2)
        ([(0.5, 2)], [(0.0, 2), (-0.5, 2), (0.5, 4)])
    """
    check_size("batch_size", batch_size)
    _check_level("level", level)
    if level == 0:
        return [(1.0 / batch_size, batch_size)]
    half = 2 ** (level - 1) * batch_size
    return [
        (0.0, batch_size),
        (-1.0 / batch_size, half - batch_size),
        (1.0 / batch_size, half),
    ]


def plain_batch_moments(chain: MarkovChain, noise: ArrayLike, batch_size: int) -> PathMoments:
    r"""Exact moments of the batch mean (1/n) sum_{i<=n} h(Z_i).

    Args:
        chain: K states.
        noise: h, shape (K,) or (K, r).
        batch_size: n >= 1.

    Returns:
        The moments for each start and end.

    Raises:
        ValueError: if a shape is wrong or `batch_size` is not positive.

    Example:
        >>> from optzoo.problems import plain_batch_moments, two_state_switch
        >>> plain_batch_moments(two_state_switch(0.25), [1.0, -1.0], 1).mean.ravel().tolist()
        [0.5, -0.5]
    """
    return weighted_sum_moments(chain, noise, level_weights(batch_size, 0))


def multilevel_moments(
    chain: MarkovChain, noise: ArrayLike, batch_size: int, max_level: int
) -> PathMoments:
    r"""Exact moments of the multilevel (MLMC) estimator of E_pi h = 0.

    The level is J = j with probability 2^-j; j <= m gives the weights of `level_weights`, a larger
    draw the base batch. Hence the moments are sum_{j=1}^m 2^-j (level j) + 2^-m (level 0), the ends
    of the path being 2^j B or B samples on.

    Args:
        chain: K states.
        noise: h, shape (K,) or (K, r).
        batch_size: B >= 1.
        max_level: m >= 0; 0 is the plain batch.

    Returns:
        The moments for each start and end.

    Raises:
        ValueError: if a shape is wrong or a number is out of range.

    Example:
        >>> from optzoo.problems import multilevel_moments, plain_batch_moments, two_state_switch
        >>> chain, noise = two_state_switch(0.05), [1.0, -1.0]
        >>> gap = multilevel_moments(chain, noise, 3, 4).mean
        >>> gap -= plain_batch_moments(chain, noise, 3 * 2**4).mean
        >>> bool(abs(gap).max() < 1e-14)
        True

    References:
        Dorfman, Levy, arXiv 2202.04428; Beznosikov et al., arXiv 2305.15938.
    """
    _check_level("max_level", max_level)
    levels = [(2.0**-max_level, 0), *((2.0**-j, j) for j in range(1, max_level + 1))]
    mixture: list[np.ndarray] = []
    for share, level in levels:
        moments = weighted_sum_moments(chain, noise, level_weights(batch_size, level))
        parts = [share * array for array in moments]
        mixture = [a + b for a, b in zip(mixture, parts, strict=True)] if mixture else parts
    return PathMoments(*mixture)


def _repeat(term: PathMoments, count: int) -> PathMoments:
    total: PathMoments | None = None
    while True:
        if count & 1:
            total = term if total is None else total.then(term)
        count >>= 1
        if not count:
            assert total is not None
            return total
        term = term.then(term)


def _check_level(name: str, level: int) -> None:
    if isinstance(level, bool) or not isinstance(level, (int, np.integer)) or level < 0:
        raise ValueError(f"{name} must be an integer, at least 0, got {level!r}")
