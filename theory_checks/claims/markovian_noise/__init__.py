"""Claims on first-order methods under Markovian noise: estimator, bounds along runs, laws."""

from ...claim import Claim
from . import accelerated, batch, descent, estimator, extragradient

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *batch.CLAIMS,
    *estimator.CLAIMS,
    *descent.CLAIMS,
    *accelerated.CLAIMS,
    *extragradient.CLAIMS,
)
