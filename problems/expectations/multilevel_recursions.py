# SPDX-License-Identifier: Apache-2.0
"""Exact first and second moments of linear methods driven by multilevel Markovian gradients."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .._arguments import check_scalar, host
from ..markov.markovian_noise import MarkovianProblem
from .multilevel_moments import PathMoments, multilevel_moments

__all__ = [
    "LinearMethodMoments",
    "MethodMoments",
    "accelerated_gd_moments",
    "extragradient_moments",
    "randomized_gd_moments",
]

# The one-step matrix on second moments is dense: 4096^2 entries are 128 MiB.
_LARGEST = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class MethodMoments:
    """Moments of the errors y - x* of a method's points, conditional on where the chain started.

    Args:
        mean: E[y - x*] of each point, by name, shape (checkpoints, starts, d).
        second: E[(y - x*)(y - x*)'] of each point, by name, shape (checkpoints, starts, d, d).

    Example:
        >>> import numpy as np
        >>> moments = MethodMoments({"x": np.ones((1, 1, 2))}, {"x": np.ones((1, 1, 2, 2))})
        >>> moments.squared_distance().tolist()
        [[2.0]]
    """

    mean: dict[str, np.ndarray]
    second: dict[str, np.ndarray]

    def squared_distance(self, point: str = "x") -> np.ndarray:
        """E |y - x*|^2.

        Args:
            point: the name of the point.

        Returns:
            Shape (checkpoints, starts).
        """
        return np.trace(self.second[point], axis1=-2, axis2=-1)

    def quadratic(self, form: np.ndarray, point: str = "x") -> np.ndarray:
        """E (y - x*)' M (y - x*): with M = H/2 the gap E f(y) - f*, with M = H'H E |grad f(y)|^2.

        Args:
            form: M, shape (d, d).
            point: the name of the point.

        Returns:
            Shape (checkpoints, starts).
        """
        return np.einsum("...ij,ij->...", self.second[point], form)


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMethodMoments:
    r"""A linear method on an affine problem: the exact recursion of its moments.

    One iteration is a sequence of phases y -> keep y + gain g(point y) on the stacked points
    y = (points - x*, 1), where g is a multilevel estimator of the problem's operator that continues
    the trajectory. With the chain's state carried along, E[y y'; Z = z] obeys a linear recursion of
    size K (points d + 1)^2, whose matrix is built once.

    Args:
        names: names of the points.
        solution: x*, shape (d,).
        matrix: the recursion on the vectors of E[y y'; Z = z], one iteration.
        num_states: K.

    Example:
        >>> import jax
        >>> from optzoo.problems import additive_noise_quadratic, two_state_switch
        >>> from optzoo.problems import randomized_gd_moments
        >>> problem = additive_noise_quadratic(two_state_switch(0.05), [1.0], sigma=1.0)
        >>> with jax.enable_x64(True):
        ...     method = randomized_gd_moments(problem, 0.1, batch_size=14, max_level=3)
        >>> method.run([5.0], checkpoints=[0, 100]).squared_distance().shape
        (2, 2)
    """

    names: tuple[str, ...]
    solution: np.ndarray
    matrix: np.ndarray
    num_states: int

    def run(
        self,
        initial: ArrayLike | Mapping[str, ArrayLike],
        checkpoints: Sequence[int],
        start_laws: ArrayLike | None = None,
    ) -> MethodMoments:
        """Moments after the given numbers of iterations.

        Args:
            initial: where all points start, shape (d,), or a start for each name.
            checkpoints: increasing numbers of iterations, at least 0.
            start_laws: laws of the chain's state before the first sample, shape (starts, K); None
                starts in each of the K states.

        Returns:
            The moments, of shapes (checkpoints, starts, ...).

        Raises:
            ValueError: if a shape is wrong or `checkpoints` do not increase.
        """
        counts = list(checkpoints)
        if not counts or counts[0] < 0 or any(b <= a for a, b in itertools.pairwise(counts)):
            raise ValueError(f"checkpoints must be increasing and at least 0, got {counts}")
        laws = np.eye(self.num_states) if start_laws is None else host(start_laws)
        if laws.ndim != 2 or laws.shape[1] != self.num_states:
            raise ValueError(
                f"start_laws must have shape (starts, {self.num_states}), got {laws.shape}"
            )
        stacked = self._stack(initial)
        outer = np.outer(stacked, stacked).ravel()
        columns = np.einsum("sz,i->zis", laws, outer).reshape(-1, len(laws))
        kept, done = [], 0
        for count in counts:
            for _ in range(count - done):
                columns = self.matrix @ columns
            done = count
            kept.append(columns)
        return self._unstack(np.stack(kept))

    def limit(self) -> MethodMoments:
        """The stationary moments, one checkpoint and one start (they no longer depend on it).

        Returns:
            The moments, of shapes (1, 1, ...).

        Raises:
            ValueError: if the method does not contract in mean square.
        """
        factor = self.mean_square_factor()
        if not factor < 1.0:
            raise ValueError(
                f"the method does not contract in mean square: {factor:g} an iteration"
            )
        size = len(self.matrix)
        # The fixed point of total mass one: the last entry of each block is P(Z = z).
        width = self._width
        mass = np.zeros(size)
        mass[width**2 - 1 :: width**2] = 1.0
        system = np.vstack([np.eye(size) - self.matrix, mass])
        right = np.append(np.zeros(size), 1.0)
        fixed = np.linalg.lstsq(system, right, rcond=None)[0]
        return self._unstack(fixed[None, :, None])

    def mean_square_factor(self) -> float:
        """The factor by which E |y - x*|^2 shrinks an iteration in the long run, without noise.

        Returns:
            The spectral radius of the recursion of E[y y'; Z = z] with the noise at x* removed; the
            method is stable in mean square exactly where it is below 1.
        """
        width, states = self._width, self.num_states
        blocks = self.matrix.reshape(states, width, width, states, width, width)
        errors = blocks[:, :-1, :-1, :, :-1, :-1]
        size = states * (width - 1) ** 2
        return float(np.abs(np.linalg.eigvals(errors.reshape(size, size))).max())

    @property
    def _width(self) -> int:
        return len(self.names) * len(self.solution) + 1

    def _stack(self, initial: ArrayLike | Mapping[str, ArrayLike]) -> np.ndarray:
        starts = initial if isinstance(initial, Mapping) else dict.fromkeys(self.names, initial)
        if set(starts) != set(self.names):
            raise ValueError(f"initial must have the keys {self.names}, got {tuple(starts)}")
        errors = []
        for name in self.names:
            point = host(starts[name])
            if point.shape != self.solution.shape:
                raise ValueError(
                    f"initial must have shape {self.solution.shape}, got {point.shape}"
                )
            errors.append(point - self.solution)
        return np.append(np.concatenate(errors), 1.0)

    def _unstack(self, columns: np.ndarray) -> MethodMoments:
        width, d = self._width, len(self.solution)
        blocks = columns.reshape(len(columns), self.num_states, width, width, -1).sum(axis=1)
        blocks = np.moveaxis(blocks, -1, 1)
        parts = {name: slice(i * d, (i + 1) * d) for i, name in enumerate(self.names)}
        return MethodMoments(
            {name: blocks[:, :, part, -1] for name, part in parts.items()},
            {name: blocks[:, :, part, part] for name, part in parts.items()},
        )


def randomized_gd_moments(
    problem: MarkovianProblem, learning_rate: float, *, batch_size: int, max_level: int
) -> LinearMethodMoments:
    r"""x^{k+1} = x^k - gamma g^k, the multilevel estimator at x^k.

    Args:
        problem: an affine problem of small dimension.
        learning_rate: gamma > 0.
        batch_size: B >= 1.
        max_level: m >= 0; 0 is the plain batch.

    Returns:
        The recursion of the moments of "x".

    Raises:
        ValueError: if a number is out of range or the recursion is too large.
        RuntimeError: if float64 is not enabled.

    Example:
        >>> import jax
        >>> from optzoo.problems import multiplicative_noise_quadratic, two_state_switch
        >>> from optzoo.problems import randomized_gd_moments
        >>> problem = multiplicative_noise_quadratic(two_state_switch(0.05), [1.0], delta=2.0)
        >>> with jax.enable_x64(True):
        ...     method = randomized_gd_moments(problem, 0.02, batch_size=1, max_level=0)
        >>> method.mean_square_factor() > 1  # the oracle points uphill for tau steps at a time
        True

    References:
        arXiv 2305.15938, Algorithm 2.
    """
    check_scalar("learning_rate", learning_rate, positive=True)
    estimator = _Estimator(problem, batch_size, max_level)
    d = problem.dim
    identity = np.eye(d)
    phase = estimator.phase(_with_one(identity), -learning_rate * identity, identity)
    return LinearMethodMoments(("x",), problem.solution, phase, problem.chain.num_states)


def accelerated_gd_moments(
    problem: MarkovianProblem,
    learning_rate: float,
    strong_convexity: float,
    *,
    batch_size: int,
    max_level: int,
    momentum_scale: float = 1.0,
) -> LinearMethodMoments:
    r"""Randomized accelerated gradient descent, the estimator at x_g.

    With beta = sqrt(4 p^2 mu gamma / 3), eta = sqrt(3 / (mu gamma)) and
    theta = (p/eta - 1) / (beta p/eta - 1):

        x_g     = theta x_f + (1 - theta) x
        x_f^+   = x_g - p gamma g
        x^+     = eta x_f^+ + (p - eta) x_f + (1 - p)(1 - beta) x + (1 - p) beta x_g.

    Args:
        problem: an affine problem of small dimension.
        learning_rate: gamma > 0.
        strong_convexity: mu > 0.
        batch_size: B >= 1.
        max_level: m >= 0; 0 is the plain batch.
        momentum_scale: p in (0, 1].

    Returns:
        The recursion of the moments of "x" and "x_f".

    Raises:
        ValueError: if a number is out of range or the recursion is too large.
        RuntimeError: if float64 is not enabled.

    Example:
        >>> import jax
        >>> from optzoo.problems import accelerated_gd_moments, additive_noise_quadratic
        >>> from optzoo.problems import two_state_switch
        >>> problem = additive_noise_quadratic(two_state_switch(0.05), [0.01, 1.0], sigma=1.0)
        >>> with jax.enable_x64(True):
        ...     method = accelerated_gd_moments(problem, 0.75, 0.01, batch_size=14, max_level=3)
        >>> sorted(method.limit().second)
        ['x', 'x_f']

    References:
        arXiv 2305.15938, Algorithm 1.
    """
    check_scalar("learning_rate", learning_rate, positive=True)
    check_scalar("strong_convexity", strong_convexity, positive=True)
    check_scalar("momentum_scale", momentum_scale, positive=True, at_most=1.0)
    p = momentum_scale
    beta = np.sqrt(4.0 * p**2 * strong_convexity * learning_rate / 3.0)
    eta = np.sqrt(3.0 / (strong_convexity * learning_rate))
    theta = (p / eta - 1.0) / (beta * p / eta - 1.0)
    # Rows and columns: (x, x_f); every block is a multiple of the identity.
    point = np.array([1.0 - theta, theta])
    averaged = eta * point + np.array([(1.0 - p) * (1.0 - beta), p - eta])
    averaged += (1.0 - p) * beta * point
    identity = np.eye(problem.dim)
    gain = np.array([[-eta * p * learning_rate], [-p * learning_rate]])
    phase = _Estimator(problem, batch_size, max_level).phase(
        _with_one(np.kron(np.stack([averaged, point]), identity)),
        np.kron(gain, identity),
        np.kron(point[None], identity),
    )
    return LinearMethodMoments(("x", "x_f"), problem.solution, phase, problem.chain.num_states)


def extragradient_moments(
    problem: MarkovianProblem,
    learning_rate: float,
    *,
    first_batch_size: int,
    batch_size: int,
    max_level: int,
) -> LinearMethodMoments:
    r"""Randomized extragradient without constraint: a plain batch, then a multilevel estimator.

    x^{k+1/2} = x^k - gamma g^k with the plain batch at x^k; x^{k+1} = x^k - gamma g^{k+1/2} with
    the multilevel estimator at x^{k+1/2}, on the samples that follow.

    Args:
        problem: an affine problem of small dimension.
        learning_rate: gamma > 0.
        first_batch_size: the plain batch, at least 1.
        batch_size: B >= 1.
        max_level: m >= 0.

    Returns:
        The recursion of the moments of "x" and of "x_half", the point of the second gradient of the
        iteration before (before the first iteration, of whatever it was started at).

    Raises:
        ValueError: if a number is out of range or the recursion is too large.
        RuntimeError: if float64 is not enabled.

    Example:
        >>> import jax
        >>> from optzoo.problems import extragradient_moments, rotation_operator, two_state_switch
        >>> problem = rotation_operator(two_state_switch(0.05), 1.0, [3.0], sigma=1.0)
        >>> with jax.enable_x64(True):
        ...     method = extragradient_moments(
        ...         problem, 0.1, first_batch_size=14, batch_size=14, max_level=2)
        >>> method.run([1.0, 1.0, 1.0], checkpoints=[10]).squared_distance("x").shape
        (1, 2)

    References:
        arXiv 2305.15938, Algorithm 3.
    """
    check_scalar("learning_rate", learning_rate, positive=True)
    identity, zero = np.eye(problem.dim), np.zeros((problem.dim, problem.dim))
    # Rows and columns: (x, x_half).
    copied = _with_one(np.block([[identity, zero], [identity, zero]]))
    first = _Estimator(problem, first_batch_size, 0).phase(
        copied,
        np.vstack([zero, -learning_rate * identity]),
        np.hstack([identity, zero]),
    )
    second = _Estimator(problem, batch_size, max_level).phase(
        np.eye(2 * problem.dim + 1),
        np.vstack([-learning_rate * identity, zero]),
        np.hstack([zero, identity]),
    )
    matrix = second @ first
    return LinearMethodMoments(("x", "x_half"), problem.solution, matrix, problem.chain.num_states)


class _Estimator:
    """The estimator g(u) = A u + sum_r S_r N_r (u, 1) at u = x - x*, with the moments of S."""

    def __init__(self, problem: MarkovianProblem, batch_size: int, max_level: int) -> None:
        matrices, offsets = problem.affine_form()
        states, d = offsets.shape
        law = host(problem.chain.stationary)
        at_solution = np.einsum("zij,j->zi", matrices, problem.solution) - offsets
        joint = np.concatenate([matrices, at_solution[:, :, None]], axis=2)
        mean = np.tensordot(law, joint, 1)
        # Few directions carry the noise: h(z) has as many components as this matrix has rank.
        left, sizes, right = np.linalg.svd((joint - mean).reshape(states, -1), full_matrices=False)
        rank = max(1, int((sizes > 1e-14 * max(np.abs(joint).max(), 1e-300)).sum()))
        self.mean = mean
        self.mean[:, -1] = 0.0  # F(x*) = 0
        self.modes = right[:rank].reshape(rank, d, d + 1)
        self.moments: PathMoments = multilevel_moments(
            problem.chain, left[:, :rank] * sizes[:rank], batch_size, max_level
        )

    def phase(self, keep: np.ndarray, gain: np.ndarray, point: np.ndarray) -> np.ndarray:
        """The matrix that takes all E[y y'; Z = z] through y -> keep y + gain g(point y)."""
        width, (probability, first, second) = len(keep), self.moments
        states = len(probability)
        size = states * width**2
        if size > _LARGEST:
            raise ValueError(
                f"the recursion has {size} entries, K (points d + 1)^2 with K = {states}; at most"
                f" {_LARGEST} are kept: take a smaller dimension or chain"
            )
        reading = np.zeros((point.shape[0] + 1, width))
        reading[:-1, :-1], reading[-1, -1] = point, 1.0
        injection = np.zeros((width, gain.shape[1]))
        injection[:-1] = gain
        mean = keep + injection @ self.mean @ reading
        modes = injection @ self.modes @ reading
        # E[T M T'; z -> z'] for T = mean + sum_r S_r modes_r, as a matrix from (z, k, l).
        total = np.einsum("zw,ik,jl->wijzkl", probability, mean, mean, optimize=True)
        total += np.einsum("rzw,rik,jl->wijzkl", first, modes, mean, optimize=True)
        total += np.einsum("rzw,ik,rjl->wijzkl", first, mean, modes, optimize=True)
        total += np.einsum("rszw,rik,sjl->wijzkl", second, modes, modes, optimize=True)
        return total.reshape(size, size)


def _with_one(keep: np.ndarray) -> np.ndarray:
    """The map on (points, 1) that keeps the 1."""
    width = len(keep) + 1
    extended = np.zeros((width, width))
    extended[:-1, :-1], extended[-1, -1] = keep, 1.0
    return extended
