"""The step that every Frank-Wolfe method takes with its estimate, and the checks they share."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_floating
from ._compensated_sum import iterate, step_to
from .lmo import ConstraintSet

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


def step(
    constraint: ConstraintSet,
    learning_rate: optax.ScalarOrSchedule,
    steps: jax.Array,
    estimate: optax.Updates,
    params: optax.Params,
    remainder: optax.Params,
) -> tuple[optax.Updates, optax.Params]:
    """The update that takes the parameters to x^{k+1}, and the next remainder."""
    eta = jnp.asarray(learning_rate(steps) if callable(learning_rate) else learning_rate)

    x = iterate(params, remainder)
    # s^k = LMO(g^k),  x^{k+1} = x^k + eta_k (s^k - x^k)
    s = constraint.lmo(estimate)
    x_next = constraint.retract(
        jax.tree.map(lambda xi, si: xi + eta.astype(xi.dtype) * (si - xi), x, s)
    )
    return step_to(x_next, params)
