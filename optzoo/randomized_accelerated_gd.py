# SPDX-License-Identifier: Apache-2.0
r"""Randomized accelerated gradient descent, for gradients whose noise is Markovian.

    minimize f(x) = E_pi F(x, Z), f strongly convex, Z_1, Z_2, ... one trajectory of a chain.

With the step gamma, the modulus of strong convexity mu and the momentum scale p in (0, 1],

    beta  = sqrt(4 p^2 mu gamma / 3),   eta = sqrt(3 / (mu gamma)),
    theta = (p / eta - 1) / (beta p / eta - 1),

    x_g^k     = theta x_f^k + (1 - theta) x^k
    x_f^{k+1} = x_g^k - p gamma g^k,       g^k = the multilevel estimator at x_g^k
    x^{k+1}   = eta x_f^{k+1} + (p - eta) x_f^k + (1 - p)(1 - beta) x^k + (1 - p) beta x_g^k.

With p < 1 the accumulated momentum is damped, which is what keeps the method stable when the noise
grows with the gradient.

Differs from the paper:
 1. The choice of theta makes eta x_g + (p - eta) x_f = p [(1 - beta) x + beta x_g], so that the
    last line is x^{k+1} = (1 - beta) x^k + beta x_g^k - p gamma eta g^k. That is what is computed:
    it does not subtract large multiples of almost equal points.
 2. By p / eta = beta / 2, 1 - theta = beta (1 - beta) / (2 - beta^2), computed without
    cancellation.
 3. x_g^{k+1} is formed at the end of step k, because the parameters of an optax transformation
    are the point where the next gradient is taken.

References:
  Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with Markovian
  noise: from acceleration to variational inequalities", NeurIPS 2023, arXiv:2305.15938.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from ._arguments import (
    concrete_number,
    is_real,
    require_floating,
    require_gradients,
    require_positive,
    require_probability,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._find_state import find_state
from ._state_layout import require_own_state
from ._tree_vector import is_concrete
from ._wide_arithmetic import wide, wide_copy

__all__ = [
    "AcceleratedCoefficients",
    "RandomizedAcceleratedGDState",
    "accelerated_coefficients",
    "accelerated_eval_params",
    "randomized_accelerated_gd",
]


class AcceleratedCoefficients(NamedTuple):
    """Coefficients of `randomized_accelerated_gd`."""

    beta: Any
    eta: Any
    theta: Any
    one_minus_theta: Any  # accurate where theta is almost 1


class RandomizedAcceleratedGDState(NamedTuple):
    """State of `randomized_accelerated_gd`; the parameters themselves are x_g^k."""

    steps: jax.Array  # k, int32
    momentum_point: optax.Params  # x^k, float32 for 16-bit leaves
    output_point: optax.Params  # x_f^k, float32 for 16-bit leaves
    remainder: optax.Params  # x_g^k less the 16-bit parameters, float32; None for wider leaves


def accelerated_coefficients(
    learning_rate: Any, strong_convexity: Any, momentum_scale: Any = 1.0
) -> AcceleratedCoefficients:
    r"""The coefficients of the accelerated method, as functions of its three constants.

    .. math::
      \beta = \sqrt{\tfrac43 p^2 \mu \gamma}, \quad \eta = \sqrt{\frac{3}{\mu \gamma}}, \quad
      \theta = \frac{p/\eta - 1}{\beta p/\eta - 1} = \frac{2 - \beta}{2 - \beta^2}

    Args:
      learning_rate: gamma, a positive number or array, as are the next two.
      strong_convexity: mu.
      momentum_scale: p, at most 1.

    Returns:
      beta, eta, theta and 1 - theta, Python floats for numbers and arrays for arrays.

    Raises:
      TypeError: if a constant is not a real number.
      ValueError: if a constant is not positive.

    Example:
      >>> import optzoo
      >>> c = optzoo.accelerated_coefficients(learning_rate=0.75, strong_convexity=0.01)
      >>> round(c.beta, 6), round(c.eta, 6), round(c.theta, 6)
      (0.1, 20.0, 0.954774)

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938, Algorithm 1.
    """
    constants = {
        "learning_rate": learning_rate,
        "strong_convexity": strong_convexity,
        "momentum_scale": momentum_scale,
    }
    for name, value in constants.items():
        if not is_real(value):
            raise TypeError(f"{name} must be a positive number or an array, got {value!r}.")
        if isinstance(value, (int, float)):  # a plan asks thousands of times
            positive: Any = value > 0
        else:
            with jax.ensure_compile_time_eval():
                positive = jnp.all(jnp.asarray(value) > 0)
        if is_concrete(positive) and not bool(positive):
            raise ValueError(f"{name} must be positive, got {value}.")
    inverse_eta = (strong_convexity * learning_rate / 3) ** 0.5
    beta = 2 * momentum_scale * inverse_eta
    one_minus_theta = beta * (1 - beta) / (2 - beta**2)
    return AcceleratedCoefficients(beta, 1 / inverse_eta, 1 - one_minus_theta, one_minus_theta)


def randomized_accelerated_gd(
    learning_rate: ArrayLike, strong_convexity: ArrayLike, *, momentum_scale: ArrayLike = 1.0
) -> optax.GradientTransformationExtraArgs:
    r"""Accelerated gradient descent for gradients from `mlmc_gradient` or `mlmc_stream`.

    .. math::
      x_g^k &= \theta x_f^k + (1 - \theta) x^k, \\
      x_f^{k+1} &= x_g^k - p \gamma g^k, \\
      x^{k+1} &= (1 - \beta) x^k + \beta x_g^k - p \gamma \eta g^k,

    with the coefficients of `accelerated_coefficients`. The parameters are x_g, the point where
    the gradient is taken; all three points start there. The method's output is x_f:
    `accelerated_eval_params(state, params)`.

    To reach an error eps it takes of the order of sqrt(L/mu) log(1/eps) steps and a term for the
    noise, against L/mu for gradient descent. `AcceleratedGDBound` gives the constants that its
    theorem asks for. The three constants belong together, and a schedule of the step is not
    covered by the theory and raises. The method works under every optax wrapper.

    Args:
      learning_rate: gamma, in (0, 3/(4L)] for an L-smooth f.
      strong_convexity: mu, positive, at most L: mu gamma is at most 3/4.
      momentum_scale: p in (0, 1]; 1 is right unless the noise grows with the gradient.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32.

    Raises:
      TypeError: if a constant is a schedule, or not a number.
      ValueError: if a constant is out of range, the parameters are missing, or the gradients do
        not match them.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> curvature = jnp.array([1.0, 0.01])
      >>> def switch(key, z):  # +-1, changes its sign with probability 0.1
      ...     z = jnp.where(jax.random.bernoulli(key, 0.1), -z, z)
      ...     return z, z
      >>> estimate = optzoo.mlmc_gradient(
      ...     lambda x, z: (1 + 0.5 * z) * curvature * x, switch, batch_size=28, max_level=3)
      >>> method = optzoo.randomized_accelerated_gd(0.75, 0.01, momentum_scale=0.8)
      >>> x, z = jnp.ones(2), 1
      >>> state = method.init(x)
      >>> @jax.jit
      ... def step(x, state, z, key):
      ...     gradient, z, info = estimate(key, x, z)
      ...     updates, state = method.update(gradient, state, x)
      ...     return optax.apply_updates(x, updates), state, z
      >>> for k in range(150):
      ...     x, state, z = step(x, state, z, jax.random.fold_in(jax.random.key(0), k))
      >>> bool(jnp.linalg.norm(optzoo.accelerated_eval_params(state, x)) < 1e-4)
      True

    References:
      Beznosikov, Samsonov, Sheshukova, Gasnikov, Naumov, Moulines, "First order methods with
      Markovian noise", NeurIPS 2023, arXiv:2305.15938, Algorithm 1.
    """
    require_positive("learning_rate", learning_rate)
    require_positive("strong_convexity", strong_convexity)
    require_probability("momentum_scale", momentum_scale)
    gamma = concrete_number("learning_rate", learning_rate)
    mu = concrete_number("strong_convexity", strong_convexity)
    if gamma is not None and mu is not None and gamma * mu > 0.75 * (1 + 1e-6):
        raise ValueError(
            "learning_rate * strong_convexity must be at most 3/4, because the step is at most "
            f"3/(4L) and L is at least mu; got {gamma} * {mu} = {gamma * mu}."
        )
    p = momentum_scale

    def init_fn(params: optax.Params) -> RandomizedAcceleratedGDState:
        require_floating(params)
        return RandomizedAcceleratedGDState(
            steps=jnp.zeros([], jnp.int32),
            momentum_point=wide_copy(params),
            output_point=wide_copy(params),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: RandomizedAcceleratedGDState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, RandomizedAcceleratedGDState]:
        del extra_args
        params = require_gradients("randomized_accelerated_gd", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        beta, eta, _, one_minus_theta = accelerated_coefficients(learning_rate, strong_convexity, p)
        short_step = p * learning_rate
        long_step = short_step * eta

        x, x_g = state.momentum_point, iterate(params, state.remainder)
        g = wide(updates, params)

        new_x_f = _subtract(x_g, short_step, g)  # x_f = x_g - p gamma g
        new_x = _subtract(_between(x, x_g, beta), long_step, g)
        new_x_g = _between(new_x_f, new_x, one_minus_theta)  # theta x_f + (1 - theta) x

        new_updates, remainder = step_to(new_x_g, params)
        return new_updates, RandomizedAcceleratedGDState(
            optax.safe_increment(state.steps), new_x, new_x_f, remainder
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def accelerated_eval_params(state: optax.OptState, params: optax.Params) -> optax.Params:
    r"""The output of `randomized_accelerated_gd`: the point x_f, to be evaluated and kept.

    .. math:: x_f^{k+1} = x_g^k - p \gamma g^k

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters, x_g.

    Returns:
      x_f, with the tree and the dtypes of the parameters.

    Raises:
      ValueError: if the state holds no state of this method, or more than one.

    Example:
      >>> import jax.numpy as jnp, optax, optzoo
      >>> method = optax.chain(optax.clip(1.0), optzoo.randomized_accelerated_gd(0.5, 0.1))
      >>> x = jnp.array([2.0])
      >>> updates, state = method.update(x, method.init(x), x)
      >>> x = optax.apply_updates(x, updates)
      >>> float(optzoo.accelerated_eval_params(state, x)[0])
      1.5
    """
    found = find_state(state, RandomizedAcceleratedGDState)
    return jax.tree.map(lambda p, x_f: x_f.astype(p.dtype), params, found.output_point)


def _between(start: optax.Params, end: optax.Params, fraction: Any) -> optax.Params:
    return jax.tree.map(
        lambda a, b: a + jnp.asarray(fraction).astype(a.dtype) * (b - a), start, end
    )


def _subtract(point: optax.Params, step_size: Any, direction: optax.Updates) -> optax.Params:
    return jax.tree.map(
        lambda a, g: a - jnp.asarray(step_size).astype(a.dtype) * g, point, direction
    )
