"""Oracle calls a second of the runner, against the loops one would write without it.

The method is Sarah Frank-Wolfe on least squares over the l1 ball, in float64, with the batch size
sqrt(n) and the probability b / (n + b) of the claims. An oracle call is a gradient of one sample;
the method itself counts them.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

import optzoo
from optzoo.problems import random_least_squares
from optzoo.theorems.frank_wolfe import balanced_probability
from theory_checks.claims.frank_wolfe.processes import Position, SarahRun, step_table
from theory_checks.simulation import Experiment, simulate

from .progress import progress
from .report import machine, table
from .timing import Spread, Timings, interleaved

__all__ = ["measure"]

DIMENSION, SEED, STEPS = 30, 2304, 420
CHECKPOINTS = tuple(np.unique(np.geomspace(20, STEPS, 20).round().astype(int)).tolist())
REPLICATES = 32

Way = Callable[[], float]  # one run of the method; returns the number of its oracle calls


def measure() -> str:
    """Time the runner and the loops in turns, then the two ways to replicate on one device.

    Returns:
        Two Markdown tables, with what they were measured on.
    """
    where = machine(("jax", "optax", "numpy"))
    return "\n\n".join([where, _runner_against_loops(400), _map_against_vmap((400, 10_000))])


def _runner_against_loops(num_samples: int) -> str:
    process = _process(num_samples)
    everywhere, here = jax.devices(), jax.devices()[:1]
    runner = f"the runner: {REPLICATES} replicates, {len(everywhere)} devices"
    ways = {
        runner: _simulation(process, REPLICATES, everywhere),
        f"the runner: {REPLICATES} replicates, 1 device": _simulation(process, REPLICATES, here),
        "one replicate, all its steps compiled": _simulation(process, 1, here),
        "one replicate, a Python loop over a jitted step": _python_loop(process),
    }
    repeats = 15
    timings = interleaved(ways, repeats=repeats)
    calls = _calls(ways)
    header = (
        *("way to run it", "compilation (s)", "run (s)", "million oracle calls / s"),
        "the runner is faster by",
    )
    body = [
        (
            name,
            f"{timings.compilation(name):.2f}",
            f"{timings.spread(name).median:.3g}",
            f"{calls[name] / timings.spread(name).median / 1e6:.2f}",
            _slowdown(timings, calls, name, runner),
        )
        for name in ways
    ]
    note = (
        f"n = {num_samples}, d = {DIMENSION}, b = {process.batch_size}, {STEPS} steps, float64. "
        f"Medians of {repeats} interleaved rounds; the last column is the median [min, max] of the "
        "ratios of oracle calls per second within a round. Compilation is the first call less the "
        f"median of the others. Simulations also evaluate gap, error and suboptimality at "
        f"{len(CHECKPOINTS)} checkpoints; the Python loop measures nothing."
    )
    return f"{table(header, body)}\n\n{note}"


def _map_against_vmap(sizes: tuple[int, ...]) -> str:
    here = jax.devices()[:1]
    repeats = 7
    body = []
    for num_samples in progress(sizes, "samples"):
        process = _process(num_samples)
        ways = {
            "map": _simulation(process, REPLICATES, here),
            "vmap": _simulation(process, REPLICATES, here, lanes=REPLICATES),
        }
        timings = interleaved(ways, repeats=repeats)
        runs = [f"{timings.spread(name).median:.3g}" for name in ways]
        body.append(
            (
                *(f"{num_samples:,}", process.batch_size, *runs),
                _slowdown(timings, _calls(ways), "vmap", "map"),
            )
        )
    header = ("n", "b", "`lax.map` (s)", f"`vmap` of {REPLICATES} (s)", "`vmap` is slower by")
    note = (
        f"The same {REPLICATES} replicates on one device, {repeats} rounds. Under `vmap` every "
        "step computes the full gradient that only a restart needs, so its cost grows with n / b; "
        "the runner maps."
    )
    return f"{table(header, body)}\n\n{note}"


def _calls(ways: Mapping[str, Way]) -> dict[str, float]:
    return {name: way() for name, way in ways.items()}


def _slowdown(timings: Timings, calls: Mapping[str, float], way: str, baseline: str) -> Spread:
    """Seconds an oracle call of a way, over those of the baseline."""
    return timings.ratio(way, baseline).times(calls[baseline] / calls[way])


def _process(num_samples: int) -> SarahRun:
    """The instance of the claims at n = 400."""
    batch_size = round(num_samples**0.5)
    p = balanced_probability(num_samples, batch_size)
    constraint = optzoo.lmo.l1_ball(3.0)
    return SarahRun(
        problem=random_least_squares(num_samples, DIMENSION, SEED),
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(DIMENSION)),
        steps=step_table(optzoo.open_loop_schedule(4 / p), STEPS),
        restart_probability=jnp.asarray(p),
        f_star=jnp.zeros([]),  # shifts a metric that is not read here
        batch_size=batch_size,
    )


def _simulation(
    process: SarahRun, replicates: int, devices: list[jax.Device], *, lanes: int = 1
) -> Way:
    experiment = Experiment("runner-throughput", process, CHECKPOINTS, lanes=lanes)

    def run() -> float:
        metrics = simulate(experiment, first=0, count=replicates, devices=devices)
        return float(metrics["gradient_calls"][:, -1].sum())

    return run


def _python_loop(process: SarahRun) -> Way:
    """One replicate as one would write it: a jitted step, called once an iteration."""

    @jax.jit
    def step(position: Position, k: int, key: jax.Array) -> Position:
        return process.step(position, jnp.asarray(k), jax.random.fold_in(key, k))

    def run() -> float:
        start_key, step_key = jax.random.split(jax.random.key(0))
        position = process.init(start_key)
        for k in range(STEPS):
            position = step(position, k, step_key)
        state = position.state
        return float(optzoo.gradient_calls(state, process.problem.num_samples, process.batch_size))

    return run
