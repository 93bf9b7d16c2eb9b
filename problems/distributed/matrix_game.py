"""Matrix games over two simplices, split over workers, solved by linear programming."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from .._arguments import check_scalar, check_size, host, is_concrete
from ..constant import CertificateError, Constant
from ..pytree import pytree_dataclass
from .distributed_operator import DistributedOperator, exact_constants
from .distributed_saddle import rotation

__all__ = ["MatrixGame", "onto_simplex", "random_matrix_game"]

Array = NDArray[np.float64]


def onto_simplex(point: jax.Array) -> jax.Array:
    """The nearest point of the unit simplex.

    Args:
        point: shape (m,).

    Returns:
        Shape (m,): non-negative, of sum 1.

    Example:
        >>> onto_simplex(jnp.array([2.0, 0.0, -1.0])).tolist()
        [1.0, 0.0, 0.0]
    """
    largest_first = -jnp.sort(-point)
    excess = (jnp.cumsum(largest_first) - 1) / jnp.arange(1, point.size + 1)
    kept = jnp.sum(largest_first > excess)
    return jnp.maximum(point - excess[kept - 1], 0.0)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MatrixGame(DistributedOperator):
    r"""min over x, max over y in simplices of x' B y, B = (1/n) sum_i B_i.

    F_i(x, y) = (B_i y, -B_i' x) is skew: monotone, with mu = 0. A solution and the value come from
    a linear program; `duality_gap` measures any other point.

    Args:
        payoffs: B_i, shape (n, m, m).

    Raises:
        ValueError: if the shape is wrong or a number not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> game = MatrixGame(jnp.array([[[1.0, -1.0], [-1.0, 1.0]]]))
        >>> game.value, game.solution.tolist()
        (0.0, [0.5, 0.5, 0.5, 0.5])
    """

    payoffs: jax.Array

    def __post_init__(self) -> None:
        if is_concrete(self.payoffs):
            shape = np.shape(self.payoffs)
            if len(shape) != 3 or 0 in shape or shape[1] != shape[2]:
                raise ValueError(f"payoffs must have shape (n, m, m), got {shape}")
            check_scalar("payoffs", self.payoffs)
            object.__setattr__(self, "payoffs", jnp.asarray(self.payoffs))

    @property
    def num_workers(self) -> int:
        return self.payoffs.shape[0]

    @property
    def dim(self) -> int:
        return 2 * self.payoffs.shape[1]

    @property
    def workers(self) -> Any:
        return self.payoffs

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        x, y = jnp.split(z, 2)
        return jnp.concatenate([worker @ y, -(worker.T @ x)])

    @property
    def project(self) -> Callable[[jax.Array], jax.Array]:
        def onto_both(z: jax.Array) -> jax.Array:
            x, y = jnp.split(z, 2)
            return jnp.concatenate([onto_simplex(x), onto_simplex(y)])

        return onto_both

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        return exact_constants(np.stack([rotation(payoff) for payoff in host(self.payoffs)]))

    @property
    def server_monotonicity(self) -> float:
        """0: the operator is skew."""
        return 0.0

    @functools.cached_property
    def value(self) -> float:
        """The value of the game: what its optimal row strategy guarantees."""
        half = self.dim // 2
        return float(np.max(self._payoff.T @ self.solution[:half]))

    @functools.cached_property
    def solution(self) -> Array:
        return np.concatenate([_minimax(self._payoff), _minimax(-self._payoff.T)])

    @property
    def solution_width(self) -> float:
        raise ValueError("a game may have many solutions; look at duality_gap")

    def duality_gap(self, z: jax.Array) -> jax.Array:
        """max_y x' B y - min_x x' B y >= 0, zero at solutions alone; for z in the simplices."""
        x, y = jnp.split(z, 2)
        payoff = jnp.mean(self.payoffs, axis=0)
        return jnp.max(payoff.T @ x) - jnp.min(payoff @ y)

    def certify(self) -> None:
        """As for every distributed operator; and the gap at the solution, a proof of both."""
        super().certify()
        gap = float(self.duality_gap(jnp.asarray(self.solution)))
        if gap > 1e-9 * (1 + float(np.abs(self._payoff).max())):
            raise CertificateError(f"the solution has the duality gap {gap:.3g}")

    @property
    def _payoff(self) -> Array:
        return host(self.payoffs).mean(axis=0)


def _minimax(payoff: Array) -> Array:
    """The x in the simplex that minimises max_j (x' B)_j: minimise t with B' x <= t."""
    m = len(payoff)
    found = linprog(
        c=np.append(np.zeros(m), 1.0),
        A_ub=np.hstack([payoff.T, -np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(m), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * m + [(None, None)],
        method="highs",
    )
    if not found.success:
        raise CertificateError(f"the linear program was not solved: {found.message}")
    x = np.maximum(found.x[:m], 0.0)
    return np.asarray(x / x.sum())


def random_matrix_game(
    num_workers: int, half_dim: int, *, similarity: float, size: float = 1.0, seed: int = 0
) -> MatrixGame:
    """A game of random payoffs, with deviations of the workers that cancel in pairs.

    Args:
        num_workers: n, even.
        half_dim: m, the number of pure strategies of each player.
        similarity: the norm of the deviations, delta.
        size: scale of the common payoffs.
        seed: of the payoffs.

    Returns:
        The game.

    Raises:
        ValueError: if n is odd or a number is not positive.

    Example:
        >>> round(random_matrix_game(4, 3, similarity=0.2).constants["delta"].value, 9)
        0.2
    """
    check_size("num_workers", num_workers, even=True)
    check_size("half_dim", half_dim)
    check_scalar("similarity", similarity, positive=True)
    check_scalar("size", size, positive=True)
    rng = np.random.default_rng(seed)
    common = size * rng.standard_normal((half_dim, half_dim))
    deviations = rng.standard_normal((num_workers // 2, half_dim, half_dim))
    deviations *= similarity / np.linalg.norm(deviations, 2, axis=(1, 2), keepdims=True)
    signed = np.stack([sign * each for each in deviations for sign in (1.0, -1.0)])
    return MatrixGame(jnp.asarray(common + signed))
