"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
from ...side_by_side import Comparison
from . import estimator, laws, lower_bounds, rates, runs, side_by_side

__all__ = ["CLAIMS", "COMPARISONS"]

_MODULES = (estimator, rates, runs, laws, lower_bounds)

CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (claim for module in _MODULES for claim in module.CLAIMS),
        key=lambda claim: claim.theorem.root.label,
    )
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
