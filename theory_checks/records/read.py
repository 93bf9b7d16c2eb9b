# SPDX-License-Identifier: Apache-2.0
"""results.json read back, strictly, with every field that a record may lack filled in."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["CURVES", "VERDICTS", "Record", "load_results"]

Record = dict[str, Any]

_SCHEMAS = (1, 2)
_KINDS = ("upper_bound", "lower_bound", "identity", "one_step", "scaling", "rate")
VERDICTS = ("CONSISTENT", "REFUTED", "INCONCLUSIVE")
CURVES = ("mean", "lower", "upper", "bound", "lower_bound", "worst_case")
_CLAIM_FIELDS = (
    *("id", "paper", "source", "title", "theorem", "algorithm", "statement", "assumptions", "form"),
    *("kind", "unit", "output", "metric", "problem", "constants", "parameters", "seeds", "verdict"),
    *("tightness", "tightness_lower", "tightness_upper", "detectable_factor", "vacuous", "alpha"),
    *("e_value", "evidence", "decided", "tolerance", "pairs_with", "not_shown", "seconds"),
    *("gradient_calls", "support", "unseen", "finite_upper", "worst_case_over"),
    *(
        "checkpoints",
        *CURVES,
        "exponent",
        "controls",
        "x_label",
        "y_label",
        "part",
        "case",
        "cases",
        "coverage",
        "structure",
        "not_tested",
        "search",
        "pictures",
    ),
)
_CASE_FIELDS = (
    *("name", "problem", "constants", "parameters", "seeds", "verdict", "decided", "tightness"),
    *("tightness_lower", "tightness_upper", "detectable_factor", "vacuous", "support", "unseen"),
    *("checkpoints", "mean", "lower", "upper", "bound"),
)
_THEOREM_FIELDS = (
    *("paper", "known", "label", "root", "title", "source", "algorithm", "statement"),
    *("assumptions", "metric", "unit", "output", "side", "rate", "form", "constants", "code"),
    *("proof", "not_shown", "claims"),
)
_ENVIRONMENT_FIELDS = (
    *("created", "preset", "master_seed", "protocol"),
    *("version", "python", "jax", "optax", "numpy"),
    *("platform", "cpus", "devices"),
)
_EXPONENT_FIELDS = ("stated", "value", "lower", "upper", "window", "x")
_CONSTANT_FIELDS = ("value", "how", "side", "width", "derivation")
_SIDE_BY_SIDE_FIELDS = (
    *("id", "title", "paper", "description", "problem", "seeds", "seconds", "notes", "panels"),
)
_PANEL_FIELDS = ("title", "x_label", "y_label", "curves")
_CURVE_FIELDS = ("label", "x", "mean", "lower", "upper")
_CONTROL_FIELDS = (
    *("name", "description", "expected", "verdict", "killed", "killed_by", "evidence", "e_value"),
)


def load_results(directory: Path) -> Record:
    """The contents of results.json, with every field that a record may lack filled in as None.

    Args:
        directory: where results.json lies, or that file itself, under any name.

    Returns:
        A dict with the keys "schema", "environment", "theorems", "claims", "comparisons",
        "failures", "summary" and "hash". A file of schema 1 has no theorems and no tables of cases;
        the lists are empty.

    Raises:
        FileNotFoundError: there is no results.json.
        ValueError: results.json is not complete strict JSON of a known schema, or a record in it
            contradicts itself (curves of different lengths, an unknown verdict, an id used twice).

    Example:
        >>> import json, pathlib, tempfile
        >>> from theory_checks.records.read import load_results
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     directory = pathlib.Path(folder)
        ...     _ = (directory / "results.json").write_text('{"schema": 1, "claims": []}')
        ...     load_results(directory)["environment"]["python"] is None
        True
    """
    given = Path(directory)
    path = given if given.is_file() else given / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: is {directory} the folder of a run?")
    try:
        results = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_strict)
    except ValueError as error:
        raise ValueError(f"{path} is not complete, strict JSON: {error}") from error
    if not isinstance(results, dict) or results.get("schema") not in _SCHEMAS:
        found = results.get("schema") if isinstance(results, dict) else type(results).__name__
        known = " and ".join(str(schema) for schema in _SCHEMAS)
        raise ValueError(f"{path} has schema {found!r}, but this version reads schemas {known}")
    claims, comparisons = results.get("claims"), results.get("comparisons") or []
    theorems = results.get("theorems") or []
    failures = results.get("failures") or []
    listed = {
        "claims": claims,
        "comparisons": comparisons,
        "theorems": theorems,
        "failures": failures,
    }
    for key, records in listed.items():
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise ValueError(f'"{key}" in {path} must be a list of records')
    results.setdefault("hash", None)  # runs were not named before 0.2
    results["environment"] = _filled(results.get("environment") or {}, _ENVIRONMENT_FIELDS)
    results["summary"] = _filled(results.get("summary") or {}, ("seconds",))
    results["claims"] = [_completed(claim) for claim in claims or ()]
    results["theorems"] = [_completed_theorem(one) for one in theorems]
    results["comparisons"] = [_completed_side_by_side(one) for one in comparisons]
    results["failures"] = [_filled(one, ("id", "reason")) for one in failures]
    records = (*results["claims"], *results["comparisons"])
    for identifier, times in Counter(one["id"] for one in records).items():
        if times > 1:
            raise ValueError(f"{path} has {times} records with the id {identifier!r}")
    return results


def _not_strict(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _completed(claim: Record) -> Record:
    record = _filled(claim, _CLAIM_FIELDS)
    identifier = _identifier(record, "claim")
    for key, allowed in (("kind", _KINDS), ("verdict", VERDICTS)):
        if record[key] is not None and record[key] not in allowed:
            raise ValueError(
                f"{key} of {identifier} must be one of {', '.join(allowed)} or null, "
                f"but is {record[key]!r}"
            )
    record["controls"] = [_filled(control, _CONTROL_FIELDS) for control in record["controls"] or ()]
    record["constants"] = {
        name: _filled(constant or {}, _CONSTANT_FIELDS)
        for name, constant in (record["constants"] or {}).items()
    }
    record["cases"] = [_filled(case, _CASE_FIELDS) for case in record["cases"] or ()]
    record["exponent"] = _filled(record["exponent"] or {}, _EXPONENT_FIELDS)
    if isinstance(record["metric"], str) and "$" not in record["metric"]:
        record["metric"] = f"${record['metric']}$"  # a bare formula: metrics are always TeX
    if isinstance(record["seeds"], list):
        record["seeds"] = len(record["seeds"])
    record["pairs_with"] = _listed(record["pairs_with"])
    record["assumptions"] = _listed(record["assumptions"])
    record["not_shown"] = _listed(record["not_shown"])
    points = len(record["checkpoints"] or ())
    for name in CURVES:
        if record[name] is not None and len(record[name]) != points:
            raise ValueError(
                f"{identifier} has {points} checkpoints, but {name} has {len(record[name])} values"
            )
    return record


def _completed_theorem(theorem: Record) -> Record:
    record = _filled(theorem, _THEOREM_FIELDS)
    for name in ("paper", "label", "root"):
        if not isinstance(record[name], str) or not record[name]:
            raise ValueError(f"a theorem's {name} must be a non-empty string, got {record[name]!r}")
    record["assumptions"] = [
        _filled(one, ("text", "checked")) for one in _listed(record["assumptions"])
    ]
    record["constants"] = [
        _filled(one, ("name", "meaning", "weakens", "read")) for one in _listed(record["constants"])
    ]
    return record


def _completed_side_by_side(beside: Record) -> Record:
    record = _filled(beside, _SIDE_BY_SIDE_FIELDS)
    identifier = _identifier(record, "side-by-side record")
    record["notes"] = _listed(record["notes"])
    record["panels"] = [_filled(panel, _PANEL_FIELDS) for panel in record["panels"] or ()]
    for panel in record["panels"]:
        panel["curves"] = [_filled(curve, _CURVE_FIELDS) for curve in panel["curves"] or ()]
        for curve in panel["curves"]:
            points = len(curve["x"] or ())
            for name in ("mean", "lower", "upper"):
                if curve[name] is not None and len(curve[name]) != points:
                    raise ValueError(
                        f"the curve {curve['label']!r} of {identifier} has {points} points, but "
                        f"{name} has {len(curve[name])} values"
                    )
    return record


def _identifier(record: Record, what: str) -> str:
    identifier = record["id"]
    if not isinstance(identifier, str) or not identifier:
        raise ValueError(f"a {what}'s id must be a non-empty string, but is {identifier!r}")
    return identifier


def _filled(record: Record, fields: Iterable[str]) -> Record:
    return dict.fromkeys(fields) | record


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
