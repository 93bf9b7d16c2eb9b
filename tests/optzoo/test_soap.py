"""SOAP against an independent statement of it in NumPy, and its behaviour at the edges."""

import functools
import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers

from optzoo import _soap_basis
from optzoo.soap import scale_by_soap, soap

SHAPES = {
    "square": (6, 6),
    "cube": (4, 3, 5),
    "vector": (7,),
    "scalar": (),
    "wide": (4, 9),
    "tall": (8, 3),
}


def soap_in_numpy(
    p,
    gradients,
    f,
    lr=1e-2,
    b1=0.9,
    b2=0.95,
    s=0.97,
    eps=1e-8,
    wd=0.1,
    axes=(),
    slot=None,
    factored=False,
    tolerance=None,
    refreshes=None,
):
    """The authors' loop for one parameter: columns sorted, V permuted, M rotated out and in.

    With a slot, bases begin as the coordinates and are refreshed at t = slot mod f; factored, the
    margins of V are averaged; with a tolerance, a refresh waits until some basis is off by more.
    The calls of the refreshes are noted in the list `refreshes`.
    """

    def fold(x, matrix, k):  # axis k multiplied by the transposed matrix
        return np.moveaxis(np.tensordot(x, matrix, axes=(k, 0)), -1, k)

    def into(x):
        for k in axes:
            x = fold(x, q[k], k)
        return x

    def out(x):
        for k in axes:
            x = fold(x, q[k].T, k)
        return x

    def unfolding(g, k):
        return np.moveaxis(g, k, 0).reshape(g.shape[k], -1)

    p = p.copy()
    grams, q, trajectory = {}, {}, [p.copy()]
    momentum, second = np.zeros_like(p), np.zeros_like(p)
    for k in axes:
        grams[k] = (1 - s) * unfolding(gradients[0], k) @ unfolding(gradients[0], k).T
        q[k] = np.eye(len(grams[k])) if slot is not None else np.linalg.eigh(grams[k])[1][:, ::-1]

    def share(k):
        turned = q[k].T @ grams[k] @ q[k]
        return np.sum((turned - np.diag(np.diag(turned))) ** 2) / np.sum(turned**2)

    def refresh(t, second):
        if tolerance is not None and all(share(k) <= tolerance for k in axes):
            return second
        if refreshes is not None:
            refreshes.append(t)
        for k in axes:
            order = np.argsort(-np.diag(q[k].T @ grams[k] @ q[k]))
            second = np.take(second, order, axis=k)
            q[k] = np.linalg.qr(grams[k] @ q[k][:, order])[0]
        if slot is not None and t < f:
            sums = second.sum()
            for k in range(second.ndim):
                turned = np.diag(q[k].T @ grams[k] @ q[k])
                shape = [-1 if axis == k else 1 for axis in range(second.ndim)]
                part = turned / turned.sum()
                sums = sums * part.reshape(shape)
            return sums
        return second

    if slot == 0:
        refresh(0, second)
    for t, g in enumerate(gradients[1:], start=1):
        rotated = into(g)
        momentum = b1 * momentum + (1 - b1) * rotated
        second = b2 * second + (1 - b2) * rotated**2
        step = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
        whole = second
        if factored:
            whole = np.outer(second.mean(1), second.mean(0)) / second.mean()
        p = p - step * out(momentum / (np.sqrt(whole) + eps))
        p = p - lr * wd * p
        original = out(momentum)
        for k in axes:
            grams[k] = s * grams[k] + (1 - s) * unfolding(g, k) @ unfolding(g, k).T
        if t % f == (slot or 0):
            second = refresh(t, second)
        momentum = into(original)
        trajectory.append(p.copy())
    return np.stack(trajectory)


HYPERPARAMETERS = {
    "learning_rate": 1e-2,
    "b1": 0.9,
    "b2": 0.95,
    "shampoo_beta": 0.97,
    "weight_decay": 0.1,
}
BOTH = {"square": (0, 1), "cube": (0, 1, 2), "vector": (), "scalar": ()}
SHORT = {**BOTH, "square": (0,), "cube": (1,), "wide": (0,), "tall": (1,)}


def start_and_gradients(shapes, calls, seed=0):
    """Gradients of slowly moving scales, so that the order of the eigenvalues changes."""
    rng = np.random.default_rng(seed)
    start = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    gradients = []
    for call in range(calls):
        tree = {}
        for name, shape in shapes.items():
            g = rng.standard_normal(shape)
            for k, d in enumerate(shape):
                scale = 1 + 0.8 * np.sin(0.03 * call + 1.7 * np.arange(d))
                g = g * scale.reshape([-1 if j == k else 1 for j in range(len(shape))])
            tree[name] = g
        gradients.append(tree)
    return start, gradients


def run(method, start, gradients, dtype=jnp.float64):
    """All iterates, the first included, in one scan."""
    params = jax.tree.map(lambda p: jnp.asarray(p, dtype), start)
    stacked = jax.tree.map(lambda *g: jnp.asarray(np.stack(g), dtype), *gradients)
    return scan(method, params, stacked)


@functools.partial(jax.jit, static_argnums=0)
def scan(method, params, gradients):
    """Compiled once for a method and its shapes, the first state included."""

    def step(carry, g):
        params, state = carry
        updates, state = method.update(g, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    (_, state), path = jax.lax.scan(step, (params, method.init(params)), gradients)
    return path, state


@pytest.mark.parametrize(
    ("f", "one_sided", "dtype", "tolerance"),
    [
        (1, False, jnp.float64, 1e-10),
        (10, True, jnp.float64, 1e-10),
        (10, False, jnp.float32, 1e-4),
        (1, True, jnp.float32, 1e-4),
    ],
)
def test_every_iterate_is_that_of_the_independent_statement(f, one_sided, dtype, tolerance):
    axes = SHORT if one_sided else BOTH
    start, gradients = start_and_gradients({name: SHAPES[name] for name in axes}, 300)
    method = soap(**HYPERPARAMETERS, precondition_frequency=f, one_sided=one_sided)
    path, _ = run(method, start, gradients, dtype)
    for name in axes:
        expected = soap_in_numpy(start[name], [g[name] for g in gradients], f, axes=axes[name])
        error = np.abs(np.asarray(path[name], np.float64) - expected).max()
        moved = np.abs(expected[-1] - start[name]).max()
        assert moved > 0.05
        assert error < tolerance, (name, error)


@pytest.mark.parametrize("f", [1, 10])
def test_a_vector_with_a_basis_is_that_of_the_independent_statement(f):
    # Two entries: the first gradient leaves one direction open, which is then known up to its sign.
    start, gradients = start_and_gradients({"vector": (2,)}, 100)
    method = soap(**HYPERPARAMETERS, precondition_frequency=f, precondition_1d=True)
    path, _ = run(method, start, gradients)
    expected = soap_in_numpy(start["vector"], [g["vector"] for g in gradients], f, axes=(0,))
    np.testing.assert_allclose(path["vector"], expected, atol=1e-10)


def test_without_bases_it_is_adam_from_the_second_gradient_on():
    start, gradients = start_and_gradients({"square": (5, 5)}, 40)
    path, state = run(soap(**HYPERPARAMETERS, max_precond_dim=0), start, gradients)
    expected = soap_in_numpy(start["square"], [g["square"] for g in gradients], 10)
    np.testing.assert_allclose(path["square"], expected, atol=1e-13)
    assert not jax.tree.leaves((state.gram, state.basis))
    adam = optax.chain(optax.scale_by_adam(0.9, 0.95, eps=0.0), optax.scale(-1e-2))
    method = soap(1e-2, b1=0.9, b2=0.95, eps=0.0, weight_decay=0.0, max_precond_dim=0)
    path, _ = run(method, start, gradients)
    expected, _ = run(adam, start, gradients[1:])
    np.testing.assert_allclose(path["square"][1:], expected["square"], atol=1e-13)


def test_the_first_call_only_looks():
    start, gradients = start_and_gradients({"square": (5, 5), "vector": (3,)}, 2)
    method = soap(0.1, weight_decay=0.5)
    path, state = run(method, start, gradients[:1])
    assert all(np.array_equal(path[name][0], start[name]) for name in start)
    assert all(np.all(m == 0) for m in map(np.asarray, jax.tree.leaves((state.mu, state.nu))))
    g = gradients[0]["square"]
    left, right = (of_axis["square"] for of_axis in state.gram)
    np.testing.assert_allclose(left, 0.05 * g @ g.T, rtol=1e-12)
    np.testing.assert_allclose(right, 0.05 * g.T @ g, rtol=1e-12)
    bases = (np.asarray(of_axis["square"]) for of_axis in state.basis)
    for a, r in zip((left, right), bases, strict=True):
        values = np.diag(r @ a @ r.T)
        np.testing.assert_allclose(r @ a @ r.T, np.diag(values), atol=1e-13)
        assert np.all(np.diff(values) <= 0)
    assert [of_axis["vector"] for of_axis in state.basis] == [None, None]


def test_schedules_count_calls_the_first_one_included():
    start, gradients = start_and_gradients({"vector": (3,)}, 5)
    rates = jnp.array([7.0, 0.1, 0.2, 0.3, 0.4])
    scheduled, _ = run(soap(lambda k: rates[k], weight_decay=0.5), start, gradients)
    method = scale_by_soap()
    params, state = start["vector"], method.init(start)
    update = jax.jit(method.update)
    for k, g in enumerate(gradients):
        u, state = update(g, state)
        if k > 0:
            rate = float(rates[k])
            params = (params - rate * np.asarray(u["vector"])) * (1 - rate * 0.5)
        np.testing.assert_allclose(scheduled["vector"][k], params, rtol=1e-12)


def test_masked_leaves_do_not_decay():
    start, gradients = start_and_gradients({"a": (3, 3), "b": (3, 3)}, 20)
    twins = [{"a": g["a"], "b": g["a"]} for g in gradients]
    both = {"a": start["a"], "b": start["a"]}
    alone = {decay: run(soap(0.01, weight_decay=decay), both, twins)[0] for decay in (0.3, 0.0)}
    for mask in ({"a": True, "b": False}, lambda p: {"a": True, "b": False}):
        path, _ = run(soap(0.01, weight_decay=0.3, mask=mask), both, twins)
        for name, decay in (("a", 0.3), ("b", 0.0)):
            np.testing.assert_allclose(path[name], alone[decay][name], atol=1e-14)


# Which axes are matrix axes.


def same_run(method, start, gradients, other_method, other_start, other_gradients, undo):
    path, _ = run(method, start, gradients)
    other, _ = run(other_method, other_start, other_gradients)
    np.testing.assert_allclose(path["w"], undo(other), atol=1e-12)


def test_a_stacked_leaf_is_so_many_separate_leaves():
    start, gradients = start_and_gradients({"w": (3, 4, 5)}, 40)
    split = [{i: g["w"][i] for i in range(3)} for g in gradients]
    keywords = {**HYPERPARAMETERS, "precondition_frequency": 4}
    for one_sided in (False, True):
        same_run(
            soap(
                **keywords,
                one_sided=one_sided,
                weight_dimension_numbers={"w": MuonDimensionNumbers(1, 2)},
            ),
            start,
            gradients,
            soap(**keywords, one_sided=one_sided),
            {i: start["w"][i] for i in range(3)},
            split,
            lambda path: np.stack([path[i] for i in range(3)], axis=1),
        )


def test_leaves_of_one_size_share_a_program_and_nothing_else():
    """More of them than are decomposed side by side."""
    leaves = np.random.default_rng(3).standard_normal((7, 4, 3, 3))
    method = scale_by_soap(precondition_frequency=1, eps=1e-3)

    @jax.jit
    def directions(gradients):
        def step(state, gradient):
            updates, state = method.update(gradient, state)
            return state, updates

        state = method.init([calls[0] for calls in gradients])
        state, updates = jax.lax.scan(step, state, gradients)
        return [calls[-1] for calls in updates], state.basis

    together = directions(list(leaves))
    for i in range(7):
        alone = directions([leaves[i]])
        of_leaf = (together[0][i], [of_axis[i] for of_axis in together[1]])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-9),
            jax.tree.leaves(of_leaf),
            jax.tree.leaves(alone),
        )


def test_a_convolution_is_the_matrix_of_its_merged_axes():
    start, gradients = start_and_gradients({"w": (2, 3, 4, 5)}, 30)
    matrices = [{"w": np.moveaxis(g["w"], (2, 0), (0, 1)).reshape(8, 15)} for g in gradients]
    same_run(
        soap(0.01, weight_dimension_numbers=lambda p: {"w": MuonDimensionNumbers((2, 0), (1, 3))}),
        start,
        gradients,
        soap(0.01),
        {"w": np.moveaxis(start["w"], (2, 0), (0, 1)).reshape(8, 15)},
        matrices,
        lambda path: np.moveaxis(np.asarray(path["w"]).reshape(30, 4, 2, 3, 5), (1, 2), (3, 1)),
    )


def test_a_leaf_without_dimension_numbers_has_no_basis():
    params = {"a": jnp.ones((3, 3)), "b": {"c": jnp.ones((3, 3)), "d": jnp.ones((2, 2))}}
    numbers = {"a": None, "b": MuonDimensionNumbers()}
    state = soap(0.1, weight_dimension_numbers=numbers).init(params)
    shapes = jax.tree.map(jnp.shape, state.basis)
    assert shapes == ({"a": None, "b": {"c": (3, 3), "d": (2, 2)}},) * 2


def test_long_axes_and_one_sided_leaves_have_the_bases_they_should():
    shapes = {"w": (3, 7), "v": (2,), "t": (4, 2, 2), "empty": (0, 3), "s": ()}
    params = {name: jnp.zeros(shape) for name, shape in shapes.items()}

    def bases(**keywords):
        state = scale_by_soap(**keywords).init(params)
        return {
            name: tuple(k for k, of_axis in enumerate(state.basis) if of_axis[name] is not None)
            for name in shapes
        }

    none = {"v": (), "empty": (), "s": ()}
    assert bases() == {**none, "w": (0, 1), "t": (0, 1, 2)}
    assert bases(max_precond_dim=3) == {**none, "w": (0,), "t": (1, 2)}
    assert bases(one_sided=True) == {**none, "w": (0,), "t": (1,)}
    assert bases(one_sided=True, max_precond_dim=2) == {**none, "w": (), "t": (1,)}
    assert bases(precondition_1d=True)["v"] == (0,)
    assert bases(precondition_1d=True)["s"] == ()


# What can go wrong.


def test_a_gradient_that_is_not_finite_is_as_if_it_had_not_been():
    start, gradients = start_and_gradients({"w": (3, 4), "b": (2,), "c": ()}, 12)
    method = soap(0.01, precondition_frequency=4)
    expected, clean = run(method, start, gradients)
    for bad, when in ((np.nan, 0), (np.inf, 3), (1e200, 4)):
        for where in start:
            spoiled = {**gradients[0], where: np.array(gradients[0][where])}
            spoiled[where].flat[-1] = bad
            path, state = run(method, start, [*gradients[:when], spoiled, *gradients[when:]])
            assert int(state.skipped) == 1
            for name in start:
                before = path[name][when - 1] if when else start[name]
                np.testing.assert_array_equal(path[name][when], before)
                np.testing.assert_array_equal(np.delete(path[name], when, axis=0), expected[name])
            same = state._replace(skipped=clean.skipped)
            jax.tree.map(np.testing.assert_array_equal, same, clean)


def test_a_failed_power_step_leaves_its_basis(monkeypatch):
    start, gradients = start_and_gradients({"w": (4, 4)}, 9)
    never, _ = run(soap(0.01, precondition_frequency=100), start, gradients)
    monkeypatch.setattr(_soap_basis, "_orthogonal_rows", lambda a: jnp.full_like(a, jnp.nan))
    path, state = run(soap(0.01, precondition_frequency=4), start, gradients)
    assert int(state.failed) == 2 * 2
    np.testing.assert_allclose(path["w"], never["w"], atol=1e-13)


def test_failed_first_eigenvectors_leave_the_coordinates(monkeypatch):
    start, gradients = start_and_gradients({"w": (4, 4)}, 9)
    adam, _ = run(soap(0.01, max_precond_dim=0), start, gradients)
    monkeypatch.setattr(_soap_basis, "_eigh", lambda a: jnp.full_like(a, jnp.nan))
    path, state = run(soap(0.01), start, gradients)
    assert int(state.failed) == 2
    np.testing.assert_allclose(path["w"], adam["w"], atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float64])
def test_degenerate_gradients_give_finite_steps_and_orthogonal_bases(dtype):
    rng = np.random.default_rng(1)
    column, row = rng.standard_normal((6, 1)), rng.standard_normal((1, 5))
    full = rng.standard_normal((6, 5))
    kinds = {
        "zero": [0 * full] * 30,
        "vanishing": [full * 10.0 ** (-2 * k) for k in range(30)],
        "rank one": [column @ row] * 30,
        "tiny": [full * 1e-30] * 30,
        "zero first": [0 * full, *[rng.standard_normal((6, 5)) for _ in range(29)]],
    }
    gradients = [{kind: each[k] for kind, each in kinds.items()} for k in range(30)]
    method = soap(1.0, precondition_frequency=3, weight_decay=0.0)
    path, state = run(method, dict.fromkeys(kinds, full), gradients, dtype)
    assert (int(state.failed), int(state.skipped)) == (0, 0)
    for kind in kinds:
        moved = np.abs(np.diff(np.asarray(path[kind], np.float64), axis=0)).max()
        assert np.isfinite(moved), kind
        assert moved < 20, f"{kind}: a step of Adam is about the learning rate"
        for r in (of_axis[kind] for of_axis in state.basis):
            tolerance = 1e-5 if r.dtype == jnp.float32 else 1e-13
            np.testing.assert_allclose(r @ r.T, np.eye(len(r)), atol=tolerance, err_msg=kind)


def test_directions_without_gradients_keep_their_vectors():
    """Rows of an embedding that were never looked up, and no gradient at all."""
    rng = np.random.default_rng(2)
    mixed = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    basis = np.zeros((6, 6))
    basis[:2, :2] = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    basis[2:, 2:] = mixed
    seen = np.zeros((6, 6))
    seen[:2, :2] = [[2.0, 0.5], [0.5, 1.0]]
    power_step = jax.jit(_soap_basis.power_step)
    for gram, kept in ((seen, slice(2, 6)), (0 * seen, slice(0, 6))):
        for scale in (1.0, 1e-280):
            new, _ = power_step(scale * gram, basis)
            np.testing.assert_allclose(
                np.abs(new[kept] @ basis[kept].T), np.eye(6)[kept, kept], atol=1e-12
            )


def test_float16_moments_that_underflow_do_not_blow_up_the_step():
    method = soap(1.0, weight_decay=0.0)
    gradients = [{"w": np.full((2, 2), 3e-4)}] * 20
    path, _ = run(method, {"w": np.zeros((2, 2))}, gradients, jnp.float16)
    assert 0.01 < np.abs(np.diff(np.asarray(path["w"], np.float64), axis=0)).max() < 3


def lapack_calls(compiled):
    """Shapes of the operands of all decompositions in a compiled program."""
    return re.findall(
        r"= \(?\w+\[([\d,]*)\][^=]*custom-call\([^\n]*lapack_\w*(?:geqrf|orgqr|syev)", compiled
    )


@pytest.mark.parametrize("batched", ["leaves", "stacked leaf", "vmap"])
def test_lapack_is_never_called_on_a_batch(batched):
    """Batched calls that run at the same time can hang on a CPU."""
    params = {"a": jnp.ones((4, 4)), "b": jnp.ones((4, 4)), "c": jnp.ones((3, 4, 6))}
    numbers = {"a": MuonDimensionNumbers(), "b": MuonDimensionNumbers()}
    numbers["c"] = MuonDimensionNumbers(1, 2)
    method = soap(0.1, weight_dimension_numbers=numbers if batched == "stacked leaf" else None)
    update = method.update
    init = method.init
    if batched == "vmap":
        params = jax.tree.map(lambda p: jnp.stack([p, p]), params)
        init, update = jax.vmap(init), jax.vmap(update)
    compiled = jax.jit(update).lower(params, init(params), params).compile().as_text()
    calls = lapack_calls(compiled)
    assert len(calls) >= 3, "the pattern finds the calls"
    for shape in calls:
        sizes = [int(size) for size in shape.split(",")]
        assert len(sizes) <= 2 or sizes[:-2] == [1] * (len(sizes) - 2), shape


def test_the_code_grows_with_the_leaves_and_not_with_their_square():
    def instructions(leaves):
        params = {i: jnp.ones((4, 4)) if i % 2 else jnp.ones(4) for i in range(leaves)}
        method = soap(0.1)
        state = method.init(params)
        text = jax.jit(method.update).lower(params, state, params).compile().as_text()
        return text.count(" = ")

    few, more, most = (instructions(leaves) for leaves in (4, 8, 16))
    assert most - more < 2.5 * (more - few)


def test_donated_state_is_updated_in_place():
    params = {"w": jnp.ones((16, 8)), "b": jnp.ones(8)}
    method = soap(0.1)
    state = method.init(params)
    step = jax.jit(method.update, donate_argnums=1).lower(params, state, params).compile()
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert step.memory_analysis().alias_size_in_bytes == size


def test_every_number_may_be_injected_and_changed_on_the_way():
    start, gradients = start_and_gradients({"w": (4, 4)}, 20)
    keywords = {**HYPERPARAMETERS, "eps": 1e-6, "precondition_frequency": 3}
    injected = optax.inject_hyperparams(soap)(**keywords)
    path, _ = run(injected, start, gradients)
    expected, _ = run(soap(**keywords), start, gradients)
    np.testing.assert_allclose(path["w"], expected["w"], atol=1e-13)
    warmup = optax.linear_schedule(0.0, 0.1, 10)
    injected = optax.inject_hyperparams(soap)(warmup)
    path, _ = run(injected, start, gradients)
    expected, _ = run(soap(warmup), start, gradients)
    np.testing.assert_allclose(path["w"], expected["w"], atol=1e-13)


def test_max_precond_dim_must_be_static_where_init_is_traced():
    params = {"w": jnp.ones((3, 3))}
    method = optax.inject_hyperparams(soap)(0.1, max_precond_dim=2)
    assert not jax.tree.leaves(method.init(params).inner_state.basis)
    with pytest.raises(TypeError, match="static_args"):
        jax.jit(method.init)(params)
    static = optax.inject_hyperparams(soap, static_args="max_precond_dim")
    method = static(0.1, max_precond_dim=2)
    state = jax.jit(method.init)(params)
    jax.jit(method.update)(params, state, params)


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive.*0.0"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate"),
        ({"learning_rate": np.nan}, ValueError, "learning_rate"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate"),
        (
            {"learning_rate": lambda k: -1.0 - k},
            ValueError,
            "learning_rate must be finite and at least 0",
        ),
        ({"b1": 1.0}, ValueError, r"b1 must lie in \[0, 1\), got 1.0"),
        ({"b1": -0.1}, ValueError, "b1"),
        ({"b2": 1.0}, ValueError, "b2"),
        ({"b2": None}, TypeError, "b2"),
        ({"shampoo_beta": 1.5}, ValueError, "shampoo_beta"),
        ({"eps": -1e-8}, ValueError, "eps"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay"),
        (
            {"precondition_frequency": 0},
            ValueError,
            "precondition_frequency must be an integer of at least 1",
        ),
        ({"precondition_frequency": 2.5}, TypeError, "precondition_frequency must be an integer"),
        ({"max_precond_dim": -1}, ValueError, "max_precond_dim"),
        ({"max_precond_dim": 2.5}, TypeError, "max_precond_dim"),
        ({"precondition_1d": 1}, TypeError, "precondition_1d"),
        ({"one_sided": "left"}, TypeError, "one_sided"),
        ({"mask": {"w": 1.0}}, TypeError, r"mask\['w'\] must be True or False"),
    ],
)
def test_arguments_are_checked(keywords, error, match):
    with pytest.raises(error, match=match):
        soap(**{"learning_rate": 0.1, **keywords})


@pytest.mark.parametrize(
    ("numbers", "error", "match"),
    [
        ({"v": None}, ValueError, "weight_dimension_numbers must be a tree prefix"),
        ({"w": "rows"}, TypeError, "weight_dimension_numbers must hold"),
        ({"w": MuonDimensionNumbers(0, 2)}, ValueError, r"params\['w'\].*output_axis.*\(3, 4\)"),
        ({"w": MuonDimensionNumbers(1, -1)}, ValueError, r"params\['w'\].*disjoint"),
        ({"w": MuonDimensionNumbers((), 1)}, ValueError, "not empty"),
    ],
)
def test_dimension_numbers_are_checked(numbers, error, match):
    with pytest.raises(error, match=match):
        soap(0.1, weight_dimension_numbers=numbers).init({"w": jnp.ones((3, 4))})


def test_trees_are_checked():
    params = {"w": jnp.ones((3, 4))}
    method = soap(0.1)
    state = method.init(params)
    with pytest.raises(ValueError, match="`params` is missing"):
        method.update(params, state)
    with pytest.raises(ValueError, match=r"updates\['w'\].*shape"):
        method.update({"w": jnp.ones((4, 3))}, state, params)
    with pytest.raises(ValueError, match=r"updates.*structure"):
        scale_by_soap().update({"v": jnp.ones((3, 4))}, state)
    with pytest.raises(TypeError, match=r"params\['n'\] must be a real floating array.*int32"):
        method.init({"n": jnp.ones(3, jnp.int32)})
    with pytest.raises(TypeError, match="complex"):
        method.init(jnp.ones((2, 2), complex))


@pytest.mark.parametrize(
    ("leaf", "given"),
    [(jnp.ones(3, jnp.int32), "dtype int32"), (jnp.ones(3, complex), "dtype complex128"), (1, "")],
)
def test_leaves_that_are_no_real_floating_arrays_are_named(leaf, given):
    method = soap(0.1)
    with pytest.raises(TypeError, match=rf"params\['w'\] must be a real floating.*{given}"):
        method.init({"w": leaf})
    params = {"w": jnp.ones(jnp.shape(leaf))}
    with pytest.raises(TypeError, match=r"updates\['w'\] must be a real floating"):
        method.update({"w": leaf}, method.init(params), params)
    with pytest.raises(TypeError, match=r"params\['w'\] must be a real floating"):
        method.update(params, method.init(params), {"w": leaf})


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    "mask",
    [{"v": True}, {"w": True, "v": False}, lambda params: {"v": True}, [True], {"w": None}],
)
def test_a_mask_that_is_no_prefix_is_named_by_init(mask, weight_decay):
    with pytest.raises(ValueError, match=r"mask must be a tree prefix of params.*\{'w': \*\}"):
        soap(0.1, weight_decay=weight_decay, mask=mask).init({"w": jnp.ones(3)})


class Layer(eqx.Module):
    """A model whose parameters, masks and dimension numbers are callable trees."""

    w: Any
    b: Any = None

    def __call__(self, x):
        raise AssertionError("a tree is not called")


def test_trees_with_a_call_are_trees():
    start, gradients = start_and_gradients({"w": (3, 2), "b": (2,)}, 8)
    mask, numbers = {"w": False, "b": True}, {"w": MuonDimensionNumbers(1, 0), "b": None}
    expected, _ = run(soap(0.1, mask=mask, weight_dimension_numbers=numbers), start, gradients)
    method = soap(0.1, mask=Layer(**mask), weight_dimension_numbers=Layer(**numbers))
    path, _ = run(method, Layer(**start), [Layer(**g) for g in gradients])
    for name, leaf in expected.items():
        np.testing.assert_allclose(getattr(path, name), leaf, atol=1e-13)
    without_bases = soap(0.1, mask=lambda p: Layer(True), weight_dimension_numbers=Layer(None))
    assert not jax.tree.leaves(without_bases.init(Layer(start["w"])).basis)


OTHER_SETTINGS = {
    "one_sided": ({}, {"one_sided": True}, "state.gram[0]['w'] must be None, got an array"),
    "no longer one_sided": ({"one_sided": True}, {}, "state.gram[0]['w'] must be an array"),
    "max_precond_dim": ({}, {"max_precond_dim": 4}, "state.gram[0]['w'] must be None, got"),
    "precondition_1d": ({}, {"precondition_1d": True}, "state.gram[0]['b'] must be an array"),
    "dimension numbers": (
        {},
        {"weight_dimension_numbers": {"w": None, "b": None}},
        "state.gram[0]['w'] must be None, got an array of shape (5, 5)",
    ),
    "merged axes": (
        {},
        {"weight_dimension_numbers": {"w": MuonDimensionNumbers(), "b": None, "c": None}},
        "state.gram[0]['c'] must be None, got an array of shape (2, 2)",
    ),
}


@pytest.mark.parametrize(
    "make", [lambda **kw: soap(0.1, **kw), scale_by_soap], ids=["", "scale_by"]
)
@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_a_state_made_with_other_settings_is_refused(name, make):
    before, now, words = OTHER_SETTINGS[name]
    params = {"w": jnp.ones((5, 3)), "b": jnp.ones(3)}
    params |= {"c": jnp.ones((2, 2, 2))} if name == "merged axes" else {}
    state, update = make(**before).init(params), make(**now).update
    for called in (update, jax.jit(update)):
        with pytest.raises(ValueError, match="precondition_1d = ") as error:
            called(params, state, params)
        assert words in str(error.value)


def test_a_state_of_other_parameters_or_containers_is_refused():
    params = {"w": jnp.ones((5, 3)), "b": jnp.ones(3)}
    method = soap(0.1)
    state = method.init(params)
    grown = {**params, "w": jnp.ones((6, 3))}
    with pytest.raises(
        ValueError, match=r"state\.mu\['w'\] must have shape \(6, 3\), got \(5, 3\)"
    ):
        method.update(grown, state, grown)
    more = {**params, "v": jnp.ones(2)}
    with pytest.raises(ValueError, match=r"state\.mu must hold \['b'\], \['v'\], \['w'\], got"):
        method.update(more, state, more)
    for restored in (
        state._asdict(),
        list(state),
        state._replace(gram=list(state.gram)),
        state._replace(basis=dict(enumerate(state.basis))),
        state._replace(mu=[state.mu["b"], state.mu["w"]]),
    ):
        with pytest.raises(
            ValueError, match=r"must be a .*, got a .*init\(params\), as the target"
        ):
            method.update(params, restored, params)


def test_states_are_looked_at_and_accepted_under_transformations():
    params = {"w": jnp.ones((5, 3)), "b": jnp.ones(3)}
    several = jax.tree.map(lambda p: jnp.stack([p, p]), params)
    for method in (
        soap(0.1, one_sided=True),
        optax.inject_hyperparams(soap)(0.1, max_precond_dim=4),
        optax.masked(soap(0.1), {"w": True, "b": False}),
    ):
        jax.eval_shape(method.update, params, method.init(params), params)
    method = scale_by_soap(precondition_1d=True)
    jax.eval_shape(jax.vmap(method.update), several, jax.vmap(method.init)(several))
    jax.eval_shape(method.update, params, method.init(params))
