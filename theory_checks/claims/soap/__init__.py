"""Claims on SOAP: what it is, step by step, and what it cannot see; and on Shampoo's regret."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import adafactor, parity, regret, side_by_side, symmetries

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *adafactor.CLAIMS,
    *symmetries.CLAIMS,
    *parity.CLAIMS,
    *regret.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
