# SPDX-License-Identifier: Apache-2.0
"""Families of instances for the theorems on Ito chains: what `theory-checks attack` searches.

Linear chains on the line and in the plane, geometric ones, and walks: both laws are exact.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from optzoo.theorems import Theorem
from optzoo.theorems.ito_chains import I1, I1_ALL_TIMES, I2, I3, I4, I5

from ...checks import ExactInequality, ExactLowerBound
from ...claim import Case
from ...worst_case.attack import InstanceFamily, OneOf, Real, Whole
from .settings import AnyChain, GeometricChain, LinearChain, PlaneChain

__all__ = ["FAMILIES"]

Varies: TypeAlias = dict[str, Real | Whole | OneOf]


def _case(
    theorem: Theorem,
    chain: AnyChain,
    distance: Callable[[AnyChain], float],
    *,
    tolerance: float = 1e-9,
) -> Case:
    def sides() -> tuple[Sequence[float], Callable[[], Sequence[float]]]:
        return [distance(chain)], lambda: [chain.bound(theorem)]

    check = ExactLowerBound if theorem.side == "below" else ExactInequality
    return Case(chain, check(sides, tolerance=tolerance, what="two laws on the line or the plane"))


def _steps(time: float, k: int) -> dict[str, Any]:
    return {"time": time, "eta": time / k}


FLAT = 1e-3
"""The least drift: below it both sides of I1 are round-off."""


def _linear(theorem: Theorem, time: float, k: int, **numbers: Any) -> Case:
    return _case(theorem, LinearChain(**_steps(time, k), **numbers), LinearChain.distance)


def _drifting(theorem: Theorem, rate: float, **numbers: Any) -> Case:
    if abs(rate) < FLAT:
        raise ValueError(f"rate must be at least {FLAT} in size, got {rate}")
    return _linear(theorem, rate=rate, **numbers)


def _plane(
    theorem: Theorem,
    time: float,
    k: int,
    rates: Sequence[float],
    start: Sequence[float],
    **numbers: Any,
) -> Case:
    first, second = rates
    if max(map(abs, rates)) < FLAT:
        raise ValueError(f"a rate must be at least {FLAT} in size, got {first} and {second}")
    x, y = start
    chain = PlaneChain(**_steps(time, k), rates=(first, second), start=(x, y), **numbers)
    return _case(theorem, chain, PlaneChain.distance)


DEVIATIONS = 12.0
"""A factor of a geometric chain that is negative is neglected: it is so many deviations away."""


def _geometric(theorem: Theorem, time: float, k: int, **numbers: Any) -> Case:
    """Where the factors stay positive."""
    chain = GeometricChain(**_steps(time, k), **numbers)
    kick = chain.s * chain.eta ** ((1 + chain.gamma) / 2)
    if 1 + chain.growth * chain.eta < DEVIATIONS * kick:
        raise ValueError(f"the noise of a step, {kick:.3g}, must leave its factor positive")
    return _case(theorem, chain, GeometricChain.distance, tolerance=1e-4)


def _window(theorem: Theorem, time: float, k: int, **numbers: Any) -> Case:
    chain = LinearChain(**_steps(time, k), **numbers)
    return _case(theorem, chain, LinearChain.distance_to_gaussian_noise)


TIME: Varies = {"time": Real(0.05, 5.0, log=True), "gamma": Real(0.0, 1.0)}
STEPS: Varies = {"k": Whole(1, 64, log=True)}
NOISE: Varies = {"s": Real(0.01, 10.0, log=True)}
START: Varies = {"start": Real(-5.0, 5.0)}
TWO: Varies = {"start": Real(-5.0, 5.0, size=2)}
RATE: Varies = {"rate": Real(-2.0, 2.0)}
COINS: Varies = {"noise": OneOf("coin", "skewed coin")}
CONTRACTING = Real(0.02, 5.0, log=True)

LINE: Varies = TIME | STEPS | NOISE | START
PLANE: Varies = TIME | STEPS | NOISE | TWO
ERROR: Varies = {"drift_error": Real(-2.0, 2.0), "alpha": Real(0.1, 1.0)}
GROWTH: Varies = {"growth": Real(0.0, 2.0), "s": Real(0.02, 0.5, log=True)}
FEW: Varies = {"k": Whole(1, 12)}
MANY: Varies = {"k": Whole(1, 2000, log=True)}

FAMILIES: tuple[InstanceFamily, ...] = (
    InstanceFamily("I1 on the line", _drifting, LINE | RATE, (I1,)),
    InstanceFamily(
        "I1 in the plane",
        _plane,
        PLANE | {"rates": Real(-2.0, 2.0, size=2), "turn": Real(-2.0, 2.0)},
        (I1,),
    ),
    InstanceFamily(
        "I1 at all times, on the line", _linear, LINE | {"rate": CONTRACTING}, (I1_ALL_TIMES,)
    ),
    InstanceFamily(
        "I1 at all times, in the plane",
        _plane,
        PLANE | {"rates": Real(0.02, 5.0, log=True, size=2)},
        (I1_ALL_TIMES,),
    ),
    InstanceFamily("I2, geometric", _geometric, TIME | STEPS | GROWTH, (I2,)),
    InstanceFamily("I3, few steps", _window, TIME | NOISE | RATE | FEW | COINS, (I3,)),
    InstanceFamily("I3, walks", partial(_window, rate=0.0), TIME | NOISE | MANY | COINS, (I3,)),
    InstanceFamily(
        "I4, walks of coins",
        partial(_linear, noise="coin", rate=0.0),
        TIME | NOISE | MANY,
        (I4,),
    ),
    InstanceFamily("I5, a drift error", _drifting, LINE | RATE | ERROR, (I5,)),
)
