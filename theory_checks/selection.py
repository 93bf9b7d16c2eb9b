# SPDX-License-Identifier: Apache-2.0
"""Claims by their ids: what the arguments of a command select."""

import fnmatch
from collections.abc import Sequence
from typing import Protocol, TypeVar

from .statuses import UsageError

__all__ = ["select"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Subject = TypeVar("Subject", bound=_Identified)


def select(subjects: Sequence[Subject], patterns: Sequence[str]) -> list[Subject]:
    """What ids, prefixes or globs name of `subjects`, in their order.

    Args:
        subjects: all there are.
        patterns: an id, a prefix of path components, or a glob; none selects everything.

    Returns:
        The selected ones.

    Raises:
        UsageError: if a pattern names nothing.
    """
    chosen = set()
    for pattern in patterns:
        named = {
            one.id
            for one in subjects
            if fnmatch.fnmatchcase(one.id, pattern) or one.id.startswith(pattern.rstrip("/") + "/")
        }
        if not named:
            known = ", ".join(sorted({one.id.split("/")[0] for one in subjects}))
            raise UsageError(
                f"no id is named by '{pattern}'; papers: {known}; see `theory-checks list`"
            )
        chosen |= named
    return [one for one in subjects if not patterns or one.id in chosen]
