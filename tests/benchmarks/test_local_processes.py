"""Processes that end together, whichever of them dies and however."""

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.local_processes import ProcessDied, run_together

WAITS = [sys.executable, "-c", "import time; time.sleep(60)"]


def pids_of(capfd):
    return [int(line.split()[-1]) for line in capfd.readouterr().err.splitlines()]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("last_words", "report"),
    [
        ("raise SystemExit(3)", "process 1 of 2 ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "process 1 of 2 was killed by SIGKILL"),
    ],
)
def test_the_first_to_die_ends_the_others_and_is_named(capfd, last_words, report):
    start = time.monotonic()
    with pytest.raises(ProcessDied, match=f"^{report}$"):
        run_together([WAITS, [sys.executable, "-c", last_words]])
    assert time.monotonic() - start < 30
    pids = pids_of(capfd)
    assert len(pids) == 2
    assert not any(map(is_running, pids))


def test_it_waits_for_all_and_no_longer_than_told(capfd):
    run_together([[sys.executable, "-c", "pass"], [sys.executable, "-c", "print('seen')"]])
    assert capfd.readouterr().out == "seen\n"
    with pytest.raises(TimeoutError, match=r"after 0\.5 seconds"):
        run_together([WAITS], seconds=0.5)
    assert not any(map(is_running, pids_of(capfd)))


def test_they_end_when_their_launcher_is_killed():
    child = "end_with_launcher(); print('up', flush=True); time.sleep(60)"
    imports = "import sys, time; from benchmarks.local_processes import *;"
    launcher = f"run_together([[sys.executable, '-c', {imports + child!r}]])"
    process = subprocess.Popen(
        [sys.executable, "-c", imports + launcher],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGKILL)
    start = time.monotonic()
    process.communicate(timeout=30)  # until the child has closed its output, too
    assert time.monotonic() - start < 30
