"""What a worker answers to a job, and what a run makes of the answers; without processes."""

import types

import pytest

from theory_checks.claims import CLAIMS
from theory_checks.cluster import attack, worker
from theory_checks.cluster.attack import Attacked, attempt
from theory_checks.cluster.client import OnCluster
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
    monkeypatch.setattr(attack, "get_worker", lambda: one)


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


class Future:
    status = "finished"

    def __init__(self, job, looks):
        self.job, self.looks = job, looks

    def done(self):
        self.looks -= 1
        return self.looks < 0

    def cancel(self):
        raise AssertionError("nothing is left over")

    def result(self):
        return self.job()


class Client:
    """Hands jobs to workers that all die, `deaths` times for each claim."""

    def __init__(self, deaths):
        self.deaths, self.log = dict(deaths), []

    def submit(self, evaluate, job, *, key, **more):
        self.log.append(job.id)

        def outcome():
            self.deaths[job.id] -= 1
            if self.deaths[job.id] >= 0:
                raise distributed.KilledWorker(key, None, 1)
            self.log.append(f"{job.id} ends")
            return Outcome({"id": job.id}, None, False, "tcp://here:1", 0.0)

        return Future(outcome, looks=3 if job.id == "paper/slow" else 0)


def test_a_claim_that_stood_beside_a_deadly_one_is_not_blamed():
    """Both are tried again with nothing beside them, once."""
    claims = [claim(f"paper/{name}") for name in ("deadly", "beside", "slow")]
    there = Client({"paper/deadly": 9, "paper/beside": 1, "paper/slow": 0})
    found = dict(OnCluster(there, RUN).outcomes([runner.Work(one, PRINT) for one in claims]))
    assert [found[number] for number in (1, 2)] == [{"id": "paper/beside"}, {"id": "paper/slow"}]
    assert str(found[0]) == (
        "paper/deadly: 2 workers died with it, and again with nothing beside it (killed, or out "
        "of memory)"
    )
    alone = ["paper/slow ends", "paper/deadly", "paper/beside", "paper/beside ends"]
    assert there.log[3:] == alone


@pytest.mark.parametrize(("name", "print_of_it"), [(QUICK.id, "0" * 64), ("paper/none", PRINT)])
def test_a_worker_with_another_claim_makes_no_restart(name, print_of_it):
    attacked = Attacked(name, print_of_it, (), None, 0, Protocol())
    with pytest.raises(ValueError, match=f"{name}: a worker has other code, data or versions"):
        attempt(attacked, 0, {}, 0, 1.0)
