"""The benchmark of an iteration on a small problem: its work alone is the method's own."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import frank_wolfe_iteration as benchmark
from optzoo.problems import LogisticRegression


def test_a_row_for_each_method_and_precision(monkeypatch):
    monkeypatch.delenv("OPTZOO_DATA", raising=False)
    monkeypatch.setattr(benchmark, "REPEATS", 1)
    text = benchmark.measure(300, 5, steps=25)
    rows = re.findall(r"^\| `(\w+)` \| (float\d+) \|", text, re.MULTILINE)
    methods = ("frank_wolfe", "sarah_frank_wolfe", "saga_sarah_frank_wolfe")
    assert rows == [(name, dtype) for dtype in ("float32", "float64") for name in methods]
    assert "300 x 5, b = 17" in text


@pytest.mark.parametrize("name", ["frank_wolfe", "sarah_frank_wolfe"])
def test_the_work_alone_moves_as_the_method_does(name):
    """With one restart, the first step, both have the same steps up to the retraction."""
    rng = np.random.default_rng(2)
    problem = LogisticRegression(
        jnp.asarray(rng.standard_normal((400, 5))), jnp.asarray(rng.choice([-1.0, 1.0], 400))
    )
    drawn = jnp.asarray(rng.integers(0, 400, (4, 3)), jnp.int32)
    method, alone, batches = benchmark._loops(problem, jnp.float64, drawn)[name]
    there, state = jax.jit(method)(jnp.zeros(5), batches)
    np.testing.assert_allclose(jax.jit(alone)(jnp.zeros(5), batches)[0], there, atol=1e-12)
    assert name == "frank_wolfe" or int(state.restarts) == 1
