# SPDX-License-Identifier: Apache-2.0
"""The hardest instances known for D3 and D5, found by searches of half an hour.

Each is named after what of the bound it needs. Exact expectations, every starting state and
iteration.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from optzoo.problems import MarkovianProblem
from optzoo.theorems import Theorem
from optzoo.theorems.markovian_noise import D3, D5

from ...checks import CLOSEST, ExactInequality
from ...claim import Case, Claim, grid
from ...controls import Change, exact_case, wrong
from .families import SearchedRun, operator, quadratic
from .mutants import MIXING_TIME_ONE
from .partners import PARTNERS
from .rates import sides
from .settings import EXTRAGRADIENT, POLYAK, Metric, Prescribed, distance, mean_squared_gradient

__all__ = ["CLAIMS"]

Numbers = dict[str, Any]

QUADRATICS: dict[str, tuple[Numbers, Numbers]] = {
    "the start": (
        {
            "transition": (0.00345, 0.046, 0.741, 0.0216),
            "values": (0.288, 0.706),
            "noise": "factor",
            "L": 1.2,
            "flatness": 0.0708,
            "angle": 0.175,
            "sigma": 0.125,
            "factor": 0.01,
        },
        {"away": 0.0144, "heading": 1.57, "batch": 64.0, "level": 0, "step": 1.0},
    ),
    "the floor": (
        {
            "transition": (
                *(0.258, 0.00353, 0.00653, 0.00226),
                *(0.00183, 0.299, 0.00274, 0.00216),
                *(0.106, 0.018, 0.00652, 0.00559),
                *(0.404, 0.144, 0.0133, 0.00397),
            ),
            "values": (-0.475, 0.293, -0.919, 0.422),
            "noise": "both",
            "L": 0.677,
            "flatness": 0.08,
            "angle": 1.44,
            "sigma": 0.0573,
            "factor": 0.0534,
        },
        {"away": 0.00946, "heading": 1.24, "batch": 44.8, "level": 1, "step": 0.999},
    ),
    "growing noise": (
        {
            "transition": (0.163, 0.0119, 0.0066, 0.0886),
            "values": (-0.824, 0.38),
            "noise": "factor",
            "L": 2.96,
            "flatness": 0.0571,
            "angle": 1.5,
            "sigma": 1.42,
            "factor": 0.401,
        },
        {"away": 0.0521, "heading": -1.28, "batch": 10.4, "level": 5, "step": 0.999},
    ),
}
"""Name -> the problem, and how the method is run on it; see `families`."""

OPERATORS: dict[str, tuple[Numbers, Numbers]] = {
    "the start": (
        {
            "transition": (0.23, 0.0311, 0.0473, 0.671),
            "values": (-0.166, -0.502),
            "noise": "additive",
            "L": 5.19,
            "flatness": 0.0166,
            "turn": -1.22,
            "angle": 0.223,
            "sigma": 0.707,
            "factor": 0.0664,
        },
        {
            "away": 8.52,
            "heading": 0.0118,
            "batch": 0.239,
            "first": 2.58,
            "level": 4,
            "step": 0.0217,
        },
    ),
    "the floor": (
        {
            "transition": (0.256, 0.163, 0.0187, 0.0292),
            "values": (0.442, -0.382),
            "noise": "additive",
            "L": 2.64,
            "flatness": 0.453,
            "turn": 1.84,
            "angle": 1.06,
            "sigma": 4.48,
            "factor": 0.157,
        },
        {
            "away": 0.0232,
            "heading": -0.768,
            "batch": 0.581,
            "first": 55.5,
            "level": 6,
            "step": 0.52,
        },
    ),
    "the mixing time": (
        {
            "transition": (
                *(0.00491, 0.00448, 0.0718),
                *(0.0108, 0.512, 0.00743),
                *(0.11, 0.0151, 0.407),
            ),
            "values": (0.274, -0.719, 0.268),
            "noise": "additive",
            "L": 0.235,
            "flatness": 0.0686,
            "turn": 1.08,
            "angle": 0.524,
            "sigma": 2.39,
            "factor": 0.345,
        },
        {"away": 0.0195, "heading": 0.209, "batch": 4.32, "first": 12.6, "level": 5, "step": 0.603},
    ),
    "the rate": (
        {
            "transition": (0.00257, 0.0621, 0.0661, 0.106),
            "values": (-0.163, -0.423),
            "noise": "factor",
            "L": 6.94,
            "flatness": 0.997,
            "turn": -0.107,
            "angle": 0.923,
            "sigma": 0.258,
            "factor": 0.33,
        },
        {"away": 0.186, "heading": -0.653, "batch": 8.49, "first": 12.5, "level": 4, "step": 0.914},
    ),
}

# A constant that is wrong by little more than the factor that its instance leaves.
FALSE: Mapping[tuple[str, str], Change] = {
    (D3.label, "the floor"): MIXING_TIME_ONE,
    (D3.label, "growing noise"): wrong("half of delta", "a false claim", delta=0.5 * 0.401),
    (D5.label, "the floor"): wrong("a third of sigma", "a false claim", sigma=4.48 / 3),
    (D5.label, "the mixing time"): MIXING_TIME_ONE,
}


def _claim(
    name: str,
    theorem: Theorem,
    plan: Prescribed,
    metric: Metric,
    problem: Callable[..., MarkovianProblem],
    instances: Mapping[str, tuple[Numbers, Numbers]],
) -> Claim:
    def at(instance: str) -> Case:
        place, run = instances[instance]
        taken: Numbers = {"first": 1.0} | run
        false = FALSE.get((theorem.label, instance))
        return exact_case(
            SearchedRun(plan=plan, problem=problem(**place), **taken),
            partial(sides, theorem=theorem, metric=metric),
            ExactInequality,
            *(() if false is None else (false,)),
            what="exact recursion of the second moments, every starting state and iteration",
        )

    return Claim(
        id=f"markovian_noise/{name}/hardest",
        title=f"{theorem.title}: the hardest instances known",
        theorem=theorem,
        prepare=grid(at, instance=instances),
        pairs_with=PARTNERS,
        x_label=CLOSEST,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("descent", D3, POLYAK, mean_squared_gradient, quadratic, QUADRATICS),
    _claim("extragradient", D5, EXTRAGRADIENT, distance, operator, OPERATORS),
)
