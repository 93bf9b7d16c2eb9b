# SPDX-License-Identifier: Apache-2.0
r"""The stationary covariance of Langevin dynamics in steps, with gradients from minibatches.

    delta_{k+1} = (I - eta P H) delta_k + eta P n_k + sqrt(2 eta T) P^{1/2} eps_k

is the chain of `optzoo.sgld` on a quadratic potential with the Hessian H, seen from its minimum;
n_k is the error of the gradient. A stationary covariance S solves

    S = (I - eta P H) S (I - eta P H)^T + 2 eta T P + eta^2 P C(S) P,

where C(S) is the covariance of n_k, which may grow with the distance from the minimum. For other
potentials, with H and C at the mode, this is what the chain tends to for small steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from .._arguments import check_scalar, check_size

__all__ = ["langevin_covariance", "minibatch_noise"]

Array: TypeAlias = NDArray[np.float64]
GradientNoise: TypeAlias = Callable[[Array], Array]

_ROUNDING = 1e-13
_ITERATIONS = 10_000


def langevin_covariance(
    hessian: ArrayLike,
    learning_rate: float,
    *,
    temperature: float = 1.0,
    preconditioner: ArrayLike | None = None,
    gradient_noise: GradientNoise | None = None,
) -> Array:
    r"""The covariance that `optzoo.sgld` settles at on a quadratic potential, exactly.

    .. math::
      S = (I - \eta P H)\, S\, (I - \eta P H)^\top + 2 \eta T P + \eta^2 P\, C(S)\, P

    With full gradients, C = 0, it is T (I - eta P H / 2)^{-1} H^{-1} in place of T H^{-1}. With
    P = H^{-1}, T = 1 and minibatches of b of n samples of a model that fits, C is about (n/b) H,
    and S is (1 + eta n / (2 b)) / (1 - eta / 2) times H^{-1}.

    Args:
        hessian: H, symmetric positive definite, shape (d, d).
        learning_rate: eta, positive.
        temperature: T, at least 0.
        preconditioner: P, symmetric positive definite, shape (d, d); the identity if None.
        gradient_noise: S -> C(S), the covariance of the gradients' error where the parameters
            have the covariance S, affine in it; none if None. `minibatch_noise` makes one.

    Returns:
        S, shape (d, d).

    Raises:
        ValueError: if a matrix is not symmetric positive definite, a number is out of range, or
            there is no stationary law because the step is too long.

    Example:
        >>> H = np.diag([1.0, 4.0])
        >>> langevin_covariance(H, 0.1).diagonal().round(6)           # 1 / (1 - 0.05 h) / h
        array([1.052632, 0.3125  ])
        >>> noisy = langevin_covariance(
        ...     H, 0.05, preconditioner=np.linalg.inv(H), gradient_noise=lambda S: 10 * H)
        >>> (noisy @ H).diagonal().round(4)                           # n / b = 10
        array([1.2821, 1.2821])
    """
    curvature = _positive_definite("hessian", hessian)
    scales = (
        np.eye(len(curvature))
        if preconditioner is None
        else _positive_definite("preconditioner", preconditioner)
    )
    if scales.shape != curvature.shape:
        raise ValueError(f"preconditioner must have shape {curvature.shape}, got {scales.shape}")
    check_scalar("learning_rate", learning_rate, positive=True)
    check_scalar("temperature", temperature, at_least=0.0)
    contraction = np.eye(len(curvature)) - learning_rate * scales @ curvature
    heat = 2 * learning_rate * temperature * scales
    longest = 2 / np.abs(np.linalg.eigvals(scales @ curvature)).max()
    if learning_rate >= longest:
        raise ValueError(f"learning_rate must be below 2 / max eig(P H) = {longest:.6g}")

    def following(covariance: Array) -> Array:
        added = heat
        if gradient_noise is not None:
            added = heat + learning_rate**2 * scales @ gradient_noise(covariance) @ scales
        solved: Array = linalg.solve_discrete_lyapunov(contraction, added)
        return (solved + solved.T) / 2

    # From 0 it grows towards the least solution, and without end where there is none.
    covariance = following(np.zeros_like(curvature))
    for _ in range(_ITERATIONS):
        last, covariance = covariance, following(covariance)
        if not np.abs(covariance).max() < 1e100:
            break
        if np.abs(covariance - last).max() <= _ROUNDING * np.abs(covariance).max():
            return covariance
    raise ValueError(
        "there is no stationary law: the gradients' noise grows faster with the distance than the "
        f"drift pulls back; take a learning_rate below {learning_rate} or larger batches"
    )


def minibatch_noise(
    sample_gradients: ArrayLike,
    batch_size: int,
    *,
    sample_hessians: ArrayLike | None = None,
    replacement: bool = True,
) -> GradientNoise:
    r"""The covariance of the minibatch gradient (n/b) sum_S grad f_i of a sum of n potentials.

    .. math::
      C(S) = \frac{n}{b} \, \rho \sum_i \bigl[(g_i - \bar g)(g_i - \bar g)^\top
        + (H_i - \bar H)\, S\, (H_i - \bar H)^\top\bigr], \qquad
      \rho = 1 \text{ or } \frac{n - b}{n - 1}

    The second term is what quadratic f_i add away from the minimum, at a distance with mean 0 and
    covariance S. It is all that a control variate leaves (`optzoo.control_variate_gradient`),
    whose sample gradients at the minimum are equal.

    Args:
        sample_gradients: g_i at the minimum, shape (n, d); zeros for a control variate.
        batch_size: b, at most n without replacement.
        sample_hessians: H_i, shape (n, d, d); None where they are equal.
        replacement: whether a sample may be drawn twice into a batch.

    Returns:
        The function C: what `langevin_covariance` takes for `gradient_noise`.

    Raises:
        TypeError: if the batch size is not an integer.
        ValueError: if the shapes do not fit or the batch size is out of range.

    Example:
        >>> noise = minibatch_noise([[1.0], [-1.0], [3.0], [-3.0]], 2)
        >>> noise(np.zeros((1, 1)))                       # 4 / 2 * (1 + 1 + 9 + 9)
        array([[40.]])
        >>> minibatch_noise([[1.0], [-1.0]], 2, replacement=False)(np.zeros((1, 1)))
        array([[0.]])
    """
    rows = np.asarray(sample_gradients, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] < 1:
        raise ValueError(f"sample_gradients must have shape (n, d), got {rows.shape}")
    n, d = rows.shape
    check_size("batch_size", batch_size)
    if not replacement and batch_size > n:
        raise ValueError(f"batch_size must be at most n = {n} without replacement")
    curvatures = np.zeros((n, d, d))
    if sample_hessians is not None:
        curvatures = np.asarray(sample_hessians, dtype=np.float64)
        if curvatures.shape != (n, d, d):
            raise ValueError(f"sample_hessians must have shape {(n, d, d)}, got {curvatures.shape}")
    factor = n / batch_size
    if not replacement:
        factor *= (n - batch_size) / max(n - 1, 1)
    centred, deviations = rows - rows.mean(axis=0), curvatures - curvatures.mean(axis=0)
    constant = centred.T @ centred

    def noise(covariance: Array) -> Array:
        spread = np.einsum("nij,jk,nlk->il", deviations, covariance, deviations)
        total: Array = factor * (constant + spread)
        return total

    return noise


def _positive_definite(name: str, matrix: ArrayLike) -> Array:
    table = np.asarray(matrix, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"{name} must be a finite square matrix, got shape {table.shape}")
    asymmetry = np.abs(table - table.T).max(initial=0.0)
    if asymmetry > 1e-9 * np.abs(table).max(initial=0.0) or np.linalg.eigvalsh(table).min() <= 0:
        raise ValueError(f"{name} must be symmetric positive definite")
    return table
