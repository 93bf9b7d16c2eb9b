# SPDX-License-Identifier: Apache-2.0
r"""Three Pillars: distributed variational inequalities by similarity, compression and local steps.

    find z* in Z with <F(z*), z - z*> >= 0 for all z in Z,   F = (1/n) sum_i F_i,

where worker i alone can evaluate F_i, and the differences F_i - F are delta-Lipschitz with delta
far below L, the constant of the F_i. Worker 0 is the server: it solves

    F_1(u) + F(m^k) - F_1(m^k) + (u - z^k - tau (m^k - z^k)) / gamma = 0,   u in Z,     (*)

by H extragradient steps with its own operator, at no cost of communication. What (*) ignores, the
workers send compressed:

    u_0       = z^k;  g_t(u) = the left side of (*)
    u_{t+1/2} = proj_Z(u_t - eta g_t(u_t))
    u_{t+1}   = proj_Z(u_t - eta g_t(u_{t+1/2})),                t = 0, ..., H - 1
    a_i       = F_i(m^k) - F_1(m^k) - F_i(u_H) + F_1(u_H)
    z^{k+1}   = proj_Z(u_H + gamma (1/n) sum_i Q_i(a_i))
    m^{k+1}   = z^k with probability p, and then all F_i(m^{k+1}) are sent in full; else m^k.

With the compressor `PermK` a worker sends (1/n + p) vectors a step in the mean. With p = 1/n, an
accuracy eps takes of the order of (n + sqrt(n) delta / mu) log(1/eps) steps: L has gone.

Differs from the paper:
 1. The coin that decides on m^{k+1} is tossed at the beginning of step k, because F_i(z^k), which a
    refresh sends, is what an optax transformation is handed. It is independent of the rest, so the
    law of the sequence is the same. At k = 0 both of its sides give m^1 = z^0. The price: all
    workers evaluate F_i(z^k) in every step, where the paper's do on a refresh alone.
 2. The server broadcasts u_H and F_1(u_H) - F_1(m^k), all that the others need to form a_i. The
    workers gather the messages, so that all of them know z^{k+1}, in the paper the server alone.
 3. For 16-bit parameters the iterates and messages are in float32.

References:
  Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of efficient
  communications for distributed variational inequalities", NeurIPS 2023, arXiv:2302.07615.
  Szlendak, Tyurin, Richtarik, "Permutation compressors for provably faster distributed nonconvex
  optimization", ICLR 2022, arXiv:2110.03300.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_function,
    require_gradients,
    require_integer,
    require_key,
    require_positive,
)
from ._coin import toss
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import SubProblem, like, solve_locally
from ._state_layout import require_own_state
from ._wide_arithmetic import weighted, wide, wide_zeros
from ._worker_arguments import require_compressor, require_reference, require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import (
    OperatorFn,
    Projection,
    WorkerOperators,
    as_rows,
    mean_of_messages,
    own_row,
)
from .compressors import Compressor
from .worker_specs import specs_of

__all__ = [
    "ThreePillarsState",
    "three_pillars",
    "three_pillars_specs",
]

Tree: TypeAlias = Any


class StochasticOperatorFn(Protocol):
    """Point and key -> an unbiased estimate of an operator's value, a tree like the point."""

    def __call__(self, point: optax.Params, key: jax.Array, /) -> optax.Updates: ...


class ThreePillarsState(NamedTuple):
    """State of `three_pillars`. Trees are like the parameters, float32 for 16-bit leaves."""

    key: jax.Array  # constant; step k draws from fold_in(key, k)
    steps: jax.Array  # k, int32; every worker has sent so many messages
    refreshes: jax.Array  # full vectors F_i(m) sent by every worker, the first one too, int32
    broadcasts: jax.Array  # broadcasts of the server, two full vectors each, int32
    reference: optax.Params  # m^k
    reference_operator: optax.Updates  # F_i(m^k) of this worker: leaves (1, *shape)
    mean_reference_operator: optax.Updates  # F(m^k)
    local_solution: optax.Params  # u_H of the last step, which no step reads; 0 before the first
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves

    @staticmethod
    def per_worker() -> tuple[str, ...]:
        """The fields of which every worker has its own."""
        return ("reference_operator",)


def three_pillars(
    gamma: jax.typing.ArrayLike,
    local_step: jax.typing.ArrayLike,
    local_steps: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    compressor: Compressor,
    axis_name: str,
    project: Projection | None = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Three Pillars, for variational inequalities whose operator is split over similar workers.

    .. math::
      u &\approx \text{the zero of } F_1(u) + F(m^k) - F_1(m^k)
        + \tfrac1\gamma \bigl(u - z^k - \tau (m^k - z^k)\bigr), \\
      z^{k+1} &= \mathrm{proj}_Z \Bigl(u + \gamma \, \tfrac1n \textstyle\sum_i
        Q_i\bigl(F_i(m^k) - F_1(m^k) - F_i(u) + F_1(u)\bigr)\Bigr), \\
      m^{k+1} &= z^k \text{ with probability } p, \text{ else } m^k.

    Worker 0 is the server; it finds u by H extragradient steps from z^k on its own operator.
    `three_pillars_parameters` gives all the numbers from mu, delta, L and n.

    `update(updates, state, params, *, operator_fn, server_operator_fn=None,
    stochastic_server_operator_fn=None)` is called under an axis of n workers, of
    `jax.shard_map` or `jax.vmap(..., axis_name=...)`:

    - `params`: z^k, the same on all workers. `updates`: this worker's F_i(z^k).
    - `operator_fn(z)`: this worker's F_i, without collectives. It is evaluated once, at u; on the
      server 2H times more.
    - `server_operator_fn(z)`: F_1, where every worker can evaluate it. Then each of them runs the
      local steps and nothing is broadcast. Give it under `vmap`, where otherwise all workers
      run them and all results but one are discarded.
    - `stochastic_server_operator_fn(z, key)`: an unbiased estimate of F_1 for the local steps, with
      fresh noise for each key; messages are formed with the exact operators.

    Operators are given points in the parameters' dtypes. They may not be changed between refreshes:
    F_i(m^k) is remembered. `params` and `state` are replicated but for `reference_operator`;
    `three_pillars_specs` says so to `shard_map`. Functions cannot cross `jit`: call `update` inside
    the jitted step. `optax.MultiSteps`, clipping before this transformation and `optax.masked`
    change the updates but not what `operator_fn` returns, so they are not supported; under an axis
    of workers the numbers are never known, so that nothing can say so. Under
    `optax.inject_hyperparams` name a projection in `static_args=("project",)`.

    The collectives stand in the named scopes `uplink_message`, `uplink_refresh` and `downlink`.

    Args:
      gamma: the step size gamma, positive.
      local_step: eta, the step size of the extragradient, positive; 1 / (4 (L + 1 / gamma)).
      local_steps: H, an integer of at least 1.
      momentum: tau in [0, 1]; the theorems take tau = p.
      refresh_probability: p in (0, 1]; 1 / n balances messages and refreshes.
      compressor: Q, such as `optzoo.compressors.PermK(n)`.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None. It is handed float32 for 16-bit parameters.
      key: a PRNG key for coins and compressors, the same on all workers; it is carried in the
        state.

    Returns:
      A transformation whose updates have the parameters' tree, shapes and dtypes. For 16-bit
      parameters the state keeps what they cannot hold of the iterate, in float32. The state
      counts what was sent; see `numbers_sent`. It holds four vectors a worker: m^k, F_i(m^k),
      F(m^k), and `local_solution`, the u_H of the last step, of which the theorems on monotone
      operators speak.

    Raises:
      ValueError: if a number is out of range, an argument is missing, an operator's result does
        not match the parameters, there is no axis of this name, or it has another number of
        workers than the compressor.
      TypeError: if an argument is of the wrong kind.

    Example:
      Eight workers whose rotations differ, on one device:

      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> from jax.sharding import PartitionSpec as P
      >>> turn = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
      >>> angles = 1 + 0.1 * jnp.linspace(-1, 1, 8)
      >>> def operator(angle, z):
      ...     return 0.2 * (z - 1.0) + angle * turn @ (z - 1.0)
      >>> plan = optzoo.three_pillars_parameters(0.2, 0.2, 1.2, num_workers=8)
      >>> method = optzoo.three_pillars(
      ...     plan.gamma, plan.local_step, plan.local_steps, momentum=plan.momentum,
      ...     refresh_probability=plan.refresh_probability,
      ...     compressor=optzoo.compressors.PermK(8), axis_name="workers", key=jax.random.key(0))
      >>> def step(z, state, angle):
      ...     updates, state = method.update(
      ...         operator(angle, z), state, z, operator_fn=lambda u: operator(angle, u),
      ...         server_operator_fn=lambda u: operator(angles[0], u))
      ...     return optax.apply_updates(z, updates), state
      >>> z = jnp.zeros(2)
      >>> specs = optzoo.three_pillars_specs(z, "workers")
      >>> axes = jax.tree.map(lambda spec: 0 if spec == P("workers") else None, specs)
      >>> state = jax.vmap(method.init, None, axes[1], axis_size=8, axis_name="workers")(z)
      >>> on_all = jax.jit(jax.vmap(step, (*axes, 0), axes, axis_name="workers"))
      >>> for _ in range(300):
      ...     z, state = on_all(z, state, angles)
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3))
      True

      On several devices, one worker each (four on one processor, where the environment has
      `XLA_FLAGS=--xla_force_host_platform_device_count=4`). Data are placed with a row a worker,
      of which a worker sees its own in shape (1, ...); parameters are placed everywhere:

      >>> n = jax.device_count()
      >>> mesh = jax.sharding.Mesh(jax.devices(), ("workers",))
      >>> by_rows = jax.sharding.NamedSharding(mesh, P("workers"))
      >>> everywhere = jax.sharding.NamedSharding(mesh, P())
      >>> angles = jax.device_put(1 + 0.1 * jnp.linspace(-1, 1, n), by_rows)
      >>> z = jax.device_put(jnp.zeros(2), everywhere)
      >>> plan = optzoo.three_pillars_parameters(0.2, 0.2, 1.2, num_workers=n)
      >>> method = optzoo.three_pillars(
      ...     plan.gamma, plan.local_step, plan.local_steps, momentum=plan.momentum,
      ...     refresh_probability=plan.refresh_probability,
      ...     compressor=optzoo.compressors.PermK(n), axis_name="workers", key=jax.random.key(0))
      >>> def step(z, state, row):
      ...     updates, state = method.update(
      ...         operator(row[0], z), state, z, operator_fn=lambda u: operator(row[0], u))
      ...     return optax.apply_updates(z, updates), state
      >>> specs = optzoo.three_pillars_specs(z, "workers")
      >>> init = jax.jit(jax.shard_map(
      ...     method.init, mesh=mesh, in_specs=specs[:1], out_specs=specs[1]))
      >>> on_all = jax.jit(jax.shard_map(
      ...     step, mesh=mesh, in_specs=(*specs, P("workers")), out_specs=specs))
      >>> state = init(z)
      >>> for _ in range(300):
      ...     z, state = jax.block_until_ready(on_all(z, state, angles))
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3))
      True

      Wait for every step, as here: JAX would start the next ones meanwhile, and on CPUs, where the
      devices share the cores, one of them may fall behind the others' collectives by many steps;
      XLA ends the program when a collective has waited for 40 seconds. A script to begin with is
      `docs/three_pillars_on_devices.py` in the repository.

    References:
      Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of
      efficient communications for distributed variational inequalities", NeurIPS 2023,
      arXiv:2302.07615.
    """
    require_positive("gamma", gamma)
    require_positive("local_step", local_step)
    require_integer("local_steps", local_steps, 1)
    require_reference(momentum, refresh_probability)
    require_key("key", key)
    require_compressor(compressor)
    require_workers(axis_name, project)

    def init_fn(params: optax.Params) -> ThreePillarsState:
        require_floating(params)
        return fresh_state(params, key)

    def update_fn(
        updates: optax.Updates,
        state: ThreePillarsState,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        server_operator_fn: OperatorFn | None = None,
        stochastic_server_operator_fn: StochasticOperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ThreePillarsState]:
        del extra_args
        params = require_gradients("three_pillars", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        if stochastic_server_operator_fn is not None:
            require_function(
                "stochastic_server_operator_fn", stochastic_server_operator_fn, "a point and a key"
            )
        workers = WorkerOperators(
            "three_pillars",
            params,
            axis_name,
            operator_fn=operator_fn,
            server_operator_fn=server_operator_fn,
            project=project,
        )
        compressor.require_axis(axis_name)

        coin_key, message_key, local_key = jax.random.split(
            jax.random.fold_in(state.key, state.steps), 3
        )
        first = state.steps == 0
        z = iterate(params, state.remainder)
        operator_at_z = mark_as_differing(wide(updates, params), axis_name)  # F_i(z^k)

        # m^{k+1} = z^k with probability p, else m^k; m^0 = z^0
        refreshes_now = first | toss(coin_key, refresh_probability)
        kept = (
            state.reference,
            own_row(state.reference_operator, params, axis_name),
            state.mean_reference_operator,
        )

        def refresh() -> Tree:
            return z, operator_at_z, workers.mean(operator_at_z)

        following = jax.lax.cond(refreshes_now, refresh, lambda: kept)
        m, operator_at_m, mean_at_m = jax.tree.map(
            lambda new, old: jnp.where(first, new, old), following, kept
        )

        def solve(
            server: Callable[[Tree], Tree],
            marks: Callable[[Tree], Tree],
            at_m: Tree,
            at_z: Tree,
        ) -> tuple[Tree, Tree]:
            """u_H, and F_1(u_H) - F_1(m^k)."""

            def estimate(point: Tree, call: Any) -> Tree:
                if stochastic_server_operator_fn is None:
                    return server(point)
                return marks(
                    workers.evaluate(
                        "stochastic_server_operator_fn",
                        stochastic_server_operator_fn,
                        point,
                        jax.random.fold_in(local_key, call),
                    )
                )

            problem = SubProblem(
                shift=jax.tree.map(jnp.subtract, mean_at_m, at_m),
                center=jax.tree.map(lambda zi, mi: zi + like(momentum, zi) * (mi - zi), z, m),
                gamma=gamma,
                project=workers.onto_set,
            )
            u, value = solve_locally(problem, local_step, local_steps, estimate, marks(z), at_z)
            if stochastic_server_operator_fn is not None:
                value = server(u)
            return u, jax.tree.map(jnp.subtract, value, at_m)

        known = ((m, operator_at_m), (z, operator_at_z))
        u, server_change = workers.from_server(2, known, solve)

        # a_i = F_i(m^k) - F_1(m^k) - F_i(u_H) + F_1(u_H)
        difference = jax.tree.map(
            lambda at_m, at_u, change: (at_m - at_u) + change,
            operator_at_m,
            workers.own(u),
            server_change,
        )
        mean = mean_of_messages(compressor, message_key, difference, axis_name, like=u)

        # z^{k+1} = proj(u_H + gamma (1/n) sum_i Q_i(a_i))
        z_next = workers.onto_set(jax.tree.map(jnp.add, u, weighted(gamma, mean)))
        new_updates, remainder = step_to(z_next, params)

        reference, operator_at_reference, mean_at_reference = following
        return new_updates, ThreePillarsState(
            key=state.key,
            steps=optax.safe_increment(state.steps),
            refreshes=state.refreshes + refreshes_now.astype(jnp.int32),
            broadcasts=state.broadcasts + jnp.int32(not workers.everywhere),
            reference=reference,
            reference_operator=as_rows(operator_at_reference, params),
            mean_reference_operator=mean_at_reference,
            local_solution=u,
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def three_pillars_specs(
    params: optax.Params, axis_name: str
) -> tuple[optax.Params, ThreePillarsState]:
    r"""How parameters and state of `three_pillars` lie on the axis of workers.

    All of it is replicated but `reference_operator`, the F_i(m^k), of which each worker has its
    own: seen from outside, its leaves have one row a worker.

    Args:
      params: the parameters, or their shapes.
      axis_name: the name of the axis of workers.

    Returns:
      The `PartitionSpec` of every leaf of the parameters and of the state: specs of `shard_map`
      for what goes in and for what comes out.

    Raises:
      TypeError: if the axis name is not a string, or a parameter is not a real floating array.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> params_specs, state_specs = optzoo.three_pillars_specs(jnp.zeros(3), "workers")
      >>> everywhere, by_rows = jax.P(), jax.P("workers")
      >>> params_specs == state_specs.reference == everywhere
      True
      >>> state_specs.reference_operator == by_rows
      True
    """
    require_workers(axis_name, None)
    require_floating(params)

    state = jax.eval_shape(lambda: fresh_state(params, jax.random.key(0)))
    return specs_of(params, axis_name), specs_of(state, axis_name)


def fresh_state(params: optax.Params, key: jax.Array) -> ThreePillarsState:
    """The state before the first step; works on shapes."""
    return ThreePillarsState(
        # A copy: a user who donates the state must not lose the key given here.
        key=jnp.copy(key),
        steps=jnp.zeros([], jnp.int32),
        refreshes=jnp.zeros([], jnp.int32),
        broadcasts=jnp.zeros([], jnp.int32),
        reference=wide_zeros(params),
        reference_operator=as_rows(wide_zeros(params), params),
        mean_reference_operator=wide_zeros(params),
        local_solution=wide_zeros(params),
        remainder=zero_remainder(params),
    )
