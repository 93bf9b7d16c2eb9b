"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
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
)

__all__ = ["CLAIMS"]

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
