# SPDX-License-Identifier: Apache-2.0
"""Hands claims to the workers of a Dask cluster, and hears what comes of them.

Dask retries what a dying worker leaves behind and gives up what several died with. Here is what it
does not know of: which of the claims on those workers it was, a claim over its time limit, whose
worker is started anew, and what must become of the run when the scheduler is gone.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import CancelledError, Client, KilledWorker, LocalCluster

from ..devices import cores_here
from ..simulation.engine import Work
from ..statistics.protocol import Protocol
from . import ClusterError, UnreachableError
from .worker import Job, Outcome, Run, evaluate

__all__ = ["LOOK_EVERY", "OnCluster", "connected", "died", "gone", "local_workers"]

LOST_WORKERS = 2
"""A claim that so many workers of this machine died with is suspected of it."""
LOOK_EVERY = 0.05
"""Seconds between two looks at what is finished."""
_SAY_EVERY = 60.0
_PATIENCE = 10.0
_DASHBOARD = 8787


@dataclass(eq=False)
class OnCluster:
    """The workers of a Dask cluster as an engine; see `simulation.engine.Engine`.

    Args:
        client: connected to the scheduler.
        run: what all claims have in common.
        say: prints a line, where something takes long.
        gradient_calls: single-sample gradients computed so far.
    """

    client: Client
    run: Run
    say: Callable[[str], None] = lambda line: None
    gradient_calls: float = 0.0

    @property
    def protocol(self) -> Protocol:
        """How verdicts are reached."""
        return self.run.protocol

    def outcomes(self, work: Sequence[Work]) -> Iterator[tuple[int, Any]]:
        """The number and the record of each as it is finished, or the exception instead of it.

        Args:
            work: what to evaluate.

        Yields:
            Number, and record or exception.

        Raises:
            ClusterError: if the scheduler goes away.
        """
        token = f"{os.getpid()}-{time.time_ns()}"  # what an earlier run asked for is not this
        waiting = {number: self._handed_out(one, number, token) for number, one in enumerate(work)}
        suspects: deque[int] = deque()
        tried_alone: set[int] = set()
        said = time.monotonic()
        try:
            while waiting or suspects:
                if not waiting:  # was it this one that they died of, or one beside it?
                    number = suspects.popleft()
                    tried_alone.add(number)
                    waiting[number] = self._handed_out(work[number], number, f"{token}-alone")
                finished = [number for number, future in waiting.items() if future.done()]
                if any(waiting[number].status == "cancelled" for number in finished):
                    raise gone(self.client)
                for number in finished:
                    found = self._heard(waiting.pop(number), work[number].subject.id)
                    if isinstance(found, _WorkersDiedError) and number not in tried_alone:
                        suspects.append(number)
                    else:
                        yield number, found
                if not finished:
                    said = self._patience(said, len(waiting))
        finally:
            for future in waiting.values():
                future.cancel()

    def _handed_out(self, one: Work, number: int, token: str) -> Any:
        return self.client.submit(
            evaluate,
            Job(one.subject.id, one.fingerprint, self.run),
            key=f"{one.subject.id}-{token}",
            priority=-number,
            pure=False,
        )

    def _heard(self, future: Any, name: str) -> Any:
        """The record that a job made, or an exception with the reason why there is none."""
        try:
            outcome: Outcome = future.result()
        except KilledWorker as error:
            return _WorkersDiedError(
                f"{name}: {died(error)} with it, and again with nothing beside it (killed, or out "
                "of memory)"
            )
        except CancelledError:  # it was finished, and is out of reach
            raise gone(self.client) from None
        except Exception as error:  # what cannot be carried over the wire, for one
            return RuntimeError(f"{name}: {type(error).__name__}: {error}")
        self.gradient_calls += outcome.gradient_calls
        if outcome.overtime:
            self._started_anew(outcome.worker)
        return ValueError(outcome.reason) if outcome.record is None else outcome.record

    def _started_anew(self, worker: str) -> None:
        """Ends the process in which a claim goes on that was given up.

        Where nobody starts workers anew, it is left to itself: the others are worth having.
        """
        try:
            self.client.restart_workers([worker], timeout=30, raise_for_error=False)
        except Exception as error:
            self.say(f"the worker {worker} goes on with a claim that was given up: {error}")

    def _patience(self, said: float, left: int) -> float:
        time.sleep(LOOK_EVERY)
        if time.monotonic() - said < _SAY_EVERY:
            return said
        if not self.client.scheduler_info(n_workers=-1)["workers"]:
            address = _address(self.client)
            self.say(f"no worker is connected to {address}; {left} claims are waiting for one")
        return time.monotonic()


class _WorkersDiedError(RuntimeError):
    """Several workers died that had a claim."""


def died(error: KilledWorker) -> str:
    """How many workers died, in words."""
    return f"{error.allowed_failures + 1} workers died"


def _address(client: Client) -> str:
    scheduler: Any = client.scheduler
    return str(scheduler.address)


def gone(client: Client) -> ClusterError:
    """That the scheduler does not answer any more."""
    return ClusterError(f"the scheduler at {_address(client)} went away")


@contextmanager
def local_workers(
    count: int, *, memory: str | int = "auto", say: Callable[[str], None] = lambda line: None
) -> Iterator[Client]:
    """Processes of this machine, each with its share of the cores, until the block ends.

    Args:
        count: how many processes.
        memory: that each may take, as Dask writes it; an equal share of the machine's by default.
        say: prints a line: where the dashboard is.

    Yields:
        A client that is connected to them.
    """
    share = max(1, cores_here() // count)
    settings = {"distributed.scheduler.allowed-failures": LOST_WORKERS - 1}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=count,
            threads_per_worker=share,
            memory_limit=memory,
            silence_logs="CRITICAL",
            dashboard_address=f"127.0.0.1:{_free(_DASHBOARD)}",
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        of_cores = "a core" if share == 1 else f"{share} cores"
        say(f"{count} workers of {of_cores} each; dashboard: {client.dashboard_link}")
        yield client


def _free(port: int) -> int:
    """The port, or 0, which is any, where another program has it."""
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


@contextmanager
def connected(address: str, *, say: Callable[[str], None] = lambda line: None) -> Iterator[Client]:
    """A cluster that somebody started.

    Args:
        address: of its scheduler, such as tcp://10.0.0.1:8786, or the file that it wrote.
        say: prints a line: how many workers there are, and where the dashboard is.

    Yields:
        A client that is connected to it.

    Raises:
        UnreachableError: if there is no scheduler.
    """
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        if "scheduler_file" in where:  # Dask would wait for it without end
            Path(address).read_bytes()
        client = Client(**where, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UnreachableError(f"--scheduler {address}: no scheduler answers: {error}") from None
    with client:
        threads = client.nthreads()
        say(
            f"{len(threads)} workers with {sum(threads.values())} threads at "
            f"{_address(client)}; dashboard: {client.dashboard_link}"
        )
        yield client
