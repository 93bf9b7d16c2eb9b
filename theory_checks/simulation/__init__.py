"""Replicates: processes and what is watched of them, experiments, and where they are kept."""

from .checkpoints import log_spaced
from .experiment import Experiment, simulate
from .family import Family, of_each
from .iterations import AtIterations
from .process import Along, Mean, Process, Sum, Watch, held

__all__ = [
    "Along",
    "AtIterations",
    "Experiment",
    "Family",
    "Mean",
    "Process",
    "Sum",
    "Watch",
    "held",
    "log_spaced",
    "of_each",
    "simulate",
]
