"""Identities and inequalities without chance: at their tolerance, beside it, and what is kept."""

import numpy as np
import pytest

from theory_checks.checks import ExactIdentity, ExactInequality, ExactLowerBound
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statistics.protocol import Protocol

CHECKS = (ExactIdentity, ExactInequality, ExactLowerBound)
SIGN = {ExactInequality: 1.0, ExactLowerBound: -1.0}
ONE_SIDED = tuple(SIGN)


def found(check, measured, bound, **arguments):
    made = check(lambda: (np.asarray(measured), np.asarray(bound)), what="by hand", **arguments)
    return made.run(Laboratory())


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_the_tolerance_of_a_case_is_relative_to_its_own_bound(check, size):
    """Beside a case of size 1 and just inside or outside of 1e-6, whatever the size."""
    sign = SIGN.get(check, 1.0)
    for share, verdict in ((0.9, "CONSISTENT"), (1.1, "REFUTED")):
        measured = [1.0, size * (1 + sign * share * 1e-6)]
        assert found(check, measured, [1.0, size], tolerance=1e-6).verdict == verdict


@pytest.mark.parametrize(
    ("check", "measured", "bound"),
    [
        (ExactInequality, [0.5, 1e-10], [1.0, 1e-12]),
        (ExactIdentity, [1.0, 2e-11], [1.0, 1e-11]),
        (ExactLowerBound, [1.0, -1e-11], [1.0, 1e-12]),
        (ExactInequality, [0.5, 0.999, 1.001], [1.0, 1.0, 1.0]),
        (ExactInequality, [0.5, 1e-30], [1.0, 0.0]),
        (ExactLowerBound, [2.0, -1e-30], [1.0, 0.0]),
        (ExactIdentity, [1.0, 1e-30], [1.0, 0.0]),
        (ExactInequality, [-1.9], [-2.0]),
        (ExactLowerBound, [-2.1], [-2.0]),
        (ExactIdentity, [-2.1], [-2.0]),
    ],
)
def test_one_case_refutes_whatever_the_others(check, measured, bound):
    assert found(check, measured, bound).verdict == "REFUTED"


@pytest.mark.parametrize("check", CHECKS)
def test_equality_is_consistent(check):
    sides = [1e-12, 3.0, -2.0, 0.0]
    assert found(check, sides, sides).verdict == "CONSISTENT"


@pytest.mark.parametrize("check", CHECKS)
def test_round_off_is_allowed_where_it_is_declared_and_no_more(check):
    off = SIGN.get(check, 1.0) * 1e-9
    for round_off, verdict in ((0.0, "REFUTED"), (0.9e-9, "REFUTED"), (1.1e-9, "CONSISTENT")):
        outcome = found(check, [1.0, off], [1.0, 0.0], tolerance=1e-6, round_off=round_off)
        assert outcome.verdict == verdict


def test_the_largest_deviation_of_an_identity_is_told_whatever_its_sign():
    for measured in ([1.001, 0.5], [1.001, 1.5]):
        decided = found(ExactIdentity, measured, [1.0, 1.0]).decided
        assert decided.startswith("by hand: largest relative deviation 0.5 > 1e-10 over 2 cases")


@pytest.mark.parametrize("check", ONE_SIDED)
def test_what_round_off_decides_has_no_ratio(check):
    """A ratio of 3 or of 1/3 between numbers below round-off is no sharpness, nor a violation."""
    measured, bound = (
        ([0.5, 3e-9], [1.0, 1e-9]) if check is ExactInequality else ([2.0, 1e-9], [1.0, 3e-9])
    )
    outcome = found(check, measured, bound, tolerance=1e-6, round_off=5e-9)
    assert outcome.verdict == "CONSISTENT"
    assert outcome.tightness == measured[0]
    assert "1 are 0 to round-off" in outcome.decided
    with pytest.raises(ValueError, match="nothing can be compared"):
        found(check, [1e-10], [1e-10], round_off=5e-9)


@pytest.mark.parametrize("check", ONE_SIDED)
@pytest.mark.parametrize("seed", range(3))
def test_never_consistent_beyond_one(check, seed):
    rng = np.random.default_rng(seed)
    bound = 10.0 ** rng.uniform(-12, 3, size=50) * rng.choice([-1.0, 1.0], size=50)
    for scale in (1e-12, 1e-9, 0.1):
        measured = bound + np.abs(bound) * scale * rng.normal(size=50)
        outcome = found(check, measured, bound)
        beyond = SIGN[check] * (outcome.tightness - 1.0) > 1e-10
        assert (outcome.verdict == "REFUTED") == beyond


def test_the_closest_case_is_the_tightness():
    outcome = found(ExactInequality, [1.0, 1.9, -5.0, 3.0], [2.0, 2.0, 1.0, 30.0])
    assert outcome.tightness == pytest.approx(0.95)
    assert outcome.detectable_factor == pytest.approx(1 / 0.95)
    np.testing.assert_array_equal(outcome.mean, [1.9, 1.0, 3.0, -5.0])
    np.testing.assert_array_equal(outcome.bound, [2.0, 2.0, 30.0, 1.0])
    below = found(ExactLowerBound, [6.0, 3.0, 0.5, 1.0], [2.0, 2.0, 0.0, 0.1])
    assert (below.tightness, below.detectable_factor, below.vacuous) == (1.5, 1.5, False)
    np.testing.assert_array_equal(below.mean, [3.0, 6.0, 1.0])


def test_sixty_cases_are_kept_and_all_decide():
    bound = np.ones(100)
    measured = np.linspace(0.5, 0.9, 100)
    outcome = found(ExactInequality, measured, bound)
    assert len(outcome.mean) == 60
    assert outcome.mean[0] == 0.9
    assert "over 100 cases" in outcome.decided


def test_vacuous_begins_beyond_the_protocols_factor():
    def vacuous(check, ratio, factor):
        sides = np.array([ratio]), np.array([1.0])
        return check(lambda: sides).run(Laboratory(protocol=Protocol(vacuous=factor))).vacuous

    assert vacuous(ExactInequality, 0.099, 10.0)
    assert not vacuous(ExactInequality, 0.101, 10.0)
    assert not vacuous(ExactInequality, 0.099, 20.0)
    assert vacuous(ExactLowerBound, 10.1, 10.0)
    assert not vacuous(ExactLowerBound, 9.9, 10.0)
    assert vacuous(ExactInequality, -1.0, 10.0)  # nothing positive was measured
    assert found(ExactInequality, [-1.0], [1.0]).detectable_factor == np.inf
    assert found(ExactLowerBound, [-1.0], [1.0]).detectable_factor == 0.0


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("measured", "bound"), [(1.0, 1.0), ([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])]
)
def test_shapes_that_are_no_cases_are_refused(check, measured, bound):
    with pytest.raises(ValueError, match=r"shape \(cases,\)"):
        found(check, measured, bound)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_cannot_be_compared(check, bad):
    for sides in (([1.0, bad], [1.0, 1.0]), ([1.0, 1.0], [1.0, bad])):
        with pytest.raises(ValueError, match="not finite"):
            found(check, *sides)
