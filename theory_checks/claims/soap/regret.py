"""S7 and S8: Shampoo's regret, on streams whose best fixed matrix is known."""

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.soap import S7, S8

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import controls, mutant, wrong
from . import shampoo_mutants as mutants
from .settings import HORIZONS, STREAMS, Make, RegretSetting

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# Mistakes are looked at where the bound is close: beside one feature.
NO_MEMORY = mutant(mutants.gram_matrices_not_accumulated)


def _prescribed(stream: str) -> Case:
    """S7: the theorem's step."""
    setting = RegretSetting(stream=stream)

    def check(method: Make = optzoo.shampoo, scale: float = 1.0) -> ExactInequality:
        def compute() -> tuple[Array, Array]:
            game = setting.play(method)
            bounds = [
                setting.bound(S7, game.gradients[:horizon], D=game.D, eta=game.eta)
                for horizon in HORIZONS
            ]
            return game.regrets, scale * np.array(bounds)

        return ExactInequality(compute, what="every horizon")

    tenth = wrong(
        "a tenth of the bound", "the theorem with a tenfold smaller right side", scale=0.1
    )
    changes = (NO_MEMORY, tenth) if stream == "one" else ()
    return Case(setting, check(), controls(check, *changes))


STEPS = (0.05, 0.2, 0.7, 2.0)


def _any_step(stream: str, eta: float) -> Case:
    """S8: any step."""
    setting = RegretSetting(stream=stream, eta=eta)

    def check(method: Make = optzoo.shampoo) -> ExactInequality:
        def compute() -> tuple[Array, Array]:
            game = setting.play(method)
            bounds = [
                setting.bound(S8, game.gradients[:horizon], D=distance)
                for horizon, distance in zip(HORIZONS, game.distances, strict=True)
            ]
            return game.regrets, np.array(bounds)

        return ExactInequality(compute, what="every horizon")

    bites = {("one", 0.05): mutant(mutants.power_one_half), ("one", 2.0): NO_MEMORY}
    changes = (bites[stream, eta],) if (stream, eta) in bites else ()
    return Case(setting, check(), controls(check, *changes))


X_LABEL = "horizon, the closest to its bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/shampoo/regret",
        title="Shampoo's regret",
        theorem=S7,
        prepare=grid(_prescribed, stream=STREAMS),
        pairs_with=("soap/shampoo/any-step",),
        x_label=X_LABEL,
    ),
    Claim(
        id="soap/shampoo/any-step",
        title="Shampoo's regret with any step",
        theorem=S8,
        prepare=grid(_any_step, stream=STREAMS, eta=STEPS),
        x_label=X_LABEL,
    ),
)
