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

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.lmo import vertex_polytope

from .classes import SmoothClass

if TYPE_CHECKING:
    from .solve import Samples, WorstCase

__all__ = ["Envelope", "envelope", "hull"]

Array = NDArray[np.float64]

MOST_SAMPLES = 10
"""All supports of a weighting are tried, of which there are 2^m."""


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
        weights = jax.lax.stop_gradient(self._weights(x, stretch))  # by Danskin's theorem
        squared = jnp.sum((x - weights @ self.centres) ** 2)
        convex = stretch / 2 * squared + jnp.sum(weights * self.offsets)
        return convex + self.curvature / 2 * jnp.sum(x**2)

    @jax.jit
    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient."""
        return jax.grad(self.__call__)(x)

    def _weights(self, x: jax.Array, stretch: float) -> jax.Array:
        """The minimizer over the simplex: the best of those with each support."""
        m = self.offsets.shape[0]
        gram = stretch * self.centres @ self.centres.T
        slope = stretch * self.centres @ x - self.offsets
        supports = jnp.array(list(itertools.product((False, True), repeat=m))[1:])

        def candidate(support: jax.Array) -> tuple[jax.Array, jax.Array]:
            # gram a - slope + t = 0 on the support, a = 0 elsewhere, sum(a) = 1
            rows = jnp.where(support[:, None], gram * support[None, :], jnp.eye(m))
            top = jnp.concatenate([rows, support[:, None].astype(x.dtype)], axis=1)
            last = jnp.append(support.astype(x.dtype), 0.0)[None, :]
            right = jnp.append(jnp.where(support, slope, 0.0), 1.0)
            a = jnp.linalg.solve(jnp.concatenate([top, last]), right)[:m]
            a = jnp.maximum(jnp.where(support, a, 0.0), 0.0)
            a = a / jnp.sum(a)  # in the simplex, so that its value is no less than the minimum
            value = a @ gram @ a / 2 - slope @ a
            return a, jnp.where(jnp.isfinite(value), value, jnp.inf)

        candidates, values = jax.vmap(candidate)(supports)
        return candidates[jnp.argmin(values)]


def envelope(kind: SmoothClass, samples: "Samples") -> Envelope:
    """The function of the class with these samples.

    Args:
        kind: the class.
        samples: of one component of a worst case, at most 10.

    Returns:
        The function, in float64.

    Raises:
        ValueError: if the class is one of operators, or there are too many samples.
    """
    if not kind.has_values:
        raise ValueError(f"{kind!r} is a class of operators: see worst_operator.")
    count = len(samples.values)
    if count > MOST_SAMPLES:
        raise ValueError(f"a function is made of at most {MOST_SAMPLES} samples, got {count}.")
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
