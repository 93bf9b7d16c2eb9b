"""What is asked for wrongly, what has no answer, and what the solver does not solve."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import optax
import pytest

import optzoo
from theory_checks.worst_case import pep
from theory_checks.worst_case.pep import solve

CONVEX = pep.SmoothConvex(1.0)
SGD = optax.sgd(1.0)


def half(constraint):
    return optzoo.frank_wolfe(constraint, 0.5)


def test_an_unbounded_metric_raises():
    """Steps of 1/2 do not forget the start, of which nothing is said."""
    with pytest.raises(pep.SolverFailed, match=r"CLARABEL says .*, not optimal"):
        pep.worst_case(half, pep.OverSet(CONVEX, 1.0), 2)
    with pytest.raises(pep.SolverFailed, match=r"says unbounded.* say by `initial` how good"):
        pep.worst_case(SGD, CONVEX, 1, initial="none")
    said = pep.worst_case(half, pep.OverSet(CONVEX, 1.0), 2, initial="suboptimality", radius=0.5)
    assert said.value == pytest.approx(0.26266, abs=1e-5)


def projected(constraint):
    def update(gradient, state, params):
        return constraint.project(params - gradient) - params, state

    return optax.GradientTransformation(lambda params: (), update)


def test_the_projected_gradient():
    """L R^2 / (4 N): a set costs a little (Taylor, Hendrickx, Glineur 2018)."""
    found = pep.worst_case(projected, pep.OverSet(CONVEX), 2)
    assert found.value == pytest.approx(1 / 8, abs=1e-5)


@pytest.mark.parametrize("status", ["optimal_inaccurate", "infeasible", "user_limit"])
def test_another_status_than_optimal_raises_with_it(status, monkeypatch):
    import cvxpy

    monkeypatch.setattr(cvxpy.Problem, "status", property(lambda self: status))
    with pytest.raises(pep.SolverFailed, match=f"CLARABEL says {status}, not optimal"):
        pep.worst_case(SGD, CONVEX, 1)


def test_a_solver_that_crashes_raises_with_its_words(monkeypatch):
    import cvxpy

    def crash(self, **more):
        raise cvxpy.error.SolverError("out of memory")

    monkeypatch.setattr(cvxpy.Problem, "solve", crash)
    with pytest.raises(pep.SolverFailed, match=r"says SolverError \(out of memory\), not optimal"):
        pep.worst_case(SGD, CONVEX, 1)


def test_bounds_that_differ_raise(monkeypatch):
    from PEPit import PEP

    solved = PEP.solve
    monkeypatch.setattr(PEP, "solve", lambda *a, **more: solved(*a, **more) + 1e-3)
    with pytest.raises(pep.SolverFailed, match=r"its certificate 0\.167667 differ"):
        pep.worst_case(SGD, CONVEX, 1)


def test_another_accuracy_is_tried_and_said(monkeypatch):
    assert pep.worst_case(SGD, CONVEX, 1).accuracy == 1e-8
    monkeypatch.setattr(solve, "ACCURACIES", (1e-14, 1e-7))
    assert (
        pep.worst_case(half, pep.OverSet(CONVEX, 1.0), 2, initial="suboptimality").accuracy == 1e-7
    )


def test_threads_do_not_disturb_each_other():
    """As claims do that are in progress at a time."""
    steps = [1, 2, 3, 1, 2, 3]
    with ThreadPoolExecutor(len(steps)) as pool:
        found = list(pool.map(lambda n: pep.worst_case(SGD, CONVEX, n).value, steps))
    assert found == pytest.approx([1 / (4 * n + 2) for n in steps], abs=1e-6)


def test_another_solver():
    assert pep.worst_case(SGD, CONVEX, 1, solver="SCS").value == pytest.approx(1 / 6, abs=1e-5)


def test_radius_and_smoothness_scale():
    assert pep.worst_case(SGD, CONVEX, 1, radius=2.0).value == pytest.approx(4 / 6, abs=1e-5)
    found = pep.worst_case(optax.sgd(0.5), pep.SmoothConvex(2.0), 1)
    assert found.value == pytest.approx(2 / 6, abs=1e-5)


@pytest.mark.parametrize("package", ["PEPit", "clarabel"])
def test_without_the_extra_the_error_names_it(package, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(ImportError, match=rf'(?i)needs {package}: pip install "optzoo\[pep\]"'):
        pep.worst_case(SGD, CONVEX, 1)


WRONG = {
    "steps must be a positive integer, got 0": lambda: pep.worst_case(SGD, CONVEX, 0),
    "metric must be one of suboptimality, .*'regret'": lambda: pep.worst_case(
        SGD, CONVEX, 1, "regret"
    ),
    "initial must be one of distance, .*'near'": lambda: pep.worst_case(
        SGD, CONVEX, 1, initial="near"
    ),
    "radius must be positive and finite, got -1.0": lambda: pep.worst_case(
        SGD, CONVEX, 1, radius=-1.0
    ),
    "solver must be one of CLARABEL, SCS, got 'MOSEK'": lambda: pep.worst_case(
        SGD, CONVEX, 1, solver="MOSEK"
    ),
    "operators: they have no values": lambda: pep.worst_case(SGD, pep.MonotoneLipschitz(1.0), 1),
    "may have no minimizer": lambda: pep.worst_case(SGD, pep.SmoothNonconvex(1.0), 1, "distance"),
    "asks a set, but the class has none": lambda: pep.worst_case(SGD, CONVEX, 1, "gap"),
    "probabilities of the branches must sum to 1": lambda: pep.worst_mean(
        pep.batch_branches(SGD, steps=1)[:1], pep.FiniteSum(CONVEX)
    ),
    r"L must be a number in \(0, inf\), got 0": lambda: pep.SmoothConvex(0),
    r"mu must be a number in \[0, 1\), got 1.0": lambda: pep.SmoothStronglyConvex(1.0, 1.0),
    r"mu must be a number in \[0, 1\), got -0.1": lambda: pep.StronglyMonotoneLipschitz(-0.1, 1.0),
    "diameter must be a number in .*, got -1.0": lambda: pep.OverSet(CONVEX, -1.0),
    "components must be a positive integer, got 0": lambda: pep.FiniteSum(CONVEX, 0),
    "needs a finite diameter": lambda: pep.worst_problem(
        pep.worst_case(projected, pep.OverSet(CONVEX), 1)
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_values_are_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()


WRONG_KINDS = {
    "function_class must be a class": lambda: pep.worst_case(SGD, "convex", 1),
    "method must be an optax transformation, got 0.1": lambda: pep.worst_case(0.1, CONVEX, 1),
    "each must be a class of one function with a minimizer": lambda: pep.FiniteSum(
        pep.SmoothNonconvex(1.0)
    ),
    "objective must be a class that has a solution": lambda: pep.OverSet(pep.SmoothNonconvex(1.0)),
}


@pytest.mark.parametrize("message", WRONG_KINDS)
def test_wrong_kinds_are_named(message):
    with pytest.raises(TypeError, match=message):
        WRONG_KINDS[message]()
