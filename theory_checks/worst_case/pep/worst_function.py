# SPDX-License-Identifier: Apache-2.0
r"""From the solution of the semidefinite program back to a function that can be run.

Points x_i with gradients g_i and values f_i that fulfil the conditions of the convex L-smooth
functions are those of

.. math:: f(x) = \min_{a \in \Delta} \tfrac L2 \Bigl|x - \sum_i a_i (x_i - g_i / L)\Bigr|^2
    + \sum_i a_i \Bigl(f_i - \frac{|g_i|^2}{2L}\Bigr),

an envelope of finitely many parabolas with its largest curvature L. A curvature from below, mu
(negative for non-convex functions), is first taken off and added again: f - mu |x|^2 / 2 is convex
and (L - mu)-smooth.

References:
  Taylor, Hendrickx, Glineur, "Smooth strongly convex interpolation and exact worst-case
  performance of first-order methods", Math. Programming 2017.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.lmo import vertex_polytope

from .classes import SmoothClass
from .weighting import best_weights

if TYPE_CHECKING:
    from .solve import Samples, WorstCase

__all__ = ["Envelope", "envelope", "hull"]

Array = NDArray[np.float64]


@jax.tree_util.register_dataclass  # so that functions of as many samples share a program
@dataclass(frozen=True, eq=False)
class Envelope:
    """The function of a class that has the given points, gradients and values.

    Args:
        curvature: mu, negative for non-convex functions.
        smoothness: L.
        centres: of the parabolas, x_i - g'_i / (L - mu), (m, d).
        offsets: of the parabolas, f'_i - |g'_i|^2 / (2 (L - mu)), (m,).

    Example:
        >>> one = Envelope(0.0, 2.0, jnp.zeros((1, 2)), jnp.zeros(1))
        >>> float(one(jnp.array([3.0, 4.0])))
        25.0
    """

    curvature: float
    smoothness: float
    centres: jax.Array
    offsets: jax.Array

    @jax.jit
    def __call__(self, x: jax.Array) -> jax.Array:
        """The value; its derivative in JAX is the gradient."""
        stretch = self.smoothness - self.curvature
        gram = stretch * self.centres @ self.centres.T
        weights = best_weights(gram, stretch * self.centres @ x - self.offsets)
        weights = jax.lax.stop_gradient(weights)  # by Danskin's theorem
        squared = jnp.sum((x - weights @ self.centres) ** 2)
        convex = stretch / 2 * squared + jnp.sum(weights * self.offsets)
        return convex + self.curvature / 2 * jnp.sum(x**2)

    @jax.jit
    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient."""
        return jax.grad(self.__call__)(x)


def envelope(kind: SmoothClass, samples: "Samples") -> Envelope:
    """The function of the class with these samples.

    Args:
        kind: the class.
        samples: of one component of a worst case.

    Returns:
        The function, in float64.

    Raises:
        ValueError: if the class is one of operators.
    """
    if not kind.has_values:
        raise ValueError(f"{kind!r} is a class of operators: see worst_operator.")
    mu, stretch = kind.curvature, kind.L - kind.curvature
    gradients = samples.gradients - mu * samples.points
    values = samples.values - mu / 2 * np.sum(samples.points**2, axis=1)
    with jax.enable_x64(True):
        return Envelope(
            mu,
            kind.L,
            jnp.asarray(samples.points - gradients / stretch),
            jnp.asarray(values - np.sum(gradients**2, axis=1) / (2 * stretch)),
        )


def hull(worst: "WorstCase") -> vertex_polytope:
    """The set on which a worst case over sets is attained.

    Args:
        worst: a worst case over an `OverSet`.

    Returns:
        The hull of the start, the solution and the oracle's answers, in this order.

    Raises:
        ValueError: if no oracle was asked.
    """
    if worst.answers.size == 0 or worst.minimizer is None:
        raise ValueError("the method asked no linear oracle, there is no set to be made of it.")
    with jax.enable_x64(True):
        return vertex_polytope(
            jnp.asarray(np.vstack([worst.start, worst.minimizer, worst.answers]))
        )
