"""Claims on Three Pillars: its step, its second moments, its rates and laws, what it sends."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import independence, laws, local_steps, messages, moments, one_step, rates, side_by_side

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *one_step.CLAIMS,
    *messages.CLAIMS,
    *independence.CLAIMS,
    *local_steps.CLAIMS,
    *moments.CLAIMS,
    *rates.CLAIMS,
    *laws.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
