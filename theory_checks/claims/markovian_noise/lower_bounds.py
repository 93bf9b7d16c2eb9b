"""What no method can beat: the two terms of the complexity, from below.

The condition number, on every path: on the masked Nesterov chain a method sees one more coordinate
for each switch of the chain. The noise, exactly: two problems that T samples can hardly tell apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    MarkovianQuadratic,
    MaskedQuadratic,
    masked_nesterov,
    plain_batch_moments,
    pytree_dataclass,
    randomized_gd_moments,
    sign_testing_quadratic,
    two_state_switch,
)

from ...checks import ExactLowerBound, PathwiseLowerBound
from ...claim import Case, Claim, Control
from ...simulation import Experiment
from .paper import markov_claim
from .process import StreamRun, accelerated, gradient_descent, stream_run

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- The condition number, on every path ---

DIM, KAPPA, SWITCH = 60, 100.0, 0.05
CHECKPOINTS = (1, 5, 20, 80, 200, 400)


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class SwitchCount(StreamRun):
    """A run on the masked chain that counts the switches in all samples, one sample a tick."""

    problem: MaskedQuadratic
    rho: jax.Array

    def init(self, key: jax.Array) -> Any:
        return super().init(key), jnp.zeros([], jnp.int32)

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        run, switches = carry
        after = super().step(run, k, key)
        switched = (after.chain_state != run.chain_state) & (k > 0)  # the first sample starts it
        return after, switches + switched.astype(jnp.int32)

    def measure(self, carry: Any) -> dict[str, jax.Array]:
        run, switches = carry
        found = super().measure(run)
        relative = found["squared_distance"] / jnp.sum(self.solution**2)
        seen = self.rho**2
        left = seen ** (switches + 1.0) - seen**DIM
        bound = jnp.maximum(left, 0.0) / (1 - seen**DIM)
        return found | {"ratio": relative / jnp.maximum(bound, 1e-300)}


@pytree_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class Unmasked(SwitchCount):
    """A false method for this oracle: it is shown all coordinates at once."""

    def step(self, carry: Any, k: jax.Array, key: jax.Array) -> Any:
        shown = replace(self.problem, masks=jnp.ones_like(self.problem.masks))
        return SwitchCount.step(replace(self, problem=shown), carry, k, key)


METHODS: dict[str, dict[str, Any]] = {
    "gd": {"method": gradient_descent},
    "accelerated": {"method": accelerated, "output": optzoo.accelerated_eval_params},
}


def _masked(which: str, process: type[SwitchCount] = SwitchCount) -> Experiment:
    problem = masked_nesterov(two_state_switch(SWITCH), DIM, KAPPA)
    L = problem.constants["L"].value
    # Single samples: the fastest way to use each of them, far below the steps of the theorems.
    constants = (0.5 / L,) if which == "gd" else (0.5 / L, 1.0, 0.1)
    run = stream_run(problem, np.zeros(DIM), constants, 1, 0, **METHODS[which])
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    root = np.sqrt(KAPPA)
    counting = process(**fields, rho=jnp.asarray((root - 1) / (root + 1)))
    return Experiment(f"markov-masked-{which}-{process.__name__}", counting, CHECKPOINTS, lanes=16)


def _pathwise_case(which: str) -> Case:
    problem = masked_nesterov(two_state_switch(SWITCH), DIM, KAPPA)

    def check(process: type[SwitchCount] = SwitchCount) -> PathwiseLowerBound:
        return PathwiseLowerBound(_masked(which, process), "ratio", np.ones(len(CHECKPOINTS)))

    return Case(
        problem=(
            rf"Nesterov's chain, $d = {DIM}$, $\kappa = {KAPPA:g}$, odd and even coordinates shown "
            rf"by a two-state switch, $\tau = {problem.chain.mixing_time}$"
        ),
        constants=problem.constants,
        parameters={"B": 1, "m": 0},
        check=check(),
        controls=(
            Control(
                "all coordinates at once",
                "an oracle that hides nothing, so that the switches do not matter",
                check(Unmasked),
            ),
        ),
    )


# --- The noise ---

TIMES = (5, 20, 100)
SPANS = (10, 40, 160)  # T in units of tau


def _mean_square(problem: MarkovianQuadratic, samples: int) -> float:
    """E|x_T - x*|^2 of the mean of T samples, which randomized GD with steps 1/(k+1) forms."""
    _, offsets = problem.affine_form()
    law = np.asarray(problem.chain.stationary)
    noise = offsets[:, 0] - law @ offsets[:, 0]
    return float(law @ plain_batch_moments(problem.chain, noise, samples).squared_norm)


def _constant_step(problem: MarkovianQuadratic, samples: int) -> float:
    """E|x_T - x*|^2 of GD on batches of tau with a constant step, from zero."""
    tau = problem.chain.mixing_time
    iterations = samples // tau
    step = min(1.0, np.log(1 + iterations) / iterations)
    moments = randomized_gd_moments(problem, step, batch_size=tau, max_level=0)
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
def _errors(method: Callable[[MarkovianQuadratic, int], float], sign: int) -> Array:
    return np.array(
        [
            method(sign_testing_quadratic(sign, tau, span * tau), span * tau)
            for tau in TIMES
            for span in SPANS
        ]
    )


def _sides(*, signs: tuple[int, ...] = (1, -1), scale: str = "none") -> tuple[Array, Array]:
    horizons = [(tau, span * tau) for tau in TIMES for span in SPANS]
    effective = np.array([1 + (T - 1) * (1 - 4 ** (-1 / tau)) for tau, T in horizons])
    least = 1 / (9 * effective)
    if scale == "tau":
        least = least * np.array([tau for tau, _ in horizons])
    found = []
    for method in (_mean_square, _constant_step, _guess, _right_guess):
        worst = np.maximum.reduce([_errors(method, sign) for sign in signs])
        found.append(worst / least)
    ratios = np.concatenate(found)
    return ratios, np.ones_like(ratios)


def _noise_case() -> Case:
    what = "exact mean squared errors of four methods, three mixing times, three horizons"

    def check(**changes: Any) -> ExactLowerBound:
        return ExactLowerBound(partial(_sides, **changes), what=what)

    problem = sign_testing_quadratic(1, 20, 800)
    return Case(
        problem=(
            r"$f_v(x) = \frac\mu2 x^2 - v s \epsilon x$, $v = \pm 1$, seen through $\mu x - s Z$ "
            r"with $Z = \pm 1$ along lazy resampling, $\mu = s = 1$"
        ),
        constants=problem.constants,
        parameters={
            "tau": "5, 20, 100",
            "T": r"$10\tau$, $40\tau$, $160\tau$",
            "methods": "mean of all samples, GD on batches of tau, two constant guesses",
        },
        check=check(),
        controls=(
            Control(
                "one sign only",
                "a false claim: for $v = 1$ alone, where the guess is right",
                check(signs=(1,)),
            ),
            Control(
                "tau squared",
                r"a false claim: a bound that is $\tau$ times larger",
                check(scale="tau"),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *(
        markov_claim(
            id=f"markovian_noise/lower-bound/condition-number-{which}",
            title=f"One coordinate a switch, on every path: {words}",
            source="lower bound, term with the condition number; explicit form, finite dimension",
            theorem="D6",
            algorithm=algorithm,
            statement=(
                r"$$\frac{|x_T - x^*|^2}{|x^*|^2} \ge \frac{(\rho^{2(N + 1)} - \rho^{2d})_+}{1 - "
                r"\rho^{2d}},\qquad \rho = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1},$$ where $N$ "
                "counts the switches of the chain up to sample $T$"
            ),
            assumptions=("a start at 0 and steps in the span of the gradients seen",),
            kind="lower_bound",
            metric=r"\text{ratio of error to bound}",
            unit="sample",
            output="last iterate",
            x_label="samples $T$",
            prepare=partial(_pathwise_case, which),
            not_shown="Methods that leave the span of the gradients.",
        )
        for which, words, algorithm in (
            ("gd", "gradient descent", "randomized_gd"),
            ("accelerated", "accelerated gradient descent", "randomized_accelerated_gd"),
        )
    ),
    markov_claim(
        id="markovian_noise/lower-bound/noise",
        title="No method averages the noise faster than the chain mixes",
        source="lower bound, noise term; explicit form by Le Cam's two points",
        theorem="D7",
        algorithm="randomized_gd",
        statement=(
            r"$$\max_{v = \pm 1} E(x_T - x_v^*)^2 \ge \frac{s^2}{9 \mu^2 n}, \qquad n = 1 + (T - 1)"
            r"(1 - 4^{-1/\tau})$$"
        ),
        assumptions=("any method that is given $T$ samples",),
        kind="lower_bound",
        metric=r"\text{ratio of error to bound}",
        unit="sample",
        output="last iterate",
        x_label="case, the closest to the bound first",
        prepare=_noise_case,
        not_shown="That the constant is the best: the mean of all samples lies 18 times above.",
    ),
)
