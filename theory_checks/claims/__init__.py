"""All claims and comparisons, one package a paper."""

from ..claim import Claim
from ..comparison import Comparison
from . import frank_wolfe, markovian_noise

__all__ = ["CLAIMS", "COMPARISONS"]

CLAIMS: tuple[Claim, ...] = (*frank_wolfe.CLAIMS, *markovian_noise.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = (*frank_wolfe.COMPARISONS, *markovian_noise.COMPARISONS)
