"""Replicates: processes and what is watched of them, experiments, and where they are kept."""

from .experiment import Experiment, log_spaced, simulate
from .iterations import AtIterations
from .process import Along, Mean, Process, Sum, Watch, held

__all__ = [
    "Along",
    "AtIterations",
    "Experiment",
    "Mean",
    "Process",
    "Sum",
    "Watch",
    "held",
    "log_spaced",
    "simulate",
]
