"""Claims on Frank-Wolfe methods: the estimator, convex and non-convex rates, and their laws."""

from ...claim import Claim
from . import convex, estimator, laws, nonconvex

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *estimator.CLAIMS,
    *convex.CLAIMS,
    *nonconvex.CLAIMS,
    *laws.CLAIMS,
)
