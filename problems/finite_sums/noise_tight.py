# SPDX-License-Identifier: Apache-2.0
"""A one-dimensional problem on which variance-reduced bounds are nearly attained."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from .._arguments import check_indices, check_point, check_scalar, check_size, host
from ..constant import Constant
from ..pytree import pytree_dataclass
from .finite_sum import FiniteSum

__all__ = ["NoiseTight"]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class NoiseTight(FiniteSum):
    r"""f_i(x) = c x + sigma z_i x^2 / 2 on [-1, 1], z_i = +1 for i < n/2 and -1 for the others.

    f(x) = c x is linear, so that L = 0, while the gradients differ: L_pm = L_tilde = sigma. With
    D = 2 the only error of a Frank-Wolfe step is the estimator's, and a slope tuned to the horizon,
    of the size of sigma times the last step, lets it choose the wrong end of the interval as often
    as its bound allows.

    Args:
        slope: c.
        noise: sigma >= 0.
        num_samples: n, even and at least 2; static.

    Raises:
        ValueError: if a number is not finite, `noise` is negative or `num_samples` is not even.

    Example:
        >>> problem = NoiseTight(slope=0.25, noise=2.0, num_samples=8)
        >>> problem.optimum, problem.constants["L_pm"].value
        (-0.25, 2.0)
    """

    slope: jax.Array | float
    noise: jax.Array | float = 1.0
    num_samples: int = dataclasses.field(default=2, metadata={"static": True})

    def __post_init__(self) -> None:
        check_scalar("slope", self.slope)
        check_scalar("noise", self.noise, at_least=0.0)
        check_size("num_samples", self.num_samples, even=True)

    @property
    def dim(self) -> int:
        return 1

    @property
    def convex(self) -> bool:
        return True

    @property
    def lower_bound(self) -> float:
        """The minimum of f over [-1, 1]; f has no lower bound outside its domain."""
        return self.optimum

    @property
    def optimum(self) -> float:
        """The minimum of f over [-1, 1], -|c|."""
        return -abs(float(host(self.slope)))

    def value(self, x: jax.Array) -> jax.Array:
        return (self.slope * check_point(x, 1))[0]

    def gradient(self, x: jax.Array) -> jax.Array:
        return self.slope + jnp.zeros_like(check_point(x, 1))

    def sample_gradients(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        x = check_point(x, 1)
        signs = self._signs(check_indices(indices, self.num_samples)).astype(x.dtype)
        return self.slope + self.noise * signs[:, None] * x[None, :]

    def batch_gradient(self, x: jax.Array, indices: ArrayLike) -> jax.Array:
        x = check_point(x, 1)
        signs = self._signs(check_indices(indices, self.num_samples)).astype(x.dtype)
        return self.slope + self.noise * signs.mean() * x

    def _signs(self, indices: jax.Array) -> jax.Array:
        return jnp.where(indices < self.num_samples // 2, 1, -1)

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        noise = float(host(self.noise))
        return {
            "L": Constant(0.0, "exact", derivation="f is linear"),
            "L_tilde": Constant(noise, "exact", derivation="every |f_i''| is sigma"),
            "L_pm": Constant(noise, "exact", derivation="every |f_i''| is sigma and f'' = 0"),
        }

    def _extremal_point(self) -> np.ndarray:
        return np.zeros(1)
