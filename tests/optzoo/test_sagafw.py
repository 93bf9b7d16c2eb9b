"""SAGAFW: its statement, two batches and one table, counts, errors."""

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
    drawn,
    gradient,
    iterates,
    rows,
    run,
    scalars,
    stated,
)

N, D = in_numpy.N, in_numpy.D
STEP = optzoo.open_loop_schedule(3.0)
ENTRIES = {"rows": rows, "linear": scalars}


def extras(table, pair):
    found = {}
    for prefix, function, batch in (
        ("", "sample_grads_fn", pair[0]),
        ("refresh_", "refresh_grads_fn", pair[1]),
    ):
        found[f"{prefix}indices"] = batch
        found[function] = lambda p, batch=batch: ENTRIES[table](p, batch)
        if table == "linear":
            found[f"{prefix}features"] = A[batch]
    return found


def started(method, x, table):
    """The method with its table filled as in the paper."""
    x = jnp.asarray(x)
    features = A if table == "linear" else None
    state = optzoo.saga_warm_start(method.init(x), ENTRIES[table](x, EVERY), features=features)
    return optax.GradientTransformationExtraArgs(lambda params: state, method.update)


def draw_pairs(calls, sizes, seed=0):
    return drawn(calls, sizes[0], seed), drawn(calls, sizes[1], seed + 1)


def run_pairs(method, x, pairs, table):
    return run(
        method,
        x,
        pairs,
        extras=functools.partial(extras, table),
        gradients=lambda p, pair: gradient(p, pair[0]),
    )


def next_of(pairs):
    left = iter(zip(*pairs, strict=True))
    return lambda: next(left)


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("sizes", [(1, 1), (4, 4), (N, 7)])
@pytest.mark.parametrize(("name", "table"), [("l1_ball", "rows"), ("simplex", "linear")])
def test_the_iterates_are_those_of_the_statement(name, table, sizes, warm):
    pairs = draw_pairs(40, sizes)
    method = optzoo.sagafw(SETS[name], STEP, N, table=table)
    of_start = started(method, STARTS[name], table) if warm else method
    xs, calls, state = iterates(run_pairs(of_start, STARTS[name], pairs, table))
    statement = in_numpy.sagafw(
        STARTS[name], VERTICES[name], next_of(pairs), lambda k: 2 / (k + 3), warm
    )
    np.testing.assert_allclose(xs, stated(statement, 40), rtol=0, atol=1e-12)
    if sizes[0] > 1:
        assert all(any(len(set(b)) < len(b) for b in batches.tolist()) for batches in pairs)
    of_table = state.table @ A / N if table == "linear" else jnp.mean(state.table, axis=0)
    np.testing.assert_allclose(state.table_mean, of_table, rtol=0, atol=1e-15)
    assert list(calls) == [1] * 40
    assert optzoo.gradient_calls(state, N, 4) == 320
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, N, 4))(state)) == 320.0


def test_the_first_estimate_of_a_warm_start_is_the_full_gradient():
    """So that the first step does not depend on either batch."""
    method = started(optzoo.sagafw(SETS["l1_ball"], 0.5, N), STARTS["l1_ball"], "rows")
    after = [
        run_pairs(method, STARTS["l1_ball"], draw_pairs(1, (3, 3), seed), "rows")[0]
        for seed in range(3)
    ]
    target = in_numpy.l1_ball(in_numpy.full(STARTS["l1_ball"]))
    for x in after:
        np.testing.assert_allclose(x[0], 0.5 * target, rtol=0, atol=1e-15)


def test_repeats_that_disagree_in_the_last_place_leave_table_and_mean_consistent():
    method, x = optzoo.sagafw(lmo.box(-1.0, 1.0), 0.1, 2), jnp.zeros(1)
    _, state = method.update(
        jnp.array([7.0]),
        method.init(x),
        x,
        indices=jnp.array([0]),
        sample_grads_fn=lambda p: jnp.array([[7.0]]),
        refresh_indices=jnp.array([1, 1]),
        refresh_grads_fn=lambda p: jnp.array([[1.0], [2.0]]),
    )
    np.testing.assert_array_equal(state.table[:, 0], [0.0, 1.0])
    np.testing.assert_array_equal(state.table_mean, [0.5])


@pytest.mark.parametrize("table", ["rows", "linear"])
@pytest.mark.parametrize(("b", "steps"), [(1, 1), (1, 10), (5, 10)])
def test_a_donated_table_is_updated_in_place(table, b, steps):
    n, d = 20_000, 8
    method = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, n, table=table)

    def step(x, state, batch, a):
        entries = lambda p: a @ p - 1.0  # noqa: E731
        grads_fn = entries if table == "linear" else lambda p: a * entries(p)[:, None]
        features = {"features": a, "refresh_features": a} if table == "linear" else {}
        updates, state = method.update(
            a.T @ entries(x) / b,
            state,
            x,
            indices=batch,
            sample_grads_fn=grads_fn,
            refresh_indices=(3 * batch + 1) % n,
            refresh_grads_fn=grads_fn,
            **features,
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
    assert memory.temp_size_in_bytes < 8 * n  # less than one scalar a sample
    assert memory.alias_size_in_bytes >= state.table.nbytes


def test_small_steps_are_not_lost_in_16_bits():
    method, x = optzoo.sagafw(lmo.simplex(), 1e-4, 4), jnp.eye(2, dtype=jnp.bfloat16)[0]
    state = method.init(x)
    assert state.table.dtype == state.table_mean.dtype == jnp.float32
    uphill = jnp.array([1.0, -1.0], jnp.bfloat16)

    @jax.jit
    def step(x, state):
        updates, state = method.update(
            uphill,
            state,
            x,
            indices=jnp.array([1]),
            sample_grads_fn=lambda p: uphill[None],
            refresh_indices=jnp.array([2]),
            refresh_grads_fn=lambda p: uphill[None],
        )
        return optax.apply_updates(x, updates), state

    for _ in range(200):
        x, state = step(x, state)
    reached = x.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(reached[0], (1 - 1e-4) ** 200, rtol=1e-5)


def test_an_index_out_of_range_is_never_silent():
    method, x = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N), jnp.zeros(D)

    def step(state, drawn, renewed):
        return method.update(
            jnp.ones(D),
            state,
            x,
            indices=drawn,
            sample_grads_fn=lambda p: jnp.ones((2, D)),
            refresh_indices=renewed,
            refresh_grads_fn=lambda p: jnp.ones((2, D)),
        )

    good = jnp.array([0, 1])
    for bad in ([0, N], [0, -1]):
        bad = jnp.array(bad)
        with pytest.raises(ValueError, match=r"^indices must lie in \[0, num_samples\)"):
            step(method.init(x), bad, good)
        with pytest.raises(ValueError, match=r"^refresh_indices must lie in \[0, num_samples\)"):
            step(method.init(x), good, bad)
        updates, _ = jax.jit(step)(method.init(x), bad, good)
        assert np.all(np.isnan(updates))
        updates, state = jax.jit(step)(method.init(x), good, bad)
        assert np.all(np.isfinite(updates))
        np.testing.assert_array_equal(np.flatnonzero(state.table[:, 0]), [0])
        updates, _ = jax.jit(step)(state, good, good)
        assert np.all(np.isnan(updates))


GOOD = {
    "indices": jnp.arange(2),
    "sample_grads_fn": lambda p: jnp.zeros((2, D)),
    "refresh_indices": jnp.arange(3),
    "refresh_grads_fn": lambda p: jnp.zeros((3, D)),
}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *(({name: None}, ValueError, f"sagafw: .*`{name}` is missing") for name in GOOD),
        ({"refresh_grads_fn": 1}, TypeError, "refresh_grads_fn must be a function"),
        ({"refresh_indices": jnp.array([0.5])}, TypeError, "refresh_indices must be an integer"),
        ({"refresh_indices": jnp.zeros(0, int)}, ValueError, "refresh_indices must have shape"),
        (
            {"refresh_grads_fn": lambda p: jnp.zeros((2, D))},
            ValueError,
            r"result of refresh_grads_fn must have one row per sample, shape \(3, 6\)",
        ),
        (
            {"sample_grads_fn": lambda p: jnp.zeros((3, D))},
            ValueError,
            r"result of sample_grads_fn must have one row per sample, shape \(2, 6\)",
        ),
        ({"features": jnp.ones((2, D))}, ValueError, '^features belongs to table="linear"'),
        ({"refresh_features": jnp.ones((3, D))}, ValueError, "^refresh_features belongs to"),
        (
            {"sample_grads_fn": lambda p: jnp.ones((2, D))},
            ValueError,
            "updates must be the mean of the rows that sample_grads_fn returns at params",
        ),
    ],
)
def test_bad_batches_are_named(change, error, message):
    method, x = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N), jnp.zeros(D)
    with pytest.raises(error, match=message):
        method.update(x, method.init(x), x, **{**GOOD, **change})


@pytest.mark.parametrize("missing", ["features", "refresh_features"])
def test_a_linear_table_needs_features(missing):
    method, x = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N, table="linear"), jnp.zeros(D)
    given = extras("linear", (jnp.arange(2), jnp.arange(3)))
    with pytest.raises(ValueError, match=f"`{missing}` is missing; a linear table"):
        method.update(gradient(x, jnp.arange(2)), method.init(x), x, **{**given, missing: None})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"num_samples": 0}, ValueError, "num_samples must be an int of at least 1, got 0"),
        ({"num_samples": "a"}, TypeError, "num_samples must be an int, got 'a'"),
        ({"learning_rate": 2.0}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"constraint": 1.0}, TypeError, "constraint must be a set"),
        ({"table": "columns"}, ValueError, 'table must be "rows" or "linear"'),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    good = {"constraint": lmo.simplex(), "learning_rate": 0.1, "num_samples": 3}
    with pytest.raises(error, match=message):
        optzoo.sagafw(**{**good, **change})


def test_bad_warm_starts_are_named():
    x = jnp.zeros(D)
    table = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N).init(x)
    linear = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N, table="linear").init(x)
    with pytest.raises(ValueError, match="sample_grads must have one row per sample"):
        optzoo.saga_warm_start(table, jnp.zeros((N - 1, D)))
    with pytest.raises(ValueError, match="features belongs to"):
        optzoo.saga_warm_start(table, jnp.zeros((N, D)), features=A)
    with pytest.raises(ValueError, match="sample_grads must be scalars of shape"):
        optzoo.saga_warm_start(linear, jnp.zeros((N, D)), features=A)
    with pytest.raises(ValueError, match="`features` is missing"):
        optzoo.saga_warm_start(linear, jnp.zeros(N))
    # One parameter that is a number has a table of the same shape for rows and for scalars.
    number = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, 2).init(jnp.zeros(()))
    assert float(optzoo.saga_warm_start(number, jnp.array([1.0, 3.0])).table_mean) == 2.0
    number = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, 2, table="linear").init(jnp.zeros(()))
    warm = optzoo.saga_warm_start(number, jnp.ones(2), features=jnp.array([3.0, 4.0]))
    assert float(warm.table_mean) == 3.5


def test_a_state_made_with_other_settings_is_refused():
    x = jnp.zeros(D)
    table, linear = (optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N, table=t) for t in ENTRIES)
    with pytest.raises(ValueError, match=r"state.table must have shape \(20,\), got \(20, 6\).*ta"):
        linear.update(x, table.init(x), x, **GOOD)
    with pytest.raises(ValueError, match=r"state.table must have shape \(20, 6\), got \(20,\)"):
        table.update(x, linear.init(x), x, **GOOD)


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N).init(jnp.ones(D))


@pytest.mark.parametrize("table", ENTRIES)
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(jnp.float16, jnp.float32), (jnp.float32, jnp.float32), (jnp.float64, jnp.float64)],
)
def test_the_table_is_as_wide_as_the_iterate(table, dtype, expected):
    state = optzoo.sagafw(lmo.l1_ball(1.0), 0.1, N, table=table).init(jnp.zeros(D, dtype))
    assert state.table.dtype == state.table_mean.dtype == expected
