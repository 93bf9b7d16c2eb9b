# SPDX-License-Identifier: Apache-2.0
"""Jobs in threads of their own, each with a time limit: one that never ends is left behind."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["NAME", "any_left", "finished"]

NAME = "theory-checks job"
_LOOK_EVERY = 0.2


def finished(
    jobs: Sequence[Callable[[], Any]], *, workers: int, time_limit: float
) -> Iterator[tuple[int, Any]]:
    """The outcomes of jobs as they come, a few running at a time.

    Threads cannot be stopped. They are daemons, so that an interrupt is heard at once and the
    process may end while one is still busy (see `any_left`).

    Args:
        jobs: what to run.
        workers: how many run at a time, those that were left behind not counted.
        time_limit: seconds that a job may take.

    Yields:
        The job's number, and what it returned, or the exception that it raised; a TimeoutError for
        one over the limit.

    Example:
        >>> [outcome for _, outcome in finished([lambda: 1], workers=1, time_limit=60)]
        [1]
    """
    outcomes: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    def work(number: int, job: Callable[[], Any]) -> None:
        try:
            outcomes.put((number, job()))
        except BaseException as error:
            outcomes.put((number, error))

    waiting = deque(enumerate(jobs))
    running: dict[int, float] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            number, job = waiting.popleft()
            running[number] = time.monotonic()
            threading.Thread(target=work, args=(number, job), name=NAME, daemon=True).start()
        try:
            number, outcome = outcomes.get(timeout=_LOOK_EVERY)
        except queue.Empty:
            now = time.monotonic()
            for number in [n for n, begun in running.items() if now - begun > time_limit]:
                del running[number]
                yield number, TimeoutError(f"stopped after the time limit of {time_limit:g} s")
            continue
        if running.pop(number, None) is not None:  # not one that was given up
            yield number, outcome


def any_left() -> bool:
    """Whether a job is still running, so that the process has to be ended under it."""
    return any(thread.name == NAME for thread in threading.enumerate())
