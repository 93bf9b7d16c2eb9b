"""Runs claims and their controls, one after the other, keeping each as soon as it is finished."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from . import record
from .claim import Case, Claim
from .laboratory import Laboratory

__all__ = ["run_claim", "run_claims"]

Record = dict[str, Any]


def run_claim(claim: Claim, laboratory: Laboratory) -> Record:
    """Evaluates one claim and all its controls.

    Args:
        claim: what to evaluate.
        laboratory: where its replicates come from.

    Returns:
        The claim's record, as it stands in results.json.

    Raises:
        ValueError: if a metric or a bound is not usable; the message names the claim.
    """
    started = time.perf_counter()
    try:
        case: Case = claim.prepare()
        finding = case.check.run(laboratory)
        controls = [
            record.control_record(control, control.check.run(laboratory))
            for control in case.controls
        ]
    except ValueError as error:
        raise ValueError(f"{claim.id}: {error}") from error
    seconds = time.perf_counter() - started
    return record.claim_record(
        claim, case, finding, controls, alpha=laboratory.alpha, seconds=seconds
    )


def run_claims(
    claims: Sequence[Claim],
    laboratory: Laboratory,
    directory: Path,
    environment: Record,
    *,
    finished: Iterable[Record] = (),
    on_claim: Callable[[Record], None] = lambda claim: None,
) -> list[Record]:
    """Evaluates claims in their order and writes results.json after each.

    Args:
        claims: what to evaluate.
        laboratory: where the replicates come from.
        directory: where results.json lies.
        environment: see `record.environment`.
        finished: records of an earlier, interrupted run; their claims are not run again.
        on_claim: called with the record of every claim that was run.

    Returns:
        All records, in the order of `claims` (records of other claims first).
    """
    kept = {claim["id"]: claim for claim in finished}
    order = [
        *(name for name in kept if name not in {c.id for c in claims}),
        *(c.id for c in claims),
    ]

    def records() -> list[Record]:
        return [kept[name] for name in order if name in kept]

    record.write(directory, environment, records())
    for claim in claims:
        if claim.id in kept:
            continue
        kept[claim.id] = run_claim(claim, laboratory)
        record.write(directory, environment, records())
        on_claim(kept[claim.id])
    return records()
