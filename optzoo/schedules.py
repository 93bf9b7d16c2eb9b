# SPDX-License-Identifier: Apache-2.0
"""Step sizes of Frank-Wolfe methods: sequences in [0, 1] that are fixed before the run.

The theorems ask for predetermined steps; those that look at the function are in `step_rules.py`.
"""

import jax
import jax.numpy as jnp
import optax

from ._arguments import concrete_number, require_probability

__all__ = ["open_loop_schedule", "stich_schedule"]


def open_loop_schedule(offset: jax.typing.ArrayLike = 2.0) -> optax.Schedule:
    r"""The open-loop step of Frank-Wolfe, 2 / (k + offset).

    .. math:: \eta_k = \frac{2}{k + c}

    With c = 2 it is the classical step, with c = 4/p the one that the closed-form bound of Sarah
    Frank-Wolfe with restart probability p is stated for.

    Args:
      offset: c, a number of at least 2 (so that the first step is at most 1).

    Returns:
      A schedule: step count (integer scalar) -> step size (floating scalar).

    Raises:
      ValueError: if the offset is below 2 or not finite.

    Example:
      >>> import optzoo
      >>> [round(float(optzoo.open_loop_schedule()(k)), 3) for k in (0, 1, 8)]
      [1.0, 0.667, 0.2]

    References:
      Jaggi, "Revisiting Frank-Wolfe", ICML 2013.
    """
    number = concrete_number("offset", offset)
    if number is not None and not 2.0 <= number < float("inf"):
        raise ValueError(f"offset must be finite and at least 2, got {number}.")

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        return 2.0 / (jnp.asarray(count, dtype=float) + offset)

    return schedule


def stich_schedule(
    horizon: jax.typing.ArrayLike, restart_probability: jax.typing.ArrayLike
) -> optax.Schedule:
    r"""Constant, then decreasing: the step that forgets the start at a linear rate.

    .. math::
      \eta_k = \begin{cases} 1/d & k < k_0 \text{ or } K \le d, \\
      \dfrac{2}{2d + k - k_0} & \text{otherwise,} \end{cases}
      \qquad d = \frac 2p, \quad k_0 = \lceil K/2 \rceil.

    Args:
      horizon: K, the number of steps that will be taken (positive).
      restart_probability: p in (0, 1], the one given to Sarah Frank-Wolfe.

    Returns:
      A schedule: step count (integer scalar) -> step size (floating scalar), at most p/2.

    Raises:
      ValueError: if the horizon is not positive or p is outside (0, 1].

    Example:
      >>> import optzoo
      >>> schedule = optzoo.stich_schedule(horizon=100, restart_probability=0.1)
      >>> [round(float(schedule(k)), 4) for k in (0, 49, 50, 90)]
      [0.05, 0.05, 0.05, 0.025]

    References:
      Stich, "Unified optimal analysis of the (stochastic) gradient method", arXiv:1907.04232.
      Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe", ICML 2024, arXiv:2304.11737.
    """
    steps = concrete_number("horizon", horizon)
    if steps is not None and not steps >= 1:
        raise ValueError(f"horizon must be at least 1, got {steps}.")
    require_probability("restart_probability", restart_probability)

    def schedule(count: jax.typing.ArrayLike) -> jax.Array:
        k = jnp.asarray(count, dtype=float)
        d = 2.0 / jnp.asarray(restart_probability, dtype=float)
        total = jnp.asarray(horizon, dtype=float)
        k0 = jnp.ceil(total / 2)
        constant = (k < k0) | (total <= d)
        return jnp.where(constant, 1 / d, 2 / (2 * d + jnp.maximum(k - k0, 0.0)))

    return schedule
