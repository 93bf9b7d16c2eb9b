"""Random members of the families that an attack searches, and what must hold of every one."""

import numpy as np

from theory_checks.claim import Case
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.worst_case.attack.objective import RATIO, NoInstanceError, objectives, scores


def by_name(families):
    """Arguments of `parametrize`: each family by its name."""
    return {"argvalues": families, "ids": [family.name for family in families]}


def random_parameters(family, count, *, choice=None, seed=0):
    """Points of the cube, each with a choice of its own, or all with one."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        drawn = {
            name: one.values[rng.integers(len(one.values))] for name, one in family.choices.items()
        }
        yield family.at(choice or drawn, rng.random(family.dimension))


def instances(family, count, **how):
    """The cases of those that are instances; for each of the others a reason is given."""
    theorem = family.theorems[0]
    found = []
    for parameters in random_parameters(family, count, **how):
        try:
            found.append(family.case(theorem, parameters))
        except ValueError as reason:
            assert str(reason)
    return found


def looked_at(theorem, cases, seeds=8):
    """The objectives of each case, or None where the theorem says that it does not apply."""
    assert all(isinstance(case, Case) for case in cases)
    found = scores(theorem, cases, Laboratory(seeds=seeds))
    assert all(str(one) for one in found if isinstance(one, NoInstanceError))
    return [None if isinstance(one, NoInstanceError) else one for one in found]


def require_members(family, count=5, *, tolerance=1e-6, certified=1, **how):
    """At least half are instances; none violates the theorem; the constants can be derived anew.

    Args:
        family: whose.
        count: random members.
        tolerance: of the ratio.
        certified: so many are certified: it is slow.
        **how: as for `random_parameters`.
    """
    theorem = family.theorems[0]
    cases = instances(family, count, **how)
    found = looked_at(theorem, cases)
    seen = [(case, one) for case, one in zip(cases, found, strict=True) if one is not None]
    assert len(seen) >= count / 2
    for case, one in seen:
        assert set(one) == set(objectives(theorem))
        assert 0 <= one[RATIO] <= 1 + tolerance
        assert all(share <= 1 + tolerance for share in one.values())
        assert case.setting.words
        assert all(np.isfinite(known.value) for known in case.setting.constants.values())
    for case, _ in seen[:certified]:
        case.setting.certify()


def ratio(family, theorem, parameters):
    """How large a theorem makes the ratio on a member of a family of another theorem's."""
    assert family.fits(theorem)
    (found,) = looked_at(theorem, [family.case(theorem, parameters)])
    return found[RATIO]
