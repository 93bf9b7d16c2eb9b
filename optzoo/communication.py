"""What a distributed run has sent so far, read from the state of its method."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._find_state import find_state
from ._wide_arithmetic import wide
from .compressors import Compressor
from .three_pillars import ThreePillarsState

__all__ = ["Sent", "bytes_sent", "numbers_sent"]


class Sent(NamedTuple):
    """What one worker has sent, in the mean over the workers, or what the server has broadcast."""

    uplink_message: float | jax.Array  # the compressed messages
    uplink_refresh: float | jax.Array  # the full vectors F_i(m)
    downlink: float | jax.Array  # u_H and F_1(u_H) - F_1(m), from the server to everybody


def numbers_sent(state: optax.OptState, params: optax.Params, compressor: Compressor) -> Sent:
    r"""Numbers that a run of `three_pillars` has sent so far.

    .. math:: \text{message} \cdot \text{steps}, \qquad d \cdot \text{refreshes}, \qquad
      2 d \cdot \text{broadcasts}

    With `PermK` on n workers a message has ceil(d / n) numbers, and a refresh happens with
    probability p: (1/n + p) vectors a step and worker in the mean, after the first refresh.

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters, or their shapes.
      compressor: that of the method.

    Returns:
      The three sums, each by one worker (in the mean over the workers, where they differ): Python
      floats, exact below 2^53, or floating scalars for a state under a transformation.

    Raises:
      ValueError: if the state holds no state of this method, or more than one.
      TypeError: if the compressor is not one.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> from optzoo.compressors import PermK
      >>> method = optzoo.three_pillars(
      ...     0.1, 0.1, 3, momentum=0.25, refresh_probability=0.25, compressor=PermK(4),
      ...     axis_name="workers", key=jax.random.key(0))
      >>> z = jnp.ones(10)
      >>> state = method.init(z)._replace(steps=jnp.int32(8), refreshes=jnp.int32(2))
      >>> optzoo.numbers_sent(state, z, PermK(4))
      Sent(uplink_message=24.0, uplink_refresh=20.0, downlink=0.0)
    """
    dimension = tv.dimension(params)
    _require_compressor(compressor)
    return _times_counters(state, compressor.numbers(dimension), dimension)


def bytes_sent(state: optax.OptState, params: optax.Params, compressor: Compressor) -> Sent:
    r"""Bytes that a run of `three_pillars` has sent so far.

    .. math:: \text{message} \cdot \text{steps}, \qquad w \, d \cdot \text{refreshes}, \qquad
      2 w \, d \cdot \text{broadcasts}

    w is the width of a number, 4 bytes for 16-bit parameters; a message is a vector in the widest
    dtype of the parameters.

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters, or their shapes.
      compressor: that of the method.

    Returns:
      The three sums, as those of `numbers_sent`.

    Raises:
      ValueError: if the state holds no state of this method, or more than one.
      TypeError: if the compressor is not one.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> from optzoo.compressors import NaturalCompression
      >>> natural = NaturalCompression(4)
      >>> method = optzoo.three_pillars(
      ...     0.1, 0.1, 3, momentum=0.25, refresh_probability=0.25, compressor=natural,
      ...     axis_name="workers", key=jax.random.key(0))
      >>> z = jnp.ones(10, jnp.float32)
      >>> state = method.init(z)._replace(steps=jnp.int32(8), refreshes=jnp.int32(2))
      >>> optzoo.bytes_sent(state, z, natural)
      Sent(uplink_message=160.0, uplink_refresh=80.0, downlink=0.0)
    """
    _require_compressor(compressor)
    shapes = jax.eval_shape(lambda p: wide(p, p), params)
    vector = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    message = compressor.num_bytes(tv.dimension(params), tv.wide_dtype(shapes))
    return _times_counters(state, message, vector)


def _times_counters(state: optax.OptState, message: float, vector: int) -> Sent:
    found = find_state(state, ThreePillarsState)

    def times(size: float, counter: jax.Array) -> Any:
        if isinstance(counter, jax.core.Tracer) or jnp.ndim(counter) > 0:
            return size * counter.astype(float)
        return float(size * int(counter))

    return Sent(
        uplink_message=times(message, found.steps),
        uplink_refresh=times(vector, found.refreshes),
        downlink=times(2 * vector, found.broadcasts),
    )


def _require_compressor(compressor: Any) -> None:
    if not isinstance(compressor, Compressor):
        raise TypeError(f"compressor must be one of optzoo.compressors, got {compressor!r}.")
