"""Claims on Frank-Wolfe methods: the estimators, convex and non-convex rates, and their laws."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import closed_form, convex, estimators, laws, nonconvex, saga_estimators, side_by_side

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *estimators.CLAIMS,
    *convex.CLAIMS,
    *closed_form.CLAIMS,
    *nonconvex.CLAIMS,
    *saga_estimators.CLAIMS,
    *laws.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
