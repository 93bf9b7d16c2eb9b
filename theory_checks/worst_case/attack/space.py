# SPDX-License-Identifier: Apache-2.0
"""Families of instances: what a search may vary, in stated ranges, and the case that it makes."""

import inspect
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems import Theorem

from ...claim import Case

__all__ = ["InstanceFamily", "OneOf", "Parameters", "Real", "Whole", "form"]

Array = NDArray[np.float64]
Parameters: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Real:
    """A real parameter, or a vector of them.

    Args:
        low, high: its range, both ends included.
        log: whether its logarithm is what is varied; the range is then positive.
        size: how many there are; a single number if None.

    Raises:
        ValueError: if the range is empty or not finite, not positive where its logarithm is varied,
            or the size is not positive.

    Example:
        >>> Real(0.01, 1.0, log=True).at([0.5])
        0.1
        >>> Real(1.0, 0.0)
        Traceback (most recent call last):
        ValueError: a range needs low < high, both finite, got 1.0 and 0.0
    """

    low: float
    high: float
    log: bool = False
    size: int | None = None

    def __post_init__(self) -> None:
        _require_range(self.low, self.high, log=self.log)
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    @property
    def count(self) -> int:
        """How many numbers in [0, 1] it takes."""
        return 1 if self.size is None else self.size

    def at(self, unit: Any) -> Any:
        """The value, or the list of values, for numbers in [0, 1]."""
        values = [_between(self.low, self.high, float(u), log=self.log) for u in unit]
        return values[0] if self.size is None else values

    def unit(self, value: Any) -> Array:
        """The numbers in [0, 1] of a value."""
        given = np.atleast_1d(np.asarray(value, dtype=np.float64))
        return np.array([_unit(self.low, self.high, one, log=self.log) for one in given])


@dataclass(frozen=True)
class Whole:
    """An integer parameter that changes no shape, such as a number of steps in a recursion.

    Args:
        low, high: its range, both ends included.
        log: whether its logarithm is what is varied.

    Raises:
        ValueError: if the range is empty, or not positive where its logarithm is varied.

    Example:
        >>> [Whole(1, 3).at([u]) for u in (0.0, 0.4, 1.0)]
        [1, 2, 3]
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _require_range(self.low, self.high, log=self.log)

    @property
    def count(self) -> int:
        """How many numbers in [0, 1] it takes."""
        return 1

    def at(self, unit: Any) -> int:
        """The value for a number in [0, 1]."""
        return round(_between(self.low, self.high, float(unit[0]), log=self.log))

    def unit(self, value: int) -> Array:
        """The number in [0, 1] of a value."""
        return np.array([_unit(self.low, self.high, value, log=self.log)])


@dataclass(frozen=True)
class OneOf:
    """A choice, or an integer that changes the shape or the program: a batch size, a schedule.

    Args:
        *values: what may be chosen; numbers and strings, so that a file can keep them.

    Raises:
        ValueError: if there is none.

    Example:
        >>> OneOf(1, 2, 4).values
        (1, 2, 4)
    """

    values: tuple[Hashable, ...]

    def __init__(self, *values: Hashable) -> None:
        if not values:
            raise ValueError("a choice needs at least one value")
        object.__setattr__(self, "values", values)


def _require_range(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"a range needs low < high, both finite, got {low} and {high}")
    if log and low <= 0:
        raise ValueError(f"a range of logarithms must be positive, got {low} to {high}")


def _between(low: float, high: float, u: float, *, log: bool) -> float:
    u = min(max(u, 0.0), 1.0)
    if log:
        return float(min(max(low * (high / low) ** u, low), high))
    return float(min(max(low + (high - low) * u, low), high))


def _unit(low: float, high: float, value: float, *, log: bool) -> float:
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


@dataclass(frozen=True, eq=False)
class InstanceFamily:
    """Instances that one theorem, or several of one form, can be evaluated on.

    Its assumptions hold by construction: whatever the parameters, what `make` returns is an
    instance with certified constants, or it raises a ValueError that says why there is none.

    Args:
        name: a few words.
        make: (theorem, **parameters) -> the case; the theorem is handed in, so that a family serves
            all that speak of the same method, and a theorem with a mistake in it.
        varies: the parameters: `Real` and `Whole` numbers, which a program takes as arguments, and
            `OneOf`, which it is compiled for.
        theorems: of which it has instances, and with them all that have the same constants, metric,
            output and side.
        starts: parameters of instances to begin with, such as those known to be hard.

    Raises:
        ValueError: if nothing varies, `make` does not take what does, or a start leaves some of it
            open.

    Example:
        >>> from theory_checks.checks import ExactInequality
        >>> from theory_checks.claim import Case
        >>> from theory_checks.setting import Stated, chosen
        >>> from optzoo.theorems.frank_wolfe import F2
        >>> def parabola(theorem, eta, L):
        ...     setting = Stated("x^2 L / 2 on [-1, 1]", chosen(L=L, D=2.0))
        ...     rise = [L * (1 - 2 * eta) ** 2 / 2 - L / 2 + eta * 2 * L]
        ...     return Case(setting, ExactInequality(
        ...         lambda: (rise, lambda: [setting.bound(theorem, eta, 0.0)])))
        >>> family = InstanceFamily(
        ...     "parabolas", parabola, {"eta": Real(0.01, 1.0), "L": Real(0.1, 10.0)}, (F2,))
        >>> family.at({}, [0.0, 0.0])
        {'eta': 0.01, 'L': 0.1}
        >>> family.fits(F2)
        True
    """

    name: str
    make: Callable[..., Case]
    varies: Mapping[str, Real | Whole | OneOf]
    theorems: tuple[Theorem, ...] = ()
    starts: tuple[Parameters, ...] = ()

    def __post_init__(self) -> None:
        if not self.varies:
            raise ValueError(f"the family '{self.name}' varies nothing")
        taken = inspect.signature(self.make).parameters
        open_ended = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        unknown = [name for name in self.varies if name not in taken and not open_ended]
        if unknown:
            raise ValueError(
                f"the family '{self.name}' varies {', '.join(unknown)}, which its `make` does not "
                f"take; it takes {', '.join(taken)}"
            )
        for start in self.starts:
            if set(start) != set(self.varies):
                apart = sorted(set(start) ^ set(self.varies))
                raise ValueError(
                    f"a start of the family '{self.name}' and what varies differ in "
                    f"{', '.join(apart)}"
                )

    def fits(self, theorem: Theorem) -> bool:
        """Whether the theorem speaks of what the family's own theorems speak of."""
        return any(theorem is own or form(theorem) == form(own) for own in self.theorems)

    @property
    def numbers(self) -> dict[str, Real | Whole]:
        """What varies continuously, or nearly so."""
        return {name: one for name, one in self.varies.items() if not isinstance(one, OneOf)}

    @property
    def choices(self) -> dict[str, OneOf]:
        """What a program is compiled for."""
        return {name: one for name, one in self.varies.items() if isinstance(one, OneOf)}

    @property
    def dimension(self) -> int:
        """How many numbers in [0, 1] a point takes."""
        return sum(one.count for one in self.numbers.values())

    def at(self, choice: Mapping[str, Any], unit: Any) -> Parameters:
        """The parameters of a choice and of a point of the unit cube."""
        found: Parameters = dict(choice)
        start = 0
        for name, one in self.numbers.items():
            found[name] = one.at(unit[start : start + one.count])
            start += one.count
        return found

    def unit(self, parameters: Parameters) -> Array:
        """The point of the unit cube that has these parameters."""
        parts = [one.unit(parameters[name]) for name, one in self.numbers.items()]
        return np.concatenate([*parts, np.zeros(0)])

    def case(self, theorem: Theorem, parameters: Parameters) -> Case:
        """The theorem on the instance that has these parameters."""
        return self.make(theorem, **parameters)


def form(theorem: Theorem) -> tuple[object, ...]:
    """What a theorem speaks of, without what it says of it: one with a mistake has the same form.

    Args:
        theorem: any.

    Returns:
        Its constants, algorithm, metric, output, side and assumptions.

    Example:
        >>> from dataclasses import replace
        >>> from optzoo.theorems.frank_wolfe import F3, F4
        >>> form(F3) == form(replace(F3, formula=lambda constants, steps: 0.0))
        True
        >>> form(F3) == form(F4)
        False
    """
    return (
        theorem.constants,
        theorem.algorithm,
        theorem.metric,
        theorem.output,
        theorem.side,
        tuple(one.text for one in theorem.assumptions),
    )
