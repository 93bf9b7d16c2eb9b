"""Momentum Frank-Wolfe: its statement, its first step, counts, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optzoo
from optzoo import lmo

from . import stochastic_frank_wolfe_in_numpy as in_numpy
from .logistic_runs import SETS, STARTS, VERTICES, drawing, drawn, iterates, run, stated


@pytest.mark.parametrize("name", SETS)
def test_the_iterates_are_those_of_the_statement(name):
    batches = drawn(40, 3)
    xs, calls, state = iterates(run(optzoo.momentum_frank_wolfe(SETS[name]), STARTS[name], batches))
    statement = in_numpy.momentum_frank_wolfe(STARTS[name], VERTICES[name], drawing(batches))
    np.testing.assert_allclose(xs, stated(statement, 40), rtol=0, atol=1e-12)
    assert list(calls) == [1] * 40
    assert int(state.steps) == 40
    assert optzoo.gradient_calls(state, in_numpy.N, 3) == 120
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, in_numpy.N, 3))(state)) == 120.0


@pytest.mark.parametrize(
    ("eta", "rho"),
    [(0.05, 0.3), (lambda k: 2.0 / (k + 2.0), lambda k: (k + 2.0) ** -0.5)],
    ids=["numbers", "schedules"],
)
def test_the_steps_may_be_given(eta, rho):
    batches = drawn(30, 2)
    method = optzoo.momentum_frank_wolfe(SETS["simplex"], eta, rho)
    xs, *_ = iterates(run(method, STARTS["simplex"], batches))
    of_step = [one if callable(one) else lambda k, one=one: one for one in (eta, rho)]
    statement = in_numpy.momentum_frank_wolfe(
        STARTS["simplex"], in_numpy.simplex, drawing(batches), *of_step
    )
    np.testing.assert_allclose(xs, stated(statement, 30), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_first_average_is_the_first_gradient_exactly(dtype):
    """Whatever the state has in its place: 1 - rho_0 is 0, and eta_0 is 1."""
    method = optzoo.momentum_frank_wolfe(lmo.simplex())
    x, g = jnp.eye(3, dtype=dtype)[0], jnp.array([3.0, 1.0, 2.0], dtype)
    state = method.init(x)
    state = state._replace(estimate=jnp.full_like(state.estimate, 2.0**80))
    updates, state = jax.jit(method.update)(g, state, x)
    np.testing.assert_array_equal(state.estimate, g.astype(state.estimate.dtype))
    np.testing.assert_array_equal(x + updates, jnp.eye(3)[1])
    assert updates.dtype == dtype
    assert state.estimate.dtype == (jnp.float32 if dtype == jnp.bfloat16 else dtype)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"constraint": 1.0}, TypeError, r"constraint must be a set of optzoo\.lmo"),
        ({"learning_rate": 0.0}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"momentum": 0.0}, ValueError, r"momentum must lie in \(0, 1\], got 0"),
        ({"momentum": 1.1}, ValueError, r"momentum must lie in \(0, 1\], got 1.1"),
        ({"momentum": float("nan")}, ValueError, r"momentum must lie in \(0, 1\], got nan"),
        ({"momentum": "a"}, TypeError, "momentum must be a real number, got 'a'"),
        ({"momentum": lambda k: 0.0}, ValueError, r"momentum\(0\) must lie in \(0, 1\], got 0"),
        ({"momentum": lambda k, j: 0.0}, TypeError, "momentum must be a number or a schedule"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        optzoo.momentum_frank_wolfe(**{"constraint": lmo.simplex(), **change})


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.momentum_frank_wolfe(lmo.simplex()).init(jnp.ones(3))
