# SPDX-License-Identifier: Apache-2.0
"""Replicates: processes and what is watched of them, experiments, and where they are kept."""

from .checkpoints import log_spaced
from .experiment import Experiment, simulate
from .iterations import AtIterations
from .process import Along, Mean, Process, Sum, Watch, held
from .sweep import Sweep, of_each

__all__ = [
    "Along",
    "AtIterations",
    "Experiment",
    "Mean",
    "Process",
    "Sum",
    "Sweep",
    "Watch",
    "held",
    "log_spaced",
    "of_each",
    "simulate",
]
