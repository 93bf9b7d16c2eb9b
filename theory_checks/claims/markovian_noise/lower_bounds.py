# SPDX-License-Identifier: Apache-2.0
"""What no method can beat: the two terms of the complexity, from below.

The condition number, on every path: on the masked Nesterov chain a method sees one more coordinate
for each switch of the chain. The noise, exactly: two problems that T samples can hardly tell apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import (
    MarkovianQuadratic,
    masked_nesterov,
    plain_batch_moments,
    randomized_gd_moments,
    sign_testing_quadratic,
    two_state_switch,
)
from optzoo.theorems.markovian_noise import D6, D7

from ...checks import CLOSEST, ExactLowerBound, PathwiseLowerBound
from ...claim import Case, Claim, grid
from ...controls import Sides, case, exact_case, wrong
from ...setting import Stated, chosen
from ...simulation import Along, Experiment, Watch
from .methods import ACCELERATED, DESCENT
from .processes import Position, StreamRun, gradient_calls, squared_distance, stream_run

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- The condition number, on every path ---

DIM, KAPPA, SWITCH = 60, 100.0, 0.05
CHECKPOINTS = (1, 5, 20, 80, 200, 400)


@dataclass(frozen=True)
class Switched(Along):
    """How often the chain has switched so far, one sample a tick."""

    def start(self) -> Any:
        return jnp.zeros([], jnp.int32)

    def add(
        self, memory: Any, process: StreamRun, k: jax.Array, before: Position, after: Position
    ) -> Any:
        switched = (after.chain_state != before.chain_state) & (k > 0)  # the first starts it
        return memory + switched.astype(jnp.int32)

    def read(self, memory: Any) -> jax.Array:
        return jnp.asarray(memory)


def relative_distance(process: StreamRun, position: Position) -> jax.Array:
    """|x - x*|^2 / |x*|^2."""
    return squared_distance(process, position) / jnp.sum(process.solution**2)


def _at_least(setting: Stated, sample: Mapping[str, Array]) -> Array:
    """D6's bound for the switches so far."""
    found = setting.bound(D6, sample["switches"].astype(np.int64))
    return np.maximum(np.asarray(found, dtype=np.float64), 1e-300)


METHODS = {"gd": (DESCENT, {}), "accelerated": (ACCELERATED, {"mu": 1.0, "p": 0.1})}
"""The method and what it takes beside gamma = 1/(2L), far below the steps of the theorems."""


def _masked(method: str) -> Case:
    problem = masked_nesterov(two_state_switch(SWITCH), DIM, KAPPA)
    shipped, others = METHODS[method]
    constants = {"gamma": 0.5 / problem.constants["L"].value, **others}
    setting = Stated(
        rf"Nesterov's chain, $d = {DIM}$, $\kappa = {KAPPA:g}$, odd and even coordinates shown "
        rf"by a two-state switch, $\tau = {problem.chain.mixing_time}$",
        {**problem.constants, **chosen(kappa=KAPPA, d=DIM)},
        {"gamma": constants["gamma"], "B": 1, "m": 0},
    )
    watch: Mapping[str, Watch] = {
        "distance": relative_distance,
        "switches": Switched(),
        "gradient_calls": gradient_calls,
    }

    def check(hidden: bool = True) -> PathwiseLowerBound:
        shown = problem if hidden else replace(problem, masks=jnp.ones_like(problem.masks))
        run = stream_run(shown, np.zeros(DIM), constants, 1, 0, method=shipped)
        name = f"markov-masked-{method}-SwitchCount"
        experiment = Experiment(name, run, CHECKPOINTS, watch, lanes=16)
        return PathwiseLowerBound(experiment, "distance", partial(_at_least, setting))

    return case(
        setting,
        check,
        wrong(
            "all coordinates at once",
            "an oracle that hides nothing, so that the switches do not matter",
            hidden=False,
        ),
    )


# --- The condition number, where it is attained ---

FEW, CONDITION = 4, 9.0
"""Coordinates, so few that the end of the bound is seen, and the condition number."""


def _best_sides(setting: Stated, **claimed: float) -> Sides:
    """The squared distance of x* from what N switches show of it, relative to |x*|^2."""
    solution = masked_nesterov(two_state_switch(SWITCH), FEW, CONDITION).solution
    missing = np.cumsum(solution[::-1] ** 2)[::-1] / np.sum(solution**2)
    return missing[1:], lambda: setting.bound(D6, np.arange(FEW - 1), **claimed)


def _best() -> Case:
    setting = Stated(
        rf"Nesterov's chain, $d = {FEW}$, $\kappa = {CONDITION:g}$: the first $N + 1$ "
        "coordinates of $x^*$ and no others",
        chosen(d=FEW, kappa=CONDITION),
    )
    return exact_case(
        setting,
        _best_sides,
        ExactLowerBound,
        wrong("kappa times 1.1", "a false claim: a worse condition", kappa=1.1 * CONDITION),
        what="the best that is known after each switch",
    )


# --- The noise ---

SPANS = (10, 40, 160)  # T in units of tau
SHORT = 2  # samples, beside them


def _mean_square(problem: MarkovianQuadratic, samples: int) -> float:
    """E|x_T - x*|^2 of the mean of T samples, which randomized GD with steps 1/(k+1) forms."""
    _, offsets = problem.affine_form()
    law = np.asarray(problem.chain.stationary)
    noise = offsets[:, 0] - law @ offsets[:, 0]
    return float(law @ plain_batch_moments(problem.chain, noise, samples).squared_norm)


def _shrunk(problem: MarkovianQuadratic, samples: int) -> float:
    """E|x_T - x*|^2 of the mean of T samples, shrunk to 0 by the best factor."""
    square, spread = float(problem.solution[0] ** 2), _mean_square(problem, samples)
    return square * spread / (square + spread)


def _constant_step(problem: MarkovianQuadratic, samples: int) -> float:
    """E|x_T - x*|^2 of GD on batches of tau with a constant step, from zero."""
    batch = min(problem.chain.mixing_time, samples)
    iterations = samples // batch
    step = min(1.0, np.log(1 + iterations) / iterations)
    moments = randomized_gd_moments(problem, step, batch_size=batch, max_level=0)
    law = np.asarray(problem.chain.stationary)[None]
    return float(moments.run(np.zeros(1), [iterations], law).squared_distance()[0, 0])


def _guess(problem: MarkovianQuadratic, samples: int) -> float:
    """Zero, whatever the samples say."""
    return float(problem.solution[0] ** 2)


def _right_guess(problem: MarkovianQuadratic, samples: int) -> float:
    """The solution of the problem with v = 1, which is wrong by twice as much for v = -1."""
    right = sign_testing_quadratic(1, problem.chain.mixing_time, samples).solution
    return float((problem.solution[0] - right[0]) ** 2 + 1e-12)


@cache
def _errors(method: Callable[[MarkovianQuadratic, int], float], tau: int, sign: int) -> Array:
    return np.array([method(sign_testing_quadratic(sign, tau, T), T) for T in _horizons(tau)])


def _horizons(tau: int) -> tuple[int, ...]:
    return SHORT, *(span * tau for span in SPANS)


def _noise(tau: int) -> Case:
    setting = Stated(
        r"$f_v(x) = \frac\mu2 x^2 - v s \epsilon x$, $v = \pm 1$, seen through $\mu x - s Z$ "
        r"with $Z = \pm 1$ along lazy resampling",
        chosen(tau=tau, mu=1.0, s=1.0),
        {
            "T": r"$2$, $10\tau$, $40\tau$, $160\tau$",
            "methods": "mean of all samples, whole and shrunk, GD on batches, two constant guesses",
        },
    )

    def sides(setting: Stated, signs: tuple[int, ...] = (1, -1), scale: float = 1.0) -> Sides:
        methods = (_mean_square, _shrunk, _constant_step, _guess, _right_guess)
        worst = [np.maximum.reduce([_errors(one, tau, sign) for sign in signs]) for one in methods]

        def least() -> Array:
            each = [scale * setting.bound(D7, T) for T in _horizons(tau)]
            return np.tile(each, len(methods))

        return np.concatenate(worst), least

    return exact_case(
        setting,
        sides,
        ExactLowerBound,
        wrong(
            "one sign only",
            "a false claim: for $v = 1$ alone, where the guess is right",
            signs=(1,),
        ),
        wrong("tau squared", r"a false claim: a bound that is $\tau$ times larger", scale=tau),
        what="exact mean squared errors of five methods, four horizons",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="markovian_noise/lower-bound/condition-number",
        title="One coordinate a switch, on every path",
        theorem=D6,
        prepare=grid(_masked, method=METHODS),
        x_label="samples $T$",
    ),
    Claim(
        id="markovian_noise/lower-bound/best",
        title="One coordinate a switch: what is known of the solution",
        theorem=D6,
        prepare=_best,
        x_label=CLOSEST,
    ),
    Claim(
        id="markovian_noise/lower-bound/noise",
        title="No method averages the noise faster than the chain mixes",
        theorem=D7,
        prepare=grid(_noise, tau=(5, 20, 100)),
        x_label=CLOSEST,
    ),
)
