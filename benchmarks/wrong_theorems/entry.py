"""A theorem to attack: where its instances come from, and an instance that is too easy for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optzoo.theorems import Theorem
from theory_checks.claim import Case
from theory_checks.worst_case.attack import InstanceFamily

__all__ = ["Entry"]


@dataclass(frozen=True, eq=False)
class Entry:
    """A theorem to attack.

    Args:
        name: short.
        mistake: of which kind it is; empty for a theorem without one.
        theorem: as its author states it.
        families: where instances come from.
        easy: parameters of an instance of the first family on which the theorem is CONSISTENT.
    """

    name: str
    mistake: str
    theorem: Theorem
    families: Callable[[], tuple[InstanceFamily, ...]]
    easy: dict[str, Any] = field(default_factory=dict)

    def easy_case(self) -> Case:
        """The theorem on its easy instance."""
        return self.families()[0].case(self.theorem, self.easy)
