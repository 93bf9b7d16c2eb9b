# SPDX-License-Identifier: Apache-2.0
"""Exact scaling: f to u f and X to t X, on the same random numbers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import dilated, scaled
from optzoo.theorems.frank_wolfe import F1B, F3, F3_SCALED, F3_STRETCHED, F3A, F3B, F4

from ...checks import ExactScaling
from ...claim import Case, Claim
from ...controls import case, wrong
from ...simulation import Experiment
from ...simulation.laboratory import Laboratory
from .instances import Instance, least_squares, sandwich
from .processes import SarahRun, step_table
from .settings import OnRun

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

P, BATCH, CHECKPOINTS = 0.1, 4, (1, 10, 100, 300)
# Powers of two scale floating-point numbers exactly, and so leave ties between vertices alone.
FACTORS = (1 / 16, 1 / 4, 1.0, 4.0, 16.0)


def _on(place: Instance, text: str) -> OnRun[SarahRun]:
    steps = step_table(optzoo.open_loop_schedule(4 / P), CHECKPOINTS[-1])
    return OnRun(place, place.sarah(steps, P, BATCH), text, checkpoints=CHECKPOINTS)


def _measured(
    laboratory: Laboratory, name: str, setting: OnRun[SarahRun], metrics: Sequence[str]
) -> list[float]:
    """Means of the metrics at all checkpoints past the first, on the same random numbers."""
    experiment = Experiment(name, setting.run, CHECKPOINTS, randomness="scaling")
    sample = laboratory.sample(experiment, 0, laboratory.seeds)
    return [float(value) for metric in metrics for value in sample[metric].mean(axis=0)[1:]]


def _bounds(setting: OnRun[SarahRun], **changes: Any) -> list[float]:
    """F3, F3a, F3b, F4 and D times the root of F1b: each scales as f does."""
    horizon, steps = CHECKPOINTS[-1], setting.steps
    diameter = setting.of(F1B, **changes).D
    return [
        *setting.along(F3, **changes),
        float(setting.bound(F3A, horizon, **changes)),
        setting.bound(F3B, horizon, **changes),
        float(setting.bound(F4, steps, **changes)[-1]),
        float(diameter * np.sqrt(setting.bound(F1B, steps, **changes)[-1])),
    ]


MEASURED, BOUNDS = len(CHECKPOINTS) - 1, len(CHECKPOINTS) + 4


def _scaling(
    setting: OnRun[SarahRun],
    row: Callable[..., list[float]],
    exponents: Sequence[float],
    constant: str,
    description: str,
) -> Case:
    """A row of numbers for each factor; a control keeps one constant of the bounds as it was."""

    def check(*, forgets: bool = False) -> ExactScaling:
        stuck = {constant: setting.constants[constant].value} if forgets else {}

        def compute(laboratory: Laboratory) -> tuple[Array, Array]:
            rows = [row(laboratory, factor, **stuck) for factor in FACTORS]
            return np.array(FACTORS), np.array(rows)

        return ExactScaling(compute, exponents)

    fixed = wrong(f"{constant} not scaled", description, forgets=True)
    return case(setting, check, fixed)


def _smoothness() -> Case:
    text = "least squares, $n = 64$, $d = 10$, times $u$, over the $\\ell_1$ ball"
    # f* >= 0 is a lower bound that scales as f does.
    place = least_squares(64, 10, 3, 3.0)

    def row(laboratory: Laboratory, u: float, **stuck: float) -> list[float]:
        multiple = _on(replace(place, problem=scaled(place.problem, jnp.asarray(u))), text)
        watched = ("suboptimality", "gap", "squared_error")
        measured = _measured(laboratory, f"smoothness-{u}", multiple, watched)
        return [*measured, *_bounds(multiple, **stuck)]

    exponents = [1.0] * 2 * MEASURED + [2.0] * MEASURED + [1.0] * BOUNDS
    fixed = "the bound is evaluated with the Hessian variance of $f$ in place of $uf$"
    return _scaling(_on(place, text), row, exponents, "L_pm", fixed)


def _diameter() -> Case:
    text = (
        r"sign quadratic, $n = 16$, $d = 50$, on $t$ times the simplex; and the same problem "
        "stretched with the set, $f(x/t)$"
    )
    place = sandwich(50, 16)

    def row(laboratory: Laboratory, t: float, **stuck: float) -> list[float]:
        larger = replace(place, constraint=optzoo.lmo.simplex(t), x0=t * place.x0)
        problem = dilated(place.problem, jnp.asarray(t))
        on_multiple = _on(replace(larger, f_star=place.f_star.scaled(t**2, "homogeneous")), text)
        stretched, watched = _on(replace(larger, problem=problem), text), ("suboptimality", "gap")
        return [
            *_measured(laboratory, f"diameter-{t}", on_multiple, watched),
            *_measured(laboratory, f"dilation-{t}", stretched, watched),
            *_bounds(on_multiple, **stuck),
            *_bounds(stretched, **stuck),
        ]

    measured = [2.0] * 2 * MEASURED + [0.0] * 2 * MEASURED
    exponents = measured + [2.0] * BOUNDS + [0.0] * BOUNDS
    fixed = "the bound is evaluated with the diameter of the simplex in place of $t$ times it"
    return _scaling(_on(place, text), row, exponents, "D", fixed)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/scaling/smoothness",
        title="f to u f: errors and bounds scale alike",
        theorem=F3_SCALED,
        prepare=_smoothness,
        x_label="$u$",
    ),
    Claim(
        id="frank_wolfe/sarah/scaling/diameter",
        title="X to t X: errors and bounds scale alike",
        theorem=F3_STRETCHED,
        prepare=_diameter,
        x_label="$t$",
    ),
)
