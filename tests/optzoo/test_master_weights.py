"""Any optimizer with a float32 iterate for 16-bit parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo

sixteen_bits = pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bf16", "f16"])


def loop(method, params, gradient, steps):
    def step(_, carry):
        params, state = carry
        updates, state = method.update(gradient(params), state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(lambda params: jax.lax.fori_loop(0, steps, step, (params, method.init(params))))(
        params
    )


def test_langevin_noise_far_below_the_parameters_is_not_lost():
    """A thousand free steps of 1e-4 from 100, where bfloat16 numbers are 1/2 apart."""
    method = optzoo.master_weights(optzoo.sgld(1e-4, key=jax.random.key(0)))
    start = jnp.full(4000, 100, jnp.bfloat16)
    params, state = loop(method, start, jnp.zeros_like, 1000)
    x = np.asarray(params, np.float32) + np.asarray(state.remainder)
    # sqrt(2 * 1e-4 * 1000); the standard error of the estimate is 1.1%.
    np.testing.assert_allclose(np.std(x), 0.2**0.5, rtol=0.05)
    np.testing.assert_allclose(np.mean(x), 100, atol=0.03)
    # The parameters are its rounding, to multiples of 1/2.
    np.testing.assert_allclose(np.std(np.asarray(params, np.float32)), 0.47, atol=0.05)


@sixteen_bits
def test_it_follows_the_optimizer_in_float32(dtype):
    start = jnp.asarray([1.0, -0.75, 3.0])
    inner = optax.adam(1e-4)
    params, state = loop(
        optzoo.master_weights(inner), start.astype(dtype), lambda p: jnp.sign(p), 400
    )
    expected, _ = loop(inner, start.astype(jnp.float32), jnp.sign, 400)
    x = params.astype(jnp.float32) + state.remainder
    np.testing.assert_allclose(x, expected, rtol=1e-5)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.inner[0].mu)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("given", [jnp.bfloat16, jnp.float32])
def test_updates_have_the_dtypes_of_the_parameters_whatever_the_gradients_have(given):
    params = {"half": jnp.ones(2, jnp.float16), "single": jnp.ones(2, jnp.float32)}
    grads = jax.tree.map(lambda p: jnp.full(p.shape, 2.0, given), params)
    method = optzoo.master_weights(optax.sgd(2.0**-20))
    updates, state = method.update(grads, method.init(params), params)
    assert jax.tree.map(lambda u, p: u.dtype == p.dtype, updates, params) == {
        "half": True,
        "single": True,
    }
    # A wider leaf is given the very update; that of a 16-bit one is in the remainder.
    np.testing.assert_array_equal(updates["single"], -(2.0**-19))
    half = optax.apply_updates(params, updates)["half"].astype(jnp.float32)
    np.testing.assert_array_equal(half + state.remainder["half"], 1 - 2.0**-19)
    assert state.remainder["single"] is None


def test_extra_arguments_reach_the_optimizer():
    method = optzoo.master_weights(
        optzoo.sarah_frank_wolfe(optzoo.lmo.l1_ball(1.0), 0.5, 1.0, key=jax.random.key(0))
    )
    x = jnp.zeros(2, jnp.bfloat16)
    slope = jnp.asarray([0.0, -1.0], jnp.bfloat16)
    updates, _ = method.update(
        slope, method.init(x), x, grad_fn=lambda p: slope, full_grad_fn=lambda p: slope
    )
    np.testing.assert_array_equal(updates, [0, 0.5])


def test_what_is_wrong_is_named():
    with pytest.raises(TypeError, match=r"inner must be an optax transformation.*0\.1"):
        optzoo.master_weights(0.1)
    method, params = optzoo.master_weights(optax.sgd(0.1)), {"w": jnp.ones(2)}
    with pytest.raises(ValueError, match="master_weights: `params` is missing"):
        method.update(params, method.init(params))
    rogue = optax.GradientTransformation(lambda p: (), lambda u, s, p: (u["w"], s))
    method = optzoo.master_weights(rogue)
    with pytest.raises(ValueError, match="the updates of inner must have the tree structure"):
        method.update(params, method.init(params), params)
