# SPDX-License-Identifier: Apache-2.0
"""Streams of convex losses of one matrix, whose best fixed matrix is known after every round."""

import abc
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from .._arguments import is_concrete
from ..pytree import pytree_dataclass

__all__ = ["LeastDistancesStream", "LeastSquaresStream", "MatrixStream"]


@dataclasses.dataclass(frozen=True, eq=False)
class MatrixStream(abc.ABC):
    """Losses f_1, ..., f_T of a matrix W, each over a batch of b features x and targets y.

    Their gradients are sums of b outer products and so have rank at most `rank`.

    Args:
        features: x, shape (T, b, n).
        targets: y, shape (T, b, m).

    Raises:
        ValueError: if the shapes do not fit.
    """

    features: jax.Array
    targets: jax.Array

    def __post_init__(self) -> None:
        if is_concrete(self.features) and is_concrete(self.targets):
            x, y = np.shape(self.features), np.shape(self.targets)
            if len(x) != 3 or len(y) != 3 or x[:2] != y[:2] or 0 in (*x, *y):
                raise ValueError(
                    "features and targets must have shapes (T, b, n) and (T, b, m), none of them "
                    f"empty; got {x} and {y}"
                )

    @property
    def rounds(self) -> int:
        """T."""
        return self.features.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the shape of W."""
        return self.targets.shape[2], self.features.shape[2]

    @property
    def rank(self) -> int:
        """The rank that no gradient exceeds."""
        return min(self.features.shape[1], *self.shape)

    @abc.abstractmethod
    def losses(self, w: jax.Array) -> jax.Array:
        """f_t(W_t) for the matrices of all rounds, (T, m, n) -> (T,)."""

    @abc.abstractmethod
    def gradient(self, w: jax.Array, t: jax.Array) -> jax.Array:
        """A subgradient of f_t at W, (m, n); t counts from 0."""

    @abc.abstractmethod
    def best_fixed(self, rounds: int) -> np.ndarray:
        """A minimizer of f_1 + ... + f_rounds, (m, n)."""

    def regret(self, path: jax.Array, rounds: int) -> float:
        """The losses of W_1, ..., W_rounds less those of the best matrix that stays.

        Args:
            path: W_1, ..., W_T, shape (T, m, n).
            rounds: how many of them count.

        Returns:
            sum_t f_t(W_t) - min_W sum_t f_t(W), t up to `rounds`.
        """
        fixed = jnp.broadcast_to(self.best_fixed(rounds), path.shape)
        return float(np.sum(np.asarray(self.losses(path) - self.losses(fixed))[:rounds]))

    def _residuals(self, w: jax.Array) -> jax.Array:
        """W_t x - y, shape (T, b, m)."""
        return jnp.einsum("tmn,tbn->tbm", w, self.features) - self.targets


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class LeastSquaresStream(MatrixStream):
    r"""f_t(W) = (1/2) sum_b |W x - y|^2.

    Args:
        features: x, shape (T, b, n).
        targets: y, shape (T, b, m).

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> stream = LeastSquaresStream(jnp.ones((2, 1, 1)), jnp.array([[[1.0]], [[3.0]]]))
        >>> stream.best_fixed(1).item(), round(stream.best_fixed(2).item(), 12)
        (1.0, 2.0)
    """

    def losses(self, w: jax.Array) -> jax.Array:
        return 0.5 * jnp.sum(self._residuals(w) ** 2, axis=(1, 2))

    def gradient(self, w: jax.Array, t: jax.Array) -> jax.Array:
        x, y = self.features[t], self.targets[t]
        return (x @ w.T - y).T @ x

    def best_fixed(self, rounds: int) -> np.ndarray:
        m, n = self.shape
        x = np.asarray(self.features[:rounds]).reshape(-1, n)
        y = np.asarray(self.targets[:rounds]).reshape(-1, m)
        return np.asarray(np.linalg.lstsq(x, y)[0]).T


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class LeastDistancesStream(MatrixStream):
    r"""f_t(W) = sum_b |W x - y|, with targets y = W* x: Lipschitz, with a kink at its minimum 0.

    Args:
        features: x, shape (T, b, n).
        targets: y = W* x, shape (T, b, m).
        planted: W*, shape (m, n).

    Raises:
        ValueError: if the shapes do not fit, or the targets are not those of `planted`.

    Example:
        >>> import jax.numpy as jnp
        >>> stream = LeastDistancesStream(
        ...     jnp.ones((1, 1, 1)), jnp.full((1, 1, 1), 3.0), jnp.array([[3.0]]))
        >>> stream.losses(jnp.ones((1, 1, 1))).item(), stream.gradient(jnp.ones((1, 1)), 0).item()
        (2.0, -1.0)
    """

    planted: jax.Array

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_concrete(self.planted):
            if self.planted.shape != self.shape:
                raise ValueError(f"planted must have shape {self.shape}, got {self.planted.shape}")
            exact = np.asarray(self.features) @ np.asarray(self.planted).T
            if not np.allclose(exact, np.asarray(self.targets), rtol=1e-6, atol=1e-9):
                raise ValueError("targets must be those of `planted`: y = W* x")

    @classmethod
    def of(cls, features: jax.Array, planted: jax.Array) -> "LeastDistancesStream":
        """The stream with these features, (T, b, n), and their targets under W*, (m, n)."""
        return cls(features, jnp.einsum("mn,tbn->tbm", planted, features), planted)

    def losses(self, w: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sqrt(jnp.sum(self._residuals(w) ** 2, axis=2)), axis=1)

    def gradient(self, w: jax.Array, t: jax.Array) -> jax.Array:
        x, y = self.features[t], self.targets[t]
        residuals = x @ w.T - y
        lengths = jnp.sqrt(jnp.sum(residuals**2, axis=1, keepdims=True))
        return (residuals / jnp.where(lengths > 0, lengths, 1)).T @ x

    def best_fixed(self, rounds: int) -> np.ndarray:
        return np.asarray(self.planted)
