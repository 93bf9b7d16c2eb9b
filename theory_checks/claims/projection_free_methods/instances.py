# SPDX-License-Identifier: Apache-2.0
"""Small instances whose runs can be enumerated, and those for which exponents are clean."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.problems import Constant, LeastSquares, Quadratics

from ..frank_wolfe.instances import Instance

__all__ = ["line_model", "parabolas"]


def parabolas(curvatures: Sequence[float], slopes: Sequence[float], start: float) -> Instance:
    """f_i(x) = h_i x^2 / 2 + c_i x on [-1, 1].

    Args:
        curvatures: h.
        slopes: c.
        start: x^0.
    """
    h, c = np.asarray(curvatures, dtype=float), np.asarray(slopes, dtype=float)
    problem = Quadratics(h[:, None, None], c[:, None])
    words = (
        rf"$f_i(x) = h_i x^2/2 + c_i x$ on $[-1, 1]$, $h = {_list(h)}$, $c = {_list(c)}$, from "
        f"${start:g}$"
    )
    return _on_interval("parabolas", words, problem, start, float(h.mean()), float(c.mean()))


def line_model(rows: Sequence[float], targets: Sequence[float], start: float) -> Instance:
    """Least squares with one feature, f_i(x) = (a_i x - y_i)^2 / 2, on [-1, 1].

    Args:
        rows: a.
        targets: y.
        start: x^0.
    """
    a, y = np.asarray(rows, dtype=float), np.asarray(targets, dtype=float)
    problem = LeastSquares(a[:, None], y)
    words = (
        rf"$f_i(x) = (a_i x - y_i)^2/2$ on $[-1, 1]$, $a = {_list(a)}$, $y = {_list(y)}$, from "
        f"${start:g}$"
    )
    curvature, slope = float(np.mean(a**2)), -float(np.mean(a * y))
    return _on_interval("line model", words, problem, start, curvature, slope)


def _on_interval(
    name: str,
    words: str,
    problem: Quadratics | LeastSquares,
    start: float,
    curvature: float,
    slope: float,
) -> Instance:
    ends = [-1.0, 1.0]
    if curvature > 0:
        ends.append(float(np.clip(-slope / curvature, -1, 1)))
    least = min(float(problem.value(jnp.full(1, x))) for x in ends)
    return Instance(
        name=name,
        words=words,
        problem=problem,
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.full(1, start),
        f_star=Constant(least, "exact", derivation="at an end, or at the vertex of the parabola"),
        known={"D": 2.0},
    )


def _list(numbers: np.ndarray) -> str:
    return "(" + ", ".join(f"{number:g}" for number in numbers) + ")"
