"""The orthogonal polar factor by products of matrices alone: the scaled Newton-Schulz iteration.

X <- a X (3 - a^2 X'X) / 2 maps a singular value t to p(t) = a t (3 - a^2 t^2) / 2. If all of them
lie in [l, 1] then a^2 = 3 / (1 + l + l^2), for which p(l) = p(1), takes them to [p(l), 1], with
l tripled almost at first (by 3 sqrt(3) / 2) and squared in its distance to 1 in the end. Smaller
singular values stay between 0 and p(l): whatever the matrix, no singular value exceeds 1.
"""

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._leading_eigenvectors import times

__all__: list[str] = []

# Singular values below this part of the (bounded) largest one are not brought to 1.
RESOLUTION = 1e-3


def newton_schulz(matrix: jax.Array) -> jax.Array:
    """U p(S / c) V' of the matrix U S V', p the composed polynomial and c >= max S.

    1 - eps <= p(t) <= 1 for RESOLUTION <= t <= 1, and p(t) >= (1 - eps) t / RESOLUTION below, where
    p is concave; c = |A'A|^(1/2) in the smaller of the Frobenius and the maximal row sum norm, so
    that max S <= c <= min(m, n)^(1/4) max S. Each inequality up to round-off.

    Args:
        matrix: shape (m, n), largest entry in modulus 1.
    """
    m, n = matrix.shape
    x = matrix if m >= n else matrix.T
    gram = times(x.T, x)
    frobenius = jnp.sqrt(jnp.sum(jnp.square(gram)))
    row_sum = jnp.max(jnp.sum(abs(gram), axis=1))
    bound = jnp.minimum(frobenius, row_sum)
    x, gram = x / jnp.sqrt(bound), gram / bound
    for square in scales(float(tv.finfo(matrix.dtype).eps)):
        x = square**0.5 * (1.5 * x - 0.5 * square * times(x, gram))
        gram = times(x.T, x)
    return x if m >= n else x.T


def scales(eps: float) -> list[float]:
    """The numbers a^2 of the steps that bring the interval [RESOLUTION, 1] into [1 - eps, 1]."""
    low, squares = RESOLUTION, []
    while low < 1 - eps:
        square = 3 / (1 + low + low**2)
        squares.append(square)
        low = min(square**0.5 * low * (3 - square * low**2) / 2, 1.0)
    return squares
