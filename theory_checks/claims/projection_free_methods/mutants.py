# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the stochastic methods, each in the place of the shipped one."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

import optzoo

from ...mutants import Call, altered
from ..frank_wolfe.processes import Transformation

__all__ = [
    "constant_batch",
    "first_micro_batch_only",
    "without_memory",
]


def first_micro_batch_only(*more: Any, samples_per_step: Any, **named: Any) -> Transformation:
    """Every micro batch makes a step: the batches do not grow."""
    return optzoo.stochastic_frank_wolfe(*more, samples_per_step=1, **named)


def without_memory(*more: Any, momentum: Any = None, **named: Any) -> Transformation:
    """No momentum: every step goes along its own batch."""
    return optzoo.momentum_frank_wolfe(*more, **(named | {"momentum": 1.0}))


@altered(optzoo.spider_frank_wolfe)
def constant_batch(call: Call) -> tuple[optax.Updates, Any]:
    """Plain stochastic Frank-Wolfe: the estimate is the minibatch gradient itself."""
    zeros = jax.tree.map(jnp.zeros_like, call.params)
    return call.step(
        state=call.state._replace(estimate=zeros),
        grad_fn=lambda params: zeros,
        full_grad_fn=lambda params: call.updates,
    )
