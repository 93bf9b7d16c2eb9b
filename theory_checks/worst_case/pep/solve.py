# SPDX-License-Identifier: Apache-2.0
r"""The worst case of a method over a class: a semidefinite program, and its solver's word.

The functions of a class enter by the conditions on finitely many points, gradients and values that
a function of the class can have (interpolation conditions; they are PEPit's), the method by its
transcript, and the points by their Gram matrix: in any dimension the worst case is linear in the
Gram matrix and in the values.
"""

import importlib.util
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optax
from numpy.typing import NDArray

from optzoo.lmo import ConstraintSet

from .classes import AnyClass, FiniteSum, OverSet, SmoothClass
from .one_more_place import Obstruction
from .performance import CONDITIONS, METRICS, Condition, Metric, Performance
from .steps import Branch, Output, Transcript, read, steps_of

__all__ = [
    "Samples",
    "SolverFailed",
    "WorstCase",
    "bounded",
    "require_extra",
    "worst_case",
    "worst_mean",
]

Array = NDArray[np.float64]

GAP = 1e-5
"""What the bounds from both sides may differ by, relative to 1 or to the value."""

ACCURACIES = (1e-8, 1e-7)
"""What a solver is asked for; the second where it does not reach the first."""

_SETTINGS = {
    "CLARABEL": ("tol_gap_abs", "tol_gap_rel", "tol_feas"),
    "SCS": ("eps_abs", "eps_rel"),
}

_ONE_AT_A_TIME = threading.RLock()
"""PEPit numbers points and functions in tables of its classes, which threads share."""


class SolverFailed(RuntimeError):
    """The semidefinite program was not solved; the message has the solver's status."""


def require_extra() -> None:
    """Raises unless the packages of the extra `pep` are installed.

    Raises:
        ImportError: if one is missing; the message names the extra.
    """
    needed = {"PEPit": "PEPit", "cvxpy": "CVXPY", "clarabel": "Clarabel"}
    missing = [name for module, name in needed.items() if not _installed(module)]
    if missing:
        raise ImportError(
            f"theory_checks.worst_case.pep needs {' and '.join(missing)}: "
            'pip install "optzoo[pep]".'
        )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@dataclass(frozen=True, eq=False)
class Samples:
    """What is known of one function: points, gradients and values that belong together."""

    points: Array
    gradients: Array
    values: Array


@dataclass(frozen=True, eq=False)
class Program:
    """A semidefinite program: what is maximized over what.

    Attributes:
        branches: the runs of the method, with their probabilities.
        over: the class.
        metric: what is large.
        condition: how good the start is.
        radius: R.
        transcript: the steps of the method.
        solver: its name.
        further: what an operator fulfils beyond the conditions on pairs; see `one_more_place`.
    """

    branches: tuple[Branch, ...]
    over: AnyClass
    metric: Metric
    condition: Condition
    radius: float
    transcript: Transcript
    solver: str
    further: tuple[Obstruction, ...] = ()

    def solved(self, *, margin: float = 0.0) -> "WorstCase":
        """The worst case.

        Args:
            margin: by how much each answer of a set's linear oracle must be better than any other
                point; the worst case itself breaks ties for the worse.

        Returns:
            What was found.

        Raises:
            SolverFailed: if the solver says anything but "optimal", or its two bounds differ.
        """
        with _ONE_AT_A_TIME:
            return self._solved(margin)

    def _solved(self, margin: float) -> "WorstCase":
        performance = Performance(self.transcript, self.over)
        problem = performance.problem
        for expression in self.metric(performance):
            problem.set_performance_metric(expression)
        for expression in self.condition(performance, self.radius):
            problem.set_initial_condition(expression <= 0)
        if performance.minimizer is None:
            performance.bound_from_below()
        if margin > 0:
            performance.break_ties(margin)
        for one in self.further:
            performance.leave_a_value(one)
        certificate, accuracy = _bound(problem, self.solver)
        value = float(problem.objective.eval())
        if not abs(certificate - value) <= GAP * max(1.0, abs(value)):
            raise SolverFailed(
                f"{self.solver} says optimal, but its value {value:.6g} and its certificate "
                f"{certificate:.6g} differ. Scale the constants to the order of 1."
            )
        minimizer, minimum = performance.minimizer, performance.minimum
        start = np.asarray(performance.start.eval(), dtype=np.float64)
        return WorstCase(
            value=value,
            certificate=certificate,
            exact=performance.each.exact,
            status="optimal",
            accuracy=accuracy,
            program=self,
            start=start,
            minimizer=None if minimizer is None else np.asarray(minimizer.eval()),
            minimum=None if minimum is None else float(minimum.eval()),
            samples=tuple(_samples(one, performance) for one in performance.components),
            answers=np.array([one.eval() for one in performance.answers]).reshape(-1, start.size),
            free=np.array([one.eval() for one in performance.free]).reshape(-1, start.size),
        )


def _samples(component: Any, performance: Performance) -> Samples:
    points, gradients, values = zip(*component.list_of_points, strict=True)
    return Samples(
        np.array([point.eval() for point in points]),
        np.array([gradient.eval() for gradient in gradients]),
        np.array([value.eval() for value in values] if performance.each.has_values else []),
    )


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The worst case over a class, and where it is attained.

    Attributes:
        value: the metric on the function that was found.
        certificate: of the dual program: to the solver's accuracy no function does worse.
        exact: whether the class' conditions are sufficient, so that there is such a function;
            otherwise the worst case is at most the value.
        status: the solver's own word; "optimal", since anything else raises.
        accuracy: that the solver was asked for.
        program: what was solved.
        start: x_0, shape (d,), where it is attained.
        minimizer: x*, or None.
        minimum: f*, or None.
        samples: for each component what is known of it.
        answers: what the linear oracle of the set returned, (answers, d).
        free: the vectors of which nothing was said, (vectors, d).
    """

    value: float
    certificate: float
    exact: bool
    status: str
    accuracy: float
    program: Program
    start: Array
    minimizer: Array | None
    minimum: float | None
    samples: tuple[Samples, ...]
    answers: Array
    free: Array


def worst_case(
    method: optax.GradientTransformation | Callable[[ConstraintSet], optax.GradientTransformation],
    function_class: AnyClass,
    steps: int,
    metric: str | Metric = "suboptimality",
    *,
    initial: str | Condition | None = None,
    radius: float = 1.0,
    output: Output | None = None,
    solver: str = "CLARABEL",
) -> WorstCase:
    r"""The largest that a metric can be after N calls of `update`, over all functions of a class.

    .. math:: \max_{f \in F,\; d,\; x_0 \in R^d} \mathrm{metric}(y_0, \dots, y_N)
        \quad\text{with}\quad |x_0 - x^*| \le R

    The steps are read off the code, in float64, and checked; see `steps`.

    Args:
        method: any transformation that is linear in its gradients, and in the parameters where it
            takes them; over a set, a function of the set that makes it, such as
            `lambda constraint: optzoo.frank_wolfe(constraint, 0.5)`.
        function_class: such as `SmoothStronglyConvex(mu=0.1, L=1.0)`.
        steps: N, calls of `update`, each with the gradient at the parameters.
        metric: the name of one of `METRICS`, or a function of the `Performance` of the kind.
        initial: how good the start is: "distance", "suboptimality", "decrease" or "none", or a
            function of the kind. None is "suboptimality" for classes without a minimizer, "none"
            over a set of finite diameter, and otherwise "distance".
        radius: R.
        output: state and parameters -> the point that is looked at, such as
            `optzoo.accelerated_eval_params`; the parameters if None.
        solver: of CVXPY, such as "CLARABEL" or "SCS".

    Returns:
        The worst case; its `value` is the number.

    Raises:
        ImportError: if the extra `pep` is not installed.
        NotLinear: if the method is not; the message says why.
        SolverFailed: if the solver says anything but "optimal", or its two bounds differ.
        ValueError: if an argument is out of range, or the metric does not fit the class.
        TypeError: if an argument is of another kind.

    Example:
        >>> from theory_checks.worst_case.pep import SmoothConvex
        >>> round(worst_case(optax.sgd(1.0), SmoothConvex(L=1.0), steps=2).value, 5)  # 1/(4N+2)
        0.1

    References:
      Drori, Teboulle, "Performance of first-order methods for smooth convex minimization: a novel
      approach", Math. Programming 2014.
      Taylor, Hendrickx, Glineur, "Smooth strongly convex interpolation and exact worst-case
      performance of first-order methods", Math. Programming 2017.
      Goujaud et al., "PEPit: computer-assisted worst-case analyses of first-order optimization
      methods in Python", Math. Programming Computation 2024.
    """
    if type(steps) is not int or steps < 1:
        raise ValueError(f"steps must be a positive integer, got {steps!r}.")
    _require_method(method, function_class)
    components = _components(function_class)
    run = steps_of(method, steps, output, components=components)
    return worst_mean(
        [Branch(1.0, run)],
        function_class,
        metric,
        initial=initial,
        radius=radius,
        capacity=steps * (components + 2) + 1,
        solver=solver,
    )


def worst_mean(
    branches: Sequence[Branch],
    function_class: AnyClass,
    metric: str | Metric = "suboptimality",
    *,
    initial: str | Condition | None = None,
    radius: float = 1.0,
    capacity: int = 64,
    solver: str = "CLARABEL",
) -> WorstCase:
    """The largest that the expectation of a metric can be; see `worst_case`.

    Args:
        branches: all that can happen, with its probability; see `expectations`.
        function_class: as for `worst_case`, mostly a `FiniteSum` or a set with one.
        metric: as for `worst_case`.
        initial: as for `worst_case`.
        radius: as for `worst_case`.
        capacity: the most questions that the method asks over all branches.
        solver: as for `worst_case`.

    Returns:
        The worst case.

    Raises:
        ImportError: as for `worst_case`.
        NotLinear: as for `worst_case`.
        SolverFailed: as for `worst_case`.
        ValueError: if the probabilities do not sum to 1, or as for `worst_case`.
        TypeError: as for `worst_case`.

    Example:
        >>> from theory_checks.worst_case.pep import FiniteSum, SmoothConvex, batch_branches
        >>> branches = batch_branches(optax.sgd(1.0), steps=1, components=1)
        >>> found = worst_mean(branches, FiniteSum(SmoothConvex(1.0), components=1))
        >>> round(found.value, 4)  # L R^2 / (4 N + 2)
        0.1667
    """
    require_extra()
    _require_class(function_class)
    if not branches or not np.isclose(sum(one.probability for one in branches), 1.0):
        raise ValueError("the probabilities of the branches must sum to 1.")
    if not 0 < radius < np.inf:
        raise ValueError(f"radius must be positive and finite, got {radius!r}.")
    if solver not in _SETTINGS:
        raise ValueError(f"solver must be one of {', '.join(_SETTINGS)}, got {solver!r}.")
    program = Program(
        branches=tuple(branches),
        over=function_class,
        metric=_named("metric", metric, METRICS),
        condition=_named("initial", _initial(function_class, initial), CONDITIONS),
        radius=radius,
        transcript=read(branches, capacity=capacity),
        solver=solver,
    )
    return program.solved()


def _require_method(method: Any, over: AnyClass) -> None:
    has_set = isinstance(over, OverSet)
    if hasattr(method, "update") or (has_set and callable(method)):
        return
    raise TypeError(
        "method must be an optax transformation"
        + (", or a function of the set that makes one" if has_set else "")
        + f", got {method!r}."
    )


def _require_class(over: Any) -> None:
    if not isinstance(over, SmoothClass | FiniteSum | OverSet):
        raise TypeError(
            "function_class must be a class of theory_checks.worst_case.pep, such as "
            f"SmoothConvex(1.0), got {over!r}."
        )


def _components(over: AnyClass) -> int:
    objective = over.objective if isinstance(over, OverSet) else over
    return objective.components if isinstance(objective, FiniteSum) else 1


def _initial(over: AnyClass, initial: str | Condition | None) -> str | Condition:
    if initial is not None:
        return initial
    if isinstance(over, OverSet) and over.diameter < np.inf:
        return "none"
    has_minimizer = not isinstance(over, SmoothClass) or over.has_minimizer
    return "distance" if has_minimizer else "suboptimality"


def _named(argument: str, given: Any, table: dict[str, Any]) -> Any:
    if callable(given):
        return given
    if given not in table:
        raise ValueError(
            f"{argument} must be one of {', '.join(table)}, or a function, got {given!r}."
        )
    return table[given]


def bounded(write: Callable[[], Any], solver: str = "CLARABEL") -> float:
    """The bound of a program that is written down for PEPit by hand.

    Args:
        write: makes the `PEPit.PEP`.
        solver: as for `worst_case`.

    Returns:
        The value of the dual program.

    Raises:
        ImportError: as for `worst_case`.
        SolverFailed: if the solver says anything but "optimal".

    Example:
        >>> def write():
        ...     from PEPit import PEP
        ...     from PEPit.operators import LipschitzOperator
        ...     problem = PEP()
        ...     operator = problem.declare_function(LipschitzOperator, L=2.0)
        ...     x, y = problem.set_initial_point(), problem.set_initial_point()
        ...     problem.set_initial_condition((x - y) ** 2 <= 1)
        ...     problem.set_performance_metric((operator.gradient(x) - operator.gradient(y)) ** 2)
        ...     return problem
        >>> round(bounded(write), 5)
        4.0
    """
    require_extra()
    with _ONE_AT_A_TIME:
        return _bound(write(), solver)[0]


def _bound(problem: Any, solver: str) -> tuple[float, float]:
    """The dual bound and the accuracy; raises unless the solver says "optimal"."""
    advice = "Scale the constants to the order of 1, take fewer steps, or try another solver."
    status = ""
    for accuracy in ACCURACIES:
        bound, status = _attempt(problem, solver, accuracy)
        if status == "optimal":
            return bound, accuracy
        if status.startswith("unbounded"):
            advice = (
                "Over this class and from such a start the metric can be arbitrarily large: take "
                "another metric, or say by `initial` how good the start is."
            )
            break
    raise SolverFailed(f"{solver} says {status}, not optimal. {advice}")


def _attempt(problem: Any, solver: str, accuracy: float) -> tuple[float, str]:
    """The dual bound, and the solver's status, or what it failed with."""
    import cvxpy

    settings = dict.fromkeys(_SETTINGS[solver], accuracy)
    # PEPit asserts that the numbers that the solver returned agree, and takes eigenvalues of them.
    failures = (cvxpy.error.SolverError, AssertionError, np.linalg.LinAlgError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what is inaccurate is raised above
            bound = problem.solve(wrapper="cvxpy", solver=solver, verbose=0, **settings)
    except failures as error:
        return np.nan, f"{type(error).__name__} ({error})"
    return np.nan if bound is None else float(bound), str(problem.wrapper.prob.status)
