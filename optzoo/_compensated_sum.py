# SPDX-License-Identifier: Apache-2.0
r"""The float32 iterate that 16-bit parameters stand for: a compensated sum.

Updates have the dtype of the parameters, so that 16-bit parameters p move by roundings, and steps
below half a unit in their last place would be lost. What is lost is kept instead, in float32:

    x       = p + r                        the iterate: the parameters and the remainder
    u       = round(x_next - p)            the update
    r_next  = x_next - round(p + u)        the parameters will be round(p + u).

The remainder is a rounding of a step, so that x is never far from p. Nothing has to hold between
the two: where somebody else moves the parameters (momentum behind the method, a projection), x
moves with them.
"""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._tree_vector import finfo
from ._wide_arithmetic import is_16_bit

__all__: list[str] = []


def zero_remainder(params: optax.Params) -> optax.Params:
    """R = 0 for 16-bit leaves, None for the others, which need none; works on shapes."""
    return jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32) if is_16_bit(p) else None, params)


def iterate(params: optax.Params, remainder: optax.Params) -> optax.Params:
    """X = p + r, the point that the parameters and the remainder stand for."""
    return jax.tree.map(lambda p, r: p if r is None else _exactly(p) + r, params, remainder)


def step_to(following: optax.Params, params: optax.Params) -> tuple[optax.Updates, optax.Params]:
    """The update that takes the parameters to x_next, in their dtypes, and the next remainder."""

    def update(x_next: jax.Array, p: jax.Array) -> jax.Array:
        if not is_16_bit(p):
            return x_next - p
        return _rounded(x_next - _exactly(p), p.dtype).astype(p.dtype)

    def remainder(x_next: jax.Array, p: jax.Array, u: jax.Array) -> jax.Array | None:
        if not is_16_bit(p):
            return None
        return x_next - _rounded(_exactly(p) + _exactly(u), p.dtype)

    updates = jax.tree.map(update, following, params)
    return updates, jax.tree.map(remainder, following, params, updates)


def warn_of_lost_noise(params: optax.Params) -> None:
    """Says of a method that keeps no remainder what becomes of its noise in 16 bits."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if is_16_bit(leaf):
            warnings.warn(
                f"params{jax.tree_util.keystr(path)} has 16 bits ({leaf.dtype}): steps and noise "
                "below half a unit in its last place are lost, so that the law of the chain is "
                "not what it should be. Wrap the method: optzoo.master_weights(...).",
                UserWarning,
                stacklevel=3,
            )
            return


def _exactly(narrow: jax.Array) -> jax.Array:
    """A 16-bit number in float32: of a sum that XLA has fused with this, its rounding."""
    return _rounded(narrow.astype(jnp.float32), narrow.dtype)


def _rounded(x: jax.Array, dtype: Any) -> jax.Array:
    """float32 numbers rounded to those of a 16-bit dtype, still in float32.

    XLA may leave out a conversion to 16 bits and back, but not this.
    """
    info = finfo(dtype)
    rounded = jax.lax.reduce_precision(x, info.nexp, info.nmant)
    if info.nexp == finfo(jnp.float32).nexp:
        return rounded
    # It makes subnormal numbers 0, which the dtype has.
    normal = float(info.smallest_normal)
    unit = normal * float(info.eps)
    return jnp.where(jnp.abs(x) < normal, jnp.round(x / unit) * unit, rounded)
