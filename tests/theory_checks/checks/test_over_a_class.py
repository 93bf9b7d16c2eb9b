"""A run, the worst case over its class, and a bound: which of them refutes which."""

from types import SimpleNamespace

import numpy as np
import pytest

from theory_checks.checks import WorstCaseBound
from theory_checks.checks.restatable import Restatable
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case import pep
from theory_checks.worst_case.pep import solve

LABORATORY = Laboratory(seeds=2)


def check(bound=(1.0, 0.6), measured=(0.5, 0.2), worst=(0.8, 0.5), exact=True):
    by_steps = dict(zip((1, 4), worst, strict=True))
    return WorstCaseBound(
        measured=lambda: np.array(measured),
        bound=lambda: np.array(bound),
        at=(1, 4),
        worst=lambda k: SimpleNamespace(value=by_steps[k], exact=exact),
        over="all f",
    )


def test_three_numbers_in_their_order():
    found = check().run(LABORATORY)
    assert found.verdict == "CONSISTENT"
    assert found.checkpoints.tolist() == [1, 4]
    assert found.worst_case.tolist() == [0.8, 0.5]
    assert found.worst_case_over == "all f"
    assert found.tightness == 0.5
    assert found.detectable_factor == pytest.approx(0.6 / 0.5)  # the worst case would catch it
    assert "worst case over the class / bound is at most 0.833333, at 4" in found.decided


def test_a_bound_below_the_worst_case_is_refuted_without_a_run():
    found = check(bound=(1.0, 0.49)).run(LABORATORY)
    assert found.verdict == "REFUTED"
    assert "the bound is refuted without a run" in found.decided
    # To the solver's accuracy a bound that is attained is none.
    assert check(bound=(1.0, 0.5 * (1 - 1e-6))).run(LABORATORY).verdict == "CONSISTENT"


def test_a_bound_below_the_run_is_refuted_by_it():
    found = check(bound=(0.45, 0.6), worst=(0.4, 0.5)).run(LABORATORY)
    assert found.verdict == "REFUTED"
    assert "without a run" not in found.decided


def test_what_may_be_more_than_the_worst_case_refutes_nothing():
    """Of operators only an upper bound of the worst case is known."""
    found = check(bound=(1.0, 0.49), exact=False).run(LABORATORY)
    assert found.verdict == "CONSISTENT"
    assert found.worst_case.tolist() == [0.8, 0.5]
    assert found.detectable_factor == pytest.approx(1 / 0.5)


def test_other_bounds_can_be_asked_about():
    asked = check()
    assert isinstance(asked, Restatable)
    assert not asked.refutes(np.array([1.0, 0.6]), LABORATORY, None)
    assert asked.refutes(np.array([1.0, 0.49]), LABORATORY, None)
    assert asked.refutes(np.array([0.4, 0.6]), LABORATORY, None)


def test_without_the_extra_the_run_alone_decides_and_the_finding_says_so(monkeypatch):
    monkeypatch.setattr(solve.importlib.util, "find_spec", lambda name: None)
    found = check(bound=(1.0, 0.49)).run(LABORATORY)
    assert found.verdict == "CONSISTENT"
    assert found.worst_case is None
    assert found.worst_case_over == "all f (not computed: needs optzoo[pep])"
    assert "worst case not computed: needs optzoo[pep]" in found.decided


def test_a_solver_that_fails_says_so():
    def failing(k):
        raise pep.SolverFailed("CLARABEL says user_limit, not optimal.")

    made = WorstCaseBound(lambda: [0.5], lambda: [1.0], (1,), failing, "all f")
    found = made.run(LABORATORY)
    assert found.worst_case is None
    assert "not computed: CLARABEL says user_limit" in found.worst_case_over


def test_a_run_without_a_number_for_each_step_is_refused():
    made = WorstCaseBound(lambda: [0.5], lambda: [1.0, 1.0], (1, 2), lambda k: None, "all f")
    with pytest.raises(ValueError, match="a finite number for each of 2 places"):
        made.run(LABORATORY)
