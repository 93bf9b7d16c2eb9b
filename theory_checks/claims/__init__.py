"""All claims, one package a paper."""

from ..claim import Claim
from . import frank_wolfe

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (*frank_wolfe.CLAIMS,)
