# SPDX-License-Identifier: Apache-2.0
"""Attack: the search for the instance that makes a theorem tight, or breaks it."""

from .gradient_methods import METRICS, gradient_families
from .outcome import load
from .space import InstanceFamily, OneOf, Real, Whole

__all__ = [
    "METRICS",
    "InstanceFamily",
    "OneOf",
    "Real",
    "Whole",
    "gradient_families",
    "load",
]
