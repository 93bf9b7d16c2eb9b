"""Any optimizer on blocks of its parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import optzoo
from optzoo._blocks import cut

DTYPES = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)


def parameters():
    """A matrix, a convolution, a vector, a number, nothing and no leaf."""
    matrix, kernel, vector = jax.random.split(jax.random.key(0), 3)
    return {
        "embedding": jax.random.normal(matrix, (3, 3)),
        "kernel": jax.random.normal(kernel, (2, 1, 3, 2)),
        "bias": jax.random.normal(vector, (3,)),
        "scale": jnp.array(2.0),
        "empty": jnp.zeros((0, 3)),
        "frozen": None,
    }


def by_hand(tree):
    """`parameters` with block_size=2 and merge=2."""
    tree = {name: None if leaf is None else np.asarray(leaf) for name, leaf in tree.items()}
    e, k, b = tree["embedding"], tree["kernel"].reshape(2, 3, 2), tree["bias"]
    nothing = dict.fromkeys(tree)
    blocks = (
        {
            "embedding": e[:2, :2],
            "kernel": k[:, :2],
            "bias": b[:2],
            "scale": tree["scale"],
            "empty": tree["empty"][:, :2],
            "frozen": None,
        },
        nothing
        | {
            "embedding": e[:2, 2:],
            "kernel": k[:, 2:],
            "bias": b[2:],
            "empty": tree["empty"][:, 2:],
        },
        nothing | {"embedding": e[2:, :2]},
        nothing | {"embedding": e[2:, 2:]},
    )
    return jax.tree.map(jnp.asarray, blocks)


def gradients(tree, k):
    return jax.tree.map(lambda x: jnp.sin((k + 1) * x), tree)


def assert_same(found, expected, **tolerance):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), **tolerance)


def run(method, params, steps=3, of=gradients):
    """The parameters after a few steps, and the last state."""

    @jax.jit
    def step(params, state, k):
        updates, state = method.update(of(params, k), state, params)
        return optax.apply_updates(params, updates), state

    state = method.init(params)
    for k in range(steps):
        params, state = step(params, state, jnp.asarray(k))
    return params, state


def seen():
    """A transformation that keeps what it is given, and gives the updates back."""
    return optax.GradientTransformationExtraArgs(
        lambda params: (params, None, None),
        lambda updates, state, params=None, **extra: (updates, (updates, params, extra)),
    )


# --- How a leaf is cut ---


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(0, 5), max_size=4).map(tuple),
    block_size=st.none() | st.integers(1, 6),
    merge=st.none() | st.integers(1, 12),
    dtype=st.sampled_from(DTYPES),
)
def test_blocks_are_exact_parts_of_the_leaf(shape, block_size, merge, dtype):
    size = int(np.prod(shape))
    leaf = jnp.asarray(np.arange(size) % 97 - 48.5, dtype).reshape(shape)
    each = cut(shape, block_size, merge)
    blocks = each.blocks(leaf)
    back = each.joined(blocks, leaf)
    assert back.dtype == leaf.dtype
    np.testing.assert_array_equal(back, leaf)
    # No entry is there twice, and none is added.
    assert sum(block.size for block in blocks) == size
    assert len(blocks) == each.number
    merged = tuple(int(np.prod([shape[axis] for axis in group])) for group in each.groups)
    for length, lengths in zip(merged, each.lengths, strict=True):
        assert sum(lengths) == length
        assert max(lengths) - min(lengths) <= 1
        if block_size is None:
            assert lengths == (length,)
        else:
            assert max(lengths) <= block_size
            assert len(lengths) == max(1, -(-length // block_size))
    assert len(merged) >= min(2, len(shape))


@pytest.mark.parametrize(
    ("shape", "merge", "merged"),
    [
        ((3, 3, 64, 128), 1024, (576, 128)),
        ((3, 3, 64, 128), 575, (9, 64, 128)),
        ((128, 64, 3, 3), 1024, (128, 576)),
        ((512, 8, 64), 1024, (512, 512)),
        ((8, 64, 512), 1024, (512, 512)),
        ((3, 3, 4, 8), 10_000, (36, 8)),  # two axes remain
        ((4, 8), 10_000, (4, 8)),
        ((50_257, 1, 64), 1, (50_257, 64)),
        ((1, 50_257, 64), 1, (50_257, 64)),
        ((2, 2, 2), None, (2, 2, 2)),
        ((1, 1, 4), None, (1, 1, 4)),
        ((7,), 1024, (7,)),
        ((), 1024, ()),
    ],
)
def test_neighbouring_axes_are_merged_from_the_left(shape, merge, merged):
    assert tuple(map(sum, cut(shape, 16, merge).lengths)) == merged


def test_lengths_differ_by_at_most_one():
    rows, columns = cut((50_257, 64), 1024, None).lengths
    assert rows == (1006,) * 7 + (1005,) * 43
    assert columns == (64,)


# --- What the inner transformation is given ---


def test_inner_is_given_the_blocks():
    method = optzoo.reshaped(seen(), block_size=2, merge=2)
    params = parameters()
    updates, state = jax.jit(
        lambda params: method.update(gradients(params, 0), method.init(params), params)
    )(params)
    assert_same(updates, gradients(params, 0), rtol=1e-15)
    assert_same(state.inner[0], by_hand(gradients(params, 0)), rtol=1e-15)
    assert_same(state.inner[1], by_hand(params), rtol=0)


def test_an_embedding_of_fifty_thousand_rows_and_a_convolution():
    """What the README says of them."""
    params = {"embedding": jnp.zeros((50_257, 64)), "kernel": jnp.zeros((3, 3, 64, 128))}
    mu = jax.eval_shape(optzoo.reshaped(optax.adam(0.1), 1024, 1024).init, params).inner[0].mu
    assert [tree["embedding"].shape for tree in mu] == [(1006, 64)] * 7 + [(1005, 64)] * 43
    assert [tree["kernel"] is None for tree in mu] == [False] + [True] * 49
    assert mu[0]["kernel"].shape == (576, 128)


def test_no_parameters_are_none_inside():
    method = optzoo.reshaped(seen(), block_size=2)
    _, state = method.update(parameters(), method.init(parameters()))
    assert state.inner[1] is None


def test_where_nothing_is_cut_inner_is_given_the_parameters_as_they_are():
    params = {"w": jnp.ones((3, 4)), "b": jnp.ones(())}
    masked = optax.masked(optax.sgd(0.5), {"w": True, "b": False})
    method = optzoo.reshaped(masked, block_size=4, merge=100)
    assert_same(method.init(params).inner, masked.init(params), rtol=0)
    updates, _ = method.update(params, method.init(params), params)
    assert_same(updates, {"w": jnp.full((3, 4), -0.5), "b": jnp.ones(())}, rtol=0)


def test_it_is_the_inner_one_on_blocks_cut_by_hand():
    """Lamb's step is as long as the block."""
    inner = optax.lamb(0.1)
    found, state = run(optzoo.reshaped(inner, block_size=2, merge=2), parameters())
    expected, inner_state = run(inner, by_hand(parameters()))
    assert_same(by_hand(found), expected, rtol=1e-12, atol=1e-12)
    assert_same(state.inner, inner_state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("inner", "dtype"),
    [
        (optax.adam(0.1), jnp.float32),
        (optax.adam(0.1), jnp.bfloat16),
        (optax.sgd(0.1, momentum=0.9), jnp.float16),
        (optax.sgd(0.1, momentum=0.9), jnp.float64),
    ],
    ids=["float32", "bfloat16", "float16", "float64"],
)
def test_elementwise_methods_are_unchanged_to_the_bit(inner, dtype):
    """Operation by operation: a compiled program may round another way."""
    x = jnp.linspace(-1, 1, 6, dtype=dtype).reshape(3, 2)
    methods = inner, optzoo.reshaped(inner, block_size=2)
    states = [method.init(x) for method in methods]
    for _ in range(2):
        steps = [method.update(x, s, x) for method, s in zip(methods, states, strict=True)]
        (expected, _), (found, _) = steps
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)
        states = [state for _, state in steps]
        x += expected


def test_padding_would_be_seen():
    """Blocks of 2, 2 and 1 rows, each divided by its own root mean square."""

    def by_its_root_mean_square(updates, params=None):
        return jax.tree.map(lambda g: g / jnp.sqrt(jnp.mean(g * g)), updates)

    rows = jnp.array([[3.0], [3.0], [5.0], [5.0], [7.0]])
    method = optzoo.reshaped(optax.stateless(by_its_root_mean_square), block_size=2)
    updates, _ = method.update(rows, method.init(rows))
    np.testing.assert_allclose(updates, np.ones((5, 1)), rtol=1e-15)
    # With a row of zeros under the last one it would be the root of 2.
    padded = jnp.pad(rows, ((0, 1), (0, 0)))
    updates, _ = method.update(padded, method.init(padded))
    np.testing.assert_allclose(updates[4], 2**0.5, rtol=1e-15)


def test_soap_on_a_block_diagonal_problem_needs_no_more_than_the_blocks():
    """Its Gram matrices are block diagonal then, and what is off the blocks never moves."""
    targets = jax.random.normal(jax.random.key(1), (2, 3, 3))
    target = jax.scipy.linalg.block_diag(*targets)
    inner = optzoo.soap(0.05, eps=1e-3, weight_decay=0.0, precondition_frequency=2)

    def toward(params, k):
        # Not with one scale, so that the bases turn.
        return jax.tree.map(lambda x: (x - target) * jnp.where(target > 0, 1.0 + k, 1.0), params)

    whole, _ = run(inner, jnp.zeros((6, 6)), 5, toward)
    in_blocks, state = run(optzoo.reshaped(inner, block_size=3), jnp.zeros((6, 6)), 5, toward)
    np.testing.assert_allclose(in_blocks, whole, atol=1e-9)
    assert float(jnp.abs(whole).max()) > 0.1
    assert {gram.shape for gram in jax.tree.leaves(state.inner.gram)} == {(3, 3)}


# --- Extra arguments ---


def test_trees_like_the_parameters_are_cut_among_the_extra_arguments():
    method = optzoo.reshaped(seen(), block_size=2, merge=2)
    params = parameters()
    _, state = method.update(
        params,
        method.init(params),
        params,
        value=jnp.array(3.0),
        grad=params,
        pair=(params, 1.0),
        other={"embedding": jnp.ones((3, 3))},
        norms=jax.tree.map(lambda leaf: 1.0, params),
        words="as they are",
    )
    extra = state.inner[2]
    assert_same(extra["grad"], by_hand(params), rtol=0)
    assert_same(extra["pair"], (by_hand(params), 1.0), rtol=0)
    assert_same(extra["other"], {"embedding": jnp.ones((3, 3))}, rtol=0)
    assert float(extra["value"]) == 3.0
    assert extra["norms"]["embedding"] == 1.0  # of that structure, but not of these shapes
    assert extra["words"] == "as they are"


def test_functions_are_given_whole_trees_and_their_results_are_cut():
    method = optzoo.reshaped(seen(), block_size=2, merge=2)
    params = parameters()

    def value_and_gradient(tree, *, factor):
        assert jax.tree.structure(tree) == jax.tree.structure(params)
        return factor, jax.tree.map(lambda x: factor * x, tree)

    _, state = method.update(
        params, method.init(params), params, function=jax.tree_util.Partial(value_and_gradient)
    )
    value, found = state.inner[2]["function"](by_hand(params), factor=2.0)
    assert value == 2.0
    assert_same(found, jax.tree.map(lambda x: 2 * x, by_hand(params)), rtol=0)


def test_a_line_search_evaluates_the_objective_of_the_whole_tree():
    params = {"w": jnp.array([[3.0, -1.0], [1.0, 2.0], [0.5, 1.0]])}

    def objective(tree):
        return jnp.sum(jnp.linalg.matrix_power(tree["w"] @ tree["w"].T + jnp.eye(3), 2))

    def minimum(method):
        x, state = params, method.init(params)
        for _ in range(2):
            value, slope = jax.value_and_grad(objective)(x)
            more = {"value": value, "grad": slope, "value_fn": objective}
            updates, state = method.update(slope, state, x, **more)
            x = optax.apply_updates(x, updates)
        return x

    inner = optax.chain(optax.sgd(0.1), optax.scale_by_backtracking_linesearch(8))
    found = minimum(optzoo.reshaped(inner, block_size=2))
    assert_same(found, minimum(inner), rtol=1e-12)


# --- Under and around optax ---


def test_partition_by_name_goes_around_it():
    params = parameters()
    labels = {name: "blocks" if name == "embedding" else "plain" for name in params}
    inner = optzoo.reshaped(optax.lamb(0.1), block_size=2)
    method = optax.partition({"blocks": inner, "plain": optax.sgd(0.1)}, labels)
    found, _ = run(method, params)
    alone, _ = run(inner, {"w": params["embedding"]})
    np.testing.assert_allclose(found["embedding"], alone["w"], rtol=1e-12)


def test_masks_inside_are_functions_of_the_blocks():
    inner = optax.masked(
        optax.scale(0.0), lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree)
    )
    method = optzoo.reshaped(inner, block_size=2, merge=2)
    params = parameters()
    updates, _ = method.update(params, method.init(params), params)
    assert float(jnp.abs(updates["embedding"]).max()) == 0.0
    np.testing.assert_array_equal(updates["bias"], params["bias"])


def test_a_foreign_method_for_matrices_sees_the_merged_convolution():
    """Optax's muon makes the update of a matrix orthogonal, near enough."""
    params = {"kernel": jax.random.normal(jax.random.key(0), (2, 2, 1, 2))}
    method = optzoo.reshaped(optax.contrib.muon(1.0), merge=4)
    updates, state = method.update(params, method.init(params), params)
    assert updates["kernel"].shape == (2, 2, 1, 2)
    matrix = updates["kernel"].reshape(4, 2)
    singular = np.linalg.svd(np.asarray(matrix), compute_uv=False)
    assert singular.max() / singular.min() < 2
    assert any(leaf.shape == (4, 2) for leaf in jax.tree.leaves(state))


def test_init_takes_shapes_and_placeholders():
    method = optzoo.reshaped(optax.adam(0.1), block_size=2, merge=2)
    params = parameters()
    state = method.init(params)
    shapes = jax.eval_shape(lambda: params)
    for other in (method.init(shapes), jax.eval_shape(method.init, params)):
        assert jax.tree.map(jnp.shape, other) == jax.tree.map(jnp.shape, state)
    # The moments follow the parameters, and the counter does not.
    marked = optax.tree.map_params(method, lambda leaf: "block", state)
    assert [leaf for leaf in jax.tree.leaves(marked) if not isinstance(leaf, str)] == [0]
    assert marked.inner[0].mu == jax.tree.map(lambda _: "block", by_hand(params))


def test_a_state_goes_on_bit_for_bit_after_a_checkpoint():
    """In a scan, mapped over two runs, with the state as bytes in between."""
    method = optzoo.reshaped(optax.lamb(0.1), block_size=2)
    starts = jax.random.normal(jax.random.key(0), (2, 3, 2))

    @jax.jit
    @jax.vmap
    def two_steps(params, state):
        def step(carry, _):
            params, state = carry
            updates, state = method.update(jnp.sin(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, state), None, 2)[0]

    carry = two_steps(starts, jax.vmap(method.init)(starts))
    leaves, structure = jax.tree.flatten(carry)
    restored = structure.unflatten(
        [jnp.frombuffer(leaf.tobytes(), leaf.dtype).reshape(leaf.shape) for leaf in leaves]
    )
    assert_same(two_steps(*restored), two_steps(*carry), rtol=0)
    alone, _ = run(method, starts[1], 4, lambda params, k: jnp.sin(params))
    np.testing.assert_allclose(two_steps(*carry)[0][1], alone, rtol=1e-9)


# --- On several devices ---


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto])
@pytest.mark.parametrize(
    ("spec", "of_blocks"),
    [
        (("x", None), (None, None)),  # rows are cut, so they are gathered
        ((None, "y"), (None, "y")),  # columns are not, and stay where they are
        (("x", "y"), (None, "y")),
    ],
)
def test_split_parameters(kind, spec, of_blocks):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind,) * 2)
    params = jax.random.normal(jax.random.key(0), (8, 4))
    method = optzoo.reshaped(optax.adam(0.1), block_size=4)

    def of(params, k):
        return jnp.sin(params + k)

    expected, _ = run(method, params, of=of)
    with jax.set_mesh(mesh):
        split = jax.device_put(params, NamedSharding(mesh, PartitionSpec(*spec)))
        found, state = jax.jit(lambda params: run(method, params, of=of))(split)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if kind is AxisType.Explicit:
        assert found.sharding.spec == PartitionSpec(*spec)
        assert state.inner[0].mu[1].sharding.spec == PartitionSpec(*of_blocks)


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto])
def test_merged_axes_are_gathered_and_the_others_stay(kind):
    mesh = jax.make_mesh((2, 2), ("x", "y"), axis_types=(kind,) * 2, devices=jax.devices()[:4])
    params = jax.random.normal(jax.random.key(0), (2, 2, 4))
    method = optzoo.reshaped(optax.trace(0.5), merge=4)
    with jax.set_mesh(mesh):
        split = jax.device_put(params, NamedSharding(mesh, PartitionSpec("x", None, "y")))
        found, state = jax.jit(lambda p: method.update(p, method.init(p), p))(split)
    np.testing.assert_array_equal(found, params)
    if kind is AxisType.Explicit:
        assert found.sharding.spec == PartitionSpec("x", None, "y")
        assert state.inner.trace[0].sharding.spec == PartitionSpec(None, "y")


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto])
def test_the_blocks_of_the_state_may_be_split(kind):
    """Momenta along their rows over all eight devices, parameters on one."""
    mesh = jax.make_mesh((8,), ("x",), axis_types=(kind,))
    method = optzoo.reshaped(optax.adam(0.1), block_size=8)
    params = jax.random.normal(jax.random.key(0), (16, 2))
    state = method.init(params)

    def step(params, state):
        updates, state = method.update(jnp.sin(params), state, params)
        return optax.apply_updates(params, updates), state

    expected = step(params, step(params, state)[1])
    rows, everywhere = (NamedSharding(mesh, PartitionSpec(*spec)) for spec in (("x",), ()))
    with jax.set_mesh(mesh):
        split = jax.device_put(
            state, jax.tree.map(lambda leaf: rows if leaf.ndim else everywhere, state)
        )
        params = jax.device_put(params, everywhere)
        compiled = jax.jit(step)
        found = compiled(params, compiled(params, split)[1])
    assert_same(found, expected, rtol=1e-12)
    for moment in jax.tree.leaves(found[1].inner[0].mu):
        assert {shard.data.shape for shard in moment.addressable_shards} == {(1, 2)}


# --- What is wrong is named ---


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0.1,), TypeError, r"inner must be an optax transformation.*0\.1"),
        ((optax.sgd(0.1), 0), ValueError, "block_size must be an integer of at least 1, got 0"),
        ((optax.sgd(0.1), 2.5), TypeError, r"block_size must be an integer, got 2\.5"),
        ((optax.sgd(0.1), True), TypeError, "block_size must be an integer, got True"),
        ((optax.sgd(0.1), "2"), TypeError, "block_size must be a real number, got '2'"),
        ((optax.sgd(0.1), 2, -1), ValueError, "merge must be an integer of at least 1, got -1"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        optzoo.reshaped(*arguments)


def test_injected_sizes_must_be_static():
    make = optax.inject_hyperparams(optzoo.reshaped)
    method = make(optax.sgd(0.1), block_size=2)
    with pytest.raises(TypeError, match=r"block_size must be a concrete integer.*static_args"):
        jax.eval_shape(method.init, jnp.ones(3))
    static = optax.inject_hyperparams(optzoo.reshaped, static_args=("block_size", "merge"))
    jax.eval_shape(static(optax.sgd(0.1), block_size=2).init, jnp.ones(3))


def test_wrong_trees():
    method, params = optzoo.reshaped(optax.adam(0.1), block_size=2), {"w": jnp.ones((3, 2))}
    state = method.init(params)
    with pytest.raises(ValueError, match="updates must have the tree structure of params"):
        method.update({"v": params["w"]}, state, params)
    with pytest.raises(ValueError, match=r"updates\['w'\] must have the shape"):
        method.update({"w": jnp.ones((2, 3))}, state, params)
    with pytest.raises(ValueError, match="state must be a ReshapedState, got a tuple"):
        method.update(params, tuple(state.inner), params)
    with pytest.raises(ValueError, match="different lengths of tuple"):
        method.update(params, optzoo.reshaped(optax.adam(0.1), 1).init(params), params)
    rogue = optax.GradientTransformation(lambda p: (), lambda u, s, p: (u[0], s))
    method = optzoo.reshaped(rogue, block_size=2)
    with pytest.raises(ValueError, match="the updates of inner must have the tree structure"):
        method.update(params, method.init(params), params)
