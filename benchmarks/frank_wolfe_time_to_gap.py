"""Time to a Frank-Wolfe gap on real data: SAG and Sarah Frank-Wolfe here, copt's methods beside.

Logistic regression over the l1 ball. Both methods start at 0 and work in memory, in their own
format of the data (dense rows here, CSR in copt); compilation and the evaluation of the gap, in
float64 and alike for both, are off the clock.

Data: the LIBSVM files a9a and mushrooms, features as they are, from the folder that OPTZOO_DATA
names; without it scikit-learn's breast-cancer data.
"""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import copt  # type: ignore[import-untyped]
import jax
import jax.numpy as jnp
import numba
import numpy as np
import optax
from jax.typing import DTypeLike
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

import optzoo
from optzoo.problems import LogisticRegression, breast_cancer, libsvm

from .progress import progress
from .report import machine, table
from .timing import GapWatch, Spread

__all__ = ["measure"]

Array = NDArray[np.float64]
Run = Callable[[GapWatch, int], None]  # a method, run with a seed until the watch has finished

FILES = ("a9a", "mushrooms")
RADIUS = 10.0
GAPS = (1e-2, 1e-3)
SEEDS = (1, 2, 3, 4, 5)
CAP = 10.0  # working seconds of a run
CORES = numba.get_num_threads()
VARIANTS = ("SAG", "SAGA", "MHK", "LF")
PILOT_SEED = 0
PILOT_PATIENCE = 2.0  # a variant that takes so many times the best one's time is dropped


@dataclass(frozen=True, eq=False)
class Data:
    """A binary classification problem; labels are -1 and +1."""

    name: str
    features: Array  # (n, d)
    labels: Array  # (n,)

    @cached_property
    def rows(self) -> Any:
        """The features in CSR format."""
        return sparse.csr_matrix(self.features)

    @property
    def batch_size(self) -> int:
        """sqrt(n), rounded."""
        return round(len(self.labels) ** 0.5)

    def gap(self, x: Array) -> float:
        """The maximum of <grad f(x), x - s> over |s|_1 <= R."""
        x = np.asarray(x, dtype=np.float64)
        slopes = -self.labels * expit(-self.labels * (self.rows @ x))
        gradient = self.rows.T @ slopes / len(slopes)
        return float(gradient @ x + RADIUS * np.abs(gradient).max())


@dataclass(frozen=True)
class Setting:
    """What copt leaves to its user."""

    variant: str
    batch_size: int
    threads: int

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"copt, {self.variant}, b = {self.batch_size}, {threads}"


@dataclass(frozen=True)
class Outcome:
    """A run: when each gap was reached, and the time a step took on average."""

    reached: Mapping[float, float]
    step_seconds: float

    def seconds(self, gap: float) -> float:
        """To the gap; infinite if it was not reached."""
        return self.reached.get(gap, math.inf)


def measure() -> str:
    """Choose copt's variants in a pilot, then run everything in turns, seed by seed.

    Returns:
        A Markdown table, with what it was measured on.
    """
    where = machine(("jax", "optax", "numpy", "copt", "numba"))
    header = (
        *("data", "method", "µs a step", "to gap 1e-2 (s)", "× ours to 1e-2"),
        *("to gap 1e-3 (s)", "× ours to 1e-3"),
    )
    outcomes = {data: _outcomes(data) for data in _datasets()}
    body = [row for data in outcomes for row in _rows(data, outcomes[data])]
    summary = "\n".join(_summary(data, outcomes[data]) for data in outcomes)
    return f"{where}\n\n{table(header, body)}\n\n{summary}\n\n{_notes()}"


def _notes() -> str:
    return (
        f"Logistic loss, l1 ball of radius {RADIUS:g}, from 0. Medians [min, max] over "
        f"{len(SEEDS)} seeds; × ours is the same of the ratios to the first row, seed by seed. "
        f"> means not reached in {CAP:g} s of work. Ours: `sarah_frank_wolfe`, p = b/(n + b), and "
        "`sag_frank_wolfe` in compiled loops, b = sqrt(n), steps 2/(k + 2). copt: "
        "`randomized.minimize_sfw` in float64 with its own steps; for b = 1 (its default), sqrt(n) "
        "and n/10, the variant of SAG, SAGA, MHK and LF that was fastest on a pilot seed. The "
        "iterate is looked at on a grid of steps of ratio 1.1, the gap evaluated off the clock; "
        "leaving and entering the compiled loop for it stays on the clock, and so in our time a "
        "step. Read rows of several threads together with the load average: on a busy machine "
        "threads wait for each other."
    )


def _datasets() -> list[Data]:
    if not os.environ.get("OPTZOO_DATA"):
        print("OPTZOO_DATA is not set: breast cancer (scaled) instead of a9a and mushrooms")
        return [Data("breast cancer", *breast_cancer())]
    return [Data(name, *libsvm(name, scale=False)) for name in FILES]


def _outcomes(data: Data) -> dict[str, list[Outcome]]:
    """Method -> its runs, one a seed; ours in float64 comes first."""
    b = data.batch_size
    methods = {
        f"optzoo, Sarah, b = {b}, float64": _sarah(data, jnp.float64),
        f"optzoo, Sarah, b = {b}, float32": _sarah(data, jnp.float32),
        f"optzoo, SAG, b = {b}, float64": _sag(data, jnp.float64),
    }
    copt_run = _copt(data)
    for batch_size in (1, b, len(data.labels) // 10):
        variant = _pilot(data, copt_run, batch_size)
        # A batch of one sample leaves nothing to share between threads.
        for threads in {1, CORES if batch_size > 1 else 1}:
            setting = Setting(variant, batch_size, threads)
            methods[str(setting)] = copt_run(setting)

    everything = dict.fromkeys(GAPS, CAP)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
    for seed in progress(SEEDS, f"{data.name}, seed"):
        for name, run in methods.items():
            outcomes[name].append(_outcome(data, run, seed, everything))
    return outcomes


def _rows(data: Data, outcomes: Mapping[str, list[Outcome]]) -> list[tuple[str, ...]]:
    n, d = data.features.shape
    ours = next(iter(outcomes.values()))
    return [
        (
            *(f"{data.name}, {n} × {d}", name),
            f"{1e6 * Spread.of([run.step_seconds for run in runs]).median:,.0f}",
            *(cell for gap in GAPS for cell in _cells(runs, ours, gap)),
        )
        for name, runs in outcomes.items()
    ]


def _summary(data: Data, outcomes: Mapping[str, list[Outcome]]) -> str:
    """Ours in float64 against the row of copt that is fastest to each gap."""
    (_, ours), *others = outcomes.items()
    parts = []
    for gap in GAPS:
        name, runs = min(
            (other for other in others if other[0].startswith("copt")),
            key=lambda other: Spread.of([run.seconds(gap) for run in other[1]]).median,
        )
        parts.append(f"to {gap:g}, {name} takes {_cells(runs, ours, gap)[1]} times as long as ours")
    return f"- {data.name}: {'; '.join(parts)}."


def _cells(method: list[Outcome], ours: list[Outcome], gap: float) -> tuple[str, str]:
    """The time, and its ratio to ours within each seed; a run that was capped counts as the cap."""
    times = np.array([outcome.seconds(gap) for outcome in method])
    baseline = np.array([outcome.seconds(gap) for outcome in ours])
    capped = np.isinf(np.sort(times)[len(times) // 2])
    if capped and np.isinf(baseline).any():  # nothing to compare
        return f"> {CAP:g}", "-"
    ratio = Spread.of(np.minimum(times, CAP) / np.minimum(baseline, CAP))
    if capped:
        return f"> {CAP:g}", f"> {ratio.median:.3g}"
    return str(Spread.of(times)).replace("inf", f"> {CAP:g}"), str(ratio)


def _outcome(data: Data, run: Run, seed: int, deadlines: Mapping[float, float]) -> Outcome:
    watch = GapWatch(data.gap, deadlines)
    run(watch, seed)
    return Outcome(watch.reached, watch.seconds / watch.steps)


# --- ours ---------------------------------------------------------------------------------------


Ours = Callable[[jax.Array], optax.GradientTransformationExtraArgs]  # key -> method


def _sarah(data: Data, dtype: DTypeLike) -> Run:
    n, b = len(data.labels), data.batch_size

    def method(key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return optzoo.sarah_frank_wolfe(
            optzoo.lmo.l1_ball(RADIUS), optzoo.open_loop_schedule(), b / (n + b), key=key
        )

    return _compiled(data, dtype, method)


def _sag(data: Data, dtype: DTypeLike) -> Run:
    def method(key: jax.Array) -> optax.GradientTransformationExtraArgs:
        return optzoo.sag_frank_wolfe(optzoo.lmo.l1_ball(RADIUS), num_samples=len(data.labels))

    return _compiled(data, dtype, method)


def _compiled(data: Data, dtype: DTypeLike, method: Ours) -> Run:
    n, d = data.features.shape
    b = data.batch_size
    everything = LogisticRegression(
        jnp.asarray(data.features, dtype), jnp.asarray(data.labels, dtype)
    )

    @jax.jit
    def advance(carry: Any, problem: LogisticRegression, key: jax.Array, k: int, stop: int) -> Any:
        """Steps k, ..., stop - 1."""
        coin_key, batch_key = jax.random.split(key)

        def step(k: jax.Array, carry: Any) -> Any:
            params, state = carry
            drawn = jax.random.randint(jax.random.fold_in(batch_key, k), (b,), 0, n)
            # One gather of the rows serves all that the method asks for.
            batch = LogisticRegression(
                jnp.asarray(problem.features)[drawn], jnp.asarray(problem.labels)[drawn]
            )
            updates, state = method(coin_key).update(
                batch.gradient(params),
                state,
                params,
                grad_fn=batch.gradient,
                full_grad_fn=problem.gradient,
                indices=drawn,
                sample_grads_fn=lambda x: batch.sample_slopes(x, jnp.arange(b)),
                features=jnp.asarray(batch.features),
            )
            return optax.apply_updates(params, updates), state

        return jax.lax.fori_loop(k, stop, step, carry)

    def run(watch: GapWatch, seed: int) -> None:
        key = jax.random.key(seed)
        params = jnp.zeros(d, dtype)
        carry = (params, method(jax.random.split(key)[0]).init(params))
        watch.start()
        while True:
            carry = advance(carry, everything, key, watch.steps, watch.next_look)
            if watch.finished(watch.next_look, np.asarray(carry[0])):
                return

    run(_one_look(data), PILOT_SEED)  # compiles
    return run


# --- copt ---------------------------------------------------------------------------------------


class _Finished(Exception):
    """Leaves copt's loop, which has no other way out than its number of epochs."""


@numba.njit()
def _seed_numba(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 copt draws its batches from this generator


def _copt(data: Data) -> Callable[[Setting], Run]:
    dim = data.features.shape[1]
    labels = (data.labels + 1) / 2  # copt's are 0 and 1
    derivative = copt.loss.LogLoss(data.rows, labels).partial_deriv
    oracle = copt.constraint.L1Ball(RADIUS).lmo

    def with_setting(setting: Setting) -> Run:
        def run(watch: GapWatch, seed: int) -> None:
            calls = 0

            def look(variables: Mapping[str, Any]) -> None:
                nonlocal calls
                if calls == 0:  # before the first step, after copt has prepared its data
                    watch.start()
                elif calls == watch.next_look and watch.finished(calls, variables["x"]):
                    raise _Finished
                calls += 1

            numba.set_num_threads(setting.threads)
            np.random.seed(seed)  # noqa: NPY002 copt draws single samples from this generator
            _seed_numba(seed)
            try:
                copt.randomized.minimize_sfw(
                    derivative,
                    data.rows,
                    labels,
                    np.zeros(dim),
                    oracle,
                    batch_size=setting.batch_size,
                    max_iter=10**9,  # epochs: the watch ends the run first
                    tol=0.0,
                    callback=look,
                    variant=setting.variant,
                )
            except _Finished:
                return

        return run

    return with_setting


def _pilot(data: Data, copt_run: Callable[[Setting], Run], batch_size: int) -> str:
    """The variant that is best with this batch size on one seed and one thread."""
    settings = [Setting(variant, batch_size, threads=1) for variant in VARIANTS]
    for setting in settings:
        copt_run(setting)(_one_look(data), PILOT_SEED)  # compiles

    scores: dict[str, tuple[float, ...]] = {}
    for setting in settings:
        outcome = _outcome(data, copt_run(setting), PILOT_SEED, _patience(scores.values()))
        # The smallest gap decides, then the one before it.
        scores[setting.variant] = tuple(outcome.seconds(gap) for gap in reversed(GAPS))
    return min(scores, key=lambda variant: scores[variant])


def _patience(scores: Iterable[tuple[float, ...]]) -> dict[float, float]:
    """How long a variant may take to each gap before it cannot be the best one."""
    best = min(scores, default=(math.inf,) * len(GAPS))
    return {
        gap: min(CAP, PILOT_PATIENCE * seconds)
        for gap, seconds in zip(reversed(GAPS), best, strict=True)
    }


def _one_look(data: Data) -> GapWatch:
    """A watch that ends a run after its first step."""
    return GapWatch(data.gap, {0.0: 0.0})
