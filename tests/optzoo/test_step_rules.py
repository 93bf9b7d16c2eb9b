"""The short step and the exact line search: closed forms, evaluations, extremes, mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import optzoo
from optzoo import lmo

ONE = jnp.ones([])


def quadratic(seed, d=4):
    rng = np.random.default_rng(seed)
    rows = jnp.asarray(rng.normal(size=(2 * d, d)))
    b, x, direction = (jnp.asarray(rng.normal(size=d)) for _ in range(3))

    def f(p):
        return jnp.sum((rows.astype(p.dtype) @ p) ** 2) / 2 - b.astype(p.dtype) @ p

    g = jax.grad(f)(x)
    direction = -direction * jnp.sign(g @ direction)
    return f, rows.T @ rows, g, x, direction


@given(
    seed=st.integers(0, 2**31 - 1),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e10]),
    smoothness=st.floats(1e-3, 1e3),
    largest=st.floats(1e-3, 10.0),
)
@settings(max_examples=30, deadline=None)
def test_the_short_step_is_its_formula(seed, scale, smoothness, largest):
    """In float32 too, where the squares of small directions are 0."""
    rng = np.random.default_rng(seed)
    g, d = rng.normal(size=(2, 7))
    d = -d * np.sign(g @ d)
    expected = min(largest, -(g @ d) * scale / (smoothness * (d @ d) * scale**2))
    for dtype in (jnp.float32, jnp.float64):
        found = optzoo.short_step(smoothness).step_size(
            jnp.asarray(g, dtype),
            jnp.zeros(7, dtype),
            jnp.asarray(d * scale, dtype),
            jnp.asarray(largest, dtype),
        )
        assert found.dtype == dtype
        assert abs(float(found) - expected) <= 200 * float(jnp.finfo(dtype).eps) * (
            expected + np.abs(g) @ np.abs(d) / (smoothness * (d @ d) * scale) * (expected < largest)
        )


@pytest.mark.parametrize("rule", [optzoo.short_step(1.0), optzoo.exact_line_search()])
def test_what_is_not_downhill_gets_no_step(rule):
    x = jnp.array([1.0, 2.0])
    f = lambda p: jnp.sum(p**2) / 2  # noqa: E731
    for d in (jnp.zeros(2), jnp.array([2.0, -1.0]), jnp.array([1.0, 1.0])):
        assert float(rule.step_size(x, x, d, ONE, f)) == 0.0
    # The oracle's answer is where the method stands.
    method = optzoo.frank_wolfe(lmo.simplex(), rule)
    x = jnp.eye(2)[0]
    updates, _ = method.update(-x, method.init(x), x, value_fn=lambda p: -p[0])
    np.testing.assert_array_equal(updates, 0.0)


def counted(f):
    calls = []

    def count(p):
        jax.debug.callback(lambda: calls.append(1))
        return f(p)

    return count, calls


@pytest.mark.parametrize("seed", range(5))
def test_a_quadratic_takes_two_evaluations_and_a_whole_step_one(seed):
    f, matrix, g, x, d = quadratic(seed)
    best = float(-(g @ d) / (d @ matrix @ d))
    for largest, evaluations in ((3 * best, 2), (0.9 * best, 1)):
        count, calls = counted(f)
        eta = optzoo.exact_line_search().step_size(g, x, d, jnp.asarray(largest), count)
        jax.effects_barrier()
        assert float(eta) == pytest.approx(min(best, largest), rel=1e-13)
        assert len(calls) == evaluations


FUNCTIONS = {
    "quartic": lambda t: jnp.sum((t - 0.7) ** 4 + 0.01 * t**2),
    "exp": lambda t: jnp.sum(jnp.exp(8 * t) - 30 * t),
    "barrier": lambda t: jnp.sum(-jnp.log(0.4 - t) - 5 * t),  # NaN beyond 0.4
    "huber": lambda t: jnp.sum(jnp.sqrt(1e-6 + (t - 0.123) ** 2)),
    "steep": lambda t: jnp.sum(jnp.exp(300 * t) - 1e3 * t),  # infinite at 3
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda dtype: dtype.__name__)
def test_the_search_finds_the_minimum_of_convex_functions(name, dtype):
    f = FUNCTIONS[name]
    x, d = jnp.zeros(1, dtype), jnp.ones(1, dtype)
    largest = jnp.asarray(3.0, dtype)
    count, calls = counted(f)
    g = jax.grad(f)(x)
    eta = optzoo.exact_line_search(tolerance=1e-5).step_size(g, x, d, largest, count)
    jax.effects_barrier()
    slope = jax.grad(f)(eta[None])
    assert abs(float(slope[0])) <= 2e-5 * abs(float(g[0]))
    assert len(calls) <= 20
    if name == "barrier":
        assert float(eta) == pytest.approx(0.2, abs=1e-4)


def test_a_search_that_is_cut_short_does_not_go_too_far():
    f = FUNCTIONS["exp"]
    x, d = jnp.zeros(1), jnp.ones(1)
    steps = [
        float(optzoo.exact_line_search(0.0, n).step_size(jax.grad(f)(x), x, d, 3 * ONE, f))
        for n in range(1, 40)
    ]
    root = np.log(30 / 8) / 8
    assert steps[0] == 0.0
    assert np.all(np.array(steps) <= root + 1e-12)
    assert steps[-1] == pytest.approx(root, rel=1e-12)


def test_frank_wolfe_with_a_rule_descends_in_every_step():
    f, matrix, _, _, _ = quadratic(3)
    smoothness = float(np.linalg.eigvalsh(matrix)[-1])
    simplex = lmo.simplex()
    x0 = jnp.eye(4)[0]
    for rule in (optzoo.short_step(smoothness), optzoo.exact_line_search()):
        method = optax.inject_hyperparams(optzoo.frank_wolfe)(simplex, rule)

        @jax.jit
        def step(x, state, method=method):
            updates, state = method.update(jax.grad(f)(x), state, x, value_fn=f)
            return optax.apply_updates(x, updates), state

        x, state, values = x0, method.init(x0), [float(f(x0))]
        for _ in range(100):
            before = x
            x, state = step(x, state)
            g, s = jax.grad(f)(before), simplex.lmo(jax.grad(f)(before))
            d = s - before
            curvature = (
                smoothness * d @ d if isinstance(rule, optzoo.short_step) else d @ matrix @ d
            )
            np.testing.assert_allclose(
                x, before + jnp.clip(-(g @ d) / curvature, 0, 1) * d, atol=1e-13
            )
            values.append(float(f(x)))
        assert np.all(np.diff(values) <= 1e-15)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16], ids=lambda dtype: dtype.__name__)
def test_in_16_bits_the_function_is_searched_in_float32(dtype):
    seen = []

    def f(p):
        seen.append(p.dtype)
        return jnp.sum((p - jnp.asarray([0.3, 0.7], p.dtype)) ** 2)

    method = optzoo.frank_wolfe(lmo.simplex(), optzoo.exact_line_search())
    x = jnp.array([1.0, 0.0], dtype)
    g = x - jnp.array([0.3, 0.7], dtype)
    updates, state = jax.jit(lambda x: method.update(2 * g, method.init(x), x, value_fn=f))(x)
    assert set(seen) == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(
        (x + updates).astype(jnp.float32) + state.remainder, [0.3, 0.7], atol=5e-3
    )


def test_batches_of_rules_under_vmap():
    f, matrix, g, x, d = quadratic(1)
    found = jax.vmap(lambda rule: rule.step_size(g, x, d, 9 * ONE))(
        optzoo.short_step(jnp.array([10.0, 100.0]))
    )
    np.testing.assert_allclose(found, -(g @ d) / (jnp.array([10.0, 100.0]) * (d @ d)))
    scales = jnp.array([0.0, 1.0, 5.0])
    found = jax.vmap(
        lambda scale: optzoo.exact_line_search().step_size(g, x, scale * d, 9 * ONE, f)
    )(scales)
    best = -(g @ d) / (d @ matrix @ d)
    np.testing.assert_allclose(found, [0, best, best / 5], rtol=1e-12)


def test_a_schedule_beyond_one_is_held_at_one():
    """What lies beyond the oracle's answer would be drawn back elsewhere."""
    method = optzoo.frank_wolfe(lmo.l2_ball(1.0), lambda k: 0.5 + k)
    x = jnp.eye(2)[0]
    state = method.init(x)._replace(steps=jnp.int32(3))
    updates, _ = method.update(jnp.array([0.0, -1.0]), state, x)
    np.testing.assert_array_equal(x + updates, [0.0, 1.0])


# --- mistakes ---


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optzoo.short_step(0.0), ValueError, "smoothness must be positive and finite"),
        (lambda: optzoo.short_step(jnp.inf), ValueError, "smoothness must be positive and finite"),
        (lambda: optzoo.short_step("L"), TypeError, "smoothness must be a real number"),
        (lambda: optzoo.short_step(lambda k: 1.0), TypeError, "smoothness must be a real number"),
        (lambda: optzoo.exact_line_search(-1.0), ValueError, r"tolerance must lie in \[0, 1\]"),
        (lambda: optzoo.exact_line_search("a"), TypeError, "tolerance must be a real number"),
        (lambda: optzoo.exact_line_search(0.1, 0), ValueError, "max_iterations must be an int of"),
        (lambda: optzoo.exact_line_search(0.1, 2.5), TypeError, "max_iterations must be an int,"),
    ],
)
def test_arguments_out_of_range_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_rule_cannot_be_called_and_is_no_step_of_other_methods():
    assert not callable(optzoo.short_step(1.0))
    assert not callable(optzoo.exact_line_search())
    with pytest.raises(TypeError, match="learning_rate must be a real number"):
        optzoo.saga_sarah_frank_wolfe(lmo.simplex(), optzoo.short_step(1.0), 3)


@pytest.mark.parametrize("rule", [optzoo.short_step, optzoo.exact_line_search])
def test_the_class_of_a_rule_is_no_schedule(rule):
    """A class can be called: without its parentheses a rule looks like a schedule."""
    named = rf"learning_rate must be a rule, {rule.__name__}\(...\), got the class"
    for method in (optzoo.frank_wolfe, optzoo.pairwise_frank_wolfe):
        with pytest.raises(TypeError, match=named):
            method(lmo.simplex(), rule)


def test_the_function_of_a_search_is_asked_for_and_looked_at():
    method = optzoo.frank_wolfe(lmo.simplex(), optzoo.exact_line_search())
    x = jnp.eye(2)[0]
    state = method.init(x)
    with pytest.raises(ValueError, match="frank_wolfe: the extra argument `value_fn` is missing"):
        method.update(x, state, x)
    with pytest.raises(TypeError, match="value_fn must be a function of the parameters"):
        method.update(x, state, x, value_fn=1.0)
    for wrong in (lambda p: p, lambda p: 1, lambda p: (p[0], p[1])):
        with pytest.raises(ValueError, match="value_fn must return one real floating number"):
            method.update(x, state, x, value_fn=wrong)
    with pytest.raises(ValueError, match="updates must be the gradient of value_fn at params"):
        method.update(x, state, x, value_fn=lambda p: jnp.sum(p**2))
    method.update(2 * x, state, x, value_fn=lambda p: jnp.sum(p**2))
