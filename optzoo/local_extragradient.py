# SPDX-License-Identifier: Apache-2.0
r"""Local extragradient: every worker runs H steps on its own operator, then all are averaged.

    u_{i,0}       = z^k
    u_{i,t+1/2}   = proj_Z(u_{i,t} - gamma F_i(u_{i,t}))
    u_{i,t+1}     = proj_Z(u_{i,t} - gamma F_i(u_{i,t+1/2})),     t = 0, ..., H - 1
    z^{k+1}       = (1/n) sum_i u_{i,H}.

One whole vector a worker and round. Where the workers' operators differ, the limit is not z*: the
averages stop at a distance of the order of gamma H times their difference at z*, and H = 1 is no
exception, because the second half of a step is taken from another point on every worker.

Differs from the paper:
 1. Every worker has its operator exactly; the paper's are stochastic.
 2. Communication is every H steps. In the paper the moments may be any set with such a distance.
 3. For 16-bit parameters the iterates are in float32.

References:
  Beznosikov, Samokhin, Gasnikov, "Distributed saddle-point problems: lower bounds, near-optimal
  and robust algorithms", 2020, arXiv:2010.13112 (Extra Step Local SGD).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_gradients,
    require_integer,
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

__all__ = ["LocalExtragradientState", "local_extragradient"]


class LocalExtragradientState(NamedTuple):
    """State of `local_extragradient`."""

    steps: jax.Array  # k, rounds of H local steps, int32
    sent: Traffic
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves


def local_extragradient(
    gamma: jax.typing.ArrayLike,
    local_steps: jax.typing.ArrayLike,
    *,
    axis_name: str,
    project: Projection | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Extragradient on every worker for itself, and an average after every H steps.

    .. math::
      u_{i,t+1/2} &= \mathrm{proj}_Z(u_{i,t} - \gamma F_i(u_{i,t})), \\
      u_{i,t+1} &= \mathrm{proj}_Z(u_{i,t} - \gamma F_i(u_{i,t+1/2})), \qquad
      z^{k+1} = \tfrac1n \textstyle\sum_i u_{i,H}, \quad u_{i,0} = z^k.

    `update(updates, state, params, *, operator_fn)` is called under an axis of workers, as that of
    `three_pillars`. Parameters and state are the same on all workers.

    Args:
      gamma: the step size, positive; theorem LE needs gamma < 1 / L.
      local_steps: H, an integer of at least 1.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes.

    Raises:
      ValueError: if a number is out of range, `operator_fn` is missing or does not match the
        parameters, or there is no axis of this name.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> solutions = jnp.array([[0.0, 0.0], [2.0, 2.0]])
      >>> method = optzoo.local_extragradient(0.2, 5, axis_name="workers")
      >>> def step(z, state, solution):
      ...     operator = lambda u: u - solution
      ...     updates, state = method.update(operator(z), state, z, operator_fn=operator)
      ...     return optax.apply_updates(z, updates), state
      >>> z = jnp.zeros(2)
      >>> state = method.init(z)
      >>> on_all = jax.jit(jax.vmap(step, (None, None, 0), None, axis_name="workers"))
      >>> for _ in range(20):
      ...     z, state = on_all(z, state, solutions)
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3)), int(state.sent.vectors)
      (True, 20)

    References:
      Beznosikov, Samokhin, Gasnikov, "Distributed saddle-point problems: lower bounds,
      near-optimal and robust algorithms", 2020, arXiv:2010.13112.
    """
    require_positive("gamma", gamma)
    require_integer("local_steps", local_steps, 1)
    require_workers(axis_name, project)

    def init_fn(params: optax.Params) -> LocalExtragradientState:
        require_floating(params)
        return LocalExtragradientState(
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=False),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: LocalExtragradientState,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, LocalExtragradientState]:
        del extra_args
        params = require_gradients("local_extragradient", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators(
            "local_extragradient", params, axis_name, operator_fn=operator_fn, project=project
        )
        z = mark_as_differing(iterate(params, state.remainder), axis_name)

        def moved(u: optax.Params, value: optax.Updates) -> optax.Params:
            # proj(u - gamma F_i)
            step = jax.tree.map(lambda ui, fi: ui - like(gamma, ui) * fi, u, value)
            return workers.onto_set(step)

        def step_from(u: optax.Params, value: optax.Updates) -> optax.Params:
            return moved(u, workers.own(moved(u, value)))

        # The value at z^k is at hand.
        first = step_from(z, mark_as_differing(wide(updates, params), axis_name))
        last = jax.lax.fori_loop(1, local_steps, lambda _, u: step_from(u, workers.own(u)), first)
        new_updates, remainder = step_to(workers.mean(last), params)
        return new_updates, LocalExtragradientState(
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=1, vectors=1),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
