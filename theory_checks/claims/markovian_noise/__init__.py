"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import (
    accelerated,
    batch,
    descent,
    estimator,
    extragradient,
    laws,
    lower_bounds,
    multiplicative,
    nonconvex,
    sampled,
    side_by_side,
)

__all__ = ["CLAIMS", "COMPARISONS"]

_MODULES = (
    batch,
    estimator,
    sampled,
    descent,
    nonconvex,
    accelerated,
    extragradient,
    multiplicative,
    lower_bounds,
    laws,
)

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (claim for module in _MODULES for claim in module.CLAIMS), key=lambda claim: claim.theorem
    )
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
