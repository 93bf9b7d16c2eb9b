"""All claims and comparisons, one package a paper."""

from ..claim import Claim
from ..side_by_side import Comparison
from . import frank_wolfe, ito_chains, markovian_noise, soap, three_pillars

__all__ = ["CLAIMS", "COMPARISONS"]

_PAPERS = (frank_wolfe, ito_chains, markovian_noise, soap, three_pillars)

CLAIMS: tuple[Claim, ...] = tuple(claim for paper in _PAPERS for claim in paper.CLAIMS)

COMPARISONS: tuple[Comparison, ...] = tuple(
    comparison for paper in _PAPERS for comparison in paper.COMPARISONS
)
