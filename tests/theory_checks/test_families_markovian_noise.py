"""The instances that are searched for the theorems on Markovian noise."""

from dataclasses import replace

import numpy as np
import pytest

from optzoo.theorems.markovian_noise import D1, D2, D2_BIAS, D3, D3_POLYAK_LOJASIEWICZ, D3A, D4, D5
from theory_checks.claims.markovian_noise.families import FAMILIES

from .members import by_name, first_choice, require_caught, require_members


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_that_obey_the_theorem(family):
    require_members(family)


# Two states that are kept for long, and noise that a start close to the solution does not hide.
SLOW = {"transition": [1.0, 0.003, 0.003, 1.0], "values": [1.0, -1.0]}
NOISY = SLOW | {"away": 1e-3, "angle": 0.0, "batch": 2.0, "level": 1, "flatness": 0.3}


@pytest.mark.parametrize(
    ("theorem", "member"),
    [
        (D1, SLOW | {"n": 1000, "weights": [1.0, 1.0, 1.0, 1.0]}),
        (D2, SLOW | {"batch": 4.0, "level": 3}),
        (D2_BIAS, SLOW | {"batch": 1.0, "level": 3}),
        (D3, NOISY),
        (D3_POLYAK_LOJASIEWICZ, NOISY),
        (D3A, NOISY),
        (D4, NOISY),
        (D5, NOISY | {"turn": 0.0, "first": 2.0}),
    ],
    ids=lambda one: getattr(one, "label", ""),
)
def test_a_theorem_that_forgot_the_mixing_time_is_caught(theorem, member):
    def forgets(constants, *arguments):
        return theorem.formula(replace(constants, tau=1.0), *arguments)

    require_caught(FAMILIES, theorem, forgets, **member)


def test_noise_of_both_kinds_has_its_own_states():
    family = next(one for one in FAMILIES if one.name == "D3a on 4 states")
    parameters = family.at(first_choice(family), np.full(family.dimension, 0.5))
    values = {"values": [0.3, -0.2, 0.9, 0.1], "step": 0.02, "factor": 0.05}
    problem = family.case(D3A, parameters | values).setting.place
    additive, growing = np.asarray(problem.additive), np.asarray(problem.multiplicative)
    assert np.all((additive != 0) == [True, True, False, False])
    assert np.all((growing != 0) == [False, False, True, True])
    assert np.abs(growing).max() == pytest.approx(0.05)
    with pytest.raises(ValueError, match="values must not be constant"):
        family.case(D3A, parameters | {"values": [1.0, 1.0, 0.5, 0.2]})
