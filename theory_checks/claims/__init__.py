"""All claims and comparisons, one package a paper."""

from ..claim import Claim
from ..comparison import Comparison
from . import frank_wolfe, soap

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*frank_wolfe.CLAIMS, *soap.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = (*frank_wolfe.COMPARISONS, *soap.COMPARISONS)
