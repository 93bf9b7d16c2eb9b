# SPDX-License-Identifier: Apache-2.0
r"""The orthogonal factor of a square matrix, by blocks of Householder reflections.

LAPACK's own blocks have 32 columns, so that most of its work is products with a side of 32, which
run at a third of the speed of larger ones. Here LAPACK decomposes panels of `BLOCK` columns; what
is left is products of a panel's reflections with everything else. For the panel P, of b columns,

    P = H [T; 0],   H = H_1 ... H_b = I - V S V^T,   S = (I + D U)^{-1} D,
    U = triu(V^T V, 1),   D = diag(tau),

V the lower trapezoid of the reflections and H_i = I - tau_i v_i v_i^T. With D on this side of the
inverse, reflections that LAPACK leaves out, tau_i = 0, need no case of their own.

Vectors are rows here, as bases have them: X^T is decomposed and Q^T returned.

References:
  Schreiber, Van Loan, "A storage-efficient WY representation for products of Householder
  transformations", SIAM J. Sci. Stat. Comput. 10 (1989) 53-57.
"""

import jax
import jax.numpy as jnp

__all__: list[str] = []

BLOCK = 256  # columns of a panel


def orthogonal_rows(x: jax.Array) -> jax.Array:
    """Q^T of X^T = Q T, T an upper triangle; NaN where LAPACK finds none.

    Args:
      x: (d, d); its rows become orthogonal from the first to the last.
    """
    if len(x) <= 2 * BLOCK:
        return jax.lax.linalg.qr(x.T, full_matrices=False)[0].T
    reflections = []
    while len(x) > BLOCK:
        v, s = _reflections(x[:BLOCK])
        reflections.append((v, s))
        x = x[BLOCK:]
        x = (x - _product(_product(_product(x, v.T), s), v))[:, BLOCK:]
    q = jax.lax.linalg.qr(x.T, full_matrices=False)[0].T
    for v, s in reversed(reflections):
        # Q^T = [I, 0; 0, Q'^T] (I - V S^T V^T), in which the first product needs no zeros.
        through = jnp.concatenate([v[:, :BLOCK].T, _product(q, v[:, BLOCK:].T)])
        q = jax.scipy.linalg.block_diag(jnp.eye(BLOCK, dtype=q.dtype), q)
        q = q - _product(_product(through, s.T), v)
    return q


def _reflections(panel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """V^T and S of the panel whose columns are the rows given."""
    packed, tau = jnp.linalg.qr(panel.T, mode="raw")
    count, length = panel.shape
    v = jnp.triu(packed, 1) + jnp.eye(count, length, dtype=panel.dtype)
    products = jnp.triu(_product(v, v.T), 1)
    # (I + D U) S = D; the ones on the diagonal are not read.
    s = jax.lax.linalg.triangular_solve(
        tau[:, None] * products, jnp.diag(tau), left_side=True, unit_diagonal=True
    )
    return v, s


def _product(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)
