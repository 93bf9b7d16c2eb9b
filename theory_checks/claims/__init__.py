"""All claims and what stands side by side, one package a paper."""

from ..claim import Claim
from ..side_by_side import SideBySide
from . import frank_wolfe, ito_chains, markovian_noise, soap, three_pillars

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

_PAPERS = (frank_wolfe, ito_chains, markovian_noise, soap, three_pillars)

CLAIMS: tuple[Claim, ...] = tuple(claim for paper in _PAPERS for claim in paper.CLAIMS)

SIDE_BY_SIDE: tuple[SideBySide, ...] = tuple(
    beside for paper in _PAPERS for beside in paper.SIDE_BY_SIDE
)
