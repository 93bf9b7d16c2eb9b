"""Three Pillars against the algorithm in NumPy, and against its theorem by enumeration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo.compressors import Identity, PermK, RandK, SampledClients

from .workers import (
    AXIS,
    AffineOperators,
    Reference,
    client_weights,
    flat,
    on_workers,
    onto_ball,
    onto_ball_in_numpy,
    perm_k_weights,
    rand_k_weights,
    saddle,
    state_at,
    unequal_operators,
)


def three_pillars(compressor, gamma, local_step, local_steps, tau, p, key=0, **kwargs):
    return optzoo.three_pillars(
        gamma,
        local_step,
        local_steps,
        momentum=tau,
        refresh_probability=p,
        compressor=compressor,
        axis_name=AXIS,
        key=jax.random.key(key),
        **kwargs,
    )


RUNS = {
    "perm_k": (PermK(4), perm_k_weights(4, 7), None),
    "perm_k-ball": (PermK(4), perm_k_weights(4, 7), onto_ball),
    "clients": (SampledClients(2, 4), client_weights(2, 4, 7), None),
    "rand_k": (RandK(6, 2), rand_k_weights(6, 2, 7), None),
    "identity": (Identity(4), np.full((1, 4, 7), 0.25), onto_ball),
}


@pytest.mark.parametrize(("name", "everywhere"), [(name, name != "perm_k-ball") for name in RUNS])
def test_every_step_is_that_of_the_paper(name, everywhere):
    compressor, weights, project = RUNS[name]
    problem = unequal_operators(compressor.num_workers, 7)
    onto_set = onto_ball_in_numpy if project else (lambda z: z)
    paper = Reference(problem, 0.3, 0.1, 3, 0.35, onto_set)
    method = three_pillars(compressor, 0.3, 0.1, 3, 0.35, 0.25, project=project)
    # A two-player problem: one tree, one vector for the compressor.
    z = {"x": jnp.full((2, 2), 0.1), "y": jnp.array([0.2, -0.1, 0.3])}
    run, state = on_workers(method, problem, z, everywhere=everywhere)
    run = jax.jit(run)
    point, m, refreshes, seen = flat(z), flat(z), 1, set()
    for k in range(30):
        z, state = run(z, state)
        if k == 0:
            assert int(state.refreshes) == 1  # m^0 = z^0
        u = paper.server_point(point, m)
        np.testing.assert_allclose(flat(state.local_solution), u, atol=1e-13)
        expected = paper.outcomes(u, m, weights)
        following = flat(z)
        distances = np.abs(expected - following).max(axis=1)
        assert distances.min() < 1e-13
        seen.add(int(distances.argmin()))
        if int(state.refreshes) > refreshes:
            m, refreshes = point, int(state.refreshes)
        np.testing.assert_allclose(flat(state.reference), m, atol=1e-15)
        # F_i(m) of every worker, and their mean
        leaves = jax.tree.leaves(state.reference_operator)
        rows = np.concatenate([np.reshape(leaf, (len(leaf), -1)) for leaf in leaves], axis=1)
        np.testing.assert_allclose(rows, problem.values(m), atol=1e-13)
        mean = flat(state.mean_reference_operator)
        np.testing.assert_allclose(mean, problem.values(m).mean(axis=0), atol=1e-13)
        point = following
    assert int(state.steps) == 30
    assert int(state.broadcasts) == (0 if everywhere else 30)
    assert 3 < refreshes < 16
    assert len(seen) >= min(len(weights), 4)


@functools.partial(jax.jit, static_argnums=0)
def one_step(compressor, problem, plan, keys, z, m):
    """z^{k+1} and m^{k+1} for each of the keys, from k = 1."""
    names = ("gamma", "local_step", "local_steps", "momentum", "p")
    method = three_pillars(compressor, *(plan[name] for name in names))
    run, start = on_workers(method, problem, z)

    def step(key):
        following, state = run(z, state_at(problem, start, m)._replace(key=key))
        return following, state.reference

    return jax.vmap(step)(keys)


EXACT = {"gamma": 0.3, "local_steps": 400, "momentum": 0.25, "p": 0.4}


@pytest.mark.parametrize(
    ("compressor", "weights"),
    [
        (PermK(4), perm_k_weights(4, 8)),
        (SampledClients(1, 4), client_weights(1, 4, 8)),
        (SampledClients(2, 4), client_weights(2, 4, 8)),
        (RandK(7, 2), rand_k_weights(7, 2, 8)),
    ],
    ids=["perm_k", "one_client", "two_clients", "rand_k"],
)
def test_one_step_is_the_identity_of_the_theorem(compressor, weights):
    """V0 over every outcome of the compressor, with the stated joint variance."""
    n = compressor.num_workers
    problem = saddle(n, 4, mu=0.3, delta=0.8, server=1.5)
    rng = np.random.default_rng(1)
    z, m = rng.normal(size=(2, 8))
    gamma, tau = EXACT["gamma"], EXACT["momentum"]
    plan = {**EXACT, "local_step": 0.25 / (problem.lipschitz + 1 / gamma)}
    keys = jax.random.split(jax.random.key(0), 400)
    values, references = one_step(compressor, problem, plan, keys, jnp.asarray(z), jnp.asarray(m))
    share = np.mean(np.all(np.asarray(references) == z, axis=1))
    assert abs(share - plan["p"]) < 5 * np.sqrt(0.25 / len(keys))
    paper = Reference(problem, gamma, 0.0, 0, tau)
    u = paper.exact_server_point(z, m)
    expected = paper.outcomes(u, m, weights)
    distances = np.abs(np.asarray(values)[:, None] - expected).max(axis=2)
    assert distances.min(axis=1).max() < 1e-12  # nothing else happens
    assert distances.min(axis=0).max() < 1e-12  # and all of it does
    star = problem.solution
    a = paper.differences(u, m)
    big_a, big_b = compressor.variance_constants(8)
    second = big_a * (a**2).sum(axis=1).mean() + (1 - big_b) * (a.mean(axis=0) ** 2).sum()

    def square(x):
        return float(x @ x)

    stated = (
        (1 - tau) * square(z - star)
        + tau * square(m - star)
        - (1 - tau) * square(u - z)
        - tau * square(u - m)
        - 2 * gamma * float(problem.values(u).mean(axis=0) @ (u - star))
        + gamma**2 * second
    )
    shipped = np.asarray(values)[distances.argmin(axis=0)]
    np.testing.assert_allclose(((shipped - star) ** 2).sum(axis=1).mean(), stated, rtol=1e-12)


def linear_steps(problem, compressor, plan, outcomes):
    """The matrices of (z - z*, m - z*) -> (z^+ - z*, m^+ - z*), by coin and outcome.

    Shape (2, outcomes, 2d, 2d), the coin that refreshes last. Of many keys, one for each pair.
    """
    d, star = problem.dim, jnp.asarray(problem.solution)
    step = functools.partial(one_step, compressor, problem, plan)
    z, m = jnp.asarray(np.random.default_rng(2).normal(size=(2, d)))
    keys = jax.random.split(jax.random.key(1), 200)
    following, reference = step(keys, z, m)
    coins = np.all(np.asarray(reference) == np.asarray(z), axis=1)
    _, which = np.unique(np.round(following, 9), axis=0, return_inverse=True)
    assert which.max() + 1 == outcomes
    first = {pair: key for key, pair in enumerate(zip(coins, which, strict=True))}
    assert len(first) == 2 * outcomes
    chosen = keys[jnp.array([[first[c, o] for o in range(outcomes)] for c in (False, True)])]
    units = np.concatenate([np.zeros((1, 2 * d)), np.eye(2 * d)])
    images = [
        np.concatenate(step(chosen.ravel(), star + unit[:d], star + unit[d:]), axis=1)
        for unit in units
    ]
    columns = np.array(images[1:]) - images[0]
    return columns.transpose(1, 2, 0).reshape(2, outcomes, 2 * d, 2 * d)


def mean_over(matrices, p):
    """The mean over coin and outcome."""
    return (1 - p) * matrices[0].mean(axis=0) + p * matrices[1].mean(axis=0)


def worst_step(steps, p):
    """The largest E Phi_{k+1} / Phi_k."""
    return np.linalg.eigvalsh(mean_over(np.swapaxes(steps, 2, 3) @ steps, p))[-1]


def asymptotic_rate(steps, p):
    """The factor of E Phi_k per step in the long run."""
    size = steps.shape[-1]
    products = np.einsum("coij,cokl->coikjl", steps, steps).reshape(*steps.shape[:2], size**2, -1)
    return np.abs(np.linalg.eigvals(mean_over(products, p))).max()


def plan_of(parameters):
    return {
        "gamma": parameters.gamma,
        "local_step": parameters.local_step,
        "local_steps": parameters.local_steps,
        "momentum": parameters.momentum,
        "p": parameters.refresh_probability,
    }


@functools.cache
def contraction(compressor, outcomes, server, delta, local_steps=None, gamma_factor=1.0):
    problem = saddle(4, 2, mu=0.1, delta=delta, server=server * delta)
    parameters = optzoo.three_pillars_parameters(
        0.1,
        delta,
        problem.lipschitz,
        4,
        server_monotonicity=0.1,
        compressor=compressor,
        local_steps=local_steps,
    )
    plan = plan_of(parameters)
    plan["gamma"] *= gamma_factor
    return parameters, linear_steps(problem, compressor, plan, outcomes)


@pytest.mark.parametrize("delta", [0.2, 3.0])
@pytest.mark.parametrize("server", [-1.0, 0.0, 4.0], ids=["adversarial", "zero", "plus"])
def test_contraction_of_the_theorem_by_exact_second_moments(server, delta):
    parameters, steps = contraction(PermK(4), 4, server, delta, local_steps=1500)
    worst = worst_step(steps, parameters.refresh_probability)
    assert worst <= parameters.exact_contraction * (1 + 1e-12)
    if server == 0 and delta == 3.0:  # here the theorem is sharp
        assert 1 - parameters.exact_contraction > 0.95 * (1 - worst)
    parameters, steps = contraction(PermK(4), 4, server, delta)
    assert worst_step(steps, parameters.refresh_probability) <= parameters.contraction
    assert parameters.exact_contraction < parameters.contraction < 1


def test_contraction_where_the_server_alone_is_not_monotone():
    problem = saddle(4, 2, mu=0.1, delta=0.5, server=1.0)
    tilt = np.array([-0.6, 0.2, 0.2, 0.2])
    problem = AffineOperators(problem.matrices + tilt[:, None, None] * np.eye(4), problem.offsets)
    differences = problem.matrices - problem.matrices.mean(axis=0)
    moment = np.mean(np.swapaxes(differences, 1, 2) @ differences, axis=0)
    parameters = optzoo.three_pillars_parameters(
        0.1,
        np.linalg.norm(differences[0], 2),
        np.linalg.norm(problem.matrices[0], 2),
        4,
        average_similarity=np.sqrt(np.linalg.eigvalsh(moment)[-1]),
        server_monotonicity=-0.5,
    )
    steps = linear_steps(problem, PermK(4), plan_of(parameters), 4)
    worst = worst_step(steps, parameters.refresh_probability)
    assert worst <= parameters.contraction < 1


def test_one_client_has_the_second_moments_of_perm_k():
    parameters, by_blocks = contraction(PermK(4), 4, -1.0, 3.0)
    _, by_clients = contraction(SampledClients(1, 4), 4, -1.0, 3.0)
    p = parameters.refresh_probability
    forms = [mean_over(np.swapaxes(s, 2, 3) @ s, p) for s in (by_blocks, by_clients)]
    np.testing.assert_allclose(*forms, atol=1e-12)


def test_the_other_convention_for_the_reference_is_as_fast():
    """With m^{k+1} = z^{k+1} in the place of z^k."""
    parameters, steps = contraction(PermK(4), 4, 0.0, 3.0)
    other = steps.copy()
    half = steps.shape[-1] // 2
    other[1, :, half:] = other[1, :, :half]
    p = parameters.refresh_probability
    rates = [1 - asymptotic_rate(s, p) for s in (steps, other)]
    assert min(rates) >= 1 - parameters.exact_contraction
    np.testing.assert_allclose(rates[1], rates[0], rtol=0.2)


def test_gamma_above_its_limit_diverges_where_the_server_sees_no_rotation():
    parameters, steps = contraction(PermK(4), 4, -1.0, 3.0)
    p = parameters.refresh_probability
    assert asymptotic_rate(steps, p) < 1
    beyond = 1.4 * parameters.gamma_limit / parameters.gamma
    _, steps = contraction(PermK(4), 4, -1.0, 3.0, gamma_factor=beyond)
    assert asymptotic_rate(steps, p) > 1


def test_stochastic_local_steps_draw_anew_and_messages_are_exact():
    problem = unequal_operators(4, 5)
    calls = []

    def error(key):
        return np.random.default_rng(key).normal(size=5)

    def noisy(point, key):
        calls.append((np.asarray(point), tuple(np.asarray(key).tolist())))
        return problem.values(calls[-1][0])[0] + error(calls[-1][1])

    def stochastic(point, key):
        return jax.pure_callback(
            noisy, point, point, jax.random.key_data(key), vmap_method="sequential"
        )

    method = three_pillars(PermK(4), 0.3, 0.1, 2, 0.35, 0.25)
    paper = Reference(problem, 0.3, 0.1, 2, 0.35)
    z = m = np.full(5, 0.4)
    run, state = on_workers(
        method, problem, jnp.asarray(z), extras={"stochastic_server_operator_fn": stochastic}
    )
    run = jax.jit(run)
    for _ in range(5):
        following, state = jax.block_until_ready(run(jnp.asarray(z), state))
        noise = [error(key) for _, key in calls[-4:]]
        u = paper.server_point(z, m, noise)
        np.testing.assert_allclose(calls[-1][0], u, atol=1e-13)
        expected = paper.outcomes(u, m, perm_k_weights(4, 5))
        assert np.abs(expected - np.asarray(following)).max(axis=1).min() < 1e-13
        z, m = np.asarray(following), np.asarray(state.reference)
    assert len({key for _, key in calls}) == len(calls) == 5 * 4


def test_the_parameters_of_16_bit_take_steps_below_their_precision():
    """From 1, where bfloat16 numbers are 2^-7 apart, with steps of 2^-10."""
    method = three_pillars(Identity(2), 2.0**-10, 2.0**-12, 20, 0.0, 1.0)
    slope = jnp.full(3, -1.0, jnp.bfloat16)

    def step(z, state, _):
        updates, state = method.update(
            slope, state, z, operator_fn=lambda u: slope, server_operator_fn=lambda u: slope
        )
        return optax.apply_updates(z, updates), state

    z = jnp.ones(3, jnp.bfloat16)
    state = method.init(z)
    run = jax.jit(jax.vmap(step, (None, None, 0), None, axis_name=AXIS))
    for _ in range(64):
        z, state = run(z, state, jnp.zeros(2))
    assert z.dtype == jnp.bfloat16
    assert jax.tree.leaves(state.reference)[0].dtype == jnp.float32
    iterate = z.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(iterate, 1 + 64 * 2.0**-10, rtol=2e-3)
    np.testing.assert_allclose(z.astype(jnp.float32), iterate, rtol=2.0**-8)


GOOD = {
    "gamma": 0.1,
    "local_step": 0.1,
    "local_steps": 3,
    "momentum": 0.25,
    "refresh_probability": 0.25,
    "compressor": PermK(4),
    "axis_name": AXIS,
    "key": jax.random.key(0),
}


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("gamma", 0.0, ValueError, r"gamma must be positive.*got 0"),
        ("gamma", optax.constant_schedule(0.1), TypeError, r"gamma.*not a schedule"),
        ("local_step", -1.0, ValueError, r"local_step must be positive.*-1"),
        ("local_steps", 0, ValueError, r"local_steps must be an integer of at least 1.*0"),
        ("local_steps", 1.5, TypeError, r"local_steps must be an integer.*1.5"),
        ("momentum", 1.5, ValueError, r"momentum must lie in \[0, 1\].*1.5"),
        ("refresh_probability", 0.0, ValueError, r"refresh_probability.*\(0, 1\].*0"),
        ("refresh_probability", 1.5, ValueError, r"refresh_probability.*\(0, 1\].*1.5"),
        ("compressor", 4, TypeError, r"compressor must be one of optzoo.compressors.*4"),
        ("axis_name", 0, TypeError, r"axis_name must be the name of one axis.*0"),
        ("project", 1.0, TypeError, r"project must be a function"),
        ("key", 0, TypeError, r"key must be a PRNG key"),
    ],
)
def test_bad_arguments_are_named(name, value, error, message):
    with pytest.raises(error, match=message):
        optzoo.three_pillars(**{**GOOD, name: value})


def call(workers=4, operator=lambda u: u, project=None, **extras):
    method = optzoo.three_pillars(**GOOD, project=project)
    z = jnp.ones(3)

    def update(_):
        return method.update(z, method.init(z), z, operator_fn=operator, **extras)

    jax.eval_shape(jax.vmap(update, axis_name=AXIS), jnp.zeros(workers))


def test_bad_calls_are_named():
    with pytest.raises(ValueError, match=r"num_workers = 4.*'workers' has 5"):
        call(workers=5)
    method, z = optzoo.three_pillars(**GOOD), jnp.ones(3)
    with pytest.raises(ValueError, match=r"axis_name 'workers'.*there is none"):
        method.update(z, method.init(z), z, operator_fn=lambda u: u)
    with pytest.raises(ValueError, match=r"result of operator_fn must have the tree structure"):
        call(operator=lambda u: {"u": u})
    with pytest.raises(ValueError, match=r"result of operator_fn must have the shape.*\(3,\)"):
        call(operator=lambda u: u[:2])
    with pytest.raises(ValueError, match=r"result of server_operator_fn must have the tree"):
        call(server_operator_fn=lambda u: (u, u))
    with pytest.raises(ValueError, match=r"result of stochastic_server_operator_fn.*shape"):
        call(stochastic_server_operator_fn=lambda u, key: u[0])
    with pytest.raises(ValueError, match=r"result of project must have the shape"):
        call(project=lambda u: u[:1])
    arguments = {name: value for name, value in GOOD.items() if name != "compressor"}
    with pytest.raises(TypeError, match=r"clients must be an optzoo.compressors.SampledClients"):
        optzoo.three_pillars_partial_participation(**arguments, clients=PermK(4))
    with pytest.raises(TypeError, match=r"axis_name"):
        optzoo.three_pillars_specs(jnp.zeros(3), None)


def test_partial_participation_is_three_pillars_with_sampled_clients():
    clients = SampledClients(2, 4)
    arguments = {name: value for name, value in GOOD.items() if name != "compressor"}
    problem, z = unequal_operators(4, 5), jnp.ones(5)
    results = []
    for method in (
        optzoo.three_pillars(**arguments, compressor=clients),
        optzoo.three_pillars_partial_participation(**arguments, clients=clients),
    ):
        run, state = on_workers(method, problem, z)
        results.append(jax.jit(run)(z, state)[0])
    np.testing.assert_array_equal(*results)
