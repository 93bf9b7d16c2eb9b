"""The posterior of logistic regression against numerical differentiation and integration."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad

from optzoo.problems import LogisticPosterior

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((12, 2))
LABELS = np.where(RNG.random(12) < 0.7, 1.0, -1.0)
POSTERIOR = LogisticPosterior(FEATURES, LABELS, 1.5)


def potential(x):
    losses = np.logaddexp(0.0, -LABELS * (FEATURES @ x))
    return losses.sum() + x @ x / (2 * 1.5**2)


def test_gradient_and_hessian_are_those_of_the_potential():
    x, h = np.array([0.3, -0.7]), 1e-5
    shifts = h * np.eye(2)
    gradient = [(potential(x + e) - potential(x - e)) / (2 * h) for e in shifts]
    np.testing.assert_allclose(POSTERIOR.gradient(jnp.asarray(x)), gradient, rtol=1e-8)
    hessian = [
        np.asarray(POSTERIOR.gradient(jnp.asarray(x + e)) - POSTERIOR.gradient(jnp.asarray(x - e)))
        / (2 * h)
        for e in shifts
    ]
    np.testing.assert_allclose(POSTERIOR.hessian(x), hessian, rtol=1e-8)
    np.testing.assert_allclose(POSTERIOR.gradient(jnp.asarray(POSTERIOR.mode)), 0, atol=1e-9)


def test_the_mean_over_all_minibatches_is_the_gradient():
    x = jnp.array([0.4, 0.1])
    pairs = itertools.product(range(12), repeat=2)
    every = [POSTERIOR.minibatch_gradient(x, jnp.array(pair)) for pair in pairs]
    np.testing.assert_allclose(np.mean(every, axis=0), POSTERIOR.gradient(x), rtol=1e-12)


def test_moments_are_the_integrals():
    lowest = potential(POSTERIOR.mode)

    def integral(weight):
        def density(y, x):
            point = np.array([x, y])
            return weight(point) * np.exp(lowest - potential(point))

        return dblquad(density, -8, 8, -8, 8, epsabs=1e-9, epsrel=1e-9)[0]

    mass = integral(lambda z: 1.0)
    first = integral(lambda z: z[0]) / mass
    second = integral(lambda z: z[0] * z[1]) / mass
    mean, covariance, error = POSTERIOR.moments()
    other = integral(lambda z: z[1]) / mass
    assert error < 1e-4
    np.testing.assert_allclose(mean, [first, other], atol=error)
    np.testing.assert_allclose(covariance[0, 1], second - first * other, atol=error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FEATURES[0], LABELS), r"finite matrix \(n, d\), got \(2,\)"),
        ((FEATURES * np.nan, LABELS), "finite matrix"),
        ((np.ones((3, 5)), np.ones(3)), "at most 4 columns"),
        ((FEATURES, LABELS[:3]), r"labels must be \+1 or -1, of shape \(12,\)"),
        ((FEATURES, 2 * LABELS), "labels must be"),
        ((FEATURES, LABELS, 0.0), "prior_scale must be positive, got 0.0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogisticPosterior(*arguments)
