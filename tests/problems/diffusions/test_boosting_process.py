"""The chain of predictions of randomized boosting: enumeration, Gaussian process, limits."""

import itertools

import numpy as np
import pytest

from optzoo.problems import BoostingProcess

RNG = np.random.default_rng(0)
CELLS = np.array([[0, 0, 1], [0, 1, 0], [1, 1, 2], [1, 1, 0], [1, 0, 2]])
TARGETS = np.array([1.0, -0.5, 2.0, 0.3, -1.2])
START = np.array([0.5, 0.0, -1.0, 0.2, 0.7])


def projectors():
    return [sum(np.outer(c == v, c == v) / (c == v).sum() for v in np.unique(c)) for c in CELLS.T]


def test_the_kernel_is_the_mean_projector():
    process = BoostingProcess(CELLS, TARGETS)
    np.testing.assert_allclose(process.kernel, np.mean(projectors(), axis=0), atol=1e-15)
    np.testing.assert_allclose(process.cross_kernel(CELLS), process.kernel, atol=1e-15)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_chain_moments_are_those_of_all_sequences_of_learners(temperature):
    """27 sequences; along each the law is normal, with moments of a two-line recursion."""
    step, shrinkage, count = 0.4, 0.3, 3
    means, covariances = [], []
    for sequence in itertools.product(projectors(), repeat=count):
        mean, covariance = START, np.zeros((5, 5))
        for p in sequence:
            one = (1 - step * shrinkage) * np.eye(5) - step * p
            mean = one @ mean + step * p @ TARGETS
            covariance = one @ covariance @ one.T + 2 * step * temperature * p
        means.append(mean)
        covariances.append(covariance)
    exact_mean = np.mean(means, axis=0)
    exact = np.mean(covariances, axis=0) + np.cov(np.array(means).T, bias=True)
    process = BoostingProcess(CELLS, TARGETS, shrinkage, temperature)
    mean, covariance = process.chain_moments(step, count, START)
    np.testing.assert_allclose(mean, exact_mean, atol=1e-14)
    np.testing.assert_allclose(covariance, exact, atol=1e-14)


def test_the_equilibrium_is_the_posterior_of_gaussian_process_regression():
    process = BoostingProcess(CELLS, TARGETS, shrinkage=0.3, temperature=0.7)
    prior = 0.7 / 0.3 * process.kernel
    gain = prior @ np.linalg.inv(prior + 0.7 * np.eye(5))
    mean, covariance = process.equilibrium()
    np.testing.assert_allclose(mean, gain @ TARGETS, atol=1e-13)
    np.testing.assert_allclose(covariance, prior - gain @ prior, atol=1e-13)
    # In the long run the diffusion forgets where it began, outside the null space of K as well.
    late_mean, late_covariance = process.diffusion_moments(200.0, START)
    np.testing.assert_allclose(late_mean, mean, atol=1e-12)
    np.testing.assert_allclose(late_covariance, covariance, atol=1e-12)


def test_diffusion_moments_solve_their_equations():
    process = BoostingProcess(CELLS, TARGETS, shrinkage=0.3, temperature=0.7)
    np.testing.assert_allclose(process.diffusion_moments(0.0, START)[0], START, atol=1e-14)
    h, t = 1e-4, 0.8
    (m0, c0), (m1, c1) = (process.diffusion_moments(t + s, START) for s in (-h, h))
    mean, covariance = process.diffusion_moments(t, START)
    drift = process.kernel + 0.3 * np.eye(5)
    np.testing.assert_allclose(
        (m1 - m0) / (2 * h), process.kernel @ TARGETS - drift @ mean, atol=1e-7
    )
    np.testing.assert_allclose(
        (c1 - c0) / (2 * h),
        -drift @ covariance - covariance @ drift + 1.4 * process.kernel,
        atol=1e-7,
    )


def test_the_chain_tends_to_its_diffusion_with_the_first_order_of_the_step():
    process = BoostingProcess(CELLS, TARGETS, shrinkage=0.3, temperature=0.7)
    limit = process.diffusion_moments(1.0, START)
    errors = []
    for count in (256, 512):
        moments = process.chain_moments(1.0 / count, count, START)
        errors.append([abs(a - b).max() for a, b in zip(moments, limit, strict=True)])
    ratios = np.array(errors[0]) / np.array(errors[1])
    np.testing.assert_allclose(ratios, 2.0, atol=0.03)


def test_without_temperature_the_choice_of_learners_leaves_the_stated_fluctuations():
    process = BoostingProcess(CELLS, TARGETS, shrinkage=0.3)
    limit = process.fluctuation_covariance(1.0, START)
    errors = [
        abs(process.chain_moments(1.0 / count, count, START)[1] * count - limit).max()
        for count in (256, 512)
    ]
    assert errors[1] < 0.02 * abs(limit).max()
    assert abs(errors[0] / errors[1] - 2.0) < 0.03


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cells": CELLS.astype(float)}, "cells must be integers"),
        ({"cells": CELLS[:, 0]}, "cells must be integers"),
        ({"cells": CELLS + 1}, "every cell from 0 up"),
        ({"targets": TARGETS[:-1]}, "targets"),
        ({"targets": np.full(5, np.nan)}, "targets"),
        ({"shrinkage": -0.1}, "shrinkage"),
        ({"temperature": np.inf}, "temperature"),
    ],
)
def test_bad_arguments_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        BoostingProcess(**{"cells": CELLS, "targets": TARGETS, **change})


def test_bad_steps_and_times_are_named():
    process = BoostingProcess(CELLS, TARGETS)
    with pytest.raises(ValueError, match="step"):
        process.chain_moments(0.0, 1, START)
    with pytest.raises(ValueError, match="count"):
        process.chain_moments(0.1, -1, START)
    with pytest.raises(ValueError, match="time"):
        process.diffusion_moments(-1.0, START)
