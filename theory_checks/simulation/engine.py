# SPDX-License-Identifier: Apache-2.0
"""What evaluates many claims, a few at a time: here, threads of this process.

A claim is a unit of work of its own: its numbers follow from its id, the seeds and the protocol,
and from nothing that ran before it or beside it. So it does not matter to them which engine, which
worker and which turn it gets.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ..claim import Claim
from ..side_by_side import SideBySide
from ..statistics import protocol as statistics
from . import workers
from .evaluation import evaluated
from .laboratory import Laboratory

__all__ = ["Engine", "InThreads", "Work"]


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be evaluated, and what its result depends on (see `records.fingerprint`)."""

    subject: Claim | SideBySide
    fingerprint: str


class Engine(Protocol):
    """Evaluates claims and methods side by side."""

    @property
    def protocol(self) -> statistics.Protocol:
        """How verdicts are reached."""

    @property
    def gradient_calls(self) -> float:
        """Single-sample gradients computed so far."""

    def outcomes(self, work: Sequence[Work]) -> Iterator[tuple[int, Any]]:
        """The number and the record of each as it is finished, or the exception instead of it."""


@dataclass(eq=False)
class InThreads:
    """Threads of this process, which share one laboratory.

    Most of a small claim's time is compilation, which uses one core: with a worker a core, one
    claim compiles while another runs.

    Args:
        laboratory: where the replicates come from.
        at_a_time: how many are evaluated at a time.
        time_limit: seconds after which one of them is given up.
    """

    laboratory: Laboratory
    at_a_time: int = 1
    time_limit: float = math.inf

    @property
    def protocol(self) -> statistics.Protocol:
        return self.laboratory.protocol

    @property
    def gradient_calls(self) -> float:
        return self.laboratory.gradient_calls

    def outcomes(self, work: Sequence[Work]) -> Iterator[tuple[int, Any]]:
        jobs = [partial(evaluated, one.subject, self.laboratory, one.fingerprint) for one in work]
        return workers.finished(jobs, workers=self.at_a_time, time_limit=self.time_limit)
