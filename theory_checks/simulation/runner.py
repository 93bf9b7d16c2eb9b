"""Runs claims with their controls, then methods side by side, each kept when it is finished."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from optzoo.conformance.blame import outside

from ..claim import Claim
from ..records import write as record
from ..records.theorems import merged, theorem_records
from ..side_by_side import SideBySide
from .laboratory import Laboratory

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
    found, controls = [], []
    try:
        for name, prepare in claim.cases.items():
            case = prepare()
            found.append((name, case, case.check.run(laboratory)))
            controls += [
                record.control_record(control, control.check.run(laboratory), case=name)
                for control in case.controls
            ]
    except Exception as error:
        raise ValueError(_reason(claim.id, error)) from error
    return record.claim_record(
        claim,
        found,
        controls,
        alpha=laboratory.protocol.alpha,
        seconds=time.perf_counter() - started,
    )


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
    except Exception as error:
        raise ValueError(_reason(beside.id, error)) from error
    return record.side_by_side_record(beside, outcome, seconds=time.perf_counter() - started)


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
    finished: Iterable[Record] = (),
    finished_side_by_side: Iterable[Record] = (),
    finished_theorems: Iterable[Record] = (),
    seconds: float = 0.0,
    workers: int = 1,
    on_claim: Callable[[Record], None] = lambda claim: None,
    on_side_by_side: Callable[[Record], None] = lambda beside: None,
) -> tuple[list[Record], list[str]]:
    """Evaluates claims, then methods side by side, and writes results.json after each.

    Most of a small claim's time is compilation, which uses one core: with a worker a core, one
    claim compiles while another runs. The numbers do not depend on it.

    Args:
        claims: what to evaluate.
        laboratory: where the replicates come from.
        directory: where results.json lies.
        environment: see `record.environment`.
        side_by_side: what to put side by side when the claims are done.
        finished: records of an earlier, interrupted run; their claims are not run again.
        finished_side_by_side: the same of methods side by side.
        finished_theorems: records of the theorems of those claims.
        seconds: wall clock that the earlier run took.
        workers: claims in progress at a time.
        on_claim: called with the record of every claim that was run.
        on_side_by_side: called with every record of methods side by side that was made.

    Returns:
        All records of claims, in the order of `claims` (records of other claims first), and a
        sentence for each of the two kinds that could not be evaluated.
    """
    verdicts = _Shelf(claims, {one["id"]: one for one in finished}, run_claim, on_claim)
    beside = _Shelf(
        side_by_side,
        {one["id"]: one for one in finished_side_by_side},
        run_side_by_side,
        on_side_by_side,
    )

    theorems = merged(finished_theorems, theorem_records(claim.theorem for claim in claims))

    def write() -> None:
        record.write(
            directory,
            environment,
            verdicts.records(),
            seconds + time.perf_counter() - started,
            theorems=theorems,
            comparisons=beside.records(),
        )

    started = time.perf_counter()
    write()
    with ThreadPoolExecutor(workers) as pool:
        failures = _fill(verdicts, laboratory, pool, write)
        failures += _fill(beside, laboratory, pool, write)
    return verdicts.records(), failures


def _fill(
    shelf: _Shelf[Subject],
    laboratory: Laboratory,
    pool: ThreadPoolExecutor,
    write: Callable[[], None],
) -> list[str]:
    """Evaluates what is missing; a sentence for each that could not be."""
    failures: list[str] = []
    running = [pool.submit(shelf.evaluate, one, laboratory) for one in shelf.missing()]
    try:
        for done in as_completed(running):
            try:
                found = done.result()
            except ValueError as error:  # the others are worth finishing
                failures.append(str(error))
                continue
            shelf.kept[found["id"]] = found
            write()
            shelf.on_finished(found)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    return failures
