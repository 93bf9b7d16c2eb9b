"""The instances that are searched for the Frank-Wolfe theorems."""

import numpy as np
import pytest

from optzoo.theorems.frank_wolfe import F3
from theory_checks.claims.frank_wolfe.families import (
    FAMILIES,
    flat_line,
    on_the_line,
    on_the_simplex,
)
from theory_checks.simulation.laboratory import Laboratory

from .members import by_name, first_choice, instances, require_caught, require_members

SIMULATED = ("F3 on the line, n = 2", "F6 on the line, n = 4")
"""A family a method: programs are dear, and each is one."""


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_with_a_bound(family):
    cases = instances(family, 5, choice=first_choice(family))
    assert len(cases) == 5
    for case in cases:
        place = case.setting.place
        assert place.f_star.value <= place.known["start"] + 1e-12
        assert case.setting.words
        said = case.check.says(Laboratory(seeds=8), 8)
        assert said.size
        assert np.all(np.isfinite(said) & (said > 0))


@pytest.mark.parametrize(
    "family", **by_name([family for family in FAMILIES if family.name in SIMULATED])
)
def test_random_members_obey_the_theorem(family):
    require_members(family, choice=first_choice(family))


def test_a_theorem_with_a_wrong_factor_is_caught():
    """A slope leaves what the steps leave of the start, exactly."""
    slope = {"mean": 4 * [0.0], "deviations": 4 * [0.0], "slope": 1.0, "slopes": [0.0]}
    member = slope | {"start": 1.0, "p": 1.0, "first": 4 * [0.5]}
    require_caught(FAMILIES, F3, lambda *given: 0.9 * F3.formula(*given), **member)


def test_functions_deviate_from_their_mean_in_pairs():
    place = on_the_line([1.0, 2.0, 3.0, 0.5], [0.5, -1.0, 0.0, 2.0], 0.3, [0.7], -1.0)
    place.problem.certify()
    second = np.asarray(place.problem.second)
    np.testing.assert_allclose(second.mean(axis=0), [1.0, 2.0, 3.0, 0.5])
    np.testing.assert_allclose(second[0] - second[1], [1.0, -2.0, 0.0, 4.0])
    np.testing.assert_allclose(place.problem.slopes, [1.0, -0.4])
    assert place.f_star.value == place.problem.least(-1.0, 1.0)


def test_a_flat_function_deviates_as_much():
    given = ([1.0, 2.0, 3.0, 0.5], 0.3, [0.7])
    place = flat_line(0.1, *given, deviations=[0.5, -1.0, 0.0, 2.0], start=-1.0)
    place.problem.certify()
    second = np.asarray(place.problem.second)
    np.testing.assert_allclose(second.mean(axis=0), [0.1, 0.2, 0.3, 0.05])
    np.testing.assert_allclose(second[0] - second[1], [1.0, -2.0, 0.0, 4.0])
    np.testing.assert_allclose(place.problem.slopes, [0.1, -0.04])


def test_on_the_simplex_the_centre_is_best():
    place = on_the_simplex(6, 4, 0.5)
    place.problem.certify()
    assert float(place.problem.value(np.full(6, 1 / 6))) == pytest.approx(place.f_star.value)
    assert float(place.problem.value(place.x0)) == pytest.approx(place.known["start"])


@pytest.mark.parametrize("name", ["F3 on the line, n = 2", "F7 on the line, n = 2"])
def test_what_is_said_to_be_certain_is(name):
    """A check refuses seeds that differ where they are declared to agree."""
    (family,) = (one for one in FAMILIES if one.name == name)
    quiet = 0
    for start in family.starts:
        warm = {"table": "warm"} if "table" in start else {}
        case = family.case(family.theorems[0], start | warm | {"horizon": 8})
        found = case.check.run(Laboratory(seeds=8))
        assert found.verdict != "REFUTED"
        quiet += case.check.certain > 0
    assert quiet == (3 if name.startswith("F3") else 0)
