"""Claims on Ito chains: their law, its distance to the diffusion, and exponents in the step."""

from ...claim import Claim
from ...comparison import Comparison
from . import drift, gaussian, one_step, window

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*one_step.CLAIMS, *window.CLAIMS, *gaussian.CLAIMS, *drift.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = ()
