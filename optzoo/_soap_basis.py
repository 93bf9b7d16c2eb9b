# SPDX-License-Identifier: Apache-2.0
"""Gram matrices and their eigenbases: rotations, the power step, one matrix after the other.

A basis is a matrix R = Q^T with the eigenvectors in its rows, in the order of the slots that the
second moment uses. LAPACK returns Q column by column, which is R row by row: rows need no
transposing copy, at a refresh or at any step.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from . import _tree_vector as tv
from ._householder import orthogonal_rows
from ._soap_factors import Factors

__all__: list[str] = []

_AXES = "abcdefghijklmnopqrstuvwxy"
_BATCH = "z"


def gram(x: jax.Array, axis: int, *, batched: bool, rows: jax.Array | None = None) -> jax.Array:
    """X_(k) X_(k)^T, the sum over all other axes; one for every entry of a batch axis.

    Of its rows those that belong to `rows`, a part of X along the axis; all if None.
    """
    letters, batch = _letters(x, batched)
    other = letters.replace(letters[axis], "A")
    of_rows = x if rows is None else rows
    return _contract(
        f"{batch}{letters},{batch}{other}->{batch}{letters[axis]}A", of_rows, x, replicated(x)
    )


def rotate(x: jax.Array, bases: Factors, *, batched: bool, back: bool = False) -> jax.Array:
    """X with axis k multiplied by R_k (the coordinates in the basis), or by R_k^T on the way back.

    X' = R_1 X R_2^T for a matrix.
    """
    letters, batch = _letters(x, batched)
    for axis, basis in enumerate(bases):
        if basis is not None:
            old = letters[axis]
            matrix = f"{batch}{old}A" if back else f"{batch}A{old}"
            product = f"{batch}{letters},{matrix}->{batch}{letters.replace(old, 'A')}"
            x = _contract(product, x, basis, sharding_of(x))
    return x


Attempt = tuple[jax.Array, jax.Array]  # a basis, and whether finding it failed


def eigenvectors(gram_matrix: jax.Array) -> Attempt:
    """Rows: the eigenvectors, by descending eigenvalue; the coordinates if it fails."""
    coordinates = jnp.eye(len(gram_matrix), dtype=gram_matrix.dtype)
    return _unless_it_fails(_eigh(gram_matrix)[:, ::-1].T, coordinates)


def power_step(gram_matrix: jax.Array, basis: jax.Array) -> Attempt:
    r"""One step of the power iteration, A the Gram matrix and R the basis; R if it fails.

    The rows of R A are A q_i; those with the largest Rayleigh quotients come first in

        Q = QR(A [q_(1), ..., q_(d)]).Q,

    and each column returns to the slot that its start q_(j) came from, so that the second moment
    and the momentum keep their places.

    What is decomposed is A + (eps tr A / d) I, which has the eigenvectors of A. The ridge is below
    the round-off of A wherever A is not zero. Where A is zero to all digits, such as for rows of
    an embedding that were never looked up, and for gradients that vanished, it makes the QR
    return the old vectors instead of arbitrary ones.
    """
    relative = float(tv.finfo(basis.dtype).eps) / len(basis)
    return _orthogonalized(_images(gram_matrix, basis), basis, relative, _orthogonal_rows)


def power_step_by_products(gram_matrix: jax.Array, basis: jax.Array) -> Attempt:
    """`power_step` from products of matrices and Cholesky factors alone.

    The ridge is larger, 16 eps tr A, because a matrix that is singular to all digits has no such
    factors: eigenvectors of eigenvalues below that are resolved more slowly.
    """
    relative = 16 * float(tv.finfo(basis.dtype).eps)
    return _orthogonalized(_images(gram_matrix, basis), basis, relative, _rows_by_cholesky)


def off_diagonal_share(gram_matrix: jax.Array, basis: jax.Array) -> jax.Array:
    """The part of |A|^2 off the diagonal in the basis: |Q^T A Q - diag|^2 / |A|^2."""
    rayleigh = jnp.sum(_images(gram_matrix, basis) * basis, axis=1)
    largest = jnp.max(jnp.abs(gram_matrix))  # squares of small numbers would vanish
    scale = jnp.where(largest > 0, largest, 1)
    whole = jnp.sum(jnp.square(gram_matrix / scale))
    diagonal = jnp.sum(jnp.square(rayleigh / scale))
    return jnp.where(largest > 0, jnp.maximum(1 - diagonal / whole, 0), 0)


def _images(gram_matrix: jax.Array, basis: jax.Array) -> jax.Array:
    """Rows A q_i."""
    return _product(basis, gram_matrix)


def _orthogonalized(
    images: jax.Array,
    basis: jax.Array,
    relative: float,
    orthogonal: Callable[[jax.Array], jax.Array],
) -> Attempt:
    rayleigh = jnp.sum(images * basis, axis=1)
    trace = jnp.sum(rayleigh)
    ridge = jnp.where(trace > 0, relative * trace, 1)
    order, slots = _descending(rayleigh)
    descending = _rows(images + ridge * basis, order)
    return _unless_it_fails(_rows(orthogonal(descending), slots), basis)


def _descending(numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The places of the numbers in descending order, and the rank of each; equal ones as they come.

    By comparisons of all pairs, next to nothing beside the decomposition, and every leaf of a size
    shares their code: a sort would be compiled for each.
    """
    numbers = jnp.where(jnp.isnan(numbers), -jnp.inf, numbers)  # ranks are always a permutation
    place = jnp.arange(len(numbers), dtype=jnp.int32)
    mine, others = numbers[:, None], numbers[None, :]
    before = (others > mine) | ((others == mine) & (place[None, :] < place[:, None]))
    ranks = jnp.sum(before, axis=1, dtype=jnp.int32)
    holds = ranks[None, :] == place[:, None]
    order = jnp.sum(jnp.where(holds, place[None, :], 0), axis=1, dtype=jnp.int32)
    return order, ranks


def _rows(matrix: jax.Array, places: jax.Array) -> jax.Array:
    return matrix.at[places].get(mode="promise_in_bounds")


def _rows_by_cholesky(matrix: jax.Array) -> jax.Array:
    """As `orthogonal_rows`, by Cholesky factors of Gram matrices: shifted CholeskyQR3.

    The factor of X is that of X D for every positive diagonal D, and of X T^-1 for every upper
    triangle T. So columns are scaled to length 1, and T is three times the Cholesky factor of
    what is left; the first time of a shifted matrix, which is positive whatever round-off does.
    What does not become orthogonal so, because it was singular to all digits, is a NaN.
    """
    _, scaled = tv.scale_by_largest(matrix.T)
    lengths = jnp.sqrt(jnp.sum(jnp.square(scaled), axis=0))
    x = scaled / jnp.where(lengths > 0, lengths, 1)[None, :]
    eye = jnp.eye(len(x), dtype=x.dtype)
    shift = float(tv.finfo(x.dtype).eps) * len(x)
    for shifted in (shift, 0.0, 0.0):
        square = _product(x.T, x)
        x = _divided_by_factor(x, square + shifted * eye)
    off = jnp.max(jnp.abs(square - eye))  # of the last one, before it is mended once more
    return jnp.where(off < 0.1, x.T, jnp.nan)


def _unless_it_fails(new: jax.Array, otherwise: jax.Array) -> Attempt:
    # The sum of an orthogonal matrix is finite, and that of one with a NaN is not.
    failed = ~jnp.isfinite(jnp.sum(new))
    return jnp.where(failed, otherwise, new), failed


_LOOPED = 256  # the longest axes whose matrices share a loop, which stacks copies of them


def decomposed(
    decomposition: Callable[..., Attempt], *operands: Sequence[jax.Array]
) -> tuple[list[jax.Array], jax.Array]:
    """The decomposition for every axis, and the number of those that failed.

    Matrices are decomposed one after the other, never as a batch: on CPUs, batched LAPACK calls
    that run at the same time can wait for each other forever. Short ones of a size share a loop,
    because to compile the steps of each would take most of the time before the first call.
    """
    once = jax.jit(decomposition)  # traced once for all matrices of a shape

    def one_by_one(stacks: list[jax.Array]) -> Attempt:
        return jax.lax.map(lambda matrices: once(*matrices), stacks)

    found: dict[int, jax.Array] = {}
    failures = jnp.zeros([], jnp.int32)
    for places in _groups(operands[0]):
        of_group = [[matrices[i] for i in places] for matrices in operands]
        new: Sequence[jax.Array]
        if len(places) > 1:
            stack, failed = one_by_one([jnp.stack(matrices) for matrices in of_group])
            new = _entries(stack, jnp.sum(failed, dtype=jnp.int32) >= 0)
        else:
            alone = [matrix for (matrix,) in of_group]
            basis, failed = one_by_one(alone) if alone[0].ndim > 2 else once(*alone)
            new = [basis]
        failures += jnp.sum(failed, dtype=jnp.int32)
        found |= dict(zip(places, new, strict=True))
    return [found[place] for place in range(len(found))], failures


def _groups(matrices: Sequence[jax.Array]) -> list[list[int]]:
    """The places of the matrices that share a loop."""
    alike = defaultdict(list)
    for place, matrix in enumerate(matrices):
        shareable = matrix.ndim == 2 and len(matrix) <= _LOOPED
        alike[matrix.shape, str(matrix.dtype), None if shareable else place].append(place)
    return list(alike.values())


def _entries(stack: jax.Array, true: jax.Array) -> list[jax.Array]:
    """The entries of a stack along its first axis.

    XLA compiles a kernel for every slice at a place that it knows, and for a hundred matrices that
    takes most of the time. Places that come out of a branch it does not know, so that all slices
    share one kernel.

    Args:
      stack: of matrices.
      true: what is true in every run, and XLA does not know it.
    """
    places = range(len(stack))
    known_at_run_time = jax.lax.cond(
        true,
        lambda: [jnp.int32(place) for place in places],
        lambda: [jnp.int32(0) for _ in places],
    )
    return [_entry(stack, place) for place in known_at_run_time]


@jax.jit
def _entry(stack: jax.Array, place: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(stack, place, keepdims=False)


def sharding_of(x: jax.Array) -> Any:
    """The sharding that a result like x must be given; None unless the mesh has explicit axes."""
    sharding = jax.typeof(x).sharding
    explicit = any(part is not None for part in sharding.spec)
    return sharding if explicit else None


def replicated(x: jax.Array) -> Any:
    sharding = sharding_of(x)
    if sharding is None:
        return None
    return jax.sharding.NamedSharding(sharding.mesh, jax.sharding.PartitionSpec())


def _product(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)


# This rule of vmap keeps LAPACK unbatched under the user's own vmap.
_one_at_a_time: Any = jax.custom_batching.sequential_vmap


@_one_at_a_time  # type: ignore[untyped-decorator]
def _eigh(matrix: jax.Array) -> jax.Array:
    return jax.lax.linalg.eigh(matrix, symmetrize_input=False)[0]


@_one_at_a_time  # type: ignore[untyped-decorator]
def _orthogonal_rows(matrix: jax.Array) -> jax.Array:
    return orthogonal_rows(matrix)


@_one_at_a_time  # type: ignore[untyped-decorator]
def _divided_by_factor(x: jax.Array, square: jax.Array) -> jax.Array:
    """X T^-1, T^T T the square."""
    lower = jax.lax.linalg.cholesky(square, symmetrize_input=False)
    return jax.lax.linalg.triangular_solve(lower, x, lower=True, transpose_a=True)


def _letters(x: jax.Array, batched: bool) -> tuple[str, str]:
    if batched:
        return _AXES[: x.ndim - 1], _BATCH
    return _AXES[: x.ndim], ""


# Full precision: the default of accelerators would leave the basis three digits.
def _contract(equation: str, x: jax.Array, y: jax.Array, out_sharding: Any) -> jax.Array:
    return jnp.einsum(
        equation, x, y, precision=jax.lax.Precision.HIGHEST, out_sharding=out_sharding
    )
