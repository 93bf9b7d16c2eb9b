# SPDX-License-Identifier: Apache-2.0
"""Claims on Ito chains: their law, its distance to the diffusion, and exponents in the step."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import chain, exponents, floors, gaussian, multiplicative, side_by_side, window

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *chain.CLAIMS,
    *gaussian.CLAIMS,
    *multiplicative.CLAIMS,
    *window.CLAIMS,
    *floors.CLAIMS,
    *exponents.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
