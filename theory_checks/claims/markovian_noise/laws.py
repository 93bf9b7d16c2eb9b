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
    accelerated_gd_moments,
    additive_noise_quadratic,
    multilevel_moments,
    multiplicative_noise_quadratic,
    randomized_gd_moments,
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
from ...controls import Change, controls, wrong
from ...setting import Stated, chosen
from ...simulation import Experiment
from ...simulation.laboratory import Laboratory
from .processes import stream_run
from .settings import slow_chain

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Table = tuple[Array, Array]
SIGNS = np.array([1.0, -1.0])


def _doubled(first: float, count: int) -> Array:
    return np.asarray(first * 2.0 ** np.arange(count), dtype=np.float64)


def _in_units_of_the_first(values: Array, rows: list[list[float]]) -> Table:
    return values / values[0], np.array(rows)


# --- Bias and variance of the estimator ---


def _bias(chain: MarkovChain, size: int, m: int) -> float:
    """sup_z |E_z g|."""
    return float(np.abs(multilevel_moments(chain, SIGNS, size, m).mean).max())


def _variance(chain: MarkovChain, size: int, m: int) -> float:
    """sup_z E_z|g|^2."""
    return float(multilevel_moments(chain, SIGNS, size, m).squared_norm.max())


def _bias_in_batch(laboratory: Laboratory) -> Table:
    """For 2^m B from 4 to 256 mixing times, two chains."""
    switches = [two_state_switch(q) for q in (0.05, 0.005)]
    rows = [[_bias(chain, 4 * chain.mixing_time, m) for chain in switches] for m in range(7)]
    return _doubled(1.0, 7), np.array(rows)


BIAS_TIMES, BIAS_SIZE, BIAS_LEVEL = _doubled(32, 6), 16 * 1024, 2


def _bias_in_tau(laboratory: Laboratory) -> Table:
    """sup_z |E_z g| and its ratio to s lambda / ((1 - lambda) 2^m B)."""
    rows = []
    for tau in BIAS_TIMES:
        largest, keep = _bias(slow_chain(int(tau)), BIAS_SIZE, BIAS_LEVEL), 4 ** (-1 / tau)
        rows.append([largest, largest * 2**BIAS_LEVEL * BIAS_SIZE * (1 - keep) / keep])
    return _in_units_of_the_first(BIAS_TIMES, rows)


VARIANCE_TIMES, VARIANCE_SIZE, VARIANCE_LEVEL = _doubled(10, 7), 32 * 640, 4


def _variance_in_tau(laboratory: Laboratory) -> Table:
    """E|g|^2, and in units of 1.443 tau v_m / B."""
    rows = []
    for tau in VARIANCE_TIMES:
        square = _variance(slow_chain(int(tau)), VARIANCE_SIZE, VARIANCE_LEVEL)
        unit = tau / np.log(2) * level_factor(VARIANCE_LEVEL) / VARIANCE_SIZE
        rows.append([square, square / unit])
    return _in_units_of_the_first(VARIANCE_TIMES, rows)


def _variance_in_levels(laboratory: Laboratory) -> Table:
    """E|g|^2 against v_m, m = 0, 2, ..., 8."""
    chain, levels = two_state_switch(0.05), (0, 2, 3, 4, 5, 6, 8)
    squares = [[_variance(chain, 32 * chain.mixing_time, m)] for m in levels]
    return np.array([level_factor(m) for m in levels]), np.array(squares)


# --- Noise floors, of randomized GD and of the accelerated method ---

FLOOR_TAU, FLOOR_LEVEL, FLOOR_STEP, FLOOR_MU = 20, 3, 0.1, 0.01


def _floors(
    *, gamma: float = FLOOR_STEP, tau: int = FLOOR_TAU, batch_size: int = 64 * FLOOR_TAU
) -> list[float]:
    """E|x - x*|^2 at mu = L and E Phi at mu = 0.01 in the limit, noise along mu's eigenvector."""
    chain, sizes = slow_chain(tau), {"batch_size": batch_size, "max_level": FLOOR_LEVEL}
    plain = randomized_gd_moments(additive_noise_quadratic(chain, [1.0]), gamma, **sizes)
    spectrum = [FLOOR_MU, 1.0]
    problem = additive_noise_quadratic(chain, spectrum)
    limit = accelerated_gd_moments(problem, gamma, FLOOR_MU, **sizes).limit()
    gap = limit.quadratic(np.diag(spectrum) / 2, "x_f")[0, 0]
    potential = float(limit.squared_distance("x")[0, 0] + 6 / FLOOR_MU * gap)
    return [float(plain.limit().squared_distance()[0, 0]), potential]


def _floors_in_step(laboratory: Laboratory) -> Table:
    gammas = 0.2 / _doubled(1.0, 6)
    return _in_units_of_the_first(gammas, [_floors(gamma=gamma) for gamma in gammas])


def _floors_in_tau(laboratory: Laboratory) -> Table:
    times = _doubled(10, 7)
    size = 32 * int(times[-1])
    return _in_units_of_the_first(times, [_floors(tau=int(t), batch_size=size) for t in times])


def _floors_in_batch(laboratory: Laboratory) -> Table:
    sizes = _doubled(32 * FLOOR_TAU, 6)
    return _in_units_of_the_first(sizes, [_floors(batch_size=int(size)) for size in sizes])


# --- The condition number ---

KAPPAS = _doubled(10.0, 7)
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


@cache
def _kappa_table() -> Array:
    """Of randomized GD and of the accelerated method, delta = 1, B = 16 tau, m = 4."""
    chain = two_state_switch(0.05)
    tau = chain.mixing_time
    sizes = {"batch_size": 16 * tau, "max_level": 4}
    variance = Chain(tau=tau).variance_factor(16 * tau, 4)
    rows = []
    for mu in 1 / KAPPAS:
        problem = multiplicative_noise_quadratic(chain, [mu, 1.0], 1.0)
        descent = randomized_gd_moments(problem, 1 / (4 * variance), **sizes)
        p = damping(1.0, variance)
        fast = accelerated_gd_moments(problem, 0.75, mu, momentum_scale=p, **sizes)
        rows.append([_iterations(descent), _iterations(fast)])
    return np.array(rows)


def _kappa(laboratory: Laboratory) -> Table:
    return KAPPAS / KAPPAS[2], _kappa_table()


# --- The complexity, sampled ---

COMPLEXITY_TIMES = (10, 20, 50, 120, 320)
EPS = 0.15


def _complexity(tau: int) -> Experiment:
    """Randomized GD with B = tau; a tick is 10 samples."""
    problem = additive_noise_quadratic(slow_chain(tau), [0.5, 1.0])
    run = stream_run(problem, np.ones(2), (0.02,), tau, 3, samples_per_tick=10)
    ticks = tuple(np.round(tau * np.geomspace(8, 60, 12)).astype(int).tolist())
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
    return Case(
        setting,
        check(),
        controls(
            check,
            wrong("exponent 2 claimed", r"a false claim: $\tau^2$", stated=2.0),
            wrong("exponent 0 claimed", "a false claim: no price of correlation", stated=0.0),
        ),
    )


# --- The claims ---


def _claimed(name: str, *exponents: float) -> Change:
    return wrong(name, "a false claim: another exponent", exponents=exponents)


def _exact(
    name: str,
    theorem: Theorem,
    compute: Callable[[Laboratory], Table],
    exponents: tuple[float, ...],
    setting: Stated,
    *false: Change,
    tolerance: float,
    x_label: str,
) -> Claim:
    """A law without chance: quantities that are powers of one constant, to a tolerance."""

    def prepare() -> Case:
        def check(exponents: tuple[float, ...] = exponents) -> ExactScaling:
            return ExactScaling(compute, exponents, tolerance=tolerance)

        return Case(setting, check(), controls(check, *false))

    return Claim(
        id=f"markovian_noise/laws/{name}",
        title=theorem.title,
        theorem=theorem,
        prepare=prepare,
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
        _floors_in_step,
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
        _floors_in_tau,
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
        _floors_in_batch,
        (-1.0, -1.0),
        FLOORS(chosen(tau=FLOOR_TAU), {"m": FLOOR_LEVEL, "gamma": FLOOR_STEP}),
        _claimed("exponent -1/2 claimed", -0.5, -0.5),
        tolerance=0.05,
        x_label=r"$B / 32\tau$",
    ),
    _exact(
        "condition-number",
        D4_CONDITION_NUMBER_LAW,
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
    ),
    Claim(
        id="markovian_noise/laws/complexity-tau",
        title=D3A_SAMPLES_LAW.title,
        theorem=D3A_SAMPLES_LAW,
        prepare=_complexity_case,
        x_label=r"$\tau$",
    ),
)
