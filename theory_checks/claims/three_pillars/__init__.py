# SPDX-License-Identifier: Apache-2.0
"""Claims on Three Pillars: its step, its second moments, its rates and laws, what it sends."""

from ...claim import Claim
from ...side_by_side import SideBySide
from . import (
    hardest,
    independence,
    inexact,
    laws,
    local_steps,
    messages,
    moments,
    one_step,
    rates,
    side_by_side,
    worst_step,
)

__all__ = ["CLAIMS", "SIDE_BY_SIDE"]

CLAIMS: tuple[Claim, ...] = (
    *one_step.CLAIMS,
    *worst_step.CLAIMS,
    *hardest.CLAIMS,
    *messages.CLAIMS,
    *independence.CLAIMS,
    *local_steps.CLAIMS,
    *inexact.CLAIMS,
    *moments.CLAIMS,
    *rates.CLAIMS,
    *laws.CLAIMS,
)

SIDE_BY_SIDE: tuple[SideBySide, ...] = side_by_side.SIDE_BY_SIDE
