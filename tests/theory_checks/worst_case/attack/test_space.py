"""Families of instances: their ranges, and the points in them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.theorems.frank_wolfe import F3, F4
from theory_checks.worst_case.attack import InstanceFamily, OneOf, Real, Whole

from .hills import FAMILY, HILL, WRONG, on_the_hill

UNIT = st.floats(0.0, 1.0)


class TestRanges:
    @settings(max_examples=30, deadline=None)
    @given(UNIT)
    def test_a_value_and_its_unit_are_inverse(self, u):
        for one in (Real(-2.0, 3.0), Real(1e-3, 10.0, log=True)):
            assert one.low <= one.at([u]) <= one.high
            assert one.unit(one.at([u]))[0] == pytest.approx(u, abs=1e-12)

    @settings(max_examples=30, deadline=None)
    @given(UNIT)
    def test_whole_numbers_are_whole_and_in_range(self, u):
        for one in (Whole(1, 7), Whole(1, 1000, log=True)):
            value = one.at([u])
            assert isinstance(value, int)
            assert one.low <= value <= one.high
            assert one.at(one.unit(value)) == value

    def test_vectors(self):
        one = Real(0.0, 2.0, size=3)
        assert one.count == 3
        assert one.at([0.0, 0.5, 1.0]) == [0.0, 1.0, 2.0]
        assert one.unit([0.0, 1.0, 2.0]).tolist() == [0.0, 0.5, 1.0]

    def test_a_logarithm_is_varied_evenly(self):
        assert Real(0.01, 1.0, log=True).at([0.5]) == pytest.approx(0.1)
        assert Whole(1, 100, log=True).at([0.5]) == 10

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Real(1.0, 1.0), "low < high"),
            (lambda: Real(0.0, math.inf), "both finite"),
            (lambda: Real(0.0, 1.0, log=True), "must be positive"),
            (lambda: Real(0.0, 1.0, size=0), "size must be at least 1, got 0"),
            (lambda: Whole(3, 2), "low < high"),
            (lambda: Whole(0, 2, log=True), "must be positive"),
            (lambda: OneOf(), "at least one value"),
        ],
    )
    def test_bad_ranges(self, make, said):
        with pytest.raises(ValueError, match=said):
            make()


class TestFamily:
    def test_points_of_the_cube_are_parameters(self):
        assert FAMILY.dimension == 4
        found = FAMILY.at({"side": "left"}, [0.25, 0.5, 1.0, 0.0])
        assert found == {"side": "left", "x": 0.25, "y": [0.0, 1.0], "start": 0.001}
        assert FAMILY.unit(found).tolist() == pytest.approx([0.25, 0.5, 1.0, 0.0])

    def test_a_theorem_with_a_mistake_fits_and_another_does_not(self):
        assert FAMILY.fits(HILL)
        assert FAMILY.fits(WRONG)
        assert not FAMILY.fits(F3)
        for other in ({"metric": "n_k"}, {"output": "average"}, {"side": "below"}):
            assert not FAMILY.fits(replace(HILL, **other))
        assert not InstanceFamily("", FAMILY.make, FAMILY.varies, (F3,)).fits(F4)

    def test_the_theorem_is_handed_in(self):
        parameters = FAMILY.at({"side": "left"}, np.full(4, 0.5))
        assert FAMILY.case(HILL, parameters).setting.constants["L"].value == 2.0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((on_the_hill, {}), "varies nothing"),
            ((on_the_hill, {"z": Real(0.0, 1.0)}), "varies z, which its `make` does not take"),
            (
                (on_the_hill, {"x": Real(0.0, 1.0)}, (HILL,), ({"y": 1.0},)),
                "a start of the family 'f' and what varies differ in x, y",
            ),
        ],
    )
    def test_bad_families(self, arguments, said):
        with pytest.raises(ValueError, match=said):
            InstanceFamily("f", *arguments)
