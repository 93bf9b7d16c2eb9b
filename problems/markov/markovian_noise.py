# SPDX-License-Identifier: Apache-2.0
"""Problems whose oracle is fed by a Markov chain, and the exact test of the noise assumption."""

import abc
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as HostArrayLike

from .._arguments import check_scalar, host, require_float64
from ..constant import CertificateError, Constant
from .markov_chain import MarkovChain

__all__ = [
    "MarkovianObjective",
    "MarkovianOperator",
    "MarkovianProblem",
    "centred_values",
    "noise_around",
    "smallest_delta",
    "smallest_sigma",
]

# Relative size below which an eigenvalue is a zero that round-off has moved.
_ZERO = 1e-10


class MarkovianProblem(abc.ABC):
    r"""An affine operator F(x) = E_pi F(x, Z), seen through F(., Z_i) along one chain.

    F(x, z) = A_z x - b_z for z in 0, ..., K-1, with x of shape (d,). The oracle's noise satisfies,
    uniformly in z,

        |F(x, z) - F(x)|^2 <= sigma^2 + delta^2 |F(x)|^2       (an objective, F = grad f),
        |F(x, z) - F(x)|^2 <= sigma^2 + Delta^2 |x - x*|^2      (a variational inequality),

    with the smallest factor for which any sigma exists (or a larger one that was asked for) and
    the smallest sigma for that factor. `constants` holds L, mu, sigma, delta or Delta, and the
    chain's tau; `certify()` re-derives all of them from the derivatives of `operator` and
    `sample_operator`.

    A concrete problem is a frozen dataclass and a pytree.

    References:
        Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, arXiv 2305.15938.
    """

    chain: MarkovChain

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The dimension d."""

    @property
    @abc.abstractmethod
    def solution(self) -> np.ndarray:
        """The zero x* of F, shape (d,), float64; the shortest one where it is not unique."""

    @abc.abstractmethod
    def operator(self, x: jax.Array) -> jax.Array:
        """F(x).

        Args:
            x: shape (d,).

        Returns:
            Shape (d,).
        """

    @abc.abstractmethod
    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        """F(x, z), in the form (parameters, sample) that estimators over a trajectory ask for.

        Args:
            x: shape (d,).
            state: z, an integer scalar in [0, K).

        Returns:
            Shape (d,).
        """

    @functools.cached_property
    @abc.abstractmethod
    def constants(self) -> dict[str, Constant]:
        """The constants, computed once on the host in float64."""

    @property
    @abc.abstractmethod
    def noise_factor(self) -> str:
        """The name of the noise's factor among the constants: "delta" or "Delta"."""

    @abc.abstractmethod
    def _noise_reference(self, jacobian: np.ndarray) -> np.ndarray:
        """R such that the noise is measured against |R (x - x*)|."""

    @abc.abstractmethod
    def _rederived_modulus(self, jacobian: np.ndarray) -> float:
        """mu, from the Jacobian of F."""

    def affine_form(self) -> tuple[np.ndarray, np.ndarray]:
        """A_z and b_z with F(x, z) = A_z x - b_z, from the derivatives of `sample_operator`.

        Returns:
            float64 arrays of shapes (K, d, d) and (K, d).

        Raises:
            RuntimeError: if float64 is not enabled.

        Example:
            >>> import jax
            >>> from optzoo.problems import additive_noise_quadratic, two_state_switch
            >>> problem = additive_noise_quadratic(two_state_switch(0.1), [2.0], sigma=3.0)
            >>> with jax.enable_x64(True):
            ...     matrices, offsets = problem.affine_form()
            >>> matrices.ravel().tolist(), offsets.ravel().tolist()
            ([2.0, 2.0], [-3.0, 3.0])
        """
        require_float64("affine_form")
        matrices, values = _sample_expansion(self, jnp.zeros(self.dim))
        return np.array(matrices, dtype=np.float64), -np.array(values, dtype=np.float64)

    def certify(self) -> None:
        """Re-derive the constants, the solution and the noise assumption by another route.

        The chain certifies itself. Then, from the derivatives of what is shipped: E_pi F(., Z) = F;
        F(x*) = 0; L and mu from the spectrum of the Jacobian; the noise assumption as positive
        semi-definite quadratic forms in (x - x*, 1), one for each z, of which one must be singular
        unless the constants say that they are only bounds.

        Raises:
            CertificateError: if a stated number disagrees; it names it.
            RuntimeError: if float64 is not enabled.

        Example:
            >>> import jax
            >>> from optzoo.problems import multiplicative_noise_quadratic, two_state_switch
            >>> problem = multiplicative_noise_quadratic(two_state_switch(0.1), [1.0, 9.0], 2.0)
            >>> with jax.enable_x64(True):
            ...     problem.certify()
        """
        self.chain.certify()
        matrices, offsets = self.affine_form()
        law = host(self.chain.stationary)
        slope, value = _mean_expansion(self, jnp.zeros(self.dim))
        jacobian, constant = np.asarray(slope), -np.asarray(value)
        scale = 1.0 + np.abs(matrices).max() + np.abs(offsets).max()
        self._require(
            "the mean of F(., Z)", np.tensordot(law, matrices, 1), jacobian, 1e-10 * scale
        )
        self._require("the mean of F(0, Z)", np.tensordot(law, offsets, 1), constant, 1e-10 * scale)
        residual = jacobian @ self.solution - constant
        self._require("F(x*)", residual, np.zeros(self.dim), 1e-8 * scale)
        stated = {name: constant.value for name, constant in self.constants.items()}
        derived = {
            "L": float(np.linalg.norm(jacobian, 2)),
            "mu": self._rederived_modulus(jacobian),
            "tau": float(self.chain.mixing_time),
        }
        for name, number in derived.items():
            self._require(name, stated[name], number, 1e-8 * (derived["L"] + (name == "tau")))
        self._certify_noise(*noise_around(matrices, offsets, law, self.solution), jacobian)

    def _certify_noise(
        self, slopes: np.ndarray, at_solution: np.ndarray, jacobian: np.ndarray
    ) -> None:
        name, reference = self.noise_factor, self._noise_reference(jacobian)
        factor, sigma = self.constants[name].value, self.constants["sigma"].value
        forms = np.zeros((len(slopes), self.dim + 1, self.dim + 1))
        for form, slope, value in zip(forms, slopes, at_solution, strict=True):
            joint = np.column_stack([slope, value])
            form[:-1, :-1] = factor**2 * reference.T @ reference
            form[-1, -1] = sigma**2
            form -= joint.T @ joint
        size = max(np.abs(forms).max(), sigma**2, factor**2 * np.abs(reference).max() ** 2, 1e-30)
        lowest = float(np.linalg.eigvalsh(forms)[:, 0].min())
        if lowest < -1e-9 * size:
            raise CertificateError(
                f"{type(self).__name__}: the noise assumption fails with sigma = {sigma!r} and"
                f" {name} = {factor!r}: a quadratic form has the eigenvalue {lowest!r}"
            )
        if self.constants["sigma"].how == "exact":
            least = smallest_sigma(slopes, at_solution, reference, factor)
            self._require("sigma", sigma, least, 1e-6 * np.sqrt(size))
        if self.constants[name].how == "exact":
            least = smallest_delta(slopes, reference)
            self._require(name, factor, least, 1e-8 * max(factor, 1.0))

    def _require(
        self, name: str, stated: HostArrayLike, derived: HostArrayLike, tolerance: float
    ) -> None:
        if not np.abs(np.subtract(stated, derived, dtype=np.float64)).max() <= tolerance:
            raise CertificateError(
                f"{type(self).__name__}: {name} is stated as {stated!r} and re-derived as"
                f" {derived!r}"
            )


class MarkovianObjective(MarkovianProblem):
    r"""min f with grad f = F symmetric: L-smooth and mu-Polyak-Lojasiewicz.

    mu is the smallest non-zero eigenvalue of the Hessian; f is mu-strongly convex exactly where
    `strongly_convex` holds. The noise is measured against the gradient, by "delta".
    """

    @property
    @abc.abstractmethod
    def optimum(self) -> float:
        """f* = f(x*)."""

    @property
    @abc.abstractmethod
    def strongly_convex(self) -> bool:
        """Whether the Hessian is positive definite."""

    @abc.abstractmethod
    def value(self, x: jax.Array) -> jax.Array:
        """f(x).

        Args:
            x: shape (d,).

        Returns:
            A scalar.
        """

    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient of f at x, F(x).

        Args:
            x: shape (d,).

        Returns:
            Shape (d,).
        """
        return self.operator(x)

    def sample_gradient(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        """The gradient F(x, z) that the chain in state z shows: `grad_fn(params, sample)`.

        Args:
            x: shape (d,).
            state: z, an integer scalar in [0, K).

        Returns:
            Shape (d,).
        """
        return self.sample_operator(x, state)

    def certify(self) -> None:
        """As for every problem; moreover F is the gradient of `value`, and f(x*) = f*.

        Raises:
            CertificateError: if a stated number disagrees; it names it.
            RuntimeError: if float64 is not enabled.
        """
        super().certify()
        best = jnp.asarray(self.solution)
        jacobian = np.asarray(_mean_expansion(self, jnp.zeros(self.dim))[0])
        value, gradient, hessian = _value_expansion(self, best)
        scale = 1.0 + np.abs(jacobian).max()
        self._require("the Hessian of f", jacobian, np.asarray(hessian), 1e-10 * scale)
        at_best = np.asarray(gradient)
        self._require("the gradient of f at x*", at_best, np.zeros(self.dim), 1e-8 * scale)
        self._require("f*", self.optimum, float(value), 1e-8 * (1 + abs(self.optimum)))
        rank = int(np.linalg.matrix_rank(jacobian, tol=_ZERO * scale, hermitian=True))
        self._require("strong convexity", self.strongly_convex, rank == self.dim, 0.5)

    @property
    def noise_factor(self) -> str:
        """The name of the noise's factor, "delta"."""
        return "delta"

    def _noise_reference(self, jacobian: np.ndarray) -> np.ndarray:
        return jacobian

    def _rederived_modulus(self, jacobian: np.ndarray) -> float:
        singular = np.linalg.svd(jacobian, compute_uv=False)
        return float(singular[singular > _ZERO * singular[0]].min())


class MarkovianOperator(MarkovianProblem):
    r"""Find x* with F(x*) = 0 for an L-Lipschitz, mu-strongly monotone F (a VI without constraint).

    The noise is measured against the distance to the solution, by "Delta".
    """

    @property
    def noise_factor(self) -> str:
        """The name of the noise's factor, "Delta"."""
        return "Delta"

    def _noise_reference(self, jacobian: np.ndarray) -> np.ndarray:
        return np.eye(len(jacobian))

    def _rederived_modulus(self, jacobian: np.ndarray) -> float:
        # The smallest eigenvalue of the symmetric part, read off as a norm of the shifted matrix.
        symmetric = (jacobian + jacobian.T) / 2
        shift = np.linalg.norm(symmetric, 2)
        return float(shift - np.linalg.norm(shift * np.eye(len(jacobian)) - symmetric, 2))


@jax.jit
def _sample_expansion(problem: MarkovianProblem, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Jacobians and values of F(., z) at x, for every z."""
    states = jnp.arange(problem.chain.num_states)
    slopes = jax.vmap(jax.jacfwd(problem.sample_operator), (None, 0))(x, states)
    return slopes, jax.vmap(problem.sample_operator, (None, 0))(x, states)


@jax.jit
def _mean_expansion(problem: MarkovianProblem, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Jacobian and value of F at x."""
    return jax.jacfwd(problem.operator)(x), problem.operator(x)


@jax.jit
def _value_expansion(
    problem: MarkovianObjective, x: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Value, gradient and Hessian of f at x."""
    return problem.value(x), jax.grad(problem.value)(x), jax.hessian(problem.value)(x)


def noise_around(
    matrices: np.ndarray, offsets: np.ndarray, law: np.ndarray, solution: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""The noise F(x, z) - F(x) = N_z (x - x*) + n_z of an affine oracle F(x, z) = A_z x - b_z.

    Args:
        matrices: A_z, shape (K, d, d).
        offsets: b_z, shape (K, d).
        law: the stationary law, shape (K,).
        solution: x*, shape (d,).

    Returns:
        N_z, shape (K, d, d), and n_z, shape (K, d); entries of the size of round-off are 0, since
        round-off points in directions that mean nothing.

    Example:
        >>> import numpy as np
        >>> slopes, values = noise_around(
        ...     np.ones((2, 1, 1)), np.array([[1.0], [-1.0]]), np.array([0.5, 0.5]), np.zeros(1))
        >>> slopes.ravel().tolist(), values.ravel().tolist()
        ([0.0, 0.0], [-1.0, 1.0])
    """
    slopes = matrices - np.tensordot(law, matrices, 1)
    slopes[np.abs(slopes) <= 1e-12 * np.abs(matrices).max()] = 0.0
    values = slopes @ solution + law @ offsets - offsets
    size = np.abs(offsets).max() + np.abs(matrices).max() * np.abs(solution).max()
    values[np.abs(values) <= 1e-12 * size] = 0.0
    return slopes, values


def smallest_delta(slopes: np.ndarray, reference: np.ndarray) -> float:
    r"""The smallest delta with |N_z u| <= delta |R u| for all u and z.

    A smaller one is refuted far away from the solution, whatever sigma is.

    Args:
        slopes: N_z, shape (K, d, d).
        reference: R, shape (d, d): the Jacobian of the operator, or the identity.

    Returns:
        max_z |N_z R^+| in the spectral norm.

    Raises:
        ValueError: if some N_z does not vanish where R does: then no delta is large enough.

    Example:
        >>> import numpy as np
        >>> smallest_delta(np.array([[[3.0]], [[-3.0]]]), np.array([[2.0]]))
        1.5
    """
    inverse = np.linalg.pinv(reference, rcond=_ZERO)
    outside = np.eye(len(reference)) - inverse @ reference
    if np.abs(slopes @ outside).max() > 1e-8 * max(np.abs(slopes).max(), 1e-300):
        raise ValueError(
            "the noise assumption fails for every delta: the oracle's slope depends on the chain in"
            " directions in which the mean operator is constant, so that the noise grows without"
            " bound while |F(x)| stays the same"
        )
    return float(max(np.linalg.norm(slope @ inverse, 2) for slope in slopes))


def smallest_sigma(
    slopes: np.ndarray, values: np.ndarray, reference: np.ndarray, delta: float
) -> float:
    r"""The smallest sigma with |N_z u + n_z|^2 <= sigma^2 + delta^2 |R u|^2 for all u and z.

    For one z it is |n|^2 + n'N (delta^2 R'R - N'N)^+ N'n, if the matrix in brackets is positive
    semi-definite and its range contains N'n; otherwise no sigma exists.

    Args:
        slopes: N_z, shape (K, d, d).
        values: n_z, the noise at the solution, shape (K, d).
        reference: R, shape (d, d): the Jacobian of the operator, or the identity.
        delta: the factor, at least 0.

    Returns:
        sigma >= 0.

    Raises:
        ValueError: if no sigma exists for this delta; it says which delta would do.

    Example:
        >>> import numpy as np
        >>> slopes, values = np.array([[[1.0]]]), np.array([[1.0]])
        >>> round(smallest_sigma(slopes, values, np.eye(1), delta=2**0.5) ** 2, 12)
        2.0

    References:
        Boyd, Vandenberghe, Convex Optimization, A.5.5 (the Schur complement).
    """
    check_scalar("delta", delta, at_least=0.0)
    least = smallest_delta(slopes, reference)
    worst = 0.0
    for state, (slope, value) in enumerate(zip(slopes, values, strict=True)):
        gram = slope.T @ slope
        eigenvalues, vectors = np.linalg.eigh(delta**2 * reference.T @ reference - gram)
        # The larger of the two parts sets the round-off, not their difference.
        zero = _ZERO * max(delta**2 * np.linalg.norm(reference, 2) ** 2, np.linalg.norm(gram, 2))
        cross = vectors.T @ (slope.T @ value)
        flat = eigenvalues <= zero
        misfit = np.abs(cross[flat]).max(initial=0.0)
        if eigenvalues[0] < -zero:
            raise ValueError(
                f"the noise assumption fails at chain state {state}: far away the noise outgrows"
                f" delta |F(x)| for delta = {delta:g}; the smallest delta possible is {least:g}"
            )
        if misfit > 1e-8 * np.linalg.norm(slope, 2) * np.linalg.norm(value):
            raise ValueError(
                f"the noise assumption fails at chain state {state}: for delta = {delta:g} the"
                " noise at the solution is correlated with its slope along a direction in which"
                f" delta leaves no room; any delta larger than {least:g} will do"
            )
        worst = max(worst, float(value @ value + (cross[~flat] ** 2 / eigenvalues[~flat]).sum()))
    return float(np.sqrt(worst))


def centred_values(chain: MarkovChain, values: HostArrayLike | None = None) -> np.ndarray:
    """Values on the chain's states with stationary mean zero and largest modulus one.

    Args:
        chain: the chain, K >= 2 states.
        values: shape (K,), not constant; None takes cos(2 pi z / K), which is +1, -1 on two states
            and the slowest eigenfunction of the symmetric ring.

    Returns:
        float64, shape (K,).

    Raises:
        ValueError: if `values` has the wrong shape or is constant.

    Example:
        >>> from optzoo.problems import lazy_resample
        >>> centred_values(lazy_resample([0.25, 0.75], 0.1)).round(9).tolist()
        [1.0, -0.333333333]
    """
    size = chain.num_states
    raw = np.cos(2 * np.pi * np.arange(size) / size) if values is None else host(values)
    if raw.shape != (size,):
        raise ValueError(f"values must have shape ({size},), got {raw.shape}")
    law = host(chain.stationary)
    centred = raw - law @ raw
    centred = centred - law @ centred  # what round-off has left of the mean
    largest = np.abs(centred).max()
    if not largest > 1e-12 * np.abs(raw).max():
        raise ValueError("values must not be constant: the oracle would have no noise")
    return centred / largest
