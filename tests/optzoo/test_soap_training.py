"""SOAP as users run it: in flax and equinox, under wrappers, on several devices, saved."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from optzoo.soap import scale_by_soap, soap

DATA = jax.random.normal(jax.random.key(0), (64, 4), jnp.float32)
TARGETS = jnp.sin(DATA[:, :1])


def batches(steps):
    for k in range(steps):
        yield jax.random.randint(jax.random.key(k), (16,), 0, 64)


def test_equinox_loop():
    model = eqx.nn.MLP(4, 1, 16, 1, key=jax.random.key(1), dtype=jnp.float32)
    method = soap(0.01)

    def loss(model, rows):
        return jnp.mean((jax.vmap(model)(DATA[rows]) - TARGETS[rows]) ** 2)

    @eqx.filter_jit
    def step(model, state, rows):
        grads = eqx.filter_grad(loss)(model, rows)
        updates, state = method.update(grads, state, eqx.filter(model, eqx.is_inexact_array))
        return eqx.apply_updates(model, updates), state

    state = method.init(eqx.filter(model, eqx.is_inexact_array))
    start = loss(model, jnp.arange(64))
    for rows in batches(150):
        model, state = step(model, state, rows)
    assert loss(model, jnp.arange(64)) < 0.1 * start


def test_flax_loop_with_its_own_optimizer():
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(4, 16, rngs=rngs)
            self.second = nnx.Linear(16, 1, rngs=rngs)

        def __call__(self, x):
            return self.second(nnx.tanh(self.first(x)))

    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, soap(0.02), wrt=nnx.Param)

    def loss(model, rows):
        return jnp.mean((model(DATA[rows]) - TARGETS[rows]) ** 2)

    @nnx.jit
    def step(model, optimizer, rows):
        optimizer.update(model, nnx.grad(loss)(model, rows))

    start = loss(model, jnp.arange(64))
    for rows in batches(150):
        step(model, optimizer, rows)
    assert loss(model, jnp.arange(64)) < 0.1 * start


def problem(dtype=jnp.float64):
    rng = np.random.default_rng(0)
    # Gram matrices of full rank: the null space of a first one is known up to round-off only.
    shapes = {"w": (8, 8), "c": (3, 2, 4), "b": (6,)}
    return [
        {name: jnp.asarray(rng.standard_normal(shape), dtype) for name, shape in shapes.items()}
        for _ in range(26)
    ]


@functools.partial(jax.jit, static_argnums=0)
def step(method, params, state, g):
    """Compiled once for a method, however often it is run."""
    updates, state = method.update(g, state, params)
    return optax.apply_updates(params, updates), state


def run(method, start, gradients, state=None):
    params, state = start, method.init(start) if state is None else state
    for g in gradients:
        params, state = step(method, params, state, g)
    return params, state


PLAIN = soap(0.01)


def assert_equal(a, b, atol=0.0):
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=atol, rtol=0), a, b)


def test_under_partition_and_masked_each_leaf_runs_as_it_would_alone():
    start, *gradients = problem()
    whole, _ = run(PLAIN, start, gradients)
    split = optax.partition({"matrix": soap(0.01), "other": soap(0.01)}, labels)
    parts, _ = run(split, start, gradients)
    assert_equal(whole, parts, atol=1e-13)
    masked = optax.masked(soap(0.01), {"w": True, "c": False, "b": True})
    params, _ = run(masked, start, gradients)
    assert_equal({k: params[k] for k in "wb"}, {k: whole[k] for k in "wb"}, atol=1e-13)


def labels(params):
    return {name: "other" if name == "b" else "matrix" for name in params}


def test_in_a_chain_with_clipping_it_sees_the_clipped_gradients():
    start, *gradients = problem()
    chain = optax.chain(
        optax.clip_by_global_norm(1.0),
        scale_by_soap(),
        optax.scale_by_learning_rate(0.01),
    )
    params, _ = run(chain, start, gradients)
    norms = [np.sqrt(sum(np.sum(np.square(x)) for x in g.values())) for g in gradients]
    clipped = [
        {name: np.asarray(x) / norm for name, x in g.items()}
        for g, norm in zip(gradients, norms, strict=True)
    ]
    expected, _ = run(soap(0.01, weight_decay=0.0), start, clipped)
    assert_equal(params, expected, atol=1e-12)


def test_accumulated_gradients_are_their_means():
    start, *gradients = problem()
    params, _ = run(optax.MultiSteps(soap(0.01), 2), start, gradients[:24])
    means = [
        jax.tree.map(lambda a, b: (np.asarray(a) + b) / 2, *jax.device_get(pair))
        for pair in zip(gradients[:24:2], gradients[1:24:2], strict=True)
    ]
    expected, _ = run(PLAIN, start, means)
    assert_equal(params, expected, atol=1e-7)  # MultiSteps adds up in float32


def test_data_parallel_training_is_that_of_the_whole_batch():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    keys = jax.random.split(jax.random.key(2))
    params = {name: jax.random.normal(key, (4, 4)) for name, key in zip("wv", keys, strict=True)}
    # The second gradient is the first one, diagonal in its own basis but for round-off.
    method = soap(0.01, eps=1e-3, precondition_frequency=3)

    def loss(p, x, y):
        return jnp.mean((jnp.tanh(x @ p["w"]) @ p["v"] - y) ** 2)

    @jax.jit
    def step(params, state, x, y):
        updates, state = method.update(jax.grad(loss)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(), PartitionSpec("data"), PartitionSpec("data")),
        out_specs=PartitionSpec(),
    )
    def mapped(params, state, x, y):
        # The gradient of the replicated parameters is summed over the devices.
        g = jax.tree.map(lambda g: g / 8, jax.grad(loss)(params, x, y))
        updates, state = method.update(g, state, params)
        return optax.apply_updates(params, updates), state

    x, y = DATA.astype(float), jnp.sin(DATA.astype(float))
    split = jax.device_put((x, y), NamedSharding(mesh, PartitionSpec("data")))
    whole = spread = local = (params, method.init(params))
    for _ in range(10):
        whole = step(*whole, x, y)
        spread = step(*spread, *split)
        local = mapped(*local, *split)
    assert_equal(whole[0], spread[0], atol=1e-12)
    assert_equal(whole[0], local[0], atol=1e-12)


def test_leaves_split_over_devices_keep_their_sharding_and_their_numbers():
    start, *gradients = ({**tree, "d": tree["w"][0]} for tree in problem())
    expected, _ = run(soap(0.01, precondition_frequency=4), start, gradients)
    mesh = jax.make_mesh((2, 4), ("x", "y"), axis_types=(AxisType.Explicit,) * 2)
    specs = {"w": ("x", None), "c": (None, "x", "y"), "b": ("x",), "d": ("y",)}
    shardings = {k: NamedSharding(mesh, PartitionSpec(*spec)) for k, spec in specs.items()}
    with jax.set_mesh(mesh):
        split = jax.device_put(start, shardings)
        method = soap(0.01, precondition_frequency=4)
        before = method.init(split)
        params, state = run(method, split, [jax.device_put(g, shardings) for g in gradients])
        assert jax.tree.map(jax.typeof, state) == jax.tree.map(jax.typeof, before)
        for name, sharding in shardings.items():
            assert params[name].sharding.is_equivalent_to(sharding, params[name].ndim)
    assert_equal(jax.device_get(params), jax.device_get(expected), atol=1e-12)


def test_a_stacked_leaf_split_over_devices_keeps_its_sharding_and_its_numbers():
    start, *gradients = ({"c": tree["c"][:, :, :2]} for tree in problem())
    numbers = {"c": optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 2), output_axis=1)}
    method = soap(0.01, precondition_frequency=4, weight_dimension_numbers=numbers)
    expected, _ = run(method, start, gradients)
    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Explicit,))
    sharding = NamedSharding(mesh, PartitionSpec(None, None, "x"))
    with jax.set_mesh(mesh):
        split = [jax.device_put(tree, sharding) for tree in (start, *gradients)]
        params, _ = run(method, split[0], split[1:])
        assert params["c"].sharding.is_equivalent_to(sharding, 3)
    assert_equal(jax.device_get(params), jax.device_get(expected), atol=1e-12)


def test_a_saved_run_continues_bit_for_bit(tmp_path):
    start, *gradients = problem(jnp.float32)
    method = soap(0.01, precondition_frequency=4)
    params, state = run(method, start, gradients[:10])
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "run", {"params": params, "state": state})
        checkpointer.wait_until_finished()
        like = jax.eval_shape(lambda p: {"params": p, "state": method.init(p)}, start)
        saved = checkpointer.restore(tmp_path / "run", like)
    assert isinstance(saved["state"], type(state))
    jax.tree.map(np.testing.assert_array_equal, saved["state"], state)
    continued = run(method, saved["params"], gradients[10:], saved["state"])
    straight = run(method, params, gradients[10:], state)
    jax.tree.map(np.testing.assert_array_equal, continued, straight)


def test_init_takes_shapes():
    shapes = {"w": jax.ShapeDtypeStruct((4, 3), jnp.bfloat16)}
    state = soap(0.1).init(shapes)
    assert (state.mu["w"].shape, state.mu["w"].dtype) == ((4, 3), jnp.bfloat16)
    assert [axis["w"].dtype for axis in state.basis] == [jnp.float32, jnp.float32]
