# SPDX-License-Identifier: Apache-2.0
"""The orthogonal polar factor by products of matrices alone: a Newton-Schulz iteration of degree 5.

X <- X (a - b X'X + c (X'X)^2) maps a singular value t to p(t) = a t - b t^3 + c t^5. If all of them
lie in [l, 1] then the polynomial that leaves the shortest interval has p(l) = p(r) and
p(q) = p(1) = 1, where q < r are its extrema: it takes them to [p(l), 1]. It multiplies l by more
than 4 at first and cubes its distance to 1 in the end. Smaller singular values stay between 0 and
p(l), where p rises and is concave: whatever the matrix, no singular value exceeds 1.

Near 1 such a p rises steeply, by up to 13 times, and step after step would do so with round-off.
Every step therefore shrinks its argument by a little first, more than round-off can be.
"""

import math

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._leading_eigenvectors import times

__all__: list[str] = []

# Singular values below this part of the (bounded) largest one are not brought to 1.
RESOLUTION = 1e-3

# By how many units of round-off a step shrinks its argument.
CUSHION = 64


def newton_schulz(matrix: jax.Array, tolerance: float | None = None) -> jax.Array:
    """U p(S / c) V' of the matrix U S V', p the composed polynomial and c >= max S.

    1 - tolerance <= p(t) <= 1 for RESOLUTION <= t <= 1, and p(t) >= (1 - tolerance) t / RESOLUTION
    below, where p is concave; c = |A'A|^(1/2) in the smaller of the Frobenius and the maximal row
    sum norm, so that max S <= c <= min(m, n)^(1/4) max S. Each inequality up to round-off.

    Args:
        matrix: shape (m, n), largest entry in modulus 1.
        tolerance: between 0 and 1; that of round-off if None.
    """
    m, n = matrix.shape
    x = matrix if m >= n else matrix.T
    gram = times(x.T, x)
    frobenius = jnp.sqrt(jnp.sum(jnp.square(gram)))
    row_sum = jnp.max(jnp.sum(abs(gram), axis=1))
    bound = jnp.minimum(frobenius, row_sum)
    x, gram = x / jnp.sqrt(bound), gram / bound
    eps = float(tv.finfo(matrix.dtype).eps)
    steps = polynomials(eps, tolerance)
    for k, (a, b, c) in enumerate(steps):
        x = a * x - times(x, b * gram - c * times(gram, gram))
        if k + 1 < len(steps):
            gram = times(x.T, x)
    return x if m >= n else x.T


def polynomials(eps: float, tolerance: float | None = None) -> list[tuple[float, float, float]]:
    """The (a, b, c) of the steps that bring [RESOLUTION, 1] into [1 - tolerance, 1].

    Args:
        eps: the unit of round-off.
        tolerance: between 0 and 1; eps if None.
    """
    shrink = 1 - CUSHION * eps
    low, found = RESOLUTION, []
    while low < 1 - max(eps, tolerance or 0.0):
        a, b, c = _shortest(low)
        a, b, c = a * shrink, b * shrink**3, c * shrink**5
        found.append((a, b, c))
        low = low * (a - low**2 * (b - c * low**2))
    return found


def _shortest(low: float) -> tuple[float, float, float]:
    """The (a, b, c) that take [low, 1] into the shortest interval that ends at 1."""
    if low > 0.99:
        # The equations below lose their digits; this one has three derivatives in common with 1.
        return 15 / 8, 10 / 8, 3 / 8
    q, r = (3 * low + 1) / 4, (low + 3) / 4
    for _ in range(20):  # each doubles the number of digits
        one, two = _difference(low, r), _difference(q, 1.0)
        a = one[1] * two[2] - one[2] * two[1]
        b = one[0] * two[2] - one[2] * two[0]
        c = one[0] * two[1] - one[1] * two[0]
        total = a - b + c
        a, b, c = a / total, b / total, c / total
        # The extrema: the roots of p' = a - 3 b t^2 + 5 c t^4.
        spread = math.sqrt(9 * b**2 - 20 * a * c)
        q, r = math.sqrt((3 * b - spread) / (10 * c)), math.sqrt((3 * b + spread) / (10 * c))
    return a, b, c


def _difference(s: float, t: float) -> tuple[float, float, float]:
    """Of the powers 1, 3 and 5 at two places."""
    return s - t, s**3 - t**3, s**5 - t**5
