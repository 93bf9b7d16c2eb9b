# SPDX-License-Identifier: Apache-2.0
"""Replicates of a process, compiled once and spread over all devices.

A replicate is a pure function of its key, and the key of replicate r of an experiment is

    fold_in(fold_in(key(master seed), name of its randomness), r),

so adding an experiment moves no other experiment's numbers. Replicates run `lanes` at a time under
`vmap` and otherwise one after the other (`lax.map`): under `vmap` a `lax.cond` computes both of
its branches, which is ruinous where one of them is a rare full gradient. The program of a lane
does not depend on the number of devices, and so neither do its numbers.
"""

import hashlib
import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .process import Along, Position, Process, Watch

__all__ = ["Experiment", "simulate", "simulate_population"]

Metrics = dict[str, np.ndarray]
Watches = tuple[tuple[str, Watch], ...]


@dataclass(frozen=True, eq=False)
class Experiment:
    """A process, when it is looked at, what is watched, and how replicates share a program.

    What an experiment is, is all of this; its name is for progress lines, and for the random
    numbers where `randomness` is not given.

    Args:
        name: a few words; experiments of one name share their random numbers, whatever they do.
        process: what one replicate does.
        checkpoints: numbers of steps, increasing.
        watch: names -> watches; the process's own if None.
        lanes: replicates computed together under `vmap`; 1 wherever a step has a rare,
            expensive branch.
        randomness: experiments of one such name share their random numbers; `name` if None.

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
    watch: Mapping[str, Watch] | None = None
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

    @property
    def watches(self) -> Watches:
        """What is observed, as a static argument of the compiled program."""
        given = self.process.watch if self.watch is None else self.watch
        return tuple(sorted(given.items()))

    @cached_property
    def structure(self) -> Hashable:
        """All of it but its numbers and its name: what it takes to share a program."""
        leaves, structure = jax.tree.flatten(self.process)
        return (
            type(self.process),
            structure,
            tuple((np.shape(leaf), str(jnp.result_type(leaf))) for leaf in leaves),
            tuple(int(checkpoint) for checkpoint in self.checkpoints),
            self.watches,
        )

    @cached_property
    def identity(self) -> Hashable:
        """What the experiment is: equal for two exactly if their replicates have equal numbers.

        The process with its static fields and its numbers, the checkpoints, the watches, the lanes
        and the randomness.
        """
        leaves, structure = jax.tree.flatten(self.process)
        return (
            type(self.process),
            structure,
            tuple(_digest(leaf) for leaf in leaves),
            tuple(int(checkpoint) for checkpoint in self.checkpoints),
            self.watches,
            self.lanes,
            self.randomness or self.name,
        )


def _digest(leaf: Any) -> Hashable:
    if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return array.shape, str(array.dtype), digest


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
        >>> from theory_checks.claims.frank_wolfe.processes import line_test
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
    keys = _keys(family, jnp.arange(first, first + padded))
    metrics = _replicates(
        experiment.process,
        jax.device_put(keys, NamedSharding(mesh, PartitionSpec("replicates"))),
        jnp.asarray(np.asarray(experiment.checkpoints)),
        experiment.watches,
        mesh,
        experiment.lanes,
    )
    table = np.asarray(metrics, dtype=np.float64)[:count]
    return {label: table[..., j] for j, (label, _) in enumerate(experiment.watches)}


def simulate_population(
    experiments: Sequence[Experiment],
    *,
    first: int,
    count: int,
    master_seed: int = 0,
    devices: Sequence[jax.Device] | None = None,
) -> list[Metrics]:
    """The same replicates of many experiments that differ in their numbers alone, as one program.

    All draw the same random numbers, those of the first one: they are compared with each other.

    Args:
        experiments: one structure, one set of shapes, checkpoints and watches for all.
        first: index of the first replicate, at least 0.
        count: number of replicates, at least 1.
        master_seed: the one seed of the whole run.
        devices: where to run; all devices of jax by default. The numbers do not depend on it.

    Returns:
        The metrics of each, see `simulate`.

    Raises:
        ValueError: if they differ in more than numbers, or `first` or `count` is out of range.

    Example:
        >>> from theory_checks.claims.frank_wolfe.processes import line_test
        >>> runs = [line_test(restart_probability=p, step=0.1) for p in (0.2, 0.5, 1.0)]
        >>> lines = [Experiment("line", run, (1, 10)) for run in runs]
        >>> [metrics["squared_error"].shape for metrics in simulate_population(
        ...     lines, first=0, count=4)]
        [(4, 2), (4, 2), (4, 2)]
    """
    if first < 0 or count < 1:
        raise ValueError(f"need first >= 0 and count >= 1, got {first} and {count}")
    kinds = {experiment.structure for experiment in experiments}
    if len(kinds) != 1:
        raise ValueError(
            f"a population needs experiments that differ in numbers alone, got {len(kinds)} kinds"
        )
    leader = experiments[0]
    mesh = _mesh(tuple(devices) if devices is not None else tuple(jax.devices()))
    padded = -(-count // mesh.size) * mesh.size
    name = zlib.crc32((leader.randomness or leader.name).encode())
    family = jax.random.fold_in(jax.random.key(master_seed), name)
    keys = _keys(family, jnp.arange(first, first + padded))
    processes = jax.tree.map(
        lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]),
        *(experiment.process for experiment in experiments),
    )
    metrics = _population(
        processes,
        jax.device_put(keys, NamedSharding(mesh, PartitionSpec("replicates"))),
        jnp.asarray(np.asarray(leader.checkpoints)),
        leader.watches,
        mesh,
    )
    tables = np.asarray(metrics, dtype=np.float64)[:count]
    return [
        {label: tables[:, i, :, j] for j, (label, _) in enumerate(leader.watches)}
        for i in range(len(experiments))
    ]


@jax.jit
@partial(jax.vmap, in_axes=(None, 0))
def _keys(family: jax.Array, replicate: jax.Array) -> jax.Array:
    """The keys of a replicate's start and of its steps; of no process, so compiled once for all."""
    return jax.random.split(jax.random.fold_in(family, replicate))


@lru_cache
def _mesh(devices: tuple[jax.Device, ...]) -> Mesh:
    return Mesh(np.array(devices), ("replicates",))


_OnKeys = Callable[[Any, jax.Array, jax.Array], jax.Array]


def _on_each_device(mesh: Mesh) -> Callable[[_OnKeys], _OnKeys]:
    """Runs a function of processes, keys and checkpoints with each device's share of the keys."""
    everywhere, spread = PartitionSpec(), PartitionSpec("replicates")
    return partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(everywhere, spread, everywhere),
        out_specs=spread,
        check_vma=False,
    )


@partial(jax.jit, static_argnames=("watches", "mesh", "lanes"))
def _replicates(
    process: Process,
    keys: jax.Array,
    checkpoints: jax.Array,
    watches: Watches,
    mesh: Mesh,
    lanes: int,
) -> jax.Array:
    """What is watched, shape (replicates, checkpoints, watches)."""

    @_on_each_device(mesh)
    def on_a_device(process: Process, keys: jax.Array, checkpoints: jax.Array) -> jax.Array:
        return jax.lax.map(
            lambda key: _replicate(process, key, checkpoints, watches),
            keys,
            batch_size=lanes if lanes > 1 else None,
        )

    return on_a_device(process, keys, checkpoints)


@partial(jax.jit, static_argnames=("watches", "mesh"))
def _population(
    processes: Process, keys: jax.Array, checkpoints: jax.Array, watches: Watches, mesh: Mesh
) -> jax.Array:
    """What is watched, shape (replicates, processes, checkpoints, watches)."""

    @_on_each_device(mesh)
    def on_a_device(processes: Process, keys: jax.Array, checkpoints: jax.Array) -> jax.Array:
        return jax.vmap(
            lambda key: jax.vmap(lambda process: _replicate(process, key, checkpoints, watches))(
                processes
            )
        )(keys)

    return on_a_device(processes, keys, checkpoints)


def _replicate(
    process: Process, keys: jax.Array, checkpoints: jax.Array, watches: Watches
) -> jax.Array:
    start_key, step_key = keys
    along = {name: watch for name, watch in watches if isinstance(watch, Along)}

    def step(k: jax.Array, carry: tuple[Position, Any]) -> tuple[Position, Any]:
        before, memories = carry
        after = process.step(before, k, jax.random.fold_in(step_key, k))
        return after, {
            name: watch.add(memories[name], process, k, before, after)
            for name, watch in along.items()
        }

    def to_checkpoint(
        reached: tuple[jax.Array, Position, Any], checkpoint: jax.Array
    ) -> tuple[tuple[jax.Array, Position, Any], jax.Array]:
        k, position, memories = reached
        position, memories = jax.lax.fori_loop(k, checkpoint, step, (position, memories))
        seen = [
            watch.read(memories[name]) if isinstance(watch, Along) else watch(process, position)
            for name, watch in watches
        ]
        # In one array: each of its own would be written by programs of its own.
        return (checkpoint, position, memories), jnp.stack([jnp.asarray(v, float) for v in seen])

    memories = {name: watch.start() for name, watch in along.items()}
    start = (jnp.zeros_like(checkpoints[0]), process.init(start_key), memories)
    return jax.lax.scan(to_checkpoint, start, checkpoints)[1]
