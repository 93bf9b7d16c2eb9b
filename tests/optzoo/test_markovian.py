"""Randomized gradient descent, its accelerated form and extragradient, against NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo

PARAMS = {"w": jnp.array([[0.3, -1.2], [2.0, 0.4]]), "b": jnp.array([0.7])}


def vector(tree):
    return np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in jax.tree.leaves(tree)])


def noise(seed, like=PARAMS):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), like)


def run(method, params, gradients):
    """The parameters and states before each call and after the last."""
    update = jax.jit(method.update)
    state = method.init(params)
    trail = [(params, state)]
    for g in gradients:
        updates, state = update(g, state, params)
        params = optax.apply_updates(params, updates)
        trail.append((params, state))
    return trail


# --- randomized_gd ------------------------------------------------------------------------------


def test_gd_takes_the_step_of_its_schedule_and_needs_no_parameters():
    method = optzoo.randomized_gd(lambda k: 0.5 / (k + 1))
    state = method.init(PARAMS)
    for k in range(4):
        g = noise(k)
        updates, state = method.update(g, state)
        np.testing.assert_allclose(vector(updates), -0.5 / (k + 1) * vector(g), rtol=1e-15)
    assert int(state.steps) == 4


# --- randomized_accelerated_gd ------------------------------------------------------------------


def paper_form(x0, gamma, mu, p, gradients):
    """The recursion as the paper writes it: x_g^0, x_f^0, x^0, x_g^1, ..."""
    beta = np.sqrt(4 * p**2 * mu * gamma / 3)
    eta = 3 * beta / (2 * p * mu * gamma)
    theta = (p / eta - 1) / (beta * p / eta - 1)
    x = x_f = x0
    points = []
    for g in [*gradients, None]:
        x_g = theta * x_f + (1 - theta) * x
        points.append((x_g, x_f, x))
        if g is not None:
            new_x_f = x_g - p * gamma * g
            x = eta * new_x_f + (p - eta) * x_f + (1 - p) * (1 - beta) * x + (1 - p) * beta * x_g
            x_f = new_x_f
    return points


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    gamma=st.floats(0.01, 2.0),
    product=st.floats(1e-4, 0.75),
    p=st.one_of(st.just(1.0), st.floats(0.05, 1.0)),
)
def test_both_forms_of_the_accelerated_recursion_agree(gamma, product, p):
    mu = product / gamma
    gradients = [noise(k) for k in range(20)]
    trail = run(optzoo.randomized_accelerated_gd(gamma, mu, momentum_scale=p), PARAMS, gradients)
    expected = paper_form(vector(PARAMS), gamma, mu, p, [vector(g) for g in gradients])
    # The paper's form subtracts eta times almost equal points.
    scale = max(np.abs(point).max() for points in expected for point in points)
    atol = 20 * 4e-16 * scale * (1 + np.sqrt(3 / product))
    for (params, state), (x_g, x_f, x) in zip(trail, expected, strict=True):
        np.testing.assert_allclose(vector(params), x_g, rtol=0, atol=atol)
        evaluated = optzoo.accelerated_eval_params(state, params)
        np.testing.assert_allclose(vector(evaluated), x_f, rtol=0, atol=atol)
        np.testing.assert_allclose(vector(state.momentum_point), x, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("gamma", "mu", "p"), [(0.75, 1.0, 1.0), (0.1, 1e-9, 0.3), (1.0, 0.2, 0.7)]
)
def test_coefficients_are_those_of_the_paper(gamma, mu, p):
    c = optzoo.accelerated_coefficients(gamma, mu, p)
    beta = np.sqrt(4 * p**2 * mu * gamma / 3)
    np.testing.assert_allclose(c.beta, beta, rtol=1e-14)
    np.testing.assert_allclose(c.eta, 3 * beta / (2 * p * mu * gamma), rtol=1e-14)
    np.testing.assert_allclose(c.eta, np.sqrt(3 / (mu * gamma)), rtol=1e-14)
    theta = (p / c.eta - 1) / (beta * p / c.eta - 1)
    np.testing.assert_allclose(c.theta, theta, rtol=1e-14)
    np.testing.assert_allclose(c.one_minus_theta, 1 - theta, rtol=0, atol=2e-16)


def accelerated_on_quadratic(curvature, p, steps):
    """Exact gradients of (1/2) x' diag(a) x with L = 1, from (1, ..., 1): x^k and x_f^k."""
    mu = float(curvature.min())
    method = optzoo.randomized_accelerated_gd(0.75, mu, momentum_scale=p)

    @jax.jit
    def loop(params):
        def step(carry, _):
            params, state = carry
            updates, state = method.update(curvature * params, state, params)
            carry = (optax.apply_updates(params, updates), state)
            return carry, (state.momentum_point, optzoo.accelerated_eval_params(state, params))

        return jax.lax.scan(step, (params, method.init(params)), length=steps)[1]

    return (np.asarray(points) for points in loop(jnp.ones(curvature.shape)))


@pytest.mark.parametrize("p", [1.0, 0.5])
@pytest.mark.parametrize("kappa", [1.0, 10.0, 1000.0])
def test_the_accelerated_method_contracts_as_its_theorem_says(kappa, p):
    """Phi_N <= (1 - p sqrt(mu gamma / 3))^N Phi_0 with exact gradients, for every N."""
    curvature = jnp.geomspace(1 / kappa, 1.0, 7)
    mu = float(curvature.min())
    x, x_f = accelerated_on_quadratic(curvature, p, 400)

    def potential(x, x_f):
        return (x**2).sum(-1) + 6 / mu * 0.5 * (np.asarray(curvature) * x_f**2).sum(-1)

    start = potential(np.ones(7), np.ones(7))
    bound = optzoo.AcceleratedGDBound(
        1.0,
        optzoo.MarkovianNoise(mixing_time=1, sigma=0.0),
        optzoo.MultilevelBatch(1, 0),
        learning_rate=0.75,
        strong_convexity=mu,
        momentum_scale=p,
    )
    limits = [(1 - p * np.sqrt(mu * 0.75 / 3)) ** n * start for n in range(1, 401)]
    np.testing.assert_allclose([bound.bound(n, start) for n in range(1, 401)], limits, rtol=1e-9)
    assert np.all(potential(x, x_f) <= np.array(limits) * (1 + 1e-9) + 1e-300)


def test_iterations_grow_like_the_root_of_the_condition_number():
    counts = []
    for kappa in (100.0, 10_000.0):
        x, _ = accelerated_on_quadratic(jnp.array([1 / kappa, 1.0]), 1.0, 3000)
        counts.append(np.argmax((x**2).sum(-1) <= 2e-6))
    assert 9.0 < counts[1] / counts[0] < 11.0


def test_the_accelerated_constants_belong_together():
    with pytest.raises(
        TypeError, match="learning_rate must be one positive number, not a schedule"
    ):
        optzoo.randomized_accelerated_gd(lambda k: 0.1, 0.1)
    with pytest.raises(ValueError, match=r"at most 3/4.*got 1.0 \* 0.8"):
        optzoo.randomized_accelerated_gd(1.0, 0.8)
    with pytest.raises(ValueError, match=r"momentum_scale must lie in \(0, 1\], got 1.5"):
        optzoo.randomized_accelerated_gd(0.1, 0.1, momentum_scale=1.5)
    for bad in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="strong_convexity must be positive and finite"):
            optzoo.randomized_accelerated_gd(0.1, bad)


# --- randomized_extragradient -------------------------------------------------------------------


@pytest.mark.parametrize("bounded", [False, True])
def test_both_halves_of_extragradient_set_out_from_the_same_point(bounded):
    """Against NumPy, with a schedule that counts pairs and a prox that depends on the step."""

    def rate(k):
        return 0.4 / (k + 1)

    def shrink(point, step_size):  # the proximal operator of step_size * |x|_1
        return jax.tree.map(lambda x: jnp.sign(x) * jnp.maximum(jnp.abs(x) - step_size, 0.0), point)

    prox = shrink if bounded else None
    gradients = [noise(k) for k in range(8)]
    trail = run(optzoo.randomized_extragradient(rate, prox=prox), PARAMS, gradients)

    x = vector(PARAMS)
    for k in range(4):
        gamma = rate(k)

        def move(g, x=x, gamma=gamma):
            point = x - gamma * vector(g)
            return np.sign(point) * np.maximum(abs(point) - gamma, 0) if bounded else point

        ahead = move(gradients[2 * k])
        params, state = trail[2 * k + 1]
        assert (int(state.phase), int(state.steps)) == (1, k)
        np.testing.assert_allclose(vector(params), ahead, atol=1e-15)
        np.testing.assert_allclose(
            vector(optzoo.extragradient_eval_params(state, params)), x, atol=1e-15
        )
        x = move(gradients[2 * k + 1])
        params, state = trail[2 * k + 2]
        assert (int(state.phase), int(state.steps)) == (0, k + 1)
        np.testing.assert_allclose(vector(params), x, atol=1e-15)
        np.testing.assert_array_equal(
            vector(optzoo.extragradient_eval_params(state, params)), vector(params)
        )


def test_extragradient_contracts_a_rotation_as_its_theorem_says():
    """|x^N|^2 <= (1 - gamma mu / 2)^N |x^0|^2, where gradient descent with this step diverges."""
    mu, gamma = 0.05, 1 / np.sqrt(6)
    operator = jnp.array([[mu, 1.0], [-1.0, mu]]) / np.sqrt(1 + mu**2)
    mu /= np.sqrt(1 + mu**2)
    method = optzoo.randomized_extragradient(gamma)
    x, state = jnp.array([1.0, 0.0]), method.init(jnp.zeros(2))
    norms, descent = [], np.array([1.0, 0.0])
    for _ in range(200):
        for _ in range(2):
            updates, state = method.update(operator @ x, state, x)
            x = optax.apply_updates(x, updates)
        descent = descent - gamma * np.asarray(operator) @ descent
        norms.append(float(jnp.sum(x**2)))
    bound = optzoo.ExtragradientBound(
        1.0,
        optzoo.MarkovianNoise(mixing_time=1, sigma=0.0),
        optzoo.MultilevelBatch(1, 0),
        learning_rate=gamma,
        strong_convexity=mu,
    )
    assert all(norm <= bound.bound(n, 1.0) for n, norm in enumerate(norms, 1))
    assert (descent**2).sum() > 1e3


def test_a_run_saved_between_the_halves_resumes_bit_for_bit():
    method = optzoo.randomized_extragradient(0.3, prox=lambda x, step: jax.tree.map(jnp.tanh, x))
    gradients = [noise(k, jax.tree.map(lambda p: p.astype(jnp.float32), PARAMS)) for k in range(7)]
    start = jax.tree.map(lambda p: p.astype(jnp.float32), PARAMS)
    straight = run(method, start, gradients)
    for stop in (3, 4):
        params, state = straight[stop]
        saved = jax.tree.map(np.asarray, (params, tuple(state)))
        params, fields = jax.tree.map(jnp.asarray, saved)
        state = optzoo.RandomizedExtragradientState(*fields)
        for g in gradients[stop:]:
            updates, state = jax.jit(method.update)(g, state, params)
            params = optax.apply_updates(params, updates)
        jax.tree.map(np.testing.assert_array_equal, (params, state), straight[-1])


def test_a_constrained_game_stays_in_its_set_and_is_solved():
    """The set [-1, 1]^2 and F(x) = A x + c whose solution lies on the boundary."""

    def box(x, step_size):
        return jnp.clip(x, -1.0, 1.0)

    def operator(x):
        return jnp.array([[0.2, 1.0], [-1.0, 0.2]]) @ x + jnp.array([-1.5, 0.3])

    method = optzoo.randomized_extragradient(0.3, prox=box)
    x, state = jnp.zeros(2), method.init(jnp.zeros(2))
    for _ in range(600):
        updates, state = jax.jit(method.update)(operator(x), state, x)
        x = optax.apply_updates(x, updates)
        assert bool(jnp.all(jnp.abs(x) <= 1 + 2e-16))
    np.testing.assert_allclose(x, [1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(box(x - operator(x), 1.0), x, atol=1e-12)


def test_a_bad_prox_is_named():
    with pytest.raises(TypeError, match="prox must be a function of a point and a step"):
        optzoo.randomized_extragradient(0.1, prox=1.0)
    method = optzoo.randomized_extragradient(0.1, prox=lambda x, step: x["w"])
    with pytest.raises(ValueError, match="result of prox must have the tree structure"):
        method.update(PARAMS, method.init(PARAMS), PARAMS)


# --- all of them --------------------------------------------------------------------------------

METHODS = {
    "gd": functools.partial(optzoo.randomized_gd, 0.1),
    "accelerated": functools.partial(
        optzoo.randomized_accelerated_gd, 0.1, 0.5, momentum_scale=0.7
    ),
    "extragradient": functools.partial(optzoo.randomized_extragradient, 0.1),
}
every_method = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)

EVALUATED = {
    "accelerated": (METHODS["accelerated"], optzoo.accelerated_eval_params),
    "extragradient": (METHODS["extragradient"], optzoo.extragradient_eval_params),
}
evaluated = pytest.mark.parametrize(("make", "evaluate"), EVALUATED.values(), ids=EVALUATED)


@every_method
def test_multi_steps_feeds_the_mean_of_its_gradients(make):
    gradients = [noise(k) for k in range(12)]
    wrapped = optax.MultiSteps(make(), 2, accumulator_dtype=jnp.float64)
    params = run(wrapped.gradient_transformation(), PARAMS, gradients)[-1][0]
    means = [jax.tree.map(lambda a, b: (a + b) / 2, *gradients[k : k + 2]) for k in range(0, 12, 2)]
    expected = run(make(), PARAMS, means)[-1][0]
    np.testing.assert_allclose(vector(params), vector(expected), rtol=1e-13)


@every_method
def test_clipping_may_come_first(make):
    gradients = [noise(k) for k in range(5)]
    chained = run(optax.chain(optax.clip(0.3), make()), PARAMS, gradients)[-1][0]
    clipped = [jax.tree.map(lambda g: jnp.clip(g, -0.3, 0.3), tree) for tree in gradients]
    np.testing.assert_allclose(vector(chained), vector(run(make(), PARAMS, clipped)[-1][0]))


@evaluated
@pytest.mark.parametrize("calls", [3, 4])
def test_evaluation_finds_the_state_wherever_it_is(make, evaluate, calls):
    gradients = [noise(k) for k in range(calls)]
    params, state = run(make(), PARAMS, gradients)[-1]
    expected = vector(evaluate(state, params))
    injected = optax.inject_hyperparams(make.func)(*make.args, **make.keywords)
    for method in (
        optax.chain(optax.identity(), make()),
        optax.MultiSteps(make(), 1, accumulator_dtype=jnp.float64).gradient_transformation(),
        injected,
        optax.chain(optax.identity(), optax.chain(injected, optax.identity())),
    ):
        params, state = run(method, PARAMS, gradients)[-1]
        np.testing.assert_allclose(vector(evaluate(state, params)), expected, rtol=1e-13)
        np.testing.assert_allclose(vector(jax.jit(evaluate)(state, params)), expected, rtol=1e-13)

    other = optax.sgd(0.1).init(PARAMS)
    with pytest.raises(ValueError, match=r"exactly one .*State; it holds 0"):
        evaluate(other, PARAMS)
    with pytest.raises(ValueError, match="it holds 2"):
        evaluate((state, state), PARAMS)


@evaluated
def test_steps_below_the_resolution_of_16_bits_are_not_lost(make, evaluate):
    """1000 steps that each change 1.0 by less than half a unit of bfloat16."""
    params = jnp.ones(3, jnp.bfloat16)
    method = make()

    def step(_, carry):
        params, state = carry
        updates, state = method.update(jnp.full(3, 1e-2, params.dtype), state, params)
        return optax.apply_updates(params, updates), state

    params, state = jax.lax.fori_loop(0, 1000, step, (params, method.init(params)))
    assert float(params[0]) < 0.6
    assert evaluate(state, params).dtype == jnp.bfloat16


@evaluated
def test_parameters_moved_by_somebody_else_are_where_the_next_step_starts(make, evaluate):
    for dtype in (jnp.bfloat16, jnp.float32):
        method, params = make(), jnp.ones(2, dtype)
        state = method.init(params)
        moved = params + 8
        updates, state = method.update(jnp.zeros(2, dtype), state, moved)
        moved = optax.apply_updates(moved, updates)
        assert float(evaluate(state, moved)[0]) == 9.0


# --- on streams ---------------------------------------------------------------------------------

ROWS = 3000


def ordered_data():
    """A slow random walk on [-2, 2] and the response there: rows are close to the ones before."""
    rng = np.random.default_rng(0)
    u = np.zeros(ROWS)
    for t in range(1, ROWS):
        u[t] = np.clip(0.98 * u[t - 1] + 0.2 * rng.normal(), -2, 2)
    return jnp.asarray(u, jnp.float32), jnp.asarray(np.sin(2 * u), jnp.float32)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optzoo.randomized_gd(0.1),
        lambda: optax.chain(
            optax.clip_by_global_norm(1.0), optzoo.randomized_accelerated_gd(0.05, 0.05)
        ),
        lambda: optzoo.randomized_extragradient(optax.linear_schedule(0.1, 0.02, 300)),
        lambda: optax.adam(0.01),
    ],
    ids=["gd", "accelerated", "extragradient", "adam"],
)
def test_a_small_network_learns_from_a_temporally_ordered_stream(make):
    """The chain is the position in the data, which never goes back: no replay."""
    inputs, targets = ordered_data()

    def next_row(key, position):
        return position + 1, (inputs[position % ROWS], targets[position % ROWS])

    def loss(net, row):
        hidden = jnp.tanh(net["in"] * row[0] + net["bias"])
        return 0.5 * (net["out"] @ hidden - row[1]) ** 2

    estimate = optzoo.mlmc_gradient(jax.grad(loss), next_row, batch_size=16, max_level=3)
    method = make()

    @jax.jit
    def train(net):
        def step(carry, key):
            net, state, position = carry
            g, position, info = estimate(key, net, position)
            updates, state = method.update(g, state, net)
            return (optax.apply_updates(net, updates), state, position), info.samples

        keys = jax.random.split(jax.random.key(1), 600)
        (net, _, position), samples = jax.lax.scan(step, (net, method.init(net), 0), keys)
        return net, position, jnp.sum(samples)

    key = jax.random.key(0)
    net = {
        "in": jax.random.normal(key, (16,), jnp.float32),
        "bias": jnp.zeros(16, jnp.float32),
        "out": jnp.zeros(16, jnp.float32),
    }
    whole = lambda net: jnp.mean(jax.vmap(lambda row: loss(net, row))((inputs, targets)))  # noqa: E731
    after, position, samples = train(net)
    assert int(position) == int(samples)
    assert float(whole(after)) < 0.4 * float(whole(net))


def test_lanes_on_a_stream_take_the_steps_of_single_runs():
    """`conditionally_mask` applies the method only where an estimate is complete."""
    plain = optzoo.randomized_accelerated_gd(0.5, 0.1)
    method = optax.conditionally_mask(plain, lambda step, *, ready: ready, forward_extra_args=True)

    def switch(key, state):
        own, z = state
        own, coin = jax.random.split(own)
        z = jnp.where(jax.random.bernoulli(coin, 0.2), -z, z)
        return (own, z), z

    def grad(x, z):
        return jnp.array([1.0, 0.1]) * x + z

    stream = optzoo.mlmc_stream(grad, switch, batch_size=2, max_level=2, samples_per_tick=2)

    def lane(key):
        def tick(carry, key):
            x, state, chain, partial = carry
            g, ready, chain, partial, info = stream.tick(key, x, chain, partial)
            updates, state = method.update(g, state, x, ready=ready)
            return (optax.apply_updates(x, updates), state, chain, partial), (ready, info.level)

        x, chain = jnp.ones(2), (key, jnp.array(1.0))
        carry = (x, method.init(x), chain, stream.init(x, jax.random.fold_in(key, 1)))
        return jax.lax.scan(tick, carry, jax.random.split(key, 40))

    keys = jax.random.split(jax.random.key(8), 5)
    (ends, states, _, _), (ready, level) = jax.jit(jax.vmap(lane))(keys)
    for lane_index in range(5):
        z = np.array(1.0)
        samples = []
        own = keys[lane_index]
        for _ in range(80):
            (own, z), sample = switch(None, (own, jnp.asarray(z)))
            samples.append(float(sample))
        x, position = jnp.ones(2), 0
        state = plain.init(x)
        for j in np.asarray(level[lane_index])[np.asarray(ready[lane_index])]:
            batch = np.array(samples[position : position + 2 * 2**j])
            position += len(batch)
            mean = batch[:2].mean()
            if j:
                mean += 2**j * (batch.mean() - batch[: len(batch) // 2].mean())
            updates, state = plain.update(grad(x, mean), state, x)
            x = optax.apply_updates(x, updates)
        np.testing.assert_allclose(ends[lane_index], x, atol=1e-12)
        assert int(states.inner_state.steps[lane_index]) == int(state.steps)
