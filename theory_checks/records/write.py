# SPDX-License-Identifier: Apache-2.0
"""results.json: what a run found, written after every claim and all that stands side by side.

So a killed run loses nothing that was finished.
"""

import datetime
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant

from ..claim import Case, Claim, Control, Finding
from ..side_by_side import Outcome, SideBySide
from ..statistics.log_log import Exponent
from ..statistics.protocol import Protocol
from .citation import run_hash
from .coverage import coverage_of, headline, untested
from .read import load_results

__all__ = [
    "claim_record",
    "control_record",
    "environment",
    "finished_run",
    "side_by_side_record",
    "summary",
    "unmet_expectations",
    "writable",
    "write",
]

SCHEMA = 2
RESULTS = "results.json"


def environment(*, preset: str, seeds: int, master_seed: int, protocol: Protocol) -> dict[str, Any]:
    """Where and how the run was made."""
    packages = ("optzoo", "jax", "optax", "numpy", "scipy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "version": versions.pop("optzoo"),
        "python": platform.python_version(),
        **versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "devices": [f"{device.platform}:{device.id}" for device in jax.devices()],
        "preset": preset,
        "seeds": seeds,
        "master_seed": master_seed,
        "protocol": protocol.record,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def claim_record(
    claim: Claim,
    found: Sequence[tuple[str, Case, Finding]],
    controls: Sequence[dict[str, Any]],
    tested: Mapping[str, Any],
    *,
    alpha: float,
    seconds: float,
) -> dict[str, Any]:
    """One claim as it stands in results.json: the case that decides, and a table of all.

    Args:
        claim: what was claimed.
        found: the name, the case and what was found, of each case.
        controls: their records.
        tested: what of the theorem was, see `worst_case.coverage`.
        alpha: of the protocol.
        seconds: what it all took.

    Returns:
        The record.
    """
    theorem = claim.theorem
    name, case, finding = max(found, key=lambda one: _closeness(one[2]))
    not_shown = theorem.not_shown if claim.not_shown is None else claim.not_shown
    return {
        "id": claim.id,
        "title": claim.title,
        "paper": theorem.paper.citation,
        "source": theorem.source,
        "theorem": theorem.root.label,
        "part": theorem.label,
        "algorithm": theorem.algorithm,
        "statement": theorem.statement,
        "assumptions": [assumption.text for assumption in theorem.assumptions],
        "form": theorem.form,
        "kind": case.check.kind,
        "unit": theorem.unit,
        "output": theorem.output,
        "metric": theorem.metric,
        "x_label": claim.x_label,
        "y_label": f"${theorem.metric}$",
        "case": name,
        "problem": case.setting.words,
        "constants": _constants(case.setting.constants),
        "parameters": _parameters(case.setting.parameters),
        "seeds": finding.seeds,
        "alpha": alpha if finding.e_value is not None else None,
        "verdict": finding.verdict,
        "decided": finding.decided,
        "evidence": f"{case.check.name}: {finding.decided}",
        "e_value": _number(finding.e_value),
        "tightness": _number(finding.tightness),
        "tightness_lower": _number(finding.tightness_lower),
        "tightness_upper": _number(finding.tightness_upper),
        "detectable_factor": _number(finding.detectable_factor),
        "vacuous": finding.vacuous,
        "support": finding.support,
        "unseen": _number(finding.unseen),
        "pairs_with": list(claim.pairs_with),
        "not_shown": not_shown,
        "gradient_calls": _number(finding.gradient_calls),
        "seconds": round(seconds, 3),
        "checkpoints": _numbers(finding.checkpoints),
        "mean": _numbers(finding.mean),
        "lower": _numbers(finding.lower),
        "upper": _numbers(finding.upper),
        "finite_upper": _numbers(finding.finite_upper),
        "bound": _numbers(finding.bound),
        "lower_bound": _numbers(finding.lower_bound),
        "worst_case": _numbers(finding.worst_case),
        "worst_case_over": finding.worst_case_over,
        "exponent": _exponent(claim, finding.exponent),
        "controls": list(controls),
        **tested,
        "not_tested": dict(claim.not_tested),
        "search": None if claim.search is None else dict(claim.search),
        # Pictures are for what nobody has seen before: the instances that a search found.
        "pictures": {}
        if claim.search is None
        else {name: one.setting.picture() for name, one, _ in found},
        "cases": [_case_record(claim, *one) for one in found] if len(found) > 1 else [],
    }


def _closeness(finding: Finding) -> tuple[int, float]:
    """How close a case is to its bound: the verdict first, then what it would have caught."""
    rank = {"REFUTED": 2, "INCONCLUSIVE": 1, "CONSISTENT": 0}[finding.verdict]
    factor = finding.detectable_factor
    return rank, -math.inf if factor is None else -factor


def _case_record(claim: Claim, name: str, case: Case, finding: Finding) -> dict[str, Any]:
    """One row of the table of a grid."""
    return {
        "name": name,
        "problem": case.setting.words,
        "constants": _constants(case.setting.constants),
        "parameters": _parameters(case.setting.parameters),
        "seeds": finding.seeds,
        "verdict": finding.verdict,
        "decided": finding.decided,
        "tightness": _number(finding.tightness),
        "tightness_lower": _number(finding.tightness_lower),
        "tightness_upper": _number(finding.tightness_upper),
        "detectable_factor": _number(finding.detectable_factor),
        "vacuous": finding.vacuous,
        "support": finding.support,
        "unseen": _number(finding.unseen),
        "checkpoints": _numbers(finding.checkpoints),
        "mean": _numbers(finding.mean),
        "lower": _numbers(finding.lower),
        "upper": _numbers(finding.upper),
        "bound": _numbers(finding.bound),
        "exponent": _exponent(claim, finding.exponent),
    }


def _constants(constants: Mapping[str, Constant]) -> dict[str, Any]:
    return {
        name: {
            "value": _number(constant.value),
            "how": constant.how,
            "side": constant.side,
            "width": _number(constant.width),
            "derivation": constant.derivation,
        }
        for name, constant in constants.items()
    }


def _parameters(parameters: Mapping[str, float | int | str]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | int) else _number(value)
        for name, value in parameters.items()
    }


def _exponent(claim: Claim, measured: Exponent | None) -> dict[str, Any] | None:
    """The measured exponent; of a bound only the one it states, as a guide for the eye."""
    if measured is None and claim.theorem.rate is None:
        return None
    found: dict[str, Any] = {
        "stated": claim.theorem.rate,
        "value": None,
        "lower": None,
        "upper": None,
        "window": None,
        "x": claim.x_label,
    }
    if measured is not None:
        found |= {
            "stated": measured.stated,
            "value": _number(measured.value),
            "lower": _number(measured.lower),
            "upper": _number(measured.upper),
            "window": [_number(end) for end in measured.window],
        }
    return found


def control_record(control: Control, finding: Finding, *, case: str = "") -> dict[str, Any]:
    """One control as it stands in results.json; `case` names the case of a grid it belongs to."""
    refuted = finding.verdict == "REFUTED"
    killed = refuted if control.expected == "REFUTED" else not refuted
    return {
        "name": f"{control.name}: {case}" if case else control.name,
        "description": control.description,
        "expected": control.expected,
        "verdict": finding.verdict,
        "killed": killed,
        "killed_by": f"{control.check.name}: {finding.decided}" if killed else None,
        "evidence": finding.decided,
        "e_value": _number(finding.e_value),
    }


def side_by_side_record(beside: SideBySide, outcome: Outcome, *, seconds: float) -> dict[str, Any]:
    """Methods side by side as they stand in results.json."""
    return {
        "id": beside.id,
        "title": beside.title,
        "paper": beside.paper,
        "description": beside.description,
        "problem": outcome.problem,
        "seeds": int(outcome.seeds),
        "seconds": round(seconds, 3),
        "notes": list(outcome.notes),
        "panels": [
            {
                "title": panel.title,
                "x_label": panel.x_label,
                "y_label": panel.y_label,
                "curves": [
                    {
                        "label": curve.label,
                        "x": _numbers(curve.x),
                        "mean": _numbers(curve.mean),
                        "lower": _numbers(curve.lower),
                        "upper": _numbers(curve.upper),
                    }
                    for curve in panel.curves
                ],
            }
            for panel in outcome.panels
        ],
    }


def unmet_expectations(
    claims: Sequence[dict[str, Any]], theorems: Sequence[dict[str, Any]] = ()
) -> list[str]:
    """What keeps a run from being as expected: sentences, empty if nothing does.

    Args:
        claims: their records.
        theorems: records of the theorems that they speak of.

    Returns:
        A sentence for each claim that is refuted, for each control that came out otherwise than
        expected, and for each theorem with constants that could be wrong by any factor unnoticed:
        neither its own claims nor those on its parts would have caught that, and no claim gives a
        reason (`not_tested`). Theorems whose partners were not asked for are no failure.
    """
    found = []
    for claim in claims:
        if claim["verdict"] == "REFUTED":
            found.append(f"{claim['id']} is REFUTED: {claim['decided']}")
        found += [
            f"{claim['id']}: the control '{control['name']}' came out as {control['verdict']}, "
            f"expected {control['expected']}"
            for control in claim["controls"]
            if not control["killed"]
        ]
    for row, names in untested(coverage_of(theorems, claims)):
        ids = ", ".join(row.claims)
        reason = (
            f"no run of {ids} or of its parts would notice if it could be better by any factor"
            if row.asked
            else f"the check of {ids} holds the bound as numbers, which cannot be asked anew: hand "
            "it a function, such as lambda: setting.bound(theorem, ...), or say why in not_tested"
        )
        found.append(f"{row.label} is UNTESTED in {', '.join(names)}: {reason}")
    return found


def summary(
    claims: Sequence[dict[str, Any]], seconds: float, theorems: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Counts over claims, controls and theorems, and the wall clock of the run so far."""
    controls = [control for claim in claims for control in claim["controls"]]
    count = {
        verdict: sum(claim["verdict"] == verdict for claim in claims)
        for verdict in ("CONSISTENT", "REFUTED", "INCONCLUSIVE")
    }
    return {
        "claims": len(claims),
        "consistent": count["CONSISTENT"],
        "refuted": count["REFUTED"],
        "inconclusive": count["INCONCLUSIVE"],
        "vacuous": sum(bool(claim["vacuous"]) for claim in claims),
        "without_controls": sum(not claim["controls"] for claim in claims),
        "controls": len(controls),
        "killed": sum(control["killed"] for control in controls),
        "seconds": round(seconds, 3),
        "coverage": headline(coverage_of(theorems, claims)),
        "unmet": unmet_expectations(claims, theorems),
    }


def write(
    directory: Path,
    environment: dict[str, Any],
    claims: Sequence[dict[str, Any]],
    seconds: float,
    *,
    theorems: Sequence[dict[str, Any]] = (),
    comparisons: Sequence[dict[str, Any]] = (),
    failures: Sequence[dict[str, Any]] = (),
) -> None:
    """Replaces results.json atomically: a reader sees the old file or the new one."""
    results = {
        "schema": SCHEMA,
        "environment": environment,
        "theorems": list(theorems),
        "claims": list(claims),
        "comparisons": list(comparisons),
        "failures": list(failures),
        "summary": summary(claims, seconds, theorems) | {"comparisons": len(comparisons)},
    }
    results["hash"] = run_hash(results)
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f".{RESULTS}.{os.getpid()}"
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(results, file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(directory / RESULTS)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def writable(found: dict[str, Any]) -> dict[str, Any]:
    """The record, if it can be written as strict JSON: one that cannot would cost all others.

    Args:
        found: a record.

    Returns:
        The same.

    Raises:
        ValueError: if it holds NaN, infinity, or what JSON has no word for.

    Example:
        >>> writable({"id": "paper/claim", "seeds": 32})["seeds"]
        32
    """
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its record cannot be written: {error}") from error
    return found


def finished_run(directory: Path) -> dict[str, Any]:
    """An earlier run exactly as written: its environment, its records and its summary.

    Args:
        directory: where results.json lies.

    Returns:
        The contents of results.json; "comparisons" and "theorems" are empty where it was written
        without.

    Raises:
        FileNotFoundError: if there is no results.json.
        ValueError: if it is damaged or of another schema.
    """
    load_results(directory)  # raises where the file is not sound
    results: dict[str, Any] = json.loads((directory / RESULTS).read_text(encoding="utf-8"))
    results["comparisons"] = results.get("comparisons") or []
    results["theorems"] = results.get("theorems") or []
    return results


def _number(value: float | None) -> float | None:
    """JSON has no infinity and no NaN; both become null."""
    return None if value is None or not math.isfinite(value) else float(value)


def _numbers(values: NDArray[np.float64] | None) -> list[float | None] | None:
    return None if values is None else [_number(value) for value in np.asarray(values).tolist()]
