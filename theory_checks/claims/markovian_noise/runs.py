# SPDX-License-Identifier: Apache-2.0
"""Sampled runs of the shipped code: beside exact expectations, and below the bounds.

Where the noise outweighs the gradient (delta = 2) each single gradient points uphill in one of the
two states. Batches of the theorem's size make the methods contract; with single samples at the same
steps they blow up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import (
    MarkovChain,
    MarkovianProblem,
    additive_noise_quadratic,
    multiplicative_noise_quadratic,
    pytree_dataclass,
    rotation_operator,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D3, D3A, D3A_RUNS, D4, D4_RUNS, D5_RUNS, Chain, damping

from ...checks import SampledIdentity, UpperBound
from ...claim import Case, Claim
from ...controls import case, mutant, wrong
from ...setting import Stated, chosen, values
from . import mutants
from .methods import ACCELERATED, DESCENT, EXTRAGRADIENT, Method
from .partners import PARTNERS
from .processes import Position, StreamRun, by_iterations, squared_distance, stream_run
from .settings import chain, longest_step

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

TAU = 14

# --- Beside exact expectations ---

ITERATIONS, LEVELS, START = (5, 15, 40), 4, 3.0


@dataclass(frozen=True, eq=False)
class Run:
    """A method on a problem, and a mistake in it.

    Args:
        theorem: on its runs.
        method: as it is shipped.
        words: the problem.
        problem: makes it.
        constants: those that the method takes, by their symbols.
        mistake: a mutant.
        in_place_of: what of the method it replaces.
    """

    theorem: Theorem
    method: Method
    words: str
    problem: Callable[[], MarkovianProblem]
    constants: dict[str, float]
    mistake: Callable[..., Any]
    in_place_of: str = "shipped"


def _quadratic() -> MarkovianProblem:
    return additive_noise_quadratic(chain("switch-14"), [0.2, 1.0], sigma=2.0)


def _rotation() -> MarkovianProblem:
    return rotation_operator(chain("switch-14"), 1.0, [3.0], sigma=2.0)


QUADRATIC = r"quadratic with $\kappa = 5$, additive noise along the eigenvector of $\mu$"
RUNS = {
    "gd": Run(
        D3A_RUNS,
        DESCENT,
        QUADRATIC,
        _quadratic,
        {"gamma": 0.5},
        mutants.level_law_that_does_not_match_its_weights,
        in_place_of="stream",
    ),
    "accelerated": Run(
        D4_RUNS,
        ACCELERATED,
        QUADRATIC,
        _quadratic,
        {"gamma": 0.75, "mu": 0.2, "p": 0.5},
        mutants.momentum_undamped,
    ),
    "extragradient": Run(
        D5_RUNS,
        EXTRAGRADIENT,
        r"$F(x) = \mu x$ plus a rotation, $L/\mu = \sqrt{10}$, additive noise",
        _rotation,
        {"gamma": 0.12},
        mutants.second_half_from_the_point_looked_ahead_at,
    ),
}


def _beside_expectations(which: str) -> Case:
    run, problem = RUNS[which], RUNS[which].problem()
    shipped, x0 = run.method, np.full(problem.dim, START)
    moments = shipped.moments(problem, run.constants, batch_size=TAU, max_level=LEVELS)
    law = np.asarray(problem.chain.stationary)[None]
    exact = moments.run(x0, ITERATIONS, law).squared_distance(shipped.point)[:, 0]
    known = {**problem.constants, **chosen(**run.constants, B=TAU, m=LEVELS)}

    def check(method: Callable[..., Any] | None = None) -> SampledIdentity:
        mistake: dict[str, Any] = {} if method is None else {run.in_place_of: method}
        used = replace(shipped, **mistake)
        process = stream_run(
            problem, x0, run.constants, TAU, LEVELS, method=used, samples_per_tick=TAU
        )
        return SampledIdentity(
            by_iterations(f"markov-runs-{which}-shipped", process, ITERATIONS, squared_distance),
            left=lambda sample: sample["watched"],
            right=lambda sample: exact,
            looks=16,
            points=ITERATIONS,
        )

    setting = Stated(run.words, known, values(known, *shipped.takes, "B", "m"))
    return case(setting, check, mutant(run.mistake))


# --- Below the bounds, where single gradients point uphill ---

DELTA, LEVEL, FACTOR_ITERATIONS = 2.0, 2, (1, 4, 30)
SIZE = round(16 * DELTA**2 * TAU)
ONES = np.ones(2)


def potential(run: StreamRun, position: Position) -> jax.Array:
    """Phi = |x - x*|^2 + (6/mu) (f(x_f) - f*) of the accelerated method."""
    problem: Any = run.problem
    momentum = position.state.momentum_point - run.solution
    gap = problem.value(run.method.output(position.state, position.x))
    return jnp.sum(momentum**2) + 6 / run.constants["mu"] * gap


def _uphill(theorem: Theorem, method: Method, watch: Callable[..., jax.Array], mu: float) -> Case:
    problem = multiplicative_noise_quadratic(chain("switch-14"), [mu, 1.0], DELTA)
    known = {**problem.constants, **chosen(B=SIZE, m=LEVEL)}
    if theorem is D3A:
        known |= chosen(start=float(ONES @ ONES))
        known |= longest_step(theorem, known, 2 / (1 + mu))
    else:
        # The p that leaves the bias its part of (C).
        p = damping(DELTA, Chain(tau=TAU).variance_factor(SIZE, LEVEL))
        start = float(ONES @ ONES) + 3 / mu * (mu + 1.0)
        known |= chosen(start=start, gamma=0.75, mu=mu, p=p)
    setting = Stated(
        rf"quadratic with $\kappa = {1 / mu:g}$, gradients $(1 \pm 2) \nabla f$ along a two-state "
        "switch",
        known,
        values(known, *method.takes, "B", "m"),
    )
    constants = {name: known[name].value for name in method.takes}

    def check(batch_size: int = SIZE, max_level: int = LEVEL) -> UpperBound:
        run = stream_run(
            problem,
            ONES,
            constants,
            batch_size,
            max_level,
            method=method,
            samples_per_tick=min(TAU, batch_size),
        )
        which = "gd" if method is DESCENT else "accelerated"
        name = f"markov-multiplicative-{which}-{batch_size}"
        return UpperBound(
            by_iterations(name, run, FACTOR_ITERATIONS, watch),
            "watched",
            lambda: setting.bound(theorem, FACTOR_ITERATIONS),
            points=FACTOR_ITERATIONS,
        )

    return case(
        setting,
        check,
        wrong(
            "plain batch of one",
            "single samples without levels, at the step that was meant for the batch",
            batch_size=1,
            max_level=0,
        ),
    )


# --- Below the bound, on a function that is not convex ---

MULTIPLE, VALLEY_LEVEL, SIGMA, VALLEY_START, SMOOTHNESS = 16, 3, 0.6, 2.0, 2.0
VALLEY_ITERATIONS = (3, 15, 60, 200)


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class Valley:
    """f(x) = x^2 / (1 + x^2), |f''| <= 2, its gradient seen through additive noise."""

    chain: MarkovChain
    noise: jax.Array

    @property
    def solution(self) -> Array:
        """The minimizer."""
        return np.zeros(1)

    def gradient(self, x: jax.Array) -> jax.Array:
        """f'(x)."""
        return 2 * x / (1 + x**2) ** 2

    def sample_operator(self, x: jax.Array, state: jax.Array) -> jax.Array:
        """The gradient that the chain in this state shows."""
        return self.gradient(x) + self.noise[state]


def squared_gradient(run: Any, position: Position) -> jax.Array:
    """|grad f(x)|^2."""
    return jnp.sum(run.problem.gradient(position.x) ** 2)


def _valley() -> Case:
    problem = Valley(chain("switch-14"), SIGMA * jnp.array([1.0, -1.0]))
    gap = VALLEY_START**2 / (1 + VALLEY_START**2)
    size, gamma = MULTIPLE * TAU, 1 / SMOOTHNESS
    known = {
        "tau": problem.chain.constants["tau"],
        **chosen(L=SMOOTHNESS, sigma=SIGMA, delta=0.0, start=gap),
        **chosen(gamma=gamma, B=size, m=VALLEY_LEVEL),
    }
    setting = Stated(
        r"$f(x) = x^2/(1 + x^2)$ from $x = 2$, where it is concave; a two-state switch",
        known,
        values(known, "gamma", "B", "m"),
    )
    run = stream_run(
        problem, [VALLEY_START], {"gamma": gamma}, size, VALLEY_LEVEL, samples_per_tick=TAU
    )
    experiment = by_iterations("markov-valley", run, VALLEY_ITERATIONS, squared_gradient, mean=True)

    def check(**changes: float) -> UpperBound:
        return UpperBound(
            experiment,
            "watched",
            lambda: setting.bound(D3, VALLEY_ITERATIONS, **changes),
            points=VALLEY_ITERATIONS,
        )

    return case(setting, check, mutants.MIXING_TIME_ONE)


HOW_CLOSE = "How close the bound is: the exact expectations show that."

CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            id=f"markovian_noise/runs/{which}",
            title=run.theorem.title,
            theorem=run.theorem,
            prepare=partial(_beside_expectations, which),
            x_label="iteration $N$",
        )
        for which, run in RUNS.items()
    ),
    Claim(
        id="markovian_noise/multiplicative/gd",
        title="Descent although single gradients point uphill",
        theorem=D3A,
        prepare=partial(_uphill, D3A, DESCENT, squared_distance, 0.2),
        not_shown=HOW_CLOSE,
        pairs_with=PARTNERS,
        x_label="iteration $N$",
    ),
    Claim(
        id="markovian_noise/multiplicative/accelerated",
        title="Accelerated descent although single gradients point uphill",
        theorem=D4,
        prepare=partial(_uphill, D4, ACCELERATED, potential, 0.01),
        not_shown=HOW_CLOSE,
        pairs_with=PARTNERS,
        x_label="iteration $N$",
    ),
    Claim(
        id="markovian_noise/descent/nonconvex",
        title="Mean squared gradient over the run of a function that is not convex",
        theorem=D3,
        prepare=_valley,
        pairs_with=PARTNERS,
        not_shown="One function in one dimension.",
        x_label="iterations $N$",
    ),
)
