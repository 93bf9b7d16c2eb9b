"""What is wrong is named, with what was given and what is allowed, in every method alike."""

import jax
import jax.numpy as jnp
import optax
import pytest

import optzoo
from optzoo import compressors, lmo

KEY = jax.random.key(0)
BALL = lmo.l1_ball(1.0)
GOOD = {"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)}
NUMBERS = {
    "gamma": 0.1,
    "local_step": 0.1,
    "local_steps": 1,
    "momentum": 0.1,
    "refresh_probability": 0.1,
    "axis_name": "workers",
    "key": KEY,
}

METHODS = {
    "frank_wolfe": optzoo.frank_wolfe(BALL, 0.1),
    "away_step_frank_wolfe": optzoo.away_step_frank_wolfe(BALL, 0.1),
    "pairwise_frank_wolfe": optzoo.pairwise_frank_wolfe(BALL, optzoo.short_step(1.0)),
    "blended_pairwise_frank_wolfe": optzoo.blended_pairwise_frank_wolfe(BALL, 0.1),
    "sarah_frank_wolfe": optzoo.sarah_frank_wolfe(BALL, 0.1, 0.5, key=KEY),
    "saga_sarah_frank_wolfe": optzoo.saga_sarah_frank_wolfe(BALL, 0.1, 3),
    "stochastic_frank_wolfe": optzoo.stochastic_frank_wolfe(BALL, batch_size=1, samples_per_step=2),
    "momentum_frank_wolfe": optzoo.momentum_frank_wolfe(BALL),
    "svrf": optzoo.svrf(BALL, batch_size=1),
    "spider_frank_wolfe": optzoo.spider_frank_wolfe(BALL, batch_size=1),
    "sag_frank_wolfe": optzoo.sag_frank_wolfe(BALL, num_samples=3),
    "sagafw": optzoo.sagafw(BALL, 0.1, 3),
    "stochastic_conditional_gradient": optzoo.stochastic_conditional_gradient(BALL, 0.1),
    "randomized_gd": optzoo.randomized_gd(0.1),
    "randomized_accelerated_gd": optzoo.randomized_accelerated_gd(0.1, 0.1),
    "randomized_extragradient": optzoo.randomized_extragradient(0.1),
    "ito_chain": optzoo.ito_chain(0.1, noise=optzoo.gaussian_noise(), key=KEY),
    "sgld": optzoo.sgld(0.1, key=KEY),
    "stochastic_gradient_boosting": optzoo.stochastic_gradient_boosting(
        0.1, jax.tree.map(jnp.ones_like, GOOD), key=KEY
    ),
    "three_pillars": optzoo.three_pillars(**NUMBERS, compressor=compressors.Identity(1)),
    "master_weights": optzoo.master_weights(optax.sgd(0.1)),
    "reshaped": optzoo.reshaped(optax.sgd(0.1), block_size=1),
}
every_method = pytest.mark.parametrize("name", METHODS)


@every_method
@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (jnp.zeros(2, jnp.int32), "an array of dtype int32"),
        (jnp.zeros(2, bool), "an array of dtype bool"),
        (jnp.zeros(2, jnp.complex64), "an array of dtype complex64"),
        (jax.random.split(KEY), r"an array of dtype key"),
        (0.5, r"0\.5"),
        ("a", "'a'"),
    ],
    ids=["int", "bool", "complex", "key", "python", "string"],
)
def test_a_leaf_that_is_no_real_floating_array_is_named(name, leaf, words):
    method, params = METHODS[name], {**GOOD, "b": leaf}
    expected = rf"params\['b'\] must be a real floating array, got {words}"
    with pytest.raises(TypeError, match=expected):
        method.init(params)
    with pytest.raises(TypeError, match=expected):
        method.update(GOOD, method.init(GOOD), params)


@every_method
def test_no_parameters_at_all(name):
    with pytest.raises(TypeError, match="params must be a tree of real floating arrays, got None"):
        METHODS[name].init(None)


@pytest.mark.parametrize("name", ["frank_wolfe", "randomized_extragradient", "sgld"])
def test_a_none_inside_the_tree_is_no_leaf(name):
    params = {**GOOD, "frozen": None}
    updates, _ = METHODS[name].update(params, METHODS[name].init(params), params)
    assert jax.tree.structure(updates) == jax.tree.structure(params)


@every_method
@pytest.mark.parametrize("leaf", [1j * jnp.ones(2), "a"], ids=["complex", "string"])
def test_updates_that_are_not_real_are_named(name, leaf):
    method = METHODS[name]
    with pytest.raises(TypeError, match=r"updates\['b'\] must hold real numbers, got"):
        method.update({**GOOD, "b": leaf}, method.init(GOOD), GOOD)


@every_method
def test_the_state_of_another_method_or_of_other_parameters_is_refused(name):
    method = METHODS[name]
    state = method.init(GOOD)
    restored = jax.tree.map(jnp.zeros_like, list(state))
    other = METHODS["frank_wolfe" if name != "frank_wolfe" else "sgld"].init(GOOD)
    more = {
        "grad_fn": lambda p: p,
        "full_grad_fn": lambda p: p,
        "indices": jnp.array([0]),
        "sample_grads_fn": lambda p: p,
        "operator_fn": lambda p: p,
    }
    for wrong in (restored, other, None):
        with pytest.raises(ValueError, match=r"state must be a \w*State, got a"):
            method.update(GOOD, wrong, GOOD, **more)


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [
        (
            optzoo.sgld(0.1, key=KEY),
            optzoo.sgld(0.1, preconditioner=optzoo.rms_preconditioner(), key=KEY),
            r"state.preconditioner must be a RMSState, got None.*preconditioner",
        ),
        (
            optzoo.ito_chain(0.1, noise=None),
            optzoo.ito_chain(0.1, noise=optzoo.gaussian_noise(), key=KEY),
            r"state.key must be an array.*got None.*noise",
        ),
        (
            optzoo.saga_sarah_frank_wolfe(BALL, 0.1, 3),
            optzoo.saga_sarah_frank_wolfe(BALL, 0.1, 4),
            r"state.table must have shape \(4, 2\), got \(3, 2\).*num_samples = 4",
        ),
        (
            optzoo.saga_sarah_frank_wolfe(BALL, 0.1, 3, table="linear"),
            optzoo.saga_sarah_frank_wolfe(BALL, 0.1, 3),
            r"state.table must have shape \(3, 2\), got \(3,\).*table",
        ),
    ],
    ids=["preconditioner", "noise", "num_samples", "table"],
)
def test_a_state_made_with_other_settings_is_refused(made, asked, message):
    x = jnp.zeros(2)
    batch = {"indices": jnp.array([0]), "sample_grads_fn": lambda p: p[None]}
    with pytest.raises(ValueError, match=message):
        asked.update(x, made.init(x), x, **batch)


def test_a_state_for_16_bits_is_not_one_for_32():
    method, x = optzoo.frank_wolfe(BALL, 0.1), jnp.zeros(2)
    with pytest.raises(ValueError, match=r"state.remainder must be None, got an array"):
        method.update(x, method.init(x.astype(jnp.bfloat16)), x)


def chain(step, grad=lambda p, z: p):
    return optzoo.mlmc_gradient(grad, step, batch_size=2, max_level=1)


X = jnp.zeros(2)
CALLS = [
    (lambda: chain(lambda k, z: z)(KEY, X, 1.0), TypeError, r"step_fn must return a pair"),
    (lambda: chain(lambda k, z: (z,) * 3)(KEY, X, 1.0), TypeError, r"step_fn must return a pair"),
    (lambda: chain(lambda k, z: X)(KEY, X, 1.0), TypeError, r"step_fn must return a pair"),
    (lambda: chain(lambda k, z: ((z, z), z))(KEY, X, 1.0), ValueError, "chain_state.*structure"),
    (lambda: chain(lambda k, z: (X, z))(KEY, X, 1.0), ValueError, "chain_state.*shape"),
    (
        lambda: chain(lambda k, z: (z * 1.5, z))(KEY, X, jnp.int32(1)),
        ValueError,
        "chain_state.*dtype.*int32",
    ),
    (lambda: chain(lambda k, z: (z, z))(0, X, 1.0), TypeError, "key must be a PRNG key.*got 0"),
    (
        lambda: chain(lambda k, z: (z, z), lambda p, z: 1j * p)(KEY, X, 1.0),
        TypeError,
        "the result of grad_fn must hold real numbers",
    ),
    (lambda: chain(1), TypeError, "step_fn must be a function of a key.*got 1"),
    (lambda: chain(max, 1), TypeError, "grad_fn must be a function of the parameters.*got 1"),
    (
        lambda: optzoo.three_pillars_parameters(1, 1, 0.1, 4),
        ValueError,
        r"lipschitz must be at least strong_monotonicity = 1, got 0\.1",
    ),
    (
        lambda: optzoo.three_pillars_parameters(0.1, 1, 1, 2, dimension=-3),
        ValueError,
        "dimension must be an integer of at least 1",
    ),
    (
        lambda: optzoo.ThreePillarsParameters(-1.0, 1.0, 1.0, 0.0, 1.0, 0.1, 0.5, 1),
        ValueError,
        "strong_monotonicity must be positive",
    ),
    (
        lambda: optzoo.ThreePillarsParameters(0.1, 1.0, 1.0, 0.0, 1.0, 0.1, 2.0, 1),
        ValueError,
        r"refresh_probability must lie in \(0, 1\), got 2",
    ),
    (lambda: optzoo.frank_wolfe(BALL, True), TypeError, "learning_rate must be a real number"),
    (lambda: optzoo.frank_wolfe(BALL, jnp.array(1j)), TypeError, "learning_rate must be a real"),
    (
        lambda: optzoo.randomized_gd(lambda k, j: 0.1),
        TypeError,
        "learning_rate must be a number or a schedule, a function of the step count alone",
    ),
    (
        lambda: optzoo.sarah_frank_wolfe(BALL, 0.1, 0.1, key=jnp.zeros(7, jnp.uint32)),
        TypeError,
        "key must be a PRNG key",
    ),
    (lambda: optzoo.frank_wolfe_gap(BALL, 1.0, 1.0), TypeError, "params must be a real floating"),
    (lambda: optzoo.frank_wolfe_gap(BALL, None, None), TypeError, "params must be a tree of real"),
    (
        lambda: optzoo.gradient_calls(METHODS["sarah_frank_wolfe"].init(GOOD), "a", 3),
        TypeError,
        "num_samples must be a real number, got 'a'",
    ),
    (lambda: optzoo.stich_schedule("a", 0.5), TypeError, "horizon must be a real number, got 'a'"),
    (lambda: optzoo.accelerated_coefficients(-1, 1), ValueError, "learning_rate must be positive"),
    (lambda: optzoo.accelerated_coefficients(1, "a"), TypeError, "strong_convexity must be a pos"),
    (
        lambda: optzoo.ito_chain(
            0.1, noise=optzoo.gaussian_noise(), diffusion=jnp.array(1j), key=KEY
        ).init(X),
        TypeError,
        "diffusion must be made of real numbers",
    ),
    (lambda: optzoo.minibatch_diffusion(jnp.eye(2), 1.5), TypeError, "batch_size must be an int"),
    (lambda: optzoo.minibatch_diffusion(jnp.zeros((0, 2)), 1), ValueError, "n at least 1"),
    (lambda: optzoo.minibatch_diffusion("a", 1), TypeError, "sample_grads must be a real array"),
    (
        lambda: optzoo.sgld(0.1, preconditioner=1j * jnp.ones(2), key=KEY).init(X),
        TypeError,
        "preconditioner must be made of real numbers",
    ),
    (
        lambda: optzoo.sgld(0.1, preconditioner=optzoo.Preconditioner(1, 2), key=KEY),
        TypeError,
        "preconditioner.init must be a function",
    ),
    (lambda: optzoo.rms_preconditioner(adaptation_steps=1.5), TypeError, "adaptation_steps must"),
    (lambda: optzoo.decision_stumps(jnp.eye(2), 1.5), TypeError, "thresholds_per_column must be"),
    (
        lambda: optzoo.stochastic_gradient_boosting(0.1, jnp.full((2, 2), jnp.inf), key=KEY).init(
            jnp.zeros((2, 2))
        ),
        ValueError,
        "cell_sizes must be positive and finite",
    ),
    (
        lambda: optzoo.sampled_noise(lambda k, s, d: "a").draw(KEY, (2,), jnp.float32),
        TypeError,
        "sample must return a real array, it returned 'a'",
    ),
    (lambda: compressors.Identity(2).omega("a"), TypeError, "dimension must be a real number"),
    (lambda: compressors.NaturalCompression(2).omega(0), ValueError, "dimension must be an int"),
    (lambda: optzoo.three_pillars_specs({"w": 1}, "x"), TypeError, r"params\['w'\] must be a real"),
]


@pytest.mark.parametrize(("call", "error", "message"), CALLS, ids=[one[2] for one in CALLS])
def test_what_is_wrong_with_a_call_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("returned", [jnp.ones(2), (jnp.ones(2), None, None)])
def test_a_preconditioner_that_returns_no_pair(returned):
    rogue = optzoo.Preconditioner(lambda params: None, lambda grads, state: returned)
    method = optzoo.sgld(0.1, preconditioner=rogue, key=KEY)
    with pytest.raises(TypeError, match=r"preconditioner\.update must return a pair"):
        method.update(X, method.init(X), X)


FUNCTIONS = {
    "sarah_frank_wolfe": {"grad_fn": lambda p: p, "full_grad_fn": lambda p: p},
    "saga_sarah_frank_wolfe": {"sample_grads_fn": lambda p: p},
    "three_pillars": {
        "operator_fn": lambda p: p,
        "server_operator_fn": lambda p: p,
        "stochastic_server_operator_fn": lambda p, key: p,
    },
}


@pytest.mark.parametrize(
    ("name", "function"), [(name, each) for name in FUNCTIONS for each in FUNCTIONS[name]]
)
def test_what_should_be_a_function_is_one(name, function):
    method = METHODS[name]
    given = {"indices": jnp.array([0]), **FUNCTIONS[name], function: 1}
    with pytest.raises(TypeError, match=f"{function} must be a function of .*, got 1"):
        method.update(GOOD, method.init(GOOD), GOOD, **given)
