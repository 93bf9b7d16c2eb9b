"""SOAP on a mesh: the same numbers, the state held once, every matrix decomposed once."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from optax.contrib import MuonDimensionNumbers

from optzoo import _soap_refresh
from optzoo._soap_exchange import owners_of
from optzoo.soap import scale_by_soap, soap, soap_shardings

# Sizes that 4 divides, stacks of 4 and of 3 matrices, a convolution, and what 4 does not divide;
# square, because a vector of a basis that no gradient ever touched may be any.
SHAPES = {
    "w": (8, 8),
    "experts": (4, 6, 6),
    "layers": (3, 4, 4),
    "kernel": (3, 1, 4, 12),
    "odd": (5, 5),
    "bias": (2**14,),
}
NUMBERS = {
    "w": MuonDimensionNumbers(0, 1),
    "experts": MuonDimensionNumbers(1, 2),
    "layers": MuonDimensionNumbers(1, 2),
    "kernel": MuonDimensionNumbers((0, 1, 2), 3),
    "odd": MuonDimensionNumbers(0, 1),
    "bias": None,
}


def mesh_of(shape, names, kind):
    devices = jax.devices()[: int(np.prod(shape))]
    return jax.make_mesh(shape, names, axis_types=(kind,) * len(shape), devices=devices)


def given(shapes=SHAPES, calls=6):
    rng = np.random.default_rng(0)
    trees = [{k: rng.standard_normal(shape) for k, shape in shapes.items()} for _ in range(calls)]
    return [jax.tree.map(jnp.asarray, tree) for tree in trees]


def on(mesh, tree, split):
    """The tree on the mesh: `w` split as told, everything else on all devices."""
    specs = {k: PartitionSpec(*(split if k == "w" else ())) for k in tree}
    return jax.device_put(tree, {k: NamedSharding(mesh, spec) for k, spec in specs.items()})


def trajectory(method, start, gradients):
    @jax.jit
    def step(params, state, g):
        updates, state = method.update(g, state, params)
        return optax.apply_updates(params, updates), state

    params, state = start, jax.jit(method.init)(start)
    for g in gradients:
        params, state = step(params, state, g)
    return params, state


def difference(x, y):
    x, y = map(jax.device_get, (x, y))
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: np.abs(a - b).max(), x, y)))


def bytes_held(tree):
    return sum(shard.data.nbytes for x in jax.tree.leaves(tree) for shard in x.addressable_shards)


def assert_as_on_one_device(mesh, split):
    """Numbers and places after some calls of `soap` on all kinds of leaves."""
    method = soap(0.01, precondition_frequency=2, weight_dimension_numbers=NUMBERS)
    start, *gradients = given()
    expected, expected_state = trajectory(method, start, gradients)
    placed = on(mesh, start, split)
    found, state = trajectory(method, placed, [on(mesh, g, split) for g in gradients])
    assert difference(expected, start) > 0.01
    assert difference(found, expected) < 1e-12
    assert difference(state, expected_state) < 1e-12
    for name, leaf in found.items():
        assert leaf.sharding.is_equivalent_to(placed[name].sharding, leaf.ndim), name
    wanted = soap_shardings(placed, weight_dimension_numbers=NUMBERS)
    for x, sharding in zip(jax.tree.leaves(state), jax.tree.leaves(wanted), strict=True):
        assert x.sharding.is_equivalent_to(sharding, x.ndim)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_numbers_are_those_of_one_device_and_parameters_stay_where_they_are(kind):
    # all layouts: test_soap_sharded_layouts.py
    assert_as_on_one_device(mesh_of((2, 2), ("data", "model"), kind), (None, "model"))


def test_a_gradient_that_is_not_finite_on_one_device_is_skipped_on_all():
    start, g = given({"w": (8, 8), "bias": (2**14,)}, 2)
    mesh = mesh_of((8,), ("x",), AxisType.Auto)
    params = on(mesh, start, ("x",))
    method = scale_by_soap()
    update = jax.jit(method.update)
    _, state = update(on(mesh, g, ("x",)), method.init(params))
    bad = {**g, "bias": g["bias"].at[-1].set(jnp.nan)}  # of which a device sees a part
    updates, after = update(on(mesh, bad, ("x",)), state)
    assert int(after.skipped) == 1
    assert int(after.count) == 1
    assert difference(after.basis, state.basis) == 0
    assert difference(updates, jax.tree.map(jnp.zeros_like, updates)) == 0


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
@pytest.mark.parametrize(
    "split", [(), ("x",), (None, "x")], ids=["data parallel", "rows", "columns"]
)
def test_all_devices_together_hold_the_state_once(kind, split):
    mesh = mesh_of((8,), ("x",), kind)
    params = {str(i): jnp.zeros((512, 512), jnp.float32) for i in range(4)}
    alone = bytes_held(soap(0.01).init(params))
    placed = jax.device_put(params, NamedSharding(mesh, PartitionSpec(*split)))
    state = soap(0.01).init(placed)
    assert alone == 24 * 4 * 512 * 512 + 12
    assert bytes_held(state) <= 1.001 * alone


def test_every_matrix_is_decomposed_once_by_one_device(monkeypatch):
    decomposed = []
    one = _soap_refresh.power_step

    def counted(gram, basis):
        jax.debug.callback(lambda d: decomposed.append(int(d)), jax.lax.axis_index("x"))
        return one(gram, basis)[0], jnp.array(True)

    monkeypatch.setattr(_soap_refresh, "power_step", counted)
    shapes = {**{f"w{i}": (8, 8) for i in range(4)}, "experts": (8, 2, 2), "odd": (3, 16)}
    numbers = {k: NUMBERS["experts" if k == "experts" else "w"] for k in shapes}
    method = soap(0.01, precondition_frequency=2, weight_dimension_numbers=numbers)
    mesh = mesh_of((8,), ("x",), AxisType.Auto)
    start, *gradients = (on(mesh, tree, ()) for tree in given(shapes, 4))
    _, state = trajectory(method, start, gradients)  # calls 0, 1 and 2: one refresh
    jax.effects_barrier()
    of_stack, of_others = 2 * 8, 8 + 2
    assert len(decomposed) == of_stack + of_others
    assert int(state.failed) == of_stack + of_others, "each says that it failed"
    per_device = np.bincount(decomposed, minlength=8)
    assert per_device.min() == 2 + 1  # its own of the stack, and one of the others at least
    assert per_device.max() == 2 + 2


def test_owners_have_about_the_same_to_do():
    sizes = [1024] * 24 + [256] * 72
    owners = owners_of(sizes, 8)
    load = np.bincount(owners, weights=np.array(sizes, float) ** 3)
    assert load.max() < 1.01 * load.mean()
    # a matrix of size 8 takes longer than four of size 5
    load = np.bincount(owners_of([8, 5, 5, 5, 5, 5], 2), minlength=2)
    assert sorted(load) == [1, 5]
    assert owners_of([], 3) == []


COLLECTIVE = re.compile(
    r"= \(?(\w+)\[([\d,]*)\]\S* .*?(all-gather|all-reduce|reduce-scatter|all-to-all"
    r"|collective-permute|collective-broadcast)(?:-start)?\("
)


def messages_of(method, params):
    """(kind, shape) of every collective of a call that is in no branch, smallest sizes left out."""
    state = method.init(params)
    text = jax.jit(method.update).lower(params, state, params).compile().as_text()
    entry = text[text.index("\nENTRY ") :]
    found = []
    for line in entry.splitlines():
        match = COLLECTIVE.search(line)
        if match and match[2]:
            found.append((match[3], tuple(map(int, match[2].split(",")))))
    return sorted(found)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_between_refreshes_the_compiled_step_sends_what_is_documented(kind):
    m, n = 64, 48
    mesh = mesh_of((8,), ("x",), kind)
    matrix = {"w": jnp.ones((m, n))}
    products = [("all-gather", (m, n)), ("reduce-scatter", (m // 8, n)), ("reduce-scatter", (m, 6))]
    # F = G Q_R and the two sums, and besides the update where it is whole, or the gradient if not
    for split in ((), ("x",)):
        found = messages_of(soap(0.01), on(mesh, matrix, split))
        assert found == sorted([*products, ("all-gather", (m, n))])
    # a stack that is split along its batch sends nothing
    stack = jax.device_put({"w": jnp.ones((8, m, n))}, NamedSharding(mesh, PartitionSpec("x")))
    numbers = {"w": MuonDimensionNumbers(1, 2)}
    assert messages_of(soap(0.01, weight_dimension_numbers=numbers), stack) == []


def test_shardings_of_parameters_on_one_device_and_on_none():
    params = {"w": jnp.zeros((8, 4))}
    shardings = soap_shardings(params)
    assert {*jax.tree.leaves(shardings)} == {params["w"].sharding}
    with pytest.raises(ValueError, match="no leaf of them has a sharding"):
        soap_shardings({"w": jax.ShapeDtypeStruct((8, 4), jnp.float32)})
    with pytest.raises(TypeError, match="one_sided must be True or False, got 1"):
        soap_shardings(params, one_sided=1)


@pytest.mark.parametrize("jitted", [False, True])
def test_no_two_arrays_of_a_fresh_state_are_one(jitted):
    mesh = mesh_of((2,), ("x",), AxisType.Auto)
    for params in ({"w": jnp.ones((2, 2))}, on(mesh, {"w": jnp.ones((2, 2))}, ())):
        method = scale_by_soap()
        state = (jax.jit(method.init) if jitted else method.init)(params)
        update = jax.jit(method.update, donate_argnums=1)
        _, state = update(params, state)
        assert int(state.count) == 1


def test_mapped_over_copies_of_parameters_on_a_mesh():
    # With explicit axes jax refuses `zeros_like` in `vmap`, also that of optax's methods.
    method = scale_by_soap(precondition_frequency=1)
    copies, others = (tree["w"] for tree in given({"w": (2, 4, 4)}, 2))
    mesh = mesh_of((2,), ("x",), AxisType.Auto)
    placed = jax.device_put(copies, NamedSharding(mesh, PartitionSpec(None, "x")))

    def second_step(x):
        _, state = jax.jit(jax.vmap(method.update))(x, jax.vmap(method.init)(x))
        return jax.jit(jax.vmap(method.update))(others, state)[0]

    assert difference(second_step(placed), second_step(copies)) < 1e-10
