# SPDX-License-Identifier: Apache-2.0
"""What does the work of a command: this process, or the workers of a cluster."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .progress import RunProgress
from .requirements import CLUSTER, missing_packages
from .statuses import UsageError

__all__ = ["attempts_of", "engine_of"]


@contextmanager
def engine_of(
    options: argparse.Namespace,
    seeds: int,
    environment: dict[str, Any],
    protocol: Any,
    progress: RunProgress,
) -> Iterator[Any]:
    """What evaluates the claims: threads of this process, or workers."""
    environment["workers"] = None
    if options.workers == 1 and options.scheduler is None:
        import jax

        from .simulation.engine import InThreads
        from .simulation.laboratory import Laboratory

        laboratory = Laboratory(
            seeds=seeds,
            master_seed=environment["master_seed"],
            protocol=protocol,
            on_block=progress.detail,
        )
        yield InThreads(laboratory, len(jax.devices()), options.time_limit)
        return
    with _workers(options, progress.say) as client:
        from .cluster.client import OnCluster
        from .cluster.worker import Run

        run = Run(
            claims=tuple(str(path.resolve()) for path in options.claims),
            seeds=seeds,
            master_seed=environment["master_seed"],
            protocol=protocol,
            time_limit=options.time_limit,
            keeps_programs=not options.no_cache,
            cache=None if options.cache is None else str(options.cache.resolve()),
        )
        environment["workers"] = len(client.nthreads())
        yield OnCluster(client, run, progress.say)


@contextmanager
def attempts_of(options: argparse.Namespace, claim: Any) -> Iterator[Any]:
    """What makes the restarts of a search: workers, or None for this process."""
    if options.workers == 1 and options.scheduler is None:
        yield None
        return
    with _workers(options, lambda line: print(line, flush=True)) as client:
        from .cluster.attack import Attacked, on_workers
        from .records.fingerprint import fingerprint
        from .statistics.protocol import Protocol

        files, protocol = tuple(str(path.resolve()) for path in options.claims), Protocol()
        attacked = Attacked(
            claim.id,
            fingerprint(claim, protocol),
            files,
            options.constant,
            options.seed,
            protocol,
        )
        yield on_workers(client, attacked)


@contextmanager
def _workers(options: argparse.Namespace, say: Callable[[str], None]) -> Iterator[Any]:
    """A client of the workers that are asked for."""
    if missing := missing_packages(CLUSTER):
        raise UsageError(
            f"not installed: {', '.join(missing)}; --workers and --scheduler need the extra "
            '`cluster`: pip install "optzoo[cluster]"'
        )
    from .cluster.client import connected, local_workers

    reached = (
        local_workers(options.workers, say=say)
        if options.scheduler is None
        else connected(options.scheduler, say=say)
    )
    with reached as client:
        yield client
