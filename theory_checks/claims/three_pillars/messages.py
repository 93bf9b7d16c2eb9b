"""What compression costs: the second moment of the messages, over every draw."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem
from optzoo.theorems.three_pillars import V3, V3_ATTAINED

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import mutant, null, wrong
from . import mutants
from .enumeration import after_messages, exact_case, random_states, solutions
from .mutants import Scaled
from .settings import COMPRESSORS, EXACT, PillarsSetting, hard, saddle

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]
DRAWS = "all draws of the messages"


def _energies(
    setting: PillarsSetting,
    theorem: Theorem,
    *,
    scale: float = 1.0,
    claimed: dict[str, float] | None = None,
    **changes: Any,
) -> Sides:
    """E|xi|^2 / |u - m|^2 over all draws, with xi read off the shipped step, and d_B^2."""
    run = setting.run(**changes)
    z, m = random_states(run, 12)
    u = solutions(setting.run(), z, m)
    xi = (after_messages(run, z, m)[0] - u[:, None]) / setting.value("gamma")
    u_m = np.sum((u - m) ** 2, axis=1)
    bound = scale * setting.bound(theorem, u_m, **(claimed or {}))
    return np.mean(np.sum(xi**2, axis=2), axis=1) / u_m, bound / u_m


# --- On a saddle, where it is attained ---


def _attained(compressor: str) -> Case:
    setting = saddle(
        "spectrum",
        n=4,
        half_dim=2,
        mu=0.3,
        size=20.0,
        compressor=COMPRESSORS[compressor],
        local_steps=8,
    )
    changes = {
        "PermK": (
            wrong(
                "compressor without the factor n",
                "blocks are sent as they are",
                compressor=Scaled(setting.compressor, 0.25),
            ),
            wrong(
                "PermK as no compression",
                r"a false claim: $\delta_1^2$ alone",
                claimed={"A": 0.0, "B": 0.0},
            ),
        ),
        "one client": (null("one client as PermK", "an equality", claimed={"A": 1.0, "B": 1.0}),),
        "two clients": (
            wrong(
                "two clients as one",
                "a false claim: no gain from a second client",
                claimed={"A": 1.0, "B": 1.0},
            ),
        ),
        "RandK": (mutant(mutants.raw_differences),),
    }
    return exact_case(
        setting,
        _attained_sides,
        ExactIdentity,
        *changes.get(compressor, ()),
        tolerance=1e-8,
        what=DRAWS,
    )


def _attained_sides(setting: PillarsSetting, **changes: Any) -> Sides:
    return _energies(setting, V3_ATTAINED, **changes)


# --- Where workers are similar on average only ---


def _bounded(compressor: str) -> Case:
    setting = hard(4, 2, mu=0.2, delta=4.0, compressor=COMPRESSORS[compressor], local_steps=EXACT)
    changes = (
        wrong("bound divided by three", "a false claim: a third of the bound", scale=1 / 3),
        wrong(
            "without delta_1",
            "a false claim: the server's own deviation is left out",
            claimed={"delta_1": 1e-6},
        ),
    )
    return exact_case(
        setting,
        _bounded_sides,
        ExactInequality,
        *(changes if compressor == "none" else ()),
        what=DRAWS,
    )


def _bounded_sides(setting: PillarsSetting, **changes: Any) -> Sides:
    return _energies(setting, V3, **changes)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/messages",
        title="What compression costs: every compressor's constant is attained",
        theorem=V3_ATTAINED,
        prepare=grid(_attained, compressor=COMPRESSORS),
        x_label="state",
    ),
    Claim(
        id="three_pillars/one-step/message-bound",
        title="What compression costs where workers are similar on average only",
        theorem=V3,
        prepare=grid(_bounded, compressor=COMPRESSORS),
        x_label="state, the closest to the bound first",
    ),
)
