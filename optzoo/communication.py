# SPDX-License-Identifier: Apache-2.0
"""What a distributed run has sent so far, read from the state of its method."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._traffic import Traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_compressor
from .compressors import Compressor
from .three_pillars import ThreePillarsState

__all__ = ["Sent", "bytes_sent", "communication_rounds", "numbers_sent"]


class Sent(NamedTuple):
    """What one worker has sent, in the mean over the workers, or what the server has broadcast."""

    uplink_message: float | jax.Array  # the compressed messages
    uplink_refresh: float | jax.Array  # the whole vectors, such as F_i(m)
    downlink: float | jax.Array  # whole vectors from the server to everybody, such as u_H


def communication_rounds(state: optax.OptState) -> int | jax.Array:
    r"""Rounds of communication of a method for distributed variational inequalities so far.

    A round is a broadcast with its answers, or a sum over the workers. A step of `three_pillars`,
    `svogs` or `optimistic_masha` is one, and by convention a refresh of the reference is another,
    though its vectors could travel with the messages; `masha1` and `masha2` wait for it.

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.

    Returns:
      The count: a Python int, or an int32 array under a transformation.

    Raises:
      ValueError: if the state holds no state of such a method, or more than one.

    Example:
      >>> import jax.numpy as jnp, optzoo
      >>> state = optzoo.distributed_extragradient(0.1, axis_name="workers").init(jnp.ones(3))
      >>> optzoo.communication_rounds(state)
      0
    """
    rounds = _traffic(state).rounds
    if isinstance(rounds, jax.core.Tracer) or jnp.ndim(rounds) > 0:
        return rounds
    return int(rounds)


def numbers_sent(
    state: optax.OptState, params: optax.Params, compressor: Compressor | None = None
) -> Sent:
    r"""Numbers that a method for distributed variational inequalities has sent so far.

    .. math:: \text{numbers of a message} \cdot \text{messages}, \qquad
      d \cdot \text{whole vectors}, \qquad d \cdot \text{broadcasts}

    Of `three_pillars`: with `PermK` on n workers a message has ceil(d / n) numbers, and a refresh
    happens with probability p: (1/n + p) vectors a step and worker in the mean, after the first
    refresh. A broadcast is of two vectors.

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters, or their shapes.
      compressor: that of the method; None where it has none.

    Returns:
      The three sums, each by one worker (in the mean over the workers, where they differ): Python
      floats, exact below 2^53, or floating scalars for a state under a transformation.

    Raises:
      ValueError: if the state holds no state of such a method, or more than one.
      TypeError: if the compressor is not one, or is missing.

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
    traffic = _traffic(state)
    _require_compressor(compressor, traffic)
    return _times_counters(
        traffic, 0.0 if compressor is None else compressor.numbers(dimension), dimension
    )


def bytes_sent(
    state: optax.OptState, params: optax.Params, compressor: Compressor | None = None
) -> Sent:
    r"""Bytes that a method for distributed variational inequalities has sent so far.

    .. math:: \text{bytes of a message} \cdot \text{messages}, \qquad
      w \, d \cdot \text{whole vectors}, \qquad w \, d \cdot \text{broadcasts}

    w is the width of a number, 4 bytes for 16-bit parameters; a message is a vector in the widest
    dtype of the parameters.

    Args:
      state: the state of the method, alone or anywhere inside the state of a chain or a wrapper.
      params: the parameters, or their shapes.
      compressor: that of the method; None where it has none.

    Returns:
      The three sums, as those of `numbers_sent`.

    Raises:
      ValueError: if the state holds no state of such a method, or more than one.
      TypeError: if the compressor is not one, or is missing.

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
    traffic = _traffic(state)
    _require_compressor(compressor, traffic)
    shapes = jax.eval_shape(lambda p: wide(p, p), params)
    vector = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    message = 0.0
    if compressor is not None:
        message = compressor.num_bytes(tv.dimension(params), tv.wide_dtype(shapes))
    return _times_counters(traffic, message, vector)


def _times_counters(traffic: Traffic, message: float, vector: int) -> Sent:
    def times(size: float, counter: jax.Array) -> Any:
        if isinstance(counter, jax.core.Tracer) or jnp.ndim(counter) > 0:
            return size * counter.astype(float)
        return float(size * int(counter))

    return Sent(
        uplink_message=0.0 if traffic.messages is None else times(message, traffic.messages),
        uplink_refresh=times(vector, traffic.vectors),
        downlink=times(vector, traffic.broadcasts),
    )


def _traffic(state: optax.OptState) -> Traffic:
    """The counters of the one method in a state."""
    kinds = (ThreePillarsState, Traffic)
    parts = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    counted = [part for part in parts if isinstance(part, kinds)]
    if len(counted) != 1:
        raise ValueError(
            "state must hold exactly one state of a method for distributed variational "
            f"inequalities; it holds {len(counted)}."
        )
    found = counted[0]
    if isinstance(found, Traffic):
        return found
    return Traffic(
        rounds=found.steps + found.refreshes,
        messages=found.steps,
        vectors=found.refreshes,
        broadcasts=2 * found.broadcasts,
    )


def _require_compressor(compressor: Any, traffic: Traffic) -> None:
    if traffic.messages is not None:
        require_compressor(compressor)
    elif compressor is not None:
        raise TypeError(f"compressor must be None: this method has none; got {compressor!r}.")
