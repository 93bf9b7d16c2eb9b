# SPDX-License-Identifier: Apache-2.0
"""Spectral sets: matrices whose singular values or eigenvalues lie in a set of vectors.

The last two axes of a leaf are those of a matrix. Matrices that are stacked along leading axes,
and those of different leaves, lie each in a set of its own: the whole is the product.

Their projections need a full decomposition. The oracles of the nuclear-norm ball, the spectrahedron
and the Fantope need a few extreme vectors only, and above 64 x 64 get them from products with the
matrix; that is what Frank-Wolfe methods gain here. No reverse-mode derivatives pass through these
sets: their decompositions run one after the other under `vmap`, as on CPUs they have to.
"""

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any, final

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv
from ._leading_eigenvectors import times
from ._matrix_set import (
    SMALL,
    MatrixSet,
    decompose,
    diagonalize,
    eigenvalues,
    leading_singular_pair,
    least_eigenvectors,
    singular_values,
)
from ._polar_factor import newton_schulz
from ._set_arguments import as_scalar, require_count, require_positive
from .constraint_set import STATIC, register, static_field
from .simplices import project_onto_simplex

__all__ = ["fantope", "nuclear_norm_ball", "spectrahedron", "spectral_norm_ball"]


@final
@register
@dataclasses.dataclass(frozen=True)
class nuclear_norm_ball(MatrixSet):
    """`{X : |X|_* <= radius}`, the sum of the singular values of each m x n matrix.

    - lmo: -radius u v', u and v the leading pair of singular vectors of G; radius e_0 e_0' for
      G = 0.
    - diameter: 2 radius.
    - project: U diag(p) V', p the projection of the singular values onto the l1 ball. It costs a
      singular value decomposition.
    - retract: X min(1, radius / |X|_*) if min(m, n) <= 64. Above it X min(1, radius / |X|_F), which
      does not see the round-off of many steps: each moves the norm by
      eps |X|_F sqrt(min(m, n)) / 2 at most.
    - contains: by default to 10 eps radius sqrt(min(m, n)), what rounding a matrix may do.

    The pair comes from the eigenvalues of the smaller Gram matrix if min(m, n) <= 64 and from a
    thick-restarted block Lanczos method above it, in float32 for 16-bit matrices. That one stops
    when |G'Gv - t v| <= tau t, t = v'G'Gv and tau = max(eps^(3/4), 2 eps sqrt(min(m, n))), after
    500 products of three vectors with G and with G' at most. Where it stops so, an eigenvalue of
    G'G certainly lies within tau t of t. If it is the largest, sigma^2, as it is but for unlucky
    starts, <G, S> <= -(1 - tau/2) radius sigma (1e-12 of it in float64, 5e-6 in float32; less by
    orders of magnitude where a gap follows). The start is random and the same in every call: in
    float32, for n = 1500, 1 of 400 random ones missed sigma^2 by more than sqrt(eps) of it where
    half of the eigenvalues lay 0.1 % below, and none where 2, 100 or all others did; in float64
    none of 200 each, 4e-8 below. Every answer has rank one, ties and the zero direction included.

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `radius` is no real number.
        ValueError: `radius` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> ball = nuclear_norm_ball(2.0)
        >>> (abs(ball.lmo(jnp.array([[0.0, 3.0], [1.0, 0.0]]))).round(5) + 0.0).tolist()
        [[0.0, 2.0], [0.0, 0.0]]
        >>> (ball.project(jnp.diag(jnp.array([3.0, 1.0]))).round(5) + 0.0).tolist()
        [[2.0, 0.0], [0.0, 0.0]]

    References:
        Jaggi, Sulovsky, "A simple algorithm for nuclear norm regularized problems", ICML 2010.
        Wu, Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J.
        Matrix Anal. Appl. 22, 2000.
    """

    radius: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    def _check_matrix(self, name: str, m: int, n: int) -> None:
        pass

    def _scalar(self, dtype: Any) -> jax.Array:
        return as_scalar("radius", self.radius, dtype)

    def _vertex(self, direction: jax.Array) -> jax.Array:
        left, right = leading_singular_pair(direction)
        return -self._scalar(direction.dtype) * left[:, None] * right[None]

    def _width(self, m: int, n: int) -> jax.Array:
        return 2 * self._scalar(float)

    def _holds(self, x: jax.Array, slack: Callable[[jax.Array], jax.Array]) -> jax.Array:
        radius = self._scalar(x.dtype)
        return jnp.sum(singular_values(x)) <= radius + slack(radius * math.sqrt(min(x.shape)))

    def _nearest(self, x: jax.Array) -> jax.Array:
        left, values, right = decompose(x)
        radius = self._scalar(x.dtype)
        on_sphere = times(left * project_onto_simplex(values, radius)[None], right)
        return jnp.where(jnp.sum(values) > radius, on_sphere, x)

    def _pulled(self, x: jax.Array) -> jax.Array:
        if min(x.shape) <= SMALL:
            return _shrink(x, jnp.sum(singular_values(x)), self._scalar(x.dtype))
        return _shrink(x, tv.norm(x), self._scalar(x.dtype))


@final
@register
@dataclasses.dataclass(frozen=True)
class spectral_norm_ball(MatrixSet):
    """`{X : |X|_2 <= radius}`, the largest singular value of each m x n matrix.

    - lmo: -radius U V', the polar factor of G = U diag(sigma) V' (completed where G does not have
      full rank).
    - diameter: 2 radius sqrt(min(m, n)), attained by U V' and -U V'.
    - project: U diag(min(sigma, radius)) V', by a singular value decomposition.
    - retract: X min(1, radius / |X|_2), the norm to sqrt(eps) of it where min(m, n) > 64.
    - contains: by default to 10 eps radius sqrt(min(m, n)), what rounding a matrix may do.

    The method "svd" takes a full decomposition. "newton_schulz", for accelerators and for networks,
    takes steps of three products of matrices: 7 in float32, 8 in float64, fewer with a tolerance
    (6 with 0.01, and 5 with 0.25, the work of a step of Muon). Its answer is feasible for every G,
    and misses the minimum by at most

        radius (tolerance |G|_* + 2.5e-4 c r),

    r the number of singular values below 1e-3 c, and c a bound of the largest one by the norm of
    G'G, sigma_1 <= c <= min(m, n)^(1/4) sigma_1. Where r = 0 the singular values of the answer lie
    in radius [1 - tolerance, 1]: without a tolerance it is an extreme point, to round-off.

    Args:
        radius: positive and finite number or scalar array (a batch of them under `vmap`).
        method: "svd" or "newton_schulz".
        tolerance: number between 0 and 1, for "newton_schulz" alone; None is eps.

    Raises:
        TypeError: `radius` or `tolerance` is no real number.
        ValueError: `radius` is not positive and finite, `method` is none of the two, or `tolerance`
            is not between 0 and 1 or given with "svd".

    Example:
        >>> import jax.numpy as jnp
        >>> ball = spectral_norm_ball(2.0)
        >>> (ball.lmo(jnp.array([[0.0, 3.0], [-1.0, 0.0]])).round(5) + 0.0).tolist()
        [[0.0, -2.0], [2.0, 0.0]]
        >>> (ball.project(jnp.diag(jnp.array([3.0, 1.0]))).round(5) + 0.0).tolist()
        [[2.0, 0.0], [0.0, 1.0]]

    References:
        Chen, Chow, "A stable scaling of Newton-Schulz for improving the sign function computation
        of a Hermitian matrix", Argonne National Laboratory, 2014 (the scaled iteration).
        Amsel, Persson, Musco, Gower, "The Polar Express: optimal matrix sign methods and their
        application to the Muon algorithm", 2025, arXiv:2505.16932 (the best polynomials; here they
        end at 1 instead of oscillating about it, so that the answer is feasible).
    """

    radius: float | jax.Array
    method: str = dataclasses.field(default="svd", metadata=STATIC)
    tolerance: float | None = dataclasses.field(default=None, metadata=STATIC)

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)
        if self.method not in ("svd", "newton_schulz"):
            raise ValueError(f"method must be 'svd' or 'newton_schulz', got {self.method!r}.")
        if self.tolerance is None:
            return
        if isinstance(self.tolerance, bool) or not isinstance(self.tolerance, (int, float)):
            raise TypeError(f"tolerance must be a number or None, got {self.tolerance!r}.")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must lie between 0 and 1, got {self.tolerance}.")
        if self.method == "svd":
            raise ValueError(
                "tolerance is for the method 'newton_schulz'; 'svd' has none, got "
                f"tolerance = {self.tolerance}."
            )

    def _check_matrix(self, name: str, m: int, n: int) -> None:
        pass

    def _scalar(self, dtype: Any) -> jax.Array:
        return as_scalar("radius", self.radius, dtype)

    def _vertex(self, direction: jax.Array) -> jax.Array:
        if self.method == "newton_schulz":
            polar = newton_schulz(direction, self.tolerance)
        else:
            left, _, right = decompose(direction)
            polar = times(left, right)
        return -self._scalar(direction.dtype) * polar

    def _width(self, m: int, n: int) -> jax.Array:
        return 2 * self._scalar(float) * math.sqrt(min(m, n))

    def _holds(self, x: jax.Array, slack: Callable[[jax.Array], jax.Array]) -> jax.Array:
        radius = self._scalar(x.dtype)
        return singular_values(x)[0] <= radius + slack(radius * math.sqrt(min(x.shape)))

    def _nearest(self, x: jax.Array) -> jax.Array:
        left, values, right = decompose(x)
        radius = self._scalar(x.dtype)
        clipped = times(left * jnp.minimum(values, radius)[None], right)
        return jnp.where(values[0] > radius, clipped, x)

    def _pulled(self, x: jax.Array) -> jax.Array:
        largest, scaled = tv.scale_by_largest(x)
        left, right = leading_singular_pair(scaled)
        norm = jnp.where(largest == 0, 0, largest * jnp.dot(left, times(scaled, right)))
        return _shrink(x, norm, self._scalar(x.dtype))


class _TraceSet(MatrixSet):
    """`{X : X = X', 0 <= X <= scale I, tr X = scale k}` for n x n matrices."""

    scale: float | jax.Array

    @property
    @abc.abstractmethod
    def _rank(self) -> int:
        """K."""

    def _check_matrix(self, name: str, m: int, n: int) -> None:
        if m != n:
            raise ValueError(
                f"{type(self).__name__} takes square matrices: {name} has matrices {m} x {n}."
            )
        if self._rank > n:
            raise ValueError(
                f"{type(self).__name__} with k = {self._rank} takes matrices of at least that "
                f"size: {name} has matrices {m} x {n}."
            )

    def _scalar(self, dtype: Any) -> jax.Array:
        return as_scalar("scale", self.scale, dtype)

    def _vertex(self, direction: jax.Array) -> jax.Array:
        vectors = least_eigenvectors(_symmetric(direction), self._rank)
        vectors = jnp.sqrt(self._scalar(direction.dtype)) * vectors
        return _symmetric(times(vectors, vectors.T))

    def _width(self, m: int, n: int) -> jax.Array:
        return self._scalar(float) * math.sqrt(2 * min(self._rank, n - self._rank))

    def _holds(self, x: jax.Array, slack: Callable[[jax.Array], jax.Array]) -> jax.Array:
        scale = self._scalar(x.dtype)
        allowed = slack(scale * self._rank)
        values = eigenvalues(_symmetric(x))
        return (
            (jnp.max(abs(x - x.T)) <= allowed)
            & (abs(jnp.trace(x) - scale * self._rank) <= allowed)
            & (values[0] >= -allowed)
            & (values[-1] <= scale + allowed)
        )

    def _nearest(self, x: jax.Array) -> jax.Array:
        values, vectors = diagonalize(_symmetric(x))
        values = _project_onto_capped_simplex(values, self._scalar(x.dtype), self._rank)
        return _symmetric(times(vectors * values[None], vectors.T))

    def _pulled(self, x: jax.Array) -> jax.Array:
        n = x.shape[0]
        scale = self._scalar(x.dtype)
        mean = scale * self._rank / n
        centre = mean * jnp.eye(n, dtype=x.dtype)
        symmetric = _symmetric(x)
        trace = jnp.trace(symmetric)
        scaled = jnp.where(trace > 0, symmetric * (scale * self._rank / trace), centre)
        # A NaN compares as not positive.
        scaled = jnp.where(jnp.isnan(trace), trace, scaled)
        if n > SMALL:
            return scaled
        values = eigenvalues(scaled)
        beyond = jnp.maximum((mean - values[0]) / mean, 1)
        if self._rank < n:
            beyond = jnp.maximum(beyond, (values[-1] - mean) / (scale - mean))
        return jnp.where(beyond > 1, centre + (scaled - centre) / beyond, scaled)


@final
@register
@dataclasses.dataclass(frozen=True)
class spectrahedron(_TraceSet):
    """`{X : X = X', X >= 0 (positive semi-definite), tr X = scale}`, for n x n matrices.

    - lmo: scale v v', v the eigenvector of the least eigenvalue of (G + G')/2; scale e_0 e_0' for
      G = 0.
    - diameter: sqrt(2) scale (0 for n = 1).
    - project: V diag(p) V', p the projection of the eigenvalues of (X + X')/2 onto the simplex. It
      costs an eigenvalue decomposition.
    - retract: (X + X')/2 rescaled to trace scale; then, if n <= 64, pulled to the centre
      scale I / n as far as the least eigenvalue is negative.

    The eigenvector comes from a full decomposition if n <= 64 and from a thick-restarted Lanczos
    method above it, in float32 for 16-bit matrices. That one stops at the residual tau |H|_2,
    H = (G + G')/2 and tau = max(eps^(3/4), 2 eps sqrt(n)), after 500 products of H and three
    vectors at most. Where it stops so, an eigenvalue of H certainly lies within tau |H|_2 of
    <G, S> / scale.
    That it is the least, and <G, S> <= scale (lambda_min + tau |H|_2), is as probable as in
    `nuclear_norm_ball`. Every answer has rank one.

    Args:
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `scale` is no real number.
        ValueError: `scale` is not positive and finite; or, from a method, a matrix is not square.

    Example:
        >>> import jax.numpy as jnp
        >>> (spectrahedron().lmo(jnp.diag(jnp.array([1.0, -2.0]))).round(5) + 0.0).tolist()
        [[0.0, 0.0], [0.0, 1.0]]
        >>> print(spectrahedron(2.0).project(jnp.diag(jnp.array([3.0, 2.0]))).round(5) + 0.0)
        [[1.5 0. ]
         [0.  0.5]]

    References:
        Hazan, "Sparse approximate solutions to semidefinite programs", LATIN 2008.
    """

    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def _rank(self) -> int:
        return 1


@final
@register
@dataclasses.dataclass(frozen=True)
class fantope(_TraceSet):
    """`{X : X = X', 0 <= X <= scale I, tr X = scale k}`, for n x n matrices with n >= k.

    The convex hull of scale times the orthogonal projections of rank k: what sparse and stochastic
    principal component analysis optimise over.

    - lmo: scale V V', the columns of V orthonormal eigenvectors of the k least eigenvalues of
      (G + G')/2.
    - diameter: scale sqrt(2 min(k, n - k)), attained by two projections whose ranges are as
      orthogonal as there is room for.
    - project: V diag(min(max(lambda - theta, 0), scale)) V' with lambda and V of (X + X')/2 and
      theta such that the trace is scale k. It costs an eigenvalue decomposition.
    - retract: (X + X')/2 rescaled to trace scale k; then, if n <= 64, pulled to the centre
      scale (k/n) I as far as an eigenvalue is outside [0, scale].
    - contains: by default to 10 eps scale k.

    The eigenvectors come from a full decomposition if n <= 64 or n <= 26 k, and from a
    thick-restarted block Lanczos method above it, in float32 for 16-bit matrices. That one stops at
    residuals tau |H|_2, H = (G + G')/2 and tau = max(eps^(3/4), 2 eps sqrt(n)), after 500 products
    of H and k + 2 vectors at most. Where it stops so, an eigenvalue of H certainly lies within
    tau |H|_2 of each of those of H restricted to the range of V. That they are the least, and
    <G, S> <= scale (their sum + k tau |H|_2), is as probable as in `nuclear_norm_ball`.

    Args:
        k: int, at least 1.
        scale: positive and finite number or scalar array (a batch of them under `vmap`).

    Raises:
        TypeError: `k` is no int or `scale` is no real number.
        ValueError: `k` is not positive or `scale` is not positive and finite; or, from a method, a
            matrix is not square or smaller than k x k.

    Example:
        >>> import jax.numpy as jnp
        >>> (fantope(2).lmo(jnp.diag(jnp.array([1.0, -2.0, -1.0]))).round(5) + 0.0).tolist()
        [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        >>> round(float(fantope(2).diameter(jnp.zeros((3, 3)))) ** 2, 5)
        2.0

    References:
        Vu, Cho, Lei, Rohe, "Fantope projection and selection", NeurIPS 2013, arXiv:1311.1406 (the
        projection).
    """

    k: int = static_field()
    scale: float | jax.Array = 1.0

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_positive("scale", self.scale)

    @property
    def _rank(self) -> int:
        return self.k


def _symmetric(x: jax.Array) -> jax.Array:
    return 0.5 * x + 0.5 * x.T


def _shrink(x: jax.Array, norm: jax.Array, radius: jax.Array) -> jax.Array:
    factor = jnp.where(norm > radius, radius / norm, 1)
    # A norm that is NaN compares as inside.
    return x * jnp.where(jnp.isnan(norm), norm, factor)


def _project_onto_capped_simplex(values: jax.Array, cap: jax.Array, count: int) -> jax.Array:
    """Argmin over 0 <= y <= cap, sum(y) = cap * count of |y - values|_2."""
    # theta lies at most cap below the count-th largest value, so that a shift and a clip make all
    # numbers of the order of cap.
    values = jnp.clip(values - jnp.sort(values)[-count], -cap, cap)
    # The sum of clip(values - theta, 0, cap) falls with theta, linearly between these points.
    knots = jnp.sort(jnp.concatenate([values, values - cap]))
    sums = jax.lax.map(lambda theta: jnp.sum(jnp.clip(values - theta, 0, cap)), knots)
    below = jnp.clip(jnp.sum(sums >= cap * count) - 1, 0, knots.size - 2)
    low, high = sums[below + 1], sums[below]
    part = (high - cap * count) / jnp.where(high > low, high - low, 1)
    theta = knots[below] + jnp.clip(part, 0, 1) * (knots[below + 1] - knots[below])
    return jnp.clip(values - theta, 0, cap)
