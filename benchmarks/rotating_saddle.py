"""A saddle point in any dimension, split over similar workers, whose operators cost a few sums.

    F_i(x, y) = mu z + (B_i y, -B_i' x) + b_i,   B_i = D + delta R_i P,   i = 0, ..., n - 1,

x and y in R^(d/2). D is diagonal, its entries evenly spaced from 0 to s; P moves the coordinates on
by one and turns some signs; R_i turns the halves of a vector against each other by the angle
2 pi i / n. The angles are those of a regular polygon, so the R_i sum to zero: F has D alone in the
place of B_i, and F_i - F is delta times an isometry. All constants are exact:

    mu, of F and of every F_i;   delta = Lip(F_i - F);   Lip(F) = sqrt(mu^2 + s^2);
    Lip(F_i) <= sqrt(mu^2 + (s + delta)^2).

A worker's own data are its b_i, d normal numbers, and its angle.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["RotatingSaddle"]

Array = NDArray[np.floating]
Row = tuple[jax.Array, jax.Array]


@dataclass(frozen=True)
class RotatingSaddle:
    """The problem of n workers.

    Args:
        num_workers: n, at least 2: with one there is nothing to be similar to.
        dimension: d, a positive multiple of 4.
        mu: strong monotonicity.
        delta: similarity.
        spread: s.
        seed: of the offsets b_i and the signs.
    """

    num_workers: int
    dimension: int
    mu: float = 1.0
    delta: float = 2.0
    spread: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_workers < 2:
            raise ValueError(f"num_workers must be at least 2, got {self.num_workers}.")
        if self.dimension < 4 or self.dimension % 4:
            raise ValueError(
                f"dimension must be a positive multiple of 4, two halves of x and two of y, got "
                f"{self.dimension}."
            )

    @property
    def lipschitz(self) -> float:
        """Of F."""
        return math.hypot(self.mu, self.spread)

    @property
    def lipschitz_of_workers(self) -> float:
        """Of every F_i, an upper bound."""
        return math.hypot(self.mu, self.spread + self.delta)

    def row(self, worker: int, dtype: DTypeLike) -> tuple[Array, Array]:
        """b_i and the angle of a worker, made of nothing but the seed and its number."""
        offset = np.random.default_rng([self.seed, worker]).standard_normal(self.dimension, dtype)
        return offset, np.asarray(2 * math.pi * worker / self.num_workers, dtype)

    def of(self, row: Row, z: jax.Array) -> jax.Array:
        """F_i(z) from the row of worker i."""
        offset, angle = row
        half = self.dimension // 2
        x, y = z[:half], z[half:]
        moved = _turn(angle, self._signs(z.dtype) * jnp.roll(y, 1))  # R_i P y
        moved_back = jnp.roll(self._signs(z.dtype) * _turn(-angle, x), -1)  # (R_i P)' x
        diagonal, delta = self._diagonal(z.dtype), jnp.asarray(self.delta, z.dtype)
        coupled = jnp.concatenate(
            [diagonal * y + delta * moved, -(diagonal * x + delta * moved_back)]
        )
        return jnp.asarray(self.mu, z.dtype) * z + coupled + offset

    def solution(self, mean_offset: jax.Array) -> jax.Array:
        """z*, from the mean of the b_i."""
        half, dtype = self.dimension // 2, mean_offset.dtype
        p, q = mean_offset[:half], mean_offset[half:]
        mu, diagonal = jnp.asarray(self.mu, dtype), self._diagonal(dtype)
        # mu x + D y = -p and mu y - D x = -q, coordinate by coordinate
        norm = mu * mu + diagonal * diagonal
        return jnp.concatenate([diagonal * q - mu * p, -diagonal * p - mu * q]) / jnp.tile(norm, 2)

    def _diagonal(self, dtype: DTypeLike) -> jax.Array:
        return jnp.linspace(0.0, self.spread, self.dimension // 2, dtype=dtype)

    def _signs(self, dtype: DTypeLike) -> Array:
        rng = np.random.default_rng(self.seed)
        return rng.choice(np.array([-1.0, 1.0], dtype), self.dimension // 2)


def _turn(angle: jax.Array, vector: jax.Array) -> jax.Array:
    """The two halves of the vector as the coordinates of points in the plane, turned."""
    quarter = jnp.concatenate(jnp.split(vector, 2)[::-1])
    sign = jnp.repeat(jnp.asarray([-1.0, 1.0], vector.dtype), vector.size // 2)
    return jnp.cos(angle) * vector + jnp.sin(angle) * sign * quarter
