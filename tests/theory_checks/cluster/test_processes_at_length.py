"""More of what becomes of workers, which takes longer: memory, kills from outside, searches."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from theory_checks.cluster.client import OnCluster, local_workers
from theory_checks.cluster.worker import Run
from theory_checks.records.fingerprint import fingerprint
from theory_checks.registration import load_file
from theory_checks.simulation.engine import Work
from theory_checks.statistics.protocol import Protocol

from .test_processes import AS_A_USER, mine, require_the_same_numbers, results, theory_checks


def test_the_numbers_do_not_depend_on_more_workers_than_cores(tmp_path):
    require_the_same_numbers(tmp_path, 3)


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
        "mine/always-dies": "mine/always-dies: 2 workers died with it, and again with nothing "
        "beside it (killed, or out of memory)",
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
    assert "mine/eats: 2 workers died with it, and again" in str(found[0])
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


SEARCH = """
import json
import sys
from contextlib import ExitStack
from theory_checks.devices import use_all_cores
use_all_cores()
from theory_checks.claims import CLAIMS
from theory_checks.cluster.attack import Attacked, on_workers
from theory_checks.cluster.client import local_workers
from theory_checks.records.fingerprint import fingerprint
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
            protocol = Protocol()
            attacked = Attacked(name, fingerprint(claim, protocol), (), None, 5, protocol)
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
