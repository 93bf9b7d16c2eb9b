# SPDX-License-Identifier: Apache-2.0
"""Quadratics whose Hessians differ by random signs: every constant in closed form."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_indices, check_point, check_scalar, check_size, host, is_concrete
from ..constant import Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum

__all__ = ["SignQuadratic", "random_sign_quadratic"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SignQuadratic(FiniteSum):
    r"""f_i(x) = x'(q I + sigma diag(s_i)) x / 2 with signs that cancel: s_{i+n/2} = -s_i.

    Hence f(x) = q |x|^2 / 2, and exactly L = |q|, L_pm = sigma, L_tilde = sqrt(q^2 + sigma^2). The
    batch noise of gradient differences is (1/n) sum_i |d_i - mean|^2 = sigma^2 |x - y|^2 at every
    pair of points.

    Args:
        half_signs: the first n/2 rows s_i, entries -1 or +1, shape (n/2, d).
        curvature: q, of either sign.
        noise: sigma >= 0.

    Raises:
        ValueError: if `half_signs` is not a non-empty matrix of -1 and +1, or a number is not
            finite, or `noise` is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> problem = SignQuadratic(jnp.array([[1.0, -1.0]]), curvature=3.0, noise=4.0)
        >>> problem.num_samples, problem.constants["L_tilde"].value, problem.simplex_optimum
        (2, 5.0, 0.75)
    """

    half_signs: jax.Array
    curvature: jax.Array | float
    noise: jax.Array | float

    def __post_init__(self) -> None:
        check_scalar("curvature", self.curvature)
        check_scalar("noise", self.noise, at_least=0.0)
        if is_concrete(self.half_signs):
            signs = np.asarray(self.half_signs)
            if signs.ndim != 2 or signs.size == 0:
                raise ValueError(f"half_signs must have shape (n/2, d), got {signs.shape}")
            if not np.all(np.abs(signs) == 1):
                raise ValueError("half_signs must contain only -1 and +1")
            object.__setattr__(self, "half_signs", jnp.asarray(self.half_signs))

    @property
    def num_samples(self) -> int:
        return 2 * self.half_signs.shape[0]

    @property
    def dim(self) -> int:
        return self.half_signs.shape[1]

    @property
    def convex(self) -> bool:
        return bool(host(self.curvature) >= 0)

    @property
    def lower_bound(self) -> float:
        return 0.0 if self.convex else -float("inf")

    @property
    def simplex_optimum(self) -> float:
        """The minimum over the unit simplex: q/(2d) at its centre if q >= 0, else q/2."""
        curvature = float(host(self.curvature))
        return curvature / (2 * self.dim) if curvature >= 0 else curvature / 2

    def value(self, x: jax.Array) -> jax.Array:
        x = check_point(x, self.dim)
        return 0.5 * self.curvature * jnp.vdot(x, x)

    def gradient(self, x: jax.Array) -> jax.Array:
        return self.curvature * check_point(x, self.dim)

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        x = check_point(x, self.dim)
        signs = self._signs(check_indices(indices, self.num_samples))
        return (self.curvature + self.noise * signs) * x[None, :]

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        x = check_point(x, self.dim)
        signs = self._signs(check_indices(indices, self.num_samples))
        return (self.curvature + self.noise * signs.mean(axis=0)) * x

    def _signs(self, indices: jax.Array) -> jax.Array:
        half = self.num_samples // 2
        sign = jnp.where(indices < half, 1, -1).astype(self.half_signs.dtype)
        return sign[:, None] * self.half_signs[indices % half]

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        curvature, noise = abs(float(host(self.curvature))), float(host(self.noise))
        return {
            "L": Constant(curvature, "exact", derivation="|q|: the signs cancel in f"),
            "L_tilde": Constant(
                float(np.hypot(curvature, noise)),
                "exact",
                derivation="sqrt(q^2 + sigma^2): the mean of (q + sigma s)^2 over balanced signs",
            ),
            "L_pm": Constant(noise, "exact", derivation="sigma: the mean of (sigma s)^2"),
        }

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(self.dim)


def random_sign_quadratic(
    num_samples: int, dim: int, seed: int, *, curvature: float = 1.0, noise: float = 1.0
) -> SignQuadratic:
    """A sign quadratic with independent uniform signs in its first half.

    Args:
        num_samples: n, even and at least 2.
        dim: d >= 1.
        seed: seed of the signs.
        curvature: q, of either sign.
        noise: sigma >= 0.

    Returns:
        The problem; its signs are float64 where x64 is enabled.

    Raises:
        ValueError: if `num_samples` is odd or a size is not positive.

    Example:
        >>> random_sign_quadratic(6, 2, seed=1).half_signs.shape
        (3, 2)
    """
    check_size("num_samples", num_samples, even=True)
    check_size("dim", dim)
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(num_samples // 2, dim))
    return SignQuadratic(jnp.asarray(signs), curvature, noise)
