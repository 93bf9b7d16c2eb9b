"""The instances that are searched for Shampoo's regret."""

import numpy as np
import pytest

from optzoo.problems import CertificateError
from optzoo.theorems.soap import S7, S8
from theory_checks.claims.soap.families import FAMILIES, SearchedRegret, distances, squares

from .members import by_name, first_choice, require_caught, require_members


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_that_obey_the_theorem(family):
    require_members(family, choice=first_choice(family))


# One feature, and a best matrix that has no other part.
ALONE = {"features": [1.0, 0.0], "planted": [1.0, 0.0, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("theorem", "factor", "member"),
    [(S7, 0.6, {"reach": 1.0}), (S8, 0.6, {"eta": 0.5})],
    ids=lambda one: getattr(one, "label", ""),
)
def test_a_theorem_with_a_wrong_factor_is_caught(theorem, factor, member):
    def scaled(*given):
        return factor * theorem.formula(*given)

    require_caught(FAMILIES, theorem, scaled, **ALONE, **member)


def test_a_few_rounds_come_in_turn():
    targets, features = np.arange(8.0), np.arange(1.0, 9.0)
    found = squares(6, features, targets, turns=4)
    np.testing.assert_array_equal(found.features[4:], found.features[:2])
    np.testing.assert_array_equal(found.targets[4:, 0], [[0.0, 1.0], [2.0, 3.0]])
    of_planted = distances(4, features, [1.0, 2.0, 0.0, 1.0], turns=4)
    np.testing.assert_array_equal(of_planted.targets[1, 0], [1 * 3 + 2 * 4, 4])


def test_a_path_must_not_leave_the_distance_that_its_step_was_made_for():
    place = distances(8, **ALONE, turns=1)
    with pytest.raises(ValueError, match=r"D must be at least 1, got 0\.5"):
        SearchedRegret(matrices=place, text="", eta=0.5 / 2**0.5, largest=0.5)
    setting = SearchedRegret(matrices=place, text="", eta=1 / 2**0.5, largest=1.0)
    setting.certify()
    object.__setattr__(setting, "largest", 0.9)
    with pytest.raises(CertificateError, match="exceed D"):
        setting.certify()
