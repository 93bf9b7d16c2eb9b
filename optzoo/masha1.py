# SPDX-License-Identifier: Apache-2.0
r"""MASHA1: extragradient with a reference point, and unbiased compressed differences to it.

    v^k     = z^k + tau (m^k - z^k)
    u^k     = proj_Z(v^k - gamma F(m^k))
    z^{k+1} = proj_Z(v^k - gamma (F(m^k) + (1/n) sum_i Q_i(F_i(u^k) - F_i(m^k))))
    m^{k+1} = z^{k+1} with probability p, and then all F_i(m^{k+1}) are sent in full; else m^k.

The differences are those of a worker's own operator between two points, so they are as large as L
allows: with independent compressors of variance omega an accuracy eps takes of the order of
(1/p + sqrt((1 + omega / n) / p) L / mu) log(1/eps) steps, however similar the workers are.

Differs from the paper:
 1. The coin that decides on m^{k+1} is tossed at the beginning of step k + 1, where F_i(z^{k+1})
    is what an optax transformation is handed; at k = 0 both of its sides give m^0 = z^0.
 2. The server's answer is not compressed: all workers gather the messages.
 3. For 16-bit parameters the iterates and messages are in float32.

References:
  Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, "Distributed methods with compressed
  communication for solving variational inequalities, with theoretical guarantees", NeurIPS 2022,
  arXiv:2110.03313.
  Alacaoglu, Malitsky, "Stochastic variance reduction for variational inequality methods", COLT
  2022, arXiv:2102.08352.
"""

from __future__ import annotations

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
from ._worker_operators import OperatorFn, Projection, WorkerOperators, mean_of_messages
from .compressors import Compressor

__all__ = ["Masha1State", "masha1"]


class Masha1State(NamedTuple):
    """State of `masha1`. Trees are like the parameters, float32 for 16-bit leaves."""

    key: jax.Array  # constant; step k draws from fold_in(key, k)
    steps: jax.Array  # k, int32
    sent: Traffic
    reference: Reference  # m, F_i(m) and F(m)
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves


def masha1(
    gamma: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    compressor: Compressor,
    axis_name: str,
    project: Projection | None = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Compressed extragradient with a reference point, for unbiased compressors.

    .. math::
      v &= z^k + \tau (m^k - z^k), \qquad u = \mathrm{proj}_Z(v - \gamma F(m^k)), \\
      z^{k+1} &= \mathrm{proj}_Z\Bigl(v - \gamma F(m^k)
        - \gamma \, \tfrac1n \textstyle\sum_i Q_i\bigl(F_i(u) - F_i(m^k)\bigr)\Bigr), \\
      m^{k+1} &= z^{k+1} \text{ with probability } p, \text{ else } m^k.

    `update(updates, state, params, *, operator_fn)` is called under an axis of workers, as that of
    `three_pillars`. `worker_specs(method, params, axis_name)` says how the state lies there.

    Args:
      gamma: the step size, positive; theorem M1 needs gamma < sqrt(p) / C.
      momentum: tau in [0, 1]; the theorem has tau = p.
      refresh_probability: p in (0, 1]; the share of a vector that a message is balances the two.
      compressor: Q, an unbiased one such as `optzoo.compressors.RandK(k, n)`.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.
      key: a PRNG key for coins and compressors, the same on all workers.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. Its state holds
      three vectors a worker.

    Raises:
      ValueError: if a number is out of range, the compressor is biased, `operator_fn` is missing or
        does not match the parameters, or the axis does not hold the compressor's workers.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> from optzoo.compressors import RandK
      >>> method = optzoo.masha1(0.1, momentum=0.25, refresh_probability=0.25,
      ...     compressor=RandK(1, 4), axis_name="workers", key=jax.random.key(0))
      >>> method.init(jnp.zeros(4)).reference.operator.shape  # of each worker
      (1, 4)

    References:
      Beznosikov, Richtarik, Diskin, Ryabinin, Gasnikov, "Distributed methods with compressed
      communication for solving variational inequalities, with theoretical guarantees", NeurIPS
      2022, arXiv:2110.03313.
    """
    require_positive("gamma", gamma)
    require_reference(momentum, refresh_probability)
    require_compressor(compressor)
    require_workers(axis_name, project)
    require_key("key", key)

    def init_fn(params: optax.Params) -> Masha1State:
        require_floating(params)
        return Masha1State(
            key=jnp.copy(key),
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=True),
            reference=fresh_reference(params),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: Masha1State,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, Masha1State]:
        del extra_args
        params = require_gradients("masha1", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators(
            "masha1", params, axis_name, operator_fn=operator_fn, project=project
        )
        compressor.require_axis(axis_name)
        compressor.omega(tv.dimension(params))  # raises for a biased one
        coin_key, message_key = jax.random.split(jax.random.fold_in(state.key, state.steps))
        z = iterate(params, state.remainder)

        # m^k = z^k with probability p, else m^{k-1}; m^0 = z^0
        at_z = mark_as_differing(wide(updates, params), axis_name)
        reference, refreshed = state.reference.refreshed(
            coin_key, refresh_probability, state.steps == 0, z, at_z, axis_name
        )
        m, operator_at_m, mean_at_m = reference.point, reference.own(axis_name), reference.mean

        # v - gamma F(m^k)
        ahead = jax.tree.map(
            lambda zi, mi, fi: zi + like(momentum, zi) * (mi - zi) - like(gamma, zi) * fi,
            z,
            m,
            mean_at_m,
        )
        u = workers.onto_set(ahead)
        difference = jax.tree.map(jnp.subtract, workers.own(u), operator_at_m)
        mean = mean_of_messages(compressor, message_key, difference, axis_name, like=z)
        moved = jax.tree.map(lambda ai, qi: ai - like(gamma, ai) * qi, ahead, mean)
        new_updates, remainder = step_to(workers.onto_set(moved), params)
        return new_updates, Masha1State(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=1 + refreshed, messages=1, vectors=refreshed),
            reference=reference,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
