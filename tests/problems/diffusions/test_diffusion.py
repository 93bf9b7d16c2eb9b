"""Laws of diffusions and of chains against differential equations and enumeration."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from optzoo.problems import (
    Atoms,
    DoubleWell,
    Gaussian,
    GeometricBrownianMotion,
    GridLaw,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    fokker_planck,
    gaussian_chain_law,
    gaussian_posterior,
    linear_chain_law,
    wasserstein,
    weighted_sum_law,
)

COIN = ([-1.0, 1.0], [0.5, 0.5])
SKEWED = ([-1 / 3, 3.0], [0.9, 0.1])


@pytest.mark.parametrize("rate", [1.3, 0.0, -0.7])
def test_ornstein_uhlenbeck_moments_solve_their_equations(rate):
    process = OrnsteinUhlenbeck(rate, 0.8, 1.5)

    def moments(t, y):
        return [-rate * y[0], -2 * rate * y[1] + 0.8**2]

    mean, variance = integrate.solve_ivp(moments, (0, 1.2), [1.5, 0.0], rtol=1e-11, atol=1e-13).y[
        :, -1
    ]
    law = process.law(1.2)
    assert (law.mean, law.variance) == pytest.approx((mean, variance), rel=1e-8)
    times = np.linspace(0, 1.2, 100)
    largest = max(rate**2 * (process.law(t).mean ** 2 + process.law(t).variance) for t in times)
    assert process.largest_drift(1.2) ** 2 == pytest.approx(largest, rel=1e-9)


def test_geometric_brownian_motion_moments():
    a, s = 0.4, 0.7
    law = GeometricBrownianMotion(a, s, 2.0).law(1.5)
    assert law.mean == pytest.approx(2 * np.exp(1.5 * a))
    assert law.variance + law.mean**2 == pytest.approx(4 * np.exp(1.5 * (2 * a + s**2)))


def test_linear_diffusions_solve_lyapunov_equations():
    rng = np.random.default_rng(0)
    matrix, noise = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    process = LinearDiffusion(matrix, rng.normal(size=3), noise, rng.normal(size=3))

    def moments(t, y):
        mean, covariance = y[:3], y[3:].reshape(3, 3)
        flow = -matrix @ covariance - covariance @ matrix.T + noise @ noise.T
        return np.concatenate([process.drift(mean), flow.ravel()])

    start = np.concatenate([process.start, np.zeros(9)])
    end = integrate.solve_ivp(moments, (0, 0.8), start, rtol=1e-11, atol=1e-12).y[:, -1]
    mean, covariance = process.law(0.8)
    np.testing.assert_allclose(mean, end[:3], rtol=1e-8)
    np.testing.assert_allclose(covariance.ravel(), end[3:], rtol=1e-7, atol=1e-9)
    # Euler's chain has the same law up to the step.
    gap = [np.abs(process.euler_law(0.8 / k, k)[1] - covariance).max() for k in (200, 400)]
    assert gap[0] / gap[1] == pytest.approx(2, rel=0.05)


def test_the_posterior_is_the_stationary_law():
    rng = np.random.default_rng(1)
    features, responses = rng.normal(size=(10, 2)), rng.normal(size=10)
    process = gaussian_posterior(features, responses, noise_variance=0.5, prior_variance=4.0)
    mean, covariance = process.law(20.0)
    precision = features.T @ features / 0.5 + np.eye(2) / 4
    np.testing.assert_allclose(covariance, np.linalg.inv(precision), rtol=1e-9)
    np.testing.assert_allclose(mean, covariance @ features.T @ responses / 0.5, rtol=1e-9)


def test_fokker_planck_is_of_second_order():
    process = OrnsteinUhlenbeck(1.0, 2**0.5, 1.03)
    errors = []
    for cells in (150, 300):
        edges = np.linspace(-8, 8, cells + 1)
        law = fokker_planck(process.drift, 2**0.5, 1.03, 1.0, edges)
        errors.append(wasserstein(law, process.law(1.0).histogram(edges)))
    assert errors[0] / errors[1] > 3
    assert errors[1] < 4e-4


def test_fokker_planck_with_multiplicative_noise_is_itos():
    """DZ = s (1 + Z^2)^(1/2) dW has mean x_0 in Ito's sense; Stratonovich would move it."""
    edges = np.linspace(-12, 12, 301)
    law = fokker_planck(lambda x: 0 * x, lambda x: 0.5 * np.sqrt(1 + x**2), 1.0, 1.0, edges)
    assert law.mean == pytest.approx(1.0, abs=1e-3)
    # d E Z^2 = s^2 (1 + E Z^2) dt
    assert law.variance == pytest.approx(2 * np.exp(0.25) - 2, rel=0.01)


def test_double_well_reaches_its_mixture():
    edges = np.linspace(-8, 8, 161)
    well = DoubleWell(1.5, 0.3)
    stationary = well.stationary(edges)
    assert stationary.variance == pytest.approx(1 + 1.5**2, rel=0.01)
    assert wasserstein(well.law(30.0, edges), stationary) < 1e-3
    assert wasserstein(well.law(1.0, edges), stationary) > 0.5
    slopes = np.gradient(well.drift(np.linspace(-5, 5, 2001)), 0.005)
    assert np.abs(slopes).max() == pytest.approx(well.lipschitz, rel=1e-4)


@pytest.mark.parametrize("noise", [COIN, SKEWED])
def test_few_steps_are_the_sums_of_all_paths(noise):
    atoms, weights = noise
    paths = np.array(list(itertools.product(range(2), repeat=5)))
    x = np.full(len(paths), 0.3)
    for step in paths.T:
        x = 0.7 * x + 0.1 + 0.2 * np.asarray(atoms)[step]
    chance = np.prod(np.asarray(weights)[paths], axis=1)
    found = linear_chain_law(
        atoms, weights, contraction=0.7, steps=5, start=0.3, shift=0.1, scale=0.2
    )
    assert found.error == 0.0
    assert wasserstein(found.law, Atoms(x, chance)) < 1e-7


@pytest.mark.parametrize("noise", [COIN, SKEWED])
def test_many_steps_stay_within_their_error(noise):
    """17 steps are convolved; all paths are enumerated here."""
    atoms, weights = noise
    points, masses = np.zeros(1), np.ones(1)
    for j in range(17):
        points = (points[:, None] + 0.9**j * np.asarray(atoms)).ravel()
        masses = (masses[:, None] * np.asarray(weights)).ravel()
    exact = Atoms(points, masses)
    found = linear_chain_law(atoms, weights, contraction=0.9, steps=17)
    assert 0 < found.error < 5e-4
    assert wasserstein(found.law, exact) <= found.error * 1.01
    assert found.law.mean == pytest.approx(0.0, abs=1e-9)
    assert found.law.variance == pytest.approx(exact.variance + found.error**2, rel=1e-9)
    smooth = Gaussian(0.0, float(np.sqrt(exact.variance)))
    gap = wasserstein(found.law, smooth) - wasserstein(exact, smooth)
    assert abs(gap) < found.error / 2


def test_walks_are_binomial():
    found = linear_chain_law(*SKEWED, contraction=1.0, steps=40, scale=0.5)
    heads = np.arange(41)
    exact = Atoms(0.5 * (-(40 - heads) / 3 + 3 * heads), stats.binom.pmf(heads, 40, 0.1))
    assert found.error == 0.0
    assert wasserstein(found.law, exact) < 1e-7


def test_gaussian_chains_with_linear_drift_are_gaussian():
    edges = np.linspace(-7, 7, 801)
    found = gaussian_chain_law(lambda x: -0.5 * x, 1.2, 2.0, 0.25, 6, edges)
    c = 1 - 0.125
    variance = 0.25 * 1.2**2 * (1 - c**12) / (1 - c**2)
    exact = Gaussian(c**6 * 2.0, float(np.sqrt(variance)))
    assert wasserstein(found, exact.histogram(edges)) < 2e-4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: OrnsteinUhlenbeck(1.0, -1.0, 0.0), "noise must be"),
        (lambda: OrnsteinUhlenbeck(1.0, 1.0, 0.0).law(-1.0), "time must be"),
        (lambda: GeometricBrownianMotion(0.0, 1.0, 0.0), "start must be"),
        (lambda: GeometricBrownianMotion(0.0, 1.0, 1.0).law(0.0), "time must be"),
        (lambda: LinearDiffusion(np.eye(3)[:2], [0, 0], np.eye(2), [0, 0]), "square"),
        (lambda: LinearDiffusion(np.eye(2), [0, 0], np.eye(3), [0, 0]), "2 rows"),
        (lambda: LinearDiffusion(np.eye(2), [0, 0, 0], np.eye(2), [0, 0]), "offset"),
        (lambda: LinearDiffusion(np.eye(2), [0, np.nan], np.eye(2), [0, 0]), "finite"),
        (lambda: gaussian_posterior(np.ones((3, 1)), np.ones(2)), "responses"),
        (lambda: gaussian_posterior(np.ones((3, 1)), np.ones(3), noise_variance=0.0), "variance"),
        (lambda: DoubleWell(-1.0, 0.0), "separation must be"),
        (lambda: DoubleWell(1.0, 9.0).law(1.0, np.linspace(-1, 1, 9)), "start must lie inside"),
        (lambda: DoubleWell(1.0, 0.0).law(1.0, [-1, 0, 0.5, 2, 3]), "equidistant"),
        (lambda: linear_chain_law(*COIN, contraction=1.0, steps=3, scale=0.0), "scale must be"),
        (lambda: linear_chain_law(*COIN, contraction=1.0, steps=0), "steps must be"),
        (lambda: weighted_sum_law(*COIN, [0.0, 0.0]), "not all 0"),
        (lambda: GridLaw(Atoms([0.0], [1.0]), -1.0), "error must be"),
        (
            lambda: gaussian_chain_law(np.sin, 1.0, 0.0, 0.01, 1, np.linspace(-1, 1, 9)),
            "resolve the noise",
        ),
        (lambda: gaussian_chain_law(np.sin, 1.0, 0.0, -1.0, 1, np.zeros(3)), "step must be"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("time", [1e-9, 1e-4, 1.0])
def test_fokker_planck_keeps_all_mass_from_the_first_moment_on(time):
    law = fokker_planck(lambda x: -x, 1.0, 0.7, time, np.linspace(-6.0, 6.0, 401))
    assert law.masses.sum() == pytest.approx(1.0, abs=1e-13)
    assert law.masses.min() >= 0.0
    assert law.mean == pytest.approx(0.7 * np.exp(-time), abs=1e-12 + 1e-3 * time)
