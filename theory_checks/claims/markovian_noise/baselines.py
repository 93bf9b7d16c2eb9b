# SPDX-License-Identifier: Apache-2.0
"""The methods that are put side by side, each with the exact curve of its mean error.

All but AdaGrad are linear on quadratics, so that their mean errors follow from a recursion, without
sampling, for any number of iterations; each takes the step, out of a grid, that reaches the target
with the fewest samples. AdaGrad is simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import optax
from numpy.typing import NDArray

from optzoo.problems import (
    LinearMethodMoments,
    MarkovChain,
    MarkovianQuadratic,
    additive_noise_quadratic,
    lazy_resample,
    multiplicative_noise_quadratic,
)
from optzoo.theorems.markovian_noise import expected_samples

from ...simulation import Experiment, log_spaced
from ...statistics.scaling import first_passage
from .methods import ACCELERATED, DESCENT, Method
from .processes import stream_run
from .settings import slow_chain

__all__ = [
    "ADAPTIVE",
    "LINEAR",
    "START",
    "TARGET",
    "Tuned",
    "adagrad_experiment",
    "problem",
    "tuned",
]

Array = NDArray[np.float64]

SPECTRUM = (0.1, 1.0)
SIGMA, DELTA = 0.1, 2.0
START = np.ones(2)
TARGET = 0.01  # of |x^0 - x^*|^2
STEPS = 2.0 ** -np.arange(0.0, 16.0)
FIRST = (4, 5, 6, 7)
BUDGET = 2_000_000  # samples in units of the mixing time: more than any method needs


@cache
def problem(noise: str, chain: Callable[[int], MarkovChain], tau: int) -> MarkovianQuadratic:
    """A quadratic with kappa = 10 and one kind of noise."""
    if noise == "additive":
        return additive_noise_quadratic(chain(tau), SPECTRUM, SIGMA)
    return multiplicative_noise_quadratic(chain(tau), SPECTRUM, DELTA)


def _every(tau: int) -> MarkovChain:
    """Every tau-th state of the chain."""
    chain = slow_chain(tau)
    return MarkovChain(np.linalg.matrix_power(np.asarray(chain.transition), tau))


def _independent(tau: int) -> MarkovChain:
    return lazy_resample([0.5, 0.5], 1.0)


@dataclass(frozen=True, eq=False)
class Linear:
    """A method whose error has an exact recursion.

    Args:
        batch: tau -> B and m.
        chain: tau -> the chain of the samples it uses.
        method: what the estimates feed.
        price: tau -> samples drawn for each one used.
    """

    batch: Callable[[int], tuple[int, int]]
    chain: Callable[[int], MarkovChain] = slow_chain
    method: Method = DESCENT
    price: Callable[[int], int] = lambda tau: 1

    def moments(self, noise: str, tau: int, step: float) -> LinearMethodMoments:
        """The recursion at one step; a share of 1/L, or of 3/(4L) and p when accelerated."""
        b, m = self.batch(tau)
        constants = {"gamma": step}
        if self.method is ACCELERATED:
            # As in the theorem, p makes room for noise that grows with the gradient.
            gamma, p = (0.75 * step, 1.0) if noise == "additive" else (0.75, step)
            constants = {"gamma": gamma, "mu": SPECTRUM[0], "p": p}
        instance = problem(noise, self.chain, tau)
        return self.method.moments(instance, constants, batch_size=b, max_level=m)


LINEAR: dict[str, Linear] = {
    "SGD": Linear(lambda tau: (1, 0)),
    "SGD + MLMC": Linear(lambda tau: (1, 10)),
    "SGD, every τ-th sample": Linear(lambda tau: (1, 0), _every, price=lambda tau: tau),
    "SGD, batches of τ": Linear(lambda tau: (tau, 0)),
    "randomized GD": Linear(lambda tau: (tau, 3)),
    "SGD, independent samples": Linear(lambda tau: (1, 0), _independent),
    "accelerated, batches of τ": Linear(lambda tau: (tau, 0), method=ACCELERATED),
    "randomized accelerated GD": Linear(lambda tau: (tau, 3), method=ACCELERATED),
}


@dataclass(frozen=True, eq=False)
class Tuned:
    """The curve of a method at its best step.

    Args:
        samples: drawn, shape (points,).
        error: E|x - x*|^2 / |x^0 - x*|^2, shape (points,).
        passage: samples until the target.
        step: the step.
    """

    samples: Array
    error: Array
    passage: float
    step: float


def _curve(moments: LinearMethodMoments, counts: NDArray[np.int64], output: str) -> Array:
    """Errors at the iterations of `_counts`, by squaring four powers of the recursion."""
    law = np.full((1, moments.num_states), 1 / moments.num_states)  # both states alike
    powers = [np.linalg.matrix_power(moments.matrix, first) for first in FIRST]
    found = []
    for _ in range(len(counts) // len(FIRST)):
        for matrix in powers:
            if not np.abs(matrix).max() < 1e6:
                return np.full(len(counts), 1e6)
            after = replace(moments, matrix=matrix).run(START, [1], law)
            found.append(after.squared_distance(output)[0, 0])
        powers = [matrix @ matrix for matrix in powers]
    return np.array(found) / float(START @ START)


def _counts(last: int) -> NDArray[np.int64]:
    """4, 5, 6, 7 times the powers of two, to `last` or a little beyond."""
    octaves = np.arange(max(1, int(np.ceil(np.log2(last / FIRST[0])))))
    return (2 ** octaves[:, None] * np.array(FIRST)).ravel()


@cache
def tuned(name: str, noise: str, tau: int) -> Tuned:
    """The best of the steps for a method at a mixing time."""
    method = LINEAR[name]
    b, m = method.batch(tau)
    price = expected_samples(b, m) * method.price(tau)
    last = max(200, round(BUDGET * tau / price / 100))
    counts = _counts(last)
    samples = np.asarray(counts * price, dtype=np.float64)
    best: Tuned | None = None
    for step in STEPS:
        error = _curve(method.moments(noise, tau, float(step)), counts, method.method.point)
        passage = float(first_passage(samples, error, TARGET))
        if best is None or passage < best.passage:
            best = Tuned(samples, error, passage, float(step))
    assert best is not None
    return best


# --- AdaGrad ---

ADAGRAD_BATCH = 14
ADAGRAD_STEP = 0.2
ADAGRAD_TICKS = 5_000
ADAPTIVE = {"AdaGrad": 0, "AdaGrad + MLMC": 6}  # levels


ADAGRAD = Method(partial(optax.adagrad, initial_accumulator_value=0.0))


def adagrad_experiment(name: str, noise: str, tau: int) -> Experiment:
    """AdaGrad on batches of 14, or on the multilevel estimator with that base batch."""
    run = stream_run(
        problem(noise, slow_chain, tau),
        START,
        {"gamma": ADAGRAD_STEP},
        ADAGRAD_BATCH,
        ADAPTIVE[name],
        method=ADAGRAD,
        samples_per_tick=ADAGRAD_BATCH,
    )
    return Experiment(
        f"markov-{name}-{noise}-{tau}",
        run,
        log_spaced(4, ADAGRAD_TICKS, 24),
        lanes=16,
        randomness=f"markov-compare-{tau}",
    )
