# SPDX-License-Identifier: Apache-2.0
r"""The posterior of Bayesian logistic regression, with its moments by quadrature.

    U(x) = sum_i log(1 + exp(-b_i <a_i, x>)) + |x|^2 / (2 s^2),      pi proportional to exp(-U).

With few parameters the moments of pi are integrals that a product of Gauss-Hermite rules, centred
at the mode and shaped by the Hessian there, takes to many digits. They are the reference that
samplers on real data are held against.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

__all__ = ["LogisticPosterior"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LogisticPosterior:
    """Logistic regression with a normal prior N(0, s^2 I) on its d <= 4 coefficients.

    Args:
        features: a_i, shape (n, d); add a column of ones for an intercept.
        labels: b_i, +1 or -1, shape (n,).
        prior_scale: s, positive.

    Raises:
        ValueError: if the shapes do not match, there are more than 4 columns, a number is not
            finite, a label is neither +1 nor -1, or the scale is not positive.

    Example:
        >>> posterior = LogisticPosterior(np.array([[1.0], [1.0]]), np.array([1.0, -1.0]), 2.0)
        >>> mean, covariance, error = posterior.moments()
        >>> bool(abs(mean[0]) < 1e-9), covariance.round(3).tolist(), error < 1e-5
        (True, [[1.599]], True)
    """

    features: Array
    labels: Array
    prior_scale: float = 1.0

    def __post_init__(self) -> None:
        features = np.asarray(self.features, dtype=np.float64)
        labels = np.asarray(self.labels, dtype=np.float64)
        if features.ndim != 2 or not np.isfinite(features).all() or features.size == 0:
            raise ValueError(f"features must be a finite matrix (n, d), got {features.shape}.")
        if features.shape[1] > 4:
            raise ValueError(
                "features must have at most 4 columns, because the quadrature's nodes grow "
                f"exponentially with them; got {features.shape[1]}."
            )
        if labels.shape != features.shape[:1] or not (np.abs(labels) == 1.0).all():
            raise ValueError(f"labels must be +1 or -1, of shape {features.shape[:1]}.")
        if not 0.0 < self.prior_scale < np.inf:
            raise ValueError(f"prior_scale must be positive, got {self.prior_scale!r}.")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "labels", labels)

    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient of U.

        Args:
            x: shape (d,).

        Returns:
            Shape (d,).

        Example:
            >>> posterior = LogisticPosterior(np.array([[1.0]]), np.array([1.0]))
            >>> posterior.gradient(jnp.zeros(1)).tolist()
            [-0.5]
        """
        return self.minibatch_gradient(x, jnp.arange(len(self.labels)))

    def minibatch_gradient(self, x: jax.Array, indices: jax.Array) -> jax.Array:
        """An unbiased estimate of the gradient of U from the samples drawn.

        Args:
            x: shape (d,).
            indices: of the samples, uniform on 0, ..., n - 1, shape (b,).

        Returns:
            n / b times the gradient of the likelihood's part, and that of the prior, shape (d,).

        Example:
            >>> posterior = LogisticPosterior(np.array([[1.0], [2.0]]), np.ones(2))
            >>> posterior.minibatch_gradient(jnp.zeros(1), jnp.array([1])).tolist()
            [-2.0]
        """
        signed = jnp.asarray(self.features * self.labels[:, None])[indices]
        weights = jax.nn.sigmoid(-signed @ x)
        scale = len(self.labels) / indices.shape[0]
        return -scale * (weights @ signed) + x / self.prior_scale**2

    @cached_property
    def mode(self) -> Array:
        """The minimum of U, by Newton's method to a gradient of 1e-10, shape (d,)."""
        x = np.zeros(self.features.shape[1])
        signed = self.features * self.labels[:, None]
        for _ in range(100):
            gradient = -_sigmoid(-signed @ x) @ signed + x / self.prior_scale**2
            if np.abs(gradient).max() < 1e-10:
                return x
            full = np.linalg.solve(self.hessian(x), gradient)
            length = 1.0
            # Sufficient decrease; near the minimum rounding decides, and the full step is right.
            while length > 1e-4 and self._potential((x - length * full)[None])[0] > (
                self._potential(x[None])[0] - 0.25 * length * gradient @ full + 1e-12
            ):
                length /= 2.0
            x = x - length * full
        raise ValueError("the mode was not found in 100 Newton steps; scale the features.")

    def hessian(self, x: Array) -> Array:
        """The Hessian of U.

        Args:
            x: shape (d,).

        Returns:
            Shape (d, d), positive definite.

        Example:
            >>> LogisticPosterior(np.array([[1.0]]), np.ones(1)).hessian(np.zeros(1)).tolist()
            [[1.25]]
        """
        share = _sigmoid(self.features @ x)
        curvature = self.features.T @ (self.features * (share * (1.0 - share))[:, None])
        hessian: Array = curvature + np.eye(len(x)) / self.prior_scale**2
        return hessian

    def moments(self) -> tuple[Array, Array, float]:
        """Mean and covariance of the posterior, and how far two quadratures disagree.

        Returns:
            The mean, shape (d,), the covariance, shape (d, d), and the largest difference
            between the rules of 20 and 30 nodes a dimension, in standard deviations for the mean
            and relative to the product of standard deviations for the covariance.
        """
        coarse_mean, coarse_covariance = self._quadrature(20)
        mean, covariance = self._quadrature(30)
        deviations = np.sqrt(np.diag(covariance))
        error = max(
            np.abs((mean - coarse_mean) / deviations).max(),
            np.abs((covariance - coarse_covariance) / np.outer(deviations, deviations)).max(),
        )
        return mean, covariance, float(error)

    def _potential(self, points: Array) -> Array:
        """U at each row."""
        margins = points @ (self.features * self.labels[:, None]).T
        prior = (points**2).sum(axis=1) / (2.0 * self.prior_scale**2)
        potential: Array = np.logaddexp(0.0, -margins).sum(axis=1) + prior
        return potential

    def _quadrature(self, nodes: int) -> tuple[Array, Array]:
        d = len(self.mode)
        points, weights = np.polynomial.hermite_e.hermegauss(nodes)
        grid = np.stack(np.meshgrid(*[points] * d, indexing="ij"), axis=-1).reshape(-1, d)
        log_weights = np.log(weights)[
            np.stack(np.meshgrid(*[np.arange(nodes)] * d, indexing="ij"), axis=-1)
        ]
        # A fifth wider than the normal approximation, for the tails of a skewed posterior.
        root = 1.2 * np.linalg.cholesky(np.linalg.inv(self.hessian(self.mode)))
        x = self.mode + grid @ root.T
        logs = log_weights.sum(axis=-1).reshape(-1) + (grid**2).sum(axis=1) / 2.0
        keep = logs - (grid**2).sum(axis=1) / 2.0 > -80.0
        x, logs = x[keep], logs[keep]
        potentials = np.concatenate(
            [self._potential(part) for part in np.array_split(x, max(1, len(x) // 4096))]
        )
        logs = logs - potentials
        mass = np.exp(logs - logs.max())
        mass /= mass.sum()
        mean = mass @ x
        return mean, (x - mean).T @ ((x - mean) * mass[:, None])


def _sigmoid(margins: Array) -> Array:
    sigmoid: Array = 0.5 * (1.0 + np.tanh(margins / 2.0))
    return sigmoid
