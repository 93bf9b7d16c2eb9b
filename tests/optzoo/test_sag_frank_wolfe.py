"""SAG Frank-Wolfe: its statement, the table and its mean, trees, counts, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

from . import stochastic_frank_wolfe_in_numpy as in_numpy
from .logistic_runs import (
    EVERY,
    SETS,
    STARTS,
    VERTICES,
    A,
    Y,
    drawing,
    drawn,
    gradient,
    iterates,
    run,
    scalars,
    stated,
)

N, D = in_numpy.N, in_numpy.D


def linear_extras(batch):
    return {
        "indices": batch,
        "sample_grads_fn": lambda p: scalars(p, batch),
        "features": A[batch],
    }


@pytest.mark.parametrize("b", [1, 4, N])
@pytest.mark.parametrize("name", SETS)
def test_the_iterates_are_those_of_the_statement(name, b):
    batches = drawn(40, b)
    method = optzoo.sag_frank_wolfe(SETS[name], num_samples=N)
    xs, calls, state = iterates(run(method, STARTS[name], batches, linear_extras))
    statement = in_numpy.sag_frank_wolfe(STARTS[name], VERTICES[name], drawing(batches))
    np.testing.assert_allclose(xs, stated(statement, 40), rtol=0, atol=1e-12)
    assert b == 1 or any(len(set(batch)) < b for batch in batches.tolist())
    mean = state.table @ A / N
    np.testing.assert_allclose(state.table_mean, mean, rtol=0, atol=1e-15)
    assert list(calls) == [1] * 40
    assert optzoo.gradient_calls(state, N, b) == 40 * b
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, N, b))(state)) == 40.0 * b


def test_a_warm_start_and_a_given_step():
    batches, x = drawn(30, 3), jnp.asarray(STARTS["simplex"])
    method = optzoo.sag_frank_wolfe(SETS["simplex"], lambda k: 1.0 / (k + 4.0), num_samples=N)
    start = optzoo.saga_warm_start(method.init(x), scalars(x, EVERY), features=A)
    np.testing.assert_allclose(start.table_mean, gradient(x, EVERY), rtol=0, atol=1e-15)
    warm = optax.GradientTransformationExtraArgs(lambda params: start, method.update)
    xs, *_ = iterates(run(warm, x, batches, linear_extras))
    alpha = [in_numpy.derivative(i, STARTS["simplex"]) for i in range(N)]
    statement = in_numpy.sag_frank_wolfe(
        STARTS["simplex"], in_numpy.simplex, drawing(batches), alpha, lambda k: 1 / (k + 4)
    )
    np.testing.assert_allclose(xs, stated(statement, 30), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_mean_does_not_drift_over_many_updates(dtype):
    """Changes of 1e-8 in a mean near 1, which a plain float32 sum would lose all of."""
    n, steps = 10**6, 2 * 10**4
    method = optzoo.sag_frank_wolfe(lmo.box(-1.0, 1.0), 0.5, num_samples=n)
    start = jnp.asarray(1.0 + np.random.default_rng(0).random(n), dtype)
    x, ones = jnp.zeros(1, dtype), jnp.ones((n, 1), dtype)
    state = optzoo.saga_warm_start(method.init(x), start, features=ones)

    @functools.partial(jax.jit, donate_argnums=0)
    def train(state):
        def step(k, state):
            scalar = (start[k] + jnp.asarray(0.01, dtype))[None]
            return method.update(
                scalar,
                state,
                x,
                indices=k[None] * 7 % n,
                sample_grads_fn=lambda p: scalar,
                features=ones[:1],
            )[1]

        return jax.lax.fori_loop(0, steps, step, state)

    before = float(state.table_mean[0])
    state = train(state)
    exact = np.asarray(state.table, np.float64).mean()
    unit = float(jnp.finfo(dtype).eps)
    assert abs((float(state.table_mean[0]) - exact) - (before - start.mean(dtype=float))) < 4 * unit
    assert abs(exact - before) > 1e-5


@pytest.mark.parametrize(("b", "steps"), [(1, 1), (1, 10), (5, 10)])
def test_a_donated_table_is_updated_in_place(b, steps):
    n, d = 20_000, 8
    method = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=n)

    def step(x, state, batch, a):
        updates, state = method.update(
            a.T @ (a @ x - 1.0) / b,
            state,
            x,
            indices=batch,
            sample_grads_fn=lambda p: a @ p - 1.0,
            features=a,
        )
        return optax.apply_updates(x, updates), state

    def train(x, state, batch, a):
        return jax.lax.fori_loop(
            0, steps, lambda k, carry: step(*carry, (batch + k) % n, a), (x, state)
        )

    x, batch, a = jnp.zeros(d), jnp.arange(b), jnp.ones((b, d))
    state = method.init(x)
    run_steps = step if steps == 1 else train
    compiled = jax.jit(run_steps, donate_argnums=(0, 1)).lower(x, state, batch, a).compile()
    memory = compiled.memory_analysis()
    assert memory.temp_size_in_bytes < 8 * n
    assert memory.alias_size_in_bytes >= state.table.nbytes
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(state)) < 8 * n + 100 * d


def test_weights_and_a_bias_are_one_vector():
    """A tree of parameters is the vector of its leaves, in every step."""
    batches = drawn(30, 3)
    vector = optzoo.sag_frank_wolfe(lmo.l2_ball(3.0), num_samples=N)
    expected, *_ = run(vector, np.zeros(D), batches, linear_extras)
    tree = optzoo.sag_frank_wolfe(lmo.l2_ball(3.0), num_samples=N)
    split = lambda v: {"b": v[..., 0], "w": v[..., 1:].reshape(*v.shape[:-1], -1, 1)}  # noqa: E731
    params = split(jnp.zeros(D))
    state = tree.init(params)

    @jax.jit
    def step(params, state, batch):
        x = jnp.concatenate([params["b"][None], params["w"].ravel()])
        updates, state = tree.update(
            split(gradient(x, batch)),
            state,
            params,
            indices=batch,
            sample_grads_fn=lambda p: scalars(
                jnp.concatenate([p["b"][None], p["w"].ravel()]), batch
            ),
            features=split(A[batch]),
        )
        return optax.apply_updates(params, updates), state

    for batch, x in zip(batches, expected, strict=True):
        params, state = step(params, state, jnp.asarray(batch))
        for key, leaf in split(x).items():
            np.testing.assert_allclose(params[key], leaf, rtol=0, atol=1e-12)
    assert state.table.shape == (N,)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_the_table_is_wide_in_16_bits(dtype):
    method = optzoo.sag_frank_wolfe(lmo.l2_ball(1.0), 1e-4, num_samples=2)
    x = jnp.zeros(2, dtype)
    state = method.init(x)
    assert state.table.dtype == state.table_mean.dtype == jnp.float32
    a = jnp.array([[0.0, 1.0]], dtype)

    @jax.jit
    def step(x, state):
        updates, state = method.update(
            a[0],
            state,
            x,
            indices=jnp.array([1]),
            sample_grads_fn=lambda p: jnp.ones(1, dtype),
            features=a,
        )
        return optax.apply_updates(x, updates), state

    for _ in range(200):
        x, state = step(x, state)
    reached = x.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(reached, [0, (1 - 1e-4) ** 200 - 1], rtol=1e-5, atol=0)


def test_an_index_out_of_range_is_never_silent():
    method, x = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=N), jnp.zeros(D)

    def step(batch):
        return method.update(
            jnp.ones(D),
            method.init(x),
            x,
            indices=batch,
            sample_grads_fn=lambda p: jnp.ones(2),
            features=jnp.ones((2, D)),
        )

    for batch in ([0, N], [0, -1], [2**31 - 1, 1]):
        with pytest.raises(ValueError, match=r"indices must lie in \[0, num_samples\) = \[0, 20\)"):
            step(jnp.array(batch))
        updates, state = jax.jit(step)(jnp.array(batch))
        assert np.all(np.isnan(updates))
        changed = np.flatnonzero(np.asarray(state.table))
        np.testing.assert_array_equal(changed, [i for i in batch if 0 <= i < N])


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int16, jnp.uint32, jnp.int64])
def test_indices_of_any_integer_dtype(dtype):
    n = 1000  # which a byte does not hold
    method, x = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=n), jnp.zeros(1)
    _, state = jax.jit(
        lambda batch: method.update(
            jnp.ones(1),
            method.init(x),
            x,
            indices=batch,
            sample_grads_fn=lambda p: jnp.array([2.0, 3.0]),
            features=jnp.ones((2, 1)),
        )
    )(jnp.array([250, 5], dtype))
    np.testing.assert_array_equal(np.flatnonzero(state.table), [5, 250])
    assert (state.table[250], state.table[5]) == (2.0, 3.0)


GOOD = {
    "indices": jnp.arange(2),
    "sample_grads_fn": lambda p: jnp.zeros(2),
    "features": jnp.ones((2, D)),
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"indices": None}, ValueError, "sag_frank_wolfe: the extra argument `indices` is missing"),
        ({"sample_grads_fn": None}, ValueError, "`sample_grads_fn` is missing"),
        ({"features": None}, ValueError, "`features` is missing"),
        ({"sample_grads_fn": 1}, TypeError, "sample_grads_fn must be a function"),
        ({"indices": [0, 1]}, TypeError, "indices must be an integer array"),
        ({"indices": jnp.arange(N + 1)}, ValueError, "1 <= b <= num_samples = 20"),
        (
            {"features": jnp.ones((D, 2))},
            ValueError,
            r"features must have one row per sample, shape \(2, 6\); it has \(6, 2\)",
        ),
        ({"features": [jnp.ones((2, D))]}, ValueError, "features must have the tree structure"),
        (
            {"sample_grads_fn": lambda p: jnp.zeros((2, D))},
            ValueError,
            r"result of sample_grads_fn must be scalars of shape \(2,\), got \(2, 6\)",
        ),
        (
            {"sample_grads_fn": lambda p: [jnp.zeros(2)]},
            ValueError,
            "result of sample_grads_fn must have the structure of one array",
        ),
        (
            {"sample_grads_fn": lambda p: jnp.array([0.0, 0.5])},
            ValueError,
            "updates must be the mean of the scalars",
        ),
    ],
)
def test_bad_batches_are_named(change, error, message):
    method, x = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=N), jnp.zeros(D)
    with pytest.raises(error, match=message):
        method.update(x, method.init(x), x, **{**GOOD, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"num_samples": 0}, ValueError, "num_samples must be an int of at least 1, got 0"),
        ({"num_samples": 2.0}, TypeError, r"num_samples must be an int, got 2\.0"),
        ({"learning_rate": 0.0}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"constraint": 1.0}, TypeError, "constraint must be a set"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        optzoo.sag_frank_wolfe(**{"constraint": lmo.simplex(), "num_samples": 3, **change})


def test_bad_warm_starts_are_named():
    x = jnp.zeros(D)
    state = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=N).init(x)
    with pytest.raises(ValueError, match=r"sample_grads must be scalars of shape \(20,\)"):
        optzoo.saga_warm_start(state, jnp.zeros((N, D)), features=A)
    with pytest.raises(ValueError, match="`features` is missing"):
        optzoo.saga_warm_start(state, jnp.zeros(N))
    with pytest.raises(ValueError, match="features must have one row per sample"):
        optzoo.saga_warm_start(state, jnp.zeros(N), features=A[:3])
    # One parameter that is a number has a table of the same shape for rows and for scalars.
    number = optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=2).init(jnp.zeros(()))
    with pytest.raises(ValueError, match="`features` is missing"):
        optzoo.saga_warm_start(number, jnp.ones(2))
    warm = optzoo.saga_warm_start(number, jnp.ones(2), features=jnp.array([3.0, 4.0]))
    assert float(warm.table_mean) == 3.5


def test_the_labels_are_those_of_the_problem():
    """Of both helpers: the derivatives of the statement and those that the runs are given."""
    x = np.linspace(-1, 1, D)
    np.testing.assert_allclose(
        scalars(jnp.asarray(x), EVERY), [in_numpy.derivative(i, x) for i in range(N)], rtol=1e-14
    )
    loss = lambda x: jnp.mean(jnp.log1p(jnp.exp(-Y * (A @ x))))  # noqa: E731
    np.testing.assert_allclose(jax.grad(loss)(jnp.asarray(x)), in_numpy.full(x), rtol=1e-12)


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.sag_frank_wolfe(lmo.l1_ball(1.0), num_samples=N).init(jnp.ones(D))


def test_a_traced_number_of_samples_is_refused_where_it_is_a_shape():
    method = optax.inject_hyperparams(optzoo.sag_frank_wolfe)(lmo.simplex(), num_samples=5)
    with pytest.raises(TypeError, match="num_samples must be known in `init`"):
        jax.jit(method.init)(jnp.eye(2)[0])
