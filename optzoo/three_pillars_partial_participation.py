# SPDX-License-Identifier: Apache-2.0
"""Three Pillars with random workers in the place of compressed messages (Algorithm 2)."""

from __future__ import annotations

import jax
import optax

from ._worker_operators import Projection
from .compressors import SampledClients
from .three_pillars import three_pillars

__all__ = ["three_pillars_partial_participation"]


def three_pillars_partial_participation(
    gamma: jax.typing.ArrayLike,
    local_step: jax.typing.ArrayLike,
    local_steps: jax.typing.ArrayLike,
    *,
    momentum: jax.typing.ArrayLike,
    refresh_probability: jax.typing.ArrayLike,
    clients: SampledClients,
    axis_name: str,
    project: Projection | None = None,
    key: jax.Array,
) -> optax.GradientTransformationExtraArgs:
    r"""Three Pillars with a few random clients a step in the place of compression (Algorithm 2).

    .. math::
      u &\approx \text{the zero of } F_1(u) + F(m^k) - F_1(m^k)
        + \tfrac1\gamma \bigl(u - z^k - \tau (m^k - z^k)\bigr), \\
      z^{k+1} &= \mathrm{proj}_Z \Bigl(u + \gamma \, \tfrac1b \textstyle\sum_{j \le b}
        \bigl(F_{i_j}(m^k) - F_1(m^k) - F_{i_j}(u) + F_1(u)\bigr)\Bigr), \\
      m^{k+1} &= z^k \text{ with probability } p, \text{ else } m^k,

    with i_1, ..., i_b uniform and independent over all n workers, the server among them. This is
    `three_pillars` with draws of workers for a compressor; with b = 1 it has the same second
    moments as with `PermK`.

    `update(updates, state, params, *, operator_fn, server_operator_fn=None,
    stochastic_server_operator_fn=None)`, as in `three_pillars`.

    Args:
      gamma: the step size gamma, positive.
      local_step: eta, the step size of the extragradient, positive.
      local_steps: H, an integer of at least 1.
      momentum: tau in [0, 1]; the theorems take tau = p.
      refresh_probability: p in (0, 1].
      clients: b of n, as `optzoo.compressors.SampledClients(b, n)`.
      axis_name: the name of the axis of workers.
      project: proj_Z; Z is everything if None.
      key: a PRNG key for coins and clients, the same on all workers.

    Returns:
      A transformation like that of `three_pillars`, with a `ThreePillarsState`.

    Raises:
      ValueError: as `three_pillars`.
      TypeError: as `three_pillars`, and if clients is not a `SampledClients`.

    Example:
      >>> import jax, jax.numpy as jnp, optzoo
      >>> clients = optzoo.compressors.SampledClients(num_clients=1, num_workers=4)
      >>> plan = optzoo.three_pillars_parameters(1.0, 1.0, 2.0, num_workers=4, compressor=clients)
      >>> method = optzoo.three_pillars_partial_participation(
      ...     plan.gamma, plan.local_step, plan.local_steps, momentum=plan.momentum,
      ...     refresh_probability=plan.refresh_probability, clients=clients,
      ...     axis_name="workers", key=jax.random.key(0))
      >>> int(method.init(jnp.zeros(3)).steps)
      0

    References:
      Beznosikov, Takac, Gasnikov, "Similarity, compression and local steps: three pillars of
      efficient communications for distributed variational inequalities", NeurIPS 2023,
      arXiv:2302.07615.
    """
    if not isinstance(clients, SampledClients):
        raise TypeError(f"clients must be an optzoo.compressors.SampledClients, got {clients!r}.")
    return three_pillars(
        gamma,
        local_step,
        local_steps,
        momentum=momentum,
        refresh_probability=refresh_probability,
        compressor=clients,
        axis_name=axis_name,
        project=project,
        key=key,
    )
