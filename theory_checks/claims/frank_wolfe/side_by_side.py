# SPDX-License-Identifier: Apache-2.0
"""Sarah and Saga Sarah Frank-Wolfe on the same batches: gradients, oracle calls, and when which."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.frank_wolfe import PAPER, balanced_probability, index_probability

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation import Experiment, log_spaced
from ...simulation.laboratory import Laboratory
from .instances import Instance, instance
from .processes import FiniteSumRun, step_table

__all__ = ["SIDE_BY_SIDE"]

Array = NDArray[np.float64]

HORIZON = 1500
CHECKPOINTS = log_spaced(1, HORIZON, 25)
SARAH, SAGA, FULL = "Sarah", "Saga Sarah", "full gradients"
THEOREM = ", theorem's steps"
LEVELS = (0.1, 0.01, 0.001)


def _methods(place: Instance) -> dict[str, FiniteSumRun]:
    n = place.problem.num_samples
    b = round(n**0.5)
    p, a = balanced_probability(n, b), index_probability(n, b, replacement=True)

    def steps(offset: float) -> jnp.ndarray:
        return step_table(optzoo.open_loop_schedule(offset), HORIZON)

    def sarah(offset: float, p: float = p) -> FiniteSumRun:
        return place.sarah(steps(offset), p, b)

    def saga(offset: float) -> FiniteSumRun:
        return place.saga(steps(offset), b, warm=False)

    return {
        SARAH: sarah(2.0),
        SAGA: saga(2.0),
        FULL: sarah(2.0, 1.0),
        SARAH + THEOREM: sarah(4 / p),
        SAGA + THEOREM: saga(8 / a),
    }


def _compare(problem: str, laboratory: Laboratory) -> Outcome:
    place = instance(problem, "l1_ball")
    n, d = place.problem.num_samples, place.problem.dim
    start = place.constants["r_0"].value
    steps = np.asarray(CHECKPOINTS, dtype=np.float64)
    by_gradients, by_calls = [], []
    for label, run in _methods(place).items():
        experiment = Experiment(
            f"compare-{problem}-{label}", run, CHECKPOINTS, randomness=f"compare-{problem}"
        )
        sample = laboratory.sample(experiment, 0, laboratory.seeds)
        gradients = sample["gradient_calls"].mean(axis=0)
        relative = sample["suboptimality"] / start
        by_gradients.append(Curve.of_seeds(label, gradients, relative))
        by_calls.append(Curve.of_seeds(label, steps, relative))
    y_label = r"$E[f(x^k) - f^*] / r_0$"
    return Outcome(
        panels=(
            Panel("Per stochastic gradient", "stochastic gradients", y_label, tuple(by_gradients)),
            Panel("Per oracle call", "oracle calls $k$", y_label, tuple(by_calls)),
        ),
        notes=_notes(n, d, by_gradients, by_calls),
        problem=place.words,
        seeds=laboratory.seeds,
    )


def _notes(n: int, d: int, by_gradients: list[Curve], by_calls: list[Curve]) -> tuple[str, ...]:
    gradients = {curve.label: curve for curve in by_gradients}
    calls = {curve.label: curve for curve in by_calls}
    early = {name: _value_at(gradients[name], 2 * n) for name in (SARAH, SAGA)}
    notes = [
        f"After ${2 * n}$ gradients, two passes, Sarah stands at {early[SARAH]:.2g} of $r_0$ and "
        f"Saga, whose table started at zero, at {early[SAGA]:.2g}: "
        f"{min(early, key=lambda name: early[name])} is ahead where few passes are affordable."
    ]
    for level in LEVELS:
        counts = {label: _first_at(curve, level) for label, curve in gradients.items()}
        steps = {label: _first_at(curve, level) for label, curve in calls.items()}
        sarah, saga, full = counts[SARAH], counts[SAGA], counts[FULL]
        if sarah is None or saga is None:
            reached = SARAH if sarah is not None else SAGA if saga is not None else "neither"
            notes.append(f"To {level:g} of $r_0$ within {HORIZON} steps: {reached} only.")
            continue
        better = "Saga" if saga < sarah else "Sarah"
        against = "" if full is None else f", full gradients {full / n:.3g}"
        notes.append(
            f"To {level:g} of $r_0$: Sarah {sarah / n:.3g} passes and {steps[SARAH]:.0f} oracle "
            f"calls, Saga {saga / n:.3g} passes and {steps[SAGA]:.0f} oracle calls{against}. "
            f"{better} needs fewer gradients, by a factor of "
            f"{max(sarah, saga) / min(sarah, saga):.2g}."
        )
    slower = {
        name: (_first_at(gradients[name + THEOREM], 0.1), _first_at(gradients[name], 0.1))
        for name in (SARAH, SAGA)
    }
    for name, (theorem, classic) in slower.items():
        if theorem is not None and classic is not None:
            notes.append(
                f"The theorem's steps cost {name} {theorem / classic:.2g} times the gradients of "
                "$2/(k+2)$ to 0.1 of $r_0$: they pay for a guarantee that this instance does not "
                "need."
            )
    notes.append(
        f"Memory: the table of Saga holds ${n} \\times {d}$ numbers, or ${n}$ where the loss is a "
        "function of one linear form a sample; Sarah holds none, and needs all data at once for a "
        "full gradient now and then."
    )
    return tuple(notes)


def _first_at(curve: Curve, level: float) -> float | None:
    """Where the mean first is at most a level; between checkpoints on a straight line in logs."""
    x, mean = np.asarray(curve.x), np.asarray(curve.mean)
    below = np.flatnonzero(mean <= level)
    if not below.size:
        return None
    j = int(below[0])
    if j == 0:
        return float(x[0])
    share = np.log(mean[j - 1] / level) / np.log(mean[j - 1] / mean[j])
    return float(np.exp(np.log(x[j - 1]) + share * np.log(x[j] / x[j - 1])))


def _value_at(curve: Curve, x: float) -> float:
    """The mean at x, along a straight line in logs."""
    return float(np.exp(np.interp(np.log(x), np.log(curve.x), np.log(curve.mean))))


def _beside(problem: str, words: str) -> SideBySide:
    return SideBySide(
        id=f"frank_wolfe/compare/sarah-and-saga-{problem.replace('_', '-')}",
        title=f"With or without full gradients: {words}",
        paper=PAPER.citation,
        description=(
            "Sarah Frank-Wolfe restarts by a full gradient now and then, Saga Sarah Frank-Wolfe "
            "keeps a table instead and never takes one. Both on the same batches of "
            r"$b = \sqrt n$ samples, with steps $2/(k+2)$ and with the steps of their theorems, "
            "beside Frank-Wolfe on full gradients."
        ),
        evaluate=partial(_compare, problem),
    )


SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    _beside("least_squares", "least squares"),
    _beside("breast_cancer", "logistic regression on breast-cancer data"),
)
