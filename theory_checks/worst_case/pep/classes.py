# SPDX-License-Identifier: Apache-2.0
"""Classes of functions and operators over which a worst case is taken, in any dimension."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

__all__ = [
    "AnyClass",
    "FiniteSum",
    "MonotoneLipschitz",
    "OverSet",
    "SmoothClass",
    "SmoothConvex",
    "SmoothNonconvex",
    "SmoothStronglyConvex",
    "StronglyMonotoneLipschitz",
]


def _require(name: str, value: Any, low: float, high: float, *, strict: bool = True) -> None:
    """Raises unless low < value < high; low itself is allowed unless strict."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (low < value < high or (not strict and value == low)):
        bracket = "(" if strict else "["
        raise ValueError(f"{name} must be a number in {bracket}{low:g}, {high:g}), got {value!r}.")


class SmoothClass(ABC):
    """One function, or one operator: its gradients, or its values, are L-Lipschitz."""

    L: float
    has_values: ClassVar[bool] = True
    has_minimizer: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    """Whether the conditions on finitely many gradients are sufficient, not only necessary."""

    @property
    @abstractmethod
    def curvature(self) -> float:
        """The mu of f - mu |x|^2 / 2 convex, or of <F(x) - F(y), x - y> >= mu |x - y|^2."""

    @abstractmethod
    def declare(self, problem: Any) -> Any:
        """A function of the class, of which a PEPit problem asks gradients."""


@dataclass(frozen=True)
class SmoothStronglyConvex(SmoothClass):
    """f mu-strongly convex and L-smooth.

    Args:
        mu: at least 0 and below L.
        L: positive and finite.

    Raises:
        ValueError: if a constant is out of range.
    """

    mu: float
    L: float

    def __post_init__(self) -> None:
        _require("L", self.L, 0, math.inf)
        _require("mu", self.mu, 0, self.L, strict=False)

    @property
    def curvature(self) -> float:
        return self.mu

    def declare(self, problem: Any) -> Any:
        from PEPit.functions import SmoothStronglyConvexFunction

        return problem.declare_function(SmoothStronglyConvexFunction, mu=self.mu, L=self.L)


@dataclass(frozen=True)
class SmoothConvex(SmoothClass):
    """f convex and L-smooth.

    Args:
        L: positive and finite.

    Raises:
        ValueError: if L is out of range.
    """

    L: float

    def __post_init__(self) -> None:
        _require("L", self.L, 0, math.inf)

    @property
    def curvature(self) -> float:
        return 0.0

    def declare(self, problem: Any) -> Any:
        from PEPit.functions import SmoothConvexFunction

        return problem.declare_function(SmoothConvexFunction, L=self.L)


@dataclass(frozen=True)
class SmoothNonconvex(SmoothClass):
    """f L-smooth and bounded from below.

    Args:
        L: positive and finite.

    Raises:
        ValueError: if L is out of range.
    """

    L: float
    has_minimizer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require("L", self.L, 0, math.inf)

    @property
    def curvature(self) -> float:
        return -self.L

    def declare(self, problem: Any) -> Any:
        from PEPit.functions import SmoothFunction

        return problem.declare_function(SmoothFunction, L=self.L)


@dataclass(frozen=True)
class StronglyMonotoneLipschitz(SmoothClass):
    r"""F mu-strongly monotone and L-Lipschitz.

    The conditions that are used, those of the definition for each pair of points, are necessary
    and not sufficient: what is computed is an upper bound of the worst case.

    Args:
        mu: at least 0 and below L.
        L: positive and finite.

    Raises:
        ValueError: if a constant is out of range.
    """

    mu: float
    L: float
    has_values: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require("L", self.L, 0, math.inf)
        _require("mu", self.mu, 0, self.L, strict=False)

    @property
    def curvature(self) -> float:
        return self.mu

    def declare(self, problem: Any) -> Any:
        from PEPit.operators import LipschitzStronglyMonotoneOperatorCheap

        return problem.declare_function(
            LipschitzStronglyMonotoneOperatorCheap, mu=self.mu, L=self.L
        )


@dataclass(frozen=True)
class MonotoneLipschitz(StronglyMonotoneLipschitz):
    """F monotone and L-Lipschitz; an upper bound, as for `StronglyMonotoneLipschitz`.

    Args:
        L: positive and finite.

    Raises:
        ValueError: if L is out of range.
    """

    mu: float = field(init=False, default=0.0)


@dataclass(frozen=True)
class FiniteSum:
    """f = (1/n) sum_i f_i, each f_i of a class.

    Args:
        each: the class of the f_i.
        components: n, at least 1.

    Raises:
        TypeError: if `each` is no class of one function with a minimizer.
        ValueError: if n is no positive integer.
    """

    each: SmoothClass
    components: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.each, SmoothClass) or not self.each.has_minimizer:
            raise TypeError(
                "each must be a class of one function with a minimizer, such as SmoothConvex(1.0), "
                f"got {self.each!r}."
            )
        if type(self.components) is not int or self.components < 1:
            raise ValueError(f"components must be a positive integer, got {self.components!r}.")


@dataclass(frozen=True)
class OverSet:
    """What is minimized, or solved, over a convex set of bounded diameter.

    Args:
        objective: the class of what is minimized, or of the operator.
        diameter: D of the set, positive; infinity where nothing is known of it.

    Raises:
        TypeError: if `objective` is no class that has a solution over a set.
        ValueError: if the diameter is not positive.
    """

    objective: SmoothClass | FiniteSum
    diameter: float = math.inf

    def __post_init__(self) -> None:
        if not isinstance(self.objective, SmoothClass | FiniteSum) or isinstance(
            self.objective, SmoothNonconvex
        ):
            raise TypeError(
                "objective must be a class that has a solution over a set, such as "
                f"SmoothConvex(1.0), got {self.objective!r}."
            )
        if self.diameter != math.inf:
            _require("diameter", self.diameter, 0, math.inf)


AnyClass = SmoothClass | FiniteSum | OverSet
