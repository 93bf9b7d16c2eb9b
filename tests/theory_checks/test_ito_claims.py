"""Claims on Ito chains: the laws that they compute with, their families, methods side by side."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from optzoo.theorems.ito_chains import I1, I3, I4
from theory_checks.claims.ito_chains import SIDE_BY_SIDE, gaussian, multiplicative, window
from theory_checks.claims.ito_chains.distances import beside_bounds, distances
from theory_checks.claims.ito_chains.settings import (
    GeometricChain,
    LinearChain,
    PosteriorChain,
    posterior,
)
from theory_checks.controls import wrong
from theory_checks.family import Family, members
from theory_checks.simulation.evaluation import run_side_by_side
from theory_checks.simulation.laboratory import Laboratory

# --- The laws ---


def test_a_linear_chain_path_by_path():
    """All paths of five steps by a loop, with a drift error and a start."""
    place = {"noise": "skewed coin", "gamma": 0.5, "rate": 0.7, "s": 1.3, "start": 0.4}
    chain = LinearChain(**place, eta=0.1, time=0.5, drift_error=2.0, alpha=0.5)
    eta, ends, chances = 0.1, [], []
    for path in itertools.product(((-1 / 3, 0.9), (3.0, 0.1)), repeat=5):
        x = 0.4
        for eps, _ in path:
            x += eta * (-0.7 * x + eta**0.5 * 2.0) + eta**0.75 * 1.3 * eps
        ends.append(x)
        chances.append(np.prod([p for _, p in path]))
    law, error = chain.law()
    assert error == 0.0
    mean = np.dot(chances, ends)
    assert law.mean == pytest.approx(mean)
    assert law.variance == pytest.approx(np.dot(chances, (np.array(ends) - mean) ** 2))
    np.testing.assert_allclose(law.points, np.sort(ends), rtol=1e-12)
    with pytest.raises(ValueError, match="eta must divide"):
        replace(chain, eta=0.3)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_the_walk_has_the_value_of_its_lattice(gamma):
    walk = LinearChain(noise="coin", gamma=gamma, rate=0.0, eta=1 / 256)
    value = walk.distance()
    assert value == pytest.approx({0.0: 0.03609, 1.0: 0.002255}[gamma], rel=3e-3)
    assert 1 <= value / walk.bound(I4) < 1.01


def test_correlated_noise_changes_the_variance_in_the_long_run():
    """A moving average of two: variance 1, and 2 k - 1 for the sum of k and what is left over."""
    walk = {"rate": 0.0, "correlated": True, "time": 8.0, "eta": 1.0}
    law, _ = LinearChain(noise="coin", **walk).law()
    assert law.variance == pytest.approx(7 * 2 + 2 * 0.5)
    gaussian, _ = LinearChain(noise="gaussian", **walk).law()
    assert gaussian.variance == pytest.approx(law.variance)


def test_the_geometric_chain_has_the_moments_of_its_products():
    eta, k = 1 / 16, 16
    chain = GeometricChain(eta=eta)
    law = chain.law()
    mean = (1 + 0.5 * eta) ** k
    second = ((1 + 0.5 * eta) ** 2 + 0.16 * eta) ** k
    assert law.mean == pytest.approx(mean, rel=1e-6)
    assert law.variance + law.mean**2 == pytest.approx(second, rel=1e-6)
    # W2 is at least the distance of the means.
    assert chain.distance() >= abs(mean - np.exp(0.5)) - 1e-9


def test_the_closed_form_of_i3_is_no_bound():
    """At a drift of 0.001 the best window is longer than the run."""
    chain = LinearChain(noise="coin", gamma=0.0, rate=1e-3, eta=1 / 16)
    exact = chain.distance_to_gaussian_noise()
    assert exact == pytest.approx(0.145, abs=5e-4)
    assert chain.of(I3).order() == pytest.approx(0.036, abs=5e-4)
    assert exact <= chain.bound(I3)


def test_the_drift_of_the_posterior_is_below_its_supremum_at_every_time():
    bound = PosteriorChain(eta=1 / 4, time=2.0).constants["b_bar"].value
    process = posterior()
    squares = []
    for time in np.linspace(0.0, 2.0, 9):
        mean, covariance = process.law(time)
        spread = np.trace(process.matrix @ covariance @ process.matrix.T)
        squares.append(np.sum(process.drift(mean) ** 2) + spread)
    assert 0.7 * bound < max(squares) ** 0.5 <= bound


# --- Families ---

ETAS = (1 / 2, 1 / 4, 1 / 16)


def family(**choices):
    shared = {name: (value,) for name, value in choices.items()}
    chains = members(LinearChain, eta=ETAS, start=(1.0,), **shared)
    assert [chain.eta for chain in chains] == list(ETAS)
    return Family("three steps", chains, (I1,))


def test_a_family_shows_what_its_members_share_and_what_varies():
    chains = family(rate=-0.5, s=0.3, gamma=1.0)
    assert {name: one.value for name, one in chains.constants.items()} == {
        **{"gamma": 1.0, "T": 1.0, "s": 0.3, "d": 1, "M": 0.5}
    }
    assert chains.parameters["eta"] == "1/16, 1/4, 1/2"
    assert set(chains.parameters) == {"eta", "b_bar"}  # the diffusion's noise depends on eta


def test_what_a_family_shows_is_what_its_bounds_take():
    chains = family()
    by_hand = [I1.bound(one) for one in chains.each(I1)]
    np.testing.assert_array_equal(chains.bounds(I1), by_hand)
    assert np.all(chains.bounds(I1, M=2.0) > by_hand)
    with pytest.raises(ValueError, match="too many values"):
        chains.exponent(I1)


def test_mistakes_change_the_distances_and_not_the_bounds():
    chains = family()
    assert np.all(distances(chains, louder=1.5) > distances(chains))
    case = beside_bounds(
        chains,
        I1,
        "three steps",
        wrong("louder", "noise", louder=1.5),
        wrong("smooth", "drift", constants={"M": 0.5}),
    )
    right, louder, smooth = (
        check.run(Laboratory())
        for check in (case.check, *(control.check for control in case.controls))
    )
    np.testing.assert_array_equal(np.sort(louder.bound), np.sort(right.bound))
    np.testing.assert_array_equal(np.sort(smooth.bound), np.sort(chains.bounds(I1, M=0.5)))


# --- Side by side ---


def test_the_morphing_law_ends_at_its_diffusion():
    (one,) = [one for one in SIDE_BY_SIDE if one.id == "ito_chains/compare/morph"]
    record = run_side_by_side(one, Laboratory())
    assert record["seeds"] == 0

    def gap(panel, label):
        """The largest distance of the middles of the risers from the limit."""
        curves = {curve["label"]: curve for curve in panel["curves"]}
        (x, mean), (goal_x, goal) = (
            [np.array(curves[name][key], dtype=float) for key in ("x", "mean")]
            for name in (label, "diffusion")
        )
        assert np.all(mean > 0)
        riser = np.flatnonzero(x[1:] == x[:-1])
        assert riser.size
        middle = (mean[riser] + mean[riser + 1]) / 2
        return np.max(np.abs(middle - np.interp(x[riser], goal_x, goal)))

    for panel in record["panels"]:
        assert gap(panel, "step 1/64") < 0.013
        assert gap(panel, "step 1/64") < gap(panel, "step 1/4") / 2


# --- Parts of the proofs ---


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_the_error_of_one_coupled_step_by_its_leading_terms(gamma):
    """M^2 |x_0| eta^2 / 2 of the drift, M s sqrt(d) eta^{(3 + gamma)/2} / sqrt(3) of the noise."""
    eta, M = 2.0, gaussian.SMALL / 2.0
    drift = gaussian._apart(gaussian._coupled(eta, gamma, 4, (0.0, 3.0)))
    assert drift == pytest.approx(M**2 * 3.0 * eta**2 / 2, rel=0.01)
    noise = gaussian._apart(gaussian._coupled(eta, gamma, 4, (3.0, 0.0)))
    assert noise == pytest.approx(M * 3.0 * 2 * eta ** ((3 + gamma) / 2) / 3**0.5, rel=0.01)


def test_errors_of_one_sign_grow_like_the_exponential():
    one = window._errors(0.0, 1, 1.0, (1.0, 1.0))
    unit, k, S = (1 / window.STEPS) ** 0.5, window.STEPS, window.WINDOW
    ends, inside = 0.7 * unit * (k / S) ** 0.5, 2 * unit * S**0.5
    assert window._grown(one) == pytest.approx(np.e * ends + (np.e - 1) * inside, rel=0.02)
    assert window._grown(one) < np.e * ends + (np.e - 1) * inside


def test_the_differential_inequality_is_solved():
    one = multiplicative._growing(1.0, 2.0, 3.0, 5.0, drift=True)
    (found,) = multiplicative._largest(Family("", (one,), ()))
    moved = 2 * (2.0 / multiplicative.PER_STEP * 5.0) ** 2
    assert found**2 == pytest.approx(moved * (np.exp(3.0) - 1))
