# SPDX-License-Identifier: Apache-2.0
"""Finite sums of quadratic functions given by their matrices."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_indices, check_point, host, is_concrete, symmetric
from ..constant import Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum

__all__ = ["Quadratics"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Quadratics(FiniteSum):
    r"""f_i(x) = x^T A_i x / 2 + c_i^T x with symmetric matrices A_i, which need not commute.

    .. math:: L = |\bar A|, \qquad \tilde L^2 = \Big|\tfrac1n \sum_i A_i^2\Big|, \qquad
        L_\pm^2 = \Big|\tfrac1n \sum_i (A_i - \bar A)^2\Big|, \qquad
        L_{\max} = \max_i |A_i|, \qquad \mu = \lambda_{\min}(\bar A).

    Args:
        hessians: A, shape (n, d, d).
        slopes: c, shape (n, d).

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or a matrix is not symmetric.

    Example:
        >>> apart = Quadratics(hessians=[[[3.0]], [[1.0]]], slopes=[[1.0], [-1.0]])
        >>> {name: round(one.value, 3) for name, one in apart.constants.items()}
        {'L': 2.0, 'L_tilde': 2.236, 'L_pm': 1.0, 'L_max': 3.0, 'mu': 2.0}
        >>> abs(float(apart.minimizer[0])), apart.convex
        (0.0, True)
    """

    hessians: jax.Array | np.ndarray
    slopes: jax.Array | np.ndarray

    def __post_init__(self) -> None:
        for name in ("hessians", "slopes"):
            given = getattr(self, name)
            if isinstance(given, list | tuple):
                object.__setattr__(self, name, np.asarray(given, dtype=float))
        if not (is_concrete(self.hessians) and is_concrete(self.slopes)):
            return
        hessians, slopes = host(self.hessians), host(self.slopes)
        fit = slopes.ndim == 2 and hessians.shape == (*slopes.shape, slopes.shape[-1])
        if not (fit and slopes.size):
            raise ValueError(
                "hessians and slopes must have shapes (n, d, d) and (n, d), got "
                f"{hessians.shape} and {slopes.shape}"
            )
        if not (np.all(np.isfinite(hessians)) and np.all(np.isfinite(slopes))):
            raise ValueError("hessians and slopes must be finite")
        symmetric("hessians", self.hessians)

    @property
    def num_samples(self) -> int:
        return int(self.slopes.shape[0])

    @property
    def dim(self) -> int:
        return int(self.slopes.shape[1])

    @property
    def convex(self) -> bool:
        return bool(self.constants["mu"].value >= 0)

    @functools.cached_property
    def minimizer(self) -> np.ndarray:
        """The x* of least norm where f has a minimum, shape (d,).

        Raises:
            ValueError: if it has none.
        """
        hessian, slope = self._means
        values, vectors = np.linalg.eigh(hessian)
        along = vectors.T @ slope
        flat = values <= 1e-13 * max(float(values[-1]), 1e-300)
        if np.any(values[flat] < -1e-13 * abs(float(values[-1]))) or np.any(
            np.abs(along[flat]) > 1e-13 * max(float(np.abs(along).max()), 1e-300)
        ):
            raise ValueError("f has no minimum: it falls for ever along some direction")
        return -vectors @ np.where(flat, 0.0, along / np.where(flat, 1.0, values))

    @property
    def lower_bound(self) -> float:
        """The minimum, -inf where there is none."""
        try:
            solution = self.minimizer
        except ValueError:
            return -np.inf
        return self.value_at(solution)

    def value_at(self, x: ArrayLike) -> float:
        """f(x) on the host in float64.

        Args:
            x: shape (d,).

        Returns:
            The value.
        """
        point = np.asarray(x, dtype=np.float64)
        hessian, slope = self._means
        return float(point @ hessian @ point / 2 + slope @ point)

    def value(self, x: jax.Array) -> jax.Array:
        point = check_point(x, self.dim)
        mean = jnp.mean(self.hessians, axis=0)
        return point @ mean @ point / 2 + jnp.mean(self.slopes, axis=0) @ point

    def gradient(self, x: jax.Array) -> jax.Array:
        point = check_point(x, self.dim)
        return jnp.mean(self.hessians, axis=0) @ point + jnp.mean(self.slopes, axis=0)

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        point = check_point(x, self.dim)
        rows = check_indices(indices, self.num_samples)
        return self.hessians[rows] @ point + self.slopes[rows]

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        return jnp.mean(self.sample_gradients(x, indices), axis=0)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        """Also "L_max", of the f_i, and "mu", negative where f is not convex."""
        matrices = np.asarray(host(self.hessians))
        mean = matrices.mean(axis=0)
        spectrum = np.linalg.eigvalsh(mean)
        second = np.mean(matrices @ matrices, axis=0)
        apart = matrices - mean
        found = {
            "L": float(np.abs(spectrum).max()),
            "L_tilde": float(np.sqrt(np.linalg.eigvalsh(second)[-1])),
            "L_pm": float(np.sqrt(max(np.linalg.eigvalsh(np.mean(apart @ apart, axis=0))[-1], 0))),
            "L_max": float(np.abs(np.linalg.eigvalsh(matrices)).max()),
            "mu": float(spectrum[0]),
        }
        return {
            name: Constant(value, "exact", derivation="an eigenvalue")
            for name, value in found.items()
        }

    def _local_constants(self, x: np.ndarray) -> dict[str, float]:
        """Also those that are this class's own."""
        rows = jax.jacfwd(lambda point: self.sample_gradients(point, np.arange(self.num_samples)))
        matrices = np.asarray(rows(jnp.asarray(x)))
        least = jnp.linalg.eigvalsh(jax.jacfwd(self.gradient)(jnp.asarray(x)))[0]
        largest = np.linalg.norm(matrices, 2, axis=(1, 2)).max()
        return super()._local_constants(x) | {"L_max": float(largest), "mu": float(least)}

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)

    @functools.cached_property
    def _means(self) -> tuple[np.ndarray, np.ndarray]:
        return host(self.hessians).mean(axis=0), host(self.slopes).mean(axis=0)
