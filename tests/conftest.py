"""Session-wide: float64, no silent rank promotion, eight host devices, quick compilation."""

import gc
import os
from importlib.metadata import version

# Before jax is imported. Most of a small test's time is compilation of what runs once: without
# optimization, and without the fusion emitters, which later releases cannot leave out, the suite
# takes a third of the processor's time (780 s of 2,100 s). `make verify` optimizes.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "true"
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        # The runner's results must not depend on how many devices there are.
        "--xla_force_host_platform_device_count=8",
        # A program in one piece costs a third less of the processor than in pieces side by side,
        # and a process may keep more of them.
        "--xla_cpu_parallel_codegen_split_count=1",
        "--xla_cpu_use_fusion_emitters=false" if version("jaxlib").startswith("0.10.") else "",
    ]
).strip()
os.environ["JAX_PLATFORMS"] = "cpu"
# Nothing of the tests is kept for, or comes from, the user's own runs.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
# The claims under test are those of the repository, whatever data the user has.
os.environ.pop("OPTZOO_DATA", None)

import jax
import pytest

# Programs that are kept make a heap of gigabytes, and each look through it is dear: 6 % of the
# conformance suite.
gc.set_threshold(100_000, 50, 100)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def strict_dtypes():
    """Strict dtype promotion for the calls made inside the test (it breaks optax's own code)."""
    with jax.numpy_dtype_promotion("strict"):
        yield
