# SPDX-License-Identifier: Apache-2.0
"""Checks of what the problems are given; they look at concrete values only."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

__all__ = [
    "check_indices",
    "check_point",
    "check_scalar",
    "check_size",
    "check_state",
    "host",
    "is_concrete",
    "probabilities",
    "require_float64",
    "round_off",
    "symmetric",
]


_finfo: Any = jnp.finfo


def require_float64(caller: str) -> None:
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError(
            f"{caller} needs float64: call jax.config.update('jax_enable_x64', True) first"
        )


def is_concrete(leaf: Any) -> bool:
    """Tracers, and the placeholders that JAX puts into pytrees, carry no value to check."""
    return isinstance(leaf, (bool, int, float, list, tuple, np.ndarray, np.generic)) or (
        isinstance(leaf, jax.Array) and not isinstance(leaf, jax.core.Tracer)
    )


def host(leaf: Any) -> np.ndarray:
    """The leaf as a float64 NumPy array."""
    if not is_concrete(leaf):
        raise TypeError(
            f"the numbers of a problem are computed on the host and need concrete arrays, got"
            f" {type(leaf).__name__}: ask for them outside jit, vmap and grad"
        )
    return np.asarray(leaf, dtype=np.float64)


def round_off(*given: Any) -> float:
    """What a number that was computed elsewhere may be off by, relative to its size.

    Its unit of round-off is that of float32, in which data often come whatever holds them now, or
    of a narrower dtype. What is to hold exactly is accepted to a few of these and made exact.
    """
    dtypes = [getattr(array, "dtype", np.dtype(np.float64)) for array in given]
    floats = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    return max(float(_finfo(dtype).eps) for dtype in (np.float32, *floats))


def probabilities(name: str, given: Any) -> np.ndarray:
    """The rows along the last axis in float64, scaled to sum to one, which they do to round-off."""
    table = host(given)
    sums = table.sum(axis=-1, keepdims=True)
    slack = (8 + table.shape[-1]) * round_off(given)
    if not (np.all(np.isfinite(table)) and np.all(table >= 0) and np.all(abs(sums - 1) <= slack)):
        what = name if table.ndim == 1 else f"every row of {name}"
        raise ValueError(
            f"{what} must be a probability vector, to {slack:.1g}; the smallest entry is"
            f" {table.min():g}, they sum to between {sums.min():.12g} and {sums.max():.12g}"
        )
    return np.asarray(table / sums)


def symmetric(name: str, given: Any, sign: int = 1) -> np.ndarray:
    """The matrix, or the stack of them, in float64, made equal to `sign` times its transpose."""
    matrix = host(given)
    mirrored = sign * np.swapaxes(matrix, -1, -2)
    if not np.abs(matrix - mirrored).max() <= 8 * round_off(given) * np.abs(matrix).max():
        raise ValueError(
            f"{name} must be {'symmetric' if sign == 1 else 'skew-symmetric'}; it differs from"
            f" {'-' * (sign == -1)}its transpose by {np.abs(matrix - mirrored).max():g}"
        )
    return np.asarray((matrix + mirrored) / 2)


def check_state(name: str, state: Any, num_states: int) -> jax.Array:
    """The state of a chain, an integer in [0, K); one that is known is checked."""
    array = jnp.asarray(state)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} must be an integer, got {state!r}")
    if is_concrete(state):
        known = np.asarray(state)
        if known.size and not (known.min() >= 0 and known.max() < num_states):
            raise ValueError(f"{name} must lie in [0, {num_states}), got {state!r}")
    return array


def check_scalar(
    name: str,
    number: Any,
    *,
    positive: bool = False,
    at_least: float = -float("inf"),
    at_most: float = float("inf"),
) -> None:
    """Finite and in range; an array holds the numbers of several problems, stacked for vmap."""
    if not is_concrete(number):
        return
    numbers = np.asarray(number)
    allowed = "finite" + " and positive" * positive
    allowed += f" and at least {at_least:g}" * (at_least > -np.inf)
    allowed += f" and at most {at_most:g}" * (at_most < np.inf)
    inside = np.isfinite(numbers) & (numbers >= at_least) & (numbers <= at_most)
    if not np.all(inside & (numbers > 0) if positive else inside):
        raise ValueError(f"{name} must be {allowed}, got {number!r}")


def check_size(name: str, size: Any, *, even: bool = False) -> None:
    if not isinstance(size, (int, np.integer)) or isinstance(size, bool):
        raise TypeError(f"{name} must be an integer, got {size!r}")
    if size < 1 or (even and size % 2):
        raise ValueError(f"{name} must be {'even and ' * even}at least {1 + even}, got {size}")


def check_point(x: jax.Array, dim: int) -> jax.Array:
    point = jnp.asarray(x)
    if point.shape != (dim,):
        raise ValueError(f"x must have shape ({dim},), got {point.shape}")
    return point


def check_indices(indices: ArrayLike, num_samples: int) -> jax.Array:
    array = jnp.asarray(indices)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"indices must have shape (b,) with b >= 1, got {array.shape}")
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"indices must be integers, got dtype {array.dtype}")
    if is_concrete(array):
        values = np.asarray(array)  # on the host: inside jit even concrete arrays are traced
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= num_samples:
            raise ValueError(
                f"indices must lie in [0, {num_samples}), got values from {low} to {high}"
            )
    return array
