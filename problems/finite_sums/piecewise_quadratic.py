# SPDX-License-Identifier: Apache-2.0
"""Finite sums on the line whose second derivatives are constant between knots."""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_indices, check_point, host, is_concrete
from ..constant import CertificateError, Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum

__all__ = ["PiecewiseQuadratic"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class PiecewiseQuadratic(FiniteSum):
    r"""f_i'(x) = c_i + int_0^x f_i''(y) dy, with f_i'' = h_ij on the j-th piece of the line.

    .. math:: L = \max_j |\bar h_j|, \qquad \tilde L^2 = \max_j \tfrac1n \sum_i h_{ij}^2, \qquad
        L_\pm^2 = \max_j \tfrac1n \sum_i (h_{ij} - \bar h_j)^2,

    exactly: a difference quotient of derivatives is a mean of second derivatives, and none of the
    three is larger at a mean of pieces than at the worst of them. Huber's function, a parabola
    that flattens, a double well and all that lies between are such functions; with many knots they
    come close to every smooth one.

    Args:
        knots: increasing, shape (m,); the m + 1 pieces lie between them, the outer ones go on for
            ever.
        second: h, shape (n, m + 1).
        slopes: c, the derivatives at 0, shape (n,).

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or the knots do not increase.

    Example:
        >>> huber = PiecewiseQuadratic(knots=[-1.0, 1.0], second=[[0.0, 1.0, 0.0]], slopes=[0.0])
        >>> [float(huber.value(jnp.array([x]))) for x in (0.5, 1.0, 3.0)]
        [0.125, 0.5, 2.5]
        >>> huber.constants["L"].value, huber.least(-2.0, 2.0)
        (1.0, 0.0)
    """

    knots: jax.Array | np.ndarray
    second: jax.Array | np.ndarray
    slopes: jax.Array | np.ndarray

    def __post_init__(self) -> None:
        for name in ("knots", "second", "slopes"):
            given = getattr(self, name)
            if isinstance(given, list | tuple):
                object.__setattr__(self, name, np.asarray(given, dtype=float))
        if not all(is_concrete(one) for one in (self.knots, self.second, self.slopes)):
            return
        knots, second, slopes = (host(one) for one in (self.knots, self.second, self.slopes))
        fit = knots.ndim == 1 and second.ndim == 2 and slopes.shape == second.shape[:1]
        if not (fit and second.size and second.shape[1] == len(knots) + 1):
            raise ValueError(
                "knots, second and slopes must have shapes (m,), (n, m + 1) and (n,), got "
                f"{knots.shape}, {second.shape} and {slopes.shape}"
            )
        for name, array in (("knots", knots), ("second", second), ("slopes", slopes)):
            if not np.all(np.isfinite(array)):
                raise ValueError(f"{name} must be finite, got {array.tolist()}")
        if np.any(np.diff(knots) <= 0):
            raise ValueError(f"knots must increase, got {knots.tolist()}")

    @property
    def num_samples(self) -> int:
        return int(self.second.shape[0])

    @property
    def dim(self) -> int:
        return 1

    @property
    def convex(self) -> bool:
        return bool(np.all(self._mean_second >= 0))

    @property
    def lower_bound(self) -> float:
        """The minimum over the line where f is bounded from below there, else -inf."""
        second = self._mean_second
        knots = np.asarray(host(self.knots), dtype=np.float64)
        far = 1.0 + (np.max(np.abs(knots)) if knots.size else 0.0)
        left, right = (self._mean_derivative(end) for end in (-far, far))
        falls = second[0] < 0 or second[-1] < 0
        falls |= (second[0] == 0 and left > 0) or (second[-1] == 0 and right < 0)
        if falls:
            return -np.inf
        zeros = [
            x - s / h for x, s, h in ((-far, left, second[0]), (far, right, second[-1])) if h > 0
        ]
        return self.least(min([-far, *zeros]), max([far, *zeros]))

    def least(self, low: float, high: float) -> float:
        """The minimum of f over an interval: at an end, a knot or a zero of f'.

        Args:
            low, high: the interval.

        Returns:
            The minimum.

        Raises:
            ValueError: if the interval is empty.
        """
        if not low <= high:
            raise ValueError(f"low must be at most high, got {low} and {high}")
        knots = np.asarray(host(self.knots), dtype=np.float64)
        ends = np.concatenate([[low], knots[(knots > low) & (knots < high)], [high]])
        found = [self.value_at(end) for end in ends]
        for left, right in itertools.pairwise(ends):
            curvature = self._mean_second[np.searchsorted(knots, (left + right) / 2)]
            if curvature > 0:
                zero = left - self._mean_derivative(left) / curvature
                if left < zero < right:
                    found.append(self.value_at(zero))
        return float(min(found))

    def value(self, x: jax.Array) -> jax.Array:
        y = check_point(x, 1)[0]
        areas = _areas(self.knots, y)
        return jnp.mean(self.slopes) * y + jnp.mean(self.second, axis=0) @ areas

    def gradient(self, x: jax.Array) -> jax.Array:
        y = check_point(x, 1)
        lengths = _lengths(self.knots, y[0])
        return (jnp.mean(self.slopes) + jnp.mean(self.second, axis=0) @ lengths)[None]

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        y = check_point(x, 1)
        rows = check_indices(indices, self.num_samples)
        lengths = _lengths(self.knots, y[0])
        second, slopes = jnp.asarray(self.second), jnp.asarray(self.slopes)
        return (slopes[rows] + second[rows] @ lengths)[:, None]

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        return jnp.mean(self.sample_gradients(x, indices), axis=0)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        """Also "L_max", of the f_i, and "mu", negative where f is not convex."""
        second = np.asarray(host(self.second), dtype=np.float64)
        mean = self._mean_second
        found = {
            "L": np.abs(mean).max(),
            "L_tilde": np.sqrt(np.mean(second**2, axis=0)).max(),
            "L_pm": np.sqrt(np.mean((second - mean) ** 2, axis=0)).max(),
            "L_max": np.abs(second).max(),
            "mu": mean.min(),
        }
        how = "the worst of the pieces"
        return {
            name: Constant(float(value), "exact", derivation=how) for name, value in found.items()
        }

    def certify(self) -> None:
        """Re-derives every constant from the derivatives of the gradients inside all pieces."""
        knots = np.asarray(host(self.knots), dtype=np.float64)
        ends = np.concatenate([[knots[0] - 1], knots, [knots[-1] + 1]]) if knots.size else [-1, 1]
        inside = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
        each = [self._local_constants(np.array([x])) for x in inside]
        for name, constant in self.constants.items():
            derived = (min if name == "mu" else max)(one[name] for one in each)
            if abs(constant.value - derived) > 1e-7 * max(abs(derived), each[0]["L_tilde"], 1e-5):
                raise CertificateError(
                    f"PiecewiseQuadratic: constant {name!r} is stated as {constant.value!r} and "
                    f"re-derived as {derived!r}"
                )

    def _local_constants(self, x: np.ndarray) -> dict[str, float]:
        """Also those that are this class's own."""
        rows = jax.jacfwd(lambda point: self.sample_gradients(point, np.arange(self.num_samples)))
        second = np.asarray(rows(jnp.asarray(x)))
        own = {"L_max": float(np.abs(second).max()), "mu": float(second.mean())}
        return super()._local_constants(x) | own

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(1)

    @functools.cached_property
    def _mean_second(self) -> np.ndarray:
        return np.mean(np.asarray(host(self.second), dtype=np.float64), axis=0)

    def _mean_derivative(self, x: float) -> float:
        ends = _ends(np.asarray(host(self.knots), dtype=np.float64), np)
        lengths = np.clip(x, *ends) - np.clip(0.0, *ends)
        return float(np.mean(host(self.slopes)) + self._mean_second @ lengths)

    def value_at(self, x: float) -> float:
        """f(x) on the host in float64, by the trapezoidal rule between the knots.

        Args:
            x: a number.

        Returns:
            The value; f' is linear between the knots, so that the rule is exact.
        """
        knots = np.asarray(host(self.knots), dtype=np.float64)
        low, high = min(x, 0.0), max(x, 0.0)
        ends = np.concatenate([[low], knots[(knots > low) & (knots < high)], [high]])
        heights = np.array([self._mean_derivative(end) for end in ends])
        area = float(np.sum(np.diff(ends) * (heights[1:] + heights[:-1])) / 2)
        return area if x >= 0 else -area


def _ends(knots: Any, module: Any) -> tuple[Any, Any]:
    """The left and the right ends of all pieces, in NumPy or in JAX."""
    infinite = module.full(1, module.inf)
    return module.concatenate([-infinite, knots]), module.concatenate([knots, infinite])


def _lengths(knots: jax.Array | np.ndarray, x: jax.Array) -> jax.Array:
    """How much of each piece lies between 0 and x, signed."""
    left, right = _ends(knots, jnp)
    return jnp.clip(x, left, right) - jnp.clip(0.0, left, right)


def _areas(knots: jax.Array | np.ndarray, x: jax.Array) -> jax.Array:
    """The integrals of those lengths from 0 to x."""
    left, right = _ends(knots, jnp)

    def primitive(y: jax.Array) -> jax.Array:
        """Of clip(y, left, right)."""
        low, high = (jnp.where(jnp.isfinite(end), end, 0.0) for end in (left, right))
        middle = jnp.clip(y, left, right)
        return middle**2 / 2 + low * jnp.minimum(y - left, 0) + high * jnp.maximum(y - right, 0)

    start = jnp.zeros_like(x)
    return primitive(x) - primitive(start) - x * jnp.clip(0.0, left, right)
