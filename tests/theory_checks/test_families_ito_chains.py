"""The instances that are searched for the theorems on Ito chains."""

import numpy as np
import pytest

from optzoo.problems import CertificateError, Constant
from optzoo.theorems.ito_chains import I1, I1_ALL_TIMES, I2, I3, I4, I5
from theory_checks.claims.ito_chains.families import FAMILIES
from theory_checks.claims.ito_chains.settings import GeometricChain, LinearChain, PlaneChain

from .members import by_name, first_choice, require_caught, require_members


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_that_obey_the_theorem(family):
    require_members(family)


@pytest.mark.parametrize(
    ("theorem", "factor", "member"),
    [
        (I1, 0.5, {"rate": -0.35, "k": 30, "start": 5.0, "s": 0.01, "time": 0.05}),
        (I1_ALL_TIMES, 0.5, {"rate": 0.64, "k": 1, "start": -4.6, "s": 0.01, "time": 1.5}),
        (I2, 0.1, {"k": 2, "time": 0.05, "growth": 0.01}),
        (I3, 0.2, {"rate": 1e-3, "k": 2, "time": 0.7}),
        (I4, 1.1, {"k": 100}),
        (I5, 1.1, {"rate": 1.0, "s": 0.01, "drift_error": 1.0}),
    ],
    ids=lambda one: getattr(one, "label", ""),
)
def test_a_theorem_with_a_wrong_factor_is_caught(theorem, factor, member):
    def scaled(constants):
        return factor * theorem.formula(constants)

    require_caught(FAMILIES, theorem, scaled, **member)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        (LinearChain(eta=0.25, rate=0.5, start=3.0), "b_bar"),
        (LinearChain(eta=0.25, rate=0.5, s=4.0), "b_sup"),
        (LinearChain(eta=0.25, rate=-0.5, start=3.0), "b_bar"),
        (PlaneChain(eta=0.25, s=1.0, rates=(1.0, 0.2), turn=0.7, start=(1.0, 2.0)), "b_bar"),
        (GeometricChain(eta=0.25), "b_hat"),
        (GeometricChain(eta=0.25), "s_hat"),
    ],
)
def test_a_supremum_that_something_exceeds_is_refused(setting, name):
    setting.certify()
    known = setting.constants
    known[name] = Constant(known[name].value * 0.6, "certified")
    with pytest.raises(CertificateError, match=f"{name} is stated as"):
        setting.certify()


def test_in_the_plane_without_turning_it_is_two_chains_on_the_line():
    plane = PlaneChain(eta=0.25, gamma=0.5, s=0.7, rates=(1.0, -0.4), start=(1.0, 2.0))
    lines = [
        LinearChain(eta=0.25, gamma=0.5, s=0.7, rate=rate, start=start)
        for rate, start in ((1.0, 1.0), (-0.4, 2.0))
    ]
    apart = np.hypot(*(line.distance() for line in lines))
    assert plane.distance() == pytest.approx(apart, rel=1e-9)
    assert plane.constants["M"].value == pytest.approx(1.0)
    assert "m" not in plane.constants  # it does not contract
    assert PlaneChain(eta=0.25, s=0.7, rates=(1.0, 0.4)).constants["m"].value == pytest.approx(0.4)


def test_the_law_of_a_geometric_chain_has_its_moments_at_every_step():
    """On cells of its own size: with little noise and with much."""
    for setting in (
        GeometricChain(eta=0.02, time=0.04, gamma=0.8, growth=0.01, s=0.03),
        GeometricChain(eta=1 / 64, growth=2.0, s=0.7),
    ):
        law, kick = setting.law(), setting.s**2 * setting.eta ** (1 + setting.gamma)
        grown = 1 + setting.growth * setting.eta
        mean, square = grown**setting.steps, (grown**2 + kick) ** setting.steps
        assert law.mean == pytest.approx(mean, rel=1e-6)
        assert law.variance == pytest.approx(square - mean**2, rel=1e-4)


def test_what_cannot_be_computed_is_no_instance():
    family = next(one for one in FAMILIES if I2 in one.theorems)
    middle = family.at(first_choice(family), np.full(family.dimension, 0.5))
    with pytest.raises(ValueError, match="must leave its factor positive"):
        family.case(I2, middle | {"s": 0.5, "k": 1, "gamma": 0.0, "time": 1.0})
    family = next(one for one in FAMILIES if I5 in one.theorems)
    middle = family.at(first_choice(family), np.full(family.dimension, 0.5))
    with pytest.raises(ValueError, match=r"rate must be at least 0\.001 in size, got 0\.0"):
        family.case(I5, middle)
