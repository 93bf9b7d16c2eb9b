"""The stationary covariance of Langevin chains, against enumeration and closed forms."""

import itertools

import numpy as np
import pytest

from optzoo.problems import bures, langevin_covariance, minibatch_noise

RNG = np.random.default_rng(0)


def positive(d):
    root = RNG.normal(size=(d, d))
    return root @ root.T + np.eye(d)


@pytest.mark.parametrize("replacement", [True, False], ids=["replaced", "distinct"])
@pytest.mark.parametrize("curved", [True, False], ids=["own hessians", "one hessian"])
def test_it_is_what_a_step_over_every_batch_leaves_as_it_is(replacement, curved):
    n, b, d, eta, temperature = 4, 2, 3, 0.03, 0.7
    hessians = np.stack([positive(d) for _ in range(n)])
    if not curved:
        hessians[:] = hessians[0]
    gradients = RNG.normal(size=(n, d))
    gradients -= gradients.mean(axis=0)
    p = positive(d) / 10
    s = langevin_covariance(
        hessians.sum(axis=0),
        eta,
        temperature=temperature,
        preconditioner=p,
        gradient_noise=minibatch_noise(
            gradients, b, sample_hessians=hessians if curved else None, replacement=replacement
        ),
    )
    batches = itertools.product(range(n), repeat=2)
    if not replacement:
        batches = itertools.permutations(range(n), 2)
    after = []
    for batch in map(list, batches):
        a = np.eye(d) - eta * n / b * p @ hessians[batch].sum(axis=0)
        g = eta * n / b * p @ gradients[batch].sum(axis=0)
        after.append(a @ s @ a.T + np.outer(g, g))  # the distance has mean 0 and covariance s
    np.testing.assert_allclose(np.mean(after, axis=0) + 2 * eta * temperature * p, s, rtol=1e-11)


def test_full_gradients_and_a_constant_noise_in_closed_form():
    h, p, eta = positive(3), positive(3) / 20, 0.05
    expected = np.linalg.inv(h @ (np.eye(3) - eta / 2 * p @ h))
    np.testing.assert_allclose(langevin_covariance(h, eta, preconditioner=p), expected)
    inflated = langevin_covariance(
        h, eta, preconditioner=np.linalg.inv(h), gradient_noise=lambda s: 10 * h
    )
    np.testing.assert_allclose(inflated @ h, (1 + eta * 5) / (1 - eta / 2) * np.eye(3), atol=1e-12)
    # Without heat and with all samples in the batch, the chain rests.
    rest = langevin_covariance(
        h,
        eta / 50,
        temperature=0.0,
        gradient_noise=minibatch_noise(RNG.normal(size=(4, 3)), 4, replacement=False),
    )
    np.testing.assert_array_equal(rest, 0)


def test_a_control_variate_gives_back_the_law_of_full_gradients():
    """Linear regression, n = 500, b = 50, the posterior's covariance for P, a step of 0.05."""
    n, b, d, eta = 500, 50, 3, 0.05
    features = RNG.normal(size=(n, d))
    hessians = features[:, :, None] * features[:, None, :]
    residuals = RNG.normal(size=n)
    residuals -= features @ np.linalg.lstsq(features, residuals, rcond=None)[0]
    h = hessians.sum(axis=0)
    posterior = np.linalg.inv(h)

    def distance(**noise):
        gradient_noise = minibatch_noise(**noise) if noise else None
        s = langevin_covariance(h, eta, preconditioner=posterior, gradient_noise=gradient_noise)
        inflation = np.trace(s @ h) / d
        unit = np.sqrt(np.trace(posterior))  # the size of the posterior in W2
        return inflation, bures(np.zeros(d), s, np.zeros(d), posterior) / unit

    gradients = features * residuals[:, None]
    full, full_distance = distance()
    plain, plain_distance = distance(
        sample_gradients=gradients, batch_size=b, sample_hessians=hessians
    )
    steady, steady_distance = distance(
        sample_gradients=0 * gradients, batch_size=b, sample_hessians=hessians
    )
    assert full == pytest.approx(1.0256, abs=1e-4)
    assert 1.25 < plain < 1.35
    assert full < steady < 1.04
    assert full_distance < steady_distance < 0.15 * plain_distance


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: langevin_covariance([[1.0, 2.0], [0.0, 1.0]], 0.1), ValueError, "hessian"),
        (lambda: langevin_covariance([[-1.0]], 0.1), ValueError, "hessian"),
        (lambda: langevin_covariance(np.eye(2), -0.1), ValueError, "learning_rate"),
        (lambda: langevin_covariance(np.eye(2), 2.1), ValueError, r"below 2 / max eig.* = 2"),
        (lambda: langevin_covariance(np.eye(2), 0.1, temperature=-1), ValueError, "temperature"),
        (
            lambda: langevin_covariance(np.eye(2), 0.1, preconditioner=np.eye(3)),
            ValueError,
            "preconditioner must have shape",
        ),
        (
            lambda: langevin_covariance(np.eye(1), 0.5, gradient_noise=lambda s: np.eye(1) + 4 * s),
            ValueError,
            "no stationary law",
        ),
        (lambda: minibatch_noise(np.ones(3), 1), ValueError, "sample_gradients"),
        (lambda: minibatch_noise(np.ones((3, 1)), 1.5), TypeError, "batch_size"),
        (lambda: minibatch_noise(np.ones((3, 1)), 4, replacement=False), ValueError, "at most n"),
        (
            lambda: minibatch_noise(np.ones((3, 1)), 1, sample_hessians=np.eye(3)),
            ValueError,
            "sample_hessians",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
