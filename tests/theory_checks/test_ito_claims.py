"""Claims on Ito chains: their bounds, the check made for them, and the exact claims themselves."""

import itertools

import numpy as np
import pytest
from scipy import integrate

from theory_checks.checks.exact_exponent import ExactExponent
from theory_checks.claims import CLAIMS, COMPARISONS
from theory_checks.claims.ito_chains.bounds import (
    i1,
    i2,
    i3,
    i3_closed_form,
    lattice_floor,
    uniform_in_time,
)
from theory_checks.claims.ito_chains.exponents import effective_exponent, theta
from theory_checks.claims.ito_chains.laws import LinearChain
from theory_checks.claims.ito_chains.multiplicative import GeometricChain
from theory_checks.simulation.laboratory import Laboratory
from theory_checks.simulation.runner import run_claim
from theory_checks.statistics.protocol import Protocol, run_comparison

# --- The bounds ---


def test_the_local_error_of_i1_by_quadrature():
    """Over one step with M = 1: int_0^eta of eta^{gamma/2} s sqrt(t) dt = (2/3) s eta^{(3+g)/2}."""
    eta, gamma, s = 0.1, 0.5, 1.7
    noise = integrate.quad(lambda t: eta ** (gamma / 2) * s * np.sqrt(t), 0, eta)[0]
    drift = integrate.quad(lambda t: 2.0 * t, 0, eta)[0]
    # Discrete Gronwall: sum_j (1 + eta)^j local, and (1 + eta)^k <= e^T.
    local, k = noise + drift, 20
    unrolled = sum((1 + eta) ** j for j in range(k)) * local
    bound = i1(eta, gamma, k * eta, M=1.0, s=s, drift=2.0)
    assert unrolled <= bound
    assert bound / unrolled == pytest.approx(np.expm1(2.0) / (1.1**20 - 1))
    contracted = sum((1 - 0.5 * eta) ** j for j in range(5000)) * 3.0 * local
    uniform = uniform_in_time(eta, gamma, m=0.5, M=3.0, s=s, drift=2.0)
    assert uniform == pytest.approx(contracted)
    with pytest.raises(ValueError, match="eta <= 2"):
        uniform_in_time(1.0, 0.0, m=0.5, M=3.0, s=1.0, drift=1.0)


def test_i3_is_the_minimum_over_divisors():
    eta, k, M, C_B = 1 / 12, 12, 1.0, 0.7

    def at(S):
        return np.e * C_B * S**-0.5 + 2 * (np.e - 1) * eta**0.5 * S**0.5

    found = i3(eta, 0.0, k, M=M, s=1.0, C_B=C_B)
    assert found == pytest.approx(min(at(S) for S in (1, 2, 3, 4, 6, 12)))
    # The closed form is the minimum over real S, and so never above.
    assert i3_closed_form(eta, 0.0, k, M=M, s=1.0, C_B=C_B) <= found
    best = min(at(S) for S in np.geomspace(0.1, 100, 20_001))
    assert i3_closed_form(eta, 0.0, k, M=M, s=1.0, C_B=C_B) == pytest.approx(best, rel=1e-6)
    # Without drift all steps are one window.
    assert i3(eta, 1.0, k, M=0.0, s=2.0, C_B=C_B) == pytest.approx(2 * C_B * eta)


def test_the_closed_form_of_i3_is_no_bound():
    """At a drift of 0.001 the best window is longer than the run."""
    chain = LinearChain("coin", 0.0, rate=1e-3)
    exact = chain.distance_to_gaussian_noise(1 / 16)
    closed = i3_closed_form(1 / 16, 0.0, 16, M=1e-3, s=1.0, C_B=0.6363)
    assert exact == pytest.approx(0.145, abs=5e-4)
    assert closed == pytest.approx(0.036, abs=5e-4)
    assert exact <= i3(1 / 16, 0.0, 16, M=1e-3, s=1.0, C_B=0.6363)


def test_i2_scales_as_it_says():
    place = {"M": 0.0, "M_s": 0.4, "sigma": 1.0, "drift": 0.0}
    one, two = (i2(eta, 0.0, 1.0, **place) for eta in (0.01, 0.04))
    assert two / one == pytest.approx(2.0)
    # L = T M^2 + M_s^2 with M = 0: 8 T L eta e^{4 T L}
    assert one**2 == pytest.approx(8 * 0.16 * 0.01 * np.exp(0.64))


def test_exponents_of_the_theorem():
    """gamma, chi_0 -> theta and the smaller of the two terms' exponents."""
    table = {
        (0, 1): (1 / 2, 1 / 4),
        (0, 0): (1 / 4, 1 / 8),
        (1, 1): (1, 3 / 4),
        (1, 0): (3 / 4, 5 / 8),
    }
    for (gamma, chi_0), (first, smaller) in table.items():
        assert theta(gamma, chi_0) == first
        assert effective_exponent(gamma, chi_0) == smaller
    assert theta(1, 0, beta=1.0) == 1.0  # noise as good as Gaussian
    assert theta(1, 1, alpha=0.3) == 0.3


# --- The laws ---


def test_a_linear_chain_path_by_path():
    """All paths of five steps by a loop, with a drift error and a start."""
    chain = LinearChain(
        "skewed coin", 0.5, rate=0.7, s=1.3, start=0.4, time=0.5, drift_error=2.0, alpha=0.5
    )
    eta, ends, chances = 0.1, [], []
    for path in itertools.product(((-1 / 3, 0.9), (3.0, 0.1)), repeat=5):
        x = 0.4
        for eps, _ in path:
            x += eta * (-0.7 * x + eta**0.5 * 2.0) + eta**0.75 * 1.3 * eps
        ends.append(x)
        chances.append(np.prod([p for _, p in path]))
    law, error = chain.law(eta)
    assert error == 0.0
    mean = np.dot(chances, ends)
    assert law.mean == pytest.approx(mean)
    assert law.variance == pytest.approx(np.dot(chances, (np.array(ends) - mean) ** 2))
    np.testing.assert_allclose(law.points, np.sort(ends), rtol=1e-12)
    with pytest.raises(ValueError, match="eta must divide"):
        chain.law(0.3)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_the_walk_has_the_value_of_its_lattice(gamma):
    chain = LinearChain("coin", gamma, rate=0.0)
    value = chain.distance(1 / 256)
    assert value == pytest.approx({0.0: 0.03609, 1.0: 0.002255}[gamma], rel=3e-3)
    assert 1 <= value / lattice_floor(1 / 256, gamma, 1.0) < 1.01


def test_correlated_noise_changes_the_variance_in_the_long_run():
    """A moving average of two: variance 1, and 2 k - 1 for the sum of k and what is left over."""
    chain = LinearChain("coin", 0.0, rate=0.0, correlated=True, time=8.0)
    law, _ = chain.law(1.0)
    assert law.variance == pytest.approx(7 * 2 + 2 * 0.5)
    gaussian, _ = LinearChain("gaussian", 0.0, rate=0.0, correlated=True, time=8.0).law(1.0)
    assert gaussian.variance == pytest.approx(law.variance)


def test_the_geometric_chain_has_the_moments_of_its_products():
    chain, eta, k = GeometricChain(0.0), 1 / 16, 16
    law = chain.law(eta)
    mean = (1 + 0.5 * eta) ** k
    second = ((1 + 0.5 * eta) ** 2 + 0.16 * eta) ** k
    assert law.mean == pytest.approx(mean, rel=1e-6)
    assert law.variance + law.mean**2 == pytest.approx(second, rel=1e-6)
    # W2 is at least the distance of the means.
    assert chain.distance(eta) >= abs(mean - np.exp(0.5)) - 1e-9


# --- The check ---


@pytest.mark.parametrize(
    ("power", "relation", "bound", "verdict"),
    [
        (0.5, "exactly", None, "CONSISTENT"),
        (0.6, "exactly", None, "REFUTED"),
        (0.4, "exactly", None, "REFUTED"),
        (0.9, "at_least", None, "CONSISTENT"),
        (0.4, "at_least", None, "REFUTED"),
        (0.9, "at_least", 1.0, "CONSISTENT"),
        (0.9, "at_least", 1e-3, "REFUTED"),
    ],
)
def test_exact_exponent(power, relation, bound, verdict):
    eta = np.array([0.1, 0.05, 0.02, 0.01])

    def compute():
        return eta, 0.5 * eta**power, None if bound is None else np.full(4, bound)

    finding = ExactExponent(compute, 0.5, relation).run(Laboratory())
    assert finding.verdict == verdict
    assert finding.exponent.value == pytest.approx(power)
    assert finding.checkpoints.tolist() == sorted(eta.tolist())


def test_exact_exponent_looks_at_every_pair_of_neighbours():
    """A distance that stops falling is refuted although its overall slope is steep enough."""
    eta = 2.0 ** -np.arange(8)
    levels = np.maximum(eta, 2.0**-6)

    check = ExactExponent(lambda: (eta, levels, None), 0.5)
    finding = check.run(Laboratory())
    assert finding.exponent.value > 0.5
    assert finding.verdict == "REFUTED"


# --- The claims ---

OURS = [claim for claim in CLAIMS if claim.id.startswith("ito_chains/")]
CHOSEN = (
    "ito_chains/one-step/law",
    "ito_chains/paths/multiplicative",
    "ito_chains/gaussian/exact",
    "ito_chains/gaussian/bound",
    "ito_chains/gaussian/posterior",
    "ito_chains/gaussian/uniform-in-time",
    "ito_chains/gaussian/growth",
    "ito_chains/multiplicative/exponent-langevin",
    "ito_chains/window/constants",
    "ito_chains/window/edgeworth",
    "ito_chains/lattice/floor",
    "ito_chains/drift/floor",
    "ito_chains/drift/exponent-half",
    "ito_chains/exponents/sgld",
    "ito_chains/exponents/sgd-gaussian",
)


@pytest.mark.parametrize("identifier", CHOSEN)
def test_claim_is_consistent_and_its_controls_are_killed(identifier):
    (claim,) = [one for one in OURS if one.id == identifier]
    found = run_claim(claim, Laboratory(seeds=32, protocol=Protocol(alpha=1e-4)))
    assert found["verdict"] == "CONSISTENT", found["decided"]
    assert found["controls"]
    assert all(control["killed"] for control in found["controls"]), found["controls"]


def test_partners_exist():
    names = {claim.id for claim in OURS}
    assert all(set(claim.pairs_with) <= names for claim in OURS)


def test_the_morphing_law_ends_at_its_diffusion():
    (one,) = [one for one in COMPARISONS if one.id == "ito_chains/compare/morph"]
    record = run_comparison(one, Laboratory())
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
