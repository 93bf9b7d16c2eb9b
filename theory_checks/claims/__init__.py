"""All claims and comparisons, one package a paper."""

from ..claim import Claim
from ..comparison import Comparison
from . import frank_wolfe, three_pillars

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*frank_wolfe.CLAIMS, *three_pillars.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = (*frank_wolfe.COMPARISONS, *three_pillars.COMPARISONS)
