# SPDX-License-Identifier: Apache-2.0
"""Three Pillars and extragradient on real data: rounds, numbers sent, local calls."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Identity, PermK
from optzoo.problems import breast_cancer, libsvm, robust_linear_regression
from optzoo.theorems.three_pillars import PAPER, V2

from ...presets import data_folder
from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation import log_spaced
from ...simulation.laboratory import Laboratory
from .settings import PillarsSetting

__all__ = ["SIDE_BY_SIDE"]

Array = NDArray[np.float64]

PERMUTED, LONGER = "PermK", "PermK, 4 times the step"
FEWER = "PermK, 10 local steps"
WHOLE, FULL, FULL_LONGER = "no compression", "extragradient", "extragradient, twice the step"
LEVELS = (0.1, 0.01, 0.001)
WORKERS = (8, 32)
BUNDLED = "breast_cancer"
# The sets on which the paper and its successors compare; read from OPTZOO_DATA where they lie.
FILES = ("a9a", "w8a")


def _curves(
    setting: PillarsSetting, name: str, laboratory: Laboratory
) -> dict[str, tuple[Curve, ...]]:
    """Each method's error over rounds, over numbers sent by a worker, over the server's calls."""
    problem = setting.problem
    schemes = {
        PERMUTED: setting,
        LONGER: replace(setting, longer=4.0, local_steps=int(setting.value("H"))),
        FEWER: replace(setting, local_steps=10),
        WHOLE: replace(setting, compressor=Identity(problem.num_workers)),
    }
    grid = log_spaced(1, 2.8 * setting.bound(V2), 24)
    found = {
        label: _sampled(label, scheme, grid, name, laboratory) for label, scheme in schemes.items()
    }
    L, mu = problem.constants["L"].value, problem.constants["mu"].value
    grid = log_spaced(1, 4 * L / mu, 32)
    for label, longer in ((FULL, 1.0), (FULL_LONGER, 2.0)):
        step_size = longer / (np.sqrt(2) * L)
        experiment = setting.extragradient(f"compare-{name}-{label}", grid, step_size)
        error = laboratory.sample(experiment, 0, 2)["distance"][0] / setting.initial
        rounds = 2.0 * np.asarray(grid)
        found[label] = tuple(Curve(label, x, error) for x in (rounds, problem.dim * rounds, rounds))
    return found


def _sampled(
    label: str,
    setting: PillarsSetting,
    grid: Sequence[int],
    name: str,
    laboratory: Laboratory,
) -> tuple[Curve, ...]:
    """The error of Three Pillars, with bands of two standard errors."""
    experiment = setting.experiment(f"compare-{name}-{label}", grid, randomness=f"compare-{name}")
    sample = laboratory.sample(experiment, 0, laboratory.seeds)
    steps, refreshes, sent = (
        sample[metric].mean(axis=0) for metric in ("steps", "refreshes", "uplink")
    )
    error, calls = sample["distance"] / setting.initial, 2.0 * setting.value("H") * steps
    return tuple(
        Curve.of_seeds(label, x, error, least=0.01)
        for x in (steps + refreshes, setting.problem.dim * (sent + 1), calls)
    )


def _compare(data: str, n: int, laboratory: Laboratory) -> Outcome:
    features, labels = breast_cancer() if data == BUNDLED else libsvm(data)
    problem = robust_linear_regression(features, labels, n)
    rows, d = features.shape
    origin = "scikit-learn's breast-cancer data" if data == BUNDLED else data
    setting = PillarsSetting(problem=problem, text="", compressor=PermK(n))
    curves = _curves(setting, f"{data}-{n}", laboratory)
    y_label = r"$E|z^k - z^*|^2 / |z^0 - z^*|^2$"
    titles = (
        ("Per round", "rounds of communication"),
        ("Per number sent", "numbers sent by a worker"),
        ("Per local call", "operator calls of the server"),
    )
    constants = problem.constants
    return Outcome(
        panels=tuple(
            Panel(title, x_label, y_label, tuple(curve[j] for curve in curves.values()))
            for j, (title, x_label) in enumerate(titles)
        ),
        notes=_notes(curves, problem.dim),
        problem=(
            f"robust linear regression on {origin}, {rows} rows of {d} columns scaled to 1, dealt "
            f"to $n = {n}$ workers; $R_x = 2$, $R_y = 0.05$, $\\mu = {constants['mu'].value:g}$, "
            f"$L = {constants['L'].value:.3g}$, $\\delta_1 = {constants['delta_1'].value:.3g}$, "
            f"$\\delta_{{av}} = {constants['delta_av'].value:.3g}$"
        ),
        seeds=laboratory.seeds,
    )


def _notes(curves: dict[str, tuple[Curve, ...]], dimension: int) -> tuple[str, ...]:
    notes = []
    for level in LEVELS:
        words = []
        for label in (PERMUTED, FEWER, WHOLE, FULL):
            rounds, sent, calls = (curve.passage(level) for curve in curves[label])
            if rounds is None or sent is None or calls is None:
                words.append(f"{label} not within the run")
            else:
                vectors = sent / dimension
                words.append(
                    f"{label} {rounds:.0f} rounds, {vectors:.3g} vectors a worker and {calls:.0f} "
                    "calls of the server"
                )
        notes.append(f"To {level:g} of the start: {'; '.join(words)}.")
    ours, theirs = (curves[label][1].passage(0.01) for label in (PERMUTED, FULL))
    longer = curves[LONGER][1].passage(0.01)
    if ours is not None and theirs is not None:
        fewer = "fewer" if ours < theirs else "more"
        notes.append(
            f"To 0.01 a worker sends {max(theirs / ours, ours / theirs):.3g} times {fewer} numbers "
            "with PermK than with extragradient."
        )
    if ours is not None and longer is not None:
        notes.append(
            f"Four times the theorem's step, for which nothing is promised, saves a factor of "
            f"{ours / longer:.2g} here."
        )
    return tuple(notes)


def _beside(data: str, n: int) -> SideBySide:
    words = "breast-cancer data" if data == BUNDLED else data
    return SideBySide(
        id=f"three_pillars/compare/robust-regression-{data.replace('_', '-')}-{n}",
        title=f"What communication costs: robust regression on {words}, {n} workers",
        paper=PAPER.citation,
        description=(
            "Three Pillars with the parameters of its theorem (V2, V4) for PermK and without "
            "compression, with four times the step, and with ten local steps; beside "
            "extragradient, in which all workers send whole vectors twice a step, with "
            r"$1/(\sqrt2 L)$ and twice that. Bands are two standard errors. A broadcast with its "
            "answers is a round, and a refresh of the reference another one."
        ),
        evaluate=partial(_compare, data, n),
    )


def _found() -> tuple[str, ...]:
    """The files of `FILES` in the folder that OPTZOO_DATA names."""
    folder = data_folder()
    if folder is None:
        return ()
    names = {path.name.removesuffix(".bz2").removesuffix(".gz") for path in folder.iterdir()}
    return tuple(name for name in FILES if name in names)


SIDE_BY_SIDE: tuple[SideBySide, ...] = tuple(
    _beside(data, n) for data in (BUNDLED, *_found()) for n in WORKERS
)
