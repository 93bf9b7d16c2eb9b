# SPDX-License-Identifier: Apache-2.0
"""Finite sums f(x) = (1/n) sum_i f_i(x) with known smoothness constants, and their rescalings."""

import abc
import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_point, check_scalar, host, require_float64
from ..constant import CertificateError, Constant
from ..pytree import pytree_dataclass

__all__ = ["Dilated", "FiniteSum", "Scaled", "dilated", "local_constants", "scaled"]

# Hessians of this many entries altogether are held at once (32 MiB in float64).
_CHUNK_ENTRIES = 2**22


class FiniteSum(abc.ABC):
    r"""f(x) = (1/n) sum_i f_i(x), x of shape (d,), with constants that can be re-derived.

    The constants, for all x and y,

    - "L": |grad f(x) - grad f(y)| <= L |x - y|;
    - "L_tilde": (1/n) sum_i |grad f_i(x) - grad f_i(y)|^2 <= L_tilde^2 |x - y|^2;
    - "L_pm": (1/n) sum_i |grad f_i(x) - grad f_i(y) - grad f(x) + grad f(y)|^2
      <= L_pm^2 |x - y|^2.

    Always L <= L_tilde and L_pm <= L_tilde.

    A concrete problem is a frozen dataclass and a pytree: its arrays are leaves, so that it can be
    an argument of a jitted or vmapped function. The constants need concrete leaves; they are
    computed on the host, once.

    Example:
        >>> from optzoo.problems import random_sign_quadratic
        >>> problem = random_sign_quadratic(4, 3, seed=0, curvature=2.0, noise=1.0)
        >>> problem.num_samples, problem.dim, problem.constants["L"].value
        (4, 3, 2.0)

    References:
        Li, Bao, Zhang, Richtarik, PAGE, arXiv 2008.10898 (L and L_tilde);
        Szlendak, Tyurin, Richtarik, arXiv 2110.03300 (L_pm, the Hessian variance).
    """

    @property
    @abc.abstractmethod
    def num_samples(self) -> int:
        """The number n of summands."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The dimension d."""

    @property
    @abc.abstractmethod
    def convex(self) -> bool:
        """Whether f is convex (the f_i need not be)."""

    @property
    @abc.abstractmethod
    def lower_bound(self) -> float:
        """A lower bound of f, -inf where none is known."""

    @abc.abstractmethod
    def value(self, x: jax.Array) -> jax.Array:
        """f(x).

        Args:
            x: shape (d,).

        Returns:
            A scalar.
        """

    @abc.abstractmethod
    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient of f at x.

        Args:
            x: shape (d,).

        Returns:
            Shape (d,).
        """

    @abc.abstractmethod
    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        """The rows grad f_i(x), i in indices.

        Args:
            x: shape (d,).
            indices: integers in [0, n), shape (b,); repetitions are allowed.

        Returns:
            Shape (b, d).
        """

    @abc.abstractmethod
    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        """(1/b) sum_{i in indices} grad f_i(x).

        Args:
            x: shape (d,).
            indices: integers in [0, n), shape (b,) with b >= 1; repetitions count.

        Returns:
            Shape (d,).
        """

    @functools.cached_property
    @abc.abstractmethod
    def constants(self) -> dict[str, Constant]:
        """The constants "L", "L_tilde" and "L_pm", computed on the host in float64."""

    @abc.abstractmethod
    def _extremal_point(self) -> np.ndarray:
        """A point (d,) whose Hessians attain value - width of every constant."""

    def _local_constants(self, x: np.ndarray) -> dict[str, float]:
        """Every constant in the limit of a small neighbourhood of x."""
        return local_constants(self, x)

    def _rederived_bounds(self) -> dict[str, float]:
        """The values of the constants that the Hessians at one point do not attain."""
        return {}

    def certify(self) -> None:
        """Re-derive every constant by an independent route.

        value - width of each constant is compared with the local constant at a point where it is
        attained, which `local_constants` reads off the derivatives of `gradient` and
        `sample_gradients`. A value that is only a bound is derived a second time.

        Raises:
            CertificateError: if a stated constant disagrees; it names the constant, the stated and
                the re-derived number.
            RuntimeError: if float64 is not enabled.

        Example:
            >>> import jax
            >>> from optzoo.problems import random_least_squares
            >>> with jax.enable_x64(True):
            ...     random_least_squares(8, 3, seed=0).certify()
        """
        attained = self._local_constants(self._extremal_point())
        bounds = self._rederived_bounds()
        for name, constant in self.constants.items():
            claims = [(constant.value - constant.width, attained[name])]
            if name in bounds:
                claims.append((constant.value, bounds[name]))
            for stated, derived in claims:
                slack = 1e-8 * abs(derived) + 1e-12 * max(attained["L_tilde"], constant.value)
                if name == "L_pm":
                    # A vanishing variance is known to the root of the round-off only.
                    slack += 1e-6 * attained["L_tilde"]
                if not abs(stated - derived) <= slack:
                    what = "value" if stated == constant.value else "value - width"
                    raise CertificateError(
                        f"{type(self).__name__}: {what} of constant {name!r} is stated as"
                        f" {stated!r} and re-derived as {derived!r}"
                    )


def local_constants(problem: FiniteSum, x: ArrayLike) -> dict[str, float]:
    """The constants of a finite sum in the limit of a small neighbourhood of x.

    With H_i the Hessian of f_i at x and H that of f, from the derivatives of
    `problem.sample_gradients` and `problem.gradient`: L = |H|, L_tilde^2 = |(1/n) sum_i H_i^2|,
    L_pm^2 = |(1/n) sum_i (H_i - H)^2| in the spectral norm. These are lower bounds of the global
    constants, and equal to them where all f_i are quadratic.

    Args:
        problem: the finite sum.
        x: shape (d,).

    Returns:
        {"L": ..., "L_tilde": ..., "L_pm": ...}.

    Raises:
        RuntimeError: if float64 is not enabled.

    Example:
        >>> import jax
        >>> from optzoo.problems import NoiseTight, local_constants
        >>> with jax.enable_x64(True):
        ...     local_constants(NoiseTight(slope=0.1, noise=2.0, num_samples=4), [0.3])
        {'L': 0.0, 'L_tilde': 2.0, 'L_pm': 2.0}
    """
    require_float64("local_constants")
    point = check_point(jnp.asarray(x, dtype=float), problem.dim)
    n, d = problem.num_samples, problem.dim
    hessian = np.asarray(_hessian(problem, point))
    mean, variance = np.zeros((d, d)), np.zeros((d, d))
    size = max(1, min(n, _CHUNK_ENTRIES // d**2))
    for start in range(0, n, size):
        indices = jnp.arange(start, min(start + size, n))
        hessians = np.asarray(_sample_hessians(problem, point, indices))
        mean += hessians.sum(axis=0) / n
        centred = (hessians - hessian).reshape(-1, d)
        variance += centred.T @ centred / n
    # Adding the mean back loses no digits; subtracting it from the second moment would.
    cross = mean.T @ hessian
    second_moment = variance + cross + cross.T - hessian.T @ hessian
    return {
        "L": float(np.abs(np.linalg.eigvalsh(hessian)).max()),
        "L_tilde": float(np.sqrt(np.linalg.eigvalsh(second_moment)[-1].clip(0.0))),
        "L_pm": float(np.sqrt(np.linalg.eigvalsh(variance)[-1].clip(0.0))),
    }


@jax.jit
def _hessian(problem: FiniteSum, x: jax.Array) -> jax.Array:
    hessian: jax.Array = jax.jacfwd(problem.gradient)(x)
    return hessian


@jax.jit
def _sample_hessians(problem: FiniteSum, x: jax.Array, indices: jax.Array) -> jax.Array:
    hessians: jax.Array = jax.jacfwd(lambda point: problem.sample_gradients(point, indices))(x)
    return hessians


class _Rescaled(FiniteSum):
    """x -> u f(x / t) for a finite sum f, where u or t is the factor."""

    problem: FiniteSum
    factor: jax.Array | float
    words: ClassVar[str]  # what becomes of the constants

    @property
    @abc.abstractmethod
    def _units(self) -> tuple[jax.Array | float, jax.Array | float]:
        """The units u of values and t of lengths."""

    def __post_init__(self) -> None:
        check_scalar("factor", self.factor, positive=True)

    @property
    def num_samples(self) -> int:
        return self.problem.num_samples

    @property
    def dim(self) -> int:
        return self.problem.dim

    @property
    def convex(self) -> bool:
        return self.problem.convex

    @property
    def lower_bound(self) -> float:
        u, _ = self._known_units()
        return u * self.problem.lower_bound

    def value(self, x: jax.Array) -> jax.Array:
        u, t = self._units
        return u * self.problem.value(jnp.asarray(x) / t)

    def gradient(self, x: jax.Array) -> jax.Array:
        u, t = self._units
        return u * self.problem.gradient(jnp.asarray(x) / t) / t

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        u, t = self._units
        return u * self.problem.sample_gradients(jnp.asarray(x) / t, indices) / t

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        u, t = self._units
        return u * self.problem.batch_gradient(jnp.asarray(x) / t, indices) / t

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        u, t = self._known_units()
        how = self.words.format(float(host(self.factor)))
        return {
            name: constant.scaled(u * t**-2, how)
            for name, constant in self.problem.constants.items()
        }

    def _extremal_point(self) -> np.ndarray:
        _, t = self._known_units()
        return t * self.problem._extremal_point()

    def _local_constants(self, x: np.ndarray) -> dict[str, float]:
        u, t = self._known_units()
        inside = self.problem._local_constants(x / t)
        scaled = {name: u * value / t**2 for name, value in inside.items()}
        return scaled | super()._local_constants(x)

    def _rederived_bounds(self) -> dict[str, float]:
        u, t = self._known_units()
        return {name: u * bound / t**2 for name, bound in self.problem._rederived_bounds().items()}

    def _known_units(self) -> tuple[float, float]:
        u, t = self._units
        return float(host(u)), float(host(t))


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Scaled(_Rescaled):
    """u f for a finite sum f; every constant is multiplied by u.

    Args:
        problem: the finite sum f.
        factor: the positive number u; may be traced.

    Raises:
        ValueError: if `factor` is not positive and finite.

    Example:
        >>> from optzoo.problems import NoiseTight, Scaled
        >>> Scaled(NoiseTight(slope=0.1, noise=1.0, num_samples=4), 3.0).constants["L_pm"].value
        3.0
    """

    problem: FiniteSum
    factor: jax.Array | float
    words: ClassVar[str] = "times {:g}"

    @property
    def _units(self) -> tuple[jax.Array | float, jax.Array | float]:
        return self.factor, 1.0


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Dilated(_Rescaled):
    """x -> f(x / t) for a finite sum f; every constant is divided by t^2.

    Over the set t X it takes the values that f takes over X, and L D^2 is unchanged.

    Args:
        problem: the finite sum f.
        factor: the positive number t; may be traced.

    Raises:
        ValueError: if `factor` is not positive and finite.

    Example:
        >>> from optzoo.problems import Dilated, NoiseTight
        >>> Dilated(NoiseTight(slope=0.1, noise=1.0, num_samples=4), 2.0).constants["L_pm"].value
        0.25
    """

    problem: FiniteSum
    factor: jax.Array | float
    words: ClassVar[str] = "divided by {:g}^2"

    @property
    def _units(self) -> tuple[jax.Array | float, jax.Array | float]:
        return 1.0, self.factor


def scaled(problem: FiniteSum, factor: jax.Array | float) -> Scaled:
    """The finite sum u f, with every constant multiplied by u.

    Args:
        problem: the finite sum f.
        factor: the positive number u; may be traced.

    Returns:
        The scaled problem.

    Raises:
        ValueError: if `factor` is not positive and finite.

    Example:
        >>> from optzoo.problems import NoiseTight, scaled
        >>> scaled(NoiseTight(slope=0.5, noise=1.0, num_samples=4), 3.0).lower_bound
        -1.5
    """
    return Scaled(problem, factor)


def dilated(problem: FiniteSum, factor: jax.Array | float) -> Dilated:
    """The finite sum x -> f(x / t), with every constant divided by t^2.

    Args:
        problem: the finite sum f.
        factor: the positive number t; may be traced.

    Returns:
        The dilated problem.

    Raises:
        ValueError: if `factor` is not positive and finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import NoiseTight, dilated
        >>> problem = NoiseTight(slope=0.5, noise=1.0, num_samples=4)
        >>> bool(dilated(problem, 2.0).value(jnp.array([2.0])) == problem.value(jnp.array([1.0])))
        True
    """
    return Dilated(problem, factor)
