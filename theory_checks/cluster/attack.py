# SPDX-License-Identifier: Apache-2.0
"""Restarts of a search on the workers of a cluster: those of a round side by side.

They begin with the same knowledge and are taken in the order of their numbers, so the search is the
one that a single process makes; it only comes further in its time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from distributed import CancelledError, Client, KilledWorker, get_worker

from ..devices import use_cores
from ..statistics.protocol import Protocol
from . import ClusterError
from .client import LOOK_EVERY, died, gone

__all__ = ["Attacked", "attempt", "on_workers"]


@dataclass(frozen=True)
class Attacked:
    """What is searched, in words that a worker understands.

    Attributes:
        claim: the id of the claim whose theorem is attacked.
        fingerprint: what its numbers depend on, see `records.fingerprint`.
        claims: files with claims of one's own, as the workers find them.
        constant: whose share is searched for.
        seed: of the search.
        protocol: how a violation is decided.
    """

    claim: str
    fingerprint: str
    claims: tuple[str, ...]
    constant: str | None
    seed: int
    protocol: Protocol


def attempt(attacked: Attacked, number: int, best: Any, known: int, seconds: float) -> Any:
    """Makes one restart on a worker.

    Args:
        attacked: what is searched.
        number: of the restart.
        best: what is known.
        known: instances looked at before.
        seconds: that it may take.

    Returns:
        What it found, an `Attempt`.

    Raises:
        ValueError: if the worker has another claim of this id, or none.
    """
    search = _search(attacked, get_worker().state.nthreads)
    search.known = known
    return search.attempt(number, best, seconds)


@cache
def _search(attacked: Attacked, cores: int) -> Any:
    use_cores(cores)
    from ..records.fingerprint import fingerprint
    from ..registration import collected, registered
    from ..worst_case.attack.outcome import families_of
    from ..worst_case.attack.search import Search

    subjects: list[Any] = collected(registered([Path(path) for path in attacked.claims]))
    claim = next((one for one in subjects if one.id == attacked.claim), None)
    if claim is None or fingerprint(claim, attacked.protocol) != attacked.fingerprint:
        raise ValueError(
            f"{attacked.claim}: a worker has other code, data or versions of packages; install the "
            "same, and start it anew"
        )
    return Search(
        claim.theorem, families_of(claim), attacked.constant, attacked.seed, attacked.protocol
    )


def on_workers(client: Client, attacked: Attacked) -> Callable[..., Iterator[Any]]:
    """What makes the restarts of a search, for `Search.run`.

    Args:
        client: connected to the workers.
        attacked: what is searched.

    Returns:
        A function of the search, the numbers of a round, and the seconds that are left.
    """

    def attempts(search: Any, numbers: Sequence[int], seconds: float) -> Iterator[Any]:
        token, best = time.time_ns(), dict(search.best)
        futures = [
            client.submit(
                attempt,
                attacked,
                number,
                best,
                search.evaluations,
                seconds,
                key=f"{attacked.claim}-restart-{number}-{token}",
                priority=-number,
                pure=False,
            )
            for number in numbers
        ]
        try:
            for future in futures:
                yield _found(future, client)
        finally:
            for future in futures:
                future.cancel()

    return attempts


def _found(future: Any, client: Client) -> Any:
    while not future.done():
        time.sleep(LOOK_EVERY)
    try:
        return future.result()
    except CancelledError:
        raise gone(client) from None
    except KilledWorker as error:
        raise ClusterError(f"{died(error)} with one restart (killed, or out of memory)") from None
