"""Ito chains and their noise: steps against the formula, laws against exact moments."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo

KEY = jax.random.key(0)
LAWS = (
    optzoo.gaussian_noise(),
    optzoo.rademacher_noise(),
    optzoo.bernoulli_noise(0.1),
    optzoo.discrete_noise([2.0, -1.0, 0.5], [0.2, 0.5, 0.3]),
    optzoo.student_noise(9.0),
    optzoo.sampled_noise(jax.random.exponential, mean=1.0, skewness=2.0, kurtosis=9.0),
)
every_law = pytest.mark.parametrize("law", LAWS, ids=repr)


def known_noise(*values):
    """A law that always draws these numbers: the step is then a formula without chance."""
    return optzoo.sampled_noise(lambda key, shape, dtype: jnp.asarray(values, dtype).reshape(shape))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
@pytest.mark.parametrize("where", ["constant", "update"])
def test_one_step_is_the_formula(gamma, kind, where):
    eps, grad, x = np.array([0.3, -1.2]), np.array([2.0, 5.0]), jnp.array([1.0, -1.0])
    sigma = {"scalar": 0.7, "diagonal": np.array([0.7, -2.0]), "matrix": np.array([[1, 2], [0, 3]])}
    full = {"scalar": 0.7 * np.eye(2), "diagonal": np.diag([0.7, -2.0]), "matrix": sigma["matrix"]}
    given = jnp.asarray(sigma[kind]) if kind != "scalar" else sigma[kind]
    chain = optzoo.ito_chain(
        0.1,
        noise=known_noise(*eps),
        diffusion=given if where == "constant" else None,
        gamma=gamma,
        key=KEY,
    )
    extra = {} if where == "constant" else {"diffusion": given}
    updates, state = chain.update(jnp.asarray(grad), chain.init(x), x, **extra)
    expected = -0.1 * grad + 0.1 ** ((1 + gamma) / 2) * full[kind] @ eps
    np.testing.assert_allclose(updates, expected, rtol=1e-14)
    assert int(state.steps) == 1


def test_a_matrix_acts_on_the_leaves_concatenated():
    params = {"b": jnp.zeros(1), "w": jnp.zeros((1, 2))}
    law = optzoo.sampled_noise(lambda key, shape, dtype: jnp.ones(shape, dtype))
    matrix = jnp.arange(9.0).reshape(3, 3)
    chain = optzoo.ito_chain(1.0, noise=law, diffusion=matrix, key=KEY)
    updates, _ = chain.update(params, chain.init(params), params)
    np.testing.assert_allclose(updates["b"], [3.0])
    np.testing.assert_allclose(updates["w"], [[12.0, 21.0]])


def test_both_terms_follow_the_schedule():
    chain = optzoo.ito_chain(
        lambda k: 0.1 / (k + 1), noise=known_noise(1.0), diffusion=2.0, gamma=0.0, key=KEY
    )
    x, state = jnp.zeros(1), chain.init(jnp.zeros(1))
    for k in range(3):
        updates, state = chain.update(jnp.ones(1), state, x)
        eta = 0.1 / (k + 1)
        np.testing.assert_allclose(updates, -eta + 2.0 * eta**0.5, rtol=1e-14)


def test_without_noise_it_is_gradient_descent():
    params = {"w": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}
    chain, sgd = optzoo.ito_chain(0.3, noise=None), optax.sgd(0.3)
    ours, state = chain.update(params, chain.init(params), params)
    theirs, _ = sgd.update(params, sgd.init(params), params)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert state.key is None


def test_noise_differs_between_steps_leaves_and_keys():
    def kicks(key):
        params = {"a": jnp.zeros(4), "b": jnp.zeros(4)}
        chain = optzoo.ito_chain(1.0, noise=optzoo.gaussian_noise(), key=key)
        first, state = chain.update(params, chain.init(params), params)
        second, _ = chain.update(params, state, params)
        return [first["a"], first["b"], second["a"], second["b"]]

    once, again, other = kicks(KEY), kicks(KEY), kicks(jax.random.key(1))
    np.testing.assert_array_equal(once, again)
    distinct = {tuple(np.asarray(kick).tolist()) for kick in once + other}
    assert len(distinct) == 8


def test_a_walk_of_signs_stays_on_its_lattice():
    eta, s, steps = 1 / 16, 0.3, 15
    chain = optzoo.ito_chain(eta, noise=optzoo.rademacher_noise(), diffusion=s, gamma=1.0, key=KEY)

    def step(_, carry):
        x, state = carry
        updates, state = chain.update(jnp.zeros_like(x), state, x)
        return x + updates, state

    x = jnp.zeros(500)
    x, _ = jax.lax.fori_loop(0, steps, step, (x, chain.init(x)))
    sites = np.asarray(x) / (s * eta)
    np.testing.assert_allclose(sites, np.round(sites), atol=1e-9)
    assert set(np.round(sites).astype(int) % 2) == {1}
    assert abs(sites).max() <= steps


@pytest.mark.parametrize("law", LAWS[1:3], ids=repr)
def test_the_law_of_a_linear_chain_has_the_exact_mean_and_covariance(law):
    """B = -A x + c, a full matrix sigma: two moments obey a recursion, whatever the noise."""
    drift, shift = np.array([[1.0, 0.5], [-0.2, 0.6]]), np.array([1.0, -0.5])
    sigma, eta, gamma, steps, chains = np.array([[0.8, 0.0], [0.5, 0.4]]), 0.2, 0.0, 6, 20_000
    chain = optzoo.ito_chain(eta, noise=law, diffusion=jnp.asarray(sigma), gamma=gamma, key=KEY)

    def run(key):
        def step(_, carry):
            x, state = carry
            updates, state = chain.update(drift @ x - shift, state, x)
            return x + updates, state

        x = jnp.array([2.0, 0.0])
        state = chain.init(x)._replace(key=key)
        return jax.lax.fori_loop(0, steps, step, (x, state))[0]

    ends = np.asarray(jax.jit(jax.vmap(run))(jax.random.split(KEY, chains)))
    mean, covariance = np.array([2.0, 0.0]), np.zeros((2, 2))
    for _ in range(steps):
        mean = mean - eta * (drift @ mean - shift)
        one = np.eye(2) - eta * drift
        covariance = one @ covariance @ one.T + eta ** (1 + gamma) * sigma @ sigma.T
    deviations = ends - mean
    for values, exact in (
        *((ends[:, i], mean[i]) for i in range(2)),
        *((deviations[:, i] * deviations[:, j], covariance[i, j]) for i, j in ((0, 0), (0, 1))),
        (deviations[:, 1] ** 2, covariance[1, 1]),
    ):
        assert abs(values.mean() - exact) < 4.5 * values.std() / math.sqrt(chains)


def test_multiplicative_noise_is_evaluated_before_the_step():
    """Ito: sigma(x) = c x without drift is a martingale with E X_k^2 = (1 + eta c^2)^k."""
    eta, c, chains = 0.1, 0.5, 40_000
    chain = optzoo.ito_chain(eta, noise=optzoo.rademacher_noise(), diffusion=None, key=KEY)
    x = jnp.ones(chains)
    state = chain.init(x)
    step = jax.jit(lambda x, state: chain.update(jnp.zeros_like(x), state, x, diffusion=c * x))
    for _ in range(5):
        updates, state = step(x, state)
        x = x + updates
    for values, exact in ((np.asarray(x), 1.0), (np.asarray(x) ** 2, (1 + eta * c**2) ** 5)):
        assert abs(values.mean() - exact) < 4.5 * values.std() / math.sqrt(chains)


def test_minibatch_diffusion_is_the_root_of_the_covariance_over_all_batches():
    grads = np.random.default_rng(0).normal(size=(4, 3))
    batches = [grads[list(rows)].mean(axis=0) for rows in itertools.product(range(4), repeat=3)]
    sigma = np.asarray(optzoo.minibatch_diffusion(jnp.asarray(grads), 3))
    np.testing.assert_allclose(sigma @ sigma.T, np.cov(np.array(batches).T, bias=True), atol=1e-13)
    np.testing.assert_allclose(sigma, sigma.T, atol=1e-13)


@every_law
def test_laws_have_mean_0_variance_1_and_the_moments_they_state(law):
    drawn = law.draw(KEY, (1000, 100), jnp.float32)
    assert (drawn.shape, drawn.dtype) == ((1000, 100), jnp.float32)
    draws = np.asarray(drawn, np.float64).ravel()
    stated = {1: 0.0, 2: 1.0, 3: law.skewness, 4: law.kurtosis}
    for order in (1, 2, 3):
        powers = draws**order
        error = 4.5 * powers.std() / math.sqrt(draws.size)
        assert abs(powers.mean() - stated[order]) < error + 1e-6
    assert abs((draws**4).mean() / stated[4] - 1) < 0.2  # heavy tails: E eps^8 is large
    if law.atoms is not None:
        weights, atoms = np.array(law.weights), np.array(law.atoms)
        for order, value in stated.items():
            assert abs(weights @ atoms**order - value) < 1e-13
        found, counts = np.unique(draws, return_counts=True)
        np.testing.assert_allclose(found, atoms, rtol=1e-6)
        spread = np.sqrt(weights * (1 - weights) / draws.size)
        assert (abs(counts / draws.size - weights) < 4.5 * spread).all()


def test_weights_may_be_rounded_to_float32():
    law = optzoo.discrete_noise([0.0, 1.0], [np.float32(0.9), np.float32(0.1)])
    assert math.fsum(law.weights) == pytest.approx(1, abs=1e-15)
    assert law.skewness == pytest.approx(8 / 3, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: optzoo.student_noise(2.0), ValueError, "two moments"),
        (lambda: optzoo.student_noise(math.inf), ValueError, "degrees_of_freedom"),
        (lambda: optzoo.student_noise("3"), TypeError, "degrees_of_freedom"),
        (lambda: optzoo.bernoulli_noise(1.0), ValueError, "probability"),
        (lambda: optzoo.discrete_noise([1.0], [1.0]), ValueError, "two distinct"),
        (lambda: optzoo.discrete_noise([1.0, 1.0], [0.5, 0.5]), ValueError, "two distinct"),
        (lambda: optzoo.discrete_noise([0.0, math.inf], [0.5, 0.5]), ValueError, "two moments"),
        (lambda: optzoo.discrete_noise([0.0, 1.0], [0.5, 0.6]), ValueError, "sum 1"),
        (lambda: optzoo.discrete_noise([0.0, 1.0], [1.0]), ValueError, "as many"),
        (lambda: optzoo.sampled_noise(jax.random.cauchy, variance=math.inf), ValueError, "moments"),
        (lambda: optzoo.sampled_noise(jax.random.normal, variance=0.0), ValueError, "positive"),
        (lambda: optzoo.sampled_noise(1.0), TypeError, "sample"),
    ],
)
def test_laws_without_two_moments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate"),
        ({"learning_rate": lambda k: -1.0}, ValueError, r"learning_rate must .* step 0"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate"),
        ({"gamma": -0.5}, ValueError, "gamma"),
        ({"noise": "gaussian"}, TypeError, "noise must be a law"),
        ({"key": None}, TypeError, "key"),
        ({"diffusion": jnp.ones((2, 3))}, ValueError, r"square matrix of shape \(2, 2\)"),
        ({"diffusion": jnp.eye(3)}, ValueError, r"square matrix of shape \(2, 2\)"),
        ({"diffusion": jnp.ones(3)}, ValueError, "square matrix"),
        ({"diffusion": {"w": 1.0}}, ValueError, "square matrix"),
        ({"diffusion": "identity"}, TypeError, "diffusion"),
        ({"diffusion": jnp.array([1.0, jnp.nan])}, ValueError, "diffusion.* finite"),
    ],
)
def test_bad_arguments_are_named(change, error, words):
    arguments = {"learning_rate": 0.1, "noise": optzoo.gaussian_noise(), "key": KEY, **change}
    with pytest.raises(error, match=words):
        optzoo.ito_chain(**arguments).init(jnp.zeros(2))


def test_a_diffusion_of_the_state_is_checked_in_the_update():
    x = jnp.zeros(2)
    state_dependent = optzoo.ito_chain(0.1, noise=optzoo.gaussian_noise(), diffusion=None, key=KEY)
    state = state_dependent.init(x)
    with pytest.raises(ValueError, match="square matrix"):
        state_dependent.update(x, state, x, diffusion=jnp.ones((2, 1)))
    with pytest.raises(ValueError, match="missing"):
        state_dependent.update(x, state, x)
    constant = optzoo.ito_chain(0.1, noise=optzoo.gaussian_noise(), key=KEY)
    with pytest.raises(ValueError, match="given twice"):
        constant.update(x, state, x, diffusion=1.0)


def test_bad_minibatches_are_named():
    with pytest.raises(ValueError, match="sample_grads"):
        optzoo.minibatch_diffusion(jnp.ones(3), 1)
    with pytest.raises(ValueError, match="batch_size"):
        optzoo.minibatch_diffusion(jnp.ones((3, 1)), 0)
