"""What the methods for Markovian noise share: their checks, their dtypes, their copies of iterates.

As everywhere in the package, what belongs to a 16-bit parameter is kept in float32: in 16 bits
small steps would be lost.
"""

import math
import operator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_leaves_with_path

from ._arguments import concrete_number
from ._frank_wolfe_step import wide_dtype

__all__: list[str] = []

State = TypeVar("State")


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


def require_learning_rate(name: str, value: Any) -> None:
    """Raises unless positive and finite, or, for a schedule, not negative at its first step."""
    if not callable(value):
        require_positive(name, value)
        return
    number = concrete_number(f"{name}(0)", value(jnp.zeros([], jnp.int32)))
    if number is not None and not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and at least 0 at step 0, got {number}.")


def require_integer(name: str, value: Any, least: int) -> int | None:
    """The value as an int, or None for a tracer; raises unless it is at least `least`."""
    if isinstance(value, jax.core.Tracer):
        if not jnp.issubdtype(value.dtype, jnp.integer) or value.shape != ():
            raise TypeError(f"{name} must be one integer, got {value.aval}.")
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}.") from None
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    return number


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


def require_floating(params: optax.Params) -> None:
    """Raises unless the parameters' leaves are floating arrays (or there are no leaves)."""
    for path, leaf in tree_leaves_with_path(params):
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            given = f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else repr(leaf)
            raise TypeError(f"params{keystr(path)} must be a floating array, got {given}.")


def wide_zeros(params: optax.Params) -> optax.Params:
    """Zeros like the parameters; works on shapes."""
    return jax.tree.map(lambda p: jnp.zeros(p.shape, wide_dtype(p)), params)


def wide_copy(params: optax.Params) -> optax.Params:
    """The parameters in memory of their own, so that both can be donated; zeros for shapes."""

    def copy(p: Any) -> jax.Array:
        if isinstance(p, jax.ShapeDtypeStruct):
            return jnp.zeros(p.shape, wide_dtype(p))
        return jnp.array(p, wide_dtype(p), copy=True)

    return jax.tree.map(copy, params)


def current(params: optax.Params, iterate: optax.Params) -> optax.Params:
    """The point that the parameters stand for: the iterate while 16-bit ones are its rounding.

    They are not where somebody else has moved them since.
    """

    def choose(param: jax.Array, x: jax.Array) -> jax.Array:
        if param.dtype == x.dtype:
            return param
        return jnp.where(x.astype(param.dtype) == param, x, param.astype(x.dtype))

    return jax.tree.map(choose, params, iterate)


def weighted(scalar: Any, tree: optax.Params) -> optax.Params:
    """The tree times the scalar, in the tree's dtypes."""
    return jax.tree.map(lambda leaf: jnp.asarray(scalar).astype(leaf.dtype) * leaf, tree)


def find_state(state: optax.OptState, kind: type[State]) -> State:
    """The one state of this kind anywhere inside the state of a chain or a wrapper."""
    leaves = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kind))
    found = [leaf for leaf in leaves if isinstance(leaf, kind)]
    if len(found) != 1:
        raise ValueError(f"state must hold exactly one {kind.__name__}; it holds {len(found)}.")
    return found[0]
