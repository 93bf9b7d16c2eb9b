# SPDX-License-Identifier: Apache-2.0
r"""Variational inequalities whose operator is the mean of operators that n workers hold.

    find z* in Z with <F(z*), z - z*> >= 0 for all z in Z,     F = (1/n) sum_i F_i.

Worker 0 is the server. The constants speak of Z:

    mu        <F(x) - F(y), x - y> >= mu |x - y|^2
    L, L_1    |F_i(x) - F_i(y)| <= L |x - y| for all i, and L_1 for the server's F_1
    L_av      (1/n) sum_i |F_i(x) - F_i(y)|^2 <= L_av^2 |x - y|^2
    delta, delta_1, delta_av    the same three for the differences F_i - F
"""

import abc
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._arguments import require_float64
from ..constant import CertificateError, Constant

__all__ = ["DistributedOperator", "exact_constants", "spectral_constants"]

Array = NDArray[np.float64]
_ROUND_OFF = 1e-9
_POWER_STEPS = 30


class DistributedOperator(abc.ABC):
    r"""F = (1/n) sum_i F_i over a closed convex Z in R^d.

    Subclasses are dataclasses registered by `pytree_dataclass`. The data of the workers are the
    arrays of `workers`, with one row a worker; `worker_operator` is a pure function of a row, so
    that it runs under `vmap` over the rows and under `shard_map` with the rows spread over devices.

    `constants` holds mu (where F is monotone), L, L_1, L_av, delta, delta_1 and delta_av. A
    Lipschitz constant lies in [value - width, value], mu in [value, value + width]: the values may
    be used in bounds.
    """

    @property
    @abc.abstractmethod
    def num_workers(self) -> int:
        """The number n of workers."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """The dimension d."""

    @property
    @abc.abstractmethod
    def workers(self) -> Any:
        """What the workers hold: a pytree of arrays of shape (n, ...)."""

    @abc.abstractmethod
    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        """F_i(z), shape (d,), where `worker` is the i-th row of `workers`."""

    @property
    @abc.abstractmethod
    def constants(self) -> dict[str, Constant]:
        """The constants, each with how it is known."""

    @property
    @abc.abstractmethod
    def server_monotonicity(self) -> float:
        """A number mu_1, of either sign: <F_1(x) - F_1(y), x - y> >= mu_1 |x - y|^2."""

    @property
    def project(self) -> Callable[[jax.Array], jax.Array] | None:
        """The projection onto Z; None where Z is everything."""
        return None

    def operators(self, z: jax.Array) -> jax.Array:
        """All F_i(z), shape (n, d)."""
        return jax.vmap(lambda worker: self.worker_operator(worker, z))(self.workers)

    def operator(self, z: jax.Array) -> jax.Array:
        """F(z), shape (d,)."""
        return jnp.mean(self.operators(z), axis=0)

    def server_operator(self, z: jax.Array) -> jax.Array:
        """F_1(z), shape (d,)."""
        return self.worker_operator(jax.tree.map(lambda rows: rows[0], self.workers), z)

    @functools.cached_property
    def solution(self) -> Array:
        """A point within `solution_width` of z*, shape (d,)."""
        L, mu = self.constants["L"].value, self.constants["mu"].value
        point = _extragradient(self, jnp.zeros(self.dim), 0.5 / L, round(80 * L / mu))
        return np.asarray(point)

    @functools.cached_property
    def solution_width(self) -> float:
        """A bound of the distance from `solution` to z*, from the natural residual and mu > 0.

        With r = z - proj(z - F(z)) it is (1 + L) |r| / mu.
        """
        if "mu" not in self.constants or self.constants["mu"].value <= 0:
            raise ValueError("solution_width needs an operator with mu > 0")
        L, mu = self.constants["L"].value, self.constants["mu"].value
        round_off = 1e-15 * self.dim * (1 + L) * (1 + float(np.linalg.norm(self.solution)))
        return (1 + L) / mu * (self.residual(self.solution) + round_off)

    def residual(self, z: Array) -> float:
        """The natural residual |z - proj(z - F(z))|; zero at solutions alone."""
        point = jnp.asarray(z)
        goal = point - self.operator(point)
        return float(
            jnp.linalg.norm(point - (goal if self.project is None else self.project(goal)))
        )

    def jacobians(self, z: Array) -> Array:
        """The Jacobians of all F_i at a point, shape (n, d, d)."""
        return np.asarray(_jacobians(self, jnp.asarray(z)))

    def local_constants(self, z: Array) -> dict[str, float]:
        """What the constants are in the vicinity of a point, from the Jacobians there."""
        return spectral_constants(self.jacobians(z))

    def attained_constants(self, z: Array) -> dict[str, float]:
        """What the constants are at least, mu at most, by power iterations on Jacobians at a point.

        Not above `local_constants`, and cheaper where there are many workers: only products with
        the workers' Jacobians are needed.
        """
        smallest, norms = _attained(self, jnp.asarray(z))
        return {"mu": float(smallest), **{name: float(norm) for name, norm in norms.items()}}

    def certify(self) -> None:
        """Derives the constants anew, from Jacobians and from pairs of points, and z* from F.

        Raises:
            CertificateError: if a constant or the solution does not survive.
            RuntimeError: without float64.
        """
        require_float64("certify")
        points = self._probes()
        local = [self.local_constants(point) for point in points]
        for name, constant in self.constants.items():
            worst = (min if name == "mu" else max)(found[name] for found in local)
            self._compare(name, constant, worst)
        self._compare_pairs(points)
        residual = self.residual(self.solution)
        if residual > 1e-8 * (1 + float(np.linalg.norm(self.solution))):
            raise CertificateError(f"the solution has the natural residual {residual:.3g}")

    def _compare(self, name: str, constant: Constant, found: float) -> None:
        slack = _ROUND_OFF * (1 + constant.value)
        sign = -1.0 if name == "mu" else 1.0
        excess = sign * (found - constant.value)
        if excess > slack or (constant.how == "exact" and excess < -slack):
            raise CertificateError(f"{name} is stated as {constant.value}, but {found} was found")

    def _compare_pairs(self, points: list[Array]) -> None:
        values = [np.asarray(self.operators(jnp.asarray(point))) for point in points]
        for (x, at_x), (y, at_y) in zip(
            zip(points, values, strict=True),
            zip(points[1:] + points[:1], values[1:] + values[:1], strict=True),
            strict=True,
        ):
            change, distance = at_x - at_y, float(np.linalg.norm(x - y))
            mean = change.mean(axis=0)
            lengths = np.linalg.norm(change, axis=1)
            apart = np.linalg.norm(change - mean, axis=1)
            ratios = {
                "L": lengths.max(),
                "L_1": lengths[0],
                "L_av": float(np.sqrt(np.mean(lengths**2))),
                "delta": apart.max(),
                "delta_1": apart[0],
                "delta_av": float(np.sqrt(np.mean(apart**2))),
            }
            for name, length in ratios.items():
                if length > self.constants[name].value * distance * (1 + _ROUND_OFF) + 1e-12:
                    raise CertificateError(f"{name} does not hold between {x} and {y}")
            gained = float(mean @ (x - y))
            if "mu" in self.constants and gained < self.constants[
                "mu"
            ].value * distance**2 - _ROUND_OFF * (1 + distance**2):
                raise CertificateError(f"mu does not hold between {x} and {y}")

    def _corners(self) -> list[Array]:
        """Points of Z where the Jacobians are large."""
        return []

    def _probes(self) -> list[Array]:
        """Points of Z, near and far from the solution."""
        rng = np.random.default_rng(0)
        scale = 1 + float(np.linalg.norm(self.solution))
        points = [np.asarray(self.solution), *self._corners()]
        for length in (0.01, 0.1, 1.0, 1.0, 10.0):
            step = length * scale * rng.standard_normal(self.dim) / np.sqrt(self.dim)
            point = jnp.asarray(self.solution + step)
            points.append(np.asarray(point if self.project is None else self.project(point)))
        return points


def spectral_constants(jacobians: Array) -> dict[str, float]:
    """The constants of affine operators with these Jacobians, by singular values.

    Args:
        jacobians: shape (n, d, d).

    Returns:
        mu, L, L_1, L_av, delta, delta_1 and delta_av; mu of either sign.

    Example:
        >>> import numpy as np
        >>> turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> found = spectral_constants(np.stack([np.eye(2) + turn, np.eye(2) - turn]))
        >>> found["mu"], found["delta"], round(found["L"] ** 2, 9)
        (1.0, 1.0, 2.0)
    """
    n, d = jacobians.shape[:2]
    mean = jacobians.mean(axis=0)

    def three(matrices: Array, suffix: str) -> dict[str, float]:
        norms = np.linalg.norm(matrices, 2, axis=(1, 2))
        stacked = np.linalg.norm(matrices.reshape(n * d, d), 2) / np.sqrt(n)
        return {
            suffix: float(norms.max()),
            f"{suffix}_1": float(norms[0]),
            f"{suffix}_av": float(stacked),
        }

    smallest = float(np.linalg.eigvalsh((mean + mean.T) / 2)[0])
    return {"mu": smallest, **three(jacobians, "L"), **three(jacobians - mean, "delta")}


def exact_constants(jacobians: Array) -> dict[str, Constant]:
    """The constants of affine operators: by eigenvalues of Gram matrices."""
    n = len(jacobians)
    mean = jacobians.mean(axis=0)
    symmetric = np.linalg.eigvalsh((mean + mean.T) / 2)[0]
    found = {"mu": (max(float(symmetric), 0.0), "least eigenvalue of the symmetric part of F'")}
    for suffix, matrices, of in (
        ("L", jacobians, "F_i'"),
        ("delta", jacobians - mean, "F_i' - F'"),
    ):
        grams = np.einsum("iab,iac->ibc", matrices, matrices)
        tops = np.sqrt(np.maximum(np.linalg.eigvalsh(grams)[:, -1], 0.0))
        average = np.sqrt(max(np.linalg.eigvalsh(grams.sum(axis=0) / n)[-1], 0.0))
        found[suffix] = (float(tops.max()), f"largest norm of the {of}")
        found[f"{suffix}_1"] = (float(tops[0]), f"norm of {of} of the server")
        found[f"{suffix}_av"] = (float(average), f"root of the norm of the mean of |{of}|^2")
    return {
        name: Constant(value, "exact", derivation=reason) for name, (value, reason) in found.items()
    }


@jax.jit
def _jacobians(problem: DistributedOperator, z: jax.Array) -> jax.Array:
    found: jax.Array = jax.jacfwd(problem.operators)(z)
    return found


@jax.jit
def _attained(problem: DistributedOperator, z: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The modulus of F'(z), and norms that the F_i'(z) and F_i'(z) - F'(z) attain."""
    mean = jax.jacfwd(problem.operator)(z)

    def products(vectors: jax.Array, centre: jax.Array) -> tuple[jax.Array, jax.Array]:
        """A_i v_i, and A_i' A_i v_i; shape (n, d) each."""

        def of_one(worker: Any, vector: jax.Array) -> tuple[jax.Array, jax.Array]:
            value, linear = jax.linearize(functools.partial(problem.worker_operator, worker), z)
            image = linear(vector) - centre @ vector
            (back,) = jax.linear_transpose(linear, value)(image)
            return image, back - centre.T @ image

        return jax.vmap(of_one)(problem.workers, vectors)

    def norms(centre: jax.Array, suffix: str) -> dict[str, jax.Array]:
        def step(
            _: Any, carry: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
        ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
            each, shared, *_rest = carry
            each = each / _lengths(each)
            image, each = products(each, centre)
            shared = jnp.broadcast_to(shared / _lengths(shared), each.shape)
            images, back = products(shared, centre)
            largest = jnp.linalg.norm(image, axis=1)
            average = jnp.linalg.norm(images) / jnp.sqrt(problem.num_workers)
            return each, back.mean(axis=0, keepdims=True), largest, average

        start = jax.random.normal(jax.random.key(0), (problem.num_workers + 1, problem.dim))
        carry = (start[1:], start[:1], jnp.zeros(problem.num_workers), jnp.zeros(()))
        *_, largest, average = jax.lax.fori_loop(0, _POWER_STEPS, step, carry)
        return {suffix: largest.max(), f"{suffix}_1": largest[0], f"{suffix}_av": average}

    found = norms(jnp.zeros_like(mean), "L") | norms(mean, "delta")
    return jnp.linalg.eigvalsh((mean + mean.T) / 2)[0], found


def _lengths(rows: jax.Array) -> jax.Array:
    """|v| of each row, 1 where v is 0; shape (n, 1)."""
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return jnp.where(lengths > 0, lengths, 1.0)


@jax.jit
def _extragradient(
    problem: DistributedOperator, start: jax.Array, step_size: float, num_steps: int
) -> jax.Array:
    def onto(z: jax.Array) -> jax.Array:
        return z if problem.project is None else problem.project(z)

    def step(_: Any, z: jax.Array) -> jax.Array:
        half = onto(z - step_size * problem.operator(z))
        return onto(z - step_size * problem.operator(half))

    found: jax.Array = jax.lax.fori_loop(0, num_steps, step, onto(start))
    return found
