"""Least squares, logistic regression and the sigmoid loss: f_i(x) = phi_i(a_i'x)."""

import abc
import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy.special import expit

from ._arguments import check_indices, check_point, check_scalar, check_size, host, is_concrete
from ._pytree import register_problem
from .constant import Constant
from .finite_sum import FiniteSum, local_constants

__all__ = [
    "LeastSquares",
    "LinearModel",
    "LogisticRegression",
    "SigmoidLoss",
    "random_least_squares",
    "random_logistic",
    "random_sigmoid",
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
    mean_curvature: ClassVar[float]
    curvature_radius: ClassVar[float]
    attained: ClassVar[frozenset[str]]

    @property
    @abc.abstractmethod
    def _responses(self) -> jax.Array:
        """The responses y, shape (n,)."""

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
    def num_samples(self) -> int:
        return self.features.shape[0]

    @property
    def dim(self) -> int:
        return self.features.shape[1]

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


@register_problem
@dataclasses.dataclass(frozen=True, eq=False)
class LeastSquares(LinearModel):
    r"""f_i(x) = (a_i'x - y_i)^2 / 2; every constant is exact.

    L = lmax(A'A/n), L_tilde^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i') and
    L_pm^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i' - (A'A/n)^2), rows of any length.

    Args:
        features: the rows a_i, shape (n, d).
        targets: y, shape (n,).

    Raises:
        ValueError: if the shapes do not fit or an entry is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = LeastSquares(jnp.eye(2), jnp.array([1.0, 0.0]))
        >>> float(problem.value(jnp.zeros(2))), problem.constants["L"].value
        (0.25, 0.5)
    """

    features: jax.Array | np.ndarray
    targets: jax.Array | np.ndarray
    mean_curvature: ClassVar[float] = 1.0
    curvature_radius: ClassVar[float] = 0.0
    attained: ClassVar[frozenset[str]] = frozenset({"L", "L_tilde", "L_pm"})

    def __post_init__(self) -> None:
        _store(self, "targets")

    @property
    def convex(self) -> bool:
        return True

    @property
    def _responses(self) -> jax.Array:
        return jnp.asarray(self.targets)

    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return 0.5 * (predictions - responses) ** 2

    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return predictions - responses

    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        return np.ones_like(predictions)

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


@register_problem
@dataclasses.dataclass(frozen=True, eq=False)
class LogisticRegression(LinearModel):
    r"""f_i(x) = log(1 + exp(-y_i a_i'x)), labels y_i in {-1, +1}.

    0 <= phi'' <= 1/4. L = lmax(A'A)/(4n) and L_tilde^2 = lmax((1/n) sum_i |a_i|^2 a_i a_i')/16 are
    attained at x = 0, so they are exact over R^d; L_pm is a bound.

    Args:
        features: the rows a_i, shape (n, d).
        labels: -1 or +1, shape (n,).

    Raises:
        ValueError: if the shapes do not fit, an entry is not finite or a label is not -1 or +1.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = LogisticRegression(jnp.eye(2), jnp.array([1.0, -1.0]))
        >>> round(float(problem.value(jnp.zeros(2))), 6), problem.constants["L"].value
        (0.693147, 0.125)
    """

    features: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    mean_curvature: ClassVar[float] = 0.125
    curvature_radius: ClassVar[float] = 0.125
    attained: ClassVar[frozenset[str]] = frozenset({"L", "L_tilde"})

    def __post_init__(self) -> None:
        _store(self, "labels")

    @property
    def convex(self) -> bool:
        return True

    @property
    def _responses(self) -> jax.Array:
        return jnp.asarray(self.labels)

    def _loss(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return jax.nn.softplus(-responses * predictions)

    def _slope(self, predictions: jax.Array, responses: jax.Array) -> jax.Array:
        return -responses * jax.nn.sigmoid(-responses * predictions)

    def _curvature(self, predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
        curvature: np.ndarray = expit(predictions) * expit(-predictions)
        return curvature

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


@register_problem
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
        ValueError: if the shapes do not fit, an entry is not finite or a label is not -1 or +1.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = SigmoidLoss(jnp.eye(2), jnp.array([1.0, -1.0]))
        >>> float(problem.value(jnp.zeros(2))), problem.convex, problem.lower_bound
        (0.5, False, 0.0)
    """

    features: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    mean_curvature: ClassVar[float] = 0.0
    curvature_radius: ClassVar[float] = 3**0.5 / 18
    attained: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        _store(self, "labels")

    @property
    def convex(self) -> bool:
        return False

    @property
    def _responses(self) -> jax.Array:
        return jnp.asarray(self.labels)

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


def random_least_squares(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    planted_norm: float = 5.0,
    noise: float = 0.1,
) -> LeastSquares:
    """Least squares with unit rows and noisy targets of a sparse planted solution.

    Rows are uniform on the sphere; the solution z has random signs and |z|_1 = `planted_norm`; the
    targets are A z plus Gaussian noise. Over an l1 ball of a smaller radius, and over the simplex,
    the minimiser lies on a face.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        planted_norm: l1 norm of z, positive.
        noise: standard deviation of the noise relative to the root mean square of A z, at least 0.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_least_squares(5, 3, seed=0).features.shape
        (5, 3)
    """
    check_scalar("noise", noise, at_least=0.0)
    rng = np.random.default_rng(seed)
    features, signal = _planted(rng, num_samples, dim, sparsity, planted_norm)
    level = noise * np.sqrt(np.mean(signal**2))
    targets = signal + level * rng.standard_normal(num_samples)
    return LeastSquares(jnp.asarray(features), jnp.asarray(targets))


def random_logistic(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    margin: float = 3.0,
) -> LogisticRegression:
    """Logistic regression with unit rows and labels drawn from a sparse planted model.

    Rows are uniform on the sphere, z is sparse with random signs, and y_i = +1 with probability
    1/(1 + exp(-a_i'z)); `margin` is the root mean square of a_i'z.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        margin: positive; the larger, the fewer labels contradict z.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_logistic(5, 3, seed=0).labels.shape
        (5,)
    """
    return LogisticRegression(*_planted_labels(num_samples, dim, seed, sparsity, margin))


def random_sigmoid(
    num_samples: int,
    dim: int,
    seed: int,
    *,
    sparsity: int | None = None,
    margin: float = 3.0,
) -> SigmoidLoss:
    """The sigmoid loss on the data of `random_logistic` with the same arguments.

    Args:
        num_samples: n >= 1.
        dim: d >= 1.
        seed: seed of the whole instance.
        sparsity: number of non-zeros of z, by default max(1, d // 5).
        margin: positive; the larger, the fewer labels contradict z.

    Returns:
        The problem, float64 where x64 is enabled.

    Raises:
        ValueError: if a size or a number lies outside the stated range.

    Example:
        >>> random_sigmoid(5, 3, seed=0).dim
        3
    """
    return SigmoidLoss(*_planted_labels(num_samples, dim, seed, sparsity, margin))


def _planted_labels(
    num_samples: int, dim: int, seed: int, sparsity: int | None, margin: float
) -> tuple[jax.Array, jax.Array]:
    check_scalar("margin", margin, positive=True)
    rng = np.random.default_rng(seed)
    features, signal = _planted(rng, num_samples, dim, sparsity, 1.0)
    predictions = margin * signal / np.sqrt(np.mean(signal**2))
    labels = np.where(rng.random(num_samples) < expit(predictions), 1.0, -1.0)
    return jnp.asarray(features), jnp.asarray(labels)


def _planted(
    rng: np.random.Generator, num_samples: int, dim: int, sparsity: int | None, norm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows A and the signal A z of a sparse z."""
    check_size("num_samples", num_samples)
    check_size("dim", dim)
    check_scalar("planted_norm", norm, positive=True)
    support = max(1, dim // 5) if sparsity is None else sparsity
    check_size("sparsity", support)
    if support > dim:
        raise ValueError(f"sparsity must be at most dim = {dim}, got {support}")
    features = rng.standard_normal((num_samples, dim))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    solution = np.zeros(dim)
    chosen = rng.choice(dim, size=support, replace=False)
    solution[chosen] = rng.choice([-1.0, 1.0], size=support) * rng.uniform(0.5, 1.5, size=support)
    solution *= norm / np.abs(solution).sum()
    return features, features @ solution


def _store(problem: LinearModel, responses_name: str) -> None:
    """Check concrete data and keep them as JAX arrays of a floating dtype."""
    features, responses = problem.features, getattr(problem, responses_name)
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
