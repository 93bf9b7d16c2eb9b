"""Claims on Frank-Wolfe methods: the estimator, convex and non-convex rates, and their laws."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import closed_form, convex, estimator, laws, nonconvex, sandwich, side_by_side
from .saga import closed_form as saga_closed_form
from .saga import convex as saga_convex
from .saga import estimator as saga_estimator
from .saga import laws as saga_laws
from .saga import nonconvex as saga_nonconvex

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *estimator.CLAIMS,
    *convex.CLAIMS,
    *closed_form.CLAIMS,
    *sandwich.CLAIMS,
    *nonconvex.CLAIMS,
    *laws.CLAIMS,
    *saga_estimator.CLAIMS,
    *saga_convex.CLAIMS,
    *saga_closed_form.CLAIMS,
    *saga_nonconvex.CLAIMS,
    *saga_laws.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
