"""Runs claims with their controls, then methods side by side, each kept when it is finished."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from optzoo.conformance.blame import outside

from ..claim import Claim
from ..records import write as record
from ..records.fingerprint import fingerprint
from ..records.theorems import merged, theorem_records, with_claims
from ..side_by_side import SideBySide
from ..worst_case.coverage import coverage
from .laboratory import Laboratory
from .workers import finished as finished_jobs

__all__ = ["run_claim", "run_claims", "run_side_by_side"]

Record = dict[str, Any]
Subject = TypeVar("Subject", bound=Claim | SideBySide)


def run_claim(claim: Claim, laboratory: Laboratory) -> Record:
    """Evaluates one claim and all its controls.

    Args:
        claim: what to evaluate.
        laboratory: where its replicates come from.

    Returns:
        The claim's record, as it stands in results.json.

    Raises:
        ValueError: if a metric or a bound is not usable, or its own code raises; the message names
            the claim and its line.
    """
    started = time.perf_counter()
    found, controls, running = [], [], ""
    try:
        for name, prepare in claim.cases.items():
            case = prepare()
            found.append((name, case, case.check.run(laboratory)))
            for control in case.controls:
                running = f", control '{control.name}'"
                outcome = control.check.run(laboratory)
                controls.append(record.control_record(control, outcome, case=name))
            running = ""
        running = ", coverage"
        tested = coverage(claim, found, laboratory)
        running = ""
        return record.writable(
            record.claim_record(
                claim,
                found,
                controls,
                tested,
                alpha=laboratory.protocol.alpha,
                seconds=time.perf_counter() - started,
            )
        )
    except Exception as error:
        raise ValueError(_reason(claim.id + running, error)) from error


def run_side_by_side(beside: SideBySide, laboratory: Laboratory) -> Record:
    """Evaluates methods side by side.

    Args:
        beside: what to evaluate.
        laboratory: where its replicates come from.

    Returns:
        Their record, as it stands in results.json.

    Raises:
        ValueError: if it cannot be evaluated; the message has its id.
    """
    started = time.perf_counter()
    try:
        outcome = beside.evaluate(laboratory)
        seconds = time.perf_counter() - started
        return record.writable(record.side_by_side_record(beside, outcome, seconds=seconds))
    except Exception as error:
        raise ValueError(_reason(beside.id, error)) from error


def _reason(name: str, error: Exception) -> str:
    """One's own claims raise all kinds of errors; the others are worth finishing all the same."""
    kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
    line = outside(error)
    return f"{name}: {kind}{error}" + (f" ({line})" if line else "")


@dataclass(eq=False)
class _Shelf(Generic[Subject]):
    """The records of one kind, finished ones and those to come."""

    wanted: Sequence[Subject]
    kept: dict[str, Record]
    evaluate: Callable[[Subject, Laboratory], Record]
    on_finished: Callable[[Record], None]
    failures: list[Record] = field(default_factory=list)

    def missing(self) -> list[Subject]:
        return [one for one in self.wanted if one.id not in self.kept]

    def records(self) -> list[Record]:
        """In the order wanted, records of others first."""
        ids = [one.id for one in self.wanted]
        others = [name for name in self.kept if name not in set(ids)]
        return [self.kept[name] for name in (*others, *ids) if name in self.kept]


def run_claims(
    claims: Sequence[Claim],
    laboratory: Laboratory,
    directory: Path,
    environment: Record,
    *,
    side_by_side: Sequence[SideBySide] = (),
    registered: Sequence[Claim] = (),
    finished: Iterable[Record] = (),
    finished_side_by_side: Iterable[Record] = (),
    finished_theorems: Iterable[Record] = (),
    seconds: float = 0.0,
    workers: int = 1,
    time_limit: float = math.inf,
    on_claim: Callable[[Record], None] = lambda claim: None,
    on_side_by_side: Callable[[Record], None] = lambda beside: None,
) -> tuple[list[Record], list[str]]:
    """Evaluates claims, then methods side by side, and keeps results.json up to date.

    Most of a small claim's time is compilation, which uses one core: with a worker a core, one
    claim compiles while another runs. The numbers do not depend on it. The file is written whenever
    something is finished, unless that would take more than a twentieth of the time, and at the end,
    also of a run that is interrupted.

    Args:
        claims: what to evaluate.
        laboratory: where the replicates come from.
        directory: where results.json lies.
        environment: see `record.environment`.
        side_by_side: what to put side by side when the claims are done.
        registered: all claims there are; where some were not asked for, what they would have
            caught of a theorem is not known.
        finished: records of an earlier, interrupted run; their claims are not run again.
        finished_side_by_side: the same of methods side by side.
        finished_theorems: records of the theorems of those claims.
        seconds: wall clock that the earlier run took.
        workers: claims, or methods side by side, in progress at a time.
        time_limit: seconds after which one of them is given up.
        on_claim: called with the record of every claim that was run.
        on_side_by_side: called with every record of methods side by side that was made.

    Returns:
        All records of claims, in the order of `claims` (records of other claims first), and a
        sentence for each that could not be evaluated.

    Raises:
        OSError: if results.json cannot be written.
    """
    verdicts = _Shelf(claims, {one["id"]: one for one in finished}, run_claim, on_claim)
    beside = _Shelf(
        side_by_side,
        {one["id"]: one for one in finished_side_by_side},
        run_side_by_side,
        on_side_by_side,
    )

    theorems = with_claims(
        merged(finished_theorems, theorem_records(claim.theorem for claim in claims)),
        registered or claims,
    )
    everything: tuple[Claim | SideBySide, ...] = (*claims, *side_by_side)
    prints = {id(one): fingerprint(one, laboratory.protocol) for one in everything}
    started = time.perf_counter()

    def write() -> None:
        record.write(
            directory,
            environment,
            verdicts.records(),
            seconds + time.perf_counter() - started,
            theorems=theorems,
            comparisons=beside.records(),
            failures=[*verdicts.failures, *beside.failures],
        )

    def evaluated(shelf: _Shelf[Any], one: Any) -> Record:
        return shelf.evaluate(one, laboratory) | {"fingerprint": prints[id(one)]}

    ledger = _Ledger(write)
    ledger.now()
    try:
        for shelf in (verdicts, beside):
            missing = _in_turn(shelf.missing())
            jobs = [partial(evaluated, shelf, one) for one in missing]
            for number, found in finished_jobs(jobs, workers=workers, time_limit=time_limit):
                if isinstance(found, dict):
                    shelf.kept[found["id"]] = found
                    ledger.soon()
                    shelf.on_finished(found)
                elif isinstance(found, Exception):  # the others are worth finishing
                    name, reason = missing[number].id, str(found)
                    reason = reason if reason.startswith(name) else f"{name}: {reason}"
                    shelf.failures.append({"id": name, "reason": reason})
                    ledger.soon()
                else:
                    raise found
    finally:
        ledger.finish()
    failures = [*verdicts.failures, *beside.failures]
    return verdicts.records(), [failure["reason"] for failure in failures]


def _in_turn(subjects: Sequence[Subject]) -> list[Subject]:
    """All papers from first to last, so that what is finished says how long the rest will take."""
    papers = [one.id.partition("/")[0] for one in subjects]
    seen: Counter[str] = Counter()
    shares = []
    for paper in papers:
        shares.append((seen[paper] + 0.5) / papers.count(paper))
        seen[paper] += 1
    order = sorted(range(len(subjects)), key=shares.__getitem__)
    return [subjects[number] for number in order]


@dataclass(eq=False)
class _Ledger:
    """Writes at most a twentieth of the time, so that many records are no reason to wait."""

    write: Callable[[], None]
    pending: bool = False
    took: float = 0.0
    last: float = -math.inf

    def now(self) -> None:
        begun = time.monotonic()
        self.write()
        self.pending, self.last = False, time.monotonic()
        self.took = self.last - begun

    def soon(self) -> None:
        self.pending = True
        if time.monotonic() - self.last >= 20 * self.took:
            self.now()

    def finish(self) -> None:
        if self.pending:
            self.now()
