"""Minibatch gradients whose noise vanishes at a center."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import LogisticPosterior, bures, langevin_covariance, minibatch_noise

N, B, ETA = 500, 50, 0.05


def posterior():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 1))
    labels = np.where(rng.random(N) < 1 / (1 + np.exp(-features[:, 0])), 1.0, -1.0)
    return LogisticPosterior(features, labels)


def test_the_estimate_is_unbiased_and_exact_at_the_center():
    target = posterior()
    x, center = jnp.array([1.4]), jnp.asarray(target.mode)
    steady = optzoo.control_variate_gradient(
        target.minibatch_gradient, center, target.gradient(center)
    )
    one = jax.jit(jax.vmap(lambda i: steady(x, i[None])))(jnp.arange(N))
    np.testing.assert_allclose(np.mean(one, axis=0), target.gradient(x), rtol=1e-12)
    at_center = steady(center, jnp.arange(3))
    np.testing.assert_allclose(at_center, target.gradient(center), atol=1e-12)


def test_it_gives_sgld_the_law_of_full_gradients_back():
    """Minibatches of 50 of 500, the covariance at the mode for P, a step of 0.05, 300 chains.

    Of each chain 600 steps after 100, two deviations' memory of about 20 steps: the standard error
    of a variance is 1.1%, and 5% is allowed.
    """
    target = posterior()
    mode, h = target.mode, target.hessian(target.mode)
    center = jnp.asarray(mode)
    gradients = {
        "plain": target.minibatch_gradient,
        "steady": optzoo.control_variate_gradient(
            target.minibatch_gradient, center, target.gradient(center)
        ),
    }
    method = optzoo.sgld(ETA, preconditioner=jnp.asarray(1 / h), key=jax.random.key(0))

    def variance(gradient, key, batches):
        def step(carry, rows):
            x, state = carry
            updates, state = method.update(gradient(x, rows), state, x)
            return (x + updates, state), x

        state = method.init(center)
        state = state._replace(chain=state.chain._replace(key=key))
        _, path = jax.lax.scan(step, (center, state), batches)
        return jnp.mean((path[100:] - center[None]) ** 2)

    mean, covariance, _ = target.moments()
    around_mode = covariance[0, 0] + (mean - mode)[0] ** 2
    keys = jax.random.split(jax.random.key(2), 300)
    batches = np.random.default_rng(2).integers(0, N, (300, 700, B), dtype=np.int32)
    inflation = {
        name: float(np.mean(jax.jit(jax.vmap(functools.partial(variance, f)))(keys, batches)))
        / around_mode
        for name, f in gradients.items()
    }

    of_sample = jax.jit(jax.vmap(lambda i: target.minibatch_gradient(center, i[None])))
    rows = of_sample(jnp.arange(N)) / N
    share = 1 / (1 + np.exp(-target.features @ mode))
    hessians = (target.features[:, 0] ** 2 * share * (1 - share))[:, None, None] + 1 / N
    predicted = {
        "plain": minibatch_noise(rows, B, sample_hessians=hessians),
        "steady": minibatch_noise(0 * rows, B, sample_hessians=hessians),
    }
    zero, distance = np.zeros(1), {}
    for name, noise in predicted.items():
        s = langevin_covariance(h, ETA, preconditioner=np.linalg.inv(h), gradient_noise=noise)
        np.testing.assert_allclose(inflation[name], s[0, 0] * h[0, 0], rtol=0.05)
        sampled = np.array([[inflation[name] * around_mode]])
        distance[name] = bures(zero, sampled, zero, np.array([[around_mode]]))
    assert 1.2 < inflation["plain"] < 1.35
    assert distance["steady"] < distance["plain"] / 3


def test_what_is_wrong_is_named():
    x = jnp.ones(2)
    with pytest.raises(TypeError, match="grad_fn must be a function of the parameters"):
        optzoo.control_variate_gradient(1, x, x)
    with pytest.raises(TypeError, match="center must be a real floating array"):
        optzoo.control_variate_gradient(max, 1.0, 1.0)
    with pytest.raises(ValueError, match="full_gradient must have the shape"):
        optzoo.control_variate_gradient(max, x, jnp.ones(3))
    steady = optzoo.control_variate_gradient(lambda p, batch: p[:1], x, x)
    with pytest.raises(ValueError, match="the result of grad_fn must have the shape"):
        steady(x, None)
    with pytest.raises(ValueError, match="params must have the shape"):
        steady(jnp.ones(3), None)


def test_16_bit_differences_are_taken_in_float32():
    center = jnp.zeros(1, jnp.bfloat16)
    steady = optzoo.control_variate_gradient(
        lambda p, batch: p.astype(jnp.float32) + 256, center, jnp.full(1, 0.25, jnp.bfloat16)
    )
    found = steady(jnp.full(1, 0.5, jnp.bfloat16), None)
    assert found.dtype == jnp.bfloat16
    assert float(found[0]) == 0.75
