"""Claims on Three Pillars: its step, its second moments, its rates and laws, what it sends."""

from ...claim import Claim
from ...comparison import Comparison
from . import one_step

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*one_step.CLAIMS,)

COMPARISONS: tuple[Comparison, ...] = ()
