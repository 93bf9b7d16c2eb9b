"""Claims on Ito chains: their law, its distance to the diffusion, and exponents in the step."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import chain, exponents, floors, gaussian, multiplicative, side_by_side, window

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *chain.CLAIMS,
    *gaussian.CLAIMS,
    *multiplicative.CLAIMS,
    *window.CLAIMS,
    *floors.CLAIMS,
    *exponents.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
