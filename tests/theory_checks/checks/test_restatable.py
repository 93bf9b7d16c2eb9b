"""Checks asked again: what a theorem says is asked anew, and recorded data refute it or do not."""

import math

import numpy as np
import pytest

from theory_checks.checks import (
    ExactExponent,
    ExactIdentity,
    ExactInequality,
    ExactLowerBound,
    ExactScaling,
    Law,
    Minimizer,
    Passage,
    PathwiseLowerBound,
    Rate,
    SampledIdentity,
    UpperBound,
)
from theory_checks.checks.restatable import HasExponents, Restatable, numbers, other_exponents
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.statistics.protocol import Protocol

from .given import Given, experiment

POINTS = (1, 2, 4, 8)
ONES = np.ones(4)
EXPONENTIAL = np.random.default_rng(0).exponential(size=(64, 4))
COINS = (np.random.default_rng(1).random((64, 4)) < 0.5).astype(float)


def upper(metric, bound=1.0, **arguments):
    check = UpperBound(experiment(POINTS), "metric", lambda: bound * ONES, **arguments)
    return check, Given({"metric": metric})


class TestNumbers:
    def test_a_function_is_asked_each_time(self):
        asked = []
        for count in (1, 2):
            assert numbers(lambda: asked.append(0) or [len(asked)]).tolist() == [count]
        assert numbers([1, 2]).dtype == np.float64

    def test_complex_numbers_are_refused(self):
        with pytest.raises(ValueError, match="real numbers are needed"):
            numbers(lambda: np.sqrt(np.array([-1.0 + 0j])))


class TestWhichChecks:
    def test_take_part(self):
        sides = lambda: (ONES, ONES)  # noqa: E731
        asked = [
            upper(EXPONENTIAL)[0],
            PathwiseLowerBound(experiment(POINTS), "metric", lambda metrics: ONES),
            SampledIdentity(experiment(POINTS), lambda m: m["a"], lambda m: m["b"]),
            *(check(sides) for check in (ExactIdentity, ExactInequality, ExactLowerBound)),
            ExactExponent(lambda: (ONES, ONES, None), 0.5),
        ]
        laws = [
            ExactScaling(lambda laboratory: (ONES, ONES), (1.0,)),
            Law([], [], "metric", 1.0),
            Passage([], [], "metric", 0.1, 1.0),
            Rate(experiment(POINTS), "metric", 1.0, (1.0, 8.0)),
        ]
        assert all(isinstance(check, Restatable) for check in asked)
        assert all(isinstance(check, HasExponents) for check in laws)
        neither = Minimizer([], experiment(POINTS), "metric", (0.0, 1.0))
        assert not isinstance(neither, Restatable | HasExponents)


class TestUpperBound:
    def test_an_e_value_of_the_seeds_recorded_decides(self):
        """Of 32 seeds with E Z = 1.6 the bets win less than 1000, of 64 more."""
        check, laboratory = upper(1.6 * EXPONENTIAL)
        assert not check.refutes(ONES, laboratory, 12)
        assert check.refutes(ONES, laboratory, 64)
        assert not check.refutes(4 * ONES, laboratory, 64)

    def test_its_answer_is_that_of_a_run(self):
        for scale in (0.3, 0.8, 3.0):
            check, laboratory = upper(scale * EXPONENTIAL)
            laboratory.protocol = Protocol(looks=1)
            verdict = check.run(laboratory).verdict
            refuted = check.refutes(check.says(laboratory, 32), laboratory, 32)
            assert refuted == (verdict == "REFUTED")

    def test_alpha_is_the_protocols(self):
        check, laboratory = upper(1.6 * EXPONENTIAL)
        laboratory.protocol = Protocol(alpha=1e-300)
        assert not check.refutes(ONES, laboratory, 64)

    def test_a_bound_that_is_nothing_is_refuted(self):
        check, laboratory = upper(EXPONENTIAL)
        for said in (0.0, -1.0, 1e-320):
            assert check.refutes(np.array([1.0, said, 1.0, 1.0]) * 1e3, laboratory, 32)
        assert not check.refutes(1e3 * ONES, laboratory, 32)

    def test_the_last_checkpoint_alone(self):
        metric = EXPONENTIAL * np.array([100.0, 100.0, 100.0, 0.2])
        check = UpperBound(experiment(POINTS), "metric", lambda: [1.0], last_only=True)
        laboratory = Given({"metric": metric})
        assert check.says(laboratory, 32).tolist() == [1.0]
        assert not check.refutes(np.array([1.0]), laboratory, 32)
        assert check.refutes(np.array([0.02]), laboratory, 32)


class TestPathwise:
    def check(self, metric, bound):
        return PathwiseLowerBound(experiment(POINTS), "metric", bound), Given(
            {"metric": metric}, 16
        )

    def test_the_bound_may_be_one_of_the_path(self):
        """Twice the metric of another column: each path has a bound of its own."""
        paths = np.arange(1.0, 17.0)[:, None] * ONES
        made, laboratory = self.check(paths, lambda metrics: metrics["metric"] / 2)
        finding = made.run(laboratory)
        assert finding.verdict == "CONSISTENT"
        assert finding.tightness == pytest.approx(2.0)
        np.testing.assert_allclose(finding.bound, ONES)
        said = made.says(laboratory, 16)
        assert said.shape == (16, 4)
        assert not made.refutes(1.99 * said, laboratory, 16)
        assert made.refutes(2.01 * said, laboratory, 16)
        said[7, 2] *= 2.01
        assert made.refutes(said, laboratory, 16), "one path at one checkpoint"

    def test_a_bound_of_each_checkpoint(self):
        made, laboratory = self.check(np.full((16, 4), 3.0), lambda metrics: 2 * ONES)
        assert made.says(laboratory, 16).tolist() == [2.0] * 4
        assert not made.refutes(3 * ONES, laboratory, 16)
        assert made.refutes(np.array([2.0, 2.0, 3.01, 2.0]), laboratory, 16)
        assert not made.refutes(0 * ONES, laboratory, 16), "nothing is claimed"

    def test_what_is_small_is_not_below_what_is_smaller(self):
        small = np.array([1.0, 1e-14, 1e-17, -1e-18]) * np.ones((16, 4))
        made, laboratory = self.check(small, lambda metrics: 0.5 * np.abs(small[0]))
        assert not made.refutes(np.array([0.5, 5e-15, 5e-18, 0.0]), laboratory, 16)
        assert made.refutes(np.array([0.5, 5e-15, 2e-17, 0.0]), laboratory, 16)


class TestSampledIdentity:
    def check(self, right, **arguments):
        check = SampledIdentity(
            experiment(POINTS),
            lambda metrics: metrics["left"],
            lambda metrics: right,
            **arguments,
        )
        return check, Given({"left": COINS}, 16)

    def test_numbers_are_of_each_seed(self):
        check, laboratory = self.check(0.5 * ONES)
        assert check.says(laboratory, 64).shape == (64, 4)

    @pytest.mark.parametrize("within", [None, (0.0, 1.0)])
    def test_the_test_of_the_run_decides(self, within):
        check, laboratory = self.check(0.5 * ONES, within=within)
        said = check.says(laboratory, 64)
        assert not check.refutes(said, laboratory, 64)
        for wrong in (0.95, 0.05):
            assert check.refutes(wrong * np.ones((64, 4)), laboratory, 64)
        one = said.copy()
        one[:, 2] = 0.9
        assert check.refutes(one, laboratory, 64)

    def test_the_range_moves_with_what_is_said(self):
        """Of a coin with chance 0.9 the differences lie in [-0.9, 0.1], by themselves."""
        check, laboratory = self.check(0.5 * ONES, within=(0.0, 1.0))
        for chance in (0.4, 0.6):
            assert not check.refutes(np.full((64, 4), chance), laboratory, 64)

    @pytest.mark.parametrize("said", [-0.01, 1.01])
    def test_a_value_out_of_the_range_is_refuted(self, said):
        check, laboratory = self.check(0.5 * ONES, within=(0.0, 1.0))
        assert check.refutes(np.full((64, 4), said), laboratory, 64)


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (ExactInequality, 1 / (1 + 0.9e-6), 1 / (1 + 1.1e-6)),
        (ExactLowerBound, 1 / (1 - 0.9e-6), 1 / (1 - 1.1e-6)),
        (ExactIdentity, 1 / (1 - 0.9e-6), 1 / (1 - 1.1e-6)),
        (ExactIdentity, 1 / (1 + 0.9e-6), 1 / (1 + 1.1e-6)),
    ],
)
def test_exact_checks_refute_beyond_their_tolerance_of_what_is_said(check, inside, outside):
    computed = []
    made = check(lambda: computed.append(0) or (2 * ONES, lambda: 2 * ONES), tolerance=1e-6)
    assert made.says(Laboratory(), None).tolist() == [2.0] * 4
    assert not made.refutes(2 * ONES * inside, Laboratory(), None)
    assert made.refutes(2 * np.array([1.0, 1.0, outside, 1.0]), Laboratory(), None)
    made.run(Laboratory())
    assert len(computed) == 1, "what was measured stays"


def test_round_off_is_allowed_of_what_is_said():
    made = ExactInequality(lambda: ([1.0, 1e-9], [1.0, 0.0]), round_off=1e-8)
    assert not made.refutes(np.array([1.0, 0.0]), Laboratory(), None)
    assert made.refutes(np.array([1.0, -1e-7]), Laboratory(), None)


@pytest.mark.parametrize(("relation", "both"), [("at_least", False), ("exactly", True)])
def test_the_slopes_of_exact_distances_refute_an_exponent(relation, both):
    eta = 2.0 ** -np.arange(6)
    made = ExactExponent(lambda: (eta, 3 * eta**0.5, None), lambda: 0.5, relation)
    assert made.says(Laboratory(), None) == 0.5
    for stated, refuted in ((0.529, False), (0.531, True), (0.471, False), (0.469, both)):
        assert made.refutes(np.asarray(stated), Laboratory(), None) == refuted


# --- Other exponents ---


def test_other_exponents_of_laws_claim_more():
    assert other_exponents(-1.0) == {
        "exponent 0": 0.0, "exponent -0.5": -0.5, "exponent -2": -2.0,
    }  # fmt: skip
    law = Law([], [], "metric", 1.0)
    assert {name: one.stated for name, one in law.with_exponents().items()} == {
        "exponent 0": 0.0, "exponent 0.5": 0.5, "exponent 2": 2.0,
    }  # fmt: skip
    above = Passage([], [], "metric", 0.1, 1.0, looks=3)
    assert {name: one.stated for name, one in above.with_exponents().items()} == {
        "exponent 0": 0.0, "exponent 0.5": 0.5,
    }  # fmt: skip
    assert {one.looks for one in above.with_exponents().values()} == {3}
    rate = Rate(experiment(POINTS), "metric", 0.5, (1.0, 8.0))
    assert {name: one.stated for name, one in rate.with_exponents().items()} == {"exponent 1": 1.0}


def test_each_exponent_of_a_scaling_is_wrong_alone():
    theta = np.array([0.25, 1.0, 4.0])
    made = ExactScaling(lambda laboratory: (theta, np.stack([theta, ONES[:3]], 1)), (1.0, 0.0))
    assert {name: tuple(one.exponents) for name, one in made.with_exponents().items()} == {
        "exponent 0 in place of 1": (0.0, 0.0),
        "exponent 0.5 in place of 1": (0.5, 0.0),
        "exponent 2 in place of 1": (2.0, 0.0),
        "exponent 0.5 in place of 0": (1.0, 0.5),
        "exponent -0.5 in place of 0": (1.0, -0.5),
    }
    assert made.run(Laboratory()).verdict == "CONSISTENT"
    for name, one in made.with_exponents().items():
        assert one.run(Laboratory()).verdict == "REFUTED", name


def test_bets_on_ratios_without_end_stay_finite():
    check, laboratory = upper(EXPONENTIAL * 1e300)
    assert check.refutes(np.full(4, 1e-300), laboratory, 32)
    assert math.isfinite(check.says(laboratory, 32).sum())
