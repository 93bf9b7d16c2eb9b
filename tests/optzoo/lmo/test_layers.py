"""Sets for the layers of a network: kernels as matrices, rows, and the product over a tree."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import optzoo
from optzoo import lmo

BALL = lmo.spectral_norm_ball(0.7)


def random(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape))


@pytest.mark.parametrize(
    ("shape", "row_axes", "matrix"),
    [
        ((3, 2, 2, 5), -1, (12, 5)),
        ((5, 2, 3, 2), 1, (5, 12)),
        ((4, 3, 2), 1, (4, 6)),
        ((4, 3, 2), 2, (12, 2)),
        ((4, 3, 2), -2, (4, 6)),
        ((4, 3), -1, (4, 3)),
    ],
)
def test_a_matricized_set_is_the_set_of_the_matrices(shape, row_axes, matrix):
    x, constraint = random(*shape), lmo.matricized(BALL, row_axes)
    for method in ("lmo", "project", "retract"):
        found = getattr(constraint, method)({"w": x})["w"]
        expected = getattr(BALL, method)(x.reshape(matrix))
        np.testing.assert_array_equal(found, expected.reshape(shape))
    assert not bool(constraint.contains(x))
    assert bool(constraint.contains(constraint.project(x)))
    assert bool(constraint.contains(x, atol=100.0))
    like = jax.ShapeDtypeStruct(shape, jnp.float32)
    assert float(constraint.diameter(like)) == float(BALL.diameter(jnp.zeros(matrix)))


def test_the_transposed_orders_of_axes_of_flax_and_equinox_are_one_matrix():
    kernel = random(3, 3, 2, 5)
    there = lmo.matricized(BALL, 1).lmo(kernel.transpose(3, 2, 0, 1))
    here = lmo.matricized(BALL, -1).lmo(kernel)
    np.testing.assert_allclose(there.transpose(2, 3, 1, 0), here, rtol=0, atol=1e-14)


def test_a_matricized_set_is_traced_batched_and_rebuilt():
    x = random(2, 3, 2, 4)
    found = jax.jit(jax.vmap(lambda r, v: lmo.matricized(lmo.spectral_norm_ball(r), 1).lmo(v)))(
        jnp.array([1.0, 2.0]), x
    )
    for r, v, s in zip((1.0, 2.0), x, found, strict=True):
        np.testing.assert_allclose(
            s, lmo.matricized(lmo.spectral_norm_ball(r), 1).lmo(v), rtol=1e-12
        )
    constraint = lmo.matricized(BALL, 2)
    leaves, structure = jax.tree.flatten(constraint)
    assert leaves == [0.7]
    assert jax.tree.unflatten(structure, leaves) == constraint


def test_every_layer_has_its_set_and_every_network_its_order_of_axes():
    class Network(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.tokens = nnx.Embed(7, 3, rngs=rngs)
            self.conv = nnx.Conv(3, 4, (2, 5), rngs=rngs)
            self.dense = nnx.Linear(4, 2, rngs=rngs)

    def scaling(inputs, outputs):
        return float(100 * inputs + outputs)

    def choose(path, leaf):
        return lmo.row_norm_ball(float(len(leaf))) if "tokens" in path else None

    params = nnx.state(Network(), nnx.Param)
    constraint = lmo.layerwise(2.0, 2.5, scaling, choose=choose, tolerance=0.25)
    sets = constraint.of(params).sets
    spectral = {"method": "newton_schulz", "tolerance": 0.25}
    assert sets["tokens"]["embedding"].get_value() == lmo.row_norm_ball(7.0)
    assert sets["conv"]["kernel"].get_value() == lmo.matricized(
        lmo.spectral_norm_ball(6008.0, **spectral), -1
    )
    assert sets["conv"]["bias"].get_value() == lmo.linf_ball(2.5)
    assert sets["dense"]["kernel"].get_value().constraint.radius == 804.0
    agree(constraint, params)
    agree(constraint, nnx.to_pure_dict(params))

    modules = {
        "conv": eqx.nn.Conv2d(3, 4, (2, 5), key=jax.random.key(0)),
        "dense": eqx.nn.Linear(4, 2, use_bias=False, key=jax.random.key(1)),
    }
    params = eqx.filter(modules, eqx.is_inexact_array)
    constraint = lmo.layerwise(scaling=scaling, out_axis=0, tolerance=None)
    sets = constraint.of(params).sets
    assert sets["conv"].weight == lmo.matricized(lmo.spectral_norm_ball(3004.0, "newton_schulz"), 1)
    assert sets["conv"].bias == lmo.linf_ball(1.0)
    assert sets["dense"].weight.constraint.radius == 402.0
    agree(constraint, params)


def test_what_is_a_matrix_and_what_a_vector():
    """A map of one input is a matrix; what has more axes than two and one input is a bias."""
    shapes = {"map": (1, 3), "bias": (1, 1, 3), "kernel": (1, 2, 3), "vector": (3,), "number": ()}
    sets = lmo.layerwise().of({name: jnp.ones(shape) for name, shape in shapes.items()}).sets
    kinds = {name: type(one).__name__ for name, one in sets.items()}
    vectors = dict.fromkeys(("bias", "vector", "number"), "linf_ball")
    assert kinds == {"map": "matricized", "kernel": "matricized", **vectors}


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_what_has_no_entries_is_a_vector(shape):
    """A layer of no units: no decomposition has it, and a radius may divide by its inputs."""
    constraint = lmo.layerwise(scaling=lambda i, o: (o / i) ** 0.5)
    params = {"empty": jnp.ones(shape), "kernel": jnp.eye(2)}
    for method in ("lmo", "project", "retract"):
        assert getattr(constraint, method)(params)["empty"].shape == shape
    assert bool(constraint.contains(params))
    assert float(constraint.diameter(params)) == float(constraint.diameter(jnp.eye(2)))


def agree(constraint, params):
    """The set and the product it stands for, in all that is asked of them."""
    both = constraint, constraint.of(params)
    for x in (params, jax.tree.map(lambda leaf: 1e4 * leaf, params)):
        for method in ("lmo", "project", "retract"):
            here, there = (getattr(one, method)(x) for one in both)
            assert jax.tree.structure(here) == jax.tree.structure(x)
            jax.tree.map(np.testing.assert_array_equal, here, there)
        inside = [bool(one.contains(x)) for one in both]
        assert inside == [x is params] * 2
    assert bool(both[0].contains(x, atol=1e9))
    assert float(both[0].diameter(params)) == float(both[1].diameter(params)) > 0


def test_a_layerwise_set_is_traced_batched_and_rebuilt():
    x = {"w": random(2, 3, 4), "b": random(2, 3)}
    radii = jnp.array([1.0, 2.0]), jnp.array([0.5, 3.0])
    found = jax.jit(jax.vmap(lambda r, s, v: lmo.layerwise(r, s).lmo(v)))(*radii, x)
    for lane in range(2):
        constraint = lmo.layerwise(float(radii[0][lane]), float(radii[1][lane]))
        expected = constraint.lmo(jax.tree.map(lambda leaf, lane=lane: leaf[lane], x))
        for name in x:
            np.testing.assert_allclose(found[name][lane], expected[name], rtol=1e-12)
    leaves, structure = jax.tree.flatten(constraint)
    assert leaves == [2.0, 3.0]
    assert jax.tree.unflatten(structure, leaves) == constraint
    assert constraint.lmo({}) == {}
    assert bool(constraint.contains({}))
    assert float(constraint.diameter({})) == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lmo.matricized(1.0), TypeError, "constraint must be a set of optzoo.lmo"),
        (lambda: lmo.matricized(BALL, 1.0), TypeError, "row_axes must be an int, got 1.0"),
        (lambda: lmo.matricized(BALL, 0), ValueError, "row_axes must not be 0"),
        (
            lambda: lmo.matricized(BALL).lmo({"b": jnp.ones(3)}),
            ValueError,
            r"row_axes = -1 takes .* leaf\['b'\] has the shape \(3,\)",
        ),
        (
            lambda: lmo.matricized(BALL, 2).lmo(jnp.ones((3, 2))),
            ValueError,
            r"row_axes = 2 takes arrays with more axes",
        ),
        (lambda: lmo.matricized(BALL, -2).lmo(jnp.ones((3, 2))), ValueError, "row_axes = -2"),
        (lambda: lmo.layerwise(out_axis=1), ValueError, "out_axis must be 0 or -1, got 1"),
        (lambda: lmo.layerwise(-1.0), ValueError, "radius must be positive and finite, got -1"),
        (lambda: lmo.layerwise(1.0, 0.0), ValueError, "vector_radius must be positive"),
        (lambda: lmo.layerwise(tolerance=2.0), ValueError, "tolerance must lie between 0 and 1"),
        (lambda: lmo.layerwise(scaling=2.0), TypeError, "scaling must be a function or None"),
        (lambda: lmo.layerwise(choose="w"), TypeError, "choose must be a function or None"),
        (lambda: lmo.layerwise({"w": 1}), TypeError, "radius must be a real number"),
        (lambda: lmo.layerwise().of({}), ValueError, "must hold at least one ConstraintSet"),
        (
            lambda: lmo.layerwise(scaling=lambda i, o: i - o).lmo({"w": jnp.ones((2, 3))}),
            ValueError,
            r"scaling\(2, 3\) must be positive and finite, got -1",
        ),
        (
            lambda: lmo.layerwise(choose=lambda path, leaf: 1.0).lmo({"w": jnp.ones(2)}),
            TypeError,
            r"choose must return a set of optzoo.lmo or None; for \['w'\] it returns 1.0",
        ),
        (lambda: lmo.row_norm_ball(-1.0), ValueError, "radius must be positive"),
    ],
)
def test_what_is_wrong_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rows_of_the_ball_of_the_largest_row_norm():
    """A vector is one row, a number is one, and an empty leaf has none."""
    ball = lmo.row_norm_ball(5.0)
    tree = {"row": jnp.array([3.0, 4.0]), "one": jnp.array(-0.1), "none": jnp.ones((0, 3))}
    s = ball.lmo(tree)
    np.testing.assert_allclose(s["row"], [-3.0, -4.0], rtol=1e-15)
    assert float(s["one"]) == 5.0
    assert s["none"].shape == (0, 3)
    assert float(ball.diameter(tree)) == pytest.approx(10 * 2**0.5)
    x = jnp.array([[6.0, 8.0], [0.3, 0.4]])
    np.testing.assert_allclose(ball.retract(x), [[3.0, 4.0], [0.3, 0.4]], rtol=1e-15)
    tiny = ball.lmo(jnp.array([[3e-200, 4e-200], [3e200, 4e200]]))
    np.testing.assert_allclose(tiny, [[-3.0, -4.0]] * 2, rtol=1e-14)


def test_sarah_frank_wolfe_trains_on_the_sets_of_the_layers():
    """With kernels as matrices, in a product that is feasible at its end."""
    params = {"kernel": jnp.zeros((2, 2, 1, 3)), "bias": jnp.zeros(3)}
    target = {"kernel": 0.05 * random(2, 2, 1, 3), "bias": jnp.array([0.1, -0.2, 0.3])}
    constraint = lmo.layerwise()
    method = optzoo.sarah_frank_wolfe(
        constraint, optzoo.open_loop_schedule(), 0.3, key=jax.random.key(0)
    )

    def gradient(p, noise=0.0):
        return jax.tree.map(lambda a, b: a - b + noise, p, target)

    @jax.jit
    def step(params, state, noise):
        updates, state = method.update(
            gradient(params, noise),
            state,
            params,
            grad_fn=lambda p: gradient(p, noise),
            full_grad_fn=gradient,
        )
        return jax.tree.map(jnp.add, params, updates), state

    state = method.init(params)
    for k in range(100):
        params, state = step(params, state, 0.1 * (-1.0) ** k)
    assert bool(constraint.contains(params))
    for name in params:
        np.testing.assert_allclose(params[name], target[name], atol=0.05)
