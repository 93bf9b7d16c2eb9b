# SPDX-License-Identifier: Apache-2.0
r"""Bilinear saddle problems split over workers, with the distance between them as a knob.

    min_x max_y (mu/2) |x|^2 + x' B_i y - (mu/2) |y|^2:   F_i(x, y) = mu z + (B_i y, -B_i' x) + q_i

with B_i = B + delta O_i for orthogonal O_i that cancel in pairs. Then every worker is at distance
delta from the mean, exactly and in all directions: |(F_i - F)(x) - (F_i - F)(y)| = delta |x - y|.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._arguments import check_scalar, check_size, host, round_off, symmetric
from ..constant import Constant
from ..pytree import pytree_dataclass
from .affine_operators import AffineOperators
from .distributed_operator import DistributedOperator, exact_constants

__all__ = [
    "Coupling",
    "MintyOperators",
    "SaturatedOperators",
    "bilinear_saddle",
    "minty_operators",
    "rotation",
    "saturated_saddle",
]

Array = NDArray[np.float64]
Coupling = Literal["zero", "adversarial", "overshooting", "plus", "random", "spectrum"]


def rotation(coupling: Array) -> Array:
    """The skew matrix of (x, y) -> (B y, -B' x).

    Args:
        coupling: B, shape (m, m).

    Returns:
        Shape (2m, 2m).

    Example:
        >>> rotation(np.array([[3.0]])).tolist()
        [[0.0, 3.0], [-3.0, 0.0]]
    """
    m = len(coupling)
    matrix = np.zeros((2 * m, 2 * m))
    matrix[:m, m:], matrix[m:, :m] = coupling, -coupling.T
    return matrix


def bilinear_saddle(
    num_workers: int,
    half_dim: int,
    *,
    strong_monotonicity: float,
    similarity: float,
    coupling: Coupling = "zero",
    size: float = 0.0,
    radius: float | None = None,
    seed: int = 0,
) -> AffineOperators:
    r"""F_i(z) = mu z + (B_i y, -B_i' x) + q_i with B_i = B + delta O_i, O_{2j+1} = -O_{2j}.

    The common B decides how hard the problem is for its server, whose part is B + delta O_0:

    - "zero": B = 0. The bound of the rate is nearly attained.
    - "adversarial": B = -delta O_0, so that the server sees no rotation at all.
    - "overshooting": B = -2 delta O_0; "plus": B = delta O_0.
    - "random": `size` times an orthogonal matrix.
    - "spectrum": diagonal, from 0 to `size`: L is far above delta, and the rate that of "zero".

    Args:
        num_workers: n, even.
        half_dim: m; z = (x, y) has the dimension 2m.
        strong_monotonicity: mu >= 0.
        similarity: delta > 0.
        coupling: the common B.
        size: for "random" and "spectrum".
        radius: Z is the ball of this radius; the solution is then put on its boundary.
        seed: of the orthogonal matrices, the solution and the offsets.

    Returns:
        The problem; its solution has norm 1, or `radius`, and the offsets q_i differ.

    Raises:
        ValueError: if the number of workers is odd, a number out of range, or B unknown.

    Example:
        >>> problem = bilinear_saddle(4, 3, strong_monotonicity=0.1, similarity=2.0)
        >>> found = problem.constants
        >>> [round(found[name].value, 9) for name in ("mu", "delta", "delta_1", "delta_av")]
        [0.1, 2.0, 2.0, 2.0]
    """
    check_size("num_workers", num_workers, even=True)
    check_size("half_dim", half_dim)
    check_scalar("strong_monotonicity", strong_monotonicity, at_least=0.0)
    check_scalar("similarity", similarity, positive=True)
    check_scalar("size", size, at_least=0.0)
    rng = np.random.default_rng(seed)
    mu, delta, d = strong_monotonicity, similarity, 2 * half_dim
    turns = [_orthogonal(rng, half_dim) for _ in range(num_workers // 2)]
    signed = np.stack([sign * turn for turn in turns for sign in (1.0, -1.0)])
    common = {
        "zero": 0.0 * signed[0],
        "adversarial": -delta * signed[0],
        "overshooting": -2 * delta * signed[0],
        "plus": delta * signed[0],
        "random": size * _orthogonal(rng, half_dim),
        "spectrum": np.diag(np.linspace(0.0, size, half_dim)),
    }
    if coupling not in common:
        raise ValueError(f"coupling must be one of {sorted(common)}, got {coupling!r}")
    matrices = mu * np.eye(d) + np.stack(
        [rotation(common[coupling] + delta * turn) for turn in signed]
    )
    solution = rng.standard_normal(d)
    solution *= (1.0 if radius is None else radius) / np.linalg.norm(solution)
    # On the boundary F(z*) points inwards, to -z*.
    pressure = 0.0 if radius is None else 1.0
    mean = -(matrices.mean(axis=0) @ solution) - pressure * solution
    offsets = mean + _zero_sum(rng, num_workers, d)
    return AffineOperators(jnp.asarray(matrices), jnp.asarray(offsets), radius)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SaturatedOperators(AffineOperators):
    r"""F_i(z) = A_i z + q_i + s arctan(z), a monotone nonlinearity that all workers share.

    The differences between workers are those of the affine parts, and so are the deltas.

    Args:
        matrices: A_i, shape (n, d, d).
        offsets: q_i, shape (n, d).
        radius: of the ball; None where Z is everything.
        strength: s >= 0.

    Raises:
        ValueError: as `AffineOperators`, or if the strength is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = SaturatedOperators(jnp.eye(2)[None], jnp.zeros((1, 2)), strength=3.0)
        >>> problem.constants["L"].value, problem.constants["mu"].value
        (4.0, 1.0)
    """

    strength: jax.Array | float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scalar("strength", self.strength, at_least=0.0)

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        return super().worker_operator(worker, z) + self.strength * jnp.arctan(z)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        affine, strength = exact_constants(host(self.matrices)), float(host(self.strength))
        found = {
            "mu": Constant(
                affine["mu"].value,
                "certified",
                derivation="that of the affine part, approached at infinity: arctan is monotone",
            )
        }
        for name, constant in affine.items():
            if name.startswith("delta"):
                found[name] = constant
            elif name != "mu":
                found[name] = Constant(
                    constant.value + strength,
                    "certified",
                    width=strength,
                    derivation="that of the affine part, approached at infinity, plus s",
                )
        return found

    def _corners(self) -> list[Array]:
        """The origin, where arctan is steepest, and far away, where it is flat."""
        return [np.zeros(self.dim), np.full(self.dim, 1e6)] if self.radius is None else []

    @functools.cached_property
    def solution(self) -> Array:
        """Newton's method; over a ball by extragradient steps."""
        if self.radius is not None:
            return DistributedOperator.solution.func(self)  # type: ignore[attr-defined]
        matrix, offset = host(self.matrices).mean(axis=0), host(self.offsets).mean(axis=0)
        strength, z = float(host(self.strength)), np.zeros(self.dim)

        def value(z: Array) -> Array:
            return matrix @ z + offset + strength * np.arctan(z)

        for _ in range(100):
            step = np.linalg.solve(matrix + strength * np.diag(1 / (1 + z**2)), -value(z))
            length = 1.0
            while np.linalg.norm(value(z + length * step)) > np.linalg.norm(value(z)):
                length /= 2
                if length < 1e-12:
                    return z
            z = z + length * step
        return z


def saturated_saddle(saddle: AffineOperators, strength: float) -> SaturatedOperators:
    """A saddle problem with s arctan(z) added to every operator, and the same solution.

    Args:
        saddle: such as `bilinear_saddle` makes.
        strength: s >= 0.

    Returns:
        The problem. Its solution is that of `saddle`.

    Example:
        >>> saddle = bilinear_saddle(2, 2, strong_monotonicity=0.5, similarity=1.0)
        >>> problem = saturated_saddle(saddle, 2.0)
        >>> bool(np.allclose(problem.solution, saddle.solution))
        True
    """
    offsets = saddle.offsets - strength * jnp.arctan(jnp.asarray(saddle.solution))[None]
    return SaturatedOperators(saddle.matrices, offsets, saddle.radius, strength)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MintyOperators(DistributedOperator):
    r"""F_i(z) = c(|z|) S z + D_i z, c = 1 + sin(log(1 + |z|^2)) / 2, with skew S and D_i.

    The D_i add up to zero. Then <F(z), z> = 0, so that z* = 0 solves the Minty inequality, but F is
    not monotone, and there is no mu among the constants.

    Args:
        skew: S, shape (d, d).
        deviations: D_i, shape (n, d, d), of mean zero.

    Raises:
        ValueError: if a matrix is not skew, the shapes do not fit, or the deviations do not cancel.

    Example:
        >>> problem = minty_operators(4, 2, similarity=0.5)
        >>> z = jnp.arange(4.0)
        >>> abs(float(z @ problem.operator(z))) < 1e-12
        True
    """

    skew: jax.Array
    deviations: jax.Array

    def __post_init__(self) -> None:
        if not isinstance(self.deviations, jax.Array) or isinstance(
            self.deviations, jax.core.Tracer
        ):
            return
        skew, deviations = host(self.skew), host(self.deviations)
        if deviations.ndim != 3 or deviations.shape[1:] != skew.shape:
            raise ValueError(
                f"deviations must have shape (n, d, d) and skew (d, d), got {deviations.shape} "
                f"and {skew.shape}"
            )
        skew = symmetric("skew", self.skew, sign=-1)
        deviations = symmetric("deviations", self.deviations, sign=-1)
        mean = deviations.mean(axis=0)
        slack = len(deviations) * round_off(self.deviations)
        if not np.abs(mean).max() <= slack * np.abs(deviations).max():
            raise ValueError(f"deviations must add up to zero, got the mean {np.abs(mean).max():g}")
        object.__setattr__(self, "skew", jnp.asarray(skew, self.skew.dtype))
        centred = jnp.asarray(deviations - mean, self.deviations.dtype)
        object.__setattr__(self, "deviations", centred)

    @property
    def num_workers(self) -> int:
        return self.deviations.shape[0]

    @property
    def dim(self) -> int:
        return self.skew.shape[0]

    @property
    def workers(self) -> Any:
        return self.deviations

    def worker_operator(self, worker: Any, z: jax.Array) -> jax.Array:
        factor = 1 + jnp.sin(jnp.log1p(jnp.vdot(z, z))) / 2
        return factor * (self.skew @ z) + worker @ z

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        deviations = host(self.deviations)
        skew = float(np.linalg.norm(host(self.skew), 2))
        found = exact_constants(deviations)
        constants = {}
        for name in ("L", "L_1", "L_av"):
            # |(c(|z|) S z)'| <= |S| (c + |z| |c'|), and 2 |z|^2 / (1 + |z|^2) <= 2 in |z| |c'|.
            constants[name] = Constant(
                _PROFILE * skew + found[name].value,
                "certified",
                width=_PROFILE * skew + found[name].value,
                derivation="(c + |z| |c'|) |S| at its largest, plus that of the deviations",
            )
        return constants | {name: found[name] for name in ("delta", "delta_1", "delta_av")}

    @property
    def server_monotonicity(self) -> float:
        """At least -max |z| |c'| |S| / 2, because S z is orthogonal to z."""
        return -float(np.linalg.norm(host(self.skew), 2)) / 2

    @functools.cached_property
    def solution(self) -> Array:
        return np.zeros(self.dim)


# max over t of 1 + sin(t)/2 + |cos t|, which is 1 + sqrt(5)/2.
_PROFILE = 1 + 5**0.5 / 2


def minty_operators(
    num_workers: int, half_dim: int, *, similarity: float, size: float = 1.0, seed: int = 0
) -> MintyOperators:
    """Random instances of `MintyOperators`, in which every worker is at distance delta.

    Args:
        num_workers: n, even.
        half_dim: half the dimension.
        similarity: delta.
        size: the norm of S, an orthogonal matrix times this.
        seed: of the matrices.

    Returns:
        The problem.

    Raises:
        ValueError: if n is odd or a number is not positive.

    Example:
        >>> round(minty_operators(4, 2, similarity=0.5).constants["delta_av"].value, 9)
        0.5
    """
    check_size("num_workers", num_workers, even=True)
    check_size("half_dim", half_dim)
    check_scalar("similarity", similarity, positive=True)
    check_scalar("size", size, positive=True)
    rng = np.random.default_rng(seed)
    turns = [rotation(_orthogonal(rng, half_dim)) for _ in range(num_workers // 2)]
    deviations = np.stack([sign * similarity * turn for turn in turns for sign in (1.0, -1.0)])
    skew = size * rotation(_orthogonal(rng, half_dim))
    return MintyOperators(jnp.asarray(skew), jnp.asarray(deviations))


def _orthogonal(rng: np.random.Generator, size: int) -> Array:
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diag(r))


def _zero_sum(rng: np.random.Generator, rows: int, columns: int) -> Array:
    table = rng.standard_normal((rows, columns))
    return table - table.mean(axis=0)
