"""The k largest entries without a sort: against a stable sort of NumPy, ties and zeros included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo.lmo import _order_statistic
from optzoo.lmo._order_statistic import largest_mask


def stable(values, count):
    mask = np.zeros(values.size, bool)
    mask[np.argsort(-values.astype(np.float64), kind="stable")[:count]] = True
    return mask


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        *((dtype, 3000) for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)),
        *((dtype, 40) for dtype in (jnp.bfloat16, jnp.float64)),
    ],
)
def test_the_largest_with_ties_resolved_towards_the_first(dtype, size, strict_dtypes):
    values = np.random.default_rng(size).standard_normal((2, size))
    # The second lane is full of ties, both zeros among them.
    values[1] = np.round(values[1]) / 2
    values[:, 3], values[:, 30] = -0.0, 0.0
    values, counts = jnp.asarray(values, dtype), (1, 7, size // 2, size)
    masks = jax.jit(jax.vmap(lambda v: [largest_mask(v, count) for count in counts]))(values)
    for count, found in zip(counts, masks, strict=True):
        for lane, mask in zip(np.asarray(values), np.asarray(found), strict=True):
            np.testing.assert_array_equal(mask, stable(lane, count))


def test_extremes_and_infinities_have_their_order():
    info = np.finfo(np.float64)
    values = np.array([info.max, -np.inf, info.tiny, -info.tiny, 0.0, np.inf, info.min] * 200)
    assert values.size > _order_statistic.SMALL
    for count in (1, 200, 201, 600, 1399):
        found = largest_mask(jnp.asarray(values), count)
        np.testing.assert_array_equal(found, stable(values, count))


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-310, -1e-310])
def test_so_many_and_no_more_where_the_largest_is_zero(value):
    """XLA compares numbers below the least normal one as 0 on CPUs, and so 0 with the next."""
    values = np.full(3001, value)
    values[:10] = -1.0
    for count in (1, 500, 2990):
        found = largest_mask(jnp.asarray(values), count)
        np.testing.assert_array_equal(np.flatnonzero(found), 10 + np.arange(count))
    answer = optzoo.lmo.hypersimplex(3).lmo(jnp.zeros(3001))
    assert answer.tolist() == [1.0] * 3 + [0.0] * 2998
