"""Shampoo against an independent statement of it in NumPy, its options, and bad input."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optzoo import shampoo, soap

SHAPES = {"matrix": (4, 6), "cube": (2, 3, 4), "vector": (5,), "number": ()}
CALLS = 25


def _gradients(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((CALLS, *shape)) for name, shape in SHAPES.items()}


def _matrix():
    return {"matrix": _gradients()["matrix"]}


def _steps(method, gradients, params=None):
    """The updates of all calls."""
    given = {name: jnp.asarray(g) for name, g in gradients.items()}

    def step(state, g):
        updates, state = method.update(g, state, params)
        return state, updates

    @jax.jit
    def run(given):
        start = jax.tree.map(lambda g: jnp.zeros_like(g[0]), given)
        return jax.lax.scan(step, method.init(start), given)[1]

    return jax.tree.map(np.asarray, run(given))


def _shampoo_in_numpy(gradients, eps, *, beta=None, momentum=None, f=1, longest=10, power=None):
    """Algorithm 2 for one leaf; powers of the dense Kronecker product for few entries."""
    shape = gradients.shape[1:] or (1,)
    axes = [k for k, d in enumerate(shape) if d <= longest]
    grams = {k: np.zeros((shape[k], shape[k])) for k in axes}
    average, steps, root = np.zeros(shape), [], None
    for t, g in enumerate(gradients.reshape(CALLS, *shape)):
        for k in axes:
            unfolded = np.moveaxis(g, k, 0).reshape(shape[k], -1)
            outer = unfolded @ unfolded.T
            grams[k] = grams[k] + outer if beta is None else beta * grams[k] + (1 - beta) * outer
        if t % f == 0:
            root = np.eye(1)
            for k, d in enumerate(shape):
                factor = grams[k] + eps * np.eye(d) if k in axes else np.eye(d)
                root = np.kron(root, factor)
            values, vectors = np.linalg.eigh(root)
            exponent = power or 1 / (2 * max(len(axes), 1))
            root = vectors * values**-exponent @ vectors.T if axes else root
        average = g if momentum is None else momentum * average + (1 - momentum) * g
        steps.append((root @ average.ravel()).reshape(gradients.shape[1:]))
    return -0.1 * np.stack(steps)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta": 0.9, "momentum": 0.8, "precondition_frequency": 4},
        {"max_precond_dim": 4},
        {"power": 0.4, "max_precond_dim": 5},
    ],
    ids=["paper", "averages", "long-axes", "power"],
)
def test_every_update_is_that_of_the_independent_statement(options):
    gradients = _gradients()
    found = _steps(shampoo(0.1, 1e-3, **options), gradients)
    names = {"precondition_frequency": "f", "max_precond_dim": "longest"}
    for name in SHAPES:
        expected = _shampoo_in_numpy(
            gradients[name], 1e-3, **{names.get(key, key): value for key, value in options.items()}
        )
        np.testing.assert_allclose(found[name], expected, atol=1e-10, err_msg=name)


def test_a_vector_gets_full_matrix_adagrad():
    gradients = {"w": _gradients()["vector"]}
    gram = np.cumsum(np.einsum("ti,tj->tij", gradients["w"], gradients["w"]), axis=0)
    values, vectors = np.linalg.eigh(gram + 1e-3 * np.eye(5))
    roots = np.einsum("tij,tj,tkj->tik", vectors, values**-0.5, vectors)
    expected = -0.1 * np.einsum("tij,tj->ti", roots, gradients["w"])
    np.testing.assert_allclose(_steps(shampoo(0.1, 1e-3), gradients)["w"], expected, atol=1e-10)


def test_a_grafted_step_has_the_direction_of_one_and_the_length_of_the_other():
    gradients = _matrix()
    plain = _steps(shampoo(0.1, 1e-3), gradients)
    adam = _steps(optax.scale_by_adam(), gradients)
    grafted = _steps(shampoo(0.1, 1e-3, graft=optax.scale_by_adam()), gradients)
    for name in gradients:
        one, other, both = (tree[name].reshape(CALLS, -1) for tree in (plain, adam, grafted))
        length = 0.1 * np.linalg.norm(other, axis=1, keepdims=True)
        expected = one / np.linalg.norm(one, axis=1, keepdims=True) * length
        np.testing.assert_allclose(both, expected, atol=1e-10)


def test_a_zero_gradient_gives_a_zero_step_with_and_without_graft():
    zeros = {"matrix": np.zeros((CALLS, 4, 6))}
    for method in (shampoo(0.1), shampoo(0.1, graft=optax.scale_by_adam())):
        assert all(np.all(u == 0) for u in jax.tree.leaves(_steps(method, zeros)))


def test_schedules_count_calls_from_zero():
    gradients = _matrix()
    rates = jnp.linspace(0.0, 1.0, CALLS)
    scheduled = _steps(shampoo(lambda k: rates[k]), gradients)
    constant = _steps(shampoo(1.0), gradients)
    for name, leaf in constant.items():
        expected = leaf * np.asarray(rates).reshape(-1, *([1] * (leaf.ndim - 1)))
        np.testing.assert_allclose(scheduled[name], expected, atol=1e-12)


def test_decompositions_are_never_batched():
    """Under vmap too: batched LAPACK calls can wait for each other forever on CPUs."""
    method = shampoo(0.1)
    w = jnp.ones((3, 4, 5))

    def update(g):
        return method.update(g, method.init(g))[0]

    lowered = jax.jit(jax.vmap(update)).lower(w).as_text()
    calls = [line for line in lowered.splitlines() if "custom_call" in line and "syevd" in line]
    assert calls
    assert all("3x4x4" not in line and "3x5x5" not in line for line in calls)


# What can go wrong.

EVERYTHING = {"momentum": 0.9, "beta": 0.9, "graft": optax.scale_by_adam()}


def test_a_gradient_that_is_not_finite_is_as_if_it_had_not_been():
    """Where roots are due, and where they are not; the graft sees none of it either."""
    method = shampoo(0.1, 1e-3, precondition_frequency=2, **EVERYTHING)
    rng = np.random.default_rng(0)
    clean = {"w": rng.standard_normal((6, 2, 3)), "n": rng.standard_normal(6)}
    clean = jax.tree.map(np.float32, clean)

    @jax.jit
    def run(gradients):
        start = jax.tree.map(lambda g: g[0], gradients)

        def step(state, g):
            updates, state = method.update(g, state, start)
            return state, (updates, state)

        return jax.lax.scan(step, method.init(start), gradients)[1]

    expected = jax.tree.map(lambda leaf: leaf[:5], run(clean))
    for bad, name, when in ((np.nan, "w", 0), (-np.inf, "n", 2), (1e25, "w", 3)):
        spoiled = {key: np.insert(g, when, g[0], axis=0)[:6] for key, g in clean.items()}
        spoiled[name].reshape(6, -1)[when, -1] = bad
        updates, states = run(spoiled)
        assert all(np.all(u[when] == 0) for u in jax.tree.leaves(updates))
        np.testing.assert_array_equal(states.skipped, np.arange(6) >= when)
        states = states._replace(skipped=jnp.zeros_like(states.skipped))
        rest = jax.tree.map(
            lambda leaf, when=when: np.delete(leaf, when, axis=0), (updates, states)
        )
        jax.tree.map(np.testing.assert_array_equal, rest, expected)


def test_sums_of_gradients_that_overflow_are_skipped_too():
    """Each squared norm has room in float32, the fourth sum of them has not."""
    method = shampoo(0.1)
    w, g = jnp.zeros((2, 2), jnp.float32), jnp.diag(jnp.array([1e19, 1.0], jnp.float32))

    @jax.jit
    def run():
        def step(state, _):
            updates, state = method.update(g, state, w)
            return state, updates

        return jax.lax.scan(step, method.init(w), None, length=6)

    state, updates = run()
    assert (int(state.count), int(state.skipped), int(state.failed)) == (3, 3, 0)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves((state, updates)))


def test_a_failed_decomposition_leaves_its_root(monkeypatch):
    module = importlib.import_module("optzoo.shampoo")
    succeeding, size = module._eigh, 4
    gradients = jnp.asarray(_gradients()["matrix"][:5])
    first_trace = jnp.sum(gradients[0] ** 2)

    def fails_on_the_left_after_the_first_call(matrix):
        vectors, values = succeeding(matrix)
        fails = (len(matrix) == size) & (jnp.trace(matrix) > 1.001 * first_trace)
        return jnp.where(fails, jnp.nan, vectors), values

    monkeypatch.setattr(module, "_eigh", fails_on_the_left_after_the_first_call)
    method = shampoo(0.1)

    @jax.jit
    def run():
        def step(state, g):
            return method.update(g, state)[1], state

        return jax.lax.scan(step, method.init(gradients[0]), gradients)

    final, states = run()
    left, right = states.root
    assert (int(final.count), int(final.failed)) == (5, 4)
    np.testing.assert_array_equal(left[2], left[1])
    np.testing.assert_array_equal(final.root[0], left[1])
    assert not np.array_equal(left[1], left[0])
    assert not np.array_equal(final.root[1], right[4])
    assert bool(jnp.all(jnp.isfinite(final.root[1])))


DTYPES = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)


@pytest.mark.parametrize("given", DTYPES, ids=lambda dtype: jnp.dtype(dtype).name)
@pytest.mark.parametrize(
    "method",
    [shampoo(0.1), shampoo(0.1, **EVERYTHING), soap(0.1)],
    ids=["shampoo", "shampoo with everything", "soap"],
)
def test_leaves_keep_their_dtypes_whatever_those_of_the_gradients_are(method, given):
    shapes = [SHAPES["matrix"], SHAPES["number"]]
    params = {(jnp.dtype(d).name, s): jnp.zeros(s, d) for d in DTYPES for s in shapes}
    gradients = jax.tree.map(lambda p: jnp.ones(p.shape, given), params)
    state = method.init(params)
    found = jax.eval_shape(method.update, gradients, state, params)
    expected = jax.eval_shape(lambda: (params, state))
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), found, expected)


def test_without_parameters_the_momentum_knows_their_dtypes():
    params = {"w": jnp.zeros((2, 2), jnp.float32)}
    gradients = {"w": jnp.zeros((2, 2), jnp.float64)}
    for momentum, own in ((0.9, jnp.float32), (None, jnp.float64)):
        method = shampoo(0.1, momentum=momentum)
        state = method.init(params)
        updates, after = jax.eval_shape(method.update, gradients, state)
        assert updates["w"].dtype == own
        assert [a["w"].dtype for a in (*after.gram, *after.root)] == [jnp.float32] * 4


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_lengths_are_lent_where_their_squares_have_no_room(scale):
    method = shampoo(1.0, 1.0, graft=optax.scale(scale))
    g = jnp.ones((2, 2), jnp.float32)
    updates, _ = jax.jit(method.update)(g, method.init(g), g)
    np.testing.assert_allclose(updates, -scale * np.ones((2, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("made_with", "given_to", "words"),
    [
        ({}, {"graft": optax.scale_by_adam()}, ("state.graft must be a ScaleByAdamState", "graft")),
        ({"graft": optax.scale_by_adam()}, {}, ("state.graft must be None, got", "graft = None")),
        (
            {"graft": optax.scale_by_adam()},
            {"graft": optax.trace(0.9)},
            ("state.graft must be a TraceState, got a ScaleByAdamState",),
        ),
        ({"momentum": 0.9}, {}, ("state.momentum must be None, got a dict", "momentum = None")),
        ({}, {"momentum": 0.9}, ("state.momentum must be a dict, got None", "momentum = 0.9")),
        (
            {},
            {"max_precond_dim": 3},
            (
                "state.gram[0]['w'] must be None, got an array of shape (4, 4)",
                "max_precond_dim = 3",
            ),
        ),
    ],
)
def test_a_state_made_with_other_settings_is_refused(made_with, given_to, words):
    params = {"w": jnp.ones((4, 3))}
    state = shampoo(0.1, **made_with).init(params)
    for traced in (False, True):
        update = shampoo(0.1, **given_to).update
        with pytest.raises(ValueError, match="with other settings than here") as error:
            (jax.jit(update) if traced else update)(params, state, params)
        assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive and finite, got 0"),
        ({"eps": 0.0}, ValueError, "eps must be positive and finite, got 0"),
        ({"beta": 1.0}, ValueError, r"beta must lie in \[0, 1\), got 1"),
        ({"momentum": -0.1}, ValueError, r"momentum must lie in \[0, 1\), got -0.1"),
        (
            {"precondition_frequency": 0},
            ValueError,
            "precondition_frequency must be an integer of at least 1",
        ),
        ({"precondition_frequency": 1.5}, TypeError, "precondition_frequency must be an integer"),
        ({"max_precond_dim": -1}, ValueError, "max_precond_dim must be an integer of at least 0"),
        ({"power": 0.0}, ValueError, r"power must lie in \(0, 1\], got 0"),
        ({"graft": "adam"}, TypeError, "graft must be an optax.GradientTransformation or None"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        shampoo(**{"learning_rate": 0.1, **arguments})


@pytest.mark.parametrize(
    ("leaf", "given"),
    [
        (jnp.ones(3, jnp.int32), "dtype int32"),
        (jnp.ones(3, complex), "dtype complex128"),
        (1, "int"),
    ],
)
def test_leaves_that_are_no_real_floating_arrays_are_named(leaf, given):
    method = shampoo(0.1)
    with pytest.raises(TypeError, match=rf"params\['w'\] must be a real floating.*{given}"):
        method.init({"w": leaf})
    state = method.init({"w": jnp.ones(3)})
    with pytest.raises(TypeError, match=r"updates\['w'\] must be a real floating"):
        method.update({"w": leaf}, state)
    with pytest.raises(TypeError, match=r"params\['w'\] must be a real floating"):
        method.update({"w": jnp.ones(3)}, state, {"w": leaf})


def test_trees_that_do_not_fit_are_named():
    method = shampoo(0.1, momentum=0.9)
    params = {"w": jnp.ones((4, 3))}
    state = method.init(params)
    with pytest.raises(ValueError, match=r"updates\['w'\] must have the shape"):
        method.update({"w": jnp.ones((5, 3))}, state, params)
    with pytest.raises(ValueError, match="updates must have the tree structure"):
        method.update({"v": jnp.ones((4, 3))}, state, params)
    for other in ({"w": jnp.ones((5, 3))}, {"v": jnp.ones((4, 3))}, [jnp.ones((4, 3))]):
        with pytest.raises(ValueError, match=r"state\.momentum.*must .*for other parameters"):
            method.update(other, state, other)
    for restored in (state._asdict(), tuple(state), state._replace(root=list(state.root))):
        with pytest.raises(
            ValueError, match=r"must be a .*, got a .* init\(params\), as the target"
        ):
            method.update(params, restored, params)
