r"""Where Saga Sarah Frank-Wolfe is run, and its bounds there."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo

from ....simulation import Experiment
from ..bounds import Saga
from ..instances import Instance, instance
from ..process import step_table, variance_factor
from .process import Method, SagaRun, refresh_probability

__all__ = [
    "CONVEX_SETTINGS",
    "ESTIMATOR",
    "SCHEDULES",
    "SMOOTH",
    "SUBOPTIMALITY",
    "Setting",
    "names",
    "saga_bounds",
    "saga_run",
]

Array = NDArray[np.float64]
Schedule = Literal["table", "classic"]

SCHEDULES = {"table": r"\frac{2}{k + 8/a}", "classic": r"\frac{2}{k + 2}"}
# Before 5 n/b steps the bound is mostly its start r_0, and says little about L, Lpm or lambda.
START, HORIZON = 5, 40
TABLE = 4096  # every schedule is handed over as an array of one length: one program for all
ESTIMATOR = (
    r"with $\bar E_{k+1} = (1-\lambda)^2 \bar E_k + \nu(L_\pm D \eta_k + \lambda "
    r"\sqrt{\bar Y_k})^2$, $\bar Y_{k+1} = (1-a)(\sqrt{\bar Y_k} + \tilde L D \eta_k)^2$ from the "
    r"exact $E_0$, $Y_0$ of the table"
)
SMOOTH = (
    r"$f$ $L$-smooth, $f_i$ on average $\tilde L$-smooth",
    r"Hessian variance $L_\pm$",
    r"diameter $D$",
    r"steps fixed in advance, in $[0, 1]$",
)
SUBOPTIMALITY = r"E[f(x^k) - f^*]"


@dataclass(frozen=True)
class Setting:
    """A run on an instance: which schedule, from which table, sampled how."""

    problem: str
    set_name: str
    schedule: Schedule
    warm: bool
    replacement: bool

    @property
    def place(self) -> Instance:
        return instance(self.problem, self.set_name)

    @property
    def samples(self) -> int:
        return self.place.problem.num_samples

    @property
    def batch(self) -> int:
        return round(self.samples**0.5)

    @property
    def a(self) -> float:
        return refresh_probability(self.samples, self.batch, replacement=self.replacement)

    @property
    def steps(self) -> Array:
        """eta_k up to the horizon, which is 40 n/b."""
        offset = 8 / self.a if self.schedule == "table" else 2.0
        table = step_table(optzoo.open_loop_schedule(offset), TABLE)
        return np.asarray(table)[: self.checkpoints[-1]]

    @property
    def checkpoints(self) -> tuple[int, ...]:
        unit = self.samples / self.batch
        return tuple(np.unique(np.round(unit * np.geomspace(START, HORIZON, 10)).astype(int)))

    @property
    def bounds(self) -> Saga:
        """The theorems, from the exact error and staleness of the first call."""
        return saga_bounds(self.place, self.batch, warm=self.warm, replacement=self.replacement)

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {
            "lambda": self.a / 2,
            "batch size": self.batch,
            "replacement": str(self.replacement),
            "table": "first gradients" if self.warm else "zeros",
            "steps": f"${SCHEDULES[self.schedule]}$",
            "horizon K": self.checkpoints[-1],
        }

    def experiment(self, method: Method = optzoo.saga_sarah_frank_wolfe) -> Experiment:
        offset = 8 / self.a if self.schedule == "table" else 2.0
        run = saga_run(
            self.place,
            jnp.asarray(step_table(optzoo.open_loop_schedule(offset), TABLE)),
            self.batch,
            warm=self.warm,
            replacement=self.replacement,
            method=method,
        )
        how = f"{self.warm}-{self.replacement}-{method.__name__}"
        name = f"saga-{self.place.name}-{self.schedule}-{how}"
        return Experiment(name, run, self.checkpoints)


def saga_run(
    place: Instance,
    steps: jax.Array,
    batch_size: int,
    *,
    warm: bool,
    replacement: bool,
    process: type[SagaRun] = SagaRun,
    method: Method = optzoo.saga_sarah_frank_wolfe,
) -> SagaRun:
    """The method on an instance, with lambda = a/2."""
    a = refresh_probability(place.problem.num_samples, batch_size, replacement=replacement)
    return process(
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


def saga_bounds(place: Instance, batch_size: int, *, warm: bool, replacement: bool) -> Saga:
    """The theorems on an instance, from the exact error and staleness of the first call."""
    n, constants = place.problem.num_samples, place.problem.constants
    nu = variance_factor(n, batch_size, replacement=replacement)
    a = refresh_probability(n, batch_size, replacement=replacement)
    rows = np.asarray(place.problem.sample_gradients(place.x0, jnp.arange(n)))
    spread = float(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)))
    return Saga(
        L=constants["L"].value,
        L_pm=constants["L_pm"].value,
        L_tilde=constants["L_tilde"].value,
        D=place.diameter,
        a=a,
        mixing=a / 2,
        nu=nu,
        r_0=float(place.problem.value(place.x0)) - place.f_star.value,
        E_0=0.0 if warm else nu * spread,
        Y_0=0.0 if warm else (1 - a) * float(np.mean(np.sum(rows**2, axis=1))),
    )


def names(problem: str, set_name: str) -> tuple[str, str]:
    """For ids and for titles."""
    label = f"{problem}-{set_name}".replace("_", "-")
    return label, f"{problem.replace('_', ' ')}, {set_name.replace('_', ' ')}"


_WAYS: tuple[tuple[str, Schedule, bool, bool], ...] = (
    ("l1_ball", "table", True, False),
    ("simplex", "table", False, True),
    ("simplex", "classic", False, False),
)
CONVEX_SETTINGS = tuple(
    Setting(problem, *way)
    for problem in ("least_squares", "logistic", "breast_cancer")
    for way in _WAYS
)
