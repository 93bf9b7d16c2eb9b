"""S7 and S8: Shampoo's regret, on streams whose best fixed matrix is known."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems import Theorem
from optzoo.theorems.soap import S7, S8

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, mutant
from . import mutants
from .settings import STREAMS, Make, RegretSetting, ShampooSetting

__all__ = ["CLAIMS", "sides"]

Array = NDArray[np.float64]

STEPS = (0.05, 0.2, 0.7, 2.0)
NO_MEMORY = mutant(mutants.gram_matrices_not_accumulated)
# Mistakes are looked at where the bound is close: beside one feature.
BITES: dict[tuple[str, float | None], tuple[Change, ...]] = {
    ("one", None): (NO_MEMORY,),
    ("one", 0.05): (mutant(mutants.power_one_half),),
    ("one", 2.0): (NO_MEMORY,),
}


def sides(setting: ShampooSetting, theorem: Theorem, method: Make = optzoo.shampoo) -> Sides:
    """The regrets at all horizons, and what the theorem says of them.

    Args:
        setting: where.
        theorem: whose bound.
        method: Shampoo, or a mutant.
    """
    game = setting.play(method)

    def bounds() -> Array:
        each = [
            setting.bound(theorem, game.gradients[:horizon], D=D, eta=game.eta)
            for horizon, D in zip(setting.horizons, game.D, strict=True)
        ]
        return np.array(each)

    return game.regrets, bounds


def _case(theorem: Theorem, stream: str, eta: float | None = None) -> Case:
    """With the step of S7, or with any step."""
    return exact_case(
        RegretSetting(stream=stream, eta=eta),
        partial(sides, theorem=theorem),
        ExactInequality,
        *BITES.get((stream, eta), ()),
        what="every horizon",
    )


X_LABEL = "horizon, the closest to its bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="soap/shampoo/regret",
        title="Shampoo's regret",
        theorem=S7,
        prepare=grid(partial(_case, S7), stream=STREAMS),
        pairs_with=("soap/shampoo/any-step",),
        x_label=X_LABEL,
    ),
    Claim(
        id="soap/shampoo/any-step",
        title="Shampoo's regret with any step",
        theorem=S8,
        prepare=grid(partial(_case, S8), stream=STREAMS, eta=STEPS),
        x_label=X_LABEL,
    ),
)
