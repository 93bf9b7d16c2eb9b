# SPDX-License-Identifier: Apache-2.0
r"""Extragradient sliding: the server's operator is solved for, the small rest extrapolated.

With G = F - F_1, which is delta-Lipschitz with delta far below L:

    F_1(u^k) + G(z^k) + (u^k - z^k) / theta = 0,   u^k in Z,                       (*)
    g^k     = G(u^k) - G(z^k) - (u^k - z^k) / theta
    z^{k+1} = proj_Z(z^k + eta alpha (u^k - z^k) - eta g^k).

(*) is solved by H extragradient steps with the server's operator, at no cost of communication. A
step takes two rounds of whole vectors, for F(z^k) and F(u^k), and an accuracy eps of the order of
(delta / mu) log(1/eps) steps: L has gone, and nothing is compressed.

The paper on data similarity has eta = theta and alpha = 0: then z^{k+1} = proj_Z(u^k + theta
(G(z^k) - G(u^k))). That on optimal sliding has theta = 1 / (2 delta), alpha = 2 mu and eta =
min(1 / (2 mu), 1 / (2 delta)). With alpha = 2 mu and eta = theta / (1 + 2 mu theta) the second is
the first with a shorter correction; that is theorem S, and the paper's own eta is outside it.

Differs from the papers:
 1. g^k is F(u^k) in the paper on sliding, in the whole space; for an exact solution of (*) the two
    are equal. This form holds over sets too.
 2. (*) is solved by a given number of steps, where the papers stop at a relative accuracy.
 3. For 16-bit parameters the iterates are in float32.

References:
  Beznosikov, Scutari, Rogozin, Gasnikov, "Distributed saddle-point problems under data similarity",
  NeurIPS 2021, arXiv:2107.10706.
  Kovalev, Beznosikov, Borodich, Gasnikov, Scutari, "Optimal gradient sliding and its application
  to optimal distributed optimization under similarity", NeurIPS 2022, arXiv:2205.15136.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from ._arguments import (
    require_floating,
    require_gradients,
    require_integer,
    require_not_negative,
    require_positive,
)
from ._compensated_sum import iterate, step_to, zero_remainder
from ._local_extragradient import SubProblem, like, solve_locally
from ._state_layout import require_own_state
from ._traffic import Traffic, no_traffic
from ._wide_arithmetic import wide
from ._worker_arguments import require_workers
from ._worker_axis import mark_as_differing
from ._worker_operators import OperatorFn, Projection, WorkerOperators

__all__ = ["ExtragradientSlidingState", "extragradient_sliding"]

Tree: TypeAlias = Any


class ExtragradientSlidingState(NamedTuple):
    """State of `extragradient_sliding`."""

    steps: jax.Array  # k, int32
    sent: Traffic
    remainder: optax.Params  # z^k less the 16-bit parameters, float32; None for wider leaves


def extragradient_sliding(
    theta: jax.typing.ArrayLike,
    local_step: jax.typing.ArrayLike,
    local_steps: jax.typing.ArrayLike,
    *,
    eta: jax.typing.ArrayLike | None = None,
    alpha: jax.typing.ArrayLike = 0.0,
    axis_name: str,
    project: Projection | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Gradient sliding for variational inequalities whose operator is split over similar workers.

    .. math::
      u &\approx \text{the zero of } F_1(u) + G(z^k) + \tfrac1\theta (u - z^k),
        \qquad G = F - F_1, \\
      z^{k+1} &= \mathrm{proj}_Z\bigl(z^k + \eta \bigl(\alpha + \tfrac1\theta\bigr) (u - z^k)
        - \eta (G(u) - G(z^k))\bigr).

    `update(updates, state, params, *, operator_fn, server_operator_fn=None)` is called under an
    axis of workers, as that of `three_pillars`: worker 0 is the server, and where
    `server_operator_fn` is given every worker runs the local steps and nothing is broadcast.
    Parameters and state are the same on all workers.

    Args:
      theta: the step size of the sub-problem, positive; 1 / delta_1 or less.
      local_step: the step size of the extragradient that solves it, positive;
        1 / (4 (L + 1 / theta)).
      local_steps: H, an integer of at least 1.
      eta: the step size of the correction, positive; theta if None. Theorem S has
        theta / (1 + 2 mu theta).
      alpha: at least 0; theorem S has 2 mu, V8 has 0.
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
      >>> turn = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
      >>> angles = 1 + 0.1 * jnp.linspace(-1, 1, 8)
      >>> def operator(angle, z):
      ...     return 0.2 * (z - 1.0) + angle * turn @ (z - 1.0)
      >>> method = optzoo.extragradient_sliding(5.0, 0.15, 20, axis_name="workers")
      >>> def step(z, state, angle):
      ...     updates, state = method.update(
      ...         operator(angle, z), state, z, operator_fn=lambda u: operator(angle, u),
      ...         server_operator_fn=lambda u: operator(angles[0], u))
      ...     return optax.apply_updates(z, updates), state
      >>> z = jnp.zeros(2)
      >>> state = method.init(z)
      >>> on_all = jax.jit(jax.vmap(step, (None, None, 0), None, axis_name="workers"))
      >>> for _ in range(15):
      ...     z, state = on_all(z, state, angles)
      >>> bool(jnp.allclose(z, 1.0, atol=1e-3)), int(state.sent.vectors)
      (True, 30)

    References:
      Beznosikov, Scutari, Rogozin, Gasnikov, "Distributed saddle-point problems under data
      similarity", NeurIPS 2021, arXiv:2107.10706.
      Kovalev, Beznosikov, Borodich, Gasnikov, Scutari, "Optimal gradient sliding and its
      application to optimal distributed optimization under similarity", NeurIPS 2022,
      arXiv:2205.15136.
    """
    require_positive("theta", theta)
    require_positive("local_step", local_step)
    require_integer("local_steps", local_steps, 1)
    if eta is not None:
        require_positive("eta", eta)
    require_not_negative("alpha", alpha)
    require_workers(axis_name, project)

    def init_fn(params: optax.Params) -> ExtragradientSlidingState:
        require_floating(params)
        return ExtragradientSlidingState(
            steps=jnp.zeros([], jnp.int32),
            sent=no_traffic(messages=False),
            remainder=zero_remainder(params),
        )

    def update_fn(
        updates: optax.Updates,
        state: ExtragradientSlidingState,
        params: optax.Params | None = None,
        *,
        operator_fn: OperatorFn | None = None,
        server_operator_fn: OperatorFn | None = None,
        **extra_args: Any,
    ) -> tuple[optax.Updates, ExtragradientSlidingState]:
        del extra_args
        params = require_gradients("extragradient_sliding", updates, params)
        require_own_state(state, jax.eval_shape(init_fn, params))
        workers = WorkerOperators(
            "extragradient_sliding",
            params,
            axis_name,
            operator_fn=operator_fn,
            server_operator_fn=server_operator_fn,
            project=project,
        )
        z = iterate(params, state.remainder)
        operator_at_z = mark_as_differing(wide(updates, params), axis_name)
        mean_at_z = workers.mean(operator_at_z)

        def solve(
            server: Callable[[Tree], Tree], marks: Callable[[Tree], Tree], at_z: Tree
        ) -> tuple[Tree, Tree]:
            """u_H, and F_1(u_H) - F_1(z^k)."""
            problem = SubProblem(
                shift=jax.tree.map(jnp.subtract, mean_at_z, at_z),
                center=z,
                gamma=theta,
                project=workers.onto_set,
            )
            u, value = solve_locally(
                problem, local_step, local_steps, lambda point, _: server(point), marks(z), at_z
            )
            return u, jax.tree.map(jnp.subtract, value, at_z)

        u, server_change = workers.from_server(2, ((z, operator_at_z),), solve)
        mean_at_u = workers.mean(workers.own(u))

        def following(
            zi: jax.Array, ui: jax.Array, at_z: jax.Array, at_u: jax.Array, change: jax.Array
        ) -> jax.Array:
            # z + eta (alpha + 1/theta) (u - z) - eta (G(u) - G(z))
            correction = like(theta if eta is None else eta, zi)
            share = correction * (like(alpha, zi) + 1 / like(theta, zi))
            return zi + share * (ui - zi) - correction * ((at_u - at_z) - change)

        moved = jax.tree.map(following, z, u, mean_at_z, mean_at_u, server_change)
        new_updates, remainder = step_to(workers.onto_set(moved), params)
        return new_updates, ExtragradientSlidingState(
            steps=optax.safe_increment(state.steps),
            sent=state.sent.plus(rounds=2, vectors=2, broadcasts=0 if workers.everywhere else 2),
            remainder=remainder,
        )

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)
