# SPDX-License-Identifier: Apache-2.0
"""Claims on the methods that Sarah Frank-Wolfe is compared with, and the table of complexities."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import active_sets, complexity, counts, enumerated, line, runs, side_by_side

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *active_sets.CLAIMS,
    *enumerated.CLAIMS,
    *runs.CLAIMS,
    *line.CLAIMS,
    *complexity.CLAIMS,
    *counts.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
