# SPDX-License-Identifier: Apache-2.0
"""The step that every Frank-Wolfe method takes with its estimate, and the checks they share."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._agreement import are_concrete, require_agreement
from ._arguments import require_floating, require_function, require_step_size
from ._compensated_sum import iterate, step_to
from ._tree_vector import wide_dtype
from ._wide_arithmetic import wide
from .lmo import ConstraintSet
from .step_rules import StepRule, ValueFn

__all__: list[str] = []


def require_set(constraint: Any) -> None:
    if not isinstance(constraint, ConstraintSet):
        raise TypeError(
            "constraint must be a set of optzoo.lmo, such as optzoo.lmo.l1_ball(1.0), "
            f"got {constraint!r}."
        )


def require_feasible_start(constraint: ConstraintSet, params: optax.Params) -> None:
    require_floating(params)
    leaves = jax.tree.leaves(params)
    if not leaves or not all(hasattr(leaf, "__array__") for leaf in leaves):
        return  # placeholders or shapes: there are no values yet
    inside = constraint.contains(params)
    if not isinstance(inside, jax.core.Tracer) and not bool(inside):
        raise ValueError(
            f"params must start inside the constraint set {constraint}; they are outside. "
            "Start at constraint.project(params), or at a vertex: constraint.lmo(params)."
        )


def require_step(learning_rate: Any) -> None:
    """Raises unless it is a number, a schedule or a rule for the step."""
    if isinstance(learning_rate, type) and issubclass(learning_rate, StepRule):
        # It can be called, and would be taken for a schedule.
        name = learning_rate.__name__
        raise TypeError(f"learning_rate must be a rule, {name}(...), got the class {name} itself.")
    if not isinstance(learning_rate, StepRule):
        require_step_size("learning_rate", learning_rate)


def require_value_fn(
    name: str,
    learning_rate: Any,
    value_fn: ValueFn | None,
    updates: optax.Updates,
    params: optax.Params,
    steps: jax.Array,
) -> None:
    """Raises unless the function that a rule asks for is there, and the updates are its gradient.

    They are compared at the first step, where they are concrete.
    """
    if not isinstance(learning_rate, StepRule) or not learning_rate.needs_value_fn:
        return
    if value_fn is None:
        raise ValueError(
            f"{name}: the extra argument `value_fn` is missing, which the step rule "
            f"{type(learning_rate).__name__} evaluates; call "
            "update(grads, state, params, value_fn=...)."
        )
    require_function("value_fn", value_fn, "the parameters")
    value = jax.eval_shape(value_fn, jax.eval_shape(wide, params, params))
    if not hasattr(value, "shape") or value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(
            f"value_fn must return one real floating number, the value of f; it returns {value!r}."
        )
    if are_concrete(updates, params, steps) and int(steps) == 0:
        here = jax.grad(value_fn)(wide(params, params))
        require_agreement(updates, here, "the gradient of value_fn at params")


def step_size(
    learning_rate: optax.ScalarOrSchedule | StepRule,
    steps: jax.Array,
    gradient: optax.Updates,
    x: optax.Params,
    direction: optax.Updates,
    largest: jax.Array,
    value_fn: ValueFn | None,
) -> jax.Array:
    """eta_k, at most the largest."""
    if isinstance(learning_rate, StepRule):
        return learning_rate.step_size(gradient, x, direction, largest, value_fn)
    eta = jnp.asarray(learning_rate(steps) if callable(learning_rate) else learning_rate)
    return jnp.minimum(eta.astype(largest.dtype), largest)


def step(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule | StepRule,
    steps: jax.Array,
    estimate: optax.Updates,
    params: optax.Params,
    remainder: optax.Params,
    value_fn: ValueFn | None = None,
) -> tuple[optax.Updates, optax.Params]:
    """The update that takes the parameters to x^{k+1}, and the next remainder."""
    x = iterate(params, remainder)
    # s^k = LMO(g^k),  x^{k+1} = x^k + eta_k (s^k - x^k)
    s = constraint.lmo(estimate)
    d = jax.tree.map(jnp.subtract, s, x)
    one = jnp.ones([], wide_dtype(x))
    eta = step_size(learning_rate, steps, estimate, x, d, one, value_fn)
    x_next = constraint.retract(jax.tree.map(lambda xi, di: xi + eta.astype(xi.dtype) * di, x, d))
    return step_to(x_next, params)
