# SPDX-License-Identifier: Apache-2.0
r"""SVOGS: stochastic variance-reduced optimistic gradient sliding, a few random clients a round.

With D_i = F_i - F_1, the differences to the server's operator, and G = (1/n) sum_i D_i:

    a_j^k   = D_j(z^k) - D_j(w^{k-1}) + alpha (D_j(z^k) - D_j(z^{k-1}))
    Delta^k = G(w^{k-1}) + (1/b) sum_{j in S^k} a_j^k,      S^k: b clients, uniform and independent
    z^{k+1} = the solution of F_1(u) + Delta^k + (u - z^k - tau (w^k - z^k)) / gamma = 0, u in Z (*)
    w^k     = z^k with probability p, and then all D_i(w^k) are sent in full; else w^{k-1};

z^{-1} = w^{-1} = z^0. (*) is solved by H extragradient steps with the server's operator. With
b = sqrt(n) and p = 1 / sqrt(n) an accuracy eps takes of the order of (sqrt(n) + delta / mu)
log(1/eps) rounds and n + sqrt(n) delta / mu messages: L has gone.

Differs from the paper:
 1. The coin that decides on w^k is tossed in step k, where F_i(z^k) is what an optax transformation
    is handed; the law of the sequence is that of a coin at the end of step k - 1.
 2. (*) is solved by a given number of extragradient steps, where the paper stops at an accuracy.
 3. The server broadcasts F_1(z^k) with z^{k+1}, all that the others need to form a_j.
 4. For 16-bit parameters the iterates and messages are in float32.

References:
  Zhou, Ye, Luo, "Near-optimal distributed minimax optimization under the second-order similarity",
  NeurIPS 2024, arXiv:2405.16126.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_closed_interval,
    require_floating,
    require_gradients,
    require_integer,
    require_key,
    require_positive,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import SubProblem, like, solve_locally
from ._reference_point import Reference, fresh_reference
from ._state_layout import require_own_state
from ._traffic import Traffic, no_traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_reference, require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import (
    OperatorFn,
    Projection,
    WorkerOperators,
    as_rows,
    mean_of_messages,
    own_row,
)
from .compressors import SampledClients

__all__ = ["SvogsState", "svogs"]

Tree: TypeAlias = Any


class SvogsState(NamedTuple):
    """State of `svogs`. Trees are like the parameters, float32 for 16-bit leaves."""

    key: jax.Array  # constant; step k draws from fold_in(key, k)
    steps: jax.Array  # k, int32
    sent: Traffic
    reference: Reference  # w^{k-1}, D_i(w^{k-1}) and G(w^{k-1})
    previous_difference: optax.Updates  # D_i(z^{k-1}) of this worker: leaves (1, *shape)
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves

    @staticmethod
    def per_worker() -> tuple[str, ...]:
        """The fields of which every worker has its own."""
        return ("previous_difference",)


def svogs(
    gamma: jax.typing.ArrayLike,
    local_step: jax.typing.ArrayLike,
    local_steps: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    optimism: jax.typing.ArrayLike = 1.0,
    clients: SampledClients,
    axis_name: str,
    project: Projection | None = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Optimistic gradient sliding with a few random clients a step, under similarity.

    .. math::
      \Delta^k &= G(w^{k-1}) + \tfrac1b \textstyle\sum_{j \in S^k} \bigl(D_j(z^k) - D_j(w^{k-1})
        + \alpha (D_j(z^k) - D_j(z^{k-1}))\bigr), \qquad D_j = F_j - F_1, \\
      z^{k+1} &\approx \text{the zero of } F_1(u) + \Delta^k
        + \tfrac1\gamma \bigl(u - z^k - \tau (w^k - z^k)\bigr), \\
      w^k &= z^k \text{ with probability } p, \text{ else } w^{k-1}.

    `update(updates, state, params, *, operator_fn, server_operator_fn=None)` is called under an
    axis of workers, as that of `three_pillars`: worker 0 is the server, and where
    `server_operator_fn` is given every worker runs the local steps and nothing is broadcast.
    `worker_specs(method, params, axis_name)` says how the state lies there.

    Args:
      gamma: the step size, positive; theorem SV has at most 1 / (8 delta_1), and a bound by the
        noise of the clients; see `optzoo.theorems.distributed_methods.Optimistic.tuned`.
      local_step: the step size of the extragradient on (*), positive; 1 / (4 (L + 1 / gamma)).
      local_steps: H, an integer of at least 1.
      momentum: tau in [0, 1]; the theorem has tau = p.
      refresh_probability: p in (0, 1]; 1 / sqrt(n), or b / n.
      optimism: alpha in [0, 1]; the theorem has 1 - min(gamma mu, p) / 2.
      clients: b of n, as `optzoo.compressors.SampledClients(b, n)`; b = sqrt(n).
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.
      key: a PRNG key for coins and clients, the same on all workers.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. Its state holds
      four vectors a worker.

    Raises:
      ValueError: if a number is out of range, `operator_fn` is missing or does not match the
        parameters, or the axis does not hold the n workers.
      TypeError: if an argument is of the wrong kind.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> from optzoo.compressors import SampledClients
      >>> method = optzoo.svogs(0.1, 0.02, 5, momentum=0.5, refresh_probability=0.5,
      ...     clients=SampledClients(2, 4), axis_name="workers", key=jax.random.key(0))
      >>> method.init(jnp.zeros(3)).previous_difference.shape  # of each worker
      (1, 3)

    References:
      Zhou, Ye, Luo, "Near-optimal distributed minimax optimization under the second-order
      similarity", NeurIPS 2024, arXiv:2405.16126.
    """
    require_positive("gamma", gamma)
    require_positive("local_step", local_step)
    require_integer("local_steps", local_steps, 1)
    require_reference(momentum, refresh_probability)
    require_closed_interval("optimism", optimism, 0.0, 1.0)
    if not isinstance(clients, SampledClients):
        raise TypeError(f"clients must be an optzoo.compressors.SampledClients, got {clients!r}.")
    require_workers(axis_name, project)
    require_key("key", key)

    def init_fn(params: optax.Params) -> SvogsState:
        require_floating(params)
        reference = fresh_reference(params)
        return SvogsState(
            key=jnp.copy(key),
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=True),
            reference=reference,
            previous_difference=jax.tree.map(jnp.zeros_like, reference.operator),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: SvogsState,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        server_operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, SvogsState]:
        del extra_args
        params = require_gradients("svogs", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators(
            "svogs",
            params,
            axis_name,
            operator_fn=operator_fn,
            server_operator_fn=server_operator_fn,
            project=project,
        )
        clients.require_axis(axis_name)
        coin_key, message_key = jax.random.split(jax.random.fold_in(state.key, state.steps))
        first = state.steps == 0
        z = iterate(params, state.remainder)
        operator_at_z = mark_as_differing(wide(updates, params), axis_name)
        known = ((z, operator_at_z),)

        # D_i(z^k)
        (server_at_z,) = workers.from_server(1, known, lambda server, marks, at_z: (at_z,))
        at_z = jax.tree.map(jnp.subtract, operator_at_z, server_at_z)

        # w^k = z^k with probability p, else w^{k-1}; z^{-1} = w^{-1} = z^0
        reference, refreshed = state.reference.refreshed(
            coin_key, refresh_probability, first, z, at_z, axis_name
        )
        before = state.reference.unless(first, reference)
        at_previous = jax.tree.map(
            lambda old, new: jnp.where(first, new, old),
            own_row(state.previous_difference, params, axis_name),
            at_z,
        )

        # Delta^k = G(w^{k-1}) + (1/b) sum_j a_j
        difference = jax.tree.map(
            lambda zi, wi, pi: (zi - wi) + like(optimism, zi) * (zi - pi),
            at_z,
            before.own(axis_name),
            at_previous,
        )
        mean = mean_of_messages(clients, message_key, difference, axis_name, like=z)

        def solve(
            server: Callable[[Tree], Tree], marks: Callable[[Tree], Tree], at_z: Tree
        ) -> tuple[Tree]:
            problem = SubProblem(
                shift=jax.tree.map(jnp.add, before.mean, mean),
                center=jax.tree.map(
                    lambda zi, wi: zi + like(momentum, zi) * (wi - zi), z, reference.point
                ),
                gamma=gamma,
                project=workers.onto_set,
            )
            u, _ = solve_locally(
                problem, local_step, local_steps, lambda point, _: server(point), marks(z), at_z
            )
            return (u,)

        (z_next,) = workers.from_server(1, known, solve)
        new_updates, remainder = step_to(z_next, params)
        return new_updates, SvogsState(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(
                rounds=1 + refreshed,
                messages=1,
                vectors=refreshed,
                broadcasts=0 if workers.everywhere else 2,
            ),
            reference=reference,
            previous_difference=as_rows(at_z, params),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
