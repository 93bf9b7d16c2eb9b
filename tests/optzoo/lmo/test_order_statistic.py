"""The k largest entries without a sort: against a stable sort of NumPy, ties and zeros included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.lmo import _order_statistic
from optzoo.lmo._order_statistic import largest_mask


def stable(values, count):
    mask = np.zeros(values.size, bool)
    mask[np.argsort(-values.astype(np.float64), kind="stable")[:count]] = True
    return mask


@pytest.mark.parametrize("size", [40, 3000])
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_largest_with_ties_resolved_towards_the_first(dtype, size, strict_dtypes):
    rng = np.random.default_rng(size)
    values = jnp.asarray(rng.standard_normal((2, size)), dtype)
    # The second lane is full of ties, both zeros among them.
    values = values.at[1].set(jnp.round(values[1]) * jnp.asarray(0.5, dtype))
    values = values.at[:, 3].set(-0.0).at[:, 30].set(0.0)
    for count in (1, 7, size // 2, size):
        found = jax.jit(jax.vmap(lambda v, k=count: largest_mask(v, k)))(values)
        for lane, mask in zip(np.asarray(values), np.asarray(found), strict=True):
            np.testing.assert_array_equal(mask, stable(lane, count))


def test_extremes_and_infinities_have_their_order():
    info = np.finfo(np.float64)
    values = np.array([info.max, -np.inf, info.tiny, -info.tiny, 0.0, np.inf, info.min] * 200)
    assert values.size > _order_statistic.SMALL
    for count in (1, 200, 201, 600, 1399):
        found = largest_mask(jnp.asarray(values), count)
        np.testing.assert_array_equal(found, stable(values, count))
