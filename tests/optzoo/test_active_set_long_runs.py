"""Runs of 100,000 steps: x stays the combination of its atoms, and in the set."""

import jax.numpy as jnp
import pytest

from .test_active_set import check_long_run, every_method


@every_method
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=lambda dtype: dtype.__name__)
def test_a_hundred_thousand_steps(name, dtype):
    check_long_run(name, dtype, 100_000)
