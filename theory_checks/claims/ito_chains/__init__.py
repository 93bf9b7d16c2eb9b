"""Claims on Ito chains: their law, its distance to the diffusion, and exponents in the step."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import drift, exponents, gaussian, multiplicative, one_step, side_by_side, window

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *one_step.CLAIMS,
    *gaussian.CLAIMS,
    *multiplicative.CLAIMS,
    *window.CLAIMS,
    *drift.CLAIMS,
    *exponents.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
