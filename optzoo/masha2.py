# SPDX-License-Identifier: Apache-2.0
r"""MASHA2: extragradient with a reference point, and contractive compressors with error feedback.

    v^k       = z^k + tau (m^k - z^k)
    u^k       = v^k - gamma F(m^k)
    x_i       = gamma (F_i(u^k) - F_i(m^k)) + e_i^k
    z^{k+1}   = u^k - (1/n) sum_i C_i(x_i)
    e_i^{k+1} = x_i - C_i(x_i)
    m^{k+1}   = z^{k+1} with probability p, and then all F_i(m^{k+1}) are sent in full; else m^k.

C is contractive: |C(x) - x|^2 <= (1 - 1/beta) |x|^2, such as `TopK` with beta = d / K. What it
leaves out is remembered and sent later, without which the method need not converge.

Differs from the paper:
 1. The coin that decides on m^{k+1} is tossed at the beginning of step k + 1, where F_i(z^{k+1})
    is what an optax transformation is handed; at k = 0 both of its sides give m^0 = z^0.
 2. The server's answer is not compressed: all workers gather the messages.
 3. For 16-bit parameters the iterates, messages and errors are in float32.

References:
  Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, "Distributed methods with compressed
  communication for solving variational inequalities, with theoretical guarantees", NeurIPS 2022,
  arXiv:2110.03313.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._arguments import require_floating, require_gradients, require_key, require_positive
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import like
from ._reference_point import Reference, fresh_reference
from ._state_layout import require_own_state
from ._traffic import Traffic, no_traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_compressor, require_reference, require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import OperatorFn, WorkerOperators, as_rows, own_row
from .compressors import Compressor

__all__ = ["Masha2State", "masha2"]


class Masha2State(NamedTuple):
    """State of `masha2`. Trees are like the parameters, float32 for 16-bit leaves."""

    key: jax.Array  # constant; step k draws from fold_in(key, k)
    steps: jax.Array  # k, int32
    sent: Traffic
    reference: Reference  # m, F_i(m) and F(m)
    error: optax.Params  # e_i of this worker: leaves (1, *shape)
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves

    @staticmethod
    def per_worker() -> tuple[str, ...]:
        """The fields of which every worker has its own."""
        return ("error",)


def masha2(
    gamma: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    compressor: Compressor,
    axis_name: str,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Compressed extragradient with error feedback, for contractive compressors such as TopK.

    .. math::
      v &= z^k + \tau (m^k - z^k), \qquad u = v - \gamma F(m^k), \qquad
        x_i = \gamma (F_i(u) - F_i(m^k)) + e_i^k, \\
      z^{k+1} &= u - \tfrac1n \textstyle\sum_i C_i(x_i), \qquad e_i^{k+1} = x_i - C_i(x_i), \\
      m^{k+1} &= z^{k+1} \text{ with probability } p, \text{ else } m^k.

    `update(updates, state, params, *, operator_fn)` is called under an axis of workers, as that of
    `three_pillars`. `worker_specs(method, params, axis_name)` says how the state lies there. Z is
    the whole space.

    Args:
      gamma: the step size, positive; that of theorem M2 is short.
      momentum: tau in [0, 1]; the theorem has tau = p.
      refresh_probability: p in (0, 1]; the share of a vector that a message is balances the two.
      compressor: C, such as `optzoo.compressors.TopK(K, n)`; its `contraction` must be positive.
      axis_name: the name of the axis of workers.
      key: a PRNG key for coins and compressors, the same on all workers.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. Its state holds
      four vectors a worker.

    Raises:
      ValueError: if a number is out of range, the compressor is not contractive, `operator_fn` is
        missing or does not match the parameters, or the axis does not hold the compressor's
        workers.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> from optzoo.compressors import TopK
      >>> method = optzoo.masha2(0.1, momentum=0.25, refresh_probability=0.25,
      ...     compressor=TopK(1, 4), axis_name="workers", key=jax.random.key(0))
      >>> method.init(jnp.zeros(4)).error.shape  # of each worker
      (1, 4)

    References:
      Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, "Distributed methods with compressed
      communication for solving variational inequalities, with theoretical guarantees", NeurIPS
      2022, arXiv:2110.03313.
    """
    require_positive("gamma", gamma)
    require_reference(momentum, refresh_probability)
    require_compressor(compressor)
    require_workers(axis_name, None)
    require_key("key", key)

    def init_fn(params: optax.Params) -> Masha2State:
        require_floating(params)
        reference = fresh_reference(params)
        return Masha2State(
            key=jnp.copy(key),
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=True),
            reference=reference,
            error=jax.tree.map(jnp.zeros_like, reference.operator),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: Masha2State,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, Masha2State]:
        del extra_args
        params = require_gradients("masha2", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators("masha2", params, axis_name, operator_fn=operator_fn)
        compressor.require_axis(axis_name)
        compressor.contraction(tv.dimension(params))
        coin_key, message_key = jax.random.split(jax.random.fold_in(state.key, state.steps))
        z = iterate(params, state.remainder)

        # m^k = z^k with probability p, else m^{k-1}; m^0 = z^0
        at_z = mark_as_differing(wide(updates, params), axis_name)
        reference, refreshed = state.reference.refreshed(
            coin_key, refresh_probability, state.steps == 0, z, at_z, axis_name
        )

        # v - gamma F(m^k)
        u = jax.tree.map(
            lambda zi, mi, fi: zi + like(momentum, zi) * (mi - zi) - like(gamma, zi) * fi,
            z,
            reference.point,
            reference.mean,
        )
        change = jax.tree.map(
            lambda at_u, at_m, ei: like(gamma, ei) * (at_u - at_m) + ei,
            workers.own(u),
            reference.own(axis_name),
            own_row(state.error, params, axis_name),
        )
        with jax.named_scope("uplink_message"):
            vector = tv.concatenate(change)
            mean = compressor.mean(message_key, vector, axis_name)
        worker = jax.lax.axis_index(axis_name)
        message = compressor.encode(message_key, worker, vector)
        own = compressor.decode(message_key, worker, message, vector)
        z_next = jax.tree.map(jnp.subtract, u, tv.split_like(mean, u))
        error = tv.split_like(vector - own, u)
        new_updates, remainder = step_to(z_next, params)
        return new_updates, Masha2State(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=1 + refreshed, messages=1, vectors=refreshed),
            reference=reference,
            error=as_rows(error, params),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
