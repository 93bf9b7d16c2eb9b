# SPDX-License-Identifier: Apache-2.0
"""The short hash of a run, by which it can be cited: equal for the same run made again."""

import hashlib
import json
from typing import Any

__all__ = ["run_hash"]

Record = dict[str, Any]

_ENVIRONMENT = (
    *("version", "python", "jax", "optax", "numpy", "scipy"),
    *("preset", "seeds", "master_seed", "protocol"),
)
_NUMBERS = (
    *("id", "fingerprint", "verdict", "vacuous", "seeds", "e_value", "checkpoints", "mean"),
    *("lower", "upper", "bound", "lower_bound", "tightness", "tightness_lower"),
    *("tightness_upper", "detectable_factor", "exponent", "cases", "controls", "panels"),
)
# Of what stands inside these, too: prose is the fingerprint's, time is nobody's.
_ASIDE = ("seconds", "gradient_calls", "evaluations")
_LENGTH = 12
_DIGITS = 6


def run_hash(results: Record) -> str:
    """What decides a run's numbers, and its verdicts, as twelve hexadecimal digits.

    It knows neither when and how fast the run was made, nor in which order its claims finished.

    Args:
        results: what results.json holds.

    Returns:
        The first twelve digits of a SHA-256.

    Example:
        >>> from theory_checks.records.citation import run_hash
        >>> run = {"environment": {"master_seed": 1, "created": "now"}, "claims": []}
        >>> later = {"environment": {"master_seed": 1, "created": "then"}, "claims": []}
        >>> other = {"environment": {"master_seed": 2, "created": "now"}, "claims": []}
        >>> run_hash(run) == run_hash(later), run_hash(run) == run_hash(other)
        (True, False)
    """
    environment = results.get("environment") or {}
    records = [*(results.get("claims") or ()), *(results.get("comparisons") or ())]
    told = {
        "environment": {name: environment.get(name) for name in _ENVIRONMENT},
        "records": sorted(
            (_known({name: record.get(name) for name in _NUMBERS}) for record in records),
            key=lambda record: str(record["id"]),
        ),
    }
    text = json.dumps(told, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _known(value: Any) -> Any:
    """The value without times, its numbers to six digits: the last ones are the machine's."""
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items() if name not in _ASIDE}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else value
