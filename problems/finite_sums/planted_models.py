# SPDX-License-Identifier: Apache-2.0
"""Random least squares, logistic regression and sigmoid loss with a planted sparse solution."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from .._arguments import check_scalar, check_size
from .linear_models import LeastSquares, LogisticRegression, SigmoidLoss

__all__ = ["random_least_squares", "random_logistic", "random_sigmoid"]


def random_least_squares(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    planted_norm: float = 5.0,
    noise: float = 0.1,
) -> LeastSquares:
    """Least squares with unit rows and noisy targets of a sparse planted solution.

    Rows are uniform on the sphere; the solution z has random signs and |z|_1 = `planted_norm`; the
    targets are A z plus Gaussian noise. Over an l1 ball of a smaller radius, and over the simplex,
    the minimiser lies on a face.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        planted_norm: l1 norm of z, positive.
        noise: standard deviation of the noise relative to the root mean square of A z, at least 0.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_least_squares(5, 3, seed=0).features.shape
        (5, 3)
    """
    check_scalar("noise", noise, at_least=0.0)
    rng = np.random.default_rng(seed)
    features, signal = _planted(rng, num_samples, dim, sparsity, planted_norm)
    level = noise * np.sqrt(np.mean(signal**2))
    targets = signal + level * rng.standard_normal(num_samples)
    return LeastSquares(jnp.asarray(features), jnp.asarray(targets))


def random_logistic(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    margin: float = 3.0,
) -> LogisticRegression:
    """Logistic regression with unit rows and labels drawn from a sparse planted model.

    Rows are uniform on the sphere, z is sparse with random signs, and y_i = +1 with probability
    1/(1 + exp(-a_i'z)); `margin` is the root mean square of a_i'z.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        margin: positive; the larger, the fewer labels contradict z.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_logistic(5, 3, seed=0).labels.shape
        (5,)
    """
    return LogisticRegression(*_planted_labels(num_samples, dim, seed, sparsity, margin))


def random_sigmoid(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    margin: float = 3.0,
) -> SigmoidLoss:
    """The sigmoid loss on the data of `random_logistic` with the same arguments.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        margin: positive; the larger, the fewer labels contradict z.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_sigmoid(5, 3, seed=0).dim
        3
    """
    return SigmoidLoss(*_planted_labels(num_samples, dim, seed, sparsity, margin))


def _planted_labels(
    num_samples: int, dim: int, seed: int, sparsity: int | None, margin: float
) -> tuple[jax.Array, jax.Array]:
    check_scalar("margin", margin, positive=True)
    rng = np.random.default_rng(seed)
    features, signal = _planted(rng, num_samples, dim, sparsity, 1.0)
    predictions = margin * signal / np.sqrt(np.mean(signal**2))
    labels = np.where(rng.random(num_samples) < expit(predictions), 1.0, -1.0)
    return jnp.asarray(features), jnp.asarray(labels)


def _planted(
    rng: np.random.Generator, num_samples: int, dim: int, sparsity: int | None, norm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows A and the signal A z of a sparse z."""
    check_size("num_samples", num_samples)
    check_size("dim", dim)
    check_scalar("planted_norm", norm, positive=True)
    support = max(1, dim // 5) if sparsity is None else sparsity
    check_size("sparsity", support)
    if support > dim:
        raise ValueError(f"sparsity must be at most dim = {dim}, got {support}")
    features = rng.standard_normal((num_samples, dim))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    solution = np.zeros(dim)
    chosen = rng.choice(dim, size=support, replace=False)
    solution[chosen] = rng.choice([-1.0, 1.0], size=support) * rng.uniform(0.5, 1.5, size=support)
    solution *= norm / np.abs(solution).sum()
    return features, features @ solution
