"""SGLD: steps against the formula, normal targets exactly, a posterior on real data."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.problems import LogisticPosterior, breast_cancer

KEY = jax.random.key(0)
MATRIX = np.array([[2.0, 0.6], [0.6, 0.5]])
PRECONDITIONERS = {
    "identity": (None, np.eye(2)),
    "diagonal": (jnp.array([2.0, 0.5]), np.diag([2.0, 0.5])),
    "matrix": (jnp.asarray(MATRIX), MATRIX),
}
every_preconditioner = pytest.mark.parametrize("name", PRECONDITIONERS)


@every_preconditioner
def test_one_step_is_the_formula(name):
    """The noise is that of the Ito chain with the same key; P enters drift and noise."""
    given, full = PRECONDITIONERS[name]
    x, grad = jnp.array([1.0, -2.0]), np.array([0.3, 4.0])
    chain = optzoo.sgld(0.1, temperature=3.0, preconditioner=given, key=KEY)
    updates, _ = chain.update(jnp.asarray(grad), chain.init(x), x)
    white = optzoo.ito_chain(1.0, noise=optzoo.gaussian_noise(), key=KEY)
    eps, _ = white.update(jnp.zeros(2), white.init(x), x)
    root = np.linalg.cholesky(full)
    expected = -0.1 * full @ grad + math.sqrt(2 * 0.1 * 3.0) * root @ np.asarray(eps)
    np.testing.assert_allclose(updates, expected, rtol=1e-13)


def test_at_temperature_0_it_is_gradient_descent():
    x = jnp.array([1.0, -2.0])
    chain = optzoo.sgld(0.1, temperature=0.0, key=KEY)
    updates, _ = chain.update(x, chain.init(x), x)
    np.testing.assert_array_equal(updates, -0.1 * x)


@every_preconditioner
def test_on_a_normal_target_the_covariance_is_the_one_that_the_docstring_states(name):
    """T (I - eta P H / 2)^-1 H^-1 solves the chain's equation for its stationary covariance."""
    _, p = PRECONDITIONERS[name]
    hessian, eta, heat = np.array([[1.5, 0.4], [0.4, 0.8]]), 0.3, 2.0
    stated = heat * np.linalg.inv(np.eye(2) - eta / 2 * p @ hessian) @ np.linalg.inv(hessian)
    one = np.eye(2) - eta * p @ hessian
    np.testing.assert_allclose(one @ stated @ one.T + 2 * eta * heat * p, stated, atol=1e-12)


def test_the_learned_preconditioner_is_the_formula_and_then_stays():
    decay, eps, steps = 0.8, 1e-3, 3
    learned = optzoo.rms_preconditioner(decay, eps, adaptation_steps=steps)
    grads = np.random.default_rng(0).normal(size=(6, 2)) * np.array([10.0, 0.1])
    state, square = learned.init(jnp.zeros(2)), np.zeros(2)
    for k, grad in enumerate(grads):
        scales, state = learned.update(jnp.asarray(grad), state)
        if k < steps:
            square = decay * square + (1 - decay) * grad**2
            expected = 1 / (eps + np.sqrt(square / (1 - decay ** (k + 1))))
        np.testing.assert_allclose(scales, expected, rtol=1e-12)
    forever = optzoo.rms_preconditioner(decay, eps)
    state = forever.init(jnp.zeros(2))
    for grad in grads:
        scales, state = forever.update(jnp.asarray(grad), state)
    assert not np.allclose(scales, expected)


def test_the_learned_preconditioner_scales_drift_and_noise():
    x, grad = jnp.array([1.0, -2.0]), jnp.array([4.0, 0.5])
    learned = optzoo.rms_preconditioner(eps=1e-9)
    chain = optzoo.sgld(0.1, preconditioner=learned, key=KEY)
    updates, _ = chain.update(grad, chain.init(x), x)
    fixed = optzoo.sgld(0.1, preconditioner=1 / jnp.abs(grad), key=KEY)
    expected, _ = fixed.update(grad, fixed.init(x), x)
    np.testing.assert_allclose(updates, expected, rtol=1e-7)


def posterior_on_real_data():
    """Benign or malignant by texture and concave points, with an intercept."""
    features, labels = breast_cancer()
    columns = features[:, [1, 7]]
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    return LogisticPosterior(np.column_stack([np.ones(len(labels)), columns]), labels, 2.0)


def long_run(posterior, method, *, batch, burn_in, steps, chains):
    """Means of x and of (x - mode)(x - mode)^T over time, one row a chain."""
    mode = jnp.asarray(posterior.mode)
    n = len(posterior.labels)

    # Drawn here: in the program they would be most of its work.
    rng = np.random.default_rng(0)
    batches = rng.integers(0, n, (chains, burn_in + steps, batch or 1), dtype=np.int32)

    def run(key, batches):
        def step(k, carry):
            x, state, first, second = carry
            grad = posterior.minibatch_gradient(x, batches[k]) if batch else posterior.gradient(x)
            updates, state = method.update(grad, state, x)
            x = x + updates
            keep = (k >= burn_in) / steps
            away = x - mode
            return x, state, first + keep * x, second + keep * jnp.outer(away, away)

        state = method.init(mode)
        state = state._replace(chain=state.chain._replace(key=key))
        start = (mode, state, jnp.zeros(3), jnp.zeros((3, 3)))
        return jax.lax.fori_loop(0, burn_in + steps, step, start)[2:]

    runs = jax.jit(jax.vmap(run))(jax.random.split(KEY, chains), batches)
    return (np.asarray(part) for part in runs)


@pytest.mark.parametrize("batch", [None, 64], ids=["full", "minibatch"])
def test_posterior_moments_on_real_data_agree_with_quadrature(batch):
    """Means within 4.5 standard errors of the independent chains and the stated bias of a step.

    With P near H^-1 a step eta inflates the covariance by eta / 2 of itself to first order, and
    by eta P V / 2 for gradients with the noise covariance V. What is left of the bias is of the
    order eta times the skewness of the posterior (its mean lies 0.2 deviations from its mode)
    and is allowed 0.02 deviations.
    """
    posterior = posterior_on_real_data()
    mean, covariance, error = posterior.moments()
    assert error < 1e-6
    deviations = np.sqrt(np.diag(covariance))
    eta, chains = (0.05 if batch is None else 0.02), 32
    p = np.linalg.inv(posterior.hessian(posterior.mode))
    method = optzoo.sgld(eta, preconditioner=jnp.asarray(p), key=KEY)
    first, second = long_run(posterior, method, batch=batch, burn_in=200, steps=4000, chains=chains)

    standard_error = first.std(axis=0, ddof=1) / math.sqrt(chains)
    assert (standard_error < 0.04 * deviations).all()
    allowed = 4.5 * standard_error + 0.02 * deviations
    assert (abs(first.mean(axis=0) - mean) < allowed).all()

    gradient_noise = np.zeros((3, 3))
    if batch is not None:
        at_mode = jax.jit(
            jax.vmap(lambda i: posterior.minibatch_gradient(jnp.asarray(posterior.mode), i[None]))
        )
        rows = np.asarray(at_mode(jnp.arange(len(posterior.labels))))
        gradient_noise = np.cov(rows.T, bias=True) / batch
    inflated = covariance + eta / 2 * (covariance + p @ gradient_noise @ p)
    gap = mean - posterior.mode
    expected = inflated + np.outer(gap, gap)
    scale = np.outer(deviations, deviations)
    standard_error = second.std(axis=0, ddof=1) / math.sqrt(chains)
    assert (abs(second.mean(axis=0) - expected) < 4.5 * standard_error + 0.02 * scale).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"learning_rate": lambda k: -1.0}, ValueError, "learning_rate"),
        ({"temperature": -1.0}, ValueError, "temperature"),
        ({"temperature": "hot"}, TypeError, "temperature"),
        ({"key": 7}, TypeError, "key"),
        ({"preconditioner": jnp.array([1.0, 0.0])}, ValueError, "positive entries"),
        ({"preconditioner": jnp.ones((2, 3))}, ValueError, "square matrix"),
        ({"preconditioner": jnp.array([[1.0, 2.0], [2.0, 1.0]])}, ValueError, "positive definite"),
        ({"preconditioner": jnp.array([[1.0, 0.5], [0.0, 1.0]])}, ValueError, "symmetric"),
        ({"preconditioner": jnp.array([[jnp.nan, 0.0], [0.0, 1.0]])}, ValueError, "finite"),
    ],
)
def test_bad_arguments_are_named(change, error, words):
    with pytest.raises(error, match=words):
        optzoo.sgld(**{"learning_rate": 0.1, "key": KEY, **change}).init(jnp.zeros(2))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"decay": 1.0}, "decay"), ({"eps": 0.0}, "eps"), ({"adaptation_steps": 0}, "adaptation")],
)
def test_bad_preconditioners_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        optzoo.rms_preconditioner(**change)


def test_noise_that_16_bits_cannot_hold_is_announced():
    """In every method that draws noise, once, and not where nothing is lost."""
    half, cells = {"a": jnp.zeros(2), "w": jnp.zeros((2, 2), jnp.bfloat16)}, jnp.ones((2, 2))
    noise = optzoo.gaussian_noise()
    boosting = optzoo.stochastic_gradient_boosting
    for method, params, place in (
        (optzoo.sgld(0.1, key=KEY), half, r"params\['w'\] has 16 bits \(bfloat16\)"),
        (optzoo.ito_chain(0.1, noise=noise, key=KEY), half, r"params\['w'\] has 16 bits"),
        (boosting(0.1, cells, temperature=1.0, key=KEY), half["w"], "params has 16 bits"),
    ):
        with pytest.warns(UserWarning, match=place + ".*optzoo.master_weights") as caught:
            method.init(params)
        assert len(caught) == 1
        optzoo.master_weights(method).init(params)
        method.init(jax.tree.map(lambda p: p.astype(jnp.float32), params))
    optzoo.ito_chain(0.1, noise=None).init(half)
    boosting(0.1, cells, key=KEY).init(half["w"])
