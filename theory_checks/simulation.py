"""Replicates of a process, compiled once and spread over all devices.

A replicate is a pure function of its key, and the key of replicate r of an experiment is

    fold_in(fold_in(key(master seed), name of its randomness), r),

so adding an experiment moves no other experiment's numbers. Replicates run `lanes` at a time under
`vmap` and otherwise one after the other (`lax.map`): under `vmap` a `lax.cond` computes both of
its branches, which is ruinous where one of them is a rare full gradient. The program of a lane
does not depend on the number of devices, and so neither do its numbers.
"""

import abc
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["Experiment", "Process", "simulate"]

Carry = Any
Metrics = dict[str, np.ndarray]


class Process(abc.ABC):
    """A method on a problem: what one replicate does.

    Subclasses are dataclasses registered by `optzoo.problems.pytree_dataclass`; their arrays are
    arguments of the compiled program, so that instances of one shape share it.
    """

    @abc.abstractmethod
    def init(self, key: jax.Array) -> Carry:
        """The state before the first step."""

    @abc.abstractmethod
    def step(self, carry: Carry, k: jax.Array, key: jax.Array) -> Carry:
        """Step k (counted from 0); the key is fresh for every step."""

    @abc.abstractmethod
    def measure(self, carry: Carry) -> dict[str, jax.Array]:
        """What is observed at a checkpoint: names -> scalars."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """A process, the checkpoints it is observed at, and how many replicates share a program.

    Args:
        name: unique.
        process: what one replicate does.
        checkpoints: numbers of steps, increasing.
        lanes: replicates computed together under `vmap`; 1 wherever a step has a rare,
            expensive branch.
        randomness: experiments of one such name share their random numbers; the experiment's own
            name by default.

    Raises:
        ValueError: if the checkpoints are not increasing, or `lanes` is not positive.

    Example:
        >>> Experiment("walk", process=None, checkpoints=(1, 1))
        Traceback (most recent call last):
        ValueError: checkpoints must be non-negative and increasing, got (1, 1)
    """

    name: str
    process: Process
    checkpoints: Sequence[int]
    lanes: int = 1
    randomness: str | None = None

    def __post_init__(self) -> None:
        grid = np.asarray(self.checkpoints)
        if len(grid) == 0 or grid[0] < 0 or np.any(np.diff(grid) <= 0):
            raise ValueError(
                f"checkpoints must be non-negative and increasing, got {self.checkpoints}"
            )
        if self.lanes < 1:
            raise ValueError(f"lanes must be at least 1, got {self.lanes}")


def simulate(
    experiment: Experiment,
    *,
    first: int,
    count: int,
    master_seed: int = 0,
    devices: Sequence[jax.Device] | None = None,
) -> Metrics:
    """Replicates first, ..., first + count - 1 of an experiment.

    Args:
        experiment: what to run.
        first: index of the first replicate, at least 0.
        count: number of replicates, at least 1.
        master_seed: the one seed of the whole run.
        devices: where to run; all devices of jax by default. The numbers do not depend on it.

    Returns:
        Names of the metrics -> float64 arrays of shape (count, checkpoints).

    Raises:
        ValueError: if `first` or `count` is out of range.

    Example:
        >>> from theory_checks.simulation import Experiment, simulate
        >>> from theory_checks.claims.frank_wolfe.process import line_test
        >>> run = Experiment("line", line_test(restart_probability=0.5, step=0.1), (1, 10, 100))
        >>> simulate(run, first=0, count=4)["squared_error"].shape
        (4, 3)
    """
    if first < 0 or count < 1:
        raise ValueError(f"need first >= 0 and count >= 1, got {first} and {count}")
    mesh = _mesh(tuple(devices) if devices is not None else tuple(jax.devices()))
    block = experiment.lanes * mesh.size
    padded = -(-count // block) * block
    name = zlib.crc32((experiment.randomness or experiment.name).encode())
    family = jax.random.fold_in(jax.random.key(master_seed), name)
    keys = jax.vmap(partial(jax.random.fold_in, family))(jnp.arange(first, first + padded))
    metrics = _replicates(
        experiment.process,
        jax.device_put(keys, NamedSharding(mesh, PartitionSpec("replicates"))),
        jnp.asarray(np.asarray(experiment.checkpoints)),
        mesh,
        experiment.lanes,
    )
    return {
        label: np.asarray(values, dtype=np.float64)[:count] for label, values in metrics.items()
    }


@lru_cache
def _mesh(devices: tuple[jax.Device, ...]) -> Mesh:
    return Mesh(np.array(devices), ("replicates",))


@partial(jax.jit, static_argnames=("mesh", "lanes"))
def _replicates(
    process: Process, keys: jax.Array, checkpoints: jax.Array, mesh: Mesh, lanes: int
) -> dict[str, jax.Array]:
    everywhere, spread = PartitionSpec(), PartitionSpec("replicates")

    @partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(everywhere, spread, everywhere),
        out_specs=spread,
        check_vma=False,
    )
    def on_a_device(
        process: Process, keys: jax.Array, checkpoints: jax.Array
    ) -> dict[str, jax.Array]:
        return jax.lax.map(
            lambda key: _replicate(process, key, checkpoints),
            keys,
            batch_size=lanes if lanes > 1 else None,
        )

    return on_a_device(process, keys, checkpoints)


def _replicate(process: Process, key: jax.Array, checkpoints: jax.Array) -> dict[str, jax.Array]:
    start_key, step_key = jax.random.split(key)

    def step(k: jax.Array, carry: Carry) -> Carry:
        return process.step(carry, k, jax.random.fold_in(step_key, k))

    def to_checkpoint(
        position: tuple[jax.Array, Carry], checkpoint: jax.Array
    ) -> tuple[tuple[jax.Array, Carry], dict[str, jax.Array]]:
        reached, carry = position
        carry = jax.lax.fori_loop(reached, checkpoint, step, carry)
        return (checkpoint, carry), process.measure(carry)

    start = (jnp.zeros_like(checkpoints[0]), process.init(start_key))
    return jax.lax.scan(to_checkpoint, start, checkpoints)[1]
