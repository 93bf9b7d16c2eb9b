# SPDX-License-Identifier: Apache-2.0
r"""Extragradient with full communication: every worker sends two whole vectors a step.

    z^{k+1/2} = proj_Z(z^k - gamma F(z^k))
    z^{k+1}   = proj_Z(z^k - gamma F(z^{k+1/2})),      F = (1/n) sum_i F_i.

This is what methods for distributed variational inequalities are measured against: an accuracy eps
takes of the order of (L / mu) log(1/eps) steps, each with two rounds of whole vectors.

Differs from the paper:
 1. The operator is a mean over workers; one worker alone is the method of the paper.
 2. For 16-bit parameters the iterates are in float32.

References:
  Korpelevich, "The extragradient method for finding saddle points and other problems", Matecon 12,
  1976. With n workers: Beznosikov, Samokhin, Gasnikov, "Distributed saddle-point problems: lower
  bounds, near-optimal and robust algorithms", arXiv:2010.13112.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_gradients,
    require_positive,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import like
from ._state_layout import require_own_state
from ._traffic import Traffic, no_traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import OperatorFn, Projection, WorkerOperators

__all__ = ["DistributedExtragradientState", "distributed_extragradient"]


class DistributedExtragradientState(NamedTuple):
    """State of `distributed_extragradient`."""

    steps: jax.Array  # k, int32
    sent: Traffic
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves


def distributed_extragradient(
    gamma: jax.typing.ArrayLike, *, axis_name: str, project: Projection | None = None
) -> optax.GradientTransformationExtraArgs:
    r"""Extragradient on the mean of the workers' operators, with whole vectors sent twice a step.

    .. math::
      z^{k+1/2} &= \mathrm{proj}_Z(z^k - \gamma F(z^k)), \\
      z^{k+1} &= \mathrm{proj}_Z(z^k - \gamma F(z^{k+1/2})), \qquad
      F = \tfrac1n \textstyle\sum_i F_i.

    `update(updates, state, params, *, operator_fn)` is called under an axis of workers, as that of
    `three_pillars`: `updates` is this worker's F_i at the parameters, `operator_fn(z)` its F_i
    elsewhere, without collectives. Parameters and state are the same on all workers.

    Args:
      gamma: the step size, positive; theorem E needs gamma < 1 / L.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      ValueError: if gamma is not positive, `operator_fn` is missing or does not match the
        parameters, or there is no axis of this name.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> turns = jnp.array([[[0.0, 1.0], [-1.0, 0.0]], [[0.0, 2.0], [-2.0, 0.0]]])
      >>> method = optzoo.distributed_extragradient(0.4, axis_name="workers")
      >>> def step(z, state, turn):
      ...     operator = lambda u: turn @ (u - 1.0)
      ...     updates, state = method.update(operator(z), state, z, operator_fn=operator)
      ...     return optax.apply_updates(z, updates), state
      >>> z = jnp.zeros(2)
      >>> state = method.init(z)
      >>> on_all = jax.jit(jax.vmap(step, (None, None, 0), None, axis_name="workers"))
      >>> for _ in range(60):
      ...     z, state = on_all(z, state, turns)
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3)), int(state.sent.vectors)
      (True, 120)

    References:
      Korpelevich, "The extragradient method for finding saddle points and other problems",
      Matecon 12, 1976.
    """
    require_positive("gamma", gamma)
    require_workers(axis_name, project)

    def init_fn(params: optax.Params) -> DistributedExtragradientState:
        require_floating(params)
        return DistributedExtragradientState(
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=False),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: DistributedExtragradientState,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, DistributedExtragradientState]:
        del extra_args
        params = require_gradients("distributed_extragradient", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators(
            "distributed_extragradient",
            params,
            axis_name,
            operator_fn=operator_fn,
            project=project,
        )
        z = iterate(params, state.remainder)

        def moved(value: optax.Updates) -> optax.Params:
            # proj(z^k - gamma F)
            step = jax.tree.map(lambda zi, fi: zi - like(gamma, zi) * fi, z, value)
            return workers.onto_set(step)

        at_z = mark_as_differing(wide(updates, params), axis_name)
        half = moved(workers.mean(at_z))
        z_next = moved(workers.mean(workers.own(half)))
        new_updates, remainder = step_to(z_next, params)
        return new_updates, DistributedExtragradientState(
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=2, vectors=2),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
