"""results.json read back, strictly, with every field that a record may lack filled in."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["CURVES", "VERDICTS", "Record", "load_results"]

Record = dict[str, Any]

_SCHEMA = 1
_KINDS = ("upper_bound", "lower_bound", "identity", "one_step", "scaling", "rate")
VERDICTS = ("CONSISTENT", "REFUTED", "INCONCLUSIVE")
CURVES = ("mean", "lower", "upper", "bound", "lower_bound")
_CLAIM_FIELDS = (
    *("id", "paper", "source", "title", "theorem", "algorithm", "statement", "assumptions", "form"),
    *("kind", "unit", "output", "metric", "problem", "constants", "parameters", "seeds", "verdict"),
    *("tightness", "tightness_lower", "tightness_upper", "detectable_factor", "vacuous", "alpha"),
    *("e_value", "evidence", "decided", "tolerance", "pairs_with", "not_shown", "seconds"),
    "gradient_calls",
    *("checkpoints", *CURVES, "exponent", "controls", "x_label", "y_label"),
)
_ENVIRONMENT_FIELDS = (
    *("created", "preset", "master_seed", "version", "python", "jax", "optax", "numpy"),
    *("platform", "cpus", "devices"),
)
_EXPONENT_FIELDS = ("stated", "value", "lower", "upper", "window", "x")
_CONSTANT_FIELDS = ("value", "how", "width", "derivation")
_CONTROL_FIELDS = (
    *("name", "description", "expected", "verdict", "killed", "killed_by", "evidence", "e_value"),
)


def load_results(directory: Path) -> Record:
    """The contents of results.json, with every field that a record may lack filled in as None.

    Args:
        directory: where results.json lies.

    Returns:
        A dict with the keys "schema", "environment", "claims" and "summary".

    Raises:
        FileNotFoundError: there is no results.json.
        ValueError: results.json is not complete strict JSON of schema 1, or a record in it
            contradicts itself (curves of different lengths, an unknown verdict, an id used twice).

    Example:
        >>> import json, pathlib, tempfile
        >>> from theory_checks.results import load_results
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     directory = pathlib.Path(folder)
        ...     _ = (directory / "results.json").write_text('{"schema": 1, "claims": []}')
        ...     load_results(directory)["environment"]["python"] is None
        True
    """
    path = Path(directory) / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: is {directory} the folder of a run?")
    try:
        results = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_strict)
    except ValueError as error:
        raise ValueError(f"{path} is not complete, strict JSON: {error}") from error
    if not isinstance(results, dict) or results.get("schema") != _SCHEMA:
        found = results.get("schema") if isinstance(results, dict) else type(results).__name__
        raise ValueError(f"{path} has schema {found!r}, but this version reads schema {_SCHEMA}")
    claims = results.get("claims")
    if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
        raise ValueError(f'"claims" in {path} must be a list of records')
    results["environment"] = _filled(results.get("environment") or {}, _ENVIRONMENT_FIELDS)
    results["summary"] = _filled(results.get("summary") or {}, ("seconds",))
    results["claims"] = [_completed(claim) for claim in claims]
    for identifier, times in Counter(claim["id"] for claim in results["claims"]).items():
        if times > 1:
            raise ValueError(f"{path} has {times} claims with the id {identifier!r}")
    return results


def _not_strict(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _completed(claim: Record) -> Record:
    record = _filled(claim, _CLAIM_FIELDS)
    identifier = record["id"]
    if not isinstance(identifier, str) or not identifier:
        raise ValueError(f"a claim's id must be a non-empty string, but is {identifier!r}")
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


def _filled(record: Record, fields: Iterable[str]) -> Record:
    return dict.fromkeys(fields) | record


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
