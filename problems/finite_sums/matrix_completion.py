# SPDX-License-Identifier: Apache-2.0
"""Matrix completion: the entries of a matrix that were observed, each a summand."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from sklearn.datasets import load_sample_image

from .._arguments import check_indices, check_point, check_scalar, host, is_concrete
from ..constant import Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum

__all__ = ["MatrixCompletion", "observed_entries", "photograph"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MatrixCompletion(FiniteSum):
    r"""f_i(X) = (X_e - M_e)^2 / 2 for the i-th observed entry e = (row_i, column_i).

    f(X) = (1/2n) sum_i (X_{e_i} - M_{e_i})^2 over matrices X, which the methods take and return as
    vectors of their rows, one after the other: x = X.ravel(). An entry may be observed repeatedly;
    with c_e the number of times,

    - L = max c_e / n,
    - L_tilde^2 = max c_e / n,
    - L_pm^2 = max c_e / n - (c_e / n)^2,

    all of them exact, since every Hessian is diagonal: 1/n, 1/sqrt(n) and sqrt(1/n - 1/n^2) for
    distinct entries. `certify` builds Hessians of (rows x columns)^2 numbers and is for small
    matrices; gradients are for large ones too.

    Args:
        rows: row of each observed entry, integers, shape (n,).
        columns: column of each, shape (n,).
        values: the observed numbers M_e, shape (n,).
        shape: rows and columns of the matrices.

    Raises:
        ValueError: if the shapes differ, an index is outside the matrix, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> problem = MatrixCompletion([0, 1], [1, 0], [3.0, 4.0], (2, 2))
        >>> float(problem.value(np.zeros(4))), problem.constants["L"].value
        (6.25, 0.5)
        >>> problem.gradient(np.zeros(4)).reshape(problem.shape).tolist()
        [[0.0, -1.5], [-2.0, 0.0]]
    """

    rows: ArrayLike
    columns: ArrayLike
    values: ArrayLike
    shape: tuple[int, int] = dataclasses.field(metadata={"static": True})

    def __post_init__(self) -> None:
        if not all(is_concrete(array) for array in (self.rows, self.columns, self.values)):
            return
        for name, side in (("rows", 0), ("columns", 1)):
            indices = np.asarray(getattr(self, name))
            if indices.ndim != 1 or indices.size == 0 or indices.dtype.kind not in "iu":
                raise ValueError(f"{name} must be integers of shape (n,) with n >= 1")
            if indices.min() < 0 or indices.max() >= self.shape[side]:
                raise ValueError(
                    f"{name} must lie in [0, {self.shape[side]}), got values from"
                    f" {indices.min()} to {indices.max()}"
                )
            object.__setattr__(self, name, jnp.asarray(indices))
        values = jnp.asarray(self.values)
        if not jnp.issubdtype(values.dtype, jnp.floating):
            values = values.astype(float)
        if not np.all(np.isfinite(np.asarray(values))):
            raise ValueError("values must be finite, got a NaN or an infinity")
        object.__setattr__(self, "values", values)
        lengths = [jnp.shape(array) for array in (self.rows, self.columns, self.values)]
        if len(set(lengths)) != 1:
            raise ValueError(f"rows, columns and values must have one shape (n,), got {lengths}")

    @property
    def num_samples(self) -> int:
        return int(jnp.shape(self.values)[0])

    @property
    def dim(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def convex(self) -> bool:
        return True

    @property
    def lower_bound(self) -> float:
        return 0.0

    def value(self, x: jax.Array) -> jax.Array:
        residuals = self._residuals(x, jnp.arange(self.num_samples))
        return 0.5 * jnp.mean(jnp.square(residuals))

    def gradient(self, x: jax.Array) -> jax.Array:
        return self.batch_gradient(x, jnp.arange(self.num_samples))

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        indices = check_indices(indices, self.num_samples)
        residuals = self._residuals(x, indices)
        rows = jnp.zeros((residuals.size, self.dim), residuals.dtype)
        return rows.at[jnp.arange(residuals.size), self._positions(indices)].set(residuals)

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        indices = check_indices(indices, self.num_samples)
        residuals = self._residuals(x, indices)
        zeros = jnp.zeros(self.dim, residuals.dtype)
        return zeros.at[self._positions(indices)].add(residuals / residuals.size)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        n = self.num_samples
        positions = host(self.rows).astype(int) * self.shape[1] + host(self.columns).astype(int)
        shares = np.unique(positions, return_counts=True)[1] / n
        largest = float(shares.max())
        variance = float((shares - shares**2).max())
        return {
            "L": Constant(largest, "exact", 0.0, "largest share of an entry, max c_e/n"),
            "L_tilde": Constant(largest**0.5, "exact", 0.0, "root of max c_e/n"),
            "L_pm": Constant(variance**0.5, "exact", 0.0, "root of max c_e/n - (c_e/n)^2"),
        }

    def _positions(self, indices: jax.Array) -> jax.Array:
        rows, columns = jnp.asarray(self.rows)[indices], jnp.asarray(self.columns)[indices]
        return rows * self.shape[1] + columns

    def _residuals(self, x: jax.Array, indices: jax.Array) -> jax.Array:
        x = check_point(x, self.dim)
        return x[self._positions(indices)] - jnp.asarray(self.values)[indices].astype(x.dtype)

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


def observed_entries(
    matrix: ArrayLike, fraction: float, key: jax.Array
) -> tuple[MatrixCompletion, MatrixCompletion]:
    """Observe a fraction of a matrix's entries, drawn without replacement; hold out the rest.

    Args:
        matrix: M, shape (m, n), finite.
        fraction: of the entries to observe, in (0, 1); rounded, at least one on either side.
        key: PRNG key of the draw.

    Returns:
        The problem of the observed entries and that of those held out; the values keep the dtype
        of the matrix.

    Raises:
        ValueError: if the matrix does not have two axes and two entries, or the fraction is
            outside (0, 1).

    Example:
        >>> import jax, numpy as np
        >>> seen, unseen = observed_entries(np.arange(6.0).reshape(2, 3), 0.5, jax.random.key(0))
        >>> seen.num_samples, sorted(np.r_[seen.values, unseen.values].tolist())
        (3, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    array = jnp.asarray(matrix)
    if array.ndim != 2 or array.size < 2:
        raise ValueError(f"matrix must have shape (m, n) with m n >= 2, got {array.shape}")
    check_scalar("fraction", fraction, positive=True)
    if not fraction < 1:
        raise ValueError(f"fraction must lie in (0, 1), got {fraction}")
    order = jax.random.permutation(key, array.size)
    count = min(max(round(fraction * array.size), 1), array.size - 1)
    shape = (array.shape[0], array.shape[1])

    def part(positions: jax.Array) -> MatrixCompletion:
        rows, columns = jnp.divmod(jnp.sort(positions), shape[1])
        return MatrixCompletion(rows, columns, array[rows, columns], shape)

    return part(order[:count]), part(order[count:])


def photograph(shrink: int = 1) -> np.ndarray:
    """A photograph of a Chinese temple that scikit-learn ships, in shades of grey.

    Args:
        shrink: side of the squares of pixels that are averaged, at least 1; what is left over at
            the right and at the bottom is dropped.

    Returns:
        float64 in [0, 1], 0 being black, shape (427 // shrink, 640 // shrink).

    Raises:
        ValueError: if `shrink` is not between 1 and 427.

    Example:
        >>> photograph(shrink=4).shape
        (106, 160)
    """
    if not 1 <= shrink <= 427:
        raise ValueError(f"shrink must lie between 1 and 427, got {shrink}")
    colours = np.asarray(load_sample_image("china.jpg"), dtype=np.float64) / 255
    grey = colours @ np.array([0.2126, 0.7152, 0.0722])  # luminance, ITU-R BT.709
    m, n = (side // shrink for side in grey.shape)
    blocks = grey[: m * shrink, : n * shrink].reshape(m, shrink, n, shrink)
    means: np.ndarray = blocks.mean(axis=(1, 3))
    return means
