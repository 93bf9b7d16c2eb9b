# SPDX-License-Identifier: Apache-2.0
"""All claims, families of instances and what stands side by side, one package a paper."""

from ..claim import Claim
from ..side_by_side import SideBySide
from ..worst_case.attack.space import InstanceFamily
from . import (
    distributed_methods,
    frank_wolfe,
    ito_chains,
    markovian_noise,
    projection_free_methods,
    soap,
    three_pillars,
)
from .frank_wolfe import families as _frank_wolfe
from .ito_chains import families as _ito_chains
from .markovian_noise import families as _markovian_noise
from .soap import families as _soap
from .three_pillars import families as _three_pillars

__all__ = ["CLAIMS", "FAMILIES", "SIDE_BY_SIDE"]

_PAPERS = (
    frank_wolfe,
    ito_chains,
    markovian_noise,
    soap,
    three_pillars,
    distributed_methods,
    projection_free_methods,
)

CLAIMS: tuple[Claim, ...] = tuple(claim for paper in _PAPERS for claim in paper.CLAIMS)

FAMILIES: tuple[InstanceFamily, ...] = (
    *_frank_wolfe.FAMILIES,
    *_ito_chains.FAMILIES,
    *_markovian_noise.FAMILIES,
    *_soap.FAMILIES,
    *_three_pillars.FAMILIES,
)
"""Where a search looks for the hardest instances of the theorems; see `worst_case.attack`."""

SIDE_BY_SIDE: tuple[SideBySide, ...] = tuple(
    beside for paper in _PAPERS for beside in paper.SIDE_BY_SIDE
)
