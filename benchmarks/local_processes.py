"""Processes of one program on this machine, which end together.

A collective waits for every process, so a process whose peer has died may wait for ever. Whoever
started them sees the death at once: it ends the others and says which one died of what.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

__all__ = ["ProcessDied", "end_with_launcher", "free_port", "run_together"]


class ProcessDied(RuntimeError):
    """Some of the processes ended with another status than 0, and the others were ended."""


def run_together(
    commands: Sequence[Sequence[str]],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = math.inf,
) -> None:
    """Run commands side by side until all have ended; the first that fails ends all.

    Args:
        commands: of process 0, 1, ..., each a program with its arguments.
        environment: of all of them; this process's own if None.
        seconds: that they have together.

    Raises:
        ProcessDied: if one ends with another status than 0.
        TimeoutError: if some have not ended in time.
    """
    processes: list[subprocess.Popen[bytes]] = []
    deadline = time.monotonic() + seconds
    try:
        for number, command in enumerate(commands):
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=environment))
            print(f"process {number} has pid {processes[-1].pid}", file=sys.stderr, flush=True)
        statuses: list[int | None] = [None]
        while None in statuses:
            statuses = [process.poll() for process in processes]
            if any(statuses):
                died = [
                    f"process {number} of {len(commands)} {_in_words(status)}"
                    for number, status in enumerate(statuses)
                    if status
                ]
                raise ProcessDied("; ".join(died))
            if time.monotonic() > deadline:
                raise TimeoutError(f"the processes have not ended after {seconds:g} seconds")
            time.sleep(0.05)
    finally:
        for process in processes:  # not terminated: jax takes SIGTERM for a warning
            process.kill()
            process.communicate()


def end_with_launcher() -> None:
    """End this process as soon as the one that called `run_together` is gone, however it went."""

    def wait() -> None:
        os.read(0, 1)  # nothing is ever written there: it returns when the pipe closes
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def free_port() -> int:
    """A port that nothing listened on when this was called."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _in_words(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"
