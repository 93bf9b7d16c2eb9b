"""A theorem to attack: where its instances come from, and an instance that is too easy for it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optzoo.theorems import Theorem
from theory_checks.claim import Case
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case.attack import InstanceFamily

__all__ = ["Entry"]

_TRIES = 100


@dataclass(frozen=True, eq=False)
class Entry:
    """A theorem to attack.

    Args:
        name: short.
        mistake: of which kind it is; empty for a theorem without one.
        theorem: as its author states it.
        families: where instances come from.
        easy: parameters of an instance of the first family on which the theorem is CONSISTENT; any
            random one if there is none.
    """

    name: str
    mistake: str
    theorem: Theorem
    families: Callable[[], tuple[InstanceFamily, ...]]
    easy: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def easy_case(self) -> Case:
        """The theorem on its easy instance."""
        family = self.families()[0]
        if self.easy:
            return family.case(self.theorem, self.easy)
        rng = np.random.default_rng(0)
        for _ in range(_TRIES):
            choice = {name: one.values[0] for name, one in family.choices.items()}
            parameters = family.at(choice, rng.random(family.dimension))
            with contextlib.suppress(ValueError):
                case = family.case(self.theorem, parameters)
                if case.check.run(Laboratory()).verdict == "CONSISTENT":
                    return case
        raise ValueError(f"{self.name}: none of {_TRIES} random instances is easy")
