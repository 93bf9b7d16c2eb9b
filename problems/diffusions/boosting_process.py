# SPDX-License-Identifier: Apache-2.0
r"""Randomized boosting of the squared loss as a chain of functions, with its exact moments.

    F_{k+1} = (1 - eta lambda) F_k - eta P_s (F_k - y + sqrt(2 T / eta) xi_k),

s uniform among S weak learners, P_s the projector on the functions that are constant on the cells
of s, xi_k standard normal. Everything here lives on the n training points, and every number is a
closed form or an exact recursion in float64:

- K = E P_s, the kernel;
- mean and covariance of F_k for every k: both satisfy linear recursions;
- the diffusion dF = -(lambda F + K (F - y)) dt + sqrt(2 T K) dW, a Gaussian process, at any time;
- its equilibrium, the posterior of Gaussian process regression with the prior covariance
  (T / lambda) K and the noise variance T;
- for T = 0 the covariance, in units of eta, of the Gaussian process that the fluctuations
  (F_k - E F_k) / sqrt(eta) converge to: what remains is the random choice of the learners.

References:
  Ustimenko, Beliakov, Prokhorenkova, "Gradient boosting performs Gaussian process inference",
  ICLR 2023, arXiv:2206.05608.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoostingProcess"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoostingProcess:
    r"""The chain of predictions that boosting with uniformly drawn weak learners makes.

    Args:
        cells: the cell of each training point under each weak learner, integers from 0, shape
            (n, S). Every cell up to the largest one of a learner has a point.
        targets: y, shape (n,).
        shrinkage: lambda, at least 0.
        temperature: T, at least 0.

    Raises:
        ValueError: if the cells are not integers, a cell is empty, the shapes do not match, or
            a number is negative or not finite.

    Example:
        >>> process = BoostingProcess(np.array([[0], [0], [1]]), np.array([1.0, 3.0, 5.0]))
        >>> process.kernel.round(9).tolist()
        [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
        >>> mean, covariance = process.chain_moments(0.5, 100, np.zeros(3))
        >>> mean.round(6).tolist(), bool(abs(covariance).max() < 1e-30)
        ([2.0, 2.0, 5.0], True)
    """

    cells: NDArray[np.integer]
    targets: Array
    shrinkage: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        cells, targets = np.asarray(self.cells), np.asarray(self.targets, dtype=np.float64)
        if cells.ndim != 2 or not np.issubdtype(cells.dtype, np.integer) or cells.size == 0:
            raise ValueError(
                f"cells must be integers of shape (n, S), got {cells.dtype} of {cells.shape}."
            )
        for learner in range(cells.shape[1]):
            found = np.unique(cells[:, learner])
            if found.tolist() != list(range(len(found))):
                raise ValueError(
                    f"cells[:, {learner}] must use every cell from 0 up, got {found.tolist()}."
                )
        if targets.shape != cells.shape[:1] or not np.isfinite(targets).all():
            raise ValueError(f"targets must be finite, of shape {cells.shape[:1]}.")
        for name in ("shrinkage", "temperature"):
            number = getattr(self, name)
            if not 0.0 <= number < np.inf:
                raise ValueError(f"{name} must be finite and at least 0, got {number!r}.")
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "targets", targets)

    @cached_property
    def _indicators(self) -> Array:
        """Orthonormal bases of all learners side by side: P_s = sum of its columns' squares."""
        columns = [
            (self.cells[:, s] == cell) / np.sqrt((self.cells[:, s] == cell).sum())
            for s in range(self.cells.shape[1])
            for cell in range(int(self.cells[:, s].max()) + 1)
        ]
        return np.stack(columns, axis=1)

    @cached_property
    def _same_learner(self) -> NDArray[np.bool_]:
        """Which columns of the indicators belong to one learner."""
        owner = np.concatenate(
            [np.full(int(self.cells[:, s].max()) + 1, s) for s in range(self.cells.shape[1])]
        )
        same: NDArray[np.bool_] = owner[:, None] == owner[None, :]
        return same

    @cached_property
    def kernel(self) -> Array:
        """K = E P_s, symmetric, eigenvalues in [0, 1], shape (n, n)."""
        kernel: Array = self._indicators @ self._indicators.T / self.cells.shape[1]
        return kernel

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        eigenvalues, vectors = np.linalg.eigh(self.kernel)
        return np.clip(eigenvalues, 0.0, None), vectors

    def cross_kernel(self, cells: NDArray[np.integer]) -> Array:
        r"""The kernel between new points and the training points.

        .. math:: k(x, x_i) = \frac1S \sum_s \frac{1[x, x_i \text{ in one cell of } s]}{n_s(x)}

        Args:
            cells: the cell of each new point under each learner, shape (m, S).

        Returns:
            Shape (m, n).

        Example:
            >>> process = BoostingProcess(np.array([[0], [0], [1]]), np.zeros(3))
            >>> process.cross_kernel(np.array([[0]])).tolist()
            [[0.5, 0.5, 0.0]]
        """
        together = np.asarray(cells)[:, None, :] == self.cells[None, :, :]
        sizes = np.maximum(together.sum(axis=1, keepdims=True), 1)
        return (together / sizes).mean(axis=2)

    def equilibrium(self) -> tuple[Array, Array]:
        r"""The law that the diffusion tends to, N(m, C).

        .. math:: m = K (K + \lambda)^{-1} y, \qquad C = T K (K + \lambda)^{-1}

        Returns:
            The mean, shape (n,), and the covariance, shape (n, n): for T > 0 and lambda > 0 the
            posterior of Gaussian process regression. For lambda = 0 both are taken on the range
            of K.

        Example:
            >>> process = BoostingProcess(np.array([[0], [1]]), np.array([1.0, 3.0]), 0.5, 2.0)
            >>> mean, covariance = process.equilibrium()
            >>> (mean * 3).round(9).tolist(), (covariance * 3).round(9).tolist()
            ([2.0, 6.0], [[4.0, 0.0], [0.0, 4.0]])
        """
        eigenvalues, vectors = self._spectrum
        share = self._share(eigenvalues)
        mean = vectors @ (share * (vectors.T @ self.targets))
        return mean, self.temperature * (vectors * share) @ vectors.T

    def diffusion_moments(self, time: float, start: Array) -> tuple[Array, Array]:
        r"""Mean and covariance of the diffusion dF = -(lambda F + K (F - y)) dt + sqrt(2 T K) dW.

        .. math::
          E F_t &= m + e^{-(K + \lambda) t} (F_0 - m), \\
          \mathrm{Cov} F_t &= T K (K + \lambda)^{-1} (I - e^{-2 (K + \lambda) t})

        Args:
            time: t, at least 0.
            start: F_0, shape (n,).

        Returns:
            The mean, shape (n,), and the covariance, shape (n, n).

        Raises:
            ValueError: if the time is negative.

        Example:
            >>> process = BoostingProcess(np.array([[0], [1]]), np.ones(2), 1.0, 1.0)
            >>> mean, covariance = process.diffusion_moments(100.0, np.zeros(2))
            >>> mean.tolist(), covariance.tolist()
            ([0.5, 0.5], [[0.5, 0.0], [0.0, 0.5]])
        """
        if not 0.0 <= time < np.inf:
            raise ValueError(f"time must be finite and at least 0, got {time!r}.")
        eigenvalues, vectors = self._spectrum
        share, decay = self._share(eigenvalues), np.exp(-(eigenvalues + self.shrinkage) * time)
        limit = share * (vectors.T @ self.targets)
        mean = vectors @ (limit + decay * (vectors.T @ start - limit))
        variances = self.temperature * share * (1.0 - decay**2)
        return mean, (vectors * variances) @ vectors.T

    def chain_moments(self, step: float, count: int, start: Array) -> tuple[Array, Array]:
        r"""Exact mean and covariance of F_k, the chain itself.

        With the residual r = F - y, R = E r r^T and Q(R) = E P_s R P_s, the second moment of a
        step is linear in R; the covariance is propagated with the mean, so that nothing cancels:

        .. math::
          m_{k+1} &= (1 - \eta \lambda) m_k - \eta K (m_k - y), \\
          C_{k+1} &= a^2 C_k - a \eta (K C_k + C_k K) + \eta^2 Q(C_k)
             + \eta^2 \bigl(Q(u u^\top) - K u u^\top K\bigr) + 2 \eta T K,

        where a = 1 - eta lambda and u = m_k - y.

        Args:
            step: eta, positive.
            count: k, at least 0.
            start: F_0, shape (n,).

        Returns:
            The mean, shape (n,), and the covariance, shape (n, n).

        Raises:
            ValueError: if the step is not positive or the count is negative.

        Example:
            >>> process = BoostingProcess(np.array([[0], [1]]), np.ones(2), temperature=1.0)
            >>> mean, covariance = process.chain_moments(0.5, 1, np.zeros(2))
            >>> mean.tolist(), covariance.tolist()
            ([0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]])
        """
        if not 0.0 < step < np.inf:
            raise ValueError(f"step must be positive and finite, got {step!r}.")
        if count < 0:
            raise ValueError(f"count must be at least 0, got {count}.")
        shrink, kernel = 1.0 - step * self.shrinkage, self.kernel
        mean, covariance = np.asarray(start, float), np.zeros_like(kernel)
        for _ in range(count):
            drift = kernel @ covariance
            covariance = (
                shrink**2 * covariance
                - shrink * step * (drift + drift.T)
                + step**2 * (self._projected(covariance) + self._choice_covariance(mean))
                + 2.0 * step * self.temperature * kernel
            )
            mean = shrink * mean - step * kernel @ (mean - self.targets)
        return mean, covariance

    def fluctuation_covariance(self, time: float, start: Array, nodes: int = 60) -> Array:
        r"""The covariance, in units of eta, that the random choice of the learners leaves.

        .. math::
          C_t = \int_0^t e^{-(K + \lambda)(t - s)} \, \Sigma(m_s) \, e^{-(K + \lambda)(t - s)} ds,
          \qquad \Sigma(m) = \mathrm{Cov}(P_s (m - y))

        For T = 0 the law of (F_k - E F_k) / sqrt(eta) at k eta = t tends to N(0, C_t). The
        integrand is a sum of exponentials; Gauss-Legendre quadrature takes it to round-off for
        times up to about `nodes` / 2.

        Args:
            time: t, at least 0.
            start: F_0, shape (n,).
            nodes: of the quadrature.

        Returns:
            Shape (n, n).

        Example:
            >>> process = BoostingProcess(np.array([[0, 0], [0, 1]]), np.array([0.0, 1.0]))
            >>> covariance = process.fluctuation_covariance(1.0, np.zeros(2))
            >>> bool(np.all(np.linalg.eigvalsh(covariance) > -1e-12))
            True
        """
        eigenvalues, vectors = self._spectrum
        points, weights = np.polynomial.legendre.leggauss(nodes)
        total = np.zeros_like(self.kernel)
        for point, weight in zip(points, weights, strict=True):
            s = time * (point + 1.0) / 2.0
            mean, _ = self.diffusion_moments(s, start)
            decay = np.exp(-(eigenvalues + self.shrinkage) * (time - s))
            sigma = vectors.T @ self._choice_covariance(mean) @ vectors
            total += weight * time / 2.0 * decay[:, None] * sigma * decay[None, :]
        covariance: Array = vectors @ total @ vectors.T
        return covariance

    def _share(self, eigenvalues: Array) -> Array:
        """K (K + lambda)^{-1}, eigenvalue by eigenvalue, and 0 where K is."""
        positive = eigenvalues > 1e-12 * max(float(eigenvalues.max()), 1e-300)
        return np.where(
            positive, eigenvalues / np.where(positive, eigenvalues + self.shrinkage, 1), 0.0
        )

    def _projected(self, matrix: Array) -> Array:
        """Q(R) = E P_s R P_s: only the blocks of one learner count."""
        basis = self._indicators
        blocks = np.where(self._same_learner, basis.T @ matrix @ basis, 0.0)
        return basis @ blocks @ basis.T / self.cells.shape[1]

    def _choice_covariance(self, mean: Array) -> Array:
        """Cov(P_s u) at u = mean - y."""
        u = mean - self.targets
        weights = self._indicators.T @ u
        blocks = np.where(self._same_learner, np.outer(weights, weights), 0.0)
        second = self._indicators @ blocks @ self._indicators.T / self.cells.shape[1]
        first = self.kernel @ u
        covariance: Array = second - np.outer(first, first)
        return covariance
