# SPDX-License-Identifier: Apache-2.0
"""Laws on the real line by their quantile functions: atoms, histograms, Gaussian, log-normal."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from .._arguments import check_scalar

__all__ = ["Atoms", "Gaussian", "Histogram", "LineLaw", "LogNormal", "empirical"]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Atoms:
    """The law sum_i p_i delta_{x_i}.

    Args:
        points: x, shape (n,), in any order.
        weights: p, shape (n,), non-negative; divided by their sum.

    Raises:
        ValueError: if the shapes differ, a number is not finite, a weight is negative or all are 0.

    Example:
        >>> coin = Atoms([1.0, -1.0], [0.5, 0.5])
        >>> coin.points.tolist(), coin.mean, coin.variance
        ([-1.0, 1.0], 0.0, 1.0)
    """

    points: Array
    weights: Array

    def __init__(self, points: ArrayLike, weights: ArrayLike) -> None:
        places, masses = _vector("points", points), _vector("weights", weights)
        if places.shape != masses.shape:
            raise ValueError(
                f"points and weights must have one shape, got {places.shape} and {masses.shape}"
            )
        total = _total_mass("weights", masses)
        kept = masses > 0
        order = np.argsort(places[kept], kind="stable")
        object.__setattr__(self, "points", places[kept][order])
        object.__setattr__(self, "weights", masses[kept][order] / total)

    @property
    def mean(self) -> float:
        return float(self.weights @ self.points)

    @property
    def variance(self) -> float:
        return float(self.weights @ (self.points - self.mean) ** 2)

    def pieces(self) -> tuple[Array, Array, Array]:
        """Ends of the pieces of the quantile function, its values at their left and right."""
        return _ends(self.weights), self.points, self.points


@dataclasses.dataclass(frozen=True, eq=False)
class Histogram:
    """The law with density p_i / (e_{i+1} - e_i) on [e_i, e_{i+1}].

    As the stand-in of a smooth density f on cells of length h its quantiles are off by
    h^2 |f'| / (8 f) at most, to leading order, and so is every W2.

    Args:
        edges: e, increasing, shape (n + 1,).
        masses: p, shape (n,), non-negative; divided by their sum.

    Raises:
        ValueError: if the edges do not increase, the shapes do not fit, a number is not finite, a
            mass is negative or all are 0.

    Example:
        >>> uniform = Histogram([0.0, 0.5, 1.0], [1.0, 1.0])
        >>> uniform.mean, round(uniform.variance, 9)
        (0.5, 0.083333333)
    """

    edges: Array
    masses: Array

    def __init__(self, edges: ArrayLike, masses: ArrayLike) -> None:
        ends, cells = _vector("edges", edges), _vector("masses", masses)
        if ends.size != cells.size + 1 or not np.all(np.diff(ends) > 0):
            raise ValueError(
                f"edges must increase and be one more than the masses, got {ends.size} edges and "
                f"{cells.size} masses"
            )
        object.__setattr__(self, "edges", ends)
        object.__setattr__(self, "masses", cells / _total_mass("masses", cells))

    @property
    def mean(self) -> float:
        return float(self.masses @ (self.edges[1:] + self.edges[:-1]) / 2)

    @property
    def variance(self) -> float:
        left, right = self.edges[:-1] - self.mean, self.edges[1:] - self.mean
        return float(self.masses @ (left**2 + left * right + right**2) / 3)

    def pieces(self) -> tuple[Array, Array, Array]:
        """Ends of the pieces of the quantile function, its values at their left and right."""
        kept = self.masses > 0
        return _ends(self.masses[kept]), self.edges[:-1][kept], self.edges[1:][kept]


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """N(mean, deviation^2).

    Args:
        mean: a finite number.
        deviation: the standard deviation, at least 0.

    Raises:
        ValueError: if a number is not finite or the deviation is negative.

    Example:
        >>> Gaussian(1.0, 2.0).quantile(0.5)
        array(1.)
        >>> Gaussian(1.0, 2.0).histogram([-9.0, 1.0, 11.0]).masses
        array([0.5, 0.5])
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        check_scalar("mean", self.mean)
        check_scalar("deviation", self.deviation, at_least=0.0)

    @property
    def variance(self) -> float:
        return self.deviation**2

    def quantile(self, level: ArrayLike) -> Array:
        return np.asarray(self.mean + self.deviation * special.ndtri(level))

    def partial_moments(self, level: ArrayLike) -> tuple[Array, Array]:
        """The integrals of Q and Q^2 over [0, level]."""
        u = np.asarray(level, dtype=np.float64)
        z = special.ndtri(u)
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        z_density = np.where(density > 0, np.where(np.isfinite(z), z, 0.0) * density, 0.0)
        m, s = self.mean, self.deviation
        return m * u - s * density, m**2 * u - 2 * m * s * density + s**2 * (u - z_density)

    def histogram(self, edges: ArrayLike) -> Histogram:
        """The masses of the cells, exactly; what lies outside is dropped."""
        if self.deviation == 0:
            raise ValueError("deviation is 0: a point mass has no histogram")
        standard = (_vector("edges", edges) - self.mean) / self.deviation
        return Histogram(edges, _normal_masses(standard))


@dataclasses.dataclass(frozen=True)
class LogNormal:
    """exp(N(log_mean, log_deviation^2)).

    Args:
        log_mean: a finite number.
        log_deviation: positive.

    Raises:
        ValueError: if a number is not finite or the deviation is not positive.

    Example:
        >>> law = LogNormal(0.0, 1.0)
        >>> law.quantile(0.5), round(law.mean, 6), round(law.variance, 6)
        (array(1.), 1.648721, 4.670774)
    """

    log_mean: float
    log_deviation: float

    def __post_init__(self) -> None:
        check_scalar("log_mean", self.log_mean)
        check_scalar("log_deviation", self.log_deviation, positive=True)

    @property
    def mean(self) -> float:
        return float(np.exp(self.log_mean + self.log_deviation**2 / 2))

    @property
    def variance(self) -> float:
        return float(np.expm1(self.log_deviation**2) * self.mean**2)

    def quantile(self, level: ArrayLike) -> Array:
        return np.asarray(np.exp(self.log_mean + self.log_deviation * special.ndtri(level)))

    def partial_moments(self, level: ArrayLike) -> tuple[Array, Array]:
        """The integrals of Q and Q^2 over [0, level]."""
        z, s = special.ndtri(np.asarray(level, dtype=np.float64)), self.log_deviation
        first = self.mean * special.ndtr(z - s)
        return first, np.exp(2 * self.log_mean + 2 * s**2) * special.ndtr(z - 2 * s)

    def histogram(self, edges: ArrayLike) -> Histogram:
        """The masses of the cells, exactly; what lies outside is dropped."""
        ends = _vector("edges", edges)
        if not np.all(ends > 0):
            raise ValueError(f"edges must be positive, got {ends.min()}")
        return Histogram(ends, _normal_masses((np.log(ends) - self.log_mean) / self.log_deviation))


LineLaw = Atoms | Histogram | Gaussian | LogNormal


def empirical(samples: ArrayLike) -> Atoms:
    """The law that gives every sample the same weight.

    Args:
        samples: shape (n,), n >= 1.

    Returns:
        The atoms.

    Raises:
        ValueError: if the samples are not a non-empty vector of finite numbers.

    Example:
        >>> empirical([3.0, 1.0]).points
        array([1., 3.])
    """
    points = _vector("samples", samples)
    return Atoms(points, np.ones_like(points))


def _vector(name: str, values: Any) -> Array:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0 or not np.all(np.isfinite(vector)):
        raise ValueError(
            f"{name} must be a non-empty vector of finite numbers, got shape {vector.shape}"
        )
    return vector


def _total_mass(name: str, masses: Array) -> float:
    if np.any(masses < 0) or not masses.sum() > 0:
        raise ValueError(f"{name} must be non-negative and not all 0, got {masses}")
    return float(masses.sum())


def _ends(masses: Array) -> Array:
    """Cumulated masses, from the nearer end: where the rest is below rounding they are 1.

    Summed from below alone, the rounding of all masses would fall on the last piece, which may lie
    so far out that a share of 1e-16 decides the distance.
    """
    ends = np.minimum(np.cumsum(masses), 1.0)
    rest = np.append(np.cumsum(masses[:0:-1])[::-1], 0.0)
    return np.maximum.accumulate(np.where(ends < 0.5, ends, 1.0 - rest))


def _normal_masses(edges: Array) -> Array:
    """Masses of a standard normal; from the nearer tail, so that small ones are accurate."""
    low, high = edges[:-1], edges[1:]
    return np.where(
        low > 0,
        special.ndtr(-low) - special.ndtr(-high),
        special.ndtr(high) - special.ndtr(low),
    )
