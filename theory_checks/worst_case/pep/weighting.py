# SPDX-License-Identifier: Apache-2.0
r"""The quadratic program over the simplex by which an envelope of parabolas is evaluated.

.. math:: \min_{a \ge 0, \; 1^T a = 1} \tfrac12 a^T G a - s^T a

by the predictor and corrector of an interior-point method, on the conditions

.. math:: G a - s + t 1 = z, \qquad 1^T a = 1, \qquad a_i z_i = \nu \to 0, \quad a, z \ge 0.

Round-off is reached in 8 steps for two samples and in 14 for forty, which have 2^40 supports. That
samples of a worst case nearly agree, so that G is singular as far as the arithmetic can tell, does
not matter in the interior, where z_i / a_i stands on the diagonal.

References:
  Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optimization
  1992.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["best_weights"]

STEPS = 30
"""More than it takes: the products underflow then, and a step that is not finite is not taken."""
BORDER = 0.995
"""How far of the way to the border of the positive numbers a step goes."""


class _Iterate(NamedTuple):
    a: jax.Array
    t: jax.Array
    z: jax.Array


def best_weights(gram: jax.Array, slope: jax.Array) -> jax.Array:
    """The weights of the simplex at which the program has its minimum.

    Args:
        gram: G, positive semidefinite, shape (m, m), float64.
        slope: s, shape (m,), float64.

    Returns:
        a, shape (m,). Where several are best, one inside of their set.

    Example:
        >>> with jax.enable_x64(True):
        ...     best_weights(jnp.eye(2), jnp.array([0.5, 0.0])).round(6).tolist()
        [0.75, 0.25]
        >>> with jax.enable_x64(True):
        ...     best_weights(jnp.zeros((3, 3)), jnp.array([0.0, 1.0, 0.5])).round(6).tolist()
        [0.0, 1.0, 0.0]
    """
    m = len(slope)
    scale = jnp.maximum(jnp.max(jnp.abs(gram)), jnp.max(jnp.abs(slope)))
    scale = jnp.where(scale > 0, scale, 1)
    gram, slope = gram / scale, slope / scale

    def direction(at: _Iterate, products: jax.Array) -> _Iterate:
        """Newton's, towards products a_i z_i that change by so much."""
        system = jnp.block(
            [
                [gram + jnp.diag(at.z / at.a), jnp.ones((m, 1))],
                [jnp.ones((1, m)), jnp.zeros((1, 1))],
            ]
        )
        missed = slope - gram @ at.a - at.t + at.z
        right = jnp.append(missed + products / at.a, 1 - jnp.sum(at.a))
        solution = jnp.linalg.solve(system, right)
        of_a = solution[:m]
        return _Iterate(of_a, solution[m], (products - at.z * of_a) / at.a)

    def step(_: int, at: _Iterate) -> _Iterate:
        now = at.a @ at.z / m
        ahead = direction(at, -at.a * at.z)
        reached = _moved(at, ahead, _longest(at, ahead))
        centred = (reached.a @ reached.z / m / now) ** 3 * now
        ahead = direction(at, centred - at.a * at.z - ahead.a * ahead.z)
        new = _moved(at, ahead, BORDER * _longest(at, ahead))
        gains = jnp.all(jnp.isfinite(new.a)) & jnp.all(jnp.isfinite(new.z))
        return _Iterate(*(jnp.where(gains, one, other) for one, other in zip(new, at, strict=True)))

    middle = _Iterate(jnp.full(m, 1 / m), jnp.zeros(()), jnp.ones(m))
    weights = jax.lax.fori_loop(0, STEPS, step, middle).a
    return weights / jnp.sum(weights)


def _longest(at: _Iterate, ahead: _Iterate) -> jax.Array:
    """The longest step, at most 1, that keeps a and z positive."""
    numbers, changes = jnp.append(at.a, at.z), jnp.append(ahead.a, ahead.z)
    falls = changes < 0
    return jnp.min(jnp.where(falls, -numbers / jnp.where(falls, changes, -1), 1), initial=1)


def _moved(at: _Iterate, ahead: _Iterate, length: jax.Array) -> _Iterate:
    return _Iterate(*(number + length * change for number, change in zip(at, ahead, strict=True)))
