# SPDX-License-Identifier: Apache-2.0
"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import (
    any_estimates,
    estimator,
    hardest,
    laws,
    lower_bounds,
    rates,
    runs,
    side_by_side,
    worst,
    worst_step,
)

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

_MODULES = (estimator, any_estimates, rates, hardest, runs, worst, worst_step, laws, lower_bounds)

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (claim for module in _MODULES for claim in module.CLAIMS),
        key=lambda claim: claim.theorem.root.label,
    )
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
