"""Claims on Frank-Wolfe methods: the estimators, convex and non-convex rates, and their laws."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import arithmetic, attained, estimators, laws, rates, saga_estimators, scaling, side_by_side

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *estimators.CLAIMS,
    *rates.CLAIMS,
    *attained.CLAIMS,
    *arithmetic.CLAIMS,
    *saga_estimators.CLAIMS,
    *laws.CLAIMS,
    *scaling.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
