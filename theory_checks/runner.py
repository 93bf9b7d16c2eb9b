"""Runs claims and their controls, keeping each claim as soon as it is finished."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
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
    except (ValueError, OSError) as error:
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
    seconds: float = 0.0,
    workers: int = 1,
    on_claim: Callable[[Record], None] = lambda claim: None,
) -> tuple[list[Record], list[str]]:
    """Evaluates claims and writes results.json after each.

    Most of a small claim's time is compilation, which uses one core: with a worker a core, one
    claim compiles while another runs. The numbers do not depend on it.

    Args:
        claims: what to evaluate.
        laboratory: where the replicates come from.
        directory: where results.json lies.
        environment: see `record.environment`.
        finished: records of an earlier, interrupted run; their claims are not run again.
        seconds: wall clock that the earlier run took.
        workers: claims in progress at a time.
        on_claim: called with the record of every claim that was run.

    Returns:
        All records, in the order of `claims` (records of other claims first), and a sentence for
        each claim that could not be evaluated.
    """
    kept = {claim["id"]: claim for claim in finished}
    order = [
        *(name for name in kept if name not in {c.id for c in claims}),
        *(c.id for c in claims),
    ]

    def records() -> list[Record]:
        return [kept[name] for name in order if name in kept]

    def write() -> None:
        elapsed = seconds + time.perf_counter() - started
        record.write(directory, environment, records(), elapsed)

    failures: list[str] = []
    started = time.perf_counter()
    write()
    with ThreadPoolExecutor(workers) as pool:
        running = [
            pool.submit(run_claim, claim, laboratory) for claim in claims if claim.id not in kept
        ]
        try:
            for done in as_completed(running):
                try:
                    found = done.result()
                except ValueError as error:  # the others are worth finishing
                    failures.append(str(error))
                    continue
                kept[found["id"]] = found
                write()
                on_claim(found)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return records(), failures
