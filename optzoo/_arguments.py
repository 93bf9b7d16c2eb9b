# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments: they name the argument, what was given and what is allowed.

Only concrete values are checked. Under `jit` or `optax.inject_hyperparams` a number is a tracer
whose value nobody knows yet; it is accepted.
"""

import math
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import optax

__all__: list[str] = []


def concrete_number(name: str, value: Any) -> float | None:
    """The value of a real scalar as a float, or None for a tracer, whose value nobody knows.

    Raises a TypeError for anything else: a string, None, a bool, an array of several numbers.
    """
    if isinstance(value, jax.core.Tracer):
        return None
    if isinstance(value, bool) or not hasattr(value, "__float__") or not is_real(value):
        raise TypeError(f"{name} must be a real number, got {value!r}.")
    if getattr(value, "shape", ()) != ():
        raise TypeError(f"{name} must be one number, got an array of shape {value.shape}.")
    return float(value)


def require_probability(name: str, value: Any) -> None:
    """Raises unless 0 < value <= 1."""
    number = concrete_number(name, value)
    if number is not None and not 0.0 < number <= 1.0:
        raise ValueError(f"{name} must lie in (0, 1], got {number}.")


def require_step_size(name: str, value: Any) -> None:
    """Raises unless 0 < value <= 1, or, for a schedule, 0 <= value <= 1 at its first step."""
    if callable(value):
        number = concrete_number(f"{name}(0)", first_value(name, value))
        allowed, inside = "[0, 1] at step 0", number is None or 0.0 <= number <= 1.0
    else:
        number = concrete_number(name, value)
        allowed, inside = "(0, 1]", number is None or 0.0 < number <= 1.0
    if not inside:
        raise ValueError(
            f"{name} must lie in {allowed}, because the next iterate is a convex combination of "
            f"this one and a point of the constraint set; got {number}."
        )


def require_learning_rate(name: str, value: Any) -> None:
    """Raises unless 0 < value < infinity, or, for a schedule, 0 <= value at its first step."""
    scheduled = callable(value)
    number = concrete_number(
        f"{name}(0)" if scheduled else name, first_value(name, value) if scheduled else value
    )
    # inject_hyperparams hands over the first value of a schedule, which may well be 0.
    may_be_zero = scheduled or isinstance(value, jax.Array)
    if number is None or 0.0 < number < math.inf or (may_be_zero and number == 0.0):
        return
    allowed = "finite and at least 0 at step 0" if scheduled else "positive and finite"
    raise ValueError(f"{name} must be {allowed}, got {number}.")


def first_value(name: str, schedule: Any) -> Any:
    """What a schedule returns at step 0; raises a TypeError if it cannot be called so."""
    try:
        return schedule(jnp.zeros([], jnp.int32))
    except TypeError as error:
        raise TypeError(
            f"{name} must be a number or a schedule, a function of the step count alone, got "
            f"{schedule!r}, which raises: {error}"
        ) from error


def require_in(name: str, value: Any, low: float, below: float) -> None:
    """Raises unless low <= value < below."""
    number = concrete_number(name, value)
    if number is not None and not low <= number < below:
        raise ValueError(f"{name} must lie in [{low:g}, {below:g}), got {number}.")


def require_closed_interval(name: str, value: Any, low: float, high: float) -> None:
    """Raises unless low <= value <= high."""
    number = concrete_number(name, value)
    if number is not None and not low <= number <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {number}.")


def require_integer(name: str, value: Any, least: int) -> int | None:
    """The value as an int, or None for a tracer; raises unless it is at least `least`."""
    if isinstance(value, (bool, float)):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    number = concrete_number(name, value)
    if number is None:
        return None
    # inject_hyperparams hands over an integer as an array of floats.
    if not number.is_integer():
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    return int(number)


def require_batch(batch_size: Any, max_level: Any) -> None:
    """Raises unless B >= 1, m >= 0, and 2^m B samples can be counted."""
    size = require_integer("batch_size", batch_size, 1)
    level = require_integer("max_level", max_level, 0)
    # An unknown batch size is at least 1; an unknown level at least 0.
    if math.log2(size or 1) + (level or 0) >= 31:
        raise ValueError(
            "batch_size * 2**max_level must be below 2**31, because samples are counted in int32; "
            f"got batch_size = {batch_size} and max_level = {max_level}."
        )


def require_positive(name: str, value: Any) -> None:
    """Raises unless 0 < value < infinity."""
    if callable(value):
        raise TypeError(f"{name} must be one positive number, not a schedule; got {value!r}.")
    number = concrete_number(name, value)
    if number is not None and not 0.0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {number}.")


def require_known(name: str, value: Any) -> float:
    """The value of a number that may not be traced."""
    number = concrete_number(name, value)
    if number is None:
        raise TypeError(f"{name} must be a concrete number, got {value!r}.")
    return number


def require_known_positive(name: str, value: Any) -> None:
    """Raises unless 0 < value < infinity, and known."""
    require_known(name, value)
    require_positive(name, value)


def require_not_negative(name: str, value: Any) -> None:
    """Raises unless 0 <= value < infinity."""
    number = concrete_number(name, value)
    if number is not None and not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {number}.")


def require_function(name: str, value: Any, of: str) -> None:
    """Raises unless the value can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function of {of}, got {value!r}.")


def require_params(name: str, params: optax.Params | None) -> optax.Params:
    """The parameters; raises where there are none, or a leaf is no real floating array."""
    if params is None:
        raise ValueError(f"{name}: `params` is missing; call update(grads, state, params, ...).")
    require_floating(params)
    return params


def missing_extra(name: str, **extras: Any) -> ValueError:
    """The error for the first of the extra arguments that is None."""
    missing = next(extra for extra, value in extras.items() if value is None)
    call = ", ".join(f"{extra}=..." for extra in extras)
    return ValueError(
        f"{name}: the extra argument `{missing}` is missing; call "
        f"update(grads, state, params, {call})."
    )


def require_gradients(
    name: str, updates: optax.Updates, params: optax.Params | None
) -> optax.Params:
    """The parameters; raises unless they are there, and the updates fit them."""
    params = require_params(name, params)
    require_matching_tree("updates", updates, params)
    return params


def require_floating(params: optax.Params, name: str = "params") -> None:
    """Raises unless all leaves are real floating arrays.

    There may be no leaves: placeholders of optax have none, and a None inside a tree is no leaf.
    """
    if params is None:
        raise TypeError(f"{name} must be a tree of real floating arrays, got None.")
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} must be a real floating array, "
                f"got {_words(leaf)}."
            )


def require_key(name: str, key: Any) -> None:
    """Raises unless `key` is a PRNG key, typed or raw."""
    typed = hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw_shape = jax.eval_shape(jax.random.PRNGKey, 0).shape  # of JAX's default generator
    raw = hasattr(key, "dtype") and key.dtype == jnp.uint32 and key.shape == raw_shape
    if not (typed and key.shape == ()) and not raw:
        raise TypeError(f"{name} must be a PRNG key such as jax.random.key(0), got {key!r}.")


def require_matching_tree(name: str, tree: optax.Params, params: optax.Params) -> None:
    """Raises unless `tree` has the structure and the leaf shapes of `params`, and is real."""
    given: Any = jax.tree.structure(tree)
    expected: Any = jax.tree.structure(params)
    if given != expected:
        raise ValueError(
            f"{name} must have the tree structure of params, {expected}; it has {given}."
        )
    leaves = zip(jax.tree.leaves(tree), jax.tree_util.tree_leaves_with_path(params), strict=True)
    for leaf, (path, param) in leaves:
        if not is_real(leaf):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} must hold real numbers, got {_words(leaf)}."
            )
        if jnp.shape(leaf) != jnp.shape(param):
            raise ValueError(
                f"{name}{jax.tree_util.keystr(path)} must have the shape of the parameter, "
                f"{jnp.shape(param)}; it has {jnp.shape(leaf)}."
            )


def is_real(leaf: Any) -> bool:
    """Whether it is a number or an array of numbers, and not complex."""
    if hasattr(leaf, "dtype"):
        kinds = (jnp.floating, jnp.integer, jnp.bool_)
        return any(jnp.issubdtype(leaf.dtype, kind) for kind in kinds)
    return isinstance(leaf, numbers.Real)


def _words(leaf: Any) -> str:
    return f"an array of dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf)
