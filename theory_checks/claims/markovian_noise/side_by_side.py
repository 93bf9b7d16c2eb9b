# SPDX-License-Identifier: Apache-2.0
"""The methods beside their baselines: error against samples, samples to a target against tau."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems.markovian_noise import PAPER

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation.laboratory import Laboratory
from .baselines import ADAPTIVE, DELTA, LINEAR, SIGMA, START, TARGET, adagrad_experiment, tuned
from .methods import ACCELERATED

__all__ = ["SIDE_BY_SIDE"]

Array = NDArray[np.float64]

TIMES = (14, 138, 1386)
MANY_TIMES = (10, 30, 100, 300, 1000)
FAST = tuple(name for name, method in LINEAR.items() if method.method is ACCELERATED)
GRADIENT = tuple(name for name in LINEAR if name not in FAST)
Y_LABEL = r"$E|x - x^*|^2 / |x^0 - x^*|^2$"

PROBLEM = (
    rf"quadratic with $\kappa = 10$; additive noise, $\sigma = {SIGMA:g}$, or multiplicative "
    rf"noise, $\delta = {DELTA:g}$; lazy resampling of two states with mixing time $\tau$"
)


def _exact(name: str, noise: str, tau: int) -> Curve:
    found = tuned(name, noise, tau)
    use = (found.samples <= 3 * found.passage) & (found.error < 1e4)
    return Curve(name, found.samples[use], found.error[use])


def _sampled(name: str, noise: str, tau: int, laboratory: Laboratory) -> Curve:
    sample = laboratory.sample(adagrad_experiment(name, noise, tau), 0, laboratory.seeds)
    x = sample["gradient_calls"].mean(axis=0)
    table = sample["squared_distance"] / float(START @ START)
    use = np.cumsum(table.mean(axis=0) < TARGET / 100) <= 1  # far below nothing is compared
    return Curve.of_seeds(name, x[use], table[:, use], least=0.1)


def _compare(noise: str, laboratory: Laboratory) -> Outcome:
    gradient, others, simulated = [], [], {}
    for tau in TIMES:
        plain = tuple(_exact(name, noise, tau) for name in GRADIENT)
        fast = tuple(_exact(name, noise, tau) for name in (*FAST, "SGD"))
        adaptive = tuple(_sampled(name, noise, tau, laboratory) for name in ADAPTIVE)
        simulated[tau] = adaptive
        label = "samples of the chain"
        gradient.append(Panel(rf"Gradient methods, $\tau = {tau}$", label, Y_LABEL, plain))
        others.append(
            Panel(rf"Accelerated and adaptive, $\tau = {tau}$", label, Y_LABEL, fast + adaptive)
        )
    return Outcome(
        panels=(*gradient, *others),
        notes=(*_notes(noise, TIMES), _ends(simulated)),
        problem=PROBLEM,
        seeds=laboratory.seeds,
    )


def _against_tau(laboratory: Laboratory) -> Outcome:
    panels, notes = [], []
    times = np.asarray(MANY_TIMES, dtype=np.float64)
    kinds = {"Gradient methods": GRADIENT, "Accelerated": (*FAST, "SGD", "randomized GD")}
    for noise in ("additive", "multiplicative"):
        passages = {
            name: np.array([tuned(name, noise, tau).passage for tau in MANY_TIMES])
            for name in LINEAR
        }
        panels += [
            Panel(
                f"{kind}, {noise} noise",
                r"mixing time $\tau$",
                f"samples to {TARGET:g} of the start",
                tuple(Curve(name, times, passages[name]) for name in names),
            )
            for kind, names in kinds.items()
        ]
        slopes = {
            name: np.polyfit(np.log(times), np.log(samples), 1)[0]
            for name, samples in passages.items()
        }
        notes.append(
            rf"Exponents of the samples in $\tau$, {noise} noise: {_listed(slopes, '.2f')}."
        )
    notes.append(
        "With base batches of one the multilevel estimator pays for levels that it would not need "
        r"where the chain mixes fast, and its largest batch, $2^{10}$, is short of a mixing time "
        "where it mixes slowly: its exponent is smaller only because it starts higher."
    )
    return Outcome(panels=tuple(panels), notes=tuple(notes), problem=PROBLEM, seeds=0)


def _notes(noise: str, times: tuple[int, ...]) -> tuple[str, ...]:
    notes = []
    for tau in times:
        passages = {name: tuned(name, noise, tau).passage / tau for name in LINEAR}
        notes.append(
            rf"Samples to {TARGET:g} of the start in units of $\tau = {tau}$, each with the best "
            f"of 16 steps: {_listed(passages, '.3g')}."
        )
    steps = {
        name: [tuned(name, noise, tau).step for tau in times] for name in ("SGD", "randomized GD")
    }
    notes.append(
        "The best step of SGD on single samples is "
        + ", ".join(f"{step:.2g}" for step in steps["SGD"])
        + rf" for $\tau = {', '.join(map(str, times))}$, in proportion to $1/\tau$: it has to know "
        "the chain; that of randomized GD is "
        + ", ".join(f"{step:.2g}" for step in steps["randomized GD"])
        + ", whose batch does."
    )
    passages = {name: tuned(name, noise, times[1]).passage for name in LINEAR}
    price = passages["randomized GD"] / passages["SGD, batches of τ"]
    notes.append(
        f"Under {noise} noise the multilevel estimator costs {price:.2g} times the samples of "
        "plain batches of the same size: what it buys, a small conditional bias, is not needed "
        "on a quadratic with a step that was tuned to the chain."
    )
    gain = passages["randomized GD"] / passages["randomized accelerated GD"]
    notes.append(
        rf"Acceleration saves randomized GD a factor of {gain:.2g} in samples at $\kappa = 10$."
    )
    return tuple(notes)


def _listed(numbers: dict[str, float], form: str) -> str:
    return "; ".join(f"{name} {number:{form}}" for name, number in numbers.items())


def _ends(curves: dict[int, tuple[Curve, ...]]) -> str:
    """Where the simulated methods are at the end of their runs."""
    ends = [
        f"{curve.label} {curve.mean[-1]:.2g} after {curve.x[-1]:.0f} at $\\tau = {tau}$"
        for tau, ones in curves.items()
        for curve in ones
    ]
    return f"Simulated, in shares of the start, after a number of samples: {'; '.join(ends)}."


DESCRIPTION = (
    "SGD on single samples, on every $\\tau$-th sample, on batches of $\\tau$, on the multilevel "
    "estimator with base batches of 1 (which knows no mixing time) and of $\\tau$ (randomized GD), "
    "with and without acceleration, and on independent samples as the reference. All but AdaGrad "
    "are linear: their curves are exact expectations, at the step that reaches the target with the "
    "fewest samples. AdaGrad, on batches of 14 and on the multilevel estimator with that base, is "
    "simulated with one step of 0.2; bands are two standard errors."
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    *(
        SideBySide(
            id=f"markovian_noise/compare/{noise}",
            title=f"Error against samples, {noise} noise",
            paper=PAPER.citation,
            description=DESCRIPTION,
            evaluate=partial(_compare, noise),
        )
        for noise in ("additive", "multiplicative")
    ),
    SideBySide(
        id="markovian_noise/compare/mixing-time",
        title="Samples to a target against the mixing time",
        paper=PAPER.citation,
        description=DESCRIPTION,
        evaluate=_against_tau,
    ),
)
