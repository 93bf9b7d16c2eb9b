"""Four of the bench's wrong theorems fall within a tiny budget, and the true ones stand."""

import pytest

from benchmarks.attack import attacked
from benchmarks.wrong_theorems import TRUE, WRONG
from theory_checks.simulation.laboratory import Laboratory

QUICK = (
    "descent with steps below 2/L",
    "V1, one step, without 1/M",
    "V3 as of PermK",
    "I1 with half of M",
)
STANDING = ("descent, convex", "V1, one step", "V3", "I1")


def _named(entries, name):
    (one,) = (entry for entry in entries if entry.name == name)
    return one


@pytest.mark.parametrize("name", QUICK)
def test_a_wrong_theorem_that_is_consistent_on_easy_data_falls(name):
    entry = _named(WRONG, name)
    assert entry.easy_case().check.run(Laboratory()).verdict == "CONSISTENT"
    search = attacked(entry, 60.0)
    candidate, finding = search.refuted
    assert finding.verdict == "REFUTED"
    assert candidate.scores["ratio"] > 1


@pytest.mark.parametrize("name", STANDING)
def test_a_true_theorem_stands(name):
    assert attacked(_named(TRUE, name), 1.0).refuted is None


def test_there_are_enough_of_each_kind():
    assert len(WRONG) >= 20
    assert len(TRUE) >= 20
    names = [entry.name for entry in (*WRONG, *TRUE)]
    assert len(set(names)) == len(names)
    assert all(entry.mistake for entry in WRONG)
