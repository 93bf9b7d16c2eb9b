# SPDX-License-Identifier: Apache-2.0
r"""Optimistic MASHA: one round a step, compressed differences, an optimistic correction.

    a_i^k   = F_i(z^k) - F_i(w^{k-1}) + alpha (F_i(z^k) - F_i(z^{k-1}))
    Delta^k = F(w^{k-1}) + (1/n) sum_i Q_i(a_i^k)
    z^{k+1} = proj_Z(z^k + tau (w^k - z^k) - gamma Delta^k)
    w^k     = z^k with probability p, and then all F_i(w^k) are sent in full; else w^{k-1};

z^{-1} = w^{-1} = z^0. The step size is bounded by L through the optimistic part and by the
similarity delta through the messages: with `PermK` and p = 1/n an accuracy eps takes of the order
of (n + L / mu + sqrt(n) delta / mu) log(1/eps) steps. There are no local steps: the values at the
parameters are all that a worker evaluates.

Differs from the paper:
 1. The coin that decides on w^k is tossed in step k, where F_i(z^k) is what an optax transformation
    is handed; the law of the sequence is that of a coin at the end of step k - 1.
 2. All workers gather the messages, so that all of them know z^{k+1}.
 3. For 16-bit parameters the iterates and messages are in float32.

References:
  Beznosikov, Gasnikov, "Compression and data similarity: combination of two techniques for
  communication-efficient solving of distributed variational inequalities", OPTIMA 2022,
  arXiv:2206.09446.
  Kovalev, Beznosikov, Sadiev, Persiianov, Richtarik, Gasnikov, "Optimal algorithms for
  decentralized stochastic variational inequalities", NeurIPS 2022, arXiv:2202.02771.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from . import _tree_vector as tv
from ._arguments import (
    require_closed_interval,
    require_floating,
    require_gradients,
    require_key,
    require_positive,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import like
from ._reference_point import Reference, fresh_reference
from ._state_layout import require_own_state
from ._traffic import Traffic, no_traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_compressor, require_reference, require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import Projection, as_rows, mean_of_messages, own_row, projected
from .compressors import Compressor

__all__ = ["OptimisticMashaState", "optimistic_masha"]


class OptimisticMashaState(NamedTuple):
    """State of `optimistic_masha`. Trees are like the parameters, float32 for 16-bit leaves."""

    key: jax.Array  # constant; step k draws from fold_in(key, k)
    steps: jax.Array  # k, int32
    sent: Traffic
    reference: Reference  # w^{k-1}, F_i(w^{k-1}) and F(w^{k-1})
    previous_operator: optax.Updates  # F_i(z^{k-1}) of this worker: leaves (1, *shape)
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves

    @staticmethod
    def per_worker() -> tuple[str, ...]:
        """The fields of which every worker has its own."""
        return ("previous_operator",)


def optimistic_masha(
    gamma: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    optimism: jax.typing.ArrayLike = 1.0,
    compressor: Compressor,
    axis_name: str,
    project: Projection | None = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Optimistic steps from compressed differences, for variational inequalities over workers.

    .. math::
      \Delta^k &= F(w^{k-1}) + \tfrac1n \textstyle\sum_i Q_i\bigl(F_i(z^k) - F_i(w^{k-1})
        + \alpha (F_i(z^k) - F_i(z^{k-1}))\bigr), \\
      z^{k+1} &= \mathrm{proj}_Z\bigl(z^k + \tau (w^k - z^k) - \gamma \Delta^k\bigr), \qquad
      w^k = z^k \text{ with probability } p, \text{ else } w^{k-1}.

    `update(updates, state, params)` is called under an axis of workers, as that of `three_pillars`,
    with this worker's F_i at the parameters for updates; no other value is asked for.
    `worker_specs(method, params, axis_name)` says how the state lies there.

    Args:
      gamma: the step size, positive; theorem OM has at most 1 / (8 L), and a bound by the noise
        of the messages; see `optzoo.theorems.distributed_methods.Optimistic.tuned`.
      momentum: tau in [0, 1]; the theorem has tau = p.
      refresh_probability: p in (0, 1]; 1 / n.
      optimism: alpha in [0, 1]; the theorem has 1 - min(gamma mu, p) / 2.
      compressor: Q, an unbiased one such as `optzoo.compressors.PermK(n)`.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.
      key: a PRNG key for coins and compressors, the same on all workers.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. Its state holds
      four vectors a worker.

    Raises:
      ValueError: if a number is out of range, the compressor is biased, or the axis does not hold
        its workers.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> turns = jnp.array([[[0.0, 0.9], [-0.9, 0.0]], [[0.0, 1.1], [-1.1, 0.0]]])
      >>> method = optzoo.optimistic_masha(
      ...     0.2, momentum=0.5, refresh_probability=0.5, compressor=optzoo.compressors.PermK(2),
      ...     axis_name="workers", key=jax.random.key(0))
      >>> def step(z, state, turn):
      ...     updates, state = method.update(turn @ (z - 1.0) + 0.5 * (z - 1.0), state, z)
      ...     return optax.apply_updates(z, updates), state
      >>> z = jnp.zeros(2)
      >>> specs = optzoo.worker_specs(method, z, "workers")
      >>> axes = jax.tree.map(lambda spec: 0 if spec == jax.P("workers") else None, specs)
      >>> state = jax.vmap(method.init, None, axes, axis_size=2, axis_name="workers")(z)
      >>> on_all = jax.jit(
      ...     jax.vmap(step, (None, axes, 0), (None, axes), axis_name="workers"))
      >>> for _ in range(200):
      ...     z, state = on_all(z, state, turns)
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3))
      True

    References:
      Beznosikov, Gasnikov, "Compression and data similarity: combination of two techniques for
      communication-efficient solving of distributed variational inequalities", OPTIMA 2022,
      arXiv:2206.09446.
    """
    require_positive("gamma", gamma)
    require_reference(momentum, refresh_probability)
    require_closed_interval("optimism", optimism, 0.0, 1.0)
    require_compressor(compressor)
    require_workers(axis_name, project)
    require_key("key", key)

    def init_fn(params: optax.Params) -> OptimisticMashaState:
        require_floating(params)
        reference = fresh_reference(params)
        return OptimisticMashaState(
            key=jnp.copy(key),
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=True),
            reference=reference,
            previous_operator=jax.tree.map(jnp.zeros_like, reference.operator),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: OptimisticMashaState,
        params: optax.Params | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, OptimisticMashaState]:
        del extra_args
        params = require_gradients("optimistic_masha", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        compressor.require_axis(axis_name)
        compressor.omega(tv.dimension(params))  # raises for a biased one
        coin_key, message_key = jax.random.split(jax.random.fold_in(state.key, state.steps))
        first = state.steps == 0
        z = iterate(params, state.remainder)
        at_z = mark_as_differing(wide(updates, params), axis_name)

        # w^k = z^k with probability p, else w^{k-1}; z^{-1} = w^{-1} = z^0
        reference, refreshed = state.reference.refreshed(
            coin_key, refresh_probability, first, z, at_z, axis_name
        )
        before = state.reference.unless(first, reference)
        at_previous = jax.tree.map(
            lambda old, new: jnp.where(first, new, old),
            own_row(state.previous_operator, params, axis_name),
            at_z,
        )

        # Delta^k = F(w^{k-1}) + (1/n) sum_i Q_i(a_i)
        difference = jax.tree.map(
            lambda zi, wi, pi: (zi - wi) + like(optimism, zi) * (zi - pi),
            at_z,
            before.own(axis_name),
            at_previous,
        )
        mean = mean_of_messages(compressor, message_key, difference, axis_name, like=z)
        moved = jax.tree.map(
            lambda zi, wi, fi, qi: (
                zi + like(momentum, zi) * (wi - zi) - like(gamma, zi) * (fi + qi)
            ),
            z,
            reference.point,
            before.mean,
            mean,
        )
        new_updates, remainder = step_to(projected(project, moved, params), params)
        return new_updates, OptimisticMashaState(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=1 + refreshed, messages=1, vectors=refreshed),
            reference=reference,
            previous_operator=as_rows(at_z, params),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
