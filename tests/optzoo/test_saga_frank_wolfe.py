"""Saga Sarah Frank-Wolfe: the recursion, its exact error, the table and its mean, errors."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

N, D, B = 12, 5, 4
ROWS = np.random.default_rng(0).normal(size=(N, D))
TARGETS = np.random.default_rng(1).normal(size=N)


def sample_scalars(x, batch):
    return jnp.asarray(ROWS)[batch] @ x - jnp.asarray(TARGETS)[batch]


def sample_gradients(x, batch):
    return jnp.asarray(ROWS)[batch] * sample_scalars(x, batch)[:, None]


def gradients_in_numpy(x):
    """All gradients of the samples, (N, D), of f_i(x) = (<a_i, x> - t_i)^2 / 2."""
    return ROWS * (ROWS @ x - TARGETS)[:, None]


def update(method, x, state, batch, table="rows"):
    extras = {"sample_grads_fn": lambda p: sample_gradients(p, batch)}
    if table == "linear":
        extras = {
            "sample_grads_fn": lambda p: sample_scalars(p, batch),
            "features": jnp.asarray(ROWS)[batch],
        }
    grads = jnp.mean(sample_gradients(x, batch), axis=0)
    return method.update(grads, state, x, indices=batch, **extras)


def draw(steps, replacement, seed=0, b=B):
    rng = np.random.default_rng(seed)
    return [rng.choice(N, size=b, replace=replacement) for _ in range(steps)]


@functools.partial(jax.jit, static_argnames=("method", "table"))
def step(method, x, state, batch, table):
    """Compiled once for a method, whatever its batches and its start."""
    updates, state = update(method, x, state, batch, table)
    return optax.apply_updates(x, updates), state


def run(method, x, batches, table="rows", state=None):
    """All (x^k, g^k) of a run, and its final state."""
    state, trace = method.init(x) if state is None else state, []
    for batch in batches:
        before = x
        x, state = step(method, x, state, jnp.asarray(batch), table)
        trace.append((np.asarray(before), np.asarray(state.estimate)))
    return trace, state


METHODS = {
    (table, mixing): optzoo.saga_sarah_frank_wolfe(
        lmo.l1_ball(2.0), optzoo.open_loop_schedule(), N, mixing=mixing, table=table
    )
    for table, mixing in (("rows", None), ("linear", 0.7))
}


@pytest.mark.parametrize(("table", "mixing"), METHODS)
@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("warm", [True, False])
def test_the_recursion_is_the_papers_against_plain_numpy(table, replacement, mixing, warm):
    method = METHODS[table, mixing]
    x = np.zeros(D)
    state, y = method.init(jnp.zeros(D)), np.zeros((N, D))
    if warm:
        y = gradients_in_numpy(x)
        entries = y if table == "rows" else ROWS @ x - TARGETS
        features = None if table == "rows" else jnp.asarray(ROWS)
        state = optzoo.saga_warm_start(state, jnp.asarray(entries), features=features)
    batches = draw(40, replacement)
    assert any(len(set(batch)) < B for batch in batches) is replacement
    trace, state = run(method, jnp.zeros(D), batches, table, state)

    lam = B / (2 * N) if mixing is None else mixing
    x_before, g = None, None
    for k, (batch, (x_seen, g_seen)) in enumerate(zip(batches, trace, strict=True)):
        np.testing.assert_allclose(x_seen, x, atol=1e-12)
        new = gradients_in_numpy(x)
        if k == 0:
            g = np.mean(new[batch] - y[batch], axis=0) + y.mean(axis=0)
        else:
            old = gradients_in_numpy(x_before)
            saga = np.mean(old[batch] - y[batch], axis=0) + y.mean(axis=0)
            g = np.mean(new[batch] - old[batch], axis=0) + (1 - lam) * g + lam * saga
        np.testing.assert_allclose(g_seen, g, atol=1e-12)
        y[batch] = new[batch]
        vertex = np.zeros(D)
        i = np.argmax(np.abs(g))
        vertex[i] = -2.0 * np.sign(g[i])
        x_before, x = x, x + 2 / (k + 2) * (vertex - x)
    kept = np.asarray(state.table)
    np.testing.assert_allclose(kept if table == "rows" else ROWS * kept[:, None], y, atol=1e-12)
    np.testing.assert_allclose(state.table_mean, y.mean(axis=0), atol=1e-13)


def test_the_first_estimate_is_the_batch_gradient_or_the_full_one():
    method = optzoo.saga_sarah_frank_wolfe(lmo.simplex(), 0.1, N)
    x = jnp.eye(D)[0]
    batch = jnp.array([3, 3, 7])
    _, cold = step(method, x, method.init(x), batch, "rows")
    rows = gradients_in_numpy(np.asarray(x))
    np.testing.assert_allclose(cold.estimate, rows[[3, 3, 7]].mean(axis=0), atol=1e-14)
    start = optzoo.saga_warm_start(method.init(x), jnp.asarray(rows))
    _, warm = step(method, x, start, batch, "rows")
    np.testing.assert_allclose(warm.estimate, rows.mean(axis=0), atol=1e-14)


def test_all_samples_at_once_with_full_mixing_give_the_exact_gradient():
    method = optzoo.saga_sarah_frank_wolfe(lmo.l2_ball(1.0), 0.2, N, mixing=1.0)
    for replacement in (True, False):
        trace, _ = run(method, jnp.zeros(D), draw(20, replacement, b=N))
        errors = [np.max(np.abs(g - gradients_in_numpy(x).mean(axis=0))) for x, g in trace]
        assert (max(errors) > 0.1) if replacement else (max(errors) < 1e-13)


@pytest.mark.parametrize("table", ["rows", "linear"])
@pytest.mark.parametrize(("b", "lam"), [(1, None), (2, 0.6), (2, None), (3, 1.0)])
def test_one_step_has_exactly_the_error_of_f5(table, b, lam):
    """Enumerates all batches of 5 samples: the identities behind both inequalities of F5."""
    n, mixing = 5, b / 10 if lam is None else lam
    rng = np.random.default_rng(2)
    a, t = rng.normal(size=(n, D)), rng.normal(size=n)
    x_old, x_new, g = rng.normal(size=(3, D)) / 3
    scalars = rng.normal(size=n)

    def gradients(x):
        return a * (a @ x - t)[:, None]

    y = scalars[:, None] * a if table == "linear" else rng.normal(size=(n, D))
    method = optzoo.saga_sarah_frank_wolfe(lmo.l2_ball(9.0), 0.1, n, mixing=lam, table=table)
    state = method.init(jnp.asarray(x_new))._replace(
        steps=jnp.int32(1),
        estimate=jnp.asarray(g),
        table=jnp.asarray(scalars if table == "linear" else y),
        table_mean=jnp.asarray(y.mean(axis=0)),
        previous=jnp.asarray(x_old),
    )
    product = list(itertools.product(range(n), repeat=b))
    subsets = list(itertools.combinations(range(n), b))

    @jax.vmap
    def after(batch):
        aj, tj = jnp.asarray(a)[batch], jnp.asarray(t)[batch]
        scale = aj if table == "rows" else 1.0
        extras = {} if table == "rows" else {"features": aj}

        def entries(p):
            values = aj @ p - tj
            return scale * (values[:, None] if table == "rows" else values)

        grads = jnp.mean(aj * (aj @ jnp.asarray(x_new) - tj)[:, None], axis=0)
        _, new = method.update(
            grads, state, jnp.asarray(x_new), indices=batch, sample_grads_fn=entries, **extras
        )
        kept = new.table if table == "rows" else new.table[:, None] * jnp.asarray(a)
        return new.estimate, kept, new.table_mean

    found = [np.asarray(v) for v in jax.jit(after)(jnp.array(product + subsets))]
    new, old = gradients(x_new), gradients(x_old)
    spread = new - old + mixing * (old - y)
    variance = np.mean(np.sum((spread - spread.mean(axis=0)) ** 2, axis=1))
    error = np.sum((g - old.mean(axis=0)) ** 2)
    for rows, nu, refreshed in (
        (slice(len(product)), 1 / b, 1 - (1 - 1 / n) ** b),  # with replacement
        (slice(len(product), None), (n - b) / (b * (n - 1)), b / n),  # without
    ):
        estimates, tables, means = (v[rows] for v in found)
        measured = np.mean(np.sum((estimates - new.mean(axis=0)) ** 2, axis=1))
        np.testing.assert_allclose(measured, (1 - mixing) ** 2 * error + nu * variance, rtol=1e-12)
        np.testing.assert_allclose(
            estimates.mean(axis=0) - new.mean(axis=0),
            (1 - mixing) * (g - old.mean(axis=0)),
            atol=1e-13,
        )
        stale = np.mean(np.sum((new - tables) ** 2, axis=-1))
        np.testing.assert_allclose(
            stale, (1 - refreshed) * np.mean(np.sum((new - y) ** 2, axis=1)), rtol=1e-12
        )
        np.testing.assert_allclose(means, tables.mean(axis=1), atol=1e-14)


@pytest.mark.parametrize("n", [1, 5])
def test_the_mean_is_that_of_the_table_whatever_is_repeated(n):
    """Batches of n of n samples, drawn with replacement: some sample is missing, most often."""
    shapes = {"s": (), "v": (3,), "w": (2, 2), "e": (1, 0)}
    params = {key: jnp.zeros(shape) for key, shape in shapes.items()}
    method = optzoo.saga_sarah_frank_wolfe(lmo.box(-1.0, 1.0), 0.1, n)

    @jax.jit
    def updated(grads, state, batch, rows):
        return method.update(grads, state, params, indices=batch, sample_grads_fn=lambda p: rows)[1]

    state, rng = method.init(params), np.random.default_rng(n)
    expected = jax.tree.map(np.array, state.table)
    for _ in range(12):
        batch = rng.integers(0, n, n)
        by_sample = {key: rng.normal(size=(n, *shape)) for key, shape in shapes.items()}
        rows = {key: values[batch] for key, values in by_sample.items()}
        grads = {key: np.mean(values, axis=0) for key, values in rows.items()}
        state = updated(grads, state, batch, rows)
        for key, values in by_sample.items():
            expected[key][batch] = values[batch]
            np.testing.assert_array_equal(state.table[key], expected[key])
            mean = expected[key].mean(axis=0)
            np.testing.assert_allclose(state.table_mean[key], mean, atol=1e-14)


def test_repeats_that_disagree_in_the_last_place_leave_table_and_mean_consistent():
    """A product of a batch may round equal rows differently; one of them must win everywhere."""
    method = optzoo.saga_sarah_frank_wolfe(lmo.box(-1.0, 1.0), 0.1, 2)
    rows = jnp.array([[1.0], [2.0]])
    _, state = method.update(
        jnp.array([1.5]),
        method.init(jnp.zeros(1)),
        jnp.zeros(1),
        indices=jnp.array([1, 1]),
        sample_grads_fn=lambda p: rows,
    )
    np.testing.assert_array_equal(state.table[:, 0], [0.0, 1.0])
    np.testing.assert_array_equal(state.table_mean, [0.5])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_mean_does_not_drift_over_many_updates(dtype):
    """Changes of 1e-8 in a mean near 1, which a plain float32 sum would lose all of."""
    n, steps = 10**6, 2 * 10**4
    method = optzoo.saga_sarah_frank_wolfe(lmo.box(-1.0, 1.0), 0.5, n)
    start = jnp.asarray(1.0 + np.random.default_rng(0).random((n, 1)), dtype)
    state = optzoo.saga_warm_start(method.init(jnp.zeros(1, dtype)), start)

    @functools.partial(jax.jit, donate_argnums=0)
    def train(state):
        def step(k, state):
            rows = (start[k] + jnp.asarray(0.01, dtype))[None]
            x = jnp.zeros(1, dtype)
            return method.update(
                rows[0], state, x, indices=k[None] * 7 % n, sample_grads_fn=lambda p: rows
            )[1]

        return jax.lax.fori_loop(0, steps, step, state)

    before = float(state.table_mean[0])
    state = train(state)
    exact = np.asarray(state.table, np.float64).mean()
    unit = float(jnp.finfo(dtype).eps)
    assert abs(before - np.asarray(start, np.float64).mean()) < 16 * unit
    # Half a unit of the mean's rounding, and the rounding of the sum it started from.
    assert abs((float(state.table_mean[0]) - exact) - (before - start.mean(dtype=float))) < 4 * unit
    assert abs(exact - before) > 1e-5


@pytest.mark.parametrize("table", ["rows", "linear"])
@pytest.mark.parametrize(("b", "steps"), [(1, 1), (1, 10), (5, 10)])
def test_a_donated_table_is_updated_in_place(table, b, steps):
    n, d = 20_000, 8
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, n, table=table)

    def step(x, state, batch, a):
        if table == "linear":
            extras = {"sample_grads_fn": lambda p: a @ p - 1.0, "features": a}
        else:
            extras = {"sample_grads_fn": lambda p: a * (a @ p - 1.0)[:, None]}
        grads = a.T @ (a @ x - 1.0) / b
        updates, state = method.update(grads, state, x, indices=batch, **extras)
        return optax.apply_updates(x, updates), state

    def train(x, state, batch, a):
        if steps == 1:
            return step(x, state, batch, a)
        return jax.lax.fori_loop(
            0, steps, lambda k, carry: step(*carry, (batch + k) % n, a), (x, state)
        )

    x, batch, a = jnp.zeros(d), jnp.arange(b), jnp.ones((b, d))
    state = method.init(x)
    train = jax.jit(train, donate_argnums=(0, 1)).lower(x, state, batch, a).compile()
    memory = train.memory_analysis()
    assert memory.temp_size_in_bytes < 8 * n  # less than one scalar a sample
    assert memory.alias_size_in_bytes >= state.table.nbytes
    where = state.table.unsafe_buffer_pointer()
    for _ in range(3):
        x, state = train(x, state, batch, a)
        assert state.table.unsafe_buffer_pointer() == where
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert held < 8 * n * (d if table == "rows" else 1) + 100 * d


def equations(jaxpr):
    for equation in jaxpr.eqns:
        inner = [v for v in equation.params.values() if hasattr(v, "eqns") or hasattr(v, "jaxpr")]
        for sub in inner:
            yield from equations(getattr(sub, "jaxpr", sub))
        if not inner:
            yield equation


@pytest.mark.parametrize("table", ["rows", "linear"])
def test_a_step_touches_only_the_rows_of_its_batch(table):
    n, b = 1009, 3
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, n, table=table)
    x = jnp.zeros(D)
    extras = {"features": jnp.ones((b, D))} if table == "linear" else {}
    shape = (b,) if table == "linear" else (b, D)

    def step(x, state, batch):
        return method.update(
            x, state, x, indices=batch, sample_grads_fn=lambda p: jnp.zeros(shape), **extras
        )

    traced = jax.make_jaxpr(step)(x, method.init(x), jnp.arange(b))
    touching = {
        equation.primitive.name
        for equation in equations(traced.jaxpr)
        if any(n in v.aval.shape for v in (*equation.invars, *equation.outvars))
    }
    assert touching == {"gather", "scatter"}


def test_two_batch_evaluations_a_step_and_the_count_says_so():
    calls = []

    def rows(p):
        jax.debug.callback(lambda: calls.append(1))
        return jnp.stack([p, p])

    method = optax.chain(optzoo.saga_sarah_frank_wolfe(lmo.simplex(), 0.1, 50), optax.scale(1.0))
    x = jnp.eye(3)[0]
    state = method.init(x)
    for k in range(7):
        updates, state = method.update(
            x, state, x, indices=jnp.array([k, k + 1]), sample_grads_fn=rows
        )
        x = optax.apply_updates(x, updates)
    jax.effects_barrier()
    assert 2 * len(calls) == optzoo.gradient_calls(state, 50, 2) == 28
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, 50, 2))(state)) == 28
    both = (state, optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, 0.5, key=jax.random.key(0)).init(x))
    with pytest.raises(ValueError, match=r"exactly one.*holds 2"):
        optzoo.gradient_calls(both, 50, 2)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_small_steps_are_not_lost_in_16_bits(dtype):
    method = optzoo.saga_sarah_frank_wolfe(lmo.simplex(), 1e-4, 4)
    x = jnp.eye(2, dtype=dtype)[0]
    state = method.init(x)
    assert state.table.dtype == state.estimate.dtype == state.table_mean.dtype == jnp.float32
    assert state.previous.dtype == dtype
    uphill = jnp.array([1.0, -1.0], dtype)

    @jax.jit
    def step(x, state):
        updates, state = method.update(
            uphill, state, x, indices=jnp.array([1]), sample_grads_fn=lambda p: uphill[None]
        )
        return optax.apply_updates(x, updates), state

    for _ in range(200):
        x, state = step(x, state)
    assert x.dtype == dtype
    iterate = x.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(iterate[0], (1 - 1e-4) ** 200, rtol=1e-5)


@pytest.mark.parametrize("table", ["rows", "linear"])
def test_an_index_out_of_range_is_never_silent(table):
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N, table=table)
    x = jnp.zeros(D)

    def step(batch):
        extras = {"features": jnp.ones((2, D))} if table == "linear" else {}
        entries = jnp.ones(2) if table == "linear" else jnp.ones((2, D))
        return method.update(
            jnp.ones(D),
            method.init(x),
            x,
            indices=batch,
            sample_grads_fn=lambda p: entries,
            **extras,
        )

    compiled = jax.jit(step)
    for batch in ([0, N], [0, -1], [2**31 - 1, 1]):
        with pytest.raises(ValueError, match=r"indices must lie in \[0, num_samples\) = \[0, 12\)"):
            step(jnp.array(batch))
        updates, state = compiled(jnp.array(batch))
        assert np.all(np.isnan(updates))
        changed = np.flatnonzero(np.asarray(state.table).reshape(N, -1)[:, 0])
        np.testing.assert_array_equal(changed, [i for i in batch if 0 <= i < N])


def test_nan_gradients_are_not_swallowed():
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N)
    x = jnp.zeros(2)
    bad = jnp.array([[1.0, jnp.nan], [1.0, 1.0]])

    def step(rows, grads):
        return method.update(
            grads, method.init(x), x, indices=jnp.arange(2), sample_grads_fn=lambda p: rows
        )[0]

    assert bool(jnp.all(jnp.isnan(jax.jit(step)(bad, jnp.mean(bad, axis=0)))))
    with pytest.raises(ValueError, match="finite"):
        step(bad, jnp.mean(bad, axis=0))
    with pytest.raises(ValueError, match="must be the mean of the rows"):
        step(bad, jnp.ones(2))


def test_gradients_that_are_not_the_mean_of_the_rows_are_named():
    method = optzoo.saga_sarah_frank_wolfe(lmo.box(-1.0, 1.0), 0.1, N)
    params = {"w": jnp.zeros(2), "b": jnp.zeros(())}
    rows = {"w": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "b": jnp.array([1.0, 3.0])}

    def step(grads):
        return method.update(
            grads,
            method.init(params),
            params,
            indices=jnp.arange(2),
            sample_grads_fn=lambda p: rows,
        )

    step({"w": jnp.array([2.0, 3.0 + 1e-9]), "b": jnp.array(2.0)})
    with pytest.raises(ValueError, match=r"updates\['w'\] must be the mean of the rows"):
        step({"w": jnp.array([2.0, 3.01]), "b": jnp.array(2.0)})
    with pytest.raises(ValueError, match=r"updates\['b'\] must be the mean of the rows"):
        step({"w": jnp.array([2.0, 3.0]), "b": jnp.array(0.0)})


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"num_samples": 0}, ValueError, r"num_samples must be an int of at least 1, got 0"),
        ({"num_samples": True}, ValueError, r"num_samples must be an int of at least 1, got True"),
        ({"num_samples": 10.0}, TypeError, r"num_samples must be an int, got 10.0"),
        ({"mixing": 0.0}, ValueError, r"mixing must lie in \(0, 1\], got 0.0"),
        ({"mixing": 1.01}, ValueError, r"mixing must lie in \(0, 1\], got 1.01"),
        ({"mixing": float("nan")}, ValueError, r"mixing must lie in \(0, 1\], got nan"),
        ({"mixing": "b/2n"}, TypeError, r"mixing must be"),
        ({"table": "columns"}, ValueError, r'table must be "rows" or "linear", got \'columns\''),
        ({"learning_rate": 0.0}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"constraint": 1.0}, TypeError, r"constraint must be a set"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, message):
    good = {"constraint": lmo.simplex(), "learning_rate": 0.1, "num_samples": 5}
    with pytest.raises(error, match=message):
        optzoo.saga_sarah_frank_wolfe(**{**good, **kwargs})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"indices": None}, ValueError, "`indices` is missing"),
        ({"sample_grads_fn": None}, ValueError, "`sample_grads_fn` is missing"),
        ({"indices": jnp.array([0.0, 1.0])}, TypeError, "indices must be an integer array"),
        ({"indices": [0, 1]}, TypeError, "indices must be an integer array"),
        ({"indices": jnp.array(0)}, ValueError, r"indices must have shape \(b,\).*got \(\)"),
        ({"indices": jnp.array([], int)}, ValueError, r"1 <= b <= num_samples = 12, got \(0,\)"),
        ({"indices": jnp.zeros(13, int)}, ValueError, r"num_samples = 12, got \(13,\)"),
        (
            {"sample_grads_fn": lambda p: jnp.zeros((3, D))},
            ValueError,
            r"result of sample_grads_fn must have one row per sample, shape \(2, 5\)",
        ),
        ({"sample_grads_fn": lambda p: [p]}, ValueError, "result of sample_grads_fn.*structure"),
        ({"features": jnp.zeros((2, D))}, ValueError, 'features belongs to table="linear"'),
    ],
)
def test_bad_batches_are_named(change, error, message):
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N)
    x = jnp.zeros(D)
    extras = {"indices": jnp.arange(2), "sample_grads_fn": lambda p: jnp.zeros((2, D)), **change}
    with pytest.raises(error, match=message):
        method.update(x, method.init(x), x, **extras)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": None}, r"`features` is missing.*shape \(2, 5\)"),
        ({"features": jnp.zeros((D, 2))}, r"features must have shape \(2, 5\), got \(5, 2\)"),
        (
            {"sample_grads_fn": lambda p: jnp.zeros((2, D))},
            r"result of sample_grads_fn must be scalars of shape \(2,\), got \(2, 5\)",
        ),
    ],
)
def test_bad_linear_batches_are_named(change, message):
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N, table="linear")
    x = jnp.zeros(D)
    extras = {
        "indices": jnp.arange(2),
        "sample_grads_fn": lambda p: jnp.zeros(2),
        "features": jnp.ones((2, D)),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        method.update(x, method.init(x), x, **extras)


@pytest.mark.parametrize("params", [jnp.zeros((2, 2)), {"a": jnp.zeros(2), "b": jnp.zeros(2)}])
def test_a_linear_table_needs_one_vector(params):
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N, table="linear")
    with pytest.raises(ValueError, match="one vector"):
        method.init(params)


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N).init(jnp.ones(D))


def test_a_traced_number_of_samples_is_refused_where_it_is_a_shape():
    method = optax.inject_hyperparams(optzoo.saga_sarah_frank_wolfe)(lmo.simplex(), 0.1, 5)
    x = jnp.eye(2)[0]
    with pytest.raises(TypeError, match=r"num_samples must be known in `init`"):
        jax.jit(method.init)(x)
    static = optax.inject_hyperparams(optzoo.saga_sarah_frank_wolfe, static_args="num_samples")
    assert jax.jit(static(lmo.simplex(), 0.1, 5).init)(x).inner_state.table.shape == (5, 2)


def test_bad_warm_starts_are_named():
    x = jnp.zeros(D)
    rows = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N).init(x)
    linear = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N, table="linear").init(x)
    with pytest.raises(ValueError, match=r"sample_grads must have one row per sample"):
        optzoo.saga_warm_start(rows, jnp.zeros((N - 1, D)))
    with pytest.raises(ValueError, match=r"sample_grads must be scalars of shape \(12,\)"):
        optzoo.saga_warm_start(linear, jnp.zeros((N, D)), features=jnp.zeros((N, D)))
    with pytest.raises(ValueError, match=r"features. is missing"):
        optzoo.saga_warm_start(linear, jnp.zeros(N))
    with pytest.raises(ValueError, match="features belongs to"):
        optzoo.saga_warm_start(rows, jnp.zeros((N, D)), features=jnp.zeros((N, D)))
    with pytest.raises(TypeError, match=r"must be a SagaSarahFrankWolfeState, .* got tuple"):
        optzoo.saga_warm_start((rows,), jnp.zeros((N, D)))


def test_a_warm_start_survives_donation():
    method = optzoo.saga_sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, N)
    given = jnp.asarray(gradients_in_numpy(np.zeros(D)))
    state = optzoo.saga_warm_start(method.init(jnp.zeros(D)), given)
    step = jax.jit(lambda s: update(method, jnp.zeros(D), s, jnp.arange(2)), donate_argnums=0)
    step(state)
    assert bool(jnp.all(jnp.isfinite(given)))
