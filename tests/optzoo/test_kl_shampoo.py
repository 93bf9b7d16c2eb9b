"""KL-Shampoo against an independent statement of it in NumPy, and its behaviour at the edges.

What it shares with KL-SOAP (arguments, layout of the state, skipped gradients) is asked of both.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from optax.contrib import MuonDimensionNumbers

import optzoo
from optzoo import _kronecker_factors, _soap_basis

from .kl_in_numpy import kl_in_numpy

SHAPES = {
    "square": (5, 5),
    "cube": (3, 2, 4),
    "vector": (6,),
    "number": (),
    "wide": (3, 8),
    "long": (5, 3, 3),
}
NUMBERS = {
    "learning_rate": 1e-2,
    "b1": 0.9,
    "b2": 0.95,
    "shampoo_beta": 0.97,
    "weight_decay": 0.1,
}
BOTH = pytest.mark.parametrize("make", [optzoo.kl_shampoo, optzoo.kl_soap])


def start_and_gradients(shapes, calls, seed=0):
    """Gradients of slowly moving scales, so that the order of the eigenvalues changes."""
    rng = np.random.default_rng(seed)
    start = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    gradients = {}
    for name, shape in shapes.items():
        g = rng.standard_normal((calls, *shape))
        for k, d in enumerate(shape):
            scale = 1 + 0.8 * np.sin(0.05 * np.arange(calls)[:, None] + 1.7 * np.arange(d))
            g = g * scale.reshape(calls, *(d if j == k else 1 for j in range(len(shape))))
        gradients[name] = g
    return start, gradients


def run(method, start, gradients, dtype=jnp.float64):
    """The iterates after every call, and the last state."""
    given = (jax.tree.map(lambda x: jnp.asarray(x, dtype), tree) for tree in (start, gradients))
    return _scan(method, *given)


@functools.partial(jax.jit, static_argnums=0)
def _scan(method, params, gradients):
    def step(carry, g):
        params, state = carry
        updates, state = method.update(g, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    (_, state), path = jax.lax.scan(step, (params, method.init(params)), gradients)
    return path, state


@functools.partial(jax.jit, static_argnames=("make", "settings"))
def path_and_nu(make, params, gradients, f, settings=()):
    """All iterates and V, with one program for all f."""
    path, state = _scan(
        make(**NUMBERS, precondition_frequency=f, **dict(settings)), params, gradients
    )
    return path, state.nu


@pytest.mark.parametrize(
    ("fs", "settings", "axes"),
    [
        ((1, 7), (), {"square": (0, 1), "cube": (0, 1, 2), "vector": (), "number": ()}),
        ((7,), (("one_sided", True),), {"wide": (0,)}),
        # A stack of gradients as one leaf: factors of the mean over the axis that is too long.
        ((7,), (("max_precond_dim", 4),), {"long": (1, 2)}),
    ],
)
def test_every_iterate_is_that_of_the_independent_statement(fs, settings, axes):
    start, gradients = start_and_gradients({name: SHAPES[name] for name in axes}, 100)
    for f in fs:
        path, nu = path_and_nu(optzoo.kl_shampoo, start, gradients, f, settings)
        for name, of_leaf in axes.items():
            expected = kl_in_numpy(start[name], gradients[name], f, soap=False, axes=of_leaf)
            assert np.abs(expected[-1] - start[name]).max() > 0.02
            np.testing.assert_allclose(path[name], expected, atol=1e-10, err_msg=name)
            assert (nu[name] is None) == bool(of_leaf), "Adam's second moment where it is used"


@BOTH
def test_a_stacked_leaf_is_so_many_separate_leaves(make):
    start, gradients = start_and_gradients({"w": (3, 4, 4)}, 20)
    stacked = make(**NUMBERS, precondition_frequency=4, weight_dimension_numbers=_stack)
    path, _ = run(stacked, start, gradients)
    for entry in range(3):
        alone = start["w"][entry], gradients["w"][:, entry]
        expected = kl_in_numpy(*alone, 4, soap=make is optzoo.kl_soap, axes=(0, 1))
        np.testing.assert_allclose(path["w"][:, entry], expected, atol=1e-10)


def _stack(params):
    return jax.tree.map(lambda _: MuonDimensionNumbers(1, 2), params)


@pytest.mark.parametrize(
    ("make", "factor", "dtype"),
    [(optzoo.kl_shampoo, 2.0**-64, jnp.float32), (optzoo.kl_soap, 1e-12, jnp.float64)],
)
def test_the_scale_of_the_gradients_is_not_seen(make, factor, dtype):
    """Of KL-Shampoo where their squares have no room, too, as long as a root of them has."""
    start, gradients = start_and_gradients({"w": (3, 2)}, 30)
    small = {name: factor * g for name, g in gradients.items()}
    method = make(0.1, eps=0.0, precondition_frequency=4)
    path, _ = run(method, start, gradients, dtype)
    other, _ = run(method, start, small, dtype)
    for name in start:
        moved = np.abs(np.asarray(path[name][-1], np.float64) - start[name]).max()
        tolerance = 1e-9 if dtype == jnp.float64 else 1e-3
        assert moved > 0.1
        np.testing.assert_allclose(other[name], path[name], atol=tolerance, err_msg=name)


@BOTH
def test_a_leaf_split_over_devices_keeps_its_sharding_and_its_numbers(make):
    start, gradients = start_and_gradients({"s": (2, 4, 4)}, 4)
    method = make(**NUMBERS, precondition_frequency=2, weight_dimension_numbers=_stack)
    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Explicit,))
    sharding = NamedSharding(mesh, PartitionSpec(None, "x", None))

    @jax.jit
    def step(params, state, g):
        updates, state = method.update(g, state, params)
        return optax.apply_updates(params, updates), state

    with jax.set_mesh(mesh):
        params = jax.device_put(start, sharding)
        state = jax.jit(method.init)(params)
        kinds = jax.tree.map(jax.typeof, state)
        for g in gradients["s"]:
            given = {"s": jax.device_put(g, sharding)}
            # Steps in flight at once would wait for each other's devices.
            params, state = jax.block_until_ready(step(params, state, given))
        assert jax.tree.map(jax.typeof, state) == kinds
    assert params["s"].sharding.is_equivalent_to(sharding, 3)
    for entry in range(2):
        alone = start["s"][entry], gradients["s"][:, entry]
        expected = kl_in_numpy(*alone, 2, soap=make is optzoo.kl_soap, axes=(0, 1))[-1]
        np.testing.assert_allclose(params["s"][entry], expected, atol=1e-10)


# What can go wrong.


@BOTH
def test_a_gradient_that_is_not_finite_is_as_if_it_had_not_been(make):
    start, gradients = start_and_gradients({"w": (3, 4), "b": (2,)}, 12)
    method = make(0.01, precondition_frequency=4)
    expected, _ = run(method, start, gradients)
    for bad, when, where in ((np.nan, 0, "w"), (np.inf, 4, "b"), (1e200, 5, "w")):
        spoiled = {name: np.insert(g, when, g[0], axis=0)[:12] for name, g in gradients.items()}
        spoiled[where].reshape(12, -1)[when, -1] = bad
        path, state = run(method, start, spoiled)
        assert (int(state.skipped), int(state.count)) == (1, 11)
        for name in start:
            before = path[name][when - 1] if when else start[name]
            np.testing.assert_array_equal(path[name][when], before)
            rest = np.delete(path[name], when, axis=0)
            np.testing.assert_array_equal(rest, expected[name][:11])


def test_a_failed_power_step_leaves_its_basis(monkeypatch):
    start, gradients = start_and_gradients({"w": (4, 4)}, 9)
    monkeypatch.setattr(_soap_basis, "_orthogonal_rows", lambda a: jnp.full_like(a, jnp.nan))
    path, state = run(optzoo.kl_soap(**NUMBERS, precondition_frequency=4), start, gradients)
    assert int(state.failed) == 2 * 2
    never = kl_in_numpy(start["w"], gradients["w"], 100, soap=True, axes=(0, 1))
    np.testing.assert_allclose(path["w"], never, atol=1e-10)


def test_an_entry_of_a_stack_begins_with_its_first_gradient_that_is_not_zero():
    """Experts that were not chosen, and layers behind one that is still zero."""
    start, gradients = start_and_gradients({"w": (2, 3, 3)}, 30)
    late = {"w": gradients["w"].copy()}
    late["w"][:8, 1] = 0
    late["w"][:, 1] *= 1e-5
    method = optzoo.kl_shampoo(0.01, eps=0.0, weight_decay=0.0, weight_dimension_numbers=_stack)
    expected, _ = run(method, start, gradients)
    path, state = run(method, start, late)
    np.testing.assert_array_equal(path["w"][:, 0], expected["w"][:, 0])
    steps = np.abs(np.diff(path["w"][:, 1], axis=0)).max(axis=(1, 2))
    assert np.all(steps[:7] == 0)
    assert np.all((steps[7:] > 1e-5) & (steps[7:] < 0.1)), steps
    for of_axis in state.eigenvalues:
        assert np.all((of_axis["w"][1] > 1e-8) & (of_axis["w"][1] < 1e-3))


def test_the_first_call_has_the_likeliest_multiples_of_the_identity_as_the_other_factors():
    start, gradients = start_and_gradients({"square": (4, 4)}, 1)
    path, state = run(optzoo.kl_shampoo(0.1, weight_decay=0.5), start, gradients)
    np.testing.assert_array_equal(path["square"][0], start["square"])
    g = gradients["square"][0]
    first = np.sqrt(np.mean(g**2))
    for outer, of_axis in zip((g @ g.T, g.T @ g), state.gram, strict=True):
        np.testing.assert_allclose(of_axis["square"], 0.05 * outer / (4 * first), rtol=1e-12)


def test_an_eigenvalue_counts_as_a_millionth_of_the_largest_at_least():
    found = _kronecker_factors.roots((jnp.array([4.0, 4e-3, 0.0]), None))
    np.testing.assert_allclose(found[0], [2.0, np.sqrt(4e-3), 2e-3], rtol=1e-12)
    assert found[1] is None


def test_a_direction_without_gradients_for_long_is_no_division_by_zero():
    """A row of an embedding that is looked up again: the others' steps may not stop for long."""
    rng = np.random.default_rng(5)
    g = rng.standard_normal((600, 4, 4))
    g[:400, 3] = 0
    method = optzoo.kl_shampoo(1.0, weight_decay=0.0)
    path, state = run(method, {"w": np.zeros((4, 4))}, {"w": g}, jnp.float32)
    steps = np.abs(np.diff(np.asarray(path["w"], np.float64), axis=0)).max(axis=(1, 2))
    assert np.all(np.isfinite(steps))
    assert steps[300:].max() < 3
    assert steps[520:].min() > 0.05
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


@BOTH
def test_degenerate_gradients_give_finite_steps_and_states(make):
    """Each kind an entry of a stack: nothing of one is in another."""
    full = np.random.default_rng(1).standard_normal((4, 3))
    calls = np.arange(30.0)[:, None, None]
    kinds = {
        "zero": 0 * full * calls,
        "vanishing": full * 10.0**-calls,
        "rank one": full[:, :1] * full[:1] + 0 * calls,
        "tiny": full * 1e-30 + 0 * calls,
        "a jump": full * np.where(calls < 15, 1e-4, 3e4),
        "a large jump": full * np.where(calls < 15, 1e-18, 1e18),
    }
    stack = np.stack(list(kinds.values()), axis=1)
    dtypes = (jnp.float16, jnp.float32) if make is optzoo.kl_shampoo else (jnp.float32,)
    names = [jnp.dtype(dtype).name for dtype in dtypes]
    start = {name: jnp.zeros((6, 4, 3), name) for name in names}
    gradients = {name: jnp.asarray(stack, jnp.float32) for name in names}
    if "float16" in names:
        gradients["float16"] = gradients["float16"].at[:, -1].set(0)
    method = make(1.0, precondition_frequency=3, weight_decay=0.0, weight_dimension_numbers=_stack)
    path, state = _scan(method, start, gradients)
    assert (int(state.failed), int(state.skipped)) == (0, 0)
    for leaf in jax.tree.leaves((path, state)):
        assert np.isfinite(np.asarray(leaf, np.float64)).all()
    for name in names:
        moved = np.abs(np.diff(np.asarray(path[name], np.float64), axis=0)).max(axis=(0, 2, 3))
        assert np.all(moved < 20), f"{kinds}, {moved}: a step is about the learning rate"
        for basis in (of_axis[name] for of_axis in state.basis):
            products = basis @ basis.transpose(0, 2, 1)
            np.testing.assert_allclose(products - np.eye(basis.shape[1])[None], 0, atol=1e-5)


@BOTH
def test_leaves_keep_their_dtypes_whatever_those_of_the_gradients_are(make):
    dtypes = (jnp.float16, jnp.float32)
    params = {jnp.dtype(d).name: jnp.zeros((2, 2), d) for d in dtypes} | {
        "n": jnp.zeros((), jnp.float16)
    }
    method = make(0.1)
    state = method.init(params)
    for given in (jnp.bfloat16, jnp.float64):
        gradients = jax.tree.map(lambda p, given=given: jnp.ones(p.shape, given), params)
        found = jax.eval_shape(method.update, gradients, state, params)
        expected = jax.eval_shape(lambda: (params, state))
        jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), found, expected)


def test_factors_and_moments_are_where_they_should_be():
    shapes = {"w": (3, 7), "v": (2,), "t": (4, 2, 2), "empty": (0, 3), "s": ()}
    params = {name: jnp.zeros(shape) for name, shape in shapes.items()}

    def kept(**keywords):
        state = jax.eval_shape(optzoo.scale_by_kl_shampoo(**keywords).init, params)
        return {
            name: tuple(
                k for k, of_axis in enumerate(state.eigenvalues) if of_axis[name] is not None
            )
            for name in shapes
        }, {name for name in shapes if state.nu[name] is not None}

    none = {"v": (), "empty": (), "s": ()}
    assert kept() == ({**none, "w": (0, 1), "t": (0, 1, 2)}, {"v", "empty", "s"})
    assert kept(max_precond_dim=2) == ({**none, "w": (), "t": (1, 2)}, {"w", "v", "empty", "s"})
    assert kept(one_sided=True)[0] == {**none, "w": (0,), "t": (1,)}
    assert kept(precondition_1d=True)[0]["v"] == (0,)


@BOTH
@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive.*0.0"),
        ({"b1": 1.0}, ValueError, r"b1 must lie in \[0, 1\), got 1.0"),
        ({"b2": None}, TypeError, "b2 must be a real number"),
        ({"shampoo_beta": 1.5}, ValueError, r"shampoo_beta must lie in \[0, 1\), got 1.5"),
        ({"eps": -1e-8}, ValueError, "eps must lie in"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must lie in"),
        ({"precondition_frequency": 0}, ValueError, "precondition_frequency must be an integer"),
        ({"precondition_frequency": 2.5}, TypeError, "precondition_frequency must be an integer"),
        ({"max_precond_dim": -1}, ValueError, "max_precond_dim must be an integer of at least 0"),
        ({"precondition_1d": 1}, TypeError, "precondition_1d must be True or False, got 1"),
        ({"one_sided": "left"}, TypeError, "one_sided must be True or False, got 'left'"),
        ({"mask": {"w": 1.0}}, TypeError, r"mask\['w'\] must be True or False"),
    ],
)
def test_arguments_are_checked(make, keywords, error, match):
    with pytest.raises(error, match=match):
        make(**{"learning_rate": 0.1, **keywords})


@BOTH
def test_trees_and_dimension_numbers_are_checked(make):
    params = {"w": jnp.ones((3, 4))}
    method = make(0.1)
    state = method.init(params)
    with pytest.raises(ValueError, match=rf"{make.__name__}: `params` is missing"):
        method.update(params, state)
    with pytest.raises(ValueError, match=r"updates\['w'\].*shape"):
        method.update({"w": jnp.ones((4, 3))}, state, params)
    with pytest.raises(TypeError, match=r"params\['n'\] must be a real floating array.*int32"):
        method.init({"n": jnp.ones(3, jnp.int32)})
    with pytest.raises(ValueError, match=r"mask must be a tree prefix of params.*\{'w': \*\}"):
        make(0.1, mask={"v": True}).init(params)
    with pytest.raises(ValueError, match="weight_dimension_numbers must be a tree prefix"):
        make(0.1, weight_dimension_numbers={"v": None}).init(params)
    traced = optax.inject_hyperparams(make)(0.1, max_precond_dim=2)
    with pytest.raises(TypeError, match="static_args"):
        jax.jit(traced.init)(params)
    jax.eval_shape(traced.update, params, traced.init(params), params)


@BOTH
@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({}, {"one_sided": True}, "must be None, got an array"),
        ({"max_precond_dim": 1}, {}, "state."),
        ({}, {"precondition_1d": True}, "state."),
    ],
)
def test_a_state_made_with_other_settings_is_refused(make, before, now, words):
    params = {"w": jnp.ones((5, 3)), "b": jnp.ones(3)}
    state, update = make(0.1, **before).init(params), make(0.1, **now).update
    for called in (update, jax.jit(update)):
        with pytest.raises(ValueError, match=r"with other settings.*precondition_1d = ") as error:
            called(params, state, params)
        assert words in str(error.value)


def test_masked_leaves_do_not_decay_and_schedules_count_calls():
    start, gradients = start_and_gradients({"w": (3, 3)}, 10)
    both, twins = ({"a": t["w"], "b": t["w"]} for t in (start, gradients))
    rates = jnp.linspace(0.05, 0.3, 10)
    scheduled = optzoo.kl_shampoo(
        lambda k: rates[k], weight_decay=0.3, mask={"a": True, "b": False}
    )
    path, _ = run(scheduled, both, twins)
    unscaled, _ = run(optzoo.scale_by_kl_shampoo(), start, gradients)
    steps = np.diff(np.stack([start["w"], *unscaled["w"]]), axis=0)
    for leaf, decay in (("a", 0.3), ("b", 0.0)):
        w = start["w"]
        for call, (rate, u) in enumerate(zip(np.asarray(rates), steps, strict=True)):
            w = (w - rate * u) * (1 - rate * decay * (call > 0))
            np.testing.assert_allclose(path[leaf][call], w, atol=1e-12)
