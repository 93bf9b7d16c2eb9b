"""Runs claims with their controls, then comparisons, keeping each as soon as it is finished."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..blame import outside
from ..claim import Claim
from ..records import write as record
from ..records.fingerprint import fingerprint
from ..records.theorems import merged, theorem_records
from ..side_by_side import Comparison
from .laboratory import Laboratory
from .workers import finished as finished_jobs

__all__ = ["run_claim", "run_claims", "run_comparison"]

Record = dict[str, Any]
Subject = TypeVar("Subject", bound=Claim | Comparison)


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
        return record.writable(
            record.claim_record(
                claim,
                found,
                controls,
                alpha=laboratory.protocol.alpha,
                seconds=time.perf_counter() - started,
            )
        )
    except Exception as error:
        raise ValueError(_reason(claim.id + running, error)) from error


def run_comparison(comparison: Comparison, laboratory: Laboratory) -> Record:
    """Evaluates one comparison.

    Args:
        comparison: what to evaluate.
        laboratory: where its replicates come from.

    Returns:
        The comparison's record, as it stands in results.json.

    Raises:
        ValueError: if it cannot be evaluated; the message names the comparison.
    """
    started = time.perf_counter()
    try:
        outcome = comparison.evaluate(laboratory)
        seconds = time.perf_counter() - started
        return record.writable(record.comparison_record(comparison, outcome, seconds=seconds))
    except Exception as error:
        raise ValueError(_reason(comparison.id, error)) from error


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
    comparisons: Sequence[Comparison] = (),
    finished: Iterable[Record] = (),
    finished_comparisons: Iterable[Record] = (),
    finished_theorems: Iterable[Record] = (),
    seconds: float = 0.0,
    workers: int = 1,
    time_limit: float = math.inf,
    on_claim: Callable[[Record], None] = lambda claim: None,
    on_comparison: Callable[[Record], None] = lambda comparison: None,
) -> tuple[list[Record], list[str]]:
    """Evaluates claims, then comparisons, and keeps results.json up to date.

    Most of a small claim's time is compilation, which uses one core: with a worker a core, one
    claim compiles while another runs. The numbers do not depend on it. The file is written whenever
    something is finished, unless that would take more than a twentieth of the time, and at the end,
    also of a run that is interrupted.

    Args:
        claims: what to evaluate.
        laboratory: where the replicates come from.
        directory: where results.json lies.
        environment: see `record.environment`.
        comparisons: what to put side by side when the claims are done.
        finished: records of an earlier, interrupted run; their claims are not run again.
        finished_comparisons: the same of comparisons.
        finished_theorems: records of the theorems of those claims.
        seconds: wall clock that the earlier run took.
        workers: claims or comparisons in progress at a time.
        time_limit: seconds after which a claim or comparison is given up.
        on_claim: called with the record of every claim that was run.
        on_comparison: called with the record of every comparison that was run.

    Returns:
        All records of claims, in the order of `claims` (records of other claims first), and a
        sentence for each claim or comparison that could not be evaluated.

    Raises:
        OSError: if results.json cannot be written.
    """
    verdicts = _Shelf(claims, {one["id"]: one for one in finished}, run_claim, on_claim)
    side_by_side = _Shelf(
        comparisons,
        {one["id"]: one for one in finished_comparisons},
        run_comparison,
        on_comparison,
    )

    theorems = merged(finished_theorems, theorem_records(claim.theorem for claim in claims))
    prints = {id(one): fingerprint(one, laboratory.protocol) for one in claims}
    prints |= {id(one): fingerprint(one, laboratory.protocol) for one in comparisons}
    started = time.perf_counter()

    def write() -> None:
        record.write(
            directory,
            environment,
            verdicts.records(),
            seconds + time.perf_counter() - started,
            theorems=theorems,
            comparisons=side_by_side.records(),
            failures=[*verdicts.failures, *side_by_side.failures],
        )

    def evaluated(shelf: _Shelf[Any], one: Any) -> Record:
        return shelf.evaluate(one, laboratory) | {"fingerprint": prints[id(one)]}

    ledger = _Ledger(write)
    ledger.now()
    try:
        for shelf in (verdicts, side_by_side):
            missing = shelf.missing()
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
    failures = [*verdicts.failures, *side_by_side.failures]
    return verdicts.records(), [failure["reason"] for failure in failures]


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
