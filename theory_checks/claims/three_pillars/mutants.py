# SPDX-License-Identifier: Apache-2.0
"""Mistakes in Three Pillars, the other convention for its reference point, and rows of controls."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo
from optzoo.compressors import Compressor

from ...compressors import Scaled
from ...controls import Change, wrong
from ...mutants import Call, altered

__all__ = [
    "NEVER_REFRESHED",
    "NO_MOMENTUM",
    "ONE_LOCAL_STEP",
    "messages_count",
    "no_projection",
    "other_reference",
    "raw_differences",
]


@altered(optzoo.three_pillars)
def raw_differences(call: Call) -> tuple[Any, Any]:
    """$F_i(m) - F_i(u)$ is compressed, without the server's part: the similarity is lost."""
    _, new = call.step()
    state, u, first = call.state, new.local_solution, call.state.steps == 0
    at_m = jnp.where(first, call.updates, state.reference_operator[0])
    m = jnp.where(first, call.params, state.reference)
    of_worker, of_server = (call.extra_args[f"{name}operator_fn"] for name in ("", "server_"))
    compressor, axis_name = call.arguments["compressor"], call.arguments["axis_name"]
    key = jax.random.fold_in(jax.random.fold_in(state.key, state.steps), 7)
    mean = compressor.mean(key, at_m - of_worker(u), axis_name)
    # The server's part is subtracted exactly.
    z = u + call.arguments["gamma"] * (mean - (of_server(m) - of_server(u)))
    return z - call.params, new


def no_projection(*arguments: Any, **named: Any) -> optax.GradientTransformationExtraArgs:
    """The constraint is forgotten."""
    return optzoo.three_pillars(*arguments, **(named | {"project": None}))


@altered(optzoo.three_pillars)
def other_reference(call: Call) -> tuple[Any, Any]:
    """No mistake but the other convention: a refresh takes m^{k+1} = z^{k+1}."""
    updates, new = call.step()
    refreshed = (new.refreshes > call.state.refreshes) & (call.state.steps > 0)
    z = call.params + updates
    own = call.extra_args["operator_fn"](z)
    mean = jax.lax.pmean(own, call.arguments["axis_name"])
    return updates, new._replace(
        reference=jnp.where(refreshed, z, new.reference),
        reference_operator=jnp.where(refreshed, own[None], new.reference_operator),
        mean_reference_operator=jnp.where(refreshed, mean, new.mean_reference_operator),
    )


# --- Rows of controls ---


def messages_count(factor: float, compressor: Compressor) -> Change:
    """What is sent counts with a factor: nothing, half, twice; or without the factor n, 1/n."""
    words = {
        0.0: ("correction dropped", "nothing is sent: $z^{k+1} = u_H$"),
        0.5: ("correction halved", "messages count half"),
        2.0: ("correction doubled", "messages count twice"),
        1 / compressor.num_workers: (
            "compressor without the factor n",
            "blocks are sent as they are",
        ),
    }
    return wrong(*words[factor], compressor=Scaled(compressor, factor))


NO_MOMENTUM = wrong("no momentum", r"$\tau = 0$ in the method", momentum=0.0)
ONE_LOCAL_STEP = wrong("one local step", "$H = 1$ in the method", local_steps=1)
NEVER_REFRESHED = wrong(
    "never refreshed", "the reference stays $z^0$: the error stalls", refresh_probability=0.0
)
