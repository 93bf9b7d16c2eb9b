"""The mean of a table as a sum of two numbers: what the rounding loses is kept, exactly."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo._gradient_table import add_exactly

# Compilers for CPUs take what is below the normal numbers for 0.
normal = st.floats(-1.0, 1.0, width=32).map(lambda x: x if abs(x) > 1e-10 else 0.0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@given(numbers=st.lists(normal, min_size=2, max_size=2), shift=st.integers())
@settings(max_examples=40, deadline=None)
def test_a_sum_and_what_its_rounding_lost_are_the_sum(dtype, numbers, shift):
    """Whichever of the two is larger."""
    scale = 2.0 ** (shift % 61 - 30)
    mean, change = (jnp.asarray(x, dtype) for x in (numbers[0], scale * numbers[1]))
    zero = jnp.zeros([], dtype)
    for add in (add_exactly, jax.jit(add_exactly)):
        rounded, lost = add(mean, zero, change)
        exact = Fraction(float(mean)) + Fraction(float(change))
        assert Fraction(float(rounded)) + Fraction(float(lost)) == exact
        assert float(rounded) == float(np.asarray(mean) + np.asarray(change))
