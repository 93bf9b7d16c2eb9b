"""Frank-Wolfe and Sarah Frank-Wolfe: the recursion, exactness, feasibility, counts, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from optzoo import lmo

N, D, B = 12, 5, 3
ROWS = np.random.default_rng(0).normal(size=(N, D))
TARGETS = np.random.default_rng(1).normal(size=N)


def full_gradient(x):
    return ROWS.T @ (ROWS @ x - TARGETS) / N


def batch_gradient(x, batch):
    rows, targets = jnp.asarray(ROWS)[batch], jnp.asarray(TARGETS)[batch]
    return rows.T @ (rows @ x - targets) / len(batch)


def run_sarah(method, x, steps, seed=0):
    """All (x^k, g^k) of a run, and its final state."""
    state, trace = method.init(x), []
    rng = np.random.default_rng(seed)

    @jax.jit
    def step(x, state, batch):
        updates, state = method.update(
            batch_gradient(x, batch),
            state,
            x,
            grad_fn=lambda p: batch_gradient(p, batch),
            full_grad_fn=lambda p: jnp.asarray(ROWS).T @ (jnp.asarray(ROWS) @ p - TARGETS) / N,
        )
        return optax.apply_updates(x, updates), state

    batches = rng.integers(N, size=(steps, B))
    for batch in batches:
        before = x
        x, state = step(x, state, jnp.asarray(batch))
        trace.append((np.asarray(before), np.asarray(state.estimate), batch, int(state.restarts)))
    return x, state, trace


def test_the_recursion_is_the_papers_against_plain_numpy():
    method = optzoo.sarah_frank_wolfe(
        lmo.l1_ball(2.0), optzoo.open_loop_schedule(), 0.2, key=jax.random.key(3)
    )
    x_end, _, trace = run_sarah(method, jnp.zeros(D), 60)
    x, before, g, restarts, seen = np.zeros(D), np.zeros(D), np.zeros(D), 0, []
    for k, (x_seen, g_seen, batch, restarts_seen) in enumerate(trace):
        np.testing.assert_allclose(x_seen, x, atol=1e-12)
        if restarts_seen > restarts:
            g = full_gradient(x)
        else:
            rows, targets = ROWS[batch], TARGETS[batch]
            g = g + rows.T @ (rows @ x - targets) / B - rows.T @ (rows @ before - targets) / B
        np.testing.assert_allclose(g_seen, g, atol=1e-12)
        restarts, before = restarts_seen, x
        seen.append(restarts)
        vertex = np.zeros(D)
        i = np.argmax(np.abs(g))
        vertex[i] = -2.0 * np.sign(g[i])
        x = x + 2 / (k + 2) * (vertex - x)
    np.testing.assert_allclose(x_end, x, atol=1e-12)
    assert seen[0] == 1
    assert 5 < seen[-1] < 25  # both branches occurred


def test_restart_probability_one_is_frank_wolfe():
    sarah = optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, 1.0, key=jax.random.key(0))
    x_end, state, _ = run_sarah(sarah, jnp.eye(D)[0], 30)
    plain = optzoo.frank_wolfe(lmo.simplex(), 0.1)
    x = jnp.eye(D)[0]
    plain_state = plain.init(x)
    update = jax.jit(plain.update)
    for _ in range(30):
        updates, plain_state = update(full_gradient(np.asarray(x)), plain_state, x)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(x_end, x, atol=1e-13)
    assert int(state.restarts) == 30


def test_the_full_gradient_is_evaluated_on_restarts_only():
    calls = []

    def full_grad_fn(x):
        jax.debug.callback(lambda: calls.append("full"))
        return x

    def grad_fn(x):
        jax.debug.callback(lambda: calls.append("batch"))
        return x

    method = optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, 0.3, key=jax.random.key(1))
    x = jnp.eye(3)[0]
    state = method.init(x)

    @jax.jit
    def step(x, state):
        updates, state = method.update(x, state, x, grad_fn=grad_fn, full_grad_fn=full_grad_fn)
        return optax.apply_updates(x, updates), state

    for _ in range(40):
        x, state = step(x, state)
    jax.effects_barrier()
    assert calls.count("full") == int(state.restarts) < 25
    assert calls.count("batch") == 40 - int(state.restarts)


@given(
    p=st.floats(1e-6, 1.0, exclude_min=True),
    steps=st.integers(1, 20),
    n=st.integers(1, 10**7),
    b=st.integers(1, 10**4),
)
@settings(max_examples=8, deadline=None)
def test_gradient_calls_counts_what_the_state_counted(p, steps, n, b):
    method = optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, p, key=jax.random.key(7))
    state = method.init(jnp.eye(2)[0])._replace(steps=jnp.int32(steps), restarts=jnp.int32(1))
    assert optzoo.gradient_calls(state, n, b) == n + 2 * b * (steps - 1)
    chained = (optax.EmptyState(), (state,))
    assert optzoo.gradient_calls(chained, n, b) == n + 2 * b * (steps - 1)
    traced = jax.jit(lambda s: optzoo.gradient_calls(s, n, b))(state)
    assert float(traced) == n + 2 * b * (steps - 1)


def test_gradient_calls_needs_one_state_and_positive_sizes():
    state = optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, 0.5, key=jax.random.key(0)).init(
        jnp.eye(2)[0]
    )
    with pytest.raises(ValueError, match=r"exactly one.*holds 0"):
        optzoo.gradient_calls(optax.EmptyState(), 10, 1)
    with pytest.raises(ValueError, match=r"exactly one.*holds 2"):
        optzoo.gradient_calls((state, state), 10, 1)
    with pytest.raises(ValueError, match="num_samples must be an integer of at least 1, got 0"):
        optzoo.gradient_calls(state, 0, 1)
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got -2"):
        optzoo.gradient_calls(state, 5, -2)


def test_the_coin_is_fair_to_the_stated_probability():
    """The coin's frequency over 2^17 keys is within five binomial standard deviations of p."""
    x = jnp.eye(2)[0]
    count = 2**17

    def restarted(key, p):
        method = optzoo.sarah_frank_wolfe(lmo.simplex(), 0.1, p, key=jax.random.key(0))
        state = method.init(x)._replace(steps=jnp.int32(1))
        _, after = method.update(
            x, state._replace(key=key), x, grad_fn=lambda q: q, full_grad_fn=lambda q: q
        )
        return after.restarts

    keys = jax.random.split(jax.random.key(11), count)
    coins = jax.jit(jax.vmap(restarted, (0, None)))
    for p in (0.5, 0.1, 0.01, 1e-3):
        frequency = np.mean(coins(keys, p))
        assert abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / count)


SETS = {
    "l1_ball": (lmo.l1_ball(3.0), lambda x: np.abs(x).sum() / 3.0 - 1),
    "l2_ball": (lmo.l2_ball(3.0), lambda x: np.sqrt((x**2).sum()) / 3.0 - 1),
    "simplex": (lmo.simplex(3.0), lambda x: max(abs(x.sum() / 3.0 - 1), -x.min() / 3.0)),
    "box": (lmo.box(-3.0, 3.0), lambda x: np.abs(x).max() / 3.0 - 1),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("name", SETS)
def test_long_runs_stay_feasible_to_ten_ulp(name, dtype):
    """With gradients that keep changing sign, so that every step moves far."""
    constraint, excess = SETS[name]
    method = optzoo.frank_wolfe(constraint, optzoo.open_loop_schedule())
    x0 = constraint.lmo(jnp.zeros(300, dtype))
    directions = jax.random.normal(jax.random.key(0), (64, 300), dtype)

    def step(k, carry):
        x, state, worst = carry
        updates, state = method.update(directions[k % 64], state, x)
        return optax.apply_updates(x, updates), state, worst

    run_to = jax.jit(lambda stop, c: jax.lax.fori_loop(c[1].steps, stop, step, c))
    carry = (x0, method.init(x0), 0.0)
    for stop in (3, 100, 20_000):
        carry = run_to(jnp.int32(stop), carry)
        violation = excess(np.asarray(carry[0], np.float64))
        assert violation <= 10 * float(jnp.finfo(dtype).eps), (stop, violation)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=lambda dtype: dtype.__name__)
def test_16_bit_parameters_and_their_remainder_are_a_float32_iterate(dtype):
    """Steps far below the resolution of 16 bits still add up."""
    constraint = lmo.simplex()
    method = optzoo.frank_wolfe(constraint, 1e-4)
    x = jnp.zeros(3, dtype).at[0].set(1)
    state = method.init(x)
    wide = jnp.asarray(x, jnp.float32)
    wide_state = method.init(wide)
    g = jnp.asarray([1.0, -1.0, 0.5])

    @jax.jit
    def step(x, state):
        updates, state = method.update(g.astype(x.dtype), state, x)
        return optax.apply_updates(x, updates), state, updates

    for _ in range(50):
        x, state, updates = step(x, state)
        wide, wide_state, _ = step(wide, wide_state)
        assert updates.dtype == dtype
        assert np.all(np.abs(state.remainder) <= float(jnp.finfo(dtype).eps))  # half a unit at 1
    iterate = x.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(iterate, wide, atol=1e-6)
    assert float(iterate[1]) > 0.004


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32], ids=lambda dtype: dtype.__name__)
def test_moved_parameters_are_taken_as_they_are(dtype):
    """A chain that halves the step, and parameters that the user resets."""
    halved = optax.chain(optzoo.frank_wolfe(lmo.l1_ball(1.0), 0.1), optax.scale(0.5))
    x = jnp.zeros(1, dtype)
    state = halved.init(x)
    update = jax.jit(halved.update)
    for _ in range(20):
        updates, state = update(jnp.ones(1, dtype), state, x)
        x = optax.apply_updates(x, updates)
    expected = -(1 - 0.95**20)
    assert abs(float(x[0]) - expected) < 20 * float(jnp.finfo(dtype).eps)
    updates, _ = update(jnp.ones(1, dtype), state, jnp.full(1, 0.5, dtype))
    assert float(updates[0]) == pytest.approx(0.05 * (-1 - 0.5), rel=float(jnp.finfo(dtype).eps))


def test_mixed_dtypes_keep_a_remainder_for_16_bit_leaves_only():
    params = {"a": jnp.zeros(2, jnp.bfloat16), "b": jnp.zeros(2, jnp.float32)}
    state = optzoo.frank_wolfe(lmo.l1_ball(1.0), 0.1).init(params)
    assert state.remainder["a"].dtype == jnp.float32
    assert state.remainder["b"] is None


def test_products_and_scan():
    constraint = lmo.product({"w": lmo.l1_ball(1.0), "b": lmo.box(-0.5, 0.5)})
    method = optzoo.sarah_frank_wolfe(
        constraint, optzoo.open_loop_schedule(), 0.5, key=jax.random.key(0)
    )
    target = {"w": jnp.array([0.4, -0.1]), "b": jnp.array([2.0])}
    gradient = lambda p: jax.tree.map(jnp.subtract, p, target)  # noqa: E731
    params = jax.tree.map(jnp.zeros_like, target)

    def step(carry, _):
        params, state = carry
        updates, state = method.update(
            gradient(params), state, params, grad_fn=gradient, full_grad_fn=gradient
        )
        return (optax.apply_updates(params, updates), state), None

    (params, state), _ = jax.lax.scan(step, (params, method.init(params)), length=2000)
    np.testing.assert_allclose(params["w"], target["w"], atol=0.02)
    np.testing.assert_allclose(params["b"], 0.5, atol=1e-12)
    gap = optzoo.frank_wolfe_gap(constraint, gradient(params), params)
    assert 0 <= float(gap) < 0.02
    assert int(state.steps) == 2000


@given(
    seed=st.integers(0, 2**31 - 1),
    dtype=st.sampled_from([jnp.float32, jnp.float64, jnp.bfloat16]),
)
@settings(max_examples=30, deadline=None)
def test_the_gap_is_the_largest_over_vertices(seed, dtype):
    rng = np.random.default_rng(seed)
    g, x = jnp.asarray(rng.normal(size=4), dtype), rng.normal(size=4)
    x = jnp.asarray(2 * rng.random() * x / np.abs(x).sum(), dtype)
    vertices = np.concatenate([2 * np.eye(4), -2 * np.eye(4)])
    g64, x64 = np.asarray(g, np.float64), np.asarray(x, np.float64)
    expected = max(g64 @ (x64 - vertex) for vertex in vertices)
    gap = optzoo.frank_wolfe_gap(lmo.l1_ball(2.0), g, x)
    # Relative to the size of the terms of the sum: float32 is the least precision it is taken in.
    scale = np.abs(g64) @ (np.abs(x64) + 2)
    assert abs(float(gap) - expected) <= 1e-6 * scale
    assert gap.dtype == (jnp.float64 if dtype == jnp.float64 else jnp.float32)


def test_the_gap_bounds_the_suboptimality():
    x = jnp.asarray(np.array([0.5, 0.5, 0, 0, 0]))
    value = lambda z: 0.5 * np.mean((ROWS @ z - TARGETS) ** 2)  # noqa: E731
    gap = float(optzoo.frank_wolfe_gap(lmo.simplex(), jnp.asarray(full_gradient(x)), x))
    rng = np.random.default_rng(0)
    best = min(value(z) for z in rng.dirichlet(0.3 * np.ones(D), size=20_000))
    assert value(np.asarray(x)) - best <= gap


# --- bad input ---


def sarah(**changes):
    arguments = {
        "constraint": lmo.simplex(),
        "learning_rate": 0.1,
        "restart_probability": 0.5,
        "key": jax.random.key(0),
        **changes,
    }
    return optzoo.sarah_frank_wolfe(**arguments)


@pytest.mark.parametrize("step", [0.0, -0.1, 1.5, float("nan"), lambda k: 2.0 / (k + 1)])
def test_step_out_of_range(step):
    with pytest.raises(ValueError, match=r"learning_rate must lie in .0, 1\]"):
        sarah(learning_rate=step)
    with pytest.raises(ValueError, match=r"learning_rate must lie in .0, 1\]"):
        optzoo.frank_wolfe(lmo.simplex(), step)


@pytest.mark.parametrize("step", ["a", None, [0.1], jnp.array([0.1, 0.2]), lambda k: "a"])
def test_step_that_is_no_number(step):
    with pytest.raises(TypeError, match=r"learning_rate.* must be (a real|one) number"):
        sarah(learning_rate=step)


@pytest.mark.parametrize("p", ["a", None, [0.1], jnp.array([0.1])])
def test_probability_that_is_no_number(p):
    with pytest.raises(TypeError, match=r"restart_probability must be (a real|one) number"):
        sarah(restart_probability=p)


def test_warm_up_schedules_may_start_at_zero():
    sarah(learning_rate=optax.linear_schedule(0.0, 0.5, 10))


@pytest.mark.parametrize("p", [0.0, -0.5, 1.01, float("nan"), float("inf")])
def test_probability_out_of_range(p):
    with pytest.raises(ValueError, match=r"restart_probability must lie in \(0, 1\], got"):
        sarah(restart_probability=p)


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match="restart_probability must be a real number"):
        sarah(restart_probability=lambda k: 0.5)
    with pytest.raises(TypeError, match="key must be a PRNG key"):
        sarah(key=0)
    with pytest.raises(TypeError, match="key must be a PRNG key"):
        sarah(key=jax.random.split(jax.random.key(0), 2))
    with pytest.raises(TypeError, match=r"constraint must be a set of optzoo\.lmo"):
        sarah(constraint=1.0)
    with pytest.raises(TypeError, match=r"constraint must be a set of optzoo\.lmo"):
        optzoo.frank_wolfe("simplex", 0.1)


@pytest.mark.parametrize("array", [jnp.asarray, np.asarray], ids=["jax", "numpy"])
def test_a_start_outside_the_set(array):
    for method in (sarah(), optzoo.frank_wolfe(lmo.simplex(), 0.1)):
        with pytest.raises(ValueError, match="must start inside the constraint set simplex"):
            method.init(array([1.0, 1.0]))


def test_nan_gradients_are_not_swallowed():
    x = jnp.eye(3)[0]
    bad = jnp.array([0.0, jnp.nan, 1.0])
    good = jnp.ones(3)
    method = sarah(restart_probability=1e-9)

    def step(state, grads, before, full):
        updates, state = method.update(
            grads, state, x, grad_fn=lambda p: before, full_grad_fn=lambda p: full
        )
        return optax.apply_updates(x, updates), state

    after, _ = jax.jit(step)(method.init(x), good, good, bad)  # the first step restarts
    assert bool(jnp.all(jnp.isnan(after)))
    _, state = jax.jit(step)(method.init(x), good, good, good)
    for grads, before in ((bad, good), (good, bad)):
        after, _ = jax.jit(step)(state, grads, before, good)
        assert bool(jnp.all(jnp.isnan(after)))
    with pytest.raises(ValueError, match="direction"):  # outside jit it is an error at once
        step(method.init(x), good, good, bad)


@pytest.mark.parametrize(("offset", "horizon"), [(1.9, 0), (float("nan"), -3), (float("inf"), 0.5)])
def test_schedules_refuse_what_leaves_the_unit_interval(offset, horizon):
    with pytest.raises(ValueError, match="offset must be finite and at least 2"):
        optzoo.open_loop_schedule(offset)
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        optzoo.stich_schedule(horizon, 0.5)


@given(p=st.floats(1e-3, 1.0), horizon=st.integers(1, 500))
@settings(max_examples=30, deadline=None)
def test_stich_schedule_against_its_formula(p, horizon):
    schedule, d = optzoo.stich_schedule(horizon, p), 2 / p
    k0 = -(-horizon // 2)
    for k in {0, k0 - 1, k0, horizon - 1}:
        expected = 1 / d if k < k0 or horizon <= d else 2 / (2 * d + k - k0)
        assert float(schedule(k)) == pytest.approx(expected)
        assert float(schedule(k)) <= p / 2 * (1 + 1e-12)


def test_gradients_that_are_changed_on_their_way_are_seen_where_they_are_known():
    x = {"w": jnp.zeros(3), "b": jnp.zeros(2)}
    slope = {"w": jnp.array([1.0, -2.0, 0.5]), "b": jnp.array([1e-20, 0.0])}
    arguments = {"grad_fn": lambda p: slope, "full_grad_fn": lambda p: slope}
    sarah = optzoo.sarah_frank_wolfe(lmo.l1_ball(1.0), 0.1, 0.5, key=jax.random.key(0))
    method = optax.chain(optax.clip_by_global_norm(0.5), sarah)
    with pytest.raises(ValueError, match=r"updates\['w'\] must be what grad_fn returns at params"):
        method.update(slope, method.init(x), x, **arguments)
    # Short gradients are not clipped, and one leaf of them is nothing but round-off.
    short = jax.tree.map(lambda leaf: leaf / 8, slope)
    arguments["grad_fn"] = lambda p: {**short, "b": -short["b"]}
    _, state = method.update(short, method.init(x), x, **arguments)
    # So are numbers of 16 bits that differ by their round-off.
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), short)
    arguments["grad_fn"] = lambda p: jax.tree.map(lambda leaf: leaf * 1.01, short)
    method.update(half, method.init(x), x, **arguments)
    # Once only: the check costs a gradient.
    method.update(slope, state, x, **arguments)
    # Traced numbers are accepted.
    jax.eval_shape(lambda x: method.update(slope, method.init(x), x, **arguments), x)
