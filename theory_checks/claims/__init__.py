"""All claims and comparisons, one package a paper."""

from ..claim import Claim
from ..comparison import Comparison
from . import frank_wolfe, ito_chains

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*frank_wolfe.CLAIMS, *ito_chains.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = (*frank_wolfe.COMPARISONS, *ito_chains.COMPARISONS)
