"""The float32 iterate that 16-bit parameters stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optzoo._compensated_sum import _rounded, iterate, step_to, zero_remainder

sixteen_bits = pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bf16", "f16"])


@sixteen_bits
def test_rounding_is_that_of_a_conversion(dtype):
    """Subnormal numbers of float16 and ties included."""
    rng = np.random.default_rng(0)
    some = rng.normal(size=2000) * 10.0 ** rng.integers(-9, 5, 2000)
    unit = float(jnp.finfo(dtype).eps)
    ties = 1 + unit * np.array([0.5, 1.5, 2.5])
    x = np.concatenate([some, ties, 2.0**-24 * np.array([0, 0.5, 0.51, 1.5, 1023.5])])
    x = x.astype(np.float32)
    np.testing.assert_array_equal(
        jax.jit(_rounded, static_argnums=1)(x, dtype), x.astype(dtype).astype(np.float32)
    )


@sixteen_bits
def test_nothing_is_lost_where_xla_keeps_more_digits_than_it_is_told(dtype):
    """Steps in one program without a loop: XLA adds them in float32, float16 or not."""
    rng = np.random.default_rng(0)
    start = jnp.asarray(rng.normal(size=200), dtype)
    steps = jnp.asarray(rng.normal(size=(8, 200)) * 1e-3, jnp.float32)

    @jax.jit
    def run(p):
        r = zero_remainder(p)
        for step in steps:
            u, r = step_to(iterate(p, r) + step, p)
            assert u.dtype == dtype
            p = optax.apply_updates(p, u)
        return p, r

    p, r = run(start)
    expected = start.astype(jnp.float32) + jnp.sum(steps, axis=0)
    np.testing.assert_allclose(p.astype(jnp.float32) + r, expected, atol=2e-6)
    half_a_unit = float(jnp.finfo(dtype).eps) * np.abs(p.astype(jnp.float32))
    assert np.all(np.abs(r) <= half_a_unit + 1e-7)


@sixteen_bits
@pytest.mark.parametrize(
    ("behind", "roundings"),
    # Half of a step of one unit is lost again, so that the last steps to 1 are.
    [(optax.trace(0.9), 8), (optax.scale(0.5), 50), (optax.clip(0.01), 8)],
    ids=["trace", "scale", "clip"],
)
def test_the_remainder_stays_a_rounding_whoever_else_moves_the_parameters(dtype, behind, roundings):
    def towards_one(updates, r, p):
        x = iterate(p, r)
        return step_to(x + 0.03 * (1 - x), p)

    method = optax.chain(optax.GradientTransformation(zero_remainder, towards_one), behind)

    def step(carry, _):
        p, state = carry
        updates, state = method.update(p, state, p)
        p = optax.apply_updates(p, updates)
        return (p, state), jnp.abs(state[0])

    p = jnp.asarray([0.0, 0.5, -2.0], dtype)
    (p, _), remainders = jax.lax.scan(step, (p, method.init(p)), length=500)
    eps = float(jnp.finfo(dtype).eps)
    assert float(jnp.max(remainders)) <= 2 * eps
    np.testing.assert_allclose(p.astype(jnp.float32), 1, atol=roundings * eps)
