"""The instances on which the Frank-Wolfe theorems are evaluated, each made once, when needed."""

import abc
import bz2
import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

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
from ...setting import Parameters, Setting
from ...simulation import Experiment, Watch
from .processes import (
    Method,
    SagaRun,
    SarahRun,
    refresh_probability,
    step_table,
    variance_factor,
)

__all__ = [
    "PROBLEMS",
    "SETS",
    "Instance",
    "OnInstance",
    "OnRun",
    "SagaSetting",
    "SarahSetting",
    "balanced_probability",
    "data_files",
    "exactly",
    "instance",
    "largest_excess",
    "largest_gap",
    "log_spaced",
    "of_the_method",
    "saga_run",
    "sandwich",
    "sarah_run",
]

Array = NDArray[np.float64]

PROBLEMS = ("least_squares", "logistic", "breast_cancer")
NONCONVEX = ("sigmoid", "breast_cancer_sigmoid")
TABLE = 4096
NONCONVEX_HORIZON, SAGA_NONCONVEX_HORIZON, NONCONVEX_BATCH = 4000, 2000, 20
_ALIKE = {"classic": r"\frac{2}{k + 2}", "constant": r"\eta = 1/\sqrt K"}
SARAH_STEPS = {
    "restart": r"\frac{2}{k + 4/p}",
    "stich": r"\text{Stich's schedule, } d = 2/p",
    **_ALIKE,
}
SAGA_STEPS = {"table": r"\frac{2}{k + 8/a}", **_ALIKE}
SAMPLES, DIMENSION, SEED = 400, 30, 2304
SETS = ("l1_ball", "simplex")


@dataclass(frozen=True, eq=False)
class Instance:
    """A finite sum over a set, from a start, with every constant its theorems need."""

    name: str
    words: str
    problem: FiniteSum
    constraint: ConstraintSet
    x0: jax.Array
    f_star: Constant

    @property
    def constants(self) -> dict[str, Constant]:
        """L, L_tilde, L_pm, D, f* and r_0, with their certificates."""
        start = float(self.problem.value(self.x0))
        return {
            **self.problem.constants,
            "D": Constant(
                float(self.constraint.diameter(self.x0)),
                "exact",
                derivation="closed form for the set",
            ),
            "f_star": self.f_star,
            "r_0": Constant(
                start - self.f_star.value,
                self.f_star.how,
                width=self.f_star.width,
                derivation="f(x^0) - f*",
            ),
        }


def exactly(value: float, derivation: str = "chosen") -> Constant:
    """A constant in closed form."""
    return Constant(value, "exact", derivation=derivation)


def of_the_method(run: SarahRun | SagaRun) -> dict[str, Constant]:
    """What a method adds to the constants of its instance: nu, and p or those of its table.

    Read off the run, so that the bound has what is run: for a table also the exact error and
    staleness of the first call.
    """
    n, b = run.problem.num_samples, run.batch_size
    nu = variance_factor(n, b, replacement=run.replacement)
    found = {"nu": exactly(nu, "variance factor of a batch")}
    if isinstance(run, SarahRun):
        return {**found, "p": exactly(float(run.restart_probability))}
    a = refresh_probability(n, b, replacement=run.replacement)
    error = stale = 0.0
    if not run.warm:
        rows = np.asarray(run.problem.sample_gradients(run.x0, jnp.arange(n)))
        error = nu * float(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)))
        stale = (1 - a) * float(np.mean(np.sum(rows**2, axis=1)))
    return {
        **found,
        "a": exactly(a, "probability that an index is in a batch"),
        "mixing": exactly(float(run.mixing)),
        "E_0": exactly(error, "error of the first estimate"),
        "Y_0": exactly(stale, "staleness after the first call"),
    }


def largest_excess(run: SarahRun | SagaRun) -> float:
    r"""What f - f^* is at most on the set, since f lies below its parabola at x^0.

    .. math:: f(x) - f^* \le f(x^0) - f^* + \max_{s \in C} \langle \nabla f(x^0), s - x^0
        \rangle + \frac{L D^2}{2}
    """
    start = float(run.problem.value(run.x0) - run.f_star)
    slope, length = _slope_and_diameter(run)
    rise = max(float(jnp.vdot(slope, run.constraint.lmo(-slope) - run.x0)), 0.0)
    return start + rise + run.problem.constants["L"].value * length**2 / 2


def largest_gap(run: SarahRun | SagaRun) -> float:
    r"""What the Frank-Wolfe gap is at most on the set, since the gradient moves by L D at most.

    .. math:: \max_{s \in C} \langle \nabla f(x), x - s \rangle \le \max_{x, s \in C}
        \langle \nabla f(x^0), x - s \rangle + L D^2
    """
    slope, length = _slope_and_diameter(run)
    width = float(jnp.vdot(slope, run.constraint.lmo(-slope) - run.constraint.lmo(slope)))
    return width + run.problem.constants["L"].value * length**2


def _slope_and_diameter(run: SarahRun | SagaRun) -> tuple[jax.Array, float]:
    return run.problem.gradient(run.x0), float(run.constraint.diameter(run.x0))


@final
@dataclass(frozen=True, eq=False)
class OnRun(Setting):
    """A run made for one claim: what the claim needs to know is read off it.

    Args:
        text: the instance in words and numbers.
        run: the method on its instance.
        known: constants beside those of the problem, of the set and of the method.
        chosen: parameters beside those of the method.
    """

    text: str
    run: SarahRun | SagaRun
    known: Mapping[str, Constant] = field(default_factory=dict)
    chosen: Parameters = field(default_factory=dict)

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> Mapping[str, Constant]:
        start = float(self.run.problem.value(self.run.x0) - self.run.f_star)
        return {
            **self.run.problem.constants,
            "D": exactly(float(self.run.constraint.diameter(self.run.x0)), "closed form"),
            "r_0": exactly(start, "f(x^0) less the known minimum or a bound of it"),
            **of_the_method(self.run),
            **self.known,
        }

    @property
    def parameters(self) -> Parameters:
        run = self.run
        own: dict[str, float | int | str] = (
            {"p": float(run.restart_probability)}
            if isinstance(run, SarahRun)
            else {
                "lambda": float(run.mixing),
                "table": "first gradients" if run.warm else "zeros",
            }
        )
        own |= {"batch size": run.batch_size, "replacement": str(run.replacement)}
        return {**own, **self.chosen}


@dataclass(frozen=True, kw_only=True)
class OnInstance(Setting):
    """A method with a schedule on an instance; abstract."""

    problem: str
    set_name: str
    schedule: str
    replacement: bool = True

    @property
    def place(self) -> Instance:
        if self.problem in NONCONVEX:
            return nonconvex_instance(self.problem, self.set_name)
        return instance(self.problem, self.set_name)

    @property
    def words(self) -> str:
        return self.place.words

    @property
    def samples(self) -> int:
        return self.place.problem.num_samples

    @property
    def batch(self) -> int:
        return NONCONVEX_BATCH if self.problem in NONCONVEX else round(self.samples**0.5)

    @property
    def constants(self) -> Mapping[str, Constant]:
        return {**self.place.constants, **of_the_method(self.run())}

    @property
    @abc.abstractmethod
    def checkpoints(self) -> tuple[int, ...]:
        """Where it is looked at."""

    @property
    @abc.abstractmethod
    def steps(self) -> Array:
        """eta_k up to the last checkpoint."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Of the experiment."""

    @abc.abstractmethod
    def run(self, method: Method | None = None) -> SarahRun | SagaRun:
        """The method on the instance, or a mutant of it."""

    def experiment(
        self, method: Method | None = None, watch: Mapping[str, Watch] | None = None
    ) -> Experiment:
        """The run: of a mutant, or with other watches, on request."""
        return Experiment(self.name, self.run(method), self.checkpoints, watch)

    def at_checkpoints(self, curve: Array, *, first: int = 0) -> Array:
        """A curve that begins at step `first`, where it is looked at."""
        return curve[np.asarray(self.checkpoints) - first]


def _table(schedule: optax.ScalarOrSchedule, horizon: int) -> Array:
    """Of one length for all that are short: the schedules then share a program."""
    return np.asarray(step_table(schedule, max(TABLE, horizon)))


@final
@dataclass(frozen=True, kw_only=True)
class SarahSetting(OnInstance):
    """Sarah Frank-Wolfe with p = b / (n + b)."""

    @property
    def p(self) -> float:
        return balanced_probability(self.samples, self.batch)

    @property
    def horizon(self) -> int:
        return NONCONVEX_HORIZON if self.schedule == "constant" else round(40 / self.p)

    @property
    def checkpoints(self) -> tuple[int, ...]:
        # Before 10/p steps the bound is mostly its start r_0, and says little about L, Lpm or p.
        first, points = (40, 15) if self.schedule == "constant" else (10 / self.p, 12)
        return log_spaced(first, self.horizon, points)

    @property
    def table(self) -> Array:
        if self.schedule == "constant":
            return np.full(self.horizon, self.horizon**-0.5)
        if self.schedule == "stich":
            return _table(optzoo.stich_schedule(self.horizon, self.p), self.horizon)
        offset = 4 / self.p if self.schedule == "restart" else 2.0
        return _table(optzoo.open_loop_schedule(offset), self.horizon)

    @property
    def steps(self) -> Array:
        return self.table[: self.horizon]

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {
            "p": self.p,
            "batch size": self.batch,
            "replacement": str(self.replacement),
            "steps": f"${SARAH_STEPS[self.schedule]}$",
            "horizon K": self.horizon,
        }

    @property
    def name(self) -> str:
        if self.problem in NONCONVEX:
            return f"nonconvex-{self.place.name}-sarah_frank_wolfe"
        return f"{self.place.name}-{self.schedule}-sarah_frank_wolfe"

    def run(self, method: Method | None = None) -> SarahRun:
        chosen = optzoo.sarah_frank_wolfe if method is None else method
        steps = jnp.asarray(self.table)
        return sarah_run(self.place, steps, self.p, self.batch, self.replacement, chosen)


@final
@dataclass(frozen=True, kw_only=True)
class SagaSetting(OnInstance):
    """Saga Sarah Frank-Wolfe with lambda = a/2, from a table of first gradients or of zeros."""

    warm: bool = True

    @property
    def a(self) -> float:
        return refresh_probability(self.samples, self.batch, replacement=self.replacement)

    @property
    def checkpoints(self) -> tuple[int, ...]:
        if self.schedule == "constant":
            return log_spaced(300, SAGA_NONCONVEX_HORIZON, 12)
        # Before 5 n/b steps the bound is mostly its start r_0.
        unit = self.samples / self.batch
        return log_spaced(5 * unit, 40 * unit, 10)

    @property
    def horizon(self) -> int:
        return self.checkpoints[-1]

    @property
    def table(self) -> Array:
        if self.schedule == "constant":
            return np.full(self.horizon, self.horizon**-0.5)
        offset = 8 / self.a if self.schedule == "table" else 2.0
        return _table(optzoo.open_loop_schedule(offset), self.horizon)

    @property
    def steps(self) -> Array:
        return self.table[: self.horizon]

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {
            "lambda": self.a / 2,
            "batch size": self.batch,
            "replacement": str(self.replacement),
            "table": "first gradients" if self.warm else "zeros",
            "steps": f"${SAGA_STEPS[self.schedule]}$",
            "horizon K": self.horizon,
        }

    @property
    def name(self) -> str:
        if self.problem in NONCONVEX:
            return f"saga-nonconvex-{self.place.name}-saga_sarah_frank_wolfe"
        how = f"{self.schedule}-{self.warm}-{self.replacement}"
        return f"saga-{self.place.name}-{how}-saga_sarah_frank_wolfe"

    def run(self, method: Method | None = None) -> SagaRun:
        chosen = optzoo.saga_sarah_frank_wolfe if method is None else method
        steps = jnp.asarray(self.table)
        return saga_run(self.place, steps, self.batch, self.warm, self.replacement, chosen)


def log_spaced(first: float, last: float, points: int) -> tuple[int, ...]:
    grid = np.unique(np.round(np.geomspace(first, last, points)).astype(int))
    return tuple(grid.tolist())


def sarah_run(
    place: Instance,
    steps: jax.Array,
    p: float,
    batch_size: int,
    replacement: bool = True,
    method: Method = optzoo.sarah_frank_wolfe,
) -> SarahRun:
    """Sarah Frank-Wolfe on an instance."""
    return SarahRun(
        problem=place.problem,
        constraint=place.constraint,
        x0=place.x0,
        steps=steps,
        restart_probability=jnp.asarray(p),
        f_star=jnp.asarray(place.f_star.value),
        batch_size=batch_size,
        replacement=replacement,
        method=method,
    )


def saga_run(
    place: Instance,
    steps: jax.Array,
    batch_size: int,
    warm: bool = True,
    replacement: bool = True,
    method: Method = optzoo.saga_sarah_frank_wolfe,
) -> SagaRun:
    """Saga Sarah Frank-Wolfe on an instance, with lambda = a/2."""
    a = refresh_probability(place.problem.num_samples, batch_size, replacement=replacement)
    return SagaRun(
        problem=place.problem,
        constraint=place.constraint,
        x0=place.x0,
        steps=steps,
        f_star=jnp.asarray(place.f_star.value),
        batch_size=batch_size,
        replacement=replacement,
        mixing=jnp.asarray(a / 2),
        warm=warm,
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
        words=f"{text}, over {where}, from a vertex",
        problem=finite_sum,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(finite_sum.dim)),
        f_star=Constant(
            optimum.lower,
            "certified",
            width=optimum.width,
            side="below",
            derivation="Frank-Wolfe gap at a minimizer found by projected Newton steps in float64",
        ),
    )


@cache
def nonconvex_instance(problem: str, set_name: str) -> Instance:
    """The sigmoid loss, synthetic ("sigmoid") or on real data ("breast_cancer_sigmoid")."""
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
        name=f"{problem.removesuffix('_sigmoid')}-{set_name}",
        words=f"{text}, over {where}, from a vertex",
        problem=finite_sum,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(finite_sum.dim)),
        f_star=Constant(
            0.0, "certified", side="below", derivation="the loss is positive: a bound of min f"
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


def _set(name: str, radius: float) -> tuple[ConstraintSet, str]:
    if name == "l1_ball":
        return optzoo.lmo.l1_ball(radius), f"the l1 ball of radius {radius:g}"
    return optzoo.lmo.simplex(radius), f"the simplex of sum {radius:g}"
