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
from typing import TYPE_CHECKING, Any

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

RIDGE, GAIN = 1e-14, 1e-14
"""Relative to the largest number of the quadratic program for the weights."""
ROUNDS = 8
"""The most solutions that are tried, in units of m; a few less than 2 m are needed."""


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
        weights = self._weights(jax.lax.stop_gradient(x), stretch)  # by Danskin's theorem
        squared = jnp.sum((x - weights @ self.centres) ** 2)
        convex = stretch / 2 * squared + jnp.sum(weights * self.offsets)
        return convex + self.curvature / 2 * jnp.sum(x**2)

    @jax.jit
    def gradient(self, x: jax.Array) -> jax.Array:
        """The gradient."""
        return jax.grad(self.__call__)(x)

    def _weights(self, x: jax.Array, stretch: float) -> jax.Array:
        """The minimizer over the simplex, of its finitely many candidates one for each support.

        The support grows by the weight that gains most, and loses what the best point on its
        plane would make negative, so that no support is met twice (as in Lawson and Hanson's
        non-negative least squares).
        """
        m = self.offsets.shape[0]
        gram = stretch * self.centres @ self.centres.T
        slope = stretch * self.centres @ x - self.offsets
        size = jnp.max(jnp.abs(gram)) + jnp.max(jnp.abs(slope))

        def on_the_plane(support: jax.Array) -> jax.Array:
            # gram a - slope + t = 0 on the support, a = 0 elsewhere, sum(a) = 1
            ridge = RIDGE * size * jnp.eye(m)  # where centres of the support are dependent
            rows = jnp.where(support[:, None], (gram + ridge) * support[None, :], jnp.eye(m))
            top = jnp.concatenate([rows, support[:, None].astype(x.dtype)], axis=1)
            last = jnp.append(support.astype(x.dtype), 0.0)[None, :]
            right = jnp.append(jnp.where(support, slope, 0.0), 1.0)
            return jnp.linalg.solve(jnp.concatenate([top, last]), right)[:m]

        def gains(a: jax.Array, support: jax.Array) -> jax.Array:
            ascent = slope - gram @ a
            return jnp.where(support, -jnp.inf, ascent - ascent @ a)

        def unfinished(carry: Any) -> jax.Array:
            a, support, inside, rounds = carry
            more = jnp.max(gains(a, support)) > GAIN * size
            return (~inside | more) & (rounds < ROUNDS * m)

        def following(carry: Any) -> Any:
            a, support, inside, rounds = carry
            grown = support.at[jnp.argmax(gains(a, support))].set(True)
            support = jnp.where(inside, grown, support)
            z = on_the_plane(support)
            out = support & (z <= 0)
            share = jnp.min(jnp.where(out, a / jnp.where(out, a - z, 1.0), 1.0))
            moved = jnp.where(support, a + share * (z - a), 0.0)
            left = support & (moved > 0) & ~(out & (a <= share * (a - z)))
            moved = jnp.where(left, moved, 0.0)
            return moved / jnp.sum(moved), left, ~jnp.any(out), rounds + 1

        first = jnp.argmin(jnp.diag(gram) / 2 - slope)
        start = jnp.arange(m) == first
        carry = (start.astype(x.dtype), start, jnp.asarray(True), 0)
        return jax.lax.while_loop(unfinished, following, carry)[0]


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
