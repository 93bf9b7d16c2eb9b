# SPDX-License-Identifier: Apache-2.0
"""What a worker does: evaluates one claim by its id, as the process that asked for it would.

Claims hold functions that no wire carries, so a worker has the same package, and the same files of
one's own claims, and finds the claim by its id. That it is the same is what the fingerprint says.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import programs
from ..devices import use_cores
from ..statistics.protocol import Protocol

__all__ = ["Job", "Outcome", "Run", "evaluate"]


@dataclass(frozen=True)
class Run:
    """What all jobs of a run have in common.

    Attributes:
        claims: files with claims of one's own, as the workers find them.
        seeds: replicates of a first look.
        master_seed: of the run.
        protocol: how verdicts are reached.
        time_limit: seconds after which a claim is given up.
        keeps_programs: whether compiled programs are kept for runs to come.
        cache: where; in the usual place of each worker's machine if None.
    """

    claims: tuple[str, ...]
    seeds: int
    master_seed: int
    protocol: Protocol
    time_limit: float
    keeps_programs: bool = True
    cache: str | None = None


@dataclass(frozen=True)
class Job:
    """A claim, or methods side by side, by its id; `fingerprint` is what it must depend on."""

    id: str
    fingerprint: str
    run: Run


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        record: as it stands in results.json; None if it could not be evaluated.
        reason: why there is no record.
        overtime: whether the job was given up, and still runs on the worker.
        worker: its address.
        gradient_calls: single-sample gradients computed for it.
    """

    record: dict[str, Any] | None
    reason: str | None
    overtime: bool
    worker: str
    gradient_calls: float


@dataclass(frozen=True)
class _Bench:
    """What a worker process keeps from job to job of one run: replicates are simulated once."""

    run: Run
    laboratory: Any
    subjects: Mapping[str, Any]


_setting_up = threading.Lock()
_bench: _Bench | None = None


def evaluate(job: Job) -> Outcome:
    """Evaluates a claim on a worker; what goes wrong with it is an outcome, not an exception.

    Args:
        job: what to evaluate.

    Returns:
        What came of it.
    """
    from distributed import get_worker

    worker = get_worker()
    try:
        bench = _prepared(job.run, cores=worker.state.nthreads)
    except Exception as error:  # a file of claims that is not there, a package that is missing
        return _failed(job, f"{type(error).__name__}: {error}", worker.address)
    return _evaluated(job, bench, worker.address)


def _prepared(run: Run, *, cores: int) -> _Bench:
    global _bench
    with _setting_up:
        if _bench is None or _bench.run != run:
            use_cores(cores)
            if run.keeps_programs:
                programs.keep(Path(run.cache) if run.cache else programs.usual_place())
            from ..registration import collected, registered
            from ..simulation.laboratory import Laboratory

            subjects = collected(registered([Path(path) for path in run.claims]))
            laboratory = Laboratory(
                seeds=run.seeds, master_seed=run.master_seed, protocol=run.protocol
            )
            _bench = _Bench(run, laboratory, {one.id: one for one in subjects})
        return _bench


def _evaluated(job: Job, bench: _Bench, address: str) -> Outcome:
    from ..records.fingerprint import fingerprint
    from ..simulation import workers
    from ..simulation.evaluation import evaluated

    subject = bench.subjects.get(job.id)
    if subject is None:
        return _failed(job, f"there is no such claim on the worker {address}", address)
    here = fingerprint(subject, job.run.protocol)
    if here != job.fingerprint:
        return _failed(
            job,
            f"the worker {address} has other code, data or versions of packages (fingerprint "
            f"{here[:8]} there, {job.fingerprint[:8]} here); install the same, and start it anew",
            address,
        )
    before = bench.laboratory.gradient_calls
    jobs = [lambda: evaluated(subject, bench.laboratory, here)]
    ((_, found),) = workers.finished(jobs, workers=1, time_limit=job.run.time_limit)
    if isinstance(found, dict):
        calls = bench.laboratory.gradient_calls - before
        return Outcome(found, None, False, address, calls)
    return _failed(job, str(found), address, overtime=isinstance(found, TimeoutError))


def _failed(job: Job, reason: str, address: str, *, overtime: bool = False) -> Outcome:
    named = reason if reason.startswith(job.id) else f"{job.id}: {reason}"
    return Outcome(None, named, overtime, address, 0.0)
