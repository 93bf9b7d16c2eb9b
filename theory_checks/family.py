# SPDX-License-Identifier: Apache-2.0
"""A family: settings that are evaluated together, as the cases of one check."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant
from optzoo.theorems import Theorem

from .setting import Setting

__all__ = ["Family", "members"]

Array = NDArray[np.float64]
Member = TypeVar("Member", bound=Setting)


def members(make: Callable[..., Member], **axes: Iterable[Any]) -> tuple[Member, ...]:
    """The settings of all choices along the axes, the last of them running fastest.

    Args:
        make: makes the setting of a choice.
        **axes: the values of each of its arguments.

    Returns:
        The settings.

    Example:
        >>> from theory_checks.setting import Stated
        >>> [one.text for one in members(lambda a, b: Stated(f"{a}{b}"), a="xy", b=(1, 2))]
        ['x1', 'x2', 'y1', 'y2']
    """
    choices = itertools.product(*axes.values())
    return tuple(make(**dict(zip(axes, choice, strict=True))) for choice in choices)


@final
@dataclass(frozen=True, eq=False)
class Family(Setting, Generic[Member]):
    """Settings that are evaluated together, where a theorem on a grid is one check.

    The constants that all share are its constants, those that vary its parameters.

    Args:
        text: the instances in words and numbers.
        members: each with its own constants.
        theorems: whose constants are shown.
    """

    text: str
    members: tuple[Member, ...]
    theorems: tuple[Theorem, ...]

    @property
    def words(self) -> str:
        return self.text

    @property
    def constants(self) -> Mapping[str, Constant]:
        return {name: values[0] for name, values in self._known.items() if len(values) == 1}

    @property
    def parameters(self) -> dict[str, float | int | str]:
        return {
            name: _several([constant.value for constant in values])
            for name, values in self._known.items()
            if len(values) > 1
        }

    @property
    def _known(self) -> dict[str, list[Constant]]:
        """The different values of each constant of the theorems."""
        needed = {
            field.name
            for theorem in self.theorems
            if theorem.constants is not None
            for field in dataclasses.fields(theorem.constants)
        }
        tables = [member.constants for member in self.members]
        names = dict.fromkeys(name for table in tables for name in table if name in needed)
        return {
            name: list(dict.fromkeys(table[name] for table in tables if name in table))
            for name in names
        }

    def each(self, theorem: Theorem) -> tuple[Any, ...]:
        """The theorem's constants of each member."""
        return tuple(member.of(theorem) for member in self.members)

    def bounds(self, theorem: Theorem, **changes: Any) -> Array:
        """The theorem's bound for each member, or that with changed constants."""
        return np.array([member.bound(theorem, **changes) for member in self.members])

    def exponent(self, theorem: Theorem) -> float:
        """The theorem's exponent, one for all members.

        Raises:
            ValueError: if the members have different ones.
        """
        (value,) = set(self.bounds(theorem).tolist())
        return float(value)


def _several(values: list[float]) -> str:
    """The values where they are few, else the least and the largest of them."""

    def written(value: float) -> str:
        inverse = 1 / value if value > 0 else 0.0
        whole = inverse > 1 and abs(inverse - round(inverse)) < 1e-9
        return f"1/{round(inverse)}" if whole else f"{value:.4g}"

    ordered = [written(value) for value in sorted(values)]
    return ", ".join(ordered) if len(ordered) <= 4 else f"{ordered[0]} ... {ordered[-1]}"
