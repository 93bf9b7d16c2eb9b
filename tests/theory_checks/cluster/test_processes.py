"""Real workers on this machine: the same numbers, and what becomes of a run when they die."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from theory_checks import cli
from theory_checks.cluster import client
from theory_checks.cluster.client import connected

# Cheap to evaluate, and of every kind: exact, enumerated, sampled, with several looks, a law.
SAME = (
    "ito_chains/gaussian/double-well",
    "ito_chains/gaussian/posterior",
    "soap/adam",
    "frank_wolfe/sarah/estimator/line-test",
    "markovian_noise/extragradient/floor",
    "ito_chains/compare/against-the-step",
)

MINE = """
import os
import signal
import time
from pathlib import Path
import numpy as np
from theory_checks.checks import ExactIdentity
from optzoo.theorems import Paper, Theorem
from theory_checks.claim import Case, Claim
from theory_checks.setting import Stated

FOLDER = Path(__file__).parent
T1 = Theorem(
    label="T1", title="One is one", paper=Paper("My own paper"), source="Theorem 1",
    algorithm="mine", statement="$1 = 1$", assumptions=(), metric="1", output="last iterate",
    side="equal", not_shown="anything",
)

def case():
    return Case(Stated("one number"), ExactIdentity(lambda: (np.ones(1), np.ones(1))))

def wished():
    return (FOLDER / "wishes").exists()

def dies_once():
    died = FOLDER / "died"
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return case()

def always_dies():
    if not wished():
        os.kill(os.getpid(), signal.SIGKILL)
    return case()

def never_ends():
    while not wished():
        time.sleep(0.1)
    return case()

def takes_long():
    (FOLDER / "long").touch()
    while not (FOLDER / "enough").exists():
        time.sleep(0.1)
    return case()

def eats():
    eaten = []
    while not wished():
        eaten.append(np.ones(2**24))
        time.sleep(0.01)
    return case()

def claim(name, prepare=case):
    return Claim(id=f"mine/{name}", title="My own title", theorem=T1, prepare=prepare)

"""


def mine(folder, claims):
    path = folder / "mine.py"
    path.write_text(f"{MINE}CLAIMS = ({claims},)\n")
    return path


# Without the settings of the tests: jax has eight devices there, and hardly optimizes.
AS_A_USER = {
    name: value
    for name, value in os.environ.items()
    if name not in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS")
}


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=AS_A_USER,
    )


def theory_checks(*arguments):
    """A run of the command line: its status and what it printed."""
    process = started("theory_checks", *map(str, arguments))
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def results(folder):
    return json.loads((folder / "results.json").read_text())


def numbers(folder):
    """All that was found, but for how long it took."""
    found = results(folder)
    for one in (*found["claims"], *found["comparisons"]):
        one["seconds"] = None
    return found["claims"], found["comparisons"], found["theorems"]


def require_the_same_numbers(tmp_path, count):
    for name, how in {"threads": (), "workers": ("--workers", count)}.items():
        status, out, err = theory_checks("run", *SAME, *how, "--out", tmp_path / name)
        assert status == 0, err
        if how:
            assert f"{count} workers of " in out
            assert "each; dashboard: http://127.0.0.1:" in out
        assert results(tmp_path / name)["environment"]["workers"] == (count if how else None)
    assert numbers(tmp_path / "threads") == numbers(tmp_path / "workers")


def test_the_numbers_do_not_depend_on_the_workers(tmp_path):
    require_the_same_numbers(tmp_path, 2)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def dask(what, *arguments):
    return [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]


@pytest.fixture
def cluster():
    """A scheduler and a worker that somebody started: the address, and the scheduler's process."""
    address = f"tcp://127.0.0.1:{free_port()}"
    host, _, port = address[6:].partition(":")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        dask("scheduler", "--host", host, "--port", port, "--no-dashboard", "--no-show"),
        **quiet,
    )
    worker = subprocess.Popen(
        dask("worker", address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"),
        **quiet,
    )
    yield address, scheduler
    for process in (worker, scheduler):
        process.terminate()
    for process in (worker, scheduler):
        process.wait(timeout=30)


def test_a_scheduler_that_goes_away_costs_what_is_not_finished(tmp_path, cluster):
    address, scheduler = cluster
    file = mine(tmp_path, 'claim("a"), claim("long", takes_long), claim("b")')
    run = ("run", "mine", "--claims", file, "--out", tmp_path / "out")
    process = started("theory_checks", *map(str, run), "--scheduler", address)
    patience = time.monotonic() + 120
    while "CONSISTENT" not in process.stdout.readline():
        assert time.monotonic() < patience
    scheduler.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert f"the scheduler at {address} went away; a run goes on with --resume" in err
    assert [one["id"] for one in results(tmp_path / "out")["claims"]] == ["mine/a"]
    (tmp_path / "enough").touch()
    status, _, err = theory_checks(*run, "--resume")
    assert status == 0, err
    assert len(results(tmp_path / "out")["claims"]) == 3


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "nonsense://x", "none.json", "x:y:z"])
def test_a_scheduler_that_is_not_there(tmp_path, capsys, monkeypatch, address):
    monkeypatch.setattr(client, "_PATIENCE", 1.0)
    monkeypatch.chdir(tmp_path)
    address = address.format(free_port())
    run = ["run", "mine", "--claims", str(mine(tmp_path, 'claim("a")')), "--out", "out"]
    assert cli.main([*run, "--scheduler", address]) == 2
    assert f"--scheduler {address}: no scheduler answers" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_connected_says_what_there_is(cluster):
    said = []
    with connected(cluster[0], say=said.append) as there:
        there.wait_for_workers(1, timeout=60)
    assert said[0].startswith(("0 workers", "1 workers with 1 threads"))
    assert f"at {cluster[0]}" in said[0]
