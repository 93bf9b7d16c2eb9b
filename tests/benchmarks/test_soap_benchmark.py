"""The benchmark of SOAP on a tiny transformer: every row is there, and the floor counts right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import optzoo
from benchmarks import soap


def test_the_work_is_that_of_the_products_which_a_step_makes():
    """Counted in the program of a step that refreshes, with every rotation on both sides."""
    params = {"w": jnp.ones((6, 10))}
    method = optzoo.soap(0.1, precondition_frequency=1)
    jaxpr = jax.make_jaxpr(method.update)(params, method.init(params), params)
    step, refresh = products(jaxpr.jaxpr)
    qr = 8 / 3 * (6**3 + 10**3)
    assert soap.matmul_work({"w": (6, 10)}) == pytest.approx((step, refresh + qr))


def products(jaxpr):
    """Operations of the products outside of branches, and of those inside of them."""
    outside = inside = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            length = np.prod([equation.invars[0].aval.shape[axis] for axis in contracted])
            outside += 2 * length * equation.outvars[0].aval.size
        for inner in jaxprs_in_params(equation.params):
            a, b = products(inner)
            if equation.primitive.name == "cond":
                inside += a + b
            else:
                outside, inside = outside + a, inside + b
    return outside, inside


def test_every_method_has_its_rows(monkeypatch):
    monkeypatch.setattr(soap, "ROUNDS", 1)
    monkeypatch.setattr(soap, "_installed", lambda: [])
    text = soap.measure(width=8, layers=0, layers_to_compile=0)
    assert "gpt8: 3 leaves, " in text
    assert "mats16: 24 leaves, " in text
    assert "5 leaves, d = 64" in text
    for name in ("optax.adamw", "optzoo.soap, f = 10", "optzoo.soap, f = 10, one-sided"):
        assert text.count(f"| {name} |") == 3
    assert text.count("| optzoo.soap, f = 1 |") == 2
    own = next(line for line in text.splitlines() if "| gpt8 | optzoo.soap, f = 10 |" in line)
    assert own.endswith("| 1 [1, 1] |")
