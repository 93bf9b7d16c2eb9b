# SPDX-License-Identifier: Apache-2.0
r"""The table of complexities: how rounds, messages and calls grow with delta/mu, L/mu and n.

Every method has its theorem's numbers on the slow instance; the number of steps to an accuracy is
the exact one of the shipped method, from second moments. What a step sends is counted as where n
divides d; broadcasts are not. Sub-problems are solved by about the fewest local steps, to a
sixteenth, with which a run takes at most a tenth more steps than with exact solutions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

import optzoo
from optzoo.compressors import PermK
from optzoo.theorems import Theorem
from optzoo.theorems.distributed_methods import (
    TABLE_LIPSCHITZ,
    TABLE_SIMILARITY,
    TABLE_WORKERS,
)

from ...checks import ExactExponent
from ...claim import Case, Claim, grid
from ...controls import case, wrong
from . import settings
from .linear_maps import Array, linear_steps
from .settings import MODES, MethodSetting

__all__ = ["CLAIMS", "METHODS", "Costs", "costs"]

EPS = 0.01  # of |z^0 - z*|^2
MORE_STEPS = 1.1

METHODS: Mapping[str, Callable[..., MethodSetting]] = {
    "extragradient": settings.extragradient,
    "sliding": settings.sliding,
    "similarity": settings.similarity,
    "MASHA1": settings.masha1,
    "Optimistic MASHA": settings.optimistic_masha,
    "SVOGS": settings.svogs,
    "Three Pillars": settings.three_pillars,
}


@dataclass(frozen=True)
class Costs:
    """What a method needs to an accuracy.

    Args:
        steps: of the method.
        rounds: of communication.
        vectors: sent by a worker, in whole vectors.
        calls: of the server's operator.
    """

    steps: int
    rounds: float
    vectors: float
    calls: float


def costs(setting: MethodSetting, *, local_steps: bool = False) -> Costs:
    """The costs of a method from the origin to EPS, in the mean square.

    Args:
        setting: the method; one with sub-problems has them solved exactly.
        local_steps: whether to look for the fewest local steps, for the calls; they are infinite
            where sub-problems are solved exactly.
    """
    has_server, H = "local_steps" in setting.numbers, 0
    steps = _steps(setting, **({"local_steps": _to_round_off(setting)} if has_server else {}))
    if local_steps and has_server:
        H = _fewest_local_steps(setting, MORE_STEPS * steps)
        steps = _steps(setting, local_steps=H)
    p = setting.numbers.get("refresh_probability", 0.0)
    d = setting.problem.dim
    if setting.compressor is None:
        rounds, vectors = 2.0, 2.0
    else:
        share = setting.compressor.numbers(d) / d
        if isinstance(setting.compressor, PermK):
            # As where n divides d: here are fewer coordinates than workers, and a block is one.
            share = 1 / setting.problem.num_workers
        rounds, vectors = 1 + p, share + p
    if has_server:
        per_step = 2.0 * H if local_steps else np.inf
    else:
        per_step = 1.0 if setting.method is optzoo.optimistic_masha else 2.0
    return Costs(steps, rounds * steps, vectors * steps, per_step * steps)


def _steps(setting: MethodSetting, **changes: Any) -> int:
    start = -np.asarray(setting.problem.solution)
    return linear_steps(setting.run(**changes)).passage(start, EPS)


def _to_round_off(setting: MethodSetting) -> int:
    """Local steps that solve the sub-problem to round-off: a step gains 1 / (1 + gamma L)."""
    step = setting.numbers.get("gamma", setting.numbers.get("theta"))
    assert step is not None
    return math.ceil(80 * (1 + step * setting.problem.constants["L_1"].value))


def _fewest_local_steps(setting: MethodSetting, allowed: float) -> int:
    """By bisection: more local steps do not make a run longer."""

    def suffices(H: int) -> bool:
        try:
            return _steps(setting, local_steps=H) <= allowed
        except ValueError:  # it diverges
            return False

    low, high = 0, 1
    while not suffices(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


# --- The grids: one constant varied, the others such that its term dominates ---

MU, N, FAR = 1e-3, 4, 100.0


def _in_similarity(method: str, delta: float) -> MethodSetting:
    # Of Optimistic MASHA the term in L is left out: L of the mean operator is mu.
    size = 0.0 if method == "Optimistic MASHA" else FAR
    return METHODS[method](MODES, n=N, mu=MU, delta=delta, size=size)


def _in_lipschitz(method: str, size: float) -> MethodSetting:
    return METHODS[method](MODES, n=N, mu=MU, delta=0.1, size=size)


def _in_workers(method: str, n: float) -> MethodSetting:
    size = 0.0 if method == "Optimistic MASHA" else 3.0
    return METHODS[method](MODES, n=int(n), mu=MU, delta=1.0, size=size)


@dataclass(frozen=True)
class Law:
    """A row of the table.

    Args:
        at: (method, value) -> setting.
        values: of what is varied.
        x: what is varied, from its value.
        slack: how far an exponent may be off.
        exponents: method and unit -> the exponent of the theorems.
    """

    at: Callable[[str, float], MethodSetting]
    values: Sequence[float]
    x: Callable[[float], float]
    exponents: Mapping[str, float]


def _exponents(**units: Mapping[str, float]) -> dict[str, float]:
    return {f"{method}, {unit}": a for unit, table in units.items() for method, a in table.items()}


def _alike(exponents: Mapping[str, float], calls: Mapping[str, float]) -> dict[str, float]:
    """Where a step costs the same whatever is varied, but for the local steps."""
    return _exponents(rounds=exponents, vectors=exponents, calls={**exponents, **calls})


# Where L is far above delta, a longer step needs proportionately more local steps.
SIMILARITY = Law(
    _in_similarity,
    (0.2, 0.6, 1.8),
    lambda delta: delta / MU,
    _alike(
        {
            "extragradient": 0.0,
            "sliding": 1.0,
            "similarity": 1.0,
            "MASHA1": 0.0,
            "Optimistic MASHA": 1.0,
            "SVOGS": 1.0,
            "Three Pillars": 1.0,
        },
        dict.fromkeys(("sliding", "similarity", "SVOGS", "Three Pillars"), 0.0),
    ),
)
LIPSCHITZ = Law(
    _in_lipschitz,
    (4.0, 16.0, 64.0),
    lambda size: size / MU,
    _alike(
        {
            "extragradient": 1.0,
            "sliding": 0.0,
            "similarity": 0.0,
            "MASHA1": 1.0,
            "Optimistic MASHA": 1.0,
            "SVOGS": 0.0,
            "Three Pillars": 0.0,
        },
        dict.fromkeys(("sliding", "similarity", "SVOGS", "Three Pillars"), 1.0),
    ),
)
IN_N = {
    "extragradient": 0.0,
    "sliding": 0.0,
    "similarity": 0.0,
    "MASHA1": 0.5,
    "Optimistic MASHA": 0.5,
    "SVOGS": 0.0,
    "Three Pillars": 0.5,
}
SENT_IN_N = {
    name: 0.0 if name in ("extragradient", "sliding", "similarity") else -0.5 for name in IN_N
}
WORKERS = Law(
    _in_workers,
    (16.0, 64.0, 256.0),
    lambda n: n,
    _exponents(rounds=IN_N, vectors=SENT_IN_N, calls=IN_N),
)


@cache
def _costs(law: str, method: str, value: float, with_calls: bool) -> Costs:
    return costs(LAWS[law].at(method, value), local_steps=with_calls)


LAWS = {"similarity": SIMILARITY, "lipschitz": LIPSCHITZ, "workers": WORKERS}


def _measured(law: str, method: str, unit: str) -> tuple[Array, Array, None]:
    found = [_costs(law, method, value, unit == "calls") for value in LAWS[law].values]
    x = np.array([LAWS[law].x(value) for value in LAWS[law].values])
    return x, np.array([getattr(one, unit) for one in found], dtype=float), None


def _case(law: str, row: str) -> Case:
    method, unit = row.split(", ")
    stated = LAWS[law].exponents[row]

    def check(stated: float = stated) -> ExactExponent:
        # Calls come in whole local steps, and with a logarithm of the accuracy of the sub-problem.
        slack = 0.25 if unit == "calls" else 0.06
        return ExactExponent(
            partial(_measured, law, method, unit), stated, relation="exactly", slack=slack
        )

    other = 0.5 if stated != 0.5 else 1.0
    changes = (wrong(f"exponent {other:g} claimed", "a false claim", stated=other),)
    return case(LAWS[law].at(method, LAWS[law].values[-1]), check, *changes)


def _claim(law: str, title: str, theorem: Theorem, x_label: str) -> Claim:
    return Claim(
        id=f"distributed_methods/complexity/{law}",
        title=title,
        theorem=theorem,
        prepare=grid(partial(_case, law), row=tuple(LAWS[law].exponents)),
        x_label=x_label,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("similarity", "What grows with delta/mu", TABLE_SIMILARITY, r"$\delta/\mu$"),
    _claim("lipschitz", "What grows with L/mu", TABLE_LIPSCHITZ, r"$L/\mu$"),
    _claim("workers", "What grows with the number of workers", TABLE_WORKERS, "$n$"),
)
