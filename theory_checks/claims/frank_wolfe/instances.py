# SPDX-License-Identifier: Apache-2.0
"""The finite sums over sets on which the Frank-Wolfe theorems are evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import (
    Constant,
    FiniteSum,
    LogisticRegression,
    NoiseTight,
    PiecewiseQuadratic,
    SigmoidLoss,
    breast_cancer,
    libsvm,
    minimize_over,
    random_least_squares,
    random_logistic,
    random_sigmoid,
    random_sign_quadratic,
)
from optzoo.theorems.frank_wolfe import index_probability

from ...data_files import data_files
from .processes import Method, SagaRun, SarahRun

__all__ = [
    "NONCONVEX",
    "PIECES",
    "PROBLEMS",
    "SETS",
    "Instance",
    "instance",
    "least_squares",
    "noise_tight",
    "on_the_line",
    "sandwich",
]

PROBLEMS = ("least_squares", "logistic", "breast_cancer")
NONCONVEX = ("sigmoid", "breast_cancer_sigmoid")
SETS = ("l1_ball", "simplex")
SAMPLES, DIMENSION, SEED = 400, 30, 2304
BY_GAP = "Frank-Wolfe gap at a minimizer found by projected Newton steps in float64"
NOT_NEGATIVE = Constant(
    0.0, "certified", side="below", derivation="the loss is positive: a bound of min f"
)


@final
@dataclass(frozen=True, eq=False)
class Instance:
    """A finite sum over a set, from a start, with every constant its theorems need."""

    name: str
    words: str
    problem: FiniteSum
    constraint: ConstraintSet
    x0: jax.Array | np.ndarray
    f_star: Constant
    known: Mapping[str, float] = field(default_factory=dict)
    """D, and the value f(x^0), where they are known without evaluating anything."""

    @cached_property
    def constants(self) -> dict[str, Constant]:
        """L, L_tilde, L_pm, D, f* and r_0, with their certificates."""
        known = self.known
        diameter = known["D"] if "D" in known else float(self.constraint.diameter(self.x0))
        start = (
            known["start"] if "start" in known else float(self.problem.value(jnp.asarray(self.x0)))
        )
        return {
            **self.problem.constants,
            "D": Constant(diameter, "exact", derivation="closed form for the set"),
            "f_star": self.f_star,
            "r_0": Constant(
                start - self.f_star.value,
                self.f_star.how,
                width=self.f_star.width,
                derivation="f(x^0) - f*",
            ),
        }

    def sarah(
        self,
        steps: jax.Array,
        p: float,
        b: int,
        *,
        replacement: bool = True,
        method: Method = optzoo.sarah_frank_wolfe,
    ) -> SarahRun:
        """Sarah Frank-Wolfe here, with restart probability p and batches of b."""
        return SarahRun(
            **self._parts,
            steps=steps,
            restart_probability=jnp.asarray(p),
            batch_size=b,
            replacement=replacement,
            method=method,
        )

    def saga(
        self,
        steps: jax.Array,
        b: int,
        *,
        replacement: bool = True,
        warm: bool = True,
        method: Method = optzoo.saga_sarah_frank_wolfe,
    ) -> SagaRun:
        """Saga Sarah Frank-Wolfe here, with batches of b and lambda = a/2."""
        a = index_probability(self.problem.num_samples, b, replacement=replacement)
        return SagaRun(
            **self._parts,
            steps=steps,
            mixing=jnp.asarray(a / 2),
            batch_size=b,
            replacement=replacement,
            warm=warm,
            method=method,
        )

    @property
    def _parts(self) -> dict[str, Any]:
        return {
            "problem": self.problem,
            "constraint": self.constraint,
            "x0": self.x0,
            "f_star": jnp.asarray(self.f_star.value),
        }


@cache
def instance(problem: str, set_name: str) -> Instance:
    """A generic instance by its names.

    Args:
        problem: of `PROBLEMS` or `NONCONVEX`, or a key of `data_files`.
        set_name: of `SETS`.
    """
    finite_sum, text = _finite_sum(problem)
    radius = 1.0 if problem == "breast_cancer_sigmoid" else 3.0
    constraint: ConstraintSet = optzoo.lmo.l1_ball(radius)
    where = f"the l1 ball of radius {radius:g}"
    if set_name == "simplex":
        constraint, where = optzoo.lmo.simplex(radius), f"the simplex of sum {radius:g}"
    f_star = NOT_NEGATIVE
    if problem not in NONCONVEX:
        found = minimize_over(finite_sum, constraint)
        f_star = Constant(found.lower, "certified", found.width, BY_GAP, side="below")
    return Instance(
        name=f"{problem.removesuffix('_sigmoid')}-{set_name}",
        words=f"{text}, over {where}, from a vertex",
        problem=finite_sum,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(finite_sum.dim)),
        f_star=f_star,
    )


def _finite_sum(problem: str) -> tuple[FiniteSum, str]:
    """The loss, and its words: synthetic with a planted solution, or on real data."""
    size = f"$n = {SAMPLES}$, $d = {DIMENSION}$, unit rows"
    planted = f"{size}, a planted sparse solution"
    if problem == "least_squares":
        return random_least_squares(SAMPLES, DIMENSION, SEED), f"least squares, {planted}"
    if problem == "logistic":
        return random_logistic(SAMPLES, DIMENSION, SEED), f"logistic regression, {planted}"
    if problem == "sigmoid":
        return random_sigmoid(SAMPLES, DIMENSION, SEED), f"sigmoid loss, {size}"
    bundled = problem in ("breast_cancer", "breast_cancer_sigmoid")
    features, labels = breast_cancer() if bundled else libsvm(data_files()[problem])
    n, d = features.shape
    origin = "scikit-learn's breast-cancer data" if bundled else problem.removeprefix("data/")
    if problem == "breast_cancer_sigmoid":
        loss = SigmoidLoss(jnp.asarray(features), jnp.asarray(labels))
        return loss, f"sigmoid loss on {origin}, columns scaled to 1"
    text = f"logistic regression on {origin}, $n = {n}$, $d = {d}$, columns scaled to 1"
    return LogisticRegression(jnp.asarray(features), jnp.asarray(labels)), text


def least_squares(n: int, d: int, seed: int, radius: float) -> Instance:
    """Least squares over an l1 ball from a vertex; of f* it is known that it is not negative."""
    constraint = optzoo.lmo.l1_ball(radius)
    return Instance(
        name="least_squares",
        words=rf"least squares, $n = {n}$, $d = {d}$, over the $\ell_1$ ball of radius {radius:g}",
        problem=random_least_squares(n, d, seed),
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(d)),
        f_star=NOT_NEGATIVE,
    )


def noise_tight(slope: float, *, n: int = 64, noise: float = 1.0, start: float = 1.0) -> Instance:
    """f_i(x) = c x +- sigma x^2 / 2 on [-1, 1], c >= 0, from the wrong end."""
    return Instance(
        name="noise_tight",
        words=rf"$f_i(x) = cx \pm \sigma x^2/2$ on $[-1, 1]$, $n = {n}$",
        problem=NoiseTight(jnp.asarray(slope), jnp.asarray(noise), n),
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=jnp.full(1, start),
        f_star=Constant(0.0 - slope, "exact", derivation="at the other end"),  # never -0.0
    )


KNOTS = (-0.5, 0.0, 0.5)
PIECES = len(KNOTS) + 1


def on_the_line(
    mean: Sequence[float],
    deviations: Sequence[float],
    slope: float,
    slopes: Sequence[float],
    start: float,
) -> Instance:
    """A finite sum on [-1, 1] of functions in pairs that deviate from their mean in opposite ways.

    Args:
        mean: second derivative of f on each piece; all non-negative where f is convex.
        deviations: of the second derivatives of each pair, pair by pair.
        slope: f'(0).
        slopes: deviations of the derivatives at 0, one a pair.
        start: x^0.
    """
    apart = np.asarray(deviations, dtype=float).reshape(len(slopes), PIECES)
    second = np.concatenate([np.asarray(mean) + apart, np.asarray(mean) - apart])
    first = slope + np.concatenate([slopes, np.negative(slopes)])
    problem = PiecewiseQuadratic(np.asarray(KNOTS), second, first)
    return Instance(
        name="line",
        words=rf"$n = {problem.num_samples}$ piecewise quadratic functions on $[-1, 1]$",
        problem=problem,
        constraint=optzoo.lmo.box(-1.0, 1.0),
        x0=np.full(1, start),
        known={"D": 2.0, "start": problem.value_at(start)},
        f_star=Constant(
            problem.least(-1.0, 1.0), "exact", derivation="at an end, a knot or a zero of f'"
        ),
    )


@cache
def sandwich(dim: int = 2000, num_samples: int = 8) -> Instance:
    """F = |x|^2 / 2 on the simplex from a vertex, with sign noise: bounded from both sides."""
    problem = random_sign_quadratic(num_samples, dim, SEED)
    constraint = optzoo.lmo.simplex()
    return Instance(
        name=f"sign_quadratic-{dim}",
        words=(
            rf"sign quadratic, $f(x) = |x|^2/2$, $\sigma = 1$, $n = {num_samples}$, "
            f"$d = {dim}$, over the simplex, from a vertex"
        ),
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(dim)),
        f_star=Constant(problem.simplex_optimum, "exact", derivation="q/(2d), by symmetry"),
    )
