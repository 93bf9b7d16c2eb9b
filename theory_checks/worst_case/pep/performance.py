# SPDX-License-Identifier: Apache-2.0
"""The performance of a transcript over a class, as expressions of PEPit: what is maximized."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .classes import AnyClass, FiniteSum, OverSet, SmoothClass, StronglyMonotoneLipschitz
from .one_more_place import Obstruction
from .steps import NotLinear, Question, Transcript

__all__ = [
    "CONDITIONS",
    "METRICS",
    "Condition",
    "Metric",
    "Performance",
    "distance",
    "gap",
    "gradient_norm",
    "last_gradient_norm",
    "last_move",
    "suboptimality",
    "within_decrease",
    "within_distance",
    "within_suboptimality",
]

Array = NDArray[np.float64]
Point: TypeAlias = Any
"""A PEPit `Point`: a vector of which inner products are known."""
Expression: TypeAlias = Any
"""A PEPit `Expression`: a number, linear in inner products and in function values."""


class Performance:
    """What a method does on a function of the class, in terms of unknown inner products.

    Args:
        transcript: of the method.
        over: the class.

    Attributes:
        components: the functions, or the operator.
        function: their mean.
        indicator: of the set; None where there is none.
        start: x_0.
        outputs: y_0, ..., y_N of each branch.
        free: vectors of which nothing is said.
        minimizer: x*, or the solution; None where the class is not known to have one.
        minimum: f*; None where there are no values.

    Raises:
        NotLinear: if the method asks for a set or a component that the class does not have.
    """

    def __init__(self, transcript: Transcript, over: AnyClass) -> None:
        from PEPit import PEP, Expression
        from PEPit.functions import ConvexIndicatorFunction

        objective = over.objective if isinstance(over, OverSet) else over
        each = objective.each if isinstance(objective, FiniteSum) else objective
        assert isinstance(each, SmoothClass)
        count = objective.components if isinstance(objective, FiniteSum) else 1
        self.each, self.transcript = each, transcript
        self.problem: Any = PEP()
        self.components = [each.declare(self.problem) for _ in range(count)]
        one, *others = self.components
        self.function = sum(others, one) / count if others else one
        self.indicator: Any = None
        total = self.function
        if isinstance(over, OverSet):
            self.indicator = self.problem.declare_function(ConvexIndicatorFunction, D=over.diameter)
            total = self.function + self.indicator
        self.minimizer: Point | None = total.stationary_point() if each.has_minimizer else None
        self.minimum: Expression | None = None
        if each.has_values:
            self.minimum = Expression() if self.minimizer is None else self.function(self.minimizer)

        self._axes: list[Point] = [self.problem.set_initial_point()]
        self._points: dict[bytes, Point] = {}
        self._answered: list[tuple[Point, Point, Expression]] = []
        self.free: list[Point] = []
        self.start = self._point(np.eye(1, transcript.axes)[0])
        if self.indicator is not None:
            self.indicator(self.start)  # which is in the set
        for question in transcript.questions:
            self._axes.append(self._answer(question))
        self.outputs = [[self._point(row) for row in branch] for branch in transcript.outputs]

    def _point(self, row: Array) -> Point:
        """The combination of the axes so far; one object for one row, which PEPit goes by."""
        row = np.where(np.abs(row) < 1e-9, 0.0, row)
        key = np.round(row, 7).tobytes()
        if key not in self._points:
            used = [(axis, float(c)) for axis, c in zip(self._axes, row, strict=False) if c != 0]
            first, *others = used or [(self._axes[0], 0.0)]
            self._points[key] = sum((c * axis for axis, c in others), first[1] * first[0])
        return self._points[key]

    def _answer(self, question: Question) -> Point:
        from PEPit.primitive_steps import proximal_step

        if question.kind == "free":
            self.free.append(self.problem.set_initial_point())
            return self.free[-1]
        point = self._point(question.row)
        if question.kind == "gradient":
            if question.component >= len(self.components):
                raise NotLinear(
                    f"the method asks for component {question.component} of {len(self.components)}."
                )
            return self.components[question.component].gradient(point)
        if question.kind == "project":
            return proximal_step(point, self._set("the method"), 1)[0]
        return self.answer(point)

    def _set(self, who: str) -> Any:
        if self.indicator is None:
            raise ValueError(f"{who} asks a set, but the class has none: use OverSet(...).")
        return self.indicator

    @property
    def answers(self) -> list[Point]:
        """The points that the set's linear oracle returned."""
        return [answer for answer, _, _ in self._answered]

    def gradient(self, point: Point) -> Point:
        """The gradient of f, or the value of the operator, there."""
        return self.function.gradient(point)

    def value(self, point: Point) -> Expression:
        """The value f(x) at a point."""
        if not self.each.has_values:
            raise ValueError(f"the functions of {self.each!r} are operators: they have no values.")
        return self.function(point)

    def excess(self, point: Point) -> Expression:
        """The value f(x) - f* at a point."""
        return self.value(point) - self.minimum

    def answer(self, direction: Point) -> Point:
        """What the set's linear oracle returns, the point of it that is least in this direction."""
        from PEPit.primitive_steps import linear_optimization_step

        answer = linear_optimization_step(direction, self._set("the oracle"))
        self._answered.append(answer)
        return answer[0]

    def bound_from_below(self) -> None:
        """Holds f* to f(x) - |grad f(x)|^2 / (2 L), below which f is a step on, at all x known."""
        for _, gradient, value in self.function.list_of_points:
            lowest = value - gradient**2 / (2 * self.each.L)
            self.problem.add_constraint(self.minimum <= lowest)

    def break_ties(self, margin: float) -> None:
        """Asks that each answer of the set's linear oracle is better than any other point known."""
        for answer, normal, _ in self._answered:
            for other, *_ in self.indicator.list_of_points:
                if other is not answer:
                    self.problem.add_constraint(normal * (answer - other) >= margin)

    def leave_a_value(self, one: Obstruction) -> None:
        """Asks that the values of the operator that are known leave one at another place."""
        assert isinstance(self.each, StronglyMonotoneLipschitz)
        (operator,) = self.components
        points, values, _ = zip(*operator.list_of_points, strict=True)
        self.problem.add_constraint(one.expression(self.each, [*points, *values]) <= 0)

    def squared_distance(self, point: Point) -> Expression:
        """The squared distance to the minimizer, or to the solution."""
        if self.minimizer is None:
            raise ValueError(f"the functions of {self.each!r} may have no minimizer.")
        return (point - self.minimizer) ** 2

    def expected(self, quantity: Callable[[list[Point]], Expression]) -> Expression:
        """The expectation over the branches of a function of the outputs."""
        weighted = [
            probability * quantity(outputs)
            for probability, outputs in zip(
                self.transcript.probabilities, self.outputs, strict=True
            )
        ]
        return sum(weighted[1:], weighted[0])


# --- What is large in the worst case: the smallest of these ---

Metric: TypeAlias = Callable[[Performance], list[Expression]]


def suboptimality(performance: Performance) -> list[Expression]:
    """E f(y_N) - f*."""
    return [performance.expected(lambda outputs: performance.excess(outputs[-1]))]


def distance(performance: Performance) -> list[Expression]:
    """E |y_N - x*|^2."""
    return [performance.expected(lambda outputs: performance.squared_distance(outputs[-1]))]


def gradient_norm(performance: Performance) -> list[Expression]:
    """The smallest of E |grad f(y_k)|^2, k = 0..N."""
    return [
        performance.expected(lambda outputs, k=k: performance.gradient(outputs[k]) ** 2)  # type: ignore[misc]
        for k in range(len(performance.outputs[0]))
    ]


def last_gradient_norm(performance: Performance) -> list[Expression]:
    """E |grad f(y_N)|^2; of an operator E |F(y_N)|^2."""
    return [performance.expected(lambda outputs: performance.gradient(outputs[-1]) ** 2)]


def last_move(performance: Performance) -> list[Expression]:
    """E |y_N - y_{N-1}|^2."""
    return [performance.expected(lambda outputs: (outputs[-1] - outputs[-2]) ** 2)]


def gap(performance: Performance) -> list[Expression]:
    """E max_s <grad f(y_N), y_N - s>, the Frank-Wolfe gap."""

    def of(outputs: list[Point]) -> Expression:
        slope = performance.gradient(outputs[-1])
        return slope * (outputs[-1] - performance.answer(slope))

    return [performance.expected(of)]


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        *(suboptimality, distance, gradient_norm),
        *(last_gradient_norm, last_move, gap),
    )
}

# --- How good the start is: what must be at most 0 ---

Condition: TypeAlias = Callable[[Performance, float], list[Expression]]


def within_distance(performance: Performance, radius: float) -> list[Expression]:
    """|x_0 - x*| <= R."""
    return [performance.squared_distance(performance.start) - radius**2]


def within_suboptimality(performance: Performance, radius: float) -> list[Expression]:
    """f(x_0) - f* <= R."""
    return [performance.excess(performance.start) - radius]


def within_decrease(performance: Performance, radius: float) -> list[Expression]:
    """f(x_0) - E f(y_N) <= R, which is more than f(x_0) - f* <= R allows."""
    start = performance.value(performance.start)
    return [start - performance.expected(lambda outputs: performance.value(outputs[-1])) - radius]


Start = Literal["distance", "suboptimality", "decrease", "none"]
CONDITIONS: dict[str, Condition] = {
    "distance": within_distance,
    "suboptimality": within_suboptimality,
    "decrease": within_decrease,
    "none": lambda performance, radius: [],
}
