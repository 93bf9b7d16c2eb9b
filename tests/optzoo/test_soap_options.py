"""SOAP's options: refreshes in turns, adaptive and Cholesky bases, the factored second moment."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers

from optzoo import _soap_basis
from optzoo._soap_axes import Structure
from optzoo._soap_places import on_one_device
from optzoo._soap_refresh import in_groups, in_slots
from optzoo.soap import scale_by_soap, soap

from .test_soap import HYPERPARAMETERS, run, soap_in_numpy, start_and_gradients

MATRICES = {"square": (6, 6), "large": (9, 9), "cube": (4, 3, 5)}
AXES = {"square": (0, 1), "large": (0, 1), "cube": (0, 1, 2)}


def trajectories(method, calls=60, shapes=MATRICES):
    start, gradients = start_and_gradients(shapes, calls)
    path, state = run(method, start, gradients)
    return start, gradients, path, state


def place(*shape, bases=True, numbers=None):
    leaf = jnp.zeros(shape)
    ((view, _),) = Structure(None, False, False, numbers).views(leaf)
    return on_one_device(view, (bases,) * len(view.sizes))


def assert_is(path, name, expected, tolerance=1e-10):
    assert np.abs(expected[-1] - expected[0]).max() > 0.02
    np.testing.assert_allclose(np.asarray(path[name]), expected, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("f", [1, 3])
def test_in_turns_every_leaf_is_the_statement_with_a_slot_of_its_own(f):
    method = soap(**HYPERPARAMETERS, precondition_frequency=f, stagger=True)
    start, gradients, path, _ = trajectories(method)
    slots = in_slots([place(*MATRICES[name]) for name in sorted(MATRICES)], f)
    for name in MATRICES:
        (slot,) = (k for k in range(f) if sorted(MATRICES).index(name) in slots[k])
        of_leaf = [g[name] for g in gradients]
        expected = soap_in_numpy(start[name], of_leaf, f, axes=AXES[name], slot=slot)
        assert_is(path, name, expected)


def test_slots_and_groups_hold_every_leaf_with_bases_once():
    leaves = [place(256, 256)] * 17 + [place(1024, 256)] * 10 + [place(9, bases=False)] * 30
    slots = in_slots(leaves, 10)
    assert sorted(place for slot in slots for place in slot) == list(range(27))
    costs = [sum(leaves[leaf].cost for leaf in slot) for slot in slots]
    assert max(costs) < 1.05 * np.mean(costs)
    groups = in_groups(leaves)
    assert sorted(place for group in groups for place in group) == list(range(27))
    assert len(groups) == 4
    # stacks count with all their matrices
    numbers = MuonDimensionNumbers(reduction_axis=1, output_axis=2)
    assert place(5, 8, 8, numbers=numbers).cost == 5 * place(8, 8).cost


def test_in_turns_a_call_decomposes_only_the_leaves_of_its_slot():
    start, gradients = start_and_gradients({i: (3 + i, 3 + i) for i in range(4)}, 9)
    method = soap(0.01, precondition_frequency=4, stagger=True)
    update = jax.jit(method.update)
    state = method.init(start)
    turned = []
    for g in gradients:
        _, new = update(g, state, start)
        turned.append([i for i in start if not np.allclose(new.basis[0][i], state.basis[0][i])])
        state = new
    assert turned == [[3], [2], [1], [0], [3], [2], [1], [0], [3]]
    skipped, _ = update(jax.tree.map(lambda g: g * np.nan, gradients[0]), state, start)[1], None
    jax.tree.map(np.testing.assert_array_equal, skipped.basis, state.basis)


def test_adaptive_bases_wait_until_they_are_off_by_more_than_the_tolerance():
    tolerance = 0.05
    method = soap(
        **HYPERPARAMETERS, precondition_frequency=2, basis="adaptive", basis_tolerance=tolerance
    )
    start, gradients, path, _ = trajectories(method)
    shares = {}
    for name in MATRICES:
        refreshes = []
        expected = soap_in_numpy(
            start[name],
            [g[name] for g in gradients],
            2,
            axes=AXES[name],
            tolerance=tolerance,
            refreshes=refreshes,
        )
        assert_is(path, name, expected)
        shares[name] = len(refreshes) / 29
    assert min(shares.values()) < 0.9, "some refresh was left out"
    assert max(shares.values()) > 0.1, "and some was not"


def test_the_share_off_the_diagonal():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 5))
    a = a @ a.T
    r = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    turned = r @ a @ r.T
    expected = 1 - np.sum(np.diag(turned) ** 2) / np.sum(turned**2)
    for scale in (1.0, 1e-200, 1e150):
        share = _soap_basis.off_diagonal_share(scale * a, r)
        np.testing.assert_allclose(share, expected, rtol=1e-10)
    assert float(_soap_basis.off_diagonal_share(0 * a, r)) == 0
    assert abs(float(_soap_basis.off_diagonal_share(a, np.linalg.eigh(a)[1].T))) < 1e-12


def test_by_cholesky_factors_every_iterate_is_that_of_the_independent_statement():
    f = 2
    method = soap(**HYPERPARAMETERS, precondition_frequency=f, basis="cholesky")
    start, gradients, path, state = trajectories(method)
    assert int(state.failed) == 0
    for name in MATRICES:
        of_leaf = [g[name] for g in gradients]
        assert_is(path, name, soap_in_numpy(start[name], of_leaf, f, axes=AXES[name]))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("kind", ["well conditioned", "1e5", "rank 3", "rows of zeros", "zero"])
def test_the_step_by_cholesky_factors_is_orthogonal_whatever_the_matrix(kind, dtype):
    rng = np.random.default_rng(1)
    q = np.linalg.qr(rng.standard_normal((24, 24)))[0]
    x = rng.standard_normal((24, 3))
    matrices = {
        "well conditioned": q * np.linspace(1, 3, 24) @ q.T,
        "1e5": q * np.logspace(0, -5, 24) @ q.T,
        "rank 3": x @ x.T,
        "rows of zeros": np.diag(np.r_[np.arange(1.0, 13), np.zeros(12)]),
        "zero": np.zeros((24, 24)),
    }
    basis = np.linalg.qr(rng.standard_normal((24, 24)))[0].astype(dtype)
    matrix = matrices[kind].astype(dtype)
    new, failed = _soap_basis.power_step_by_products(matrix, basis)
    assert not bool(failed)
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(new @ new.T, np.eye(24), atol=100 * eps)
    if kind == "well conditioned":
        other, _ = _soap_basis.power_step(matrix, basis)
        np.testing.assert_allclose(np.abs(np.sum(new * other, axis=1)), 1, atol=1000 * eps)
    if kind == "zero":
        np.testing.assert_allclose(np.abs(np.sum(new * basis, axis=1)), 1, atol=100 * eps)


def test_a_matrix_that_does_not_become_orthogonal_is_a_failure():
    new, failed = _soap_basis.power_step_by_products(jnp.full((3, 3), jnp.nan), jnp.eye(3))
    assert bool(failed)
    np.testing.assert_array_equal(new, np.eye(3))


def test_ranks_are_a_permutation_whatever_the_numbers():
    rng = np.random.default_rng(0)
    for numbers in (rng.standard_normal(9), np.r_[2.0, 1, 2, 3, 1], np.zeros(4)):
        order, ranks = _soap_basis._descending(jnp.asarray(numbers))
        np.testing.assert_array_equal(order, np.argsort(-numbers, kind="stable"))
        np.testing.assert_array_equal(ranks[order], np.arange(len(numbers)))
    order, _ = _soap_basis._descending(jnp.array([1.0, jnp.nan, 2.0, jnp.nan]))
    np.testing.assert_array_equal(order, [2, 0, 1, 3])


def test_entries_of_a_stack_share_a_kernel():
    stack = jnp.arange(12.0).reshape(6, 2, 1)
    entries = jax.jit(_soap_basis._entries)
    for entry, expected in zip(entries(stack, True), stack, strict=True):
        np.testing.assert_array_equal(entry, expected)
    program = entries.lower(stack, True).compile().as_text()
    assert program.count(" slice(") == 0  # each would be compiled by itself
    assert program.count(" dynamic-slice(") >= len(stack)


def test_factored_every_iterate_is_that_of_the_independent_statement():
    shapes = {"square": (6, 6), "wide": (4, 9), "vector": (7,), "scalar": (), "cube": (4, 3, 5)}
    start, gradients = start_and_gradients(shapes, 60)
    method = soap(**HYPERPARAMETERS, precondition_frequency=4, factored=True, one_sided=True)
    path, state = run(method, start, gradients)
    axes = {"square": (0,), "wide": (0,), "cube": (1,), "vector": (), "scalar": ()}
    for name, shape in shapes.items():
        of_leaf = [g[name] for g in gradients]
        expected = soap_in_numpy(start[name], of_leaf, 4, axes=axes[name], factored=len(shape) == 2)
        assert_is(path, name, expected)
    rows, columns = state.nu
    assert (rows["wide"].shape, columns["wide"].shape) == ((4,), (9,))
    assert (rows["cube"].shape, columns["cube"]) == ((4, 3, 5), None)


def test_a_factored_stack_is_so_many_factored_matrices():
    start, gradients = start_and_gradients({"w": (3, 4, 5)}, 30)
    numbers = {"w": MuonDimensionNumbers(1, 2)}
    options = {"factored": True, "precondition_frequency": 3}
    path, _ = run(soap(0.01, **options, weight_dimension_numbers=numbers), start, gradients)
    single = {i: start["w"][i] for i in range(3)}
    singles = [{i: g["w"][i] for i in range(3)} for g in gradients]
    expected, _ = run(soap(0.01, **options), single, singles)
    for i in range(3):
        np.testing.assert_allclose(path["w"][:, i], expected[i], atol=1e-12)


def test_one_sided_and_factored_the_state_is_below_that_of_adam():
    layer = {"q": (64, 64), "k": (64, 64), "v": (64, 64), "o": (64, 64)}
    layer |= {"up": (64, 256), "down": (256, 64)}
    params = {name: jnp.zeros(shape, jnp.float32) for name, shape in layer.items()}
    params["tokens"] = jnp.zeros((256, 64), jnp.float32)

    def held(method):
        return sum(leaf.nbytes for leaf in jax.tree.leaves(method.init(params)))

    small = held(scale_by_soap(factored=True, one_sided=True))
    assert small < held(optax.scale_by_adam())
    assert small < 0.25 * held(scale_by_soap())


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32])
def test_all_options_together_in_fewer_bits_under_vmap(dtype):
    method = soap(0.01, 0.9, factored=True, basis="adaptive", stagger=True)
    start, gradients = start_and_gradients({"w": (4, 6), "b": (3,)}, 12)
    params = jax.tree.map(lambda p: jnp.asarray(np.stack([p, 2 * p]), dtype), start)
    state = jax.vmap(method.init)(params)
    step = jax.jit(jax.vmap(method.update))
    for g in gradients:
        both = jax.tree.map(lambda x: jnp.asarray(np.stack([x, x]), dtype), g)
        updates, state = step(both, state, params)
        params = optax.apply_updates(params, updates)
    assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(params))
    for name, p in params.items():
        assert np.isfinite(np.asarray(p, np.float32)).all(), name
    assert [axis["w"].dtype for axis in state.nu] == [jnp.float32] * 2


BAD = [
    ({"basis": "QR"}, ValueError, "basis must be one of 'qr', 'adaptive', 'cholesky', got 'QR'"),
    ({"basis_tolerance": 0.1}, ValueError, "goes with basis='adaptive' alone, got 0.1 with basis"),
    ({"basis": "adaptive", "basis_tolerance": 1.0}, ValueError, r"must lie in \[0, 1\)"),
    ({"stagger": 1}, TypeError, "stagger must be True or False, got 1"),
    ({"factored": None}, TypeError, "factored must be True or False, got None"),
    ({"stagger": True, "precondition_frequency": 2.0}, TypeError, "precondition_frequency must be"),
    ({"stagger": True, "precondition_frequency": 0}, ValueError, "precondition_frequency must be"),
]


@pytest.mark.parametrize(("keywords", "error", "match"), BAD)
@pytest.mark.parametrize("make", [scale_by_soap, lambda **keywords: soap(0.1, **keywords)])
def test_options_are_checked(make, keywords, error, match):
    with pytest.raises(error, match=match):
        make(**keywords)


def test_there_may_be_more_slots_than_leaves_and_leaves_without_bases():
    start, gradients = start_and_gradients({"w": (3, 3), "b": (2,)}, 12)
    path, state = run(soap(0.1, precondition_frequency=5, stagger=True), start, gradients)
    assert np.isfinite(path["b"]).all()
    assert not np.allclose(state.basis[0]["w"], np.eye(3))
    path, _ = run(soap(0.1, stagger=True), {"b": start["b"]}, [{"b": g["b"]} for g in gradients])
    expected, _ = run(soap(0.1), {"b": start["b"]}, [{"b": g["b"]} for g in gradients])
    np.testing.assert_allclose(path["b"], expected["b"], atol=1e-14)


def test_in_turns_the_frequency_must_not_be_injected():
    params = {"w": jnp.ones((3, 3))}
    injected = optax.inject_hyperparams(soap)
    with pytest.raises(TypeError, match="precondition_frequency must be an int where stagger"):
        injected(0.1, stagger=True).init(params)
    static = optax.inject_hyperparams(soap, static_args=("precondition_frequency",))
    method = static(0.1, stagger=True)
    updates, _ = method.update(params, method.init(params), params)
    assert updates["w"].shape == (3, 3)


def test_a_state_of_another_second_moment_is_refused():
    params = {"w": jnp.ones((3, 3))}
    whole, factored = scale_by_soap(), scale_by_soap(factored=True)
    for one, other in ((whole, factored), (factored, whole)):
        with pytest.raises(ValueError, match=r"state\.nu must .*factored"):
            one.update(params, other.init(params))
