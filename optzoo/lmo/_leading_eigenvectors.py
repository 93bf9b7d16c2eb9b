"""Leading eigenvectors of a symmetric operator that is known by its products alone.

A thick-restarted block Lanczos method with full orthogonalisation [1]: the Krylov basis grows to
a fixed number of blocks, the best Ritz vectors of it stay, and it grows again. Shapes are fixed,
so that it compiles; the start is the same normal deviate in every call, so that it repeats.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .. import _tree_vector as tv

__all__: list[str] = []

# Ten blocks, four of them kept, were fastest or near it over dense, decaying and clustered
# spectra. The smaller the basis, the less memory beside the matrix itself.
BLOCKS, KEPT = 12, 4
RESTARTS = 60


class _Basis(NamedTuple):
    vectors: jax.Array  # (dim, BLOCKS * block), orthonormal columns, or zeros
    images: jax.Array  # the operator's products with them
    following: jax.Array  # (dim, block), orthonormal and orthogonal to the vectors
    filled: jax.Array  # number of blocks that the restart has kept
    residual: jax.Array  # largest |A y - theta y| of the wanted Ritz pairs over largest |theta|
    restarts: jax.Array


def tolerance(dtype: jax.typing.DTypeLike) -> float:
    """The relative residual at which the method stops: the root of the unit of round-off."""
    return float(tv.finfo(dtype).eps) ** 0.5


def basis_size(count: int) -> int:
    """The dimension of the largest Krylov space; the method needs more room than that."""
    return (BLOCKS + 1) * count


def leading_eigenvectors(
    operator: Callable[[jax.Array], jax.Array], dim: int, count: int, dtype: jax.typing.DTypeLike
) -> jax.Array:
    """Orthonormal approximations of the eigenvectors of the largest eigenvalues.

    It stops when |A y - theta y| <= tolerance(dtype) |theta_max| for each of the wanted Ritz
    pairs, theta_max being the Ritz value of largest modulus, so that an eigenvalue lies as close
    to every theta; those errors are in fact of the square of the residuals over the gap. Blocks
    of `count` vectors find eigenvalues of any multiplicity.

    Args:
        operator: (dim, block) -> (dim, block), the products with a symmetric matrix.
        dim: its dimension, more than `basis_size(count)`.
        count: how many eigenvectors.
        dtype: float32 or float64.

    Returns:
        The vectors, shape (dim, count), the largest eigenvalue first. NaN where the operator is.

    References:
        [1] Wu, Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems",
        SIAM J. Matrix Anal. Appl. 22, 2000.
    """
    normal = jax.random.normal(jax.random.key(0), (dim, count), dtype)
    # Not the product, which may have no part in the eigenspace of 0; the sum makes the start vary
    # over the mesh axes that the operator varies over.
    start, _ = jnp.linalg.qr(normal + 0 * operator(normal))
    zeros = jnp.concatenate([0 * start] * BLOCKS, axis=1)
    infinity = jnp.sum(zeros) + jnp.inf

    def expand(j: jax.Array, basis: _Basis) -> _Basis:
        images = operator(basis.following)
        vectors = jax.lax.dynamic_update_slice(basis.vectors, basis.following, (0 * j, j * count))
        all_images = jax.lax.dynamic_update_slice(basis.images, images, (0 * j, j * count))
        following = _orthonormal_to(vectors, images)
        return basis._replace(vectors=vectors, images=all_images, following=following)

    def cycle(basis: _Basis) -> _Basis:
        basis = jax.lax.fori_loop(basis.filled, BLOCKS, expand, basis)
        compressed = times(basis.vectors.T, basis.images)
        # A zero column, where the Krylov space was exhausted, is to come last.
        empty = jnp.sum(jnp.square(basis.vectors), axis=0) < 0.5
        last = jnp.where(empty, -2 * jnp.max(abs(compressed)), 0)
        values, mixing = jnp.linalg.eigh(compressed + jnp.diag(last))
        values, mixing = values[::-1], mixing[:, ::-1]
        vectors = times(basis.vectors, mixing[:, : KEPT * count])
        images = times(basis.images, mixing[:, : KEPT * count])
        errors = images[:, :count] - vectors[:, :count] * values[None, :count]
        residual = jnp.max(jnp.linalg.norm(errors, axis=0)) / jnp.max(abs(values))
        rest = zeros[:, KEPT * count :]
        return _Basis(
            vectors=jnp.concatenate([vectors, rest], axis=1),
            images=jnp.concatenate([images, rest], axis=1),
            following=basis.following,
            filled=jnp.full_like(basis.filled, KEPT),
            residual=residual,
            restarts=basis.restarts + 1,
        )

    def unfinished(basis: _Basis) -> jax.Array:
        # A NaN ends the loop too.
        return (basis.residual > tolerance(dtype)) & (basis.restarts < RESTARTS)

    nothing = jnp.zeros((), jnp.int32)
    first = _Basis(zeros, zeros, start, nothing, infinity, nothing)
    return jax.lax.while_loop(unfinished, cycle, first).vectors[:, :count]


def times(a: jax.Array, b: jax.Array) -> jax.Array:
    """The matrix product without the short-cuts that accelerators take in float32."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _orthonormal_to(vectors: jax.Array, block: jax.Array) -> jax.Array:
    """An orthonormal basis of the block's part orthogonal to the vectors, zeros for what is none.

    Projecting twice is enough (Kahan): the second pass removes what cancellation left in the
    first. Where the part is round-off, QR makes up a column that may lie among the vectors.
    """
    largest = jnp.max(jnp.linalg.norm(block, axis=0))
    once, triangle = jnp.linalg.qr(block - times(vectors, times(vectors.T, block)))
    is_part = abs(jnp.diag(triangle)) > 30 * float(tv.finfo(block.dtype).eps) * largest
    twice, triangle = jnp.linalg.qr(once - times(vectors, times(vectors.T, once)))
    is_orthogonal = abs(jnp.diag(triangle)) > 0.5
    return jnp.where((is_part & is_orthogonal)[None], twice, 0)
