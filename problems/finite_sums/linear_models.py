# SPDX-License-Identifier: Apache-2.0
"""Least squares, logistic regression and the sigmoid loss: f_i(x) = phi_i(a_i'x)."""

import abc
import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import sparse
from scipy.special import expit

from .._arguments import check_indices, check_point, host, is_concrete
from ..constant import Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum, local_constants

__all__ = [
    "LeastSquares",
    "LinearModel",
    "LogisticRegression",
    "SigmoidLoss",
]


class LinearModel(FiniteSum):
    r"""f_i(x) = phi(a_i'x, y_i) with rows a_i, responses y_i and m - r <= phi'' <= m + r.

    With C = (1/n) sum_i a_i a_i' and M = (1/n) sum_i |a_i|^2 a_i a_i', lmax the largest eigenvalue,

    - L = (|m| + r) lmax(C),
    - L_tilde = (|m| + r) lmax(M)^(1/2),
    - L_pm = |m| lmax(M - C^2)^(1/2) + r lmax(M)^(1/2).

    The last is the triangle inequality for the standard deviation over i of the gradient
    differences w_i a_i a_i'(x - y), where w_i = m + (w_i - m) is a mean of phi''. It is exact for a
    constant phi'' (r = 0), and never exceeds L_tilde. Each holds for rows of any length.

    Example:
        >>> import numpy as np
        >>> problem = LogisticRegression(3.0 * np.eye(2), np.array([1.0, -1.0]))
        >>> [round(constant.value, 4) for constant in problem.constants.values()]
        [1.125, 1.591, 1.358]
    """

    features: jax.Array | np.ndarray
    responses: ClassVar[str]  # the name of y
    mean_curvature: ClassVar[float]
    curvature_radius: ClassVar[float]
    attained: ClassVar[frozenset[str]]

    def __post_init__(self) -> None:
        _store(self, self.responses)

    @abc.abstractmethod
    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        """phi, elementwise."""

    @abc.abstractmethod
    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        """phi', elementwise."""

    @abc.abstractmethod
    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        """phi'', elementwise, on the host."""

    @property
    def _rows(self) -> jax.Array:
        return jnp.asarray(self.features)

    @property
    def _responses(self) -> jax.Array:
        """y, shape (n,)."""
        return jnp.asarray(getattr(self, self.responses))

    @property
    def num_samples(self) -> int:
        return self.features.shape[0]

    @property
    def dim(self) -> int:
        return self.features.shape[1]

    @property
    def convex(self) -> bool:
        """Whether every phi is, which the rows do not change."""
        return self.mean_curvature >= self.curvature_radius

    @property
    def lower_bound(self) -> float:
        """0: every phi is non-negative."""
        return 0.0

    def value(self, x: jax.Array) -> jax.Array:
        x = check_point(x, self.dim)
        return self._loss(self._rows @ x, self._responses).mean()

    def gradient(self, x: jax.Array) -> jax.Array:
        x = check_point(x, self.dim)
        return self._slope(self._rows @ x, self._responses) @ self._rows / self.num_samples

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        slopes, rows = self._batch(x, indices)
        return slopes[:, None] * rows

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        slopes, rows = self._batch(x, indices)
        return slopes @ rows / slopes.shape[0]

    def sample_slopes(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        """The scalars phi'(a_i'x, y_i), i in indices; grad f_i(x) is this times the row a_i.

        Args:
            x: shape (d,).
            indices: integers in [0, n), shape (b,).

        Returns:
            Shape (b,).

        Example:
            >>> import numpy as np
            >>> problem = LeastSquares(np.eye(2), np.array([1.0, 2.0]))
            >>> problem.sample_slopes(np.zeros(2), np.array([1, 0])).tolist()
            [-2.0, -1.0]
        """
        return self._batch(x, indices)[0]

    def _batch(self, x: jax.Array, indices: ArrayLike) -> tuple[jax.Array, jax.Array]:
        x = check_point(x, self.dim)
        indices = check_indices(indices, self.num_samples)
        rows = self._rows[indices]
        return self._slope(rows @ x, self._responses[indices]), rows

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        features, responses = host(self.features), host(self._responses)
        middle, radius = abs(self.mean_curvature), self.curvature_radius
        steepest = middle + radius
        norms = np.linalg.norm(features, axis=1)
        gram = _gram(features)
        moment = _gram(norms[:, None] * features)
        spread = middle * _root(moment - gram @ gram) + radius * _root(moment)
        curvature = self._curvature(features @ self._extremal_point(), responses)
        hessian = (features.T * curvature) @ features / self.num_samples
        attained_moment = _gram((norms * curvature)[:, None] * features)
        rows = {
            "L": (
                steepest * np.linalg.eigvalsh(gram)[-1],
                np.abs(np.linalg.eigvalsh(hessian)).max(),
                "max |phi''| times the largest eigenvalue of A'A/n",
            ),
            "L_tilde": (
                steepest * _root(moment),
                _root(attained_moment),
                "max |phi''| times the root of the largest eigenvalue of mean |a|^2 aa'",
            ),
            "L_pm": (
                spread,
                _root(attained_moment - hessian @ hessian),
                "middle of phi'' times the root of the largest eigenvalue of"
                " mean |a|^2 aa' - (A'A/n)^2, plus half the range of phi'' times that of"
                " mean |a|^2 aa'",
            ),
        }
        constants = {}
        for name, (value, attained, derivation) in rows.items():
            if name in self.attained:
                constants[name] = Constant(float(value), "exact", 0.0, derivation)
            else:
                width = max(float(value - attained), 0.0)
                constants[name] = Constant(float(value), "certified", width, derivation)
        return constants

    def _rederived_bounds(self) -> dict[str, float]:
        if self.curvature_radius == 0.0:
            return {}  # a quadratic attains its constants everywhere
        features = host(self.features)
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        low, high = self._curvature_range()
        middle, radius = abs(high + low) / 2, (high - low) / 2
        root_n = np.sqrt(self.num_samples)
        largest = np.linalg.norm(features, 2) / root_n
        largest_moment = np.linalg.norm(norms * features, 2) / root_n
        quadratic = LeastSquares(features, np.zeros(self.num_samples))
        spread = local_constants(quadratic, np.zeros(self.dim))["L_pm"]
        return {
            "L": float((middle + radius) * largest**2),
            "L_tilde": float((middle + radius) * largest_moment),
            "L_pm": float(middle * spread + radius * largest_moment),
        }

    def _curvature_range(self) -> tuple[float, float]:
        """The extremes of phi'', by automatic differentiation on a grid."""
        predictions = jnp.linspace(-40.0, 40.0, 800_001)
        curvature = jax.vmap(jax.grad(jax.grad(self._loss)), in_axes=(0, None))
        values = jnp.stack(
            [curvature(predictions, response) for response in jnp.unique(self._responses)[:2]]
        )
        return float(values.min()), float(values.max())


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class LeastSquares(LinearModel):
    r"""f_i(x) = (a_i'x - y_i)^2 / 2; every constant is exact.

    L = lmax(A'A/n), L_tilde^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i') and
    L_pm^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i' - (A'A/n)^2), rows of any length.

    Args:
        features: the rows a_i, shape (n, d).
        targets: y, shape (n,).

    Raises:
        TypeError: if the features are sparse.
        ValueError: if the shapes do not fit or an entry is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = LeastSquares(jnp.eye(2), jnp.array([1.0, 0.0]))
        >>> float(problem.value(jnp.zeros(2))), problem.constants["L"].value
        (0.25, 0.5)
    """

    features: jax.Array | np.ndarray
    targets: jax.Array | np.ndarray
    responses: ClassVar[str] = "targets"
    mean_curvature: ClassVar[float] = 1.0
    curvature_radius: ClassVar[float] = 0.0
    attained: ClassVar[frozenset[str]] = frozenset({"L", "L_tilde", "L_pm"})

    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return 0.5 * (predictions - responses) ** 2

    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return predictions - responses

    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        return np.ones_like(predictions)

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class LogisticRegression(LinearModel):
    r"""f_i(x) = log(1 + exp(-y_i a_i'x)), labels y_i in {-1, +1}.

    0 <= phi'' <= 1/4. L = lmax(A'A)/(4n) and L_tilde^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i')/16 are
    attained at x = 0, so they are exact over R^d; L_pm is a bound.

    Args:
        features: the rows a_i, shape (n, d).
        labels: -1 or +1, shape (n,).

    Raises:
        TypeError: if the features are sparse.
        ValueError: if the shapes do not fit, an entry is not finite or a label is not -1 or +1.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = LogisticRegression(jnp.eye(2), jnp.array([1.0, -1.0]))
        >>> round(float(problem.value(jnp.zeros(2))), 6), problem.constants["L"].value
        (0.693147, 0.125)
    """

    features: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    responses: ClassVar[str] = "labels"
    mean_curvature: ClassVar[float] = 0.125
    curvature_radius: ClassVar[float] = 0.125
    attained: ClassVar[frozenset[str]] = frozenset({"L", "L_tilde"})

    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return jax.nn.softplus(-responses * predictions)

    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return -responses * jax.nn.sigmoid(-responses * predictions)

    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        curvature: np.ndarray = expit(predictions) * expit(-predictions)
        return curvature

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SigmoidLoss(LinearModel):
    r"""f_i(x) = 1/(1 + exp(y_i a_i'x)), labels y_i in {-1, +1}; smooth and not convex.

    |phi''| <= sqrt(3)/18, attained at margins y_i a_i'x = +-log(2 + sqrt(3)); one x rarely gives
    that margin to every sample, so the constants are bounds, their widths measured at the point
    that comes closest in least squares. f >= 0.

    Args:
        features: the rows a_i, shape (n, d).
        labels: -1 or +1, shape (n,).

    Raises:
        TypeError: if the features are sparse.
        ValueError: if the shapes do not fit, an entry is not finite or a label is not -1 or +1.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = SigmoidLoss(jnp.eye(2), jnp.array([1.0, -1.0]))
        >>> float(problem.value(jnp.zeros(2))), problem.convex, problem.lower_bound
        (0.5, False, 0.0)
    """

    features: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    responses: ClassVar[str] = "labels"
    mean_curvature: ClassVar[float] = 0.0
    curvature_radius: ClassVar[float] = 3**0.5 / 18
    attained: ClassVar[frozenset[str]] = frozenset()

    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(-responses * predictions)

    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        margins = responses * predictions
        return -responses * jax.nn.sigmoid(margins) * jax.nn.sigmoid(-margins)

    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        margins = responses * predictions
        curvature: np.ndarray = expit(margins) * expit(-margins) * np.tanh(margins / 2)
        return curvature

    def _extremal_point(self) -> np.ndarray:
        margins = np.full(self.num_samples, np.log(2 + np.sqrt(3)))
        signed = host(self.labels)[:, None] * host(self.features)
        point: np.ndarray = np.linalg.lstsq(signed, margins, rcond=None)[0]
        return point


def _store(problem: LinearModel, responses_name: str) -> None:
    """Check concrete data and keep them as JAX arrays of a floating dtype."""
    features, responses = problem.features, getattr(problem, responses_name)
    if sparse.issparse(features):
        raise TypeError(
            "features must be a dense table, because rows are gathered from it inside compiled"
            f" code; got a sparse one of shape {features.shape}: pass features.toarray()"
        )
    if not (is_concrete(features) and is_concrete(responses)):
        return
    for name, given in (("features", features), (responses_name, responses)):
        if not np.all(np.isfinite(np.asarray(given))):
            raise ValueError(f"{name} must be finite, got a NaN or an infinity")
        array = jnp.asarray(given)
        if not jnp.issubdtype(array.dtype, jnp.floating):
            array = array.astype(float)
        object.__setattr__(problem, name, array)
    features, responses = problem.features, getattr(problem, responses_name)
    if features.ndim != 2 or features.size == 0:
        raise ValueError(f"features must have shape (n, d) with n, d >= 1, got {features.shape}")
    if responses.shape != features.shape[:1]:
        raise ValueError(
            f"{responses_name} must have shape {features.shape[:1]}, got {responses.shape}"
        )
    if responses_name == "labels" and not np.all(np.abs(np.asarray(responses)) == 1):
        raise ValueError("labels must be -1 or +1")


def _gram(features: np.ndarray) -> np.ndarray:
    gram: np.ndarray = features.T @ features / features.shape[0]
    return gram


def _root(matrix: np.ndarray) -> float:
    """The root of the largest eigenvalue of a positive semi-definite matrix."""
    return float(np.sqrt(max(np.linalg.eigvalsh(matrix)[-1], 0.0)))
