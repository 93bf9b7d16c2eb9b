# SPDX-License-Identifier: Apache-2.0
"""Runs claims with their controls, and methods side by side; keeps each when it is finished."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..claim import Claim
from ..records import write as record
from ..records.fingerprint import fingerprint
from ..records.theorems import merged, theorem_records, with_claims
from ..side_by_side import SideBySide
from .engine import Engine, Work

__all__ = ["run_claims"]

Record = dict[str, Any]
Subject = TypeVar("Subject", bound=Claim | SideBySide)


def run_claims(
    claims: Sequence[Claim],
    engine: Engine,
    directory: Path,
    environment: Record,
    *,
    side_by_side: Sequence[SideBySide] = (),
    registered: Sequence[Claim] = (),
    finished: Iterable[Record] = (),
    finished_side_by_side: Iterable[Record] = (),
    finished_theorems: Iterable[Record] = (),
    seconds: float = 0.0,
    on_claim: Callable[[Record], None] = lambda claim: None,
    on_side_by_side: Callable[[Record], None] = lambda beside: None,
) -> tuple[list[Record], list[str]]:
    """Evaluates claims and methods side by side, and keeps results.json up to date.

    The file is written whenever something is finished, unless that would take more than a
    twentieth of the time, and at the end, also of a run that is interrupted.

    Args:
        claims: what to evaluate.
        engine: what evaluates them; the numbers do not depend on it.
        directory: where results.json lies.
        environment: see `record.environment`.
        side_by_side: what to put side by side, after the claims.
        registered: all claims there are; where some were not asked for, what they would have
            caught of a theorem is not known.
        finished: records of an earlier, interrupted run; their claims are not run again.
        finished_side_by_side: the same of methods side by side.
        finished_theorems: records of the theorems of those claims.
        seconds: wall clock that the earlier run took.
        on_claim: called with the record of every claim that was run.
        on_side_by_side: called with every record of methods side by side that was made.

    Returns:
        All records of claims, in the order of `claims` (records of other claims first), and a
        sentence for each that could not be evaluated.

    Raises:
        OSError: if results.json cannot be written.
    """
    verdicts = {one["id"]: one for one in finished}
    beside = {one["id"]: one for one in finished_side_by_side}
    failures: list[Record] = []
    theorems = with_claims(
        merged(finished_theorems, theorem_records(claim.theorem for claim in claims)),
        registered or claims,
    )
    missing: list[Claim | SideBySide] = [
        *_in_turn([one for one in claims if one.id not in verdicts]),
        *_in_turn([one for one in side_by_side if one.id not in beside]),
    ]
    work = [Work(one, fingerprint(one, engine.protocol)) for one in missing]
    started = time.perf_counter()

    def write() -> None:
        record.write(
            directory,
            environment,
            _in_order(verdicts, claims),
            seconds + time.perf_counter() - started,
            theorems=theorems,
            comparisons=_in_order(beside, side_by_side),
            failures=failures,
        )

    ledger = _Ledger(write)
    ledger.now()
    heard: set[int] = set()
    try:
        for number, found in engine.outcomes(work):
            if number in heard:  # a worker that was given up may answer all the same
                continue
            heard.add(number)
            of_claim = isinstance(missing[number], Claim)
            if isinstance(found, dict):
                (verdicts if of_claim else beside)[found["id"]] = found
                ledger.soon()
                (on_claim if of_claim else on_side_by_side)(found)
            elif isinstance(found, Exception):  # the others are worth finishing
                name, reason = missing[number].id, str(found)
                reason = reason if reason.startswith(name) else f"{name}: {reason}"
                failures.append({"id": name, "reason": reason})
                ledger.soon()
            else:
                raise found
    finally:
        ledger.finish()
    sentences = [failure["reason"] for failure in failures]
    return _in_order(verdicts, claims), sentences


def _in_order(found: dict[str, Record], wanted: Sequence[Claim | SideBySide]) -> list[Record]:
    """The records as they were wanted, those of others first."""
    ids = [one.id for one in wanted]
    others = [name for name in found if name not in set(ids)]
    return [found[name] for name in (*others, *ids) if name in found]


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
