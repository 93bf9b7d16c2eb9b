# SPDX-License-Identifier: Apache-2.0
"""Finite sums in one or two dimensions as numbers to draw: what a search found, for its report."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from optzoo.problems import FiniteSum

__all__ = ["of_finite_sum"]

_POINTS, _GRID = 81, 33
_MOST_SAMPLES = 4


def of_finite_sum(
    problem: FiniteSum, x0: ArrayLike, low: float, high: float
) -> Mapping[str, Any] | None:
    """The derivatives of f and of its first samples on an interval, or f on a square.

    Args:
        problem: f.
        x0: the start, shape (d,).
        low, high: the interval of each coordinate.

    Returns:
        What `optzoo.plots.line_instance` or `level_lines` draws, as lists; None in more than two
        dimensions.

    Example:
        >>> from optzoo.problems import PiecewiseQuadratic
        >>> parabola = PiecewiseQuadratic([0.0], [[1.0, 1.0]], [0.0])
        >>> picture = of_finite_sum(parabola, [1.0], -1.0, 1.0)
        >>> picture["dimension"], list(picture["curves"])
        (1, ["f'"])
    """
    start = np.asarray(x0, dtype=np.float64)
    if problem.dim == 1:
        x = np.linspace(low, high, _POINTS)
        curves = {"f'": jax.vmap(problem.gradient)(jnp.asarray(x)[:, None])[:, 0]}
        shown = min(problem.num_samples, _MOST_SAMPLES)
        if problem.num_samples > 1:
            rows = jnp.arange(shown)
            each = jax.vmap(lambda y: problem.sample_gradients(y, rows)[:, 0])(
                jnp.asarray(x)[:, None]
            )
            curves |= {f"f_{i + 1}'": each[:, i] for i in range(shown)}
        return {
            "dimension": 1,
            "x": _rounded(x),
            "curves": {name: _rounded(values) for name, values in curves.items()},
            "start": float(start[0]),
        }
    if problem.dim == 2:
        x = np.linspace(low, high, _GRID)
        grid = jnp.stack(jnp.meshgrid(jnp.asarray(x), jnp.asarray(x)), axis=-1)
        values = np.asarray(jax.vmap(jax.vmap(problem.value))(grid))
        least = np.unravel_index(np.argmin(values), values.shape)
        return {
            "dimension": 2,
            "x": _rounded(x),
            "values": [_rounded(row) for row in values],
            "start": start.tolist(),
            "least": [float(x[least[1]]), float(x[least[0]])],
        }
    return None


def _rounded(values: ArrayLike) -> list[float]:
    """Four digits: more cannot be seen."""
    return [float(f"{value:.4g}") for value in np.asarray(values, dtype=np.float64)]
