# SPDX-License-Identifier: Apache-2.0
"""Quadratics whose oracle shows part of the coordinates at a time, Nesterov's chain among them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import (
    check_point,
    check_scalar,
    check_size,
    check_state,
    host,
    is_concrete,
    symmetric,
)
from ..constant import Constant
from ..pytree import pytree_dataclass
from .markov_chain import MarkovChain
from .markovian_noise import MarkovianObjective

__all__ = ["MaskedQuadratic", "masked_nesterov"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MaskedQuadratic(MarkovianObjective):
    r"""grad F(x, z) = w_z * grad f(x) by coordinates, f(x) = x'Hx / 2 - b'x with H > 0.

    The masks average to one under the stationary law. sigma = 0 and, exactly,
    delta = max_{z,i} |w_zi - 1|: 2 P_z for two complementary coordinate projections has delta = 1.

    Args:
        chain: the chain of z.
        hessian: H, symmetric positive definite, shape (d, d).
        linear: b, shape (d,).
        masks: the rows w_z, shape (K, d).

    Raises:
        ValueError: if a shape is wrong, H is not symmetric positive definite, or the masks do not
            average to one.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import MaskedQuadratic, two_state_switch
        >>> masks = jnp.array([[2.0, 0.0], [0.0, 2.0]])
        >>> problem = MaskedQuadratic(two_state_switch(0.1), jnp.eye(2), jnp.ones(2), masks)
        >>> problem.sample_gradient(jnp.zeros(2), 0).tolist(), problem.constants["delta"].value
        ([-2.0, -0.0], 1.0)
    """

    chain: MarkovChain
    hessian: jax.Array
    linear: jax.Array
    masks: jax.Array

    def __post_init__(self) -> None:
        for name in ("hessian", "linear", "masks"):
            object.__setattr__(self, name, jnp.asarray(getattr(self, name), dtype=float))
        if self.linear.ndim != 1 or self.linear.size == 0:
            raise ValueError(f"linear must have shape (d,), got {self.linear.shape}")
        d, states = self.linear.shape[0], self.chain.num_states
        for name, shape in (("hessian", (d, d)), ("masks", (states, d))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        if is_concrete(self.hessian):
            matrix = symmetric("hessian", self.hessian)
            if np.linalg.eigvalsh(matrix)[0] <= 0:
                raise ValueError("hessian must be symmetric and positive definite")
            object.__setattr__(self, "hessian", jnp.asarray(matrix, self.hessian.dtype))
        if is_concrete(self.masks) and is_concrete(self.chain.stationary):
            mean = host(self.chain.stationary) @ host(self.masks)
            rounding = float(np.finfo(self.masks.dtype).eps)
            if not np.abs(mean - 1.0).max() <= 100 * rounding * np.abs(host(self.masks)).max():
                raise ValueError(
                    "masks must average to one under the chain's stationary law (an oracle that is"
                    f" unbiased after mixing), got the averages {mean}"
                )

    @property
    def dim(self) -> int:
        return self.linear.shape[-1]

    @functools.cached_property
    def _solution(self) -> np.ndarray:
        return np.linalg.solve(host(self.hessian), host(self.linear))

    @property
    def solution(self) -> np.ndarray:
        return self._solution

    @property
    def optimum(self) -> float:
        return float(-0.5 * host(self.linear) @ self.solution)

    @property
    def strongly_convex(self) -> bool:
        return True

    def value(self, x: jax.Array) -> jax.Array:
        x = check_point(x, self.dim)
        return 0.5 * jnp.vdot(x, self.hessian @ x) - jnp.vdot(self.linear, x)

    def operator(self, x: jax.Array) -> jax.Array:
        return self.hessian @ check_point(x, self.dim) - self.linear

    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        return self.masks[check_state("state", state, self.chain.num_states)] * self.operator(x)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        spectrum = np.linalg.eigvalsh(host(self.hessian))
        return {
            "L": Constant(float(spectrum[-1]), "exact", derivation="largest eigenvalue"),
            "mu": Constant(float(spectrum[0]), "exact", derivation="smallest eigenvalue"),
            "sigma": Constant(0.0, "exact", derivation="the noise vanishes at x*"),
            "delta": Constant(
                float(np.abs(host(self.masks) - 1.0).max()),
                "exact",
                derivation="max |w - 1|: every gradient direction occurs",
            ),
            "tau": self.chain.constants["tau"],
        }


def masked_nesterov(
    chain: MarkovChain, dim: int, condition_number: float, strong_convexity: float = 1.0
) -> MaskedQuadratic:
    r"""Nesterov's worst quadratic, of which two states show the odd and the even coordinates.

    H = mu ((kappa - 1)/4 T + I) with T = tridiag(-1, 2, -1), b = mu (kappa - 1)/4 e_1. The last
    diagonal entry of T is (sqrt(kappa) + 3)/(sqrt(kappa) + 1), which makes x*_i = rho^i exactly at
    finite d too, rho = (sqrt(kappa) - 1)/(sqrt(kappa) + 1). Its eigenvalues lie in [mu, kappa mu];
    `constants` has the extreme ones. `optzoo.theorems.markovian_noise.D6` is what no method can
    beat.

    Args:
        chain: two states with equal stationary probabilities, as `two_state_switch`.
        dim: d >= 2.
        condition_number: kappa > 1.
        strong_convexity: mu > 0.

    Returns:
        The problem, with sigma = 0 and delta = 1.

    Raises:
        ValueError: if the chain is another one or a number is out of range.

    Example:
        >>> from optzoo.problems import masked_nesterov, two_state_switch
        >>> problem = masked_nesterov(two_state_switch(0.05), dim=3, condition_number=9.0)
        >>> problem.solution.round(12).tolist()
        [0.5, 0.25, 0.125]

    References:
        Nesterov, Lectures on Convex Optimization, 2.1.4; arXiv 2305.15938.
    """
    check_size("dim", dim)
    if dim < 2:
        raise ValueError(f"dim must be at least 2, got {dim}")
    if not (np.isfinite(condition_number) and condition_number > 1):
        raise ValueError(f"condition_number must be finite and above 1, got {condition_number!r}")
    check_scalar("strong_convexity", strong_convexity, positive=True)
    if chain.num_states != 2:
        raise ValueError(f"chain must have two states, got {chain.num_states}")
    root = np.sqrt(condition_number)
    tridiagonal = 2.0 * np.eye(dim) - np.eye(dim, k=1) - np.eye(dim, k=-1)
    tridiagonal[-1, -1] = (root + 3.0) / (root + 1.0)
    stiffness = strong_convexity * (condition_number - 1.0) / 4.0
    parity = np.arange(dim) % 2
    return MaskedQuadratic(
        chain,
        jnp.asarray(stiffness * tridiagonal + strong_convexity * np.eye(dim)),
        jnp.asarray(stiffness * (np.arange(dim) == 0)),
        jnp.asarray(2.0 * np.stack([1 - parity, parity])),
    )
