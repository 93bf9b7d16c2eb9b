"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
from ...comparison import Comparison
from . import (
    accelerated,
    batch,
    descent,
    estimator,
    extragradient,
    laws,
    lower_bounds,
    nonconvex,
    sampled,
    side_by_side,
)

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (
    *batch.CLAIMS,
    *estimator.CLAIMS,
    *sampled.CLAIMS,
    *descent.CLAIMS,
    *nonconvex.CLAIMS,
    *accelerated.CLAIMS,
    *extragradient.CLAIMS,
    *lower_bounds.CLAIMS,
    *laws.CLAIMS,
)

COMPARISONS: tuple[Comparison, ...] = side_by_side.COMPARISONS
