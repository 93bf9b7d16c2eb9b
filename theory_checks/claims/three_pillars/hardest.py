# SPDX-License-Identifier: Apache-2.0
"""The hardest instances known for V2 and for a step of V4, found by searches.

Each is named after what of the bound it needs. Exact second moments; V4 from the slowest state.
"""

from typing import Any

from optzoo.theorems.three_pillars import V2, V4_STEP

from ...checks import ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, wrong
from .families import affine_setting, operators
from .partners import PARTNERS
from .settings import PillarsSetting, moments

__all__ = ["CLAIMS"]

Numbers = dict[str, Any]

STEPS: dict[str, tuple[Numbers, Numbers]] = {
    "the rate": (
        {
            "mu": 0.0342,
            "coupling": (0.0402,),
            "stretch": (0.00653, 2.51),
            "similarity": 9.29,
            "deviations": (
                *(0.438, 0.231, 0.0579, 0.861),
                *(-0.457, 0.594, -0.379, 0.165),
            ),
        },
        {"compressor": "PermK", "p": 0.0809, "step": 0.105, "local_steps": 199},
    ),
    "the server": (
        {
            "mu": 2.2,
            "coupling": (-0.886,),
            "stretch": (2.68, 2.08),
            "similarity": 0.1,
            "deviations": (
                *(-0.591, 0.412, -0.334, 0.667),
                *(-0.171, 0.323, 0.237, -0.313),
            ),
        },
        {"compressor": "none", "p": 0.828, "step": 0.888, "local_steps": 20},
    ),
    "what messages cost": (
        {
            "mu": 0.0275,
            "coupling": (4.86,),
            "stretch": (1.57, 1.26),
            "similarity": 0.186,
            "deviations": (
                *(-0.567, -0.129, -0.709, -0.458),
                *(-0.473, 0.0397, -0.66, -0.549),
                *(-0.0273, 0.0816, 0.578, 0.205),
                *(0.577, 0.814, -0.205, 0.702),
            ),
        },
        {"compressor": "one client", "p": 0.497, "step": 0.981, "local_steps": 237},
    ),
    "the local steps": (
        {
            "mu": 0.0364,
            "coupling": (-5.0,),
            "stretch": (1.39, 1.2),
            "similarity": 6.06,
            "deviations": (
                *(1.0, 0.941, 0.198, -0.307),
                *(-1.0, -0.394, -0.23, -0.959),
                *(1.0, 0.508, -0.429, 1.0),
                *(-0.0639, -0.625, 0.175, -0.708),
            ),
        },
        {"compressor": "two clients", "p": 0.98, "step": 0.05, "local_steps": 22},
    ),
}
"""Name -> the operators, and how the method is run on them; see `families`."""

RATES: dict[str, tuple[Numbers, Numbers]] = {
    "what messages cost": (
        {
            "mu": 0.779,
            "coupling": (0.0347,),
            "stretch": (2.02, 1.46),
            "similarity": 0.245,
            "deviations": (
                *(-0.268, -0.446, 0.0849, -0.317),
                *(-0.0544, -0.152, -0.502, 0.298),
                *(-0.734, -0.894, 0.125, 0.884),
                *(-0.135, -0.409, 0.607, -0.0674),
            ),
        },
        {"compressor": "none", "p": 0.563, "step": 0.622, "local_steps": 1},
    ),
}

# A constant that is wrong by little more than the factor that its instance leaves.
FALSE: dict[str, Change] = {
    "the server": wrong("a third of L_1", "a false claim", part="L_1", share=1 / 3),
    "what messages cost": wrong("0.9 of d_B", "a false claim", part="d_B", share=0.9),
    "the local steps": wrong("twice the local steps", "a false claim", part="H", share=2.0),
}


def _changed(setting: PillarsSetting, part: str | None, share: float) -> dict[str, float]:
    """A share of one of the constants."""
    return {} if part is None else {part: share * setting.value(part)}


def _step_sides(setting: PillarsSetting, part: str | None = None, share: float = 1.0) -> Sides:
    """E Phi^+ / Phi."""
    factor, _ = moments(setting, exact=False).one_step_factor()
    return [factor], lambda: [setting.bound(V4_STEP, **_changed(setting, part, share))]


def _rate_sides(setting: PillarsSetting, part: str | None = None, share: float = 1.0) -> Sides:
    """Steps for a factor of e, up to the logarithm: 1 / (1 - lim (E Phi_k)^(1/k))."""
    left = 1 - moments(setting).rate()
    return [1 / left], lambda: [setting.bound(V2, **_changed(setting, part, share))]


def _step(instance: str) -> Case:
    place, run = STEPS[instance]
    return exact_case(
        affine_setting(operators(**place), **run),
        _step_sides,
        ExactInequality,
        *([FALSE[instance]] if instance in FALSE else []),
        what="exact second moments, from the slowest state",
    )


def _rate(instance: str) -> Case:
    place, run = RATES[instance]
    return exact_case(
        affine_setting(operators(**place), **run),
        _rate_sides,
        ExactInequality,
        FALSE[instance],
        what="exact second moments",
        tolerance=1e-7,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/hardest",
        title=f"{V4_STEP.title}: the hardest instances known",
        theorem=V4_STEP,
        prepare=grid(_step, instance=STEPS),
    ),
    Claim(
        id="three_pillars/moments/hardest",
        title=f"{V2.title}: the hardest instance known",
        theorem=V2,
        prepare=grid(_rate, instance=RATES),
        pairs_with=PARTNERS,
    ),
)
