# SPDX-License-Identifier: Apache-2.0
"""The laws in the mixing time, the batch, the step and the condition number.

Most are exact, from dynamic programming and recursions; the law of the complexity is sampled.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import (
    LinearMethodMoments,
    MarkovChain,
    additive_noise_quadratic,
    multilevel_moments,
    multiplicative_noise_quadratic,
    two_state_switch,
)
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import (
    D2_BIAS_BATCH_LAW,
    D2_BIAS_TAU_LAW,
    D2_VARIANCE_LEVELS_LAW,
    D2_VARIANCE_TAU_LAW,
    D3A_SAMPLES_LAW,
    D4_CONDITION_NUMBER_LAW,
    D4_FLOOR_BATCH_LAW,
    D4_FLOOR_STEP_LAW,
    D4_FLOOR_TAU_LAW,
    Chain,
    damping,
    level_factor,
)

from ...checks import ExactScaling, Passage
from ...claim import Case, Claim
from ...controls import Change, case, wrong
from ...setting import Stated, chosen
from ...simulation import Experiment, log_spaced
from .methods import ACCELERATED, DESCENT
from .processes import stream_run
from .settings import slow_chain

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
SIGNS = np.array([1.0, -1.0])


def _doubled(first: float, count: int) -> Array:
    return np.asarray(first * 2.0 ** np.arange(count), dtype=np.float64)


# --- Bias and variance of the estimator ---


def _bias(chain: MarkovChain, size: int, m: int) -> float:
    """sup_z |E_z g|."""
    return float(np.abs(multilevel_moments(chain, SIGNS, size, m).mean).max())


def _variance(chain: MarkovChain, size: int, m: int) -> float:
    """sup_z E_z|g|^2."""
    return float(multilevel_moments(chain, SIGNS, size, m).squared_norm.max())


def _bias_in_batch(length: float) -> list[float]:
    """For 2^m B from 4 to 256 mixing times, two chains."""
    switches = (two_state_switch(0.05), two_state_switch(0.005))
    return [_bias(chain, 4 * chain.mixing_time, int(np.log2(length))) for chain in switches]


BIAS_SIZE, BIAS_LEVEL = 16 * 1024, 2


def _bias_in_tau(tau: float) -> list[float]:
    """sup_z |E_z g| and its ratio to s lambda / ((1 - lambda) 2^m B)."""
    largest, keep = _bias(slow_chain(int(tau)), BIAS_SIZE, BIAS_LEVEL), 4 ** (-1 / tau)
    return [largest, largest * 2**BIAS_LEVEL * BIAS_SIZE * (1 - keep) / keep]


VARIANCE_SIZE, VARIANCE_LEVEL = 32 * 640, 4


def _variance_in_tau(tau: float) -> list[float]:
    """E|g|^2, and in units of 1.443 tau v_m / B."""
    square = _variance(slow_chain(int(tau)), VARIANCE_SIZE, VARIANCE_LEVEL)
    return [square, square / (tau / np.log(2) * level_factor(VARIANCE_LEVEL) / VARIANCE_SIZE)]


LEVELS = {level_factor(m): m for m in (0, 2, 3, 4, 5, 6, 8)}


def _variance_in_levels(factor: float) -> list[float]:
    """E|g|^2 at m = 0, 2, ..., 8."""
    chain = two_state_switch(0.05)
    return [_variance(chain, 32 * chain.mixing_time, LEVELS[factor])]


# --- Noise floors, of randomized GD and of the accelerated method ---

FLOOR_TAU, FLOOR_LEVEL, FLOOR_STEP, FLOOR_MU = 20, 3, 0.1, 0.01


def _floors(
    *, gamma: float = FLOOR_STEP, tau: int = FLOOR_TAU, batch_size: int = 64 * FLOOR_TAU
) -> list[float]:
    """E|x - x*|^2 at mu = L and E Phi at mu = 0.01 in the limit, noise along mu's eigenvector."""
    chain, sizes = slow_chain(tau), {"batch_size": batch_size, "max_level": FLOOR_LEVEL}
    plain = DESCENT.moments(additive_noise_quadratic(chain, [1.0]), {"gamma": gamma}, **sizes)
    spectrum, constants = [FLOOR_MU, 1.0], {"gamma": gamma, "mu": FLOOR_MU, "p": 1.0}
    problem = additive_noise_quadratic(chain, spectrum)
    limit = ACCELERATED.moments(problem, constants, **sizes).limit()
    gap = limit.quadratic(np.diag(spectrum) / 2, "x_f")[0, 0]
    potential = float(limit.squared_distance("x")[0, 0] + 6 / FLOOR_MU * gap)
    return [float(plain.limit().squared_distance()[0, 0]), potential]


# --- The condition number ---

REDUCTION = 1e-6


def _iterations(moments: LinearMethodMoments) -> float:
    """The first iteration at which E|x|^2 <= 1e-6 |x^0|^2, from the worst starting state."""
    initial, horizon = np.ones(2), 64
    while True:
        run = moments.run(initial, range(horizon))
        curve = run.squared_distance().max(axis=1) / float(initial @ initial)
        if curve[-1] <= REDUCTION:
            break
        horizon *= 4
    count = int(np.argmax(curve <= REDUCTION))
    share = np.log(curve[count - 1] / REDUCTION) / np.log(curve[count - 1] / curve[count])
    return float(count - 1 + share)


def _kappa(kappa: float) -> list[float]:
    """Of randomized GD and of the accelerated method, delta = 1, B = 16 tau, m = 4."""
    chain = two_state_switch(0.05)
    tau, mu = chain.mixing_time, 1 / kappa
    sizes = {"batch_size": 16 * tau, "max_level": 4}
    variance = Chain(tau=tau).variance_factor(16 * tau, 4)
    problem = multiplicative_noise_quadratic(chain, [mu, 1.0], 1.0)
    descent = DESCENT.moments(problem, {"gamma": 1 / (4 * variance)}, **sizes)
    constants = {"gamma": 0.75, "mu": mu, "p": damping(1.0, variance)}
    fast = ACCELERATED.moments(problem, constants, **sizes)
    return [_iterations(descent), _iterations(fast)]


# --- The complexity, sampled ---

COMPLEXITY_TIMES = (10, 20, 50, 120, 320)
EPS = 0.15


def _complexity(tau: int) -> Experiment:
    """Randomized GD with B = tau; a tick is 10 samples."""
    problem = additive_noise_quadratic(slow_chain(tau), [0.5, 1.0])
    run = stream_run(problem, np.ones(2), {"gamma": 0.02}, tau, 3, samples_per_tick=10)
    ticks = log_spaced(8 * tau, 60 * tau, 12)
    return Experiment(f"markov-complexity-{tau}", run, ticks, lanes=16, randomness="markov-tau")


def _complexity_case() -> Case:
    runs = [_complexity(tau) for tau in COMPLEXITY_TIMES]

    def check(stated: float = 1.0) -> Passage:
        theta = [float(tau) for tau in COMPLEXITY_TIMES]
        return Passage(theta, runs, "squared_distance", EPS, stated, relation="exactly")

    setting = Stated(
        r"quadratic with $\kappa = 2$, additive noise, lazy resampling",
        chosen(mu=0.5, L=1.0, sigma=1.0),
        {"gamma": 0.02, "B": r"$\tau$", "m": 3, "eps": EPS},
    )
    return case(
        setting,
        check,
        wrong("exponent 2 claimed", r"a false claim: $\tau^2$", stated=2.0),
        wrong("exponent 0 claimed", "a false claim: no price of correlation", stated=0.0),
    )


# --- The claims ---


def _claimed(name: str, *exponents: float) -> Change:
    return wrong(name, "a false claim: another exponent", exponents=exponents)


def _exact(
    name: str,
    theorem: Theorem,
    values: Array,
    quantities: Callable[[float], list[float]],
    exponents: tuple[float, ...],
    setting: Stated,
    *false: Change,
    tolerance: float,
    x_label: str,
    reference: int = 0,
) -> Claim:
    """A law without chance: powers of a constant, in units of one of its values."""

    @cache
    def table() -> Array:
        return np.array([quantities(value) for value in values])

    def check(exponents: tuple[float, ...] = exponents) -> ExactScaling:
        return ExactScaling(
            lambda laboratory: (values / values[reference], table()),
            exponents,
            tolerance=tolerance,
        )

    return Claim(
        id=f"markovian_noise/laws/{name}",
        title=theorem.title,
        theorem=theorem,
        prepare=partial(case, setting, check, *false),
        x_label=x_label,
    )


TWO_STATE = partial(Stated, r"two-state switch, $h = \pm 1$")
RESAMPLING = partial(
    Stated, r"lazy resampling of two states with mixing time exactly $\tau$, $h = \pm 1$"
)
FLOORS = partial(
    Stated,
    r"quadratics with additive noise along the eigenvector of $\mu$: $\mu = L$ for randomized GD, "
    r"$\kappa = 100$ for the accelerated method; lazy resampling",
)
SQUARE, ROOT = _claimed("exponent 2 claimed", 2.0, 0.0), _claimed("exponent 1/2 claimed", 0.5, 0.0)
LINEAR, ROOTS = _claimed("both linear", 1.0, 1.0), _claimed("both roots", 0.5, 0.5)

CLAIMS: tuple[Claim, ...] = (
    _exact(
        "bias-batch",
        D2_BIAS_BATCH_LAW,
        _doubled(1.0, 7),
        _bias_in_batch,
        (-1.0, -1.0),
        TWO_STATE(chosen(tau_first=14, tau_second=138), {"B": r"$4\tau$", "m": "0 to 6"}),
        _claimed("exponent -1/2 claimed", -0.5, -0.5),
        tolerance=0.02,
        x_label=r"$2^m B / 4\tau$",
    ),
    _exact(
        "bias-tau",
        D2_BIAS_TAU_LAW,
        _doubled(32, 6),
        _bias_in_tau,
        (1.0, 0.0),
        RESAMPLING(chosen(tau_min=32, tau_max=1024), {"B": BIAS_SIZE, "m": BIAS_LEVEL}),
        SQUARE,
        ROOT,
        tolerance=0.03,
        x_label=r"$\tau / 32$",
    ),
    _exact(
        "variance-tau",
        D2_VARIANCE_TAU_LAW,
        _doubled(10, 7),
        _variance_in_tau,
        (1.0, 0.0),
        RESAMPLING(chosen(tau_min=10, tau_max=640), {"B": VARIANCE_SIZE, "m": VARIANCE_LEVEL}),
        SQUARE,
        ROOT,
        tolerance=0.05,
        x_label=r"$\tau / 10$",
    ),
    _exact(
        "variance-levels",
        D2_VARIANCE_LEVELS_LAW,
        np.array(list(LEVELS)),
        _variance_in_levels,
        (1.0,),
        TWO_STATE(chosen(tau=14), {"B": r"$32\tau$", "m": "0 to 8"}),
        _claimed("exponent 0 claimed", 0.0),
        tolerance=0.05,
        x_label="$v_m$",
    ),
    _exact(
        "floor-step",
        D4_FLOOR_STEP_LAW,
        0.2 / _doubled(1.0, 6),
        lambda gamma: _floors(gamma=gamma),
        (1.0, 0.5),
        FLOORS(chosen(tau=FLOOR_TAU), {"m": FLOOR_LEVEL, "B": r"$64\tau$"}),
        LINEAR,
        ROOTS,
        tolerance=0.12,
        x_label=r"$\gamma / 0.2$",
    ),
    _exact(
        "floor-tau",
        D4_FLOOR_TAU_LAW,
        _doubled(10, 7),
        lambda tau: _floors(tau=int(tau), batch_size=32 * 640),
        (1.0, 1.0),
        FLOORS(
            chosen(tau_min=10, tau_max=640),
            {"m": FLOOR_LEVEL, "gamma": FLOOR_STEP, "B": 32 * 640},
        ),
        _claimed("exponent 2 claimed", 2.0, 2.0),
        _claimed("exponent 1/2 claimed", 0.5, 0.5),
        tolerance=0.05,
        x_label=r"$\tau / 10$",
    ),
    _exact(
        "floor-batch",
        D4_FLOOR_BATCH_LAW,
        _doubled(32 * FLOOR_TAU, 6),
        lambda size: _floors(batch_size=int(size)),
        (-1.0, -1.0),
        FLOORS(chosen(tau=FLOOR_TAU), {"m": FLOOR_LEVEL, "gamma": FLOOR_STEP}),
        _claimed("exponent -1/2 claimed", -0.5, -0.5),
        tolerance=0.05,
        x_label=r"$B / 32\tau$",
    ),
    _exact(
        "condition-number",
        D4_CONDITION_NUMBER_LAW,
        _doubled(10.0, 7),
        _kappa,
        (1.0, 0.5),
        Stated(
            r"quadratics with $\delta = 1$, $\kappa$ from 10 to 640, a two-state switch",
            chosen(tau=14, delta=1),
            {"B": r"$16\tau$", "m": 4, "gamma": r"$1/(4LV)$ and $3/(4L)$", "p": "6/(7(1 + V))"},
        ),
        LINEAR,
        ROOTS,
        tolerance=0.15,
        x_label=r"$\kappa / 40$",
        reference=2,
    ),
    Claim(
        id="markovian_noise/laws/complexity-tau",
        title=D3A_SAMPLES_LAW.title,
        theorem=D3A_SAMPLES_LAW,
        prepare=_complexity_case,
        x_label=r"$\tau$",
    ),
)
