"""Random members of the families that an attack searches, and what must hold of every one."""

from dataclasses import replace

import numpy as np

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


def first_choice(family):
    """The first of each choice, so that one program is enough."""
    return {name: one.values[0] for name, one in family.choices.items()}


def instances(family, count, **how):
    """The cases of those that are instances; the others say why they are none."""
    found, reasons = [], []
    for parameters in random_parameters(family, count, **how):
        try:
            found.append(family.case(family.theorems[0], parameters))
        except ValueError as error:
            reasons.append(str(error))
    assert all(reasons)
    return found


def looked_at(theorem, cases, seeds=8):
    """The objectives of each case, or None where the theorem says that it does not apply."""
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
    seen = [pair for pair in zip(cases, looked_at(theorem, cases), strict=True) if pair[1]]
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
    """How large the ratio of a theorem is on a member of the family."""
    assert family.fits(theorem)
    (found,) = looked_at(theorem, [family.case(theorem, parameters)])
    return found[RATIO]


def require_caught(families, theorem, formula, **parameters):
    """A member of the first family of a theorem refutes it with another formula, and not as it is.

    Args:
        families: of its paper.
        theorem: as it stands.
        formula: with a mistake in it.
        **parameters: of the member; the others are in the middle of their range.
    """
    family = next(one for one in families if theorem in one.theorems)
    middle = family.at(first_choice(family), np.full(family.dimension, 0.5))
    assert set(parameters) <= set(middle)
    wrong = replace(theorem, formula=formula)
    assert ratio(family, wrong, middle | parameters) > 1 + 1e-6
    assert ratio(family, theorem, middle | parameters) <= 1 + 1e-6
