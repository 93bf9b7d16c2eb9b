"""Where checks get their replicates: each is simulated once, whoever asks for it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from numpy.typing import NDArray

from .simulation import Experiment, simulate

__all__ = ["Laboratory"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class Laboratory:
    """Simulates replicates in blocks of `seeds`, keeps them, and counts the oracle calls.

    Args:
        seeds: replicates of a first look, S; also the block that is compiled for.
        master_seed: the one seed of the run.
        alpha: probability of refuting a true claim, at most.
        devices: where to simulate; all of jax's by default.
        on_block: called with a line of text after every block, for progress.
    """

    seeds: int = 32
    master_seed: int = 0
    alpha: float = 1e-3
    devices: Sequence[jax.Device] | None = None
    on_block: Callable[[str], None] = lambda line: None
    gradient_calls: float = 0.0
    _blocks: dict[tuple[str, int], dict[str, Array]] = field(default_factory=dict)
    _known: dict[str, Experiment] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ValueError(f"seeds must be at least 2, got {self.seeds}")

    def sample(self, experiment: Experiment, first: int, count: int) -> dict[str, Array]:
        """Metrics of replicates first, ..., first + count - 1, each of shape (count, points)."""
        known = self._known.setdefault(experiment.name, experiment)
        if not _same(known, experiment):
            raise ValueError(f"two experiments have the name {experiment.name!r}")
        wanted = range(first // self.seeds, -(-(first + count) // self.seeds))
        with self._locks[experiment.name]:  # claims that share an experiment wait for each other
            blocks = [self._block(experiment, index) for index in wanted]
        offset = first - wanted.start * self.seeds
        return {
            name: np.concatenate([block[name] for block in blocks])[offset : offset + count]
            for name in blocks[0]
        }

    def _block(self, experiment: Experiment, index: int) -> dict[str, Array]:
        place = (experiment.name, index)
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


def _same(one: Experiment, other: Experiment) -> bool:
    if one.process is other.process:
        return True
    leaves, others = jax.tree.leaves(one.process), jax.tree.leaves(other.process)
    return type(one.process) is type(other.process) and (
        len(leaves) == len(others) and all(map(np.array_equal, leaves, others))
    )
