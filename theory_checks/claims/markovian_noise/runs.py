"""Sampled runs of the shipped code: beside exact expectations, and below the bounds.

Where the noise outweighs the gradient (delta = 2) each single gradient points uphill in one of the
two states. Batches of the theorem's size make the methods contract; with single samples at the same
steps they blow up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    LinearMethodMoments,
    MarkovChain,
    MarkovianProblem,
    accelerated_gd_moments,
    additive_noise_quadratic,
    extragradient_moments,
    multiplicative_noise_quadratic,
    pytree_dataclass,
    randomized_gd_moments,
    rotation_operator,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D3, D3A, D3A_RUNS, D4, D4_RUNS, D5_RUNS, Chain, damping

from ...checks import SampledIdentity, UpperBound
from ...claim import Case, Claim
from ...controls import controls, mutant, wrong
from ...setting import Stated, chosen
from . import mutants
from .partners import PARTNERS
from .processes import (
    Position,
    StreamRun,
    accelerated,
    by_iterations,
    plain_first_half,
    squared_distance,
    stream_run,
)
from .settings import chain, longest_step

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

TAU = 14

# --- Beside exact expectations ---

ITERATIONS, LEVELS, START = (5, 15, 40), 4, 3.0


@dataclass(frozen=True, eq=False)
class Shipped:
    """A method as it is shipped, and the recursion of its moments.

    Args:
        words: the problem.
        problem: makes it.
        constants: those that the method takes, by name, in its order.
        moments: problem, constants and sizes -> the recursion.
        method: constants -> optax transformation.
        mistake: a mutant.
        in_place_of: what of the process it replaces.
        fields: of the process, beside the method.
        point: which of the method's points is compared.
        estimates: how many an iteration takes.
    """

    words: str
    problem: Callable[[], MarkovianProblem]
    constants: dict[str, float]
    moments: Callable[..., LinearMethodMoments]
    method: Callable[..., Any]
    mistake: Callable[..., Any]
    in_place_of: str = "method"
    fields: dict[str, Any] = field(default_factory=dict)
    point: str = "x"
    estimates: int = 1


def _quadratic() -> MarkovianProblem:
    return additive_noise_quadratic(chain("switch-14"), [0.2, 1.0], sigma=2.0)


def _rotation() -> MarkovianProblem:
    return rotation_operator(chain("switch-14"), 1.0, [3.0], sigma=2.0)


QUADRATIC = r"quadratic with $\kappa = 5$, additive noise along the eigenvector of $\mu$"
METHODS = {
    "gd": Shipped(
        QUADRATIC,
        _quadratic,
        {"gamma": 0.5},
        randomized_gd_moments,
        optzoo.randomized_gd,
        mutants.level_law_that_does_not_match_its_weights,
        in_place_of="stream",
    ),
    "accelerated": Shipped(
        QUADRATIC,
        _quadratic,
        {"gamma": 0.75, "mu": 0.2, "p": 0.5},
        lambda problem, gamma, mu, p, **sizes: accelerated_gd_moments(
            problem, gamma, mu, momentum_scale=p, **sizes
        ),
        accelerated,
        mutants.momentum_undamped,
        fields={"output": optzoo.accelerated_eval_params},
        point="x_f",
    ),
    "extragradient": Shipped(
        r"$F(x) = \mu x$ plus a rotation, $L/\mu = \sqrt{10}$, additive noise",
        _rotation,
        {"gamma": 0.12},
        partial(extragradient_moments, first_batch_size=TAU),
        optzoo.randomized_extragradient,
        mutants.second_half_from_the_point_looked_ahead_at,
        fields={"sizes": plain_first_half},
        estimates=2,
    ),
}


def _beside_expectations(which: str) -> Case:
    shipped = METHODS[which]
    problem = shipped.problem()
    x0 = np.full(problem.dim, START)
    constants = tuple(shipped.constants.values())
    moments = shipped.moments(problem, *constants, batch_size=TAU, max_level=LEVELS)
    law = np.asarray(problem.chain.stationary)[None]
    exact = moments.run(x0, ITERATIONS, law).squared_distance(shipped.point)[:, 0]

    def check(method: Any = None) -> SampledIdentity:
        fields = {"method": shipped.method, "samples_per_tick": TAU, **shipped.fields}
        if method is not None:
            fields[shipped.in_place_of] = method
        run = stream_run(problem, x0, constants, TAU, LEVELS, **fields)
        return SampledIdentity(
            by_iterations(
                f"markov-runs-{which}-shipped",
                run,
                ITERATIONS,
                squared_distance,
                estimates=shipped.estimates,
            ),
            left=lambda sample: sample["watched"],
            right=lambda sample: exact,
            looks=16,
            points=ITERATIONS,
        )

    setting = Stated(
        shipped.words,
        {**problem.constants, **chosen(**shipped.constants, B=TAU, m=LEVELS)},
        {**shipped.constants, "B": TAU, "m": LEVELS},
    )
    return Case(setting, check(), controls(check, mutant(shipped.mistake)))


# --- Below the bounds, where single gradients point uphill ---

DELTA, LEVEL, FACTOR_ITERATIONS = 2.0, 2, (1, 4, 30)
SIZE = round(16 * DELTA**2 * TAU)
ONES = np.ones(2)


def potential(run: StreamRun, position: Position) -> jax.Array:
    """Phi = |x - x*|^2 + (6/mu) (f(x_f) - f*) of the accelerated method."""
    problem: Any = run.problem
    _, mu, _ = run.constants
    momentum = position.state.momentum_point - run.solution
    gap = problem.value(run.output(position.state, position.x))
    return jnp.sum(momentum**2) + 6 / mu * gap


def _uphill(which: str) -> Case:
    theorem, mu = (D3A, 0.2) if which == "gd" else (D4, 0.01)
    problem = multiplicative_noise_quadratic(chain("switch-14"), [mu, 1.0], DELTA)
    known = {**problem.constants, **chosen(B=SIZE, m=LEVEL)}
    method: Callable[..., Any]
    fields: dict[str, Any] = {}
    if which == "gd":
        known |= chosen(start=float(ONES @ ONES))
        prescribed = longest_step(theorem, known, 2 / (1 + mu))
        method, watch = optzoo.randomized_gd, squared_distance
    else:
        # The p that leaves the bias its part of (C).
        p = damping(DELTA, Chain(tau=TAU).variance_factor(SIZE, LEVEL))
        known |= chosen(start=float(ONES @ ONES) + 3 / mu * (mu + 1.0))
        prescribed = chosen(gamma=0.75, mu=mu, p=p)
        method, watch = accelerated, potential
        fields = {"output": optzoo.accelerated_eval_params}
    parameters = {name: constant.value for name, constant in prescribed.items()}
    setting = Stated(
        rf"quadratic with $\kappa = {1 / mu:g}$, gradients $(1 \pm 2) \nabla f$ along a two-state "
        "switch",
        {**known, **prescribed},
        {**parameters, "B": SIZE, "m": LEVEL},
    )

    def check(batch_size: int = SIZE, max_level: int = LEVEL) -> UpperBound:
        run = stream_run(
            problem,
            ONES,
            tuple(parameters.values()),
            batch_size,
            max_level,
            method=method,
            samples_per_tick=min(TAU, batch_size),
            **fields,
        )
        name = f"markov-multiplicative-{which}-{batch_size}"
        return UpperBound(
            by_iterations(name, run, FACTOR_ITERATIONS, watch),
            "watched",
            setting.bound(theorem, FACTOR_ITERATIONS),
            points=FACTOR_ITERATIONS,
        )

    return Case(
        setting,
        check(),
        controls(
            check,
            wrong(
                "plain batch of one",
                "single samples without levels, at the step that was meant for the batch",
                batch_size=1,
                max_level=0,
            ),
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
    setting = Stated(
        r"$f(x) = x^2/(1 + x^2)$ from $x = 2$, where it is concave; a two-state switch",
        {
            "tau": problem.chain.constants["tau"],
            **chosen(L=SMOOTHNESS, sigma=SIGMA, delta=0.0, start=gap),
            **chosen(gamma=gamma, B=size, m=VALLEY_LEVEL),
        },
        {"gamma": gamma, "B": size, "m": VALLEY_LEVEL},
    )
    run = stream_run(problem, [VALLEY_START], (gamma,), size, VALLEY_LEVEL, samples_per_tick=TAU)
    experiment = by_iterations("markov-valley", run, VALLEY_ITERATIONS, squared_gradient, mean=True)

    def check(scale: float = 1.0, **changes: float) -> UpperBound:
        bound = scale * setting.bound(D3, VALLEY_ITERATIONS, **changes)
        return UpperBound(experiment, "watched", bound, points=VALLEY_ITERATIONS)

    return Case(
        setting,
        check(),
        controls(
            check,
            wrong("mixing time 1", r"the bound evaluated with $\tau' = 1$", tau=1),
            wrong("bound divided by 4", "a false claim", scale=1 / 4),
        ),
    )


_RUNS: dict[str, Theorem] = {"gd": D3A_RUNS, "accelerated": D4_RUNS, "extragradient": D5_RUNS}
HOW_CLOSE = "How close the bound is: the exact expectations show that."

CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            id=f"markovian_noise/runs/{which}",
            title=theorem.title,
            theorem=theorem,
            prepare=partial(_beside_expectations, which),
            x_label="iteration $N$",
        )
        for which, theorem in _RUNS.items()
    ),
    Claim(
        id="markovian_noise/multiplicative/gd",
        title="Descent although single gradients point uphill",
        theorem=D3A,
        prepare=partial(_uphill, "gd"),
        not_shown=HOW_CLOSE,
        pairs_with=PARTNERS,
        x_label="iteration $N$",
    ),
    Claim(
        id="markovian_noise/multiplicative/accelerated",
        title="Accelerated descent although single gradients point uphill",
        theorem=D4,
        prepare=partial(_uphill, "accelerated"),
        not_shown=HOW_CLOSE,
        pairs_with=PARTNERS,
        x_label="iteration $N$",
    ),
    Claim(
        id="markovian_noise/descent/nonconvex",
        title="Mean squared gradient over the run of a function that is not convex",
        theorem=D3,
        prepare=_valley,
        not_shown="One function in one dimension.",
        x_label="iterations $N$",
    ),
)
