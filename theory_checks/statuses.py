# SPDX-License-Identifier: Apache-2.0
"""The exit statuses of the command line, and what calls for which."""

from collections.abc import Sequence
from typing import Any

__all__ = [
    "FAILED",
    "INCONCLUSIVE",
    "INTERRUPTED",
    "OK",
    "UNEXPECTED",
    "USAGE",
    "UsageError",
    "exit_status",
]

OK, UNEXPECTED, USAGE, INCONCLUSIVE, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class UsageError(ValueError):
    """A command that cannot be carried out as given."""


def exit_status(
    claims: Sequence[dict[str, Any]],
    failures: Sequence[str] = (),
    theorems: Sequence[dict[str, Any]] = (),
) -> int:
    """The status that a run's records, its failures and its theorems call for."""
    from .records.write import unmet_expectations

    if unmet_expectations(claims, theorems):
        return UNEXPECTED
    if failures:
        return FAILED
    if any(claim["verdict"] == "INCONCLUSIVE" for claim in claims):
        return INCONCLUSIVE
    return OK
