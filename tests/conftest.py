"""Session-wide strictness: float64, no silent rank promotion, eight host devices."""

import os

# Before jax is imported: the runner's results must not depend on how many devices there are.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
).strip()
os.environ["JAX_PLATFORMS"] = "cpu"
# The claims under test are those of the repository, whatever data the user has.
os.environ.pop("OPTZOO_DATA", None)

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def strict_dtypes():
    """Strict dtype promotion for the calls made inside the test (it breaks optax's own code)."""
    with jax.numpy_dtype_promotion("strict"):
        yield
