"""What a worker answers to a job, and what a run makes of the answers; without processes."""

import types

import pytest

from theory_checks.claims import CLAIMS
from theory_checks.cluster import worker
from theory_checks.cluster.worker import Job, Outcome, Run
from theory_checks.records import write as record
from theory_checks.records.fingerprint import fingerprint
from theory_checks.simulation import runner
from theory_checks.simulation.engine import InThreads
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statistics.protocol import Protocol

from ..test_runner import ENVIRONMENT, claim

distributed = pytest.importorskip("distributed")

RUN = Run((), seeds=8, master_seed=3, protocol=Protocol(), time_limit=60.0, keeps_programs=False)
QUICK = next(one for one in CLAIMS if one.id == "ito_chains/gaussian/exponents")
PRINT = fingerprint(QUICK, RUN.protocol)


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """As if the process of the tests were a worker."""
    one = types.SimpleNamespace(address="tcp://here:1", state=types.SimpleNamespace(nthreads=1))
    monkeypatch.setattr(distributed, "get_worker", lambda: one)
    monkeypatch.setattr(worker, "_bench", None)


def test_a_record_is_the_one_that_threads_make():
    outcome = worker.evaluate(Job(QUICK.id, PRINT, RUN))
    assert (outcome.reason, outcome.overtime, outcome.worker) == (None, False, "tcp://here:1")
    here = InThreads(Laboratory(seeds=8, master_seed=3))
    ((_, found),) = here.outcomes([runner.Work(QUICK, PRINT)])
    assert outcome.record | {"seconds": 0.0} == found | {"seconds": 0.0}


def test_what_one_job_simulates_the_next_one_has(monkeypatch):
    first = worker._prepared(RUN, cores=1)
    assert worker._prepared(RUN, cores=1) is first
    other = Run((), 8, 4, Protocol(), 60.0, keeps_programs=False)
    assert worker._prepared(other, cores=1) is not first


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("paper/none", PRINT, RUN), "there is no such claim on the worker tcp://here:1"),
        (Job(QUICK.id, "0" * 64, RUN), "other code, data or versions of packages (fingerprint"),
        (
            Job(QUICK.id, PRINT, Run(("none.py",), 8, 3, Protocol(), 60.0)),
            "the file none.py does not exist",
        ),
    ],
)
def test_what_a_worker_cannot_do_it_says(job, words):
    outcome = worker.evaluate(job)
    assert outcome.record is None
    assert outcome.reason.startswith(f"{job.id}: ")
    assert words in outcome.reason


class Twice:
    """An engine that hears everything twice, as where a worker was given up too soon."""

    protocol = Protocol()
    gradient_calls = 0.0

    def outcomes(self, work):
        found = list(InThreads(Laboratory(seeds=8)).outcomes(work))
        for number, one in found:
            yield number, one
            yield number, one | {"title": "another"} if isinstance(one, dict) else one


def test_a_result_that_arrives_twice_counts_once(tmp_path):
    def fails():
        raise ValueError("no")

    heard = []
    claims = [claim("paper/a"), claim("paper/fails", prepare=fails), claim("paper/b")]
    records, failures = runner.run_claims(
        claims, Twice(), tmp_path, ENVIRONMENT, on_claim=heard.append
    )
    assert [one["id"] for one in records] == ["paper/a", "paper/b"]
    assert [one["title"] for one in heard] == ["A title", "A title"]
    assert len(failures) == 1
    assert len(record.finished_run(tmp_path)["failures"]) == 1


def test_an_outcome_can_be_sent():
    import pickle

    outcome = Outcome({"id": "a/b"}, None, False, "tcp://here:1", 3.0)
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    job = Job("a/b", PRINT, RUN)
    assert pickle.loads(pickle.dumps(job)) == job
