# SPDX-License-Identifier: Apache-2.0
"""Affine operators split over workers: every constant an eigenvalue, z* a direct solve."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._arguments import check_point, check_scalar, host, is_concrete
from ..constant import Constant
from ..pytree import pytree_dataclass
from .distributed_operator import DistributedOperator, exact_constants

__all__ = ["AffineOperators"]

Array = NDArray[np.float64]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class AffineOperators(DistributedOperator):
    r"""F_i(z) = A_i z + q_i over R^d, or over a ball around the origin.

    Args:
        matrices: A_i, shape (n, d, d).
        offsets: q_i, shape (n, d).
        radius: of the ball; None where Z is everything.

    Raises:
        ValueError: if the shapes do not fit, a number is not finite, or the radius not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> turn = jnp.array([[0.0, 2.0], [-2.0, 0.0]])
        >>> problem = AffineOperators(
        ...     jnp.stack([jnp.eye(2) + turn, jnp.eye(2) - turn]), jnp.ones((2, 2)))
        >>> problem.constants["delta"].value, problem.solution.tolist()
        (2.0, [-1.0, -1.0])
    """

    matrices: jax.Array
    offsets: jax.Array
    radius: jax.Array | float | None = None

    def __post_init__(self) -> None:
        if is_concrete(self.matrices):
            shape = np.shape(self.matrices)
            if len(shape) != 3 or 0 in shape or shape[1] != shape[2]:
                raise ValueError(f"matrices must have shape (n, d, d), got {shape}")
            check_scalar("matrices", self.matrices)
            object.__setattr__(self, "matrices", jnp.asarray(self.matrices))
        if is_concrete(self.offsets):
            if np.shape(self.offsets) != np.shape(self.matrices)[:2]:
                raise ValueError(
                    f"offsets must have shape {np.shape(self.matrices)[:2]}, got "
                    f"{np.shape(self.offsets)}"
                )
            check_scalar("offsets", self.offsets)
            object.__setattr__(self, "offsets", jnp.asarray(self.offsets))
        if self.radius is not None:
            check_scalar("radius", self.radius, positive=True)

    @property
    def num_workers(self) -> int:
        return self.matrices.shape[0]

    @property
    def dim(self) -> int:
        return self.matrices.shape[1]

    @property
    def workers(self) -> Any:
        return self.matrices, self.offsets

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        matrix, offset = worker
        return matrix @ check_point(z, self.dim) + offset

    @property
    def project(self) -> Callable[[jax.Array], jax.Array] | None:
        radius = self.radius
        if radius is None:
            return None

        def onto_ball(z: jax.Array) -> jax.Array:
            return z * jnp.minimum(1.0, radius / jnp.maximum(jnp.linalg.norm(z), 1e-300))

        return onto_ball

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        return exact_constants(host(self.matrices))

    @functools.cached_property
    def server_monotonicity(self) -> float:
        first = host(self.matrices)[0]
        return float(np.linalg.eigvalsh((first + first.T) / 2)[0])

    @functools.cached_property
    def solution(self) -> Array:
        matrix, offset = host(self.matrices).mean(axis=0), host(self.offsets).mean(axis=0)
        try:
            z: Array = np.linalg.solve(matrix, -offset)
        except np.linalg.LinAlgError:
            raise ValueError("the mean of the matrices is singular: z* is not unique") from None
        if self.radius is None or np.linalg.norm(z) <= float(host(self.radius)):
            return z
        return _on_sphere(matrix, offset, float(host(self.radius)))


def _on_sphere(matrix: Array, offset: Array, radius: float) -> Array:
    """The solution on the boundary: F(z) = -nu z with nu > 0, where |z| falls as nu grows."""
    identity = np.eye(len(offset))

    def point(nu: float) -> Array:
        return np.asarray(np.linalg.solve(matrix + nu * identity, -offset), dtype=np.float64)

    low, high = 0.0, 1.0
    while np.linalg.norm(point(high)) > radius:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return point(high)
        if np.linalg.norm(point(middle)) > radius:
            low = middle
        else:
            high = middle
