"""D3a and D4 on runs of the shipped code, where the noise outweighs the gradient: delta = 2.

Each single gradient points uphill in one of the two states. Batches of the theorem's size make both
methods contract; with single samples at the same steps they blow up.
"""

import dataclasses
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import MarkovianQuadratic, multiplicative_noise_quadratic, pytree_dataclass

from ...checks import UpperBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .exact_runs import largest_step, noise_of
from .paper import PARTNERS, chains, markov_claim
from .process import (
    AtIterations,
    IterationRun,
    Run,
    StreamRun,
    accelerated,
    gradient_descent,
    stream_run,
    ticks_for,
)

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

TAU, DELTA, LEVEL = 14, 2.0, 2
SIZE = round(16 * DELTA**2 * TAU)
ITERATIONS = (1, 4, 30)
START = np.ones(2)


@pytree_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PotentialRun(StreamRun):
    """A run of the accelerated method that shows Phi."""

    problem: MarkovianQuadratic
    mu: jax.Array

    def measure(self, carry: Run) -> dict[str, jax.Array]:
        momentum = carry.state.momentum_point - self.solution
        gap = self.problem.value(optzoo.accelerated_eval_params(carry.state, carry.x))
        potential = jnp.sum(momentum**2) + 6 / self.mu * gap
        return super().measure(carry) | {"potential": potential}


@cache
def _problem(mu: float) -> MarkovianQuadratic:
    return multiplicative_noise_quadratic(chains()["switch-14"], [mu, 1.0], DELTA)


@cache
def _descent_bound() -> optzoo.StronglyConvexGDBound:
    mu, batch = 0.2, optzoo.MultilevelBatch(SIZE, LEVEL)
    make = partial(
        optzoo.StronglyConvexGDBound, 1.0, noise_of(_problem(mu)), batch, strong_convexity=mu
    )
    return largest_step(make, 2 / (1 + mu))


@cache
def _accelerated_bound() -> optzoo.AcceleratedGDBound:
    """With the p that leaves the bias its part of (C)."""
    mu, batch = 0.01, optzoo.MultilevelBatch(SIZE, LEVEL)
    noise = noise_of(_problem(mu))
    p = 6 / (7 * (1 + DELTA**2 * batch.variance(TAU)))
    return optzoo.AcceleratedGDBound(1.0, noise, batch, 0.75, mu, momentum_scale=p)


def _descent_run(batch_size: int, max_level: int, samples_per_tick: int) -> StreamRun:
    return stream_run(
        _problem(0.2),
        START,
        (_descent_bound().learning_rate,),
        batch_size,
        max_level,
        method=gradient_descent,
        samples_per_tick=samples_per_tick,
    )


def _accelerated_run(batch_size: int, max_level: int, samples_per_tick: int) -> StreamRun:
    bound = _accelerated_bound()
    mu = bound.strong_convexity
    run = stream_run(
        _problem(mu),
        START,
        (bound.learning_rate, mu, bound.momentum_scale),
        batch_size,
        max_level,
        method=accelerated,
        output=optzoo.accelerated_eval_params,
        samples_per_tick=samples_per_tick,
    )
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    return PotentialRun(**fields, mu=jnp.asarray(mu))


METRICS = {"gd": "squared_distance", "accelerated": "potential"}


def _experiment(which: str, batch_size: int, max_level: int) -> Experiment:
    tick = min(TAU, batch_size)
    make = _descent_run if which == "gd" else _accelerated_run
    deadlines = tuple(ticks_for(k, batch_size, max_level, tick) for k in ITERATIONS)
    process = IterationRun(
        make(batch_size, max_level, tick),
        jnp.asarray(ITERATIONS),
        jnp.asarray(deadlines),
        METRICS[which],
    )
    name = f"markov-multiplicative-{which}-{batch_size}"
    return Experiment(name, process, deadlines, lanes=16)


def _limits(which: str) -> Array:
    if which == "gd":
        initial = float(START @ START)
        return np.array([_descent_bound().bound(k, initial) for k in ITERATIONS])
    bound = _accelerated_bound()
    mu = bound.strong_convexity
    initial = float(START @ START) + 3 / mu * (mu + 1.0)
    return np.array([bound.bound(k, initial) for k in ITERATIONS])


def _case(which: str) -> Case:
    bound: Any = _descent_bound() if which == "gd" else _accelerated_bound()

    def check(batch_size: int, max_level: int) -> AtIterations:
        experiment = _experiment(which, batch_size, max_level)
        return AtIterations(UpperBound(experiment, METRICS[which], _limits(which)), ITERATIONS)

    parameters: dict[str, float | int | str] = {
        "B": SIZE,
        "m": bound.batch.max_level,
        "gamma": bound.learning_rate,
    }
    if which == "accelerated":
        parameters["p"] = bound.momentum_scale
    return Case(
        problem=(
            rf"quadratic with $\kappa = {1 / bound.strong_convexity:g}$, gradients $(1 \pm 2) "
            r"\nabla f$ along a two-state switch"
        ),
        constants=_problem(bound.strong_convexity).constants,
        parameters=parameters,
        check=check(SIZE, bound.batch.max_level),
        controls=(
            Control(
                "plain batch of one",
                "single samples without levels, at the step that was meant for the batch",
                check(1, 0),
            ),
        ),
    )


_claim = partial(
    markov_claim,
    kind="upper_bound",
    unit="iteration",
    output="last iterate",
    x_label="iteration $N$",
    pairs_with=PARTNERS,
    not_shown="How close the bound is: the exact expectations show that.",
)
ASSUMED = (r"$|\nabla F(x, z) - \nabla f(x)|^2 \le \delta^2 |\nabla f(x)|^2$ for each state",)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        id="markovian_noise/multiplicative/gd",
        title="Descent although single gradients point uphill",
        source="theorem on randomized GD, strongly convex; explicit form D3a",
        theorem="D3a",
        algorithm="randomized_gd",
        statement=(
            r"$$E|x^N - x^*|^2 \le (1 - R)^N |x^0 - x^*|^2, \quad R = \gamma\mu - \delta^2 L^2 "
            r"(\gamma^2 V + \gamma b / \mu)$$"
        ),
        assumptions=(r"$f$ $L$-smooth, $\mu$-strongly convex", *ASSUMED),
        metric=r"E|x^N - x^*|^2",
        prepare=partial(_case, "gd"),
    ),
    _claim(
        id="markovian_noise/multiplicative/accelerated",
        title="Accelerated descent although single gradients point uphill",
        source="theorem on randomized accelerated GD; explicit form D4",
        theorem="D4",
        algorithm="randomized_accelerated_gd",
        statement=(
            r"$$E\Phi_N \le \left(1 - p\sqrt{\mu\gamma/3}\right)^N \Phi_0$$ with $\Phi_k = "
            r"|x^k - x^*|^2 + \frac6\mu (f(x_f^k) - f^*)$"
        ),
        assumptions=(
            r"$f$ $L$-smooth, $\mu$-strongly convex",
            *ASSUMED,
            r"$\gamma \le 3/(4L)$ and (C): $p(1 + \gamma L)(1 + \delta^2 V) + (4 + \eta) \delta^2 "
            r"b \le 7/4$",
        ),
        metric=r"E\Phi_N",
        prepare=partial(_case, "accelerated"),
    ),
)
