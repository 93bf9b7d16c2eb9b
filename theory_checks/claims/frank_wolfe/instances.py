"""The instances on which the Frank-Wolfe theorems are evaluated, each made once, when needed."""

import bz2
import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import optzoo
from optzoo.lmo import ConstraintSet
from optzoo.problems import (
    Constant,
    FiniteSum,
    LogisticRegression,
    SigmoidLoss,
    breast_cancer,
    libsvm,
    minimize_over,
    random_least_squares,
    random_logistic,
    random_sigmoid,
    random_sign_quadratic,
)

from ...presets import data_folder
from .bounds import Sarah
from .process import Method, SarahRun, variance_factor

__all__ = [
    "SETS",
    "Instance",
    "balanced_probability",
    "data_files",
    "instance",
    "nonconvex_instance",
    "sandwich",
]

SAMPLES, DIMENSION, SEED = 400, 30, 2304
SETS = ("l1_ball", "simplex")


@dataclass(frozen=True, eq=False)
class Instance:
    """A finite sum over a set, from a start, with every constant its theorems need."""

    name: str
    description: str
    problem: FiniteSum
    constraint: ConstraintSet
    x0: jax.Array
    f_star: Constant

    @property
    def diameter(self) -> float:
        return float(self.constraint.diameter(self.x0))

    @property
    def constants(self) -> dict[str, Constant]:
        """L, L_tilde, L_pm, D and f*, with their certificates."""
        return {
            **self.problem.constants,
            "D": Constant(self.diameter, "exact", derivation="closed form for the set"),
            "f_star": self.f_star,
        }

    def bounds(self, p: float, batch_size: int, *, replacement: bool) -> Sarah:
        """The theorems on Sarah Frank-Wolfe on this instance."""
        constants = self.problem.constants
        return Sarah(
            L=constants["L"].value,
            L_pm=constants["L_pm"].value,
            D=self.diameter,
            p=p,
            nu=variance_factor(self.problem.num_samples, batch_size, replacement=replacement),
            r_0=float(self.problem.value(self.x0)) - self.f_star.value,
        )

    def run(
        self,
        steps: jax.Array,
        p: float,
        batch_size: int,
        *,
        replacement: bool,
        method: Method = optzoo.sarah_frank_wolfe,
        process: type[SarahRun] = SarahRun,
    ) -> SarahRun:
        """The method on this instance."""
        return process(
            problem=self.problem,
            constraint=self.constraint,
            x0=self.x0,
            steps=steps,
            restart_probability=jnp.asarray(p),
            f_star=jnp.asarray(self.f_star.value),
            batch_size=batch_size,
            replacement=replacement,
            method=method,
        )


def balanced_probability(num_samples: int, batch_size: int) -> float:
    """P = b / (n + b), for which both kinds of steps cost about the same."""
    return batch_size / (num_samples + batch_size)


def data_files() -> dict[str, str]:
    """LIBSVM files in the folder that OPTZOO_DATA names: "data/name" -> the name to read.

    A file counts if its first line looks like one of the format: a label, then index:value.
    """
    folder = data_folder()
    if folder is None:
        return {}
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and _looks_like_libsvm(path):
            name = path.name.removesuffix(".bz2").removesuffix(".gz")
            found.setdefault("data/" + re.sub(r"[^a-z0-9.-]+", "-", name.lower()), name)
    return found


def _looks_like_libsvm(path: Path) -> bool:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    opener = openers.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:
            start = file.readline(10_000)
    except (OSError, EOFError):
        return path.suffix in (".gz", ".bz2")  # damaged: reading it says how
    return re.match(rb"[+-]?[0-9.]+ +[0-9]+:", start) is not None


@cache
def instance(problem: str, set_name: str) -> Instance:
    """A convex instance by its names.

    Args:
        problem: "least_squares", "logistic", "breast_cancer", or a key of `data_files`.
        set_name: one of `SETS`.
    """
    size = f"$n = {SAMPLES}$, $d = {DIMENSION}$, unit rows, a planted sparse solution"
    radius = 3.0
    if problem == "least_squares":
        finite_sum: FiniteSum = random_least_squares(SAMPLES, DIMENSION, SEED)
        text = f"least squares, {size}"
    elif problem == "logistic":
        finite_sum = random_logistic(SAMPLES, DIMENSION, SEED)
        text = f"logistic regression, {size}"
    else:
        bundled = problem == "breast_cancer"
        features, labels = breast_cancer() if bundled else libsvm(data_files()[problem])
        finite_sum = LogisticRegression(jnp.asarray(features), jnp.asarray(labels))
        n, d = features.shape
        origin = "scikit-learn's breast-cancer data" if bundled else problem.removeprefix("data/")
        text = f"logistic regression on {origin}, $n = {n}$, $d = {d}$, columns scaled to 1"
        radius = 3.0
    constraint, where = _set(set_name, radius)
    optimum = minimize_over(finite_sum, constraint)
    return Instance(
        name=f"{problem}-{set_name}",
        description=f"{text}, over {where}, from a vertex",
        problem=finite_sum,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(finite_sum.dim)),
        f_star=Constant(
            optimum.lower,
            "certified",
            width=optimum.width,
            derivation="Frank-Wolfe gap at a minimizer found by projected Newton steps in float64",
        ),
    )


@cache
def nonconvex_instance(problem: str, set_name: str) -> Instance:
    """The sigmoid loss, synthetic ("sigmoid") or on real data ("breast_cancer")."""
    if problem == "sigmoid":
        finite_sum: FiniteSum = random_sigmoid(SAMPLES, DIMENSION, SEED)
        text = f"sigmoid loss, $n = {SAMPLES}$, $d = {DIMENSION}$, unit rows"
        radius = 3.0
    else:
        features, labels = breast_cancer()
        finite_sum = SigmoidLoss(jnp.asarray(features), jnp.asarray(labels))
        text = "sigmoid loss on scikit-learn's breast-cancer data, columns scaled to 1"
        radius = 1.0
    constraint, where = _set(set_name, radius)
    return Instance(
        name=f"{problem}-{set_name}",
        description=f"{text}, over {where}, from a vertex",
        problem=finite_sum,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(finite_sum.dim)),
        f_star=Constant(0.0, "exact", derivation="the loss is positive: a lower bound of min f"),
    )


@cache
def sandwich(dim: int = 2000, num_samples: int = 8) -> Instance:
    """F = |x|^2 / 2 on the simplex from a vertex, with sign noise: bounded from both sides."""
    problem = random_sign_quadratic(num_samples, dim, SEED)
    constraint = optzoo.lmo.simplex()
    return Instance(
        name=f"sign_quadratic-{dim}",
        description=(
            rf"sign quadratic, $f(x) = |x|^2/2$, $\sigma = 1$, $n = {num_samples}$, "
            f"$d = {dim}$, over the simplex, from a vertex"
        ),
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(dim)),
        f_star=Constant(problem.simplex_optimum, "exact", derivation="q/(2d), by symmetry"),
    )


def _set(name: str, radius: float) -> tuple[ConstraintSet, str]:
    if name == "l1_ball":
        return optzoo.lmo.l1_ball(radius), f"the l1 ball of radius {radius:g}"
    return optzoo.lmo.simplex(radius), f"the simplex of sum {radius:g}"
