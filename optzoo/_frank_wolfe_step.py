"""The step that every Frank-Wolfe method takes with its estimate, and the checks they share.

For 16-bit parameters the iterate is kept in float32: in 16 bits small steps would be lost.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from .lmo import ConstraintSet

__all__: list[str] = []


def require_set(constraint: Any) -> None:
    if not isinstance(constraint, ConstraintSet):
        raise TypeError(
            "constraint must be a set of optzoo.lmo, such as optzoo.lmo.l1_ball(1.0), "
            f"got {constraint!r}."
        )


def require_params(name: str, params: optax.Params | None) -> optax.Params:
    if params is None:
        raise ValueError(f"{name}: `params` is missing; call update(grads, state, params, ...).")
    return params


def require_feasible_start(constraint: ConstraintSet, params: optax.Params) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    for path, leaf in leaves:
        if not hasattr(leaf, "dtype"):
            raise TypeError(
                f"params{jax.tree_util.keystr(path)} must be an array, got {type(leaf).__name__}."
            )
    if not leaves or not all(hasattr(leaf, "__array__") for _, leaf in leaves):
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
    iterate: optax.Params,
) -> tuple[optax.Updates, optax.Params]:
    """The additive update x^{k+1} - params, and x^{k+1} for the leaves that keep it."""
    eta = jnp.asarray(learning_rate(steps) if callable(learning_rate) else learning_rate)

    x = jax.tree.map(_current, params, iterate)
    # s^k = LMO(g^k),  x^{k+1} = x^k + eta_k (s^k - x^k)
    s = constraint.lmo(estimate)
    x_next = constraint.retract(
        jax.tree.map(lambda xi, si: xi + eta.astype(xi.dtype) * (si - xi), x, s)
    )
    updates = jax.tree.map(lambda new, p: new - p.astype(new.dtype), x_next, params)
    kept = jax.tree.map(lambda p, new: new if _is_16_bit(p) else None, params, x_next)
    return updates, kept


def _current(param: jax.Array, iterate: jax.Array | None) -> jax.Array:
    """x^k: the parameter, or the float32 iterate where the parameter is still its rounding.

    It is not before the first step, nor where somebody else has moved the parameter since.
    """
    if iterate is None:
        return param
    unmoved = iterate.astype(param.dtype) == param
    return jnp.where(unmoved, iterate, param.astype(iterate.dtype))


def wide(tree: optax.Updates, params: optax.Params) -> optax.Updates:
    """The tree in the dtypes that the iterate is kept in."""
    return jax.tree.map(lambda t, p: jnp.asarray(t).astype(wide_dtype(p)), tree, params)


def wide_dtype(leaf: Any) -> Any:
    return jnp.float32 if _is_16_bit(leaf) else leaf.dtype


def zeros_if_16_bit(leaf: Any) -> jax.Array | None:
    return jnp.zeros(leaf.shape, jnp.float32) if _is_16_bit(leaf) else None


def _is_16_bit(leaf: Any) -> bool:
    return jnp.dtype(leaf.dtype).itemsize == 2
