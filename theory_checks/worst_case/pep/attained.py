# SPDX-License-Identifier: Apache-2.0
"""Back to runs: the method itself on the worst function that was found, and how bad it was."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.lmo import ConstraintSet

from .classes import FiniteSum, OverSet, SmoothClass, StronglyMonotoneLipschitz
from .solve import WorstCase
from .steps import Oracle, Run
from .worst_function import Envelope, envelope, hull
from .worst_operator import as_matrix, worst_turn

__all__ = ["WorstProblem", "attained", "worst_problem"]

Array = NDArray[np.float64]
Point: TypeAlias = Any
"""An array of JAX or NumPy."""

MARGIN = 1e-3
"""Of L D^2: by how much the oracle's answers are better than other points of the worst set."""


@dataclass(frozen=True, eq=False)
class WorstProblem:
    """An instance on which a method does as badly as it can.

    Attributes:
        functions: f_i, or None for an operator.
        operator: x -> F(x), or None for functions.
        start: x_0.
        minimizer: x*, or the solution; None where it is not known.
        minimum: f*; None for an operator.
        constraint: the set, or None.
        free: what the vectors are of which nothing was said.
    """

    functions: tuple[Envelope, ...] | None
    operator: Callable[[Point], Point] | None
    start: Point
    minimizer: Point | None
    minimum: float | None
    constraint: ConstraintSet | None = None
    free: Point = ()

    def value(self, x: Point) -> Point:
        """f(x), the mean of the functions."""
        if self.functions is None:
            raise ValueError("an operator has no values.")
        return sum(f(x) for f in self.functions) / len(self.functions)

    def gradient(self, x: Point, component: int | None = None) -> Point:
        """The gradient of f at x, or of one component; of an operator its value."""
        if self.functions is None:
            assert self.operator is not None
            return self.operator(x)
        if component is not None:
            return self.functions[component].gradient(x)
        return sum(f.gradient(x) for f in self.functions) / len(self.functions)


def worst_problem(worst: WorstCase) -> WorstProblem:
    """The problem on which a worst case is attained, or nearly so.

    Args:
        worst: what `worst_case` returned.

    Returns:
        The problem, in float64. For a class of operators it is a linear operator of the plane: the
        worst of those that turn and stretch, which may be less bad than the worst of the class.

    Raises:
        ValueError: if the class is one of operators over a set.

    Example:
        >>> import optax
        >>> from .classes import SmoothConvex
        >>> from .solve import worst_case
        >>> problem = worst_problem(worst_case(optax.sgd(1.0), SmoothConvex(1.0), steps=1))
        >>> with jax.enable_x64(True):
        ...     x = problem.start - problem.gradient(problem.start)
        ...     round(float(problem.value(x) - problem.minimum), 4)
        0.1667
    """
    over = worst.program.over
    objective = over.objective if isinstance(over, OverSet) else over
    each = objective.each if isinstance(objective, FiniteSum) else objective
    assert isinstance(each, SmoothClass)
    if isinstance(each, StronglyMonotoneLipschitz):
        if isinstance(over, OverSet):
            raise ValueError("no worst operator is made over a set, only without one.")
        return _planar(worst, each)
    if isinstance(over, OverSet):
        # The code's oracle breaks ties for nobody: let there be none.
        if over.diameter == math.inf:
            raise ValueError("the worst function over a set needs a finite diameter.")
        worst = worst.program.solved(margin=MARGIN * each.L * over.diameter**2)
    with jax.enable_x64(True):
        return WorstProblem(
            functions=tuple(envelope(each, samples) for samples in worst.samples),
            operator=None,
            start=jnp.asarray(worst.start),
            minimizer=None if worst.minimizer is None else jnp.asarray(worst.minimizer),
            minimum=worst.minimum,
            constraint=hull(worst) if isinstance(over, OverSet) else None,
            free=jnp.asarray(worst.free),
        )


def _planar(worst: WorstCase, kind: StronglyMonotoneLipschitz) -> WorstProblem:
    if worst.minimizer is None:
        raise ValueError("the worst case knows no solution.")
    radius = float(np.linalg.norm(worst.start - worst.minimizer))

    def problem(z: complex) -> WorstProblem:
        matrix = as_matrix(z)
        return WorstProblem(
            functions=None,
            operator=lambda x: matrix @ x,
            start=np.array([radius, 0.0]),
            minimizer=np.zeros(2),
            minimum=None,
        )

    def of(z: complex) -> float:
        return _metric(worst, problem(z), _replayed(worst, problem(z)))

    z = worst_turn(kind, of)
    with jax.enable_x64(True):
        matrix = jnp.asarray(as_matrix(z))
        return WorstProblem(
            functions=None,
            operator=lambda x: matrix @ x,
            start=jnp.array([radius, 0.0]),
            minimizer=jnp.zeros(2),
            minimum=None,
        )


def _replayed(worst: WorstCase, problem: WorstProblem) -> list[list[Array]]:
    """The outputs by the step matrix, which costs a thousandth of a run."""
    transcript = worst.program.transcript
    axes = np.zeros((transcript.axes, len(problem.start)))
    axes[0] = problem.start
    for question in transcript.questions:
        axes[question.axis] = problem.gradient(question.row @ axes)
    return [list(rows @ axes) for rows in transcript.outputs]


def attained(worst: WorstCase, problem: WorstProblem | None = None) -> float:
    """The metric of the method's own code, run on a problem.

    Args:
        worst: what `worst_case` returned; it has the method and the metric.
        problem: where it is run; `worst_problem(worst)` if None.

    Returns:
        The metric, at most the certificate of the worst case where the problem is of the class and
        the start as good as it was said to be.

    Raises:
        ValueError: as for `worst_problem`.

    Example:
        >>> import optax
        >>> from .classes import SmoothStronglyConvex
        >>> from .solve import worst_case
        >>> worst = worst_case(optax.sgd(0.8, momentum=0.3), SmoothStronglyConvex(0.1, 1.0), 2)
        >>> 0.99 < attained(worst) / worst.value < 1.001
        True
    """
    place = worst_problem(worst) if problem is None else problem
    with jax.enable_x64(True):
        free = place.free
        oracle = Oracle(place.start, place.gradient, place.constraint, lambda number: free[number])
        runs = [_ran(branch.run, oracle) for branch in worst.program.branches]
        return _metric(worst, place, [[np.asarray(y) for y in run] for run in runs])


def _ran(run: Run, oracle: Oracle) -> list[jax.Array]:
    if oracle.constraint is None:
        return run(oracle)

    @jax.jit  # a polytope's linear programs are otherwise compiled at every call
    def compiled(start: jax.Array) -> list[jax.Array]:
        return run(replace(oracle, start=start))

    return compiled(oracle.start)


@dataclass(frozen=True, eq=False)
class _Vector:
    """A point with the arithmetic of PEPit's: the product of two is their inner product."""

    of: Array

    def __sub__(self, other: "_Vector") -> "_Vector":
        return _Vector(self.of - other.of)

    def __mul__(self, other: "_Vector") -> float:
        return float(self.of @ other.of)

    def __pow__(self, power: int) -> float:
        assert power == 2
        return self * self


@dataclass(frozen=True, eq=False)
class _Measured:
    """What a metric asks of a `Performance`, in numbers."""

    problem: WorstProblem
    probabilities: tuple[float, ...]
    outputs: list[list[_Vector]]

    def gradient(self, point: _Vector) -> _Vector:
        return _Vector(np.asarray(self.problem.gradient(point.of)))

    def value(self, point: _Vector) -> float:
        return float(self.problem.value(jnp.asarray(point.of)))

    def excess(self, point: _Vector) -> float:
        assert self.problem.minimum is not None
        return self.value(point) - self.problem.minimum

    def squared_distance(self, point: _Vector) -> float:
        return (point - _Vector(np.asarray(self.problem.minimizer))) ** 2

    def answer(self, direction: _Vector) -> _Vector:
        assert self.problem.constraint is not None
        return _Vector(np.asarray(self.problem.constraint.lmo(jnp.asarray(direction.of))))

    def expected(self, quantity: Callable[[list[_Vector]], float]) -> float:
        return sum(
            probability * quantity(outputs)
            for probability, outputs in zip(self.probabilities, self.outputs, strict=True)
        )


def _metric(worst: WorstCase, problem: WorstProblem, outputs: list[list[Array]]) -> float:
    measured: Any = _Measured(
        problem,
        worst.program.transcript.probabilities,
        [[_Vector(point) for point in branch] for branch in outputs],
    )
    return min(worst.program.metric(measured))
