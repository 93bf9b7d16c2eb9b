# SPDX-License-Identifier: Apache-2.0
"""Diagonal quadratics under Markovian noise, additive or proportional to the gradient."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as HostArrayLike

from .._arguments import check_point, check_scalar, check_size, check_state, host, is_concrete
from ..constant import Constant
from ..pytree import pytree_dataclass
from .markov_chain import MarkovChain
from .markov_chain_families import lazy_resample
from .markovian_noise import MarkovianObjective, centred_values

__all__ = [
    "MarkovianQuadratic",
    "additive_noise_quadratic",
    "check_noise",
    "check_noise_values",
    "multiplicative_noise_quadratic",
    "sign_testing_quadratic",
]


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class MarkovianQuadratic(MarkovianObjective):
    r"""grad F(x, z) = (1 + m_z) H (x - c) + a_z v, H = diag(h) >= 0, f(x) = (x-c)'H(x-c) / 2.

    sigma = max_z |a_z| |v| and delta = max_z |m_z|, exactly: in each state of the chain only one of
    the two noises may be present. Zero eigenvalues are allowed; then f is Polyak-Lojasiewicz with
    mu the smallest positive one, but not strongly convex.

    Args:
        chain: the chain of z.
        eigenvalues: h >= 0, not all zero, shape (d,).
        centre: c, shape (d,); a minimizer.
        direction: v, shape (d,).
        additive: a_z, stationary mean zero, shape (K,).
        multiplicative: m_z, stationary mean zero, shape (K,).

    Raises:
        ValueError: if a shape is wrong, an eigenvalue is negative, a noise has a mean, or both
            noises are present in one state.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import MarkovianQuadratic, two_state_switch
        >>> problem = MarkovianQuadratic(
        ...     two_state_switch(0.1), jnp.array([1.0, 4.0]), jnp.zeros(2), jnp.array([1.0, 0.0]),
        ...     additive=jnp.array([2.0, -2.0]), multiplicative=jnp.zeros(2))
        >>> problem.sample_gradient(jnp.array([1.0, 1.0]), 1).tolist()
        [-1.0, 4.0]
        >>> [problem.constants[name].value for name in ("L", "mu", "sigma", "delta", "tau")]
        [4.0, 1.0, 2.0, 0.0, 7.0]
    """

    chain: MarkovChain
    eigenvalues: jax.Array
    centre: jax.Array
    direction: jax.Array
    additive: jax.Array
    multiplicative: jax.Array

    def __post_init__(self) -> None:
        for name in ("eigenvalues", "centre", "direction", "additive", "multiplicative"):
            object.__setattr__(self, name, jnp.asarray(getattr(self, name), dtype=float))
        if self.eigenvalues.ndim != 1 or self.eigenvalues.size == 0:
            raise ValueError(f"eigenvalues must have shape (d,), got {self.eigenvalues.shape}")
        for name in ("centre", "direction"):
            check_shape(name, getattr(self, name), self.eigenvalues.shape)
        if is_concrete(self.eigenvalues):
            spectrum = host(self.eigenvalues)
            if not (np.all(np.isfinite(spectrum) & (spectrum >= 0)) and spectrum.max() > 0):
                raise ValueError(
                    f"eigenvalues must be finite, at least 0 and not all 0, got {spectrum}"
                )
        check_noise(self.chain, self.additive, self.multiplicative, "delta^2 |grad f|^2")

    @property
    def dim(self) -> int:
        return self.eigenvalues.shape[-1]

    @property
    def solution(self) -> np.ndarray:
        return host(self.centre)

    @property
    def optimum(self) -> float:
        return 0.0

    @property
    def strongly_convex(self) -> bool:
        return bool(host(self.eigenvalues).min() > 0)

    def value(self, x: jax.Array) -> jax.Array:
        error = check_point(x, self.dim) - self.centre
        return 0.5 * jnp.vdot(error, self.eigenvalues * error)

    def operator(self, x: jax.Array) -> jax.Array:
        return self.eigenvalues * (check_point(x, self.dim) - self.centre)

    def sample_operator(self, x: jax.Array, state: ArrayLike) -> jax.Array:
        state = check_state("state", state, self.chain.num_states)
        scale = 1.0 + self.multiplicative[state]
        return scale * self.operator(x) + self.additive[state] * self.direction

    @functools.cached_property
    def constants(self) -> dict[str, Constant]:
        spectrum = host(self.eigenvalues)
        length = float(np.linalg.norm(host(self.direction)))
        return {
            "L": Constant(float(spectrum.max()), "exact", derivation="largest eigenvalue"),
            "mu": Constant(
                float(spectrum[spectrum > 0].min()), "exact", derivation="smallest one > 0"
            ),
            "sigma": Constant(
                float(np.abs(host(self.additive)).max()) * length,
                "exact",
                derivation="max_z |a_z| |v|",
            ),
            "delta": Constant(
                float(np.abs(host(self.multiplicative)).max()),
                "exact",
                derivation="max_z |m_z|",
            ),
            "tau": self.chain.constants["tau"],
        }


def additive_noise_quadratic(
    chain: MarkovChain,
    eigenvalues: HostArrayLike,
    sigma: float = 1.0,
    *,
    values: HostArrayLike | None = None,
    direction: HostArrayLike | None = None,
) -> MarkovianQuadratic:
    r"""f(x) = x'Hx / 2 with gradients H x + sigma zeta_z v, v the flattest direction by default.

    Noise along the eigenvector of mu is the direction in which the bounds under strong convexity
    are closest to the truth. With zero eigenvalues it is a least-squares problem without full rank.

    Args:
        chain: the chain of z.
        eigenvalues: the diagonal of H, at least 0, shape (d,).
        sigma: largest norm of the noise, at least 0.
        values: zeta up to centring and scale, see `centred_values`; shape (K,).
        direction: v up to scale, shape (d,); None is the eigenvector of the smallest positive
            eigenvalue.

    Returns:
        The problem, with delta = 0.

    Raises:
        ValueError: if an argument has the wrong shape, `direction` is zero or `sigma` negative.

    Example:
        >>> from optzoo.problems import additive_noise_quadratic, two_state_switch
        >>> problem = additive_noise_quadratic(two_state_switch(0.05), [0.1, 1.0], sigma=2.0)
        >>> problem.constants["sigma"].value, problem.constants["tau"].value
        (2.0, 14.0)
    """
    check_scalar("sigma", sigma, at_least=0.0)
    spectrum = host(eigenvalues)
    if direction is None:
        positive = np.where(spectrum > 0, spectrum, np.inf)
        towards = (np.arange(len(spectrum)) == np.argmin(positive)).astype(np.float64)
    else:
        towards = host(direction)
        if not np.linalg.norm(towards) > 0:
            raise ValueError("direction must not be zero")
        towards = towards / np.linalg.norm(towards)
    zeta = centred_values(chain, values)
    return MarkovianQuadratic(
        chain,
        jnp.asarray(spectrum),
        jnp.zeros(spectrum.shape),
        jnp.asarray(towards),
        jnp.asarray(sigma * zeta),
        jnp.zeros(chain.num_states),
    )


def multiplicative_noise_quadratic(
    chain: MarkovChain,
    eigenvalues: HostArrayLike,
    delta: float,
    *,
    values: HostArrayLike | None = None,
) -> MarkovianQuadratic:
    r"""f(x) = x'Hx / 2 with gradients (1 + delta zeta_z) H x; for delta > 1 some point uphill.

    Args:
        chain: the chain of z.
        eigenvalues: the diagonal of H, at least 0, shape (d,).
        delta: the factor, at least 0.
        values: zeta up to centring and scale, see `centred_values`; shape (K,).

    Returns:
        The problem, with sigma = 0.

    Raises:
        ValueError: if an argument has the wrong shape or `delta` is negative.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import multiplicative_noise_quadratic, two_state_switch
        >>> problem = multiplicative_noise_quadratic(two_state_switch(0.05), [1.0], delta=2.0)
        >>> problem.sample_gradient(jnp.array([1.0]), 1).tolist()
        [-1.0]
    """
    check_scalar("delta", delta, at_least=0.0)
    spectrum = host(eigenvalues)
    zeros = jnp.zeros(spectrum.shape)
    return MarkovianQuadratic(
        chain,
        jnp.asarray(spectrum),
        zeros,
        zeros,
        jnp.zeros(chain.num_states),
        jnp.asarray(delta * centred_values(chain, values)),
    )


def sign_testing_quadratic(
    sign: int, mixing_time: int, horizon: int, *, curvature: float = 1.0, scale: float = 1.0
) -> MarkovianQuadratic:
    r"""One of two problems that T samples can hardly tell apart: a lower bound from testing.

    f_v(x) = (mu/2) x^2 - v s e x for v = +1 or -1, seen through mu x - s Z with Z in {-1, +1}; the
    chain keeps Z with probability 4^(-1/tau) and else redraws it with mean v e. With
    e^2 = 1/(4.5 n), n = 1 + (T - 1)(1 - 4^(-1/tau)), every algorithm has

        max over v of E |x_T - x*_v|^2 >= s^2 / (9 mu^2 n),   x*_v = v s e / mu.

    The maximum over the two signs matters: a constant guess is good for one of them. State 0 is
    Z = -1, state 1 is Z = +1; the chain starts from its stationary law.

    Args:
        sign: v, -1 or 1.
        mixing_time: tau, at least 1.
        horizon: the number T of samples, at least 1.
        curvature: mu > 0.
        scale: s > 0.

    Returns:
        The problem, d = 1, with sigma = s (1 + e).

    Raises:
        ValueError: if `sign` is not -1 or 1, or a number is not positive.

    Example:
        >>> from optzoo.problems import sign_testing_quadratic
        >>> problem = sign_testing_quadratic(1, mixing_time=20, horizon=400)
        >>> problem.chain.mixing_time, round(float(problem.solution[0]), 4)
        (20, 0.0895)

    References:
        Le Cam's two-point method, as in Yu, Festschrift for Lucien Le Cam (1997);
        arXiv 2305.15938 (the term tau sigma^2 / (mu^2 eps) that it shows to be necessary).
    """
    if sign not in (-1, 1):
        raise ValueError(f"sign must be -1 or 1, got {sign!r}")
    check_size("mixing_time", mixing_time)
    check_size("horizon", horizon)
    check_scalar("curvature", curvature, positive=True)
    check_scalar("scale", scale, positive=True)
    redraw = 1.0 - 4.0 ** (-1.0 / mixing_time)
    bias = sign / np.sqrt(4.5 * (1.0 + (horizon - 1) * redraw))
    chain = lazy_resample([(1.0 - bias) / 2, (1.0 + bias) / 2], redraw)
    return MarkovianQuadratic(
        chain,
        jnp.array([curvature]),
        jnp.array([scale * bias / curvature]),
        jnp.ones(1),
        jnp.asarray(-scale * (np.array([-1.0, 1.0]) - bias)),
        jnp.zeros(2),
    )


def check_noise(
    chain: MarkovChain, additive: jax.Array, multiplicative: jax.Array, growth: str
) -> None:
    """Refuses noise with a mean, and states with noise of both kinds.

    Args:
        chain: the chain of z.
        additive: finite, shape (K,).
        multiplicative: finite, shape (K,).
        growth: the term of the noise's bound that multiplicative noise attains.

    Raises:
        ValueError: as `check_noise_values`, or if a state carries both kinds.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import two_state_switch
        >>> signs = jnp.array([1.0, -1.0])
        >>> check_noise(two_state_switch(0.1), signs, 0 * signs, "delta^2 |grad f|^2")
    """
    check_noise_values(chain, "additive", additive)
    check_noise_values(chain, "multiplicative", multiplicative)
    if is_concrete(additive) and is_concrete(multiplicative):
        both = (host(additive) != 0) & (host(multiplicative) != 0)
        if both.any():
            raise ValueError(
                "a state may carry additive or multiplicative noise, not both: together they"
                f" exceed sigma^2 + {growth}, which each of them attains; state"
                f" {int(np.argmax(both))} has both"
            )


def check_noise_values(chain: MarkovChain, name: str, values: jax.Array) -> None:
    """Refuses a noise that does not average to zero under the stationary law.

    Args:
        chain: the chain of z.
        name: what to call the values in the message.
        values: finite, shape (K,).

    Raises:
        ValueError: if the shape is wrong, or the stationary mean is not zero: the oracle would be
            biased even after mixing.

    Example:
        >>> import jax.numpy as jnp
        >>> from optzoo.problems import two_state_switch
        >>> check_noise_values(two_state_switch(0.1), "noise", jnp.array([1.0, -1.0]))
    """
    check_shape(name, values, (chain.num_states,))
    if not (is_concrete(values) and is_concrete(chain.stationary)):
        return
    numbers = host(values)
    if not np.all(np.isfinite(numbers)):
        raise ValueError(f"{name} must be finite, got {numbers}")
    mean = float(host(chain.stationary) @ numbers)
    # float32 values of a float64 law average to zero up to their own rounding.
    rounding = float(np.finfo(values.dtype).eps)
    if abs(mean) > 100 * rounding * np.abs(numbers).max():
        raise ValueError(
            f"{name} must have mean zero under the chain's stationary law (an oracle that is"
            f" unbiased after mixing), got mean {mean:g}"
        )


def check_shape(name: str, array: jax.Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
