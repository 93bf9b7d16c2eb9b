# SPDX-License-Identifier: Apache-2.0
"""The projection onto an l1 ball, by sorting."""

import jax
import jax.numpy as jnp

__all__ = ["project_onto_l1_ball"]


def project_onto_l1_ball(x: jax.Array, radius: jax.typing.ArrayLike) -> jax.Array:
    r"""The point of {p : |p|_1 <= R} nearest to a vector, itself if it lies there.

    .. math:: p_i = \mathrm{sign}(x_i) \max(h - g_i, 0), \qquad g_i = \max_j |x_j| - |x_i|, \qquad
        h = \min_k \frac{1}{k} \bigl(R + g_{(1)} + \dots + g_{(k)}\bigr)

    Args:
        x: shape (d,), d >= 1.
        radius: R > 0.

    Returns:
        Shape (d,), of the dtype of x; in the ball to 10 units of round-off of R.

    Example:
        >>> project_onto_l1_ball(jnp.array([4.0, -2.0, 0.5]), 3.0).tolist()
        [2.5, -0.5, 0.0]
    """
    radius = jnp.asarray(radius, x.dtype)
    lengths = jnp.abs(x)
    # Up to the support no gap is above R, however large the entries are: small numbers are summed.
    gaps = jnp.max(lengths) - lengths
    counts = jnp.arange(1, x.size + 1, dtype=x.dtype)
    # A sum of h - g over any k entries is at most R: each k bounds h, and the support attains it.
    level = jnp.min((radius + jnp.cumsum(jnp.sort(gaps))) / counts)
    kept = jnp.maximum(level - gaps, 0)
    kept = kept * jnp.minimum(1, radius / jnp.sum(kept))
    return jnp.where(jnp.sum(lengths) <= radius, x, jnp.sign(x) * kept)
