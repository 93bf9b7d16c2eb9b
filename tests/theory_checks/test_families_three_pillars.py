import pytest

from theory_checks.claims.three_pillars.families import FAMILIES

from .members import by_name, require_members


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_that_obey_the_theorem(family):
    require_members(family)
