"""The exact checks by themselves."""

import numpy as np
import pytest

from theory_checks.checks import ExactInequality, ExactLowerBound
from theory_checks.simulation.laboratory import Laboratory


def finding(measured, bound):
    sides = np.array(measured), np.array(bound)
    return ExactLowerBound(lambda: sides, what="by hand").run(Laboratory())


def test_a_bound_from_below_is_as_tight_as_its_closest_case():
    found = finding([6.0, 3.0, 0.5, 1.0], [2.0, 2.0, 0.0, 0.1])
    assert found.verdict == "CONSISTENT"
    assert (found.tightness, found.detectable_factor, found.vacuous) == (1.5, 1.5, False)
    np.testing.assert_array_equal(found.mean, [3.0, 6.0, 1.0])
    np.testing.assert_array_equal(found.bound, [2.0, 2.0, 0.1])
    assert finding([30.0], [2.0]).vacuous


@pytest.mark.parametrize("short", [1e-9, 1.0])
def test_one_case_below_refutes_a_bound_from_below(short):
    found = finding([3.0, 2.0 - short], [2.0, 2.0])
    assert found.verdict == "REFUTED"
    assert "1 violate it" in found.decided
    assert finding([3.0, 2.0 - 1e-12], [2.0, 2.0]).verdict == "CONSISTENT"


@pytest.mark.parametrize(
    ("check", "measured"), [(ExactInequality, [1e3, 1.1e-8]), (ExactLowerBound, [1e3, 0.9e-8])]
)
def test_a_case_judged_by_its_own_bound_is_not_hidden_by_a_larger_one(check, measured):
    def compute():
        return np.array(measured), np.array([1e3, 1e-8])

    assert check(compute).run(Laboratory()).verdict == "CONSISTENT"
    assert check(compute, per_case=True).run(Laboratory()).verdict == "REFUTED"
