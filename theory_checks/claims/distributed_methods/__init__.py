# SPDX-License-Identifier: Apache-2.0
"""Claims on the methods that Three Pillars is compared with: contractions, floors, complexities."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import complexity, one_step, runs, side_by_side

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (*one_step.CLAIMS, *runs.CLAIMS, *complexity.CLAIMS)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
