# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the methods, and rows of controls."""

from typing import Any

import jax

import optzoo

from ...controls import wrong
from ...mutants import Call, altered

__all__ = ["NO_MOMENTUM", "no_correction", "no_extrapolation"]


@altered(optzoo.distributed_extragradient)
def no_extrapolation(call: Call) -> tuple[Any, Any]:
    """The step is taken with F(z) where it should be with F at half a step."""
    _, new = call.step()
    mean = jax.lax.pmean(call.updates, call.arguments["axis_name"])
    return -call.arguments["gamma"] * mean, new


@altered(optzoo.extragradient_sliding)
def no_correction(call: Call) -> tuple[Any, Any]:
    """The other workers are not asked at u: their operators are taken to differ as at z."""
    server = call.extra_args["server_operator_fn"]
    apart = call.updates - server(call.params)
    return call.step(operator_fn=lambda u: server(u) + apart)


NO_MOMENTUM = wrong("no momentum", r"$\tau = 0$ in the method", momentum=0.0)
