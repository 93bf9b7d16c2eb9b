# SPDX-License-Identifier: Apache-2.0
"""Claims on SOAP: what it is and cannot see; on Shampoo's regret, and KL-Shampoo's factors."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import adafactor, kl, momentum, parity, regret, side_by_side, stale_spectrum, symmetries

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *adafactor.CLAIMS,
    *momentum.CLAIMS,
    *symmetries.CLAIMS,
    *parity.CLAIMS,
    *stale_spectrum.CLAIMS,
    *regret.CLAIMS,
    *kl.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
