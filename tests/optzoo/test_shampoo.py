"""Shampoo against an independent statement of it in NumPy, its options, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optzoo import shampoo

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


def _shampoo_in_numpy(gradients, eps, *, beta=None, momentum=None, f=1, longest=10):
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
            root = vectors * values ** (-1 / (2 * len(axes))) @ vectors.T if axes else root
        average = g if momentum is None else momentum * average + (1 - momentum) * g
        steps.append((root @ average.ravel()).reshape(gradients.shape[1:]))
    return -0.1 * np.stack(steps)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta": 0.9, "momentum": 0.8, "precondition_frequency": 4},
        {"max_precond_dim": 4},
    ],
    ids=["paper", "averages", "long-axes"],
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
        ({"graft": "adam"}, TypeError, "graft must be an optax.GradientTransformation or None"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        shampoo(**{"learning_rate": 0.1, **arguments})


def test_bad_trees_are_named():
    method = shampoo(0.1)
    with pytest.raises(TypeError, match="must be a real floating array, got dtype int32"):
        method.init({"w": jnp.ones(3, jnp.int32)})
    state = method.init({"w": jnp.ones(3)})
    with pytest.raises(ValueError, match="updates"):
        method.update({"w": jnp.ones(4)}, state, {"w": jnp.ones(3)})
