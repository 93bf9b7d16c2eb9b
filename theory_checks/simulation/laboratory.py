# SPDX-License-Identifier: Apache-2.0
"""Where checks get their replicates: each is simulated once, whoever asks for it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from numpy.typing import NDArray

from ..statistics.protocol import Protocol
from .experiment import Experiment, simulate, simulate_population

__all__ = ["Laboratory"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class Laboratory:
    """Simulates replicates in blocks of `seeds`, keeps them, and counts the oracle calls.

    Args:
        seeds: replicates of a first look, S; also the block that is compiled for.
        master_seed: the one seed of the run.
        protocol: how verdicts are reached.
        devices: where to simulate; all of jax's by default.
        on_block: called with a line of text after every block, for progress.
    """

    seeds: int = 32
    master_seed: int = 0
    protocol: Protocol = field(default_factory=Protocol)
    devices: Sequence[jax.Device] | None = None
    on_block: Callable[[str], None] = lambda line: None
    gradient_calls: float = 0.0
    _blocks: dict[tuple[Hashable, int], dict[str, Array]] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[Hashable, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ValueError(f"seeds must be at least 2, got {self.seeds}")

    def sample(self, experiment: Experiment, first: int, count: int) -> dict[str, Array]:
        """Metrics of replicates first, ..., first + count - 1, each of shape (count, points)."""
        wanted = range(first // self.seeds, -(-(first + count) // self.seeds))
        with self._locks[
            experiment.identity
        ]:  # claims that share an experiment wait for each other
            blocks = [self._block(experiment, index) for index in wanted]
        offset = first - wanted.start * self.seeds
        return {
            name: np.concatenate([block[name] for block in blocks])[offset : offset + count]
            for name in blocks[0]
        }

    def prepare(self, experiments: Sequence[Experiment]) -> None:
        """Simulates the first block of many experiments, all of one kind as one program.

        `sample` then has them; of one kind are those that differ in their numbers alone.
        """
        kinds: dict[Hashable, list[Experiment]] = defaultdict(list)
        for experiment in experiments:
            kinds[experiment.structure].append(experiment)
        for alike in kinds.values():
            tables = simulate_population(
                alike,
                first=0,
                count=self.seeds,
                master_seed=self.master_seed,
                devices=self.devices,
            )
            for experiment, metrics in zip(alike, tables, strict=True):
                self._blocks[experiment.identity, 0] = metrics

    def _block(self, experiment: Experiment, index: int) -> dict[str, Array]:
        place = (experiment.identity, index)
        if place not in self._blocks:
            metrics = simulate(
                experiment,
                first=index * self.seeds,
                count=self.seeds,
                master_seed=self.master_seed,
                devices=self.devices,
            )
            if "gradient_calls" in metrics:
                with self._counting:
                    self.gradient_calls += float(metrics["gradient_calls"][:, -1].sum())
            self._blocks[place] = metrics
            self.on_block(f"{experiment.name}: {(index + 1) * self.seeds} seeds")
        return self._blocks[place]
