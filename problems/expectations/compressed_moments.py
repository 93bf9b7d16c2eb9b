# SPDX-License-Identifier: Apache-2.0
r"""Exact second moments of Three Pillars on affine problems: no sampling, no enumeration.

With w = (z - z*, m - z*) and a solution u of the sub-problem, exact or by H steps of extragradient
from z, a step is linear in w but for the messages, so that E w w' follows a linear recursion:

    uhat - z* = R ((1 - tau) (z - z*) + (tau - gamma G) (m - z*)),  R = (I + gamma A_1)^{-1}
    u - uhat  = P^H (z - uhat),   P = I - eta M (I - eta M),  M = A_1 + I / gamma
    z^+    = u + gamma xi,    E xi = G (m - u),    G = A - A_1
    m^+    = z with probability p, else m.

E xi xi' for given (m - u)(m - u)' is what a compressor decides.

References:
  Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of efficient
  communications for distributed variational inequalities", NeurIPS 2023, arXiv:2302.07615.
  Szlendak, Tyurin, Richtarik, "Permutation compressors for provably faster distributed nonconvex
  optimization", ICLR 2022, arXiv:2110.03300.
"""

import dataclasses
import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._arguments import check_scalar, check_size, host
from ..distributed.affine_operators import AffineOperators

__all__ = ["CompressedMoments", "Messages"]

Array = NDArray[np.float64]
Scheme = Literal[
    "none", "clients", "permuted_blocks", "rotated_blocks", "coordinates", "raw_coordinates"
]


@dataclasses.dataclass(frozen=True)
class Messages:
    r"""How the n workers' vectors are compressed, by what it does to second moments.

    Args:
        scheme: "none"; "clients", the average of b uniform workers' whole vectors;
            "permuted_blocks", each coordinate from one worker by a uniform permutation, and
            "rotated_blocks", by a uniform shift of contiguous blocks (n must divide d);
            "coordinates", K uniform coordinates of each worker, independently;
            "raw_coordinates", the same of F_i(m) - F_i(u) without the server's part.
        number: b or K; unused by the other schemes.

    Example:
        >>> Messages("clients", 2).number
        2
    """

    scheme: Scheme
    number: int = 1

    def second_moment(self, differences: Array, outer: Array, server: Array) -> Array:
        """E xi xi' where the workers hold D_i e with e e' averaging to `outer`.

        Args:
            differences: D_i = A_i - A_1, shape (n, d, d).
            outer: E e e', shape (d, d).
            server: A_1, shape (d, d).

        Returns:
            Shape (d, d).
        """
        n, d = differences.shape[:2]
        mean = differences.mean(axis=0)
        of_mean = mean @ outer @ mean.T
        if self.scheme == "none":
            return of_mean
        if self.scheme == "rotated_blocks":
            owners = (np.arange(n)[:, None] + np.repeat(np.arange(n), d // n)) % n
            mixed = differences[owners, np.arange(d)]
            return np.einsum("sab,bc,sdc->ad", mixed, outer, mixed, optimize=True) / n
        raw = self.scheme == "raw_coordinates"
        held = differences + server if raw else differences
        products = held @ outer @ np.swapaxes(held, 1, 2)
        average = products.mean(axis=0)
        if self.scheme == "clients":
            return average / self.number + (1 - 1 / self.number) * of_mean
        if self.scheme == "permuted_blocks":
            together = (d // n - 1) / (d - 1) if d > 1 else 0.0
            apart = (n * of_mean - average) / (n - 1)
            return _with_diagonal(together * average + (1 - together) * apart, average)
        k = self.number
        kept = (k - 1) / (d - 1) if d > 1 else 0.0
        single = d / k * _with_diagonal(kept * average, average)
        return of_mean + (single - average) / n

    def constants(self, dim: int, num_workers: int) -> tuple[float, float]:
        """A and B of E|xi|^2 = A (1/n) sum |a_i|^2 + (1 - B) |abar|^2; not for the raw scheme."""
        if self.scheme == "none":
            return 0.0, 0.0
        if self.scheme == "clients":
            return 1 / self.number, 1 / self.number
        if self.scheme in ("permuted_blocks", "rotated_blocks"):
            return 1.0, 1.0
        return (dim / self.number - 1) / num_workers, 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class CompressedMoments:
    r"""The recursion of E w w' on one affine problem over R^d.

    Args:
        problem: its matrices are what counts.
        gamma: the step size.
        momentum: tau.
        refresh_probability: p.
        messages: the compressor.
        local_steps: H; an exact solution of the sub-problem if None.
        local_step: eta, of those steps.

    Raises:
        ValueError: if a number is out of range, the problem is constrained, or local steps have no
            length.

    Example:
        >>> from optzoo.problems import bilinear_saddle
        >>> problem = bilinear_saddle(4, 2, strong_monotonicity=1.0, similarity=1.0)
        >>> moments = CompressedMoments(problem, 0.25, 0.25, 0.25, Messages("permuted_blocks"))
        >>> bool(moments.rate() < 1)
        True
    """

    problem: AffineOperators
    gamma: float
    momentum: float
    refresh_probability: float
    messages: Messages
    local_steps: int | None = None
    local_step: float | None = None

    def __post_init__(self) -> None:
        check_scalar("gamma", self.gamma, positive=True)
        if (self.local_steps is None) != (self.local_step is None):
            raise ValueError(
                "local_steps and local_step belong together, got "
                f"{self.local_steps!r} and {self.local_step!r}"
            )
        if self.local_steps is not None:
            check_size("local_steps", self.local_steps)
            check_scalar("local_step", self.local_step, positive=True)
        for name in ("momentum", "refresh_probability"):
            check_scalar(name, getattr(self, name), at_least=0.0, at_most=1.0)
        if self.problem.radius is not None:
            raise ValueError("problem must be unconstrained: a projection is not linear")

    @functools.cached_property
    def _maps(self) -> tuple[Array, Array, Array, Array]:
        """A_1, D_i, and u - z* and m - u as matrices on w."""
        matrices = host(self.problem.matrices)
        server, differences = matrices[0], matrices - matrices[0]
        d, tau, gamma = self.problem.dim, self.momentum, self.gamma
        identity = np.eye(d)
        target = np.hstack(
            [(1 - tau) * identity, tau * identity - gamma * differences.mean(axis=0)]
        )
        u = np.linalg.solve(identity + gamma * server, target)
        if self.local_steps is not None:
            kept = np.linalg.matrix_power(self.local_error(), self.local_steps)
            u = u + kept @ (np.hstack([identity, np.zeros((d, d))]) - u)
        return server, differences, u, np.hstack([np.zeros((d, d)), identity]) - u

    def local_error(self) -> Array:
        """P, by which a local step multiplies u - uhat, shape (d, d)."""
        assert self.local_step is not None, "the solution is exact"
        system = host(self.problem.matrices)[0] + np.eye(self.problem.dim) / self.gamma
        step = self.local_step * system
        return np.asarray(np.eye(len(step)) - step + step @ step)

    def step(self, second: Array) -> Array:
        """E w w' after a step.

        Args:
            second: E w w' before it, shape (2d, 2d).

        Returns:
            Shape (2d, 2d).
        """
        server, differences, u, away = self._maps
        d, gamma, p = self.problem.dim, self.gamma, self.refresh_probability
        mean = u + gamma * differences.mean(axis=0) @ away
        noise = self.messages.second_moment(differences, away @ second @ away.T, server)
        drift = differences.mean(axis=0) @ away
        own = mean @ second @ mean.T + gamma**2 * (noise - drift @ second @ drift.T)
        with_old = mean @ second
        cross = p * with_old[:, :d] + (1 - p) * with_old[:, d:]
        kept = p * second[:d, :d] + (1 - p) * second[d:, d:]
        return np.block([[own, cross], [cross.T, kept]])

    def potential(self, second: Array) -> float:
        """E Phi = E|z - z*|^2 + E|m - z*|^2."""
        return float(np.trace(second))

    def distance(self, second: Array) -> float:
        """E|z - z*|^2."""
        d = self.problem.dim
        return float(np.trace(second[:d, :d]))

    def start(self, offset: Array) -> Array:
        """The second moment of z^0 = m^0 = z* + offset."""
        both = np.concatenate([offset, offset])
        return np.outer(both, both)

    def run(self, second: Array, checkpoints: tuple[int, ...]) -> list[Array]:
        """The second moments at increasing numbers of steps."""
        found, done = [], 0
        for checkpoint in checkpoints:
            for _ in range(checkpoint - done):
                second = self.step(second)
            found.append(second)
            done = checkpoint
        return found

    def mean_square_operator(self, second: Array) -> float:
        """E|F(u) - F(z*)|^2 for the solution u of the sub-problem."""
        _, _, u, _ = self._maps
        product = host(self.problem.matrices).mean(axis=0) @ u
        return float(np.sum((product @ second) * product))

    def squared_operator_form(self) -> tuple[Array, Array, Array]:
        """The matrices of |F(u) - F(z*)|^2, of |u - z|^2 and of |u - m|^2, shape (2d, 2d) each."""
        _, _, u, away = self._maps
        product = host(self.problem.matrices).mean(axis=0) @ u
        d = self.problem.dim
        moved = u - np.hstack([np.eye(d), np.zeros((d, d))])
        return product.T @ product, moved.T @ moved, away.T @ away

    def mean_square_operators(self, second: Array, horizons: tuple[int, ...]) -> list[float]:
        """The mean of E|F(u^k) - F(z*)|^2 over the steps k = 0, ..., K - 1, for every horizon K.

        Args:
            second: E w w' before the first step, shape (2d, 2d).
            horizons: increasing numbers of steps.

        Returns:
            A number for every horizon.
        """
        found = [
            self.mean_square_operator(each) for each in self.run(second, tuple(range(horizons[-1])))
        ]
        return [float(np.mean(found[:horizon])) for horizon in horizons]

    def form(self) -> Array:
        """The matrix Q with E Phi^+ = w' Q w, shape (2d, 2d)."""
        server, differences, u, away = self._maps
        d, gamma, p = self.problem.dim, self.gamma, self.refresh_probability
        n, mean = len(differences), differences.mean(axis=0)
        if self.messages.scheme == "raw_coordinates":
            held = differences + server
            a, b = d / self.messages.number / n - 1 / n, 0.0
        else:
            held = differences
            a, b = self.messages.constants(d, n)
        energy = a * np.einsum("iab,iac->bc", held, held) / n + (1 - b) * mean.T @ mean
        drift = mean @ away
        form = u.T @ u + gamma * (u.T @ drift + drift.T @ u) + gamma**2 * away.T @ energy @ away
        form[:d, :d] += p * np.eye(d)
        form[d:, d:] += (1 - p) * np.eye(d)
        return form

    def one_step_factor(self) -> tuple[float, Array]:
        """max_w E Phi^+ / Phi, and the w of norm 1 that attains it."""
        values, vectors = np.linalg.eigh(self.form())
        return float(values[-1]), vectors[:, -1]

    def rate(self) -> float:
        """Lim (E Phi_k)^(1/k): the spectral radius of the recursion; for small d alone.

        The matrix of the recursion has (2d)^2 rows.
        """
        size = 2 * self.problem.dim
        basis = np.eye(size**2).reshape(-1, size, size)
        matrix = np.stack([self.step(outer).ravel() for outer in basis], axis=1)
        power, logarithm, squarings = matrix, 0.0, 36
        for _ in range(squarings):
            scale = float(np.linalg.norm(power))
            power = power / scale
            logarithm = 2 * (logarithm + np.log(scale))
            power = power @ power
        return float(np.exp((logarithm + np.log(np.linalg.norm(power))) / 2**squarings))


def _with_diagonal(matrix: Array, diagonal: Array) -> Array:
    """The matrix with another's diagonal."""
    found: Array = matrix - np.diag(np.diag(matrix)) + np.diag(np.diag(diagonal))
    return found
