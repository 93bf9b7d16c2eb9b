# SPDX-License-Identifier: Apache-2.0
"""Strongly monotone linear operators, part gradient and part rotation, under Markovian noise."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as HostArrayLike

from .._arguments import check_point, check_scalar, check_state, host, is_concrete, symmetric
from ..constant import Constant
from ..pytree import pytree_dataclass
from .markov_chain import MarkovChain
from .markovian_noise import MarkovianOperator, centred_values
from .markovian_quadratic import check_noise

__all__ = ["RotationOperator", "rotation_operator"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class RotationOperator(MarkovianOperator):
    r"""F(x, z) = A (x - c) + a_z v + m_z (x - c), A = diag(h) + W with h > 0, W' = -W.

    mu = min h. sigma = max_z |a_z| |v| and Delta = max_z |m_z|, exactly: in each state of the chain
    only one of the two noises may be present.

    Args:
        chain: the chain of z.
        diagonal: h > 0, shape (d,).
        skew: W, skew-symmetric, shape (d, d).
        centre: the solution c, shape (d,).
        direction: v, shape (d,).
        additive: a_z, stationary mean zero, shape (K,).
        multiplicative: m_z, stationary mean zero, shape (K,).

    Raises:
        ValueError: if a shape is wrong, h is not positive, W is not skew-symmetric, a noise has a
            mean, or both noises are present in one state.

    Example:
        >>> from optzoo.problems import rotation_operator, two_state_switch
        >>> problem = rotation_operator(two_state_switch(0.1), 1.0, [3.0], sigma=2.0)
        >>> problem.dim, problem.constants["mu"].value, round(problem.constants["L"].value ** 2, 9)
        (3, 1.0, 10.0)

    References:
        arXiv 2305.15938 (extragradient under Markovian noise).
    """

    chain: MarkovChain
    diagonal: jax.Array
    skew: jax.Array
    centre: jax.Array
    direction: jax.Array
    additive: jax.Array
    multiplicative: jax.Array

    def __post_init__(self) -> None:
        for name in ("diagonal", "skew", "centre", "direction", "additive", "multiplicative"):
            object.__setattr__(self, name, jnp.asarray(getattr(self, name), dtype=float))
        if self.diagonal.ndim != 1 or self.diagonal.size == 0:
            raise ValueError(f"diagonal must have shape (d,), got {self.diagonal.shape}")
        d = self.diagonal.shape[0]
        for name, shape in (("skew", (d, d)), ("centre", (d,)), ("direction", (d,))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        check_scalar("diagonal", self.diagonal, positive=True)
        if is_concrete(self.skew):
            skew = symmetric("skew", self.skew, sign=-1)
            object.__setattr__(self, "skew", jnp.asarray(skew, self.skew.dtype))
        check_noise(self.chain, self.additive, self.multiplicative, "Delta^2 |x - x*|^2")

    @property
    def dim(self) -> int:
        return self.diagonal.shape[-1]

    @property
    def solution(self) -> np.ndarray:
        return host(self.centre)

    def operator(self, x: jax.Array) -> jax.Array:
        error = check_point(x, self.dim) - self.centre
        return self.diagonal * error + self.skew @ error

    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        state = check_state("state", state, self.chain.num_states)
        error = check_point(x, self.dim) - self.centre
        noise = self.additive[state] * self.direction + self.multiplicative[state] * error
        return self.operator(x) + noise

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        matrix = np.diag(host(self.diagonal)) + host(self.skew)
        largest = np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1])
        length = float(np.linalg.norm(host(self.direction)))
        return {
            "L": Constant(float(largest), "exact", derivation="largest singular value of A"),
            "mu": Constant(
                float(host(self.diagonal).min()), "exact", derivation="min h: W has no form"
            ),
            "sigma": Constant(
                float(np.abs(host(self.additive)).max()) * length,
                "exact",
                derivation="max_z |a_z| |v|",
            ),
            "Delta": Constant(
                float(np.abs(host(self.multiplicative)).max()),
                "exact",
                derivation="max_z |m_z|",
            ),
            "tau": self.chain.constants["tau"],
        }


def rotation_operator(
    chain: MarkovChain,
    strong_monotonicity: float,
    rotations: HostArrayLike,
    *,
    sigma: float = 0.0,
    factor: float = 0.0,
    values: HostArrayLike | None = None,
) -> RotationOperator:
    r"""One coordinate mu and a block [[mu, b], [-b, mu]] for each rotation b; solution 0.

    Either additive noise along the first coordinate (the direction in which extragradient contracts
    slowest, where its bound is closest to the truth) or noise Delta zeta_z (x - x*).

    Args:
        chain: the chain of z.
        strong_monotonicity: mu > 0.
        rotations: the numbers b, shape (r,); d = 1 + 2 r, L = sqrt(mu^2 + max b^2).
        sigma: size of the additive noise, at least 0.
        factor: Delta, at least 0; not together with `sigma`.
        values: zeta up to centring and scale, see `centred_values`; shape (K,).

    Returns:
        The problem.

    Raises:
        ValueError: if a number is out of range, or both noises are asked for.

    Example:
        >>> from optzoo.problems import rotation_operator, two_state_switch
        >>> problem = rotation_operator(two_state_switch(0.1), 1.0, [3.0], factor=2.0)
        >>> problem.constants["sigma"].value, problem.constants["Delta"].value
        (0.0, 2.0)
    """
    check_scalar("strong_monotonicity", strong_monotonicity, positive=True)
    check_scalar("sigma", sigma, at_least=0.0)
    check_scalar("factor", factor, at_least=0.0)
    if sigma > 0 and factor > 0:
        raise ValueError(
            f"sigma and factor cannot both be positive with one zeta, got {sigma} and {factor}:"
            " build a RotationOperator whose noises live on different states"
        )
    angles = host(rotations)
    if angles.ndim != 1 or not np.all(np.isfinite(angles)):
        raise ValueError(f"rotations must be finite numbers of shape (r,), got {rotations!r}")
    d = 1 + 2 * len(angles)
    skew = np.zeros((d, d))
    for block, angle in enumerate(angles):
        i = 1 + 2 * block
        skew[i, i + 1], skew[i + 1, i] = angle, -angle
    zeta = centred_values(chain, values)
    return RotationOperator(
        chain,
        jnp.full(d, float(strong_monotonicity)),
        jnp.asarray(skew),
        jnp.zeros(d),
        jnp.asarray((np.arange(d) == 0).astype(np.float64)),
        jnp.asarray(sigma * zeta),
        jnp.asarray(factor * zeta),
    )
