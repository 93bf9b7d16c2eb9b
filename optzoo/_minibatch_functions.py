# SPDX-License-Identifier: Apache-2.0
"""The gradients that a variance-reduced method evaluates itself, beside those that it is given."""

from typing import Any, Protocol

import jax
import optax

from ._agreement import are_concrete, require_agreement
from ._arguments import missing_extra, require_function, require_matching_tree
from ._wide_arithmetic import wide

__all__: list[str] = []


class GradientFn(Protocol):
    """Parameters -> gradient, a tree like the parameters."""

    def __call__(self, params: optax.Params, /) -> optax.Updates: ...


def checked_functions(
    name: str,
    updates: optax.Updates,
    params: optax.Params,
    epochs: jax.Array,
    grad_fn: Any,
    full_grad_fn: Any,
) -> tuple[GradientFn, GradientFn]:
    """Both functions with their results checked, and in wide arithmetic.

    Before the first epoch, which a restart begins, and where the numbers are known, `updates` are
    compared with what `grad_fn` returns at the parameters, once: it costs a gradient.
    """
    if grad_fn is None or full_grad_fn is None:
        raise missing_extra(name, grad_fn=grad_fn, full_grad_fn=full_grad_fn)
    require_function("grad_fn", grad_fn, "the parameters")
    require_function("full_grad_fn", full_grad_fn, "the parameters")

    def checked(which: str, function: GradientFn, point: optax.Params) -> optax.Updates:
        value = function(point)
        require_matching_tree(f"the result of {which}", value, params)
        return value

    if are_concrete(updates, params, epochs) and int(epochs) == 0:
        here = checked("grad_fn", grad_fn, params)
        require_agreement(updates, here, "what grad_fn returns at params")
    return (
        lambda point: wide(checked("grad_fn", grad_fn, point), params),
        lambda point: wide(checked("full_grad_fn", full_grad_fn, point), params),
    )
