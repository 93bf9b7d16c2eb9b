"""Claims on Ito chains: their law, its distance to the diffusion, and exponents in the step."""

from ...claim import Claim
from ...comparison import Comparison
from . import one_step, window

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*one_step.CLAIMS, *window.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = ()
