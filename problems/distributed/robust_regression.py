# SPDX-License-Identifier: Apache-2.0
r"""Regression against an adversary who shifts all features, with the data split over n workers.

    min over |x| <= R_x, max over |y| <= R_y of
        (1/n) sum_i (worker i's mean of loss(x' (a + y), b)) + (lam/2) |x|^2 - (beta/2) |y|^2

with |x| in the l1 or l2 norm in the constraint; all other norms are l2.

Each worker's rows are a random part of the data; parts differ in size by one row at most. The more
rows a worker has, the closer F_i is to F.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import check_scalar, check_size, host
from ..constant import Constant
from ..pytree import pytree_dataclass
from ._l1_projection import project_onto_l1_ball
from .distributed_operator import DistributedOperator

__all__ = [
    "RobustLinearRegression",
    "RobustLogisticRegression",
    "RobustRegression",
    "robust_linear_regression",
    "robust_logistic_regression",
]

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class RobustRegression(DistributedOperator):
    """What both losses have in common: z = (x, y), two balls, and bounds made of blocks.

    Args:
        regularization: lam >= 0, on x.
        penalty: beta, on y; above the curvature that x gives the loss in y.
        x_radius: R_x > 0.
        y_radius: R_y > 0.
        x_norm: of the ball of x, "l1" or "l2".
    """

    regularization: jax.Array | float
    penalty: jax.Array | float
    x_radius: jax.Array | float
    y_radius: jax.Array | float
    x_norm: Literal["l1", "l2"] = dataclasses.field(
        default="l2", kw_only=True, metadata={"static": True}
    )

    def _check(self, curvature: float) -> None:
        if self.x_norm not in ("l1", "l2"):
            raise ValueError(f"x_norm must be 'l1' or 'l2', got {self.x_norm!r}")
        for name in ("x_radius", "y_radius"):
            check_scalar(name, getattr(self, name), positive=True)
        check_scalar("regularization", self.regularization, at_least=0.0)
        if isinstance(self.penalty, float) and isinstance(self.x_radius, float):
            check_scalar("penalty", self.penalty, at_least=curvature * self.x_radius**2)

    @property
    def project(self) -> Callable[[jax.Array], jax.Array]:
        onto_x = project_onto_l1_ball if self.x_norm == "l1" else _onto_l2_ball

        def onto_balls(z: jax.Array) -> jax.Array:
            x, y = jnp.split(z, 2)
            return jnp.concatenate([onto_x(x, self.x_radius), _onto_l2_ball(y, self.y_radius)])

        return onto_balls

    @property
    def server_monotonicity(self) -> float:
        return float(self._moduli()[0])

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        """Bounds by norms of blocks; their widths from Jacobians at points of Z."""
        lipschitz, apart = self._lipschitz(), self._apart()
        bounds = {
            "mu": self._modulus(),
            "L": lipschitz.max(),
            "L_1": lipschitz[0],
            "L_av": np.sqrt(np.mean(lipschitz**2)),
            "delta": apart.max(),
            "delta_1": apart[0],
            "delta_av": np.sqrt(np.mean(apart**2)),
        }
        local = [self.attained_constants(point) for point in self._corners()]
        found = {}
        for name, bound in bounds.items():
            attained = (min if name == "mu" else max)(at[name] for at in local)
            found[name] = Constant(
                float(bound),
                "certified",
                width=abs(float(bound) - attained),
                derivation="norms of the blocks of the Jacobian over Z; the width from points of Z",
            )
        return found

    def _corners(self) -> list[Array]:
        """Points of Z with large Jacobians: the origin, and random ones on the boundary."""
        rng, half = np.random.default_rng(0), self.dim // 2
        points = [np.zeros(self.dim)]
        for _ in range(4):
            x, y = rng.standard_normal((2, half))
            if self.x_norm == "l1":  # a vertex
                x *= np.abs(x) == np.abs(x).max()
            x *= float(host(self.x_radius)) / np.linalg.norm(x)
            y *= float(host(self.y_radius)) / np.linalg.norm(y)
            points.append(np.concatenate([x, y]))
        return points

    @abc.abstractmethod
    def _moduli(self) -> Array:
        """Moduli of monotonicity of all F_i, shape (n,)."""

    @abc.abstractmethod
    def _modulus(self) -> float:
        """That of F."""

    @abc.abstractmethod
    def _lipschitz(self) -> Array:
        """Lipschitz constants of all F_i, shape (n,)."""

    @abc.abstractmethod
    def _apart(self) -> Array:
        """Lipschitz constants of all F_i - F, shape (n,)."""

    def _radii(self) -> tuple[float, float, float, float]:
        names = ("regularization", "penalty", "x_radius", "y_radius")
        lam, beta, r_x, r_y = (float(host(getattr(self, name))) for name in names)
        return lam, beta, r_x, r_y


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class RobustLinearRegression(RobustRegression):
    r"""The loss (x' (a + y) - b)^2 / 2, from each worker's moments of its rows.

    .. math:: \mu \ge \min(\lambda + \lambda_{\min}(\mathrm{Cov}\, a), \; \beta - R_x^2)

    F is the operator of the mean moments: it takes no sum over the workers.

    Args:
        regularization: lam >= 0.
        penalty: beta >= R_x^2.
        x_radius: R_x > 0.
        y_radius: R_y > 0.
        x_norm: of the ball of x, "l1" or "l2".
        second: means of a a', shape (n, d, d).
        cross: means of b a, shape (n, d).
        first: means of a, shape (n, d).
        target: means of b, shape (n,).

    Raises:
        ValueError: if a number is out of range or the norm unknown.

    Example:
        >>> from optzoo.problems import breast_cancer
        >>> few = robust_linear_regression(*breast_cancer(), 32)
        >>> many = robust_linear_regression(*breast_cancer(), 8)
        >>> many.constants["delta_av"].value < few.constants["delta_av"].value
        True
    """

    second: jax.Array
    cross: jax.Array
    first: jax.Array
    target: jax.Array

    def __post_init__(self) -> None:
        self._check(1.0)

    @property
    def num_workers(self) -> int:
        return self.first.shape[0]

    @property
    def dim(self) -> int:
        return 2 * self.first.shape[1]

    @property
    def workers(self) -> Any:
        return self.second, self.cross, self.first, self.target

    def operator(self, z: jax.Array) -> jax.Array:
        # Every F_i is affine in its moments.
        return self.worker_operator(jax.tree.map(lambda rows: rows.mean(axis=0), self.workers), z)

    @functools.cached_property
    def solution(self) -> Array:
        if self.num_workers == 1:
            return DistributedOperator.solution.func(self)  # type: ignore[attr-defined]
        names = ("second", "cross", "first", "target")
        means = {name: getattr(self, name).mean(axis=0, keepdims=True) for name in names}
        return dataclasses.replace(self, **means).solution

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        second, cross, first, target = worker
        x, y = jnp.split(z, 2)
        residual = jnp.vdot(first + y, x) - target
        by_x = second @ x + first * jnp.vdot(x, y) + y * residual - cross + self.regularization * x
        return jnp.concatenate([by_x, self.penalty * y - residual * x])

    def _moduli(self) -> Array:
        return self._modulus_of(host(self.second), host(self.first))

    def _modulus(self) -> float:
        means = (host(moment).mean(axis=0) for moment in (self.second, self.first))
        return float(self._modulus_of(*means))

    def _modulus_of(self, second: Array, first: Array) -> Array:
        lam, beta, r_x, _ = self._radii()
        # The second moment around any point is at least that around the mean.
        covariance = second - first[..., :, None] * first[..., None, :]
        return np.minimum(lam + np.linalg.eigvalsh(covariance)[..., 0], beta - r_x**2)

    def _lipschitz(self) -> Array:
        lam, beta, r_x, r_y = self._radii()
        first = np.linalg.norm(host(self.first), axis=1)
        second = _symmetric_norms(host(self.second))
        by_x = second + 2 * first * r_y + r_y**2 + lam
        mixed = self._mixed(host(self.first), host(self.target)) + 2 * r_y * r_x
        return _of_blocks(by_x, mixed, np.full_like(by_x, beta))

    def _apart(self) -> Array:
        _, _, _, r_y = self._radii()
        second, first, target = (host(part) for part in (self.second, self.first, self.target))
        mixed = self._mixed(first - first.mean(axis=0), target - target.mean())
        first = np.linalg.norm(first - first.mean(axis=0), axis=1)
        second = _symmetric_norms(second - second.mean(axis=0))
        return _of_blocks(second + 2 * first * r_y, mixed, np.zeros_like(first))

    def _mixed(self, first: Array, target: Array) -> Array:
        """The largest norms of f x' + (f'x - t) I over all x; a bound of them for the l2 ball."""
        _, _, r_x, _ = self._radii()
        lengths = np.linalg.norm(first, axis=1)
        if self.x_norm == "l2":
            return 2 * lengths * r_x + np.abs(target)
        # A norm is convex: it is largest at a vertex, R_x or -R_x times a unit vector e. There the
        # matrix acts on e and the part of f orthogonal to e as [[residual + along, 0], [across,
        # residual]].
        along = r_x * first * np.array([1.0, -1.0])[:, None, None]
        across = np.sqrt(np.maximum((r_x * lengths[:, None]) ** 2 - along**2, 0.0))
        residual = along - target[:, None]
        squares = (residual + along) ** 2 + across**2 + residual**2
        products = 2 * np.abs((residual + along) * residual)
        # The singular values s and t of the matrix have s^2 + t^2 and 2 s t, hence s + t, s - t.
        norms = (np.sqrt(squares + products) + np.sqrt(np.maximum(squares - products, 0.0))) / 2
        largest: Array = norms.max(axis=(0, 2))
        return largest


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class RobustLogisticRegression(RobustRegression):
    r"""The loss log(1 + exp(-b x' (a + y))), from each worker's rows.

    .. math:: \mu \ge \min(\lambda, \; \beta - R_x^2 / 4)

    The bounds of delta are those of the single Jacobians, and wide: the similarity at a point is
    what `local_constants` says.

    Args:
        regularization: lam >= 0.
        penalty: beta >= R_x^2 / 4.
        x_radius: R_x > 0.
        y_radius: R_y > 0.
        x_norm: of the ball of x, "l1" or "l2".
        features: rows a, padded with zeros, shape (n, rows, d).
        labels: b, -1 or 1, shape (n, rows).
        weights: 1 / (number of the worker's rows), or 0 for padding, shape (n, rows).

    Raises:
        ValueError: if a number is out of range or the norm unknown.

    Example:
        >>> from optzoo.problems import breast_cancer
        >>> problem = robust_logistic_regression(*breast_cancer(), 8)
        >>> problem.num_workers, problem.dim, problem.constants["mu"].value
        (8, 60, 0.1)
    """

    features: jax.Array
    labels: jax.Array
    weights: jax.Array

    def __post_init__(self) -> None:
        self._check(0.25)

    @property
    def num_workers(self) -> int:
        return self.features.shape[0]

    @property
    def dim(self) -> int:
        return 2 * self.features.shape[2]

    @property
    def workers(self) -> Any:
        return self.features, self.labels, self.weights

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        features, labels, weights = worker
        x, y = jnp.split(z, 2)
        margins = labels * (features @ x + jnp.vdot(x, y))
        slopes = -weights * labels * jax.nn.sigmoid(-margins)
        total = jnp.sum(slopes)
        by_x = slopes @ features + total * y + self.regularization * x
        return jnp.concatenate([by_x, self.penalty * y - total * x])

    def _moduli(self) -> Array:
        return np.full(self.num_workers, self._modulus())

    def _modulus(self) -> float:
        lam, beta, r_x, _ = self._radii()
        return min(lam, beta - r_x**2 / 4)

    def _blocks(self) -> tuple[Array, Array]:
        """Norms of the xx block without lam, and of the xy block."""
        _, _, r_x, r_y = self._radii()
        features, weights = host(self.features), host(self.weights)
        second = np.einsum("ij,ija,ijb->iab", weights, features, features)
        first = np.einsum("ij,ija->ia", weights, features)
        lengths = np.sum(weights * np.linalg.norm(features, axis=2), axis=1)
        shifted = 2 * np.linalg.norm(first, axis=1) * r_y + r_y**2
        by_x = (_symmetric_norms(second) + shifted) / 4
        return by_x, (lengths + r_y) * r_x / 4 + 1

    def _lipschitz(self) -> Array:
        lam, beta, _, _ = self._radii()
        by_x, mixed = self._blocks()
        return _of_blocks(by_x + lam, mixed, np.full_like(by_x, beta))

    def _apart(self) -> Array:
        _, _, r_x, _ = self._radii()
        by_x, mixed = self._blocks()
        # Positive matrices below two bounds differ by no more than the larger bound.
        by_x = np.maximum(by_x, by_x.mean())
        return _of_blocks(by_x, mixed + mixed.mean(), np.full_like(by_x, r_x**2 / 4))


def robust_linear_regression(
    features: ArrayLike,
    targets: ArrayLike,
    num_workers: int,
    *,
    regularization: float = 0.1,
    penalty: float | None = None,
    x_radius: float = 2.0,
    y_radius: float = 0.05,
    x_norm: Literal["l1", "l2"] = "l2",
    seed: int = 0,
) -> RobustLinearRegression:
    """Robust least squares on rows that are shuffled and dealt to n workers.

    Args:
        features: rows a, shape (N, d).
        targets: b, shape (N,).
        num_workers: n <= N.
        regularization: lam.
        penalty: beta; R_x^2 + lam if None.
        x_radius: R_x.
        y_radius: R_y.
        x_norm: of the ball of x, "l1" or "l2".
        seed: of the order of the rows.

    Returns:
        The problem, of dimension 2 d.

    Raises:
        ValueError: if shapes do not fit, there are fewer rows than workers, or a number is out of
            range or the norm unknown.

    Example:
        >>> rows = np.random.default_rng(0).standard_normal((20, 3))
        >>> robust_linear_regression(rows, rows[:, 0], 4).dim
        6
    """
    parts = _dealt(features, targets, num_workers, seed)
    return RobustLinearRegression(
        regularization,
        x_radius**2 + regularization if penalty is None else penalty,
        x_radius,
        y_radius,
        jnp.stack([jnp.asarray(a.T @ a / len(a)) for a, _ in parts]),
        jnp.stack([jnp.asarray(b @ a / len(a)) for a, b in parts]),
        jnp.stack([jnp.asarray(a.mean(axis=0)) for a, _ in parts]),
        jnp.stack([jnp.asarray(b.mean()) for _, b in parts]),
        x_norm=x_norm,
    )


def robust_logistic_regression(
    features: ArrayLike,
    labels: ArrayLike,
    num_workers: int,
    *,
    regularization: float = 0.1,
    penalty: float | None = None,
    x_radius: float = 2.0,
    y_radius: float = 0.05,
    x_norm: Literal["l1", "l2"] = "l2",
    seed: int = 0,
) -> RobustLogisticRegression:
    """Robust logistic regression on rows that are shuffled and dealt to n workers.

    Args:
        features: rows a, shape (N, d).
        labels: b, -1 or 1, shape (N,).
        num_workers: n <= N.
        regularization: lam.
        penalty: beta; R_x^2 / 4 + lam if None.
        x_radius: R_x.
        y_radius: R_y.
        x_norm: of the ball of x, "l1" or "l2".
        seed: of the order of the rows.

    Returns:
        The problem, of dimension 2 d.

    Raises:
        ValueError: if shapes do not fit, a label is neither -1 nor 1, there are fewer rows than
            workers, or a number is out of range or the norm unknown.

    Example:
        >>> rows = np.random.default_rng(0).standard_normal((20, 3))
        >>> robust_logistic_regression(rows, np.sign(rows[:, 0]), 3).features.shape
        (3, 7, 3)
    """
    if not np.all(np.abs(np.asarray(labels, dtype=np.float64)) == 1):
        raise ValueError("labels must be -1 or 1")
    parts = _dealt(features, labels, num_workers, seed)
    most = max(len(a) for a, _ in parts)

    def padded(values: Array) -> jax.Array:
        extra = [(0, most - len(values))] + [(0, 0)] * (values.ndim - 1)
        return jnp.asarray(np.pad(values, extra))

    return RobustLogisticRegression(
        regularization,
        x_radius**2 / 4 + regularization if penalty is None else penalty,
        x_radius,
        y_radius,
        jnp.stack([padded(a) for a, _ in parts]),
        jnp.stack([padded(b) for _, b in parts]),
        jnp.stack([padded(np.full(len(a), 1 / len(a))) for a, _ in parts]),
        x_norm=x_norm,
    )


def _dealt(
    features: ArrayLike, targets: ArrayLike, num_workers: int, seed: int
) -> list[tuple[Array, Array]]:
    rows, values = (np.asarray(part, dtype=np.float64) for part in (features, targets))
    if rows.ndim != 2 or values.shape != rows.shape[:1]:
        raise ValueError(
            f"features must have shape (N, d) and targets (N,), got {rows.shape} and {values.shape}"
        )
    check_size("num_workers", num_workers)
    if num_workers > len(rows):
        raise ValueError(
            f"num_workers must be at most the number of rows, {len(rows)}, got {num_workers}"
        )
    if not (np.all(np.isfinite(rows)) and np.all(np.isfinite(values))):
        raise ValueError("features and targets must be finite")
    order = np.random.default_rng(seed).permutation(len(rows))
    return [(rows[part], values[part]) for part in np.array_split(order, num_workers)]


def _onto_l2_ball(v: jax.Array, radius: jax.Array | float) -> jax.Array:
    return v * jnp.minimum(1.0, radius / jnp.maximum(jnp.linalg.norm(v), 1e-300))


def _symmetric_norms(matrices: Array) -> Array:
    largest: Array = np.abs(np.linalg.eigvalsh(matrices)).max(axis=1)
    return largest


def _of_blocks(by_x: Array, mixed: Array, by_y: Array) -> Array:
    """The largest norm of a matrix of blocks with these norms: that of [[a, b], [b, c]]."""
    return (by_x + by_y) / 2 + np.hypot((by_x - by_y) / 2, mixed)
