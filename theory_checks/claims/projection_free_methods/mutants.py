"""Mistakes in the stochastic methods, each in the place of the shipped one."""

from typing import Any

import optzoo

from ..frank_wolfe.processes import Transformation

__all__ = ["first_micro_batch_only", "without_memory"]


def first_micro_batch_only(*more: Any, samples_per_step: Any, **named: Any) -> Transformation:
    """Every micro batch makes a step: the batches do not grow."""
    return optzoo.stochastic_frank_wolfe(*more, samples_per_step=1, **named)


def without_memory(*more: Any, momentum: Any = None, **named: Any) -> Transformation:
    """No momentum: every step goes along its own batch."""
    return optzoo.momentum_frank_wolfe(*more, momentum=1.0, **named)
