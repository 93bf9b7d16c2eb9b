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
    "host",
    "is_concrete",
    "require_float64",
]


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
