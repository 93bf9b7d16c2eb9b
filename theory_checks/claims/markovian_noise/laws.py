"""The laws in the mixing time, the batch, the step and the condition number.

Most are exact, from dynamic programming and recursions; the law of the complexity is sampled.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import (
    Constant,
    LinearMethodMoments,
    accelerated_gd_moments,
    additive_noise_quadratic,
    multilevel_moments,
    multiplicative_noise_quadratic,
    randomized_gd_moments,
    two_state_switch,
)

from ...checks import ExactScaling, Passage
from ...claim import Case, Claim, Control, Kind
from ...simulation import Experiment
from ...simulation.laboratory import Laboratory
from .paper import markov_claim, slow_chain
from .process import gradient_descent, stream_run

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Table = tuple[Array, Array]
SIGNS = np.array([1.0, -1.0])


def _chosen(**values: float) -> dict[str, Constant]:
    return {name: Constant(value, "exact", derivation="chosen") for name, value in values.items()}


def _exact_case(
    compute: Callable[..., Table],
    exponents: tuple[float, ...],
    tolerance: float,
    problem: str,
    constants: dict[str, Constant],
    parameters: dict[str, float | int | str],
    wrong: tuple[tuple[str, tuple[float, ...]], ...],
) -> Case:
    def check(stated: tuple[float, ...]) -> ExactScaling:
        return ExactScaling(compute, stated, tolerance=tolerance)

    return Case(
        problem=problem,
        constants=constants,
        parameters=parameters,
        check=check(exponents),
        controls=tuple(
            Control(name, "a false claim: another exponent", check(stated))
            for name, stated in wrong
        ),
    )


# --- Bias and variance of the estimator ---


def _bias_in_batch(laboratory: Laboratory) -> Table:
    """sup_z |E_z g| for 2^m B from 4 to 256 mixing times, two chains."""
    theta = np.asarray(2.0 ** np.arange(7), dtype=np.float64)
    columns = []
    for q in (0.05, 0.005):
        chain = two_state_switch(q)
        size = 4 * chain.mixing_time
        columns.append(
            [np.abs(multilevel_moments(chain, SIGNS, size, m).mean).max() for m in range(7)]
        )
    return theta, np.array(columns).T


def _bias_in_tau(laboratory: Laboratory) -> Table:
    """sup_z |E_z g| and its ratio to s lambda / ((1 - lambda) 2^m B)."""
    times = 32 * 2 ** np.arange(6)
    size, m = 16 * int(times[-1]), 2
    found = []
    for tau in times:
        chain = slow_chain(int(tau))
        largest = np.abs(multilevel_moments(chain, SIGNS, size, m).mean).max()
        keep = 4 ** (-1 / tau)
        found.append([largest, largest * 2**m * size * (1 - keep) / keep])
    return np.asarray(times / times[0], dtype=np.float64), np.array(found)


def _variance_in_tau(laboratory: Laboratory) -> Table:
    """E|g|^2, and in units of 1.443 tau v_m / B."""
    times = 10 * 2 ** np.arange(7)
    size, m = 32 * int(times[-1]), 4
    spread = m - 1 + 2.0 ** (1 - m)
    found = []
    for tau in times:
        square = multilevel_moments(slow_chain(int(tau)), SIGNS, size, m).squared_norm.max()
        found.append([square, square * size / (tau / np.log(2) * spread)])
    return np.asarray(times / times[0], dtype=np.float64), np.array(found)


def _variance_in_levels(laboratory: Laboratory) -> Table:
    """E|g|^2 against v_m, m = 0, 2, ..., 8."""
    chain = two_state_switch(0.05)
    levels = (0, 2, 3, 4, 5, 6, 8)
    theta: Array = np.array([m - 1 + 2.0 ** (1 - m) for m in levels])
    size = 32 * chain.mixing_time
    squares = [multilevel_moments(chain, SIGNS, size, m).squared_norm.max() for m in levels]
    return theta, np.array(squares)[:, None]


# --- Noise floors ---

FLOOR_TAU, FLOOR_LEVEL = 20, 3


def _gd_floor(gamma: float, tau: int, batch_size: int) -> float:
    problem = additive_noise_quadratic(slow_chain(tau), [1.0])
    moments = randomized_gd_moments(problem, gamma, batch_size=batch_size, max_level=FLOOR_LEVEL)
    return float(moments.limit().squared_distance()[0, 0])


def _accelerated_floor(gamma: float, tau: int, batch_size: int) -> float:
    """E Phi in the limit, mu = 0.01, noise along its eigenvector."""
    mu = 0.01
    problem = additive_noise_quadratic(slow_chain(tau), [mu, 1.0])
    moments = accelerated_gd_moments(
        problem, gamma, mu, batch_size=batch_size, max_level=FLOOR_LEVEL
    )
    limit = moments.limit()
    gap = limit.quadratic(np.diag([mu, 1.0]) / 2, "x_f")[0, 0]
    return float(limit.squared_distance("x")[0, 0] + 6 / mu * gap)


def _floors_in_step(laboratory: Laboratory) -> Table:
    gammas = 0.2 * 2.0 ** -np.arange(6)
    size = 64 * FLOOR_TAU
    rows = [[_gd_floor(g, FLOOR_TAU, size), _accelerated_floor(g, FLOOR_TAU, size)] for g in gammas]
    return np.asarray(gammas / gammas[0], dtype=np.float64), np.array(rows)


def _floors_in_tau(laboratory: Laboratory) -> Table:
    times = 10 * 2 ** np.arange(7)
    size = 32 * int(times[-1])
    rows = [[_gd_floor(0.1, int(t), size), _accelerated_floor(0.1, int(t), size)] for t in times]
    return np.asarray(times / times[0], dtype=np.float64), np.array(rows)


def _floors_in_batch(laboratory: Laboratory) -> Table:
    sizes = 32 * FLOOR_TAU * 2 ** np.arange(6)
    rows = [
        [_gd_floor(0.1, FLOOR_TAU, int(b)), _accelerated_floor(0.1, FLOOR_TAU, int(b))]
        for b in sizes
    ]
    return np.asarray(sizes / sizes[0], dtype=np.float64), np.array(rows)


# --- The condition number ---

KAPPAS = 10.0 * 2.0 ** np.arange(7)
REDUCTION = 1e-6


def _iterations(moments: LinearMethodMoments, initial: Array) -> float:
    """The first iteration at which E|x|^2 <= 1e-6 |x^0|^2, from the worst starting state."""
    matrix, count = moments, 0
    step, curve = 64, []
    while True:
        run = matrix.run(initial, range(step))
        curve = run.squared_distance().max(axis=1) / float(initial @ initial)
        if curve[-1] <= REDUCTION:
            break
        step *= 4
    count = int(np.argmax(curve <= REDUCTION))
    share = np.log(curve[count - 1] / REDUCTION) / np.log(curve[count - 1] / curve[count])
    return float(count - 1 + share)


@cache
def _kappa_table() -> Array:
    """Of randomized GD and of the accelerated method, delta = 1, B = 16 tau, m = 4."""
    tau = 14
    batch = optzoo.MultilevelBatch(16 * tau, 4)
    size = {"batch_size": batch.batch_size, "max_level": batch.max_level}
    rows = []
    for kappa in KAPPAS:
        mu = 1 / kappa
        problem = multiplicative_noise_quadratic(two_state_switch(0.05), [mu, 1.0], 1.0)
        variance = batch.variance(tau)
        p = 6 / (7 * (1 + variance))
        descent = randomized_gd_moments(problem, 1 / (4 * variance), **size)
        fast = accelerated_gd_moments(problem, 0.75, mu, momentum_scale=p, **size)
        initial = np.ones(2)
        rows.append([_iterations(descent, initial), _iterations(fast, initial)])
    return np.array(rows)


def _kappa(laboratory: Laboratory) -> Table:
    return KAPPAS / KAPPAS[2], _kappa_table()


# --- The complexity, sampled ---

COMPLEXITY_TIMES = (10, 20, 50, 120, 320)
EPS = 0.15


@cache
def _complexity(tau: int) -> Experiment:
    """Randomized GD with B = tau; a tick is 10 samples."""
    problem = additive_noise_quadratic(slow_chain(tau), [0.5, 1.0])
    run = stream_run(
        problem, np.ones(2), (0.02,), tau, 3, method=gradient_descent, samples_per_tick=10
    )
    ticks = tuple(np.round(tau * np.geomspace(8, 60, 12)).astype(int).tolist())
    return Experiment(f"markov-complexity-{tau}", run, ticks, lanes=16, randomness="markov-tau")


def _complexity_case() -> Case:
    runs = [_complexity(tau) for tau in COMPLEXITY_TIMES]

    def check(stated: float) -> Passage:
        theta = [float(tau) for tau in COMPLEXITY_TIMES]
        return Passage(theta, runs, "squared_distance", EPS, stated, relation="exactly")

    return Case(
        problem=r"quadratic with $\kappa = 2$, additive noise, lazy resampling",
        constants=_chosen(mu=0.5, L=1.0, sigma=1.0),
        parameters={"gamma": 0.02, "B": r"$\tau$", "m": 3, "eps": EPS},
        check=check(1.0),
        controls=(
            Control("exponent 2 claimed", r"a false claim: $\tau^2$", check(2.0)),
            Control("exponent 0 claimed", r"a false claim: no price of correlation", check(0.0)),
        ),
    )


# --- The claims ---


def _law(
    name: str,
    title: str,
    theorem: str,
    statement: str,
    metric: str,
    x_label: str,
    prepare: Callable[[], Case],
    *,
    algorithm: str = "mlmc_gradient",
    unit: str = "estimate",
    kind: Kind = "scaling",
    not_shown: str = "Other chains: this one's memory is one exponential.",
    **changes: Any,
) -> Claim:
    return markov_claim(
        id=f"markovian_noise/laws/{name}",
        title=title,
        source=f"how {theorem} depends on one constant, measured",
        theorem=theorem,
        statement=statement,
        assumptions=("all else fixed",),
        metric=metric,
        x_label=x_label,
        prepare=prepare,
        algorithm=algorithm,
        unit=unit,
        kind=kind,
        output="last iterate" if unit != "estimate" else "estimate",
        not_shown=not_shown,
        **changes,
    )


TWO_STATE = r"two-state switch, $h = \pm 1$"
RESAMPLING = r"lazy resampling of two states with mixing time exactly $\tau$, $h = \pm 1$"
DESCENT = "randomized_gd"
FLOORS: dict[str, float | int | str] = {"m": FLOOR_LEVEL}
FLOOR_PROBLEM = (
    r"quadratics with additive noise along the eigenvector of $\mu$: $\mu = L$ for randomized GD, "
    r"$\kappa = 100$ for the accelerated method; lazy resampling"
)

CLAIMS: tuple[Claim, ...] = (
    _law(
        "bias-batch",
        "The bias falls like the longest batch",
        "D2",
        r"$\sup_z |E[g \mid Z_0 = z]| \propto (2^m B)^{-1}$ for $2^m B \ge 4\tau$",
        r"\sup_z |E g|",
        r"$2^m B / 4\tau$",
        partial(
            _exact_case,
            _bias_in_batch,
            (-1.0, -1.0),
            0.02,
            TWO_STATE,
            _chosen(tau_first=14, tau_second=138),
            {"B": r"$4\tau$", "m": "0 to 6"},
            (("exponent -1/2 claimed", (-0.5, -0.5)),),
        ),
    ),
    _law(
        "bias-tau",
        "The bias grows like the mixing time",
        "D2",
        r"$\sup_z |E[g \mid Z_0 = z]| \propto \tau$; exactly $s\lambda / ((1 - \lambda) 2^m B)$ "
        r"with $\lambda = 4^{-1/\tau}$, about $0.721\, \tau s / (2^m B)$",
        r"\sup_z |E g|",
        r"$\tau / 32$",
        partial(
            _exact_case,
            _bias_in_tau,
            (1.0, 0.0),
            0.03,
            RESAMPLING,
            _chosen(tau_min=32, tau_max=1024),
            {"B": 16 * 1024, "m": 2},
            (("exponent 2 claimed", (2.0, 0.0)), ("exponent 1/2 claimed", (0.5, 0.0))),
        ),
    ),
    _law(
        "variance-tau",
        "The variance grows like the mixing time",
        "D2",
        r"$E|g|^2 \propto \tau$, about $1.443\, \tau s^2 v_m / B$ for $B \ge 32 \tau$",
        r"E|g|^2",
        r"$\tau / 10$",
        partial(
            _exact_case,
            _variance_in_tau,
            (1.0, 0.0),
            0.05,
            RESAMPLING,
            _chosen(tau_min=10, tau_max=640),
            {"B": 32 * 640, "m": 4},
            (("exponent 2 claimed", (2.0, 0.0)), ("exponent 1/2 claimed", (0.5, 0.0))),
        ),
    ),
    _law(
        "variance-levels",
        "The variance grows like the number of levels",
        "D2",
        r"$E|g|^2 \propto v_m = m - 1 + 2^{1-m}$ for $B \ge 32\tau$",
        r"E|g|^2",
        "$v_m$",
        partial(
            _exact_case,
            _variance_in_levels,
            (1.0,),
            0.05,
            TWO_STATE,
            _chosen(tau=14),
            {"B": r"$32\tau$", "m": "0 to 8"},
            (("exponent 0 claimed", (0.0,)),),
        ),
    ),
    _law(
        "floor-step",
        "The floors grow like the step, and like its root when accelerated",
        "D4",
        r"$\lim_N E|x^N - x^*|^2 \propto \gamma$ for randomized GD, $\lim_N E\Phi_N \propto "
        r"\gamma^{1/2}$ for the accelerated method",
        r"E|x - x^*|^2,\ E\Phi",
        r"$\gamma / 0.2$",
        partial(
            _exact_case,
            _floors_in_step,
            (1.0, 0.5),
            0.12,
            FLOOR_PROBLEM,
            _chosen(tau=FLOOR_TAU),
            FLOORS | {"B": r"$64\tau$"},
            (("both linear", (1.0, 1.0)), ("both roots", (0.5, 0.5))),
        ),
        algorithm=DESCENT,
        unit="iteration",
    ),
    _law(
        "floor-tau",
        "The floors grow like the mixing time",
        "D4",
        r"$\lim_N E|x^N - x^*|^2 \propto \tau$ and $\lim_N E\Phi_N \propto \tau$",
        r"E|x - x^*|^2,\ E\Phi",
        r"$\tau / 10$",
        partial(
            _exact_case,
            _floors_in_tau,
            (1.0, 1.0),
            0.05,
            FLOOR_PROBLEM,
            _chosen(tau_min=10, tau_max=640),
            FLOORS | {"gamma": 0.1, "B": 32 * 640},
            (("exponent 2 claimed", (2.0, 2.0)), ("exponent 1/2 claimed", (0.5, 0.5))),
        ),
        algorithm=DESCENT,
        unit="iteration",
    ),
    _law(
        "floor-batch",
        "The floors fall like the batch",
        "D4",
        r"$\lim_N E|x^N - x^*|^2 \propto B^{-1}$ and $\lim_N E\Phi_N \propto B^{-1}$",
        r"E|x - x^*|^2,\ E\Phi",
        r"$B / 32\tau$",
        partial(
            _exact_case,
            _floors_in_batch,
            (-1.0, -1.0),
            0.05,
            FLOOR_PROBLEM,
            _chosen(tau=FLOOR_TAU),
            FLOORS | {"gamma": 0.1},
            (("exponent -1/2 claimed", (-0.5, -0.5)),),
        ),
        algorithm=DESCENT,
        unit="iteration",
    ),
    _law(
        "condition-number",
        "Iterations grow like the root of the condition number when accelerated",
        "D4",
        r"Iterations until $E|x^k - x^*|^2 \le 10^{-6} |x^0 - x^*|^2$: $\propto \kappa$ for "
        r"randomized GD, $\propto \sqrt\kappa$ for the accelerated method",
        r"N_\epsilon(\kappa)",
        r"$\kappa / 40$",
        partial(
            _exact_case,
            _kappa,
            (1.0, 0.5),
            0.15,
            r"quadratics with $\delta = 1$, $\kappa$ from 10 to 640, a two-state switch",
            _chosen(tau=14, delta=1),
            {"B": r"$16\tau$", "m": 4, "gamma": r"$1/(4LV)$ and $3/(4L)$", "p": "6/(7(1 + V))"},
            (("both linear", (1.0, 1.0)), ("both roots", (0.5, 0.5))),
        ),
        algorithm="randomized_accelerated_gd",
        unit="iteration",
        not_shown="Samples: there the accelerated method wins only for much larger $\\kappa$.",
    ),
    _law(
        "complexity-tau",
        "Samples to a given accuracy grow like the mixing time",
        "D3a",
        r"Samples until $E|x - x^*|^2 \le \epsilon$ with $B = \tau$: $\propto \tau$",
        r"T_\epsilon(\tau)",
        r"$\tau$",
        _complexity_case,
        algorithm=DESCENT,
        unit="sample",
        not_shown="An exponent within 0.15 of 1, not the exponent itself.",
    ),
)
