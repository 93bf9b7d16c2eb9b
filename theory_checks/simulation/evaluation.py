# SPDX-License-Identifier: Apache-2.0
"""Evaluates one claim with its controls, or methods side by side, and makes the record of it."""

import time
from typing import Any

from optzoo.conformance.blame import outside

from ..claim import Claim
from ..records import write as record
from ..side_by_side import SideBySide
from ..worst_case.coverage import coverage
from .laboratory import Laboratory

__all__ = ["evaluated", "run_claim", "run_side_by_side"]

Record = dict[str, Any]


def evaluated(subject: Claim | SideBySide, laboratory: Laboratory, fingerprint: str) -> Record:
    """The record of a claim or of methods side by side.

    Args:
        subject: what to evaluate.
        laboratory: where its replicates come from.
        fingerprint: what the result depends on, see `records.fingerprint`.

    Returns:
        The record, with the fingerprint.

    Raises:
        ValueError: if it cannot be evaluated; the message has its id.
    """
    evaluate = run_claim if isinstance(subject, Claim) else run_side_by_side
    return evaluate(subject, laboratory) | {"fingerprint": fingerprint}  # type: ignore[arg-type]


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
