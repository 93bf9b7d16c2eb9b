# SPDX-License-Identifier: Apache-2.0
"""Who wins where: the costs of every method with its theorem's numbers, exactly."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from optzoo.theorems.distributed_methods import PAPER

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation.laboratory import Laboratory
from .complexity import METHODS, Costs, costs
from .settings import MODES

__all__ = ["SHOWN", "SIDE_BY_SIDE", "cost_at"]

MU, SIZE = 1e-3, 10.0
"""L / mu is 10,000."""

# V8 is within a factor of two of sliding.
SHOWN = tuple(name for name in METHODS if name != "similarity")
RATIOS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)
WORKERS = (16, 64, 256)
AT_N, AT_RATIO = 64, 1000.0


@cache
def cost_at(method: str, n: int, ratio: float) -> Costs:
    """The costs of a method for n workers at delta / mu, on two planes, by exact moments."""
    return costs(METHODS[method](MODES, n=n, mu=MU, delta=ratio * MU, size=SIZE))


def _curves(x: Sequence[float], at: Callable[[str, float], Costs], unit: str) -> tuple[Curve, ...]:
    return tuple(
        Curve(method, np.asarray(x), np.array([getattr(at(method, value), unit) for value in x]))
        for method in SHOWN
    )


def _over_similarity(method: str, ratio: float) -> Costs:
    return cost_at(method, AT_N, ratio)


def _over_workers(method: str, n: float) -> Costs:
    return cost_at(method, int(n), AT_RATIO)


def _who_wins(laboratory: Laboratory) -> Outcome:
    similarity, workers = r"$\delta/\mu$", "workers $n$"
    panels = (
        Panel(
            f"Rounds, $n = {AT_N}$",
            similarity,
            "rounds to 0.01",
            _curves(RATIOS, _over_similarity, "rounds"),
        ),
        Panel(
            f"Sent by a worker, $n = {AT_N}$",
            similarity,
            "whole vectors to 0.01",
            _curves(RATIOS, _over_similarity, "vectors"),
        ),
        Panel(
            rf"Sent by a worker, $\delta/\mu = {AT_RATIO:g}$",
            workers,
            "whole vectors to 0.01",
            _curves([float(n) for n in WORKERS], _over_workers, "vectors"),
        ),
    )
    return Outcome(
        panels=panels,
        notes=tuple(_note(ratio) for ratio in (RATIOS[0], AT_RATIO, RATIOS[-1])),
        problem=(
            rf"two planes: rotations by $\pm\delta$ in which the workers differ, and a common one "
            rf"by $L = {SIZE / MU:g}\mu$; $\mu = {MU:g}$"
        ),
        seeds=0,
    )


def _note(ratio: float) -> str:
    found = {method: _over_similarity(method, ratio) for method in SHOWN}

    def best(unit: str) -> str:
        first, second = sorted(found, key=lambda method: getattr(found[method], unit))[:2]
        values = [getattr(found[method], unit) for method in (first, second)]
        return f"{first} with {values[0]:.3g}, then {second} with {values[1]:.3g}"

    return (
        rf"At $\delta/\mu = {ratio:g}$, $n = {AT_N}$, the fewest rounds: {best('rounds')}. The "
        f"fewest whole vectors from a worker: {best('vectors')}."
    )


SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    SideBySide(
        id="distributed_methods/compare/who-wins",
        title="Who wins where: rounds and messages to an accuracy",
        paper=PAPER.citation,
        description=(
            "Every method with the numbers of its theorem, sub-problems solved exactly, from the "
            "origin to a mean square error of 0.01 of the start, by exact second moments of the "
            "shipped methods: nothing is sampled. A theorem's numbers are not the best ones. What "
            "is sent is what a worker sends: beside it Three Pillars, SVOGS and sliding have two "
            "vectors a step broadcast by the server."
        ),
        evaluate=_who_wins,
    ),
)
