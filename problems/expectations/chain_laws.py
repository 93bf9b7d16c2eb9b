# SPDX-License-Identifier: Apache-2.0
"""Exact laws of chains on the line: linear ones with discrete noise, any with Gaussian noise."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .._arguments import check_scalar, check_size
from ..diffusions.line_laws import Atoms, Histogram

__all__ = ["GridLaw", "gaussian_chain_law", "linear_chain_law", "weighted_sum_law"]

Array = NDArray[np.float64]

_ENUMERATED = 2**16
_GRID = 2**18
_DEVIATIONS = 12.0


@dataclasses.dataclass(frozen=True, eq=False)
class GridLaw:
    """A law on a grid and how far in W2 it may lie from the law it stands for.

    Args:
        law: the atoms.
        error: W2 of the two is at most this; 0 where the atoms are the exact ones.

    Raises:
        ValueError: if the error is negative.

    Example:
        >>> GridLaw(Atoms([0.0], [1.0]), 0.0).error
        0.0
    """

    law: Atoms
    error: float

    def __post_init__(self) -> None:
        check_scalar("error", self.error, at_least=0.0)


def linear_chain_law(
    atoms: Sequence[float],
    weights: Sequence[float],
    *,
    contraction: float,
    steps: int,
    start: float = 0.0,
    shift: float = 0.0,
    scale: float = 1.0,
) -> GridLaw:
    r"""The law of a linear chain with independent discrete noise.

    .. math::
      X_{j+1} = c X_j + d + q \varepsilon_j, \qquad
      X_k = c^k x_0 + d \sum_j c^j + q \sum_{j < k} c^j \varepsilon_j

    See `weighted_sum_law` for how the sum is computed and when it is exact.

    Args:
        atoms: values of eps.
        weights: their probabilities.
        contraction: c.
        steps: k >= 1.
        start: x_0.
        shift: d.
        scale: q > 0.

    Returns:
        The atoms of X_k, and the bound on their W2 from the exact law.

    Raises:
        ValueError: if a number is not finite, the scale is not positive or atoms and weights do
            not fit.

    Example:
        >>> found = linear_chain_law([-1.0, 1.0], [0.5, 0.5], contraction=0.5, steps=2)
        >>> found.law.points, found.error
        (array([-1.5, -0.5,  0.5,  1.5]), 0.0)
    """
    for name, number in (("contraction", contraction), ("start", start), ("shift", shift)):
        check_scalar(name, number)
    check_scalar("scale", scale, positive=True)
    check_size("steps", steps)
    powers = float(contraction) ** np.arange(steps)
    centre = contraction**steps * start + shift * powers.sum()
    unit = weighted_sum_law(atoms, weights, powers)
    return GridLaw(Atoms(centre + scale * unit.law.points, unit.law.weights), scale * unit.error)


def weighted_sum_law(
    atoms: Sequence[float], weights: Sequence[float], coefficients: ArrayLike
) -> GridLaw:
    r"""The law of a weighted sum of independent draws of discrete noise.

    .. math:: \sum_{j < k} c_j \varepsilon_j

    Equal coefficients with two atoms make a binomial law, and few terms are enumerated: both are
    exact. Otherwise every c_j eps_j is put on a grid of length h, a point between two of its nodes
    being shared such that its mean is kept, and the sum is convolved in Fourier space. What
    sharing adds is noise without mean, independent from term to term, whose standard deviation is
    the `error`; the effect on a law that is smooth on the scale h is far smaller.

    Args:
        atoms: values of eps.
        weights: their probabilities.
        coefficients: c, shape (k,), not all 0.

    Returns:
        The atoms of the sum, and the bound on their W2 from the exact law.

    Raises:
        ValueError: if atoms and weights do not fit, or the coefficients are not finite or all 0.

    Example:
        >>> weighted_sum_law([-1.0, 1.0], [0.5, 0.5], [2.0, 1.0]).law.points
        array([-3., -1.,  1.,  3.])
    """
    noise = Atoms(atoms, weights)
    factors = np.asarray(coefficients, dtype=np.float64)
    if factors.ndim != 1 or not np.all(np.isfinite(factors)) or not np.any(factors):
        raise ValueError(f"coefficients must be a finite vector, not all 0, got {factors}")
    terms = len(factors)
    if np.all(factors == factors[0]) and len(noise.points) == 2:
        high = np.arange(terms + 1)
        places = factors[0] * (noise.points[0] * (terms - high) + noise.points[1] * high)
        return GridLaw(Atoms(places, stats.binom.pmf(high, terms, noise.weights[1])), 0.0)
    if terms * np.log(len(noise.points)) <= np.log(_ENUMERATED) + 1e-9:
        return GridLaw(_enumerated(noise, factors), 0.0)
    return GridLaw(*_convolved(noise, factors))


def _enumerated(noise: Atoms, powers: Array) -> Atoms:
    points, masses = np.zeros(1), np.ones(1)
    for power in powers:
        points = (points[:, None] + power * noise.points).ravel()
        masses = (masses[:, None] * noise.weights).ravel()
    return Atoms(points, masses)


def _convolved(noise: Atoms, powers: Array) -> tuple[Atoms, float]:
    """The law of sum_j c^j eps_j on a grid around 0, and the deviation that sharing adds."""
    size = np.abs(powers)
    widest = float(size.sum() * np.abs(noise.points).max())
    second_moment = float(noise.weights @ noise.points**2)
    half = min(widest, _DEVIATIONS * float(np.sqrt(second_moment * (size**2).sum())))
    half += float(np.abs(noise.points).max() * size.max())
    h = 2 * half / _GRID
    frequency = np.arange(_GRID // 2 + 1)
    roots = np.exp(-2j * np.pi * np.arange(_GRID) / _GRID)
    transform = np.ones(len(frequency), dtype=np.complex128)
    shared = 0.0
    for power, times in zip(*np.unique(powers, return_counts=True), strict=True):
        factor = np.zeros_like(transform)
        for point, weight in zip(power * noise.points / h, noise.weights, strict=True):
            node = int(np.floor(point))
            part = float(point - node)
            wave = roots[(frequency * node) & (_GRID - 1)]  # the grid is a power of two
            factor += weight * wave * ((1 - part) + part * roots[: len(frequency)])
            shared += times * float(weight) * part * (1 - part) * h**2
        transform *= factor**times
    masses = np.fft.fftshift(np.fft.irfft(transform, _GRID))
    masses[masses < 1e-16] = 0.0  # rounding of the transform, of either sign
    places = h * (np.arange(_GRID) - _GRID // 2)
    return Atoms(places, masses), float(np.sqrt(shared))


def gaussian_chain_law(
    drift: Callable[[Array], ArrayLike],
    noise: float,
    start: float,
    step: float,
    steps: int,
    edges: ArrayLike,
) -> Histogram:
    r"""The law of X_{j+1} = X_j + eta b(X_j) + eta^{1/2} s xi_j with Gaussian xi and any drift.

    The density is carried over the centres of the cells by the trapezoidal rule, which converges
    faster than any power of the length h of a cell once it resolves the kernel.

    Args:
        drift: b, vectorized.
        noise: s > 0.
        start: x_0.
        step: eta > 0.
        steps: k >= 1.
        edges: of cells of one length that hold all of the mass, shape (n + 1,).

    Returns:
        The law on the cells.

    Raises:
        ValueError: if a number is not positive, or the cells are longer than s eta^{1/2} / 2.

    Example:
        >>> import numpy as np
        >>> edges = np.linspace(-6.0, 6.0, 401)
        >>> law = gaussian_chain_law(lambda x: -x, 1.0, 1.0, 0.5, 2, edges)
        >>> round(law.mean, 6), round(law.variance, 3)    # 1/4 and (1 + 1/4) / 2
        (0.25, 0.625)
    """
    for name, number in (("noise", noise), ("step", step)):
        check_scalar(name, number, positive=True)
    check_scalar("start", start)
    check_size("steps", steps)
    ends = np.asarray(edges, dtype=np.float64)
    centres, h = (ends[1:] + ends[:-1]) / 2, float(np.diff(ends).mean())
    deviation = noise * float(np.sqrt(step))
    if h > deviation / 2:
        raise ValueError(
            f"edges must be at most {deviation / 2:.3g} apart to resolve the noise, got {h:.3g}"
        )

    def kernel(sources: Array) -> Array:
        ahead = sources + step * np.asarray(drift(sources), dtype=np.float64)
        far = (centres[:, None] - ahead) / deviation
        return np.exp(-(far**2) / 2) * (h / (deviation * np.sqrt(2 * np.pi)))

    masses = kernel(np.array([start]))[:, 0]
    if steps > 1:
        transition = kernel(centres)
        for _ in itertools.repeat(None, steps - 1):
            masses = transition @ masses
    return Histogram(ends, masses)
