# SPDX-License-Identifier: Apache-2.0
"""Claims on Frank-Wolfe methods: the estimators, convex and non-convex rates, and their laws."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import (
    arithmetic,
    attained,
    estimators,
    hardest,
    laws,
    rates,
    saga_estimators,
    scaling,
    side_by_side,
    worst,
)

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *estimators.CLAIMS,
    *rates.CLAIMS,
    *attained.CLAIMS,
    *hardest.CLAIMS,
    *worst.CLAIMS,
    *arithmetic.CLAIMS,
    *saga_estimators.CLAIMS,
    *laws.CLAIMS,
    *scaling.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
