"""Replicates: processes and what is watched of them, experiments, and where they are kept."""

from .experiment import Experiment, simulate
from .process import Along, Mean, Process, Sum, Watch, held

__all__ = ["Along", "Experiment", "Mean", "Process", "Sum", "Watch", "held", "simulate"]
