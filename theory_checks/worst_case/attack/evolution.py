# SPDX-License-Identifier: Apache-2.0
"""One run of CMA-ES in the unit cube: its generations, and when it has stalled."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from .space import InstanceFamily, Parameters

__all__ = ["Population", "evolution", "stalls"]

Array = NDArray[np.float64]

POPULATION = 20
GENERATIONS = 30
PATIENCE = 8
"""A restart ends after so many generations without a better candidate."""
_GAIN = 1e-3


@dataclass(frozen=True, eq=False)
class Population:
    """A generation: its parameters, and what hears how good they are."""

    parameters: Sequence[Parameters]
    tell: Callable[[Sequence[float]], None]


def evolution(
    family: InstanceFamily, choice: Parameters, mean: Array, width: float, *, seed: int
) -> Iterator[Population]:
    """The generations of CMA-ES in the unit cube; a single one where nothing varies in it."""
    if family.dimension == 0:
        yield Population([family.at(choice, np.zeros(0))], lambda values: None)
        return
    # CMA-ES needs two dimensions; the second one is idle.
    padded = np.concatenate([mean, np.full(max(0, 2 - len(mean)), 0.5)])
    bounds = np.tile([0.0, 1.0], (len(padded), 1))
    strategy = CMA(
        mean=np.clip(padded, 0.0, 1.0),
        sigma=width,
        bounds=bounds,
        seed=seed,
        population_size=POPULATION,
    )
    for generation in range(GENERATIONS):
        asked = [strategy.ask() for _ in range(POPULATION)]
        if generation == 0:
            asked[0] = padded  # where it begins is looked at, too
        points = [family.at(choice, one[: len(mean)]) for one in asked]

        def tell(values: Sequence[float], asked: Sequence[Array] = asked) -> None:
            worst = (
                max(abs(value) for value in values if math.isfinite(value))
                if any(math.isfinite(value) for value in values)
                else 1.0
            )
            losses = [-value if math.isfinite(value) else 1e3 * (1 + worst) for value in values]
            strategy.tell(list(zip(asked, losses, strict=True)))

        yield Population(points, tell)
        if strategy.should_stop():
            return


def stalls(path: Sequence[float]) -> bool:
    """Whether the last generations found nothing better."""
    if len(path) == 2 and path[-1] == -math.inf:
        return True
    if len(path) <= PATIENCE:
        return False
    before, now = path[-1 - PATIENCE], path[-1]
    return not now > before + _GAIN * abs(before) if math.isfinite(before) else True
