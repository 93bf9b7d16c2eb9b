"""Real workers on this machine: the same numbers, and what becomes of a run when they die."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from theory_checks import cli
from theory_checks.cluster import client
from theory_checks.cluster.client import OnCluster, connected, local_workers
from theory_checks.cluster.worker import Run
from theory_checks.records.fingerprint import fingerprint
from theory_checks.registration import load_file
from theory_checks.simulation.engine import Work
from theory_checks.statistics.protocol import Protocol

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


def test_the_numbers_do_not_depend_on_the_workers(tmp_path):
    for name, how in {"threads": (), "two": ("--workers", 2), "three": ("--workers", 3)}.items():
        status, out, err = theory_checks("run", *SAME, *how, "--out", tmp_path / name)
        assert status == 0, err
        if how:
            assert f"{how[1]} workers of a core each; dashboard: http://127.0.0.1:" in out
            assert results(tmp_path / name)["environment"]["workers"] == how[1]
    assert numbers(tmp_path / "threads") == numbers(tmp_path / "two")
    assert numbers(tmp_path / "threads") == numbers(tmp_path / "three")


def test_claims_that_kill_their_workers_or_never_end_cost_no_other(tmp_path):
    file = mine(
        tmp_path,
        'claim("dies-once", dies_once), claim("always-dies", always_dies), claim("a"), '
        'claim("never-ends", never_ends), claim("b"), claim("c")',
    )
    run = ("run", "mine", "--claims", file, "--workers", 2, "--out", tmp_path / "out")
    status, out, err = theory_checks(*run, "--time-limit", 5)
    assert status == 4, err
    found = results(tmp_path / "out")
    ids = [one["id"] for one in found["claims"]]
    assert ids == ["mine/dies-once", "mine/a", "mine/b", "mine/c"]
    reasons = {one["id"]: one["reason"] for one in found["failures"]}
    assert reasons == {
        "mine/always-dies": "mine/always-dies: 3 workers and more died while they had it "
        "(killed, or out of memory)",
        "mine/never-ends": "mine/never-ends: stopped after the time limit of 5 s",
    }
    for reason in reasons.values():
        assert f"could not be evaluated: {reason}" in err
    # What was wrong is mended; the job is finished, and nothing is done twice.
    (tmp_path / "wishes").touch()
    status, out, err = theory_checks(*run, "--resume")
    assert status == 0, err
    assert "[5/6]" in out
    assert "[4/6]" not in out
    found = results(tmp_path / "out")
    assert len(found["claims"]) == 6
    assert found["failures"] == []


def engine(there, file):
    module = load_file(file)
    run = Run((str(file),), 8, 0, Protocol(), 60.0, keeps_programs=False)
    work = [Work(one, fingerprint(one, run.protocol)) for one in module.CLAIMS]
    return OnCluster(there, run), work


def test_a_worker_that_runs_out_of_memory_is_named_and_the_others_finish(tmp_path):
    file = mine(tmp_path, 'claim("eats", eats), claim("a"), claim("b")')
    with local_workers(1, memory=2 * 2**30) as there:
        on_cluster, work = engine(there, file)
        found = dict(on_cluster.outcomes(work))
    assert "mine/eats: 3 workers and more died" in str(found[0])
    assert [found[number]["id"] for number in (1, 2)] == ["mine/a", "mine/b"]


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    file = mine(tmp_path, 'claim("long", takes_long), claim("a")')
    with local_workers(1) as there:
        on_cluster, work = engine(there, file)
        outcomes = on_cluster.outcomes(work)
        (pid,) = there.run(os.getpid).values()

        def kill():
            while not (tmp_path / "long").exists():
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
            (tmp_path / "enough").touch()

        process = threading.Thread(target=kill)
        process.start()
        found = dict(outcomes)
        process.join()
        assert pid not in there.run(os.getpid).values()
    assert [found[number]["id"] for number in (0, 1)] == ["mine/long", "mine/a"]


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


SEARCH = """
import json
import sys
from contextlib import ExitStack
from theory_checks.devices import use_all_cores
use_all_cores()
from theory_checks.claims import CLAIMS
from theory_checks.cluster.attack import Attacked, on_workers
from theory_checks.cluster.client import local_workers
from theory_checks.statistics.protocol import Protocol
from theory_checks.worst_case.attack.outcome import families_of
from theory_checks.worst_case.attack.search import Search, here

def restarts(claim, attempts):
    search = Search(claim.theorem, families_of(claim), seed=5)
    search._begin()
    for numbers in ((0, 1), (3, 4)):
        for attempt in attempts(search, numbers, 1e9):
            search._take(attempt, 0.0)
    best = [[*place, one.parameters, one.scores] for place, one in search.best.items()]
    return {"paths": [one.path for one in search.restarts], "best": best}

if __name__ == "__main__":
    with ExitStack() as stack:
        client = stack.enter_context(local_workers(2)) if sys.argv[1] == "workers" else None
        for name in sys.argv[2:]:
            (claim,) = (one for one in CLAIMS if one.id == name)
            attacked = Attacked(name, (), None, 5, Protocol())
            found = restarts(claim, here if client is None else on_workers(client, attacked))
            print(json.dumps(found))
"""


def test_a_search_is_the_same_on_workers(tmp_path):
    """A sampled theorem and an exact one; two restarts, and two more with what those found."""
    claims = ("frank_wolfe/sarah/convex/hardest", "ito_chains/gaussian/bound")
    (tmp_path / "search.py").write_text(SEARCH)
    said = []
    for where in ("here", "workers"):
        done = subprocess.run(
            [sys.executable, str(tmp_path / "search.py"), where, *claims],
            capture_output=True,
            text=True,
            check=False,
            env=AS_A_USER,
        )
        assert done.returncode == 0, done.stderr
        said.append([json.loads(line) for line in done.stdout.splitlines()])
    assert said[0] == said[1]
    assert [len(one["paths"]) for one in said[0]] == [4, 4]
