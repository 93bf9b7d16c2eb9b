# SPDX-License-Identifier: Apache-2.0
r"""The instance on which no method can save communication: a chain whose links lie with n workers.

    f_1 = (mu/2) |x|^2 - (mu/2) |y|^2 + (delta^2 / (16 mu)) y_1
    f_i = (mu/2) |x|^2 - (mu/2) |y|^2 + (delta sqrt(n) / 4) sum_j x_j (y_j - y_{j+1}),

the sum over the j with j = i - 1 mod n - 1. Only the server knows of y_1, and y_{j+1} moves away
from zero only after the worker who has link j was heard with y_j known to it.

References:
  Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of efficient
  communications for distributed variational inequalities", NeurIPS 2023, arXiv:2302.07615.
"""

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import check_scalar, check_size
from .affine_operators import AffineOperators
from .distributed_saddle import rotation

__all__ = ["hard_saddle", "locked_tail"]

Array = NDArray[np.float64]


def hard_saddle(
    num_workers: int, half_dim: int, *, strong_monotonicity: float, similarity: float
) -> AffineOperators:
    r"""The lower bound's instance. The workers are similar on average, not each of them.

    delta_av is below `similarity`, delta_1 far below, but max_i Lip(F_i - F) grows like sqrt(n / 8)
    times it: bounds should be read with delta_1 and delta_av.

    Args:
        num_workers: n >= 3.
        half_dim: m; z = (x, y) has the dimension 2m.
        strong_monotonicity: mu > 0.
        similarity: the delta of the construction.

    Returns:
        The problem; the solution's y decays like a geometric sequence.

    Raises:
        ValueError: if n < 3, or a number is not positive.

    Example:
        >>> problem = hard_saddle(4, 6, strong_monotonicity=0.1, similarity=4.0)
        >>> y = problem.solution[6:]
        >>> bool((y[1:] < y[:-1]).all())
        True
    """
    check_size("num_workers", num_workers)
    check_size("half_dim", half_dim)
    if num_workers < 3:
        raise ValueError(f"num_workers must be at least 3, got {num_workers}")
    check_scalar("strong_monotonicity", strong_monotonicity, positive=True)
    check_scalar("similarity", similarity, positive=True)
    n, m, mu, delta = num_workers, half_dim, strong_monotonicity, similarity
    chain = np.eye(m) - np.eye(m, k=1)
    couplings = np.zeros((n, m, m))
    for j in range(m):
        couplings[1 + j % (n - 1), j] = delta * np.sqrt(n) / 4 * chain[j]
    matrices = mu * np.eye(2 * m) + np.stack([rotation(coupling) for coupling in couplings])
    offsets = np.zeros((n, 2 * m))
    offsets[0, m] = -(delta**2) / (16 * mu)
    return AffineOperators(jnp.asarray(matrices), jnp.asarray(offsets))


def locked_tail(problem: AffineOperators, unlocked: ArrayLike) -> Array:
    r"""The squared distance from z* to all points whose y is zero from some coordinate on.

    .. math:: T(M) = \sum_{j > M} (y^*_j)^2

    linear between integers. T is convex, so that E T(M) >= T(E M).

    Args:
        problem: a `hard_saddle`.
        unlocked: M >= 0, any shape.

    Returns:
        T, of the same shape.

    Example:
        >>> problem = hard_saddle(4, 6, strong_monotonicity=0.1, similarity=4.0)
        >>> tail = locked_tail(problem, [0.0, 6.0])
        >>> bool(np.isclose(tail[0], (problem.solution[6:] ** 2).sum())), float(tail[1])
        (True, 0.0)
    """
    y = problem.solution[problem.dim // 2 :]
    tail = np.append(np.cumsum((y**2)[::-1])[::-1], 0.0)
    return np.interp(np.asarray(unlocked, dtype=np.float64), np.arange(len(tail)), tail)
