"""Studentized limits: against a direct statement, where nothing is known, and their level."""

import math

import numpy as np
import pytest

from theory_checks.statistics.exponents import law_exponent
from theory_checks.statistics.resampling import (
    log_slope,
    resampled_weights,
    studentized_limits,
)
from theory_checks.statistics.scaling import (
    _passage_and_gradient,
    better_scaling,
    first_passage,
)

X = np.log(np.geomspace(1.0, 100.0, 6))


def table(seeds, spread=0.5, seed=0, growth=0.0):
    rng = np.random.default_rng(seed)
    sigma = spread + growth * np.linspace(0.0, 1.0, 6)
    return np.exp(sigma * rng.normal(size=(seeds, 6)) - sigma**2 / 2) * np.exp(X)


def test_against_a_direct_statement():
    data = table(40)
    value, limits = studentized_limits(log_slope(X), data, resamples=400, seed=3)
    slope = lambda means: np.polyfit(X, np.log(means), 1)[0]  # noqa: E731
    coefficients = np.linalg.pinv(np.vander(X, 2))[0]

    def error(rows):
        return (rows / rows.mean(axis=0) @ coefficients).std()

    assert value == pytest.approx(slope(data.mean(axis=0)))
    weights = resampled_weights(40, 400, 3)
    resamples = [np.repeat(data, np.round(40 * w).astype(int), axis=0) for w in weights]
    t = np.sort([(slope(r.mean(axis=0)) - value) / error(r) for r in resamples])
    ranks = (t[400 - 4], t[400 - 20], t[20 - 1], t[4 - 1])
    np.testing.assert_allclose(limits, [value - q * error(data) for q in ranks], rtol=1e-6)
    assert limits[0] < limits[1] < value < limits[2] < limits[3]


def test_the_standard_error_of_a_resample_is_about_its_own_mean():
    """A statistic whose gradient has a sum, so that the linearized one has a mean."""
    data = np.random.default_rng(0).exponential(size=(30, 1)) + 1.0

    def log_mean(means):
        return np.log(means[..., 0]), np.ones_like(means)

    value, limits = studentized_limits(log_mean, data, resamples=400, seed=1)
    weights = resampled_weights(30, 400, 1)
    resamples = [np.repeat(data[:, 0], np.round(30 * w).astype(int)) for w in weights]
    t = np.sort([(np.log(r.mean()) - value) / (r.std() / r.mean()) for r in resamples])
    error = data.std() / data.mean()
    np.testing.assert_allclose(limits[1:3], [value - t[380] * error, value - t[19] * error])


def test_a_resample_that_is_not_known_is_the_worst_case_of_either_side():
    data = table(40)
    inner = log_slope(X)

    def sometimes(share):
        def statistic(means):
            value, gradient = inner(means)
            if means.ndim == 1:
                return value, gradient
            return np.where(np.arange(len(value)) < share * len(value), np.nan, value), gradient

        return studentized_limits(statistic, data, resamples=1000)[1]

    few, some, many = sometimes(0.005), sometimes(0.03), sometimes(0.2)
    assert np.isfinite(few).all()
    assert (some[0], some[3]) == (-math.inf, math.inf)
    assert np.isfinite(some[1:3]).all()
    assert (many[1], many[2]) == (-math.inf, math.inf)


def test_seeds_that_differ_by_a_factor_alone_have_one_slope():
    factors = np.random.default_rng(0).exponential(size=(30, 1))
    value, limits = studentized_limits(log_slope(X), factors * np.exp(2 * X))
    assert value == pytest.approx(2.0)
    assert limits == pytest.approx((2.0,) * 4)


def test_the_gradient_of_a_passage_is_its_derivative():
    grid = np.geomspace(1.0, 1000.0, 9)
    curve = 1.0 / grid * np.exp(0.3 * np.random.default_rng(0).normal(size=9))
    passage, gradient = _passage_and_gradient(grid, curve, 0.03)
    assert passage == first_passage(grid, curve, 0.03)
    for k in range(9):
        moved = curve * np.where(np.arange(9) == k, np.exp(1e-6), 1.0)
        slope = (np.log(first_passage(grid, moved, 0.03)) - np.log(passage)) / 1e-6
        assert gradient[k] == pytest.approx(slope, abs=1e-4)
    assert np.count_nonzero(gradient) == 2


def test_growing_skewness_is_accounted_for():
    """Spread 0.2 to 1.8 along the path, at the border of "at most": 32% with plain quantiles."""
    theta = np.exp(X)
    supported = 0
    for seed in range(120):
        values = table(32, 0.2, seed, growth=1.6).T * theta[:, None] ** 0.1
        found = law_exponent(theta, values, stated=1.0, resamples=200)
        supported += found.verdict == "CONSISTENT"
    assert supported <= 30


def test_too_few_seeds_or_resamples_raise():
    with pytest.raises(ValueError, match="at least 5 seeds, got 4"):
        resampled_weights(4, 200, 0)
    with pytest.raises(ValueError, match="at least 200 for a 99% limit, got 199"):
        resampled_weights(5, 199, 0)
    np.testing.assert_allclose(resampled_weights(7, 200, 0).sum(axis=1), 1.0)


def test_a_gain_that_is_not_resolved_is_open():
    """Two methods of one law with noise of their own: neither scales better."""
    theta, k = np.geomspace(1.0, 100.0, 5), np.geomspace(1.0, 1e6, 30)
    rng = np.random.default_rng(0)
    one, other = (
        np.exp(0.5 * rng.normal(size=(5, 32, 1))) * theta[:, None, None] / k for _ in range(2)
    )
    found = better_scaling(theta, k, one, other, 0.01)
    assert found.lower < 0.0 < found.upper
    assert found.verdict == "INCONCLUSIVE"
    better = one / theta[:, None, None]
    assert better_scaling(theta, k, better, other, 0.01).verdict == "CONSISTENT"
    assert better_scaling(theta, k, other, better, 0.01).verdict == "REFUTED"
