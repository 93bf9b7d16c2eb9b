# SPDX-License-Identifier: Apache-2.0
"""Leading eigenvectors of a symmetric operator that is known by its products alone.

A thick-restarted block Lanczos method with full orthogonalisation [1]: the Krylov basis grows to
a fixed number of blocks, the best Ritz vectors of it stay, and it grows again. Shapes are fixed,
so that it compiles; the start is the same normal deviate in every call, so that it repeats.

A small residual says that a Ritz value is near an eigenvalue, not near which. A Ritz vector of a
lower eigenvalue, g below the leading one, passes a residual of tau if its part along the leading
vector is below tau / g: as a start may be, whose part along one vector of a cluster of m is of the
size 1 / sqrt(m). Blocks wider than the number of wanted vectors, and a residual far below the
error that is to be excluded, make that rare: with b vectors more than wanted its probability is of
the order of (tau sqrt(m) / g)^(b + 1).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv

__all__: list[str] = []

# The smaller the basis, the less memory beside the matrix itself; ten to twelve blocks, four of
# them kept, were fastest or near it over dense, decaying and clustered spectra.
BLOCKS, KEPT = 12, 4
RESTARTS = 60
# In float32, with 700 eigenvalues 0.1 % below the leading one, 5 % of the starts missed it with
# no vector beside the wanted one, 0.5 % with one and about 0.1 % with two.
GUARDS = 2


class _Basis(NamedTuple):
    vectors: jax.Array  # (BLOCKS * width, dim), orthonormal rows, or zeros
    images: jax.Array  # the operator's products with them
    following: jax.Array  # (width, dim), orthonormal and orthogonal to the vectors
    filled: jax.Array  # number of blocks that the restart has kept
    residual: jax.Array  # largest |A y - theta y| of the wanted Ritz pairs over largest |theta|
    restarts: jax.Array


def tolerance(dtype: jax.typing.DTypeLike, dim: int) -> float:
    """The relative residual at which the method stops.

    The unit of round-off to the power 3/4, or what the round-off of products may amount to.
    """
    eps = float(tv.finfo(dtype).eps)
    return max(eps**0.75, 2 * eps * dim**0.5)


def basis_size(count: int) -> int:
    """The dimension of the largest Krylov space; the method needs more room than that."""
    return (BLOCKS + 1) * (count + GUARDS)


def leading_eigenvectors(
    operator: Callable[[jax.Array], jax.Array], dim: int, count: int, dtype: jax.typing.DTypeLike
) -> jax.Array:
    """Orthonormal approximations of the eigenvectors of the largest eigenvalues.

    It stops when |A y - theta y| <= tolerance(dtype, dim) |theta_max| for each of the wanted Ritz
    pairs, theta_max being the Ritz value of largest modulus, so that an eigenvalue lies as close
    to every theta; if these are the largest, the errors of theta are of the square of the residuals
    over the gap. Blocks of more than `count` vectors find eigenvalues of any multiplicity.

    Args:
        operator: (width, dim) -> (width, dim), the products of rows with a symmetric matrix.
        dim: its dimension, more than `basis_size(count)`.
        count: how many eigenvectors.
        dtype: float32 or float64.

    Returns:
        The vectors, shape (count, dim), that of the largest eigenvalue first. NaN where the
        operator is.

    References:
        [1] Wu, Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems",
        SIAM J. Matrix Anal. Appl. 22, 2000.
    """
    width, enough = count + GUARDS, tolerance(dtype, dim)
    normal = jax.random.normal(jax.random.key(0), (width, dim), dtype)
    # Not the product, which may have no part in the eigenspace of 0; the sum makes the start vary
    # over the mesh axes that the operator varies over.
    start = _orthonormal_rows(normal + 0 * operator(normal))[0]
    zeros = jnp.concatenate([0 * start] * BLOCKS)
    infinity = jnp.sum(zeros) + jnp.inf

    def expand(j: jax.Array, basis: _Basis) -> _Basis:
        images = operator(basis.following)
        place = (j * width, 0 * j)
        vectors = jax.lax.dynamic_update_slice(basis.vectors, basis.following, place)
        all_images = jax.lax.dynamic_update_slice(basis.images, images, place)
        following = _orthonormal_to(vectors, images)
        return basis._replace(vectors=vectors, images=all_images, following=following)

    def cycle(basis: _Basis) -> _Basis:
        basis = jax.lax.fori_loop(basis.filled, BLOCKS, expand, basis)
        compressed = times(basis.vectors, basis.images.T)
        # A row of zeros, where the Krylov space was exhausted, is to come last.
        empty = jnp.sum(jnp.square(basis.vectors), axis=1) < 0.5
        last = jnp.where(empty, -2 * jnp.max(abs(compressed)), 0)
        values, mixing = jnp.linalg.eigh(compressed + jnp.diag(last))
        values, mixing = values[::-1], mixing.T[::-1][: KEPT * width]
        vectors, images = times(mixing, basis.vectors), times(mixing, basis.images)
        errors = images[:count] - vectors[:count] * values[:count, None]
        residual = jnp.max(jnp.linalg.norm(errors, axis=1)) / jnp.max(abs(values))
        rest = zeros[KEPT * width :]
        return _Basis(
            vectors=jnp.concatenate([vectors, rest]),
            images=jnp.concatenate([images, rest]),
            following=basis.following,
            filled=jnp.full_like(basis.filled, KEPT),
            residual=residual,
            restarts=basis.restarts + 1,
        )

    def unfinished(basis: _Basis) -> jax.Array:
        # A NaN ends the loop too.
        return (basis.residual > enough) & (basis.restarts < RESTARTS)

    nothing = jnp.zeros((), jnp.int32)
    first = _Basis(zeros, zeros, start, nothing, infinity, nothing)
    return jax.lax.while_loop(unfinished, cycle, first).vectors[:count]


def times(a: jax.Array, b: jax.Array) -> jax.Array:
    """The matrix product without the short-cuts that accelerators take in float32."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _orthonormal_rows(block: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Q and R of QR = the transpose, Q as rows."""
    q, r = jnp.linalg.qr(block.T)
    return q.T, r


def _orthonormal_to(vectors: jax.Array, block: jax.Array) -> jax.Array:
    """An orthonormal basis of the block's part orthogonal to the vectors, zeros for what is none.

    Projecting twice is enough (Kahan): the second pass removes what cancellation left in the
    first. Where the part is round-off, QR makes up a row that may lie among the vectors.
    """

    def part(rows: jax.Array) -> jax.Array:
        return rows - times(times(rows, vectors.T), vectors)

    largest = jnp.max(jnp.linalg.norm(block, axis=1))
    once, triangle = _orthonormal_rows(part(block))
    # Of any row of the block: the one that QR made the vector of may have the least part.
    sizes = jnp.linalg.norm(triangle, axis=1)
    is_part = sizes > 30 * float(tv.finfo(block.dtype).eps) * largest
    twice, triangle = _orthonormal_rows(part(once))
    is_orthogonal = abs(jnp.diag(triangle)) > 0.5
    return jnp.where((is_part & is_orthogonal)[:, None], twice, 0)
