"""Quadratic functions by their matrices: values, constants, minimizers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import CertificateError, Constant, Quadratics, dilated, scaled


def random(seed, n=3, d=2, least=0.1):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n, d, d))
    matrices = roots @ np.swapaxes(roots, 1, 2) + least * np.eye(d)
    return Quadratics(matrices, rng.normal(size=(n, d)))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_gradients_are_those_of_the_value(seed):
    problem = random(seed)
    x = jnp.asarray(np.random.default_rng(seed).normal(size=2))
    np.testing.assert_allclose(jax.grad(problem.value)(x), problem.gradient(x), rtol=1e-9)
    rows = problem.sample_gradients(x, np.arange(3))
    np.testing.assert_allclose(rows.mean(axis=0), problem.gradient(x), rtol=1e-9, atol=1e-12)
    batch = np.array([0, 2, 2])
    np.testing.assert_allclose(
        problem.batch_gradient(x, batch), rows[batch].mean(axis=0), rtol=1e-9, atol=1e-12
    )
    assert problem.value_at(x) == pytest.approx(float(problem.value(x)), rel=1e-12)


def test_constants_are_certified_also_of_other_units():
    problem = random(0)
    for one in (problem, scaled(problem, 3.0), dilated(problem, 2.0)):
        one.certify()
    assert scaled(problem, 3.0).constants["mu"].value == pytest.approx(
        3 * problem.constants["mu"].value
    )


@pytest.mark.parametrize("name", ["L", "L_tilde", "L_pm", "L_max", "mu"])
def test_a_wrong_constant_is_refused(name):
    problem = random(1)
    value = problem.constants[name].value
    problem.constants[name] = Constant(1.001 * value, "exact")
    with pytest.raises(CertificateError, match=name):
        problem.certify()


def test_the_minimizer():
    problem = random(2)
    np.testing.assert_allclose(problem.gradient(jnp.asarray(problem.minimizer)), 0.0, atol=1e-12)
    assert problem.lower_bound == pytest.approx(problem.value_at(problem.minimizer))
    assert problem.convex


def test_flat_directions_and_no_minimum():
    flat = Quadratics([[[2.0, 0.0], [0.0, 0.0]]], [[2.0, 0.0]])
    assert flat.minimizer.tolist() == [-1.0, 0.0]
    falling = replace(flat, slopes=np.array([[2.0, 1.0]]))
    bent = Quadratics([[[1.0, 0.0], [0.0, -1.0]]], [[0.0, 0.0]])
    for one in (falling, bent):
        assert one.lower_bound == -np.inf
        with pytest.raises(ValueError, match="f has no minimum"):
            _ = one.minimizer
    assert not bent.convex


@pytest.mark.parametrize(
    ("hessians", "slopes", "said"),
    [
        ([[1.0]], [[1.0]], r"shapes \(n, d, d\) and \(n, d\)"),
        ([[[1.0]]], [[1.0], [2.0]], r"shapes \(n, d, d\) and \(n, d\)"),
        ([[[np.nan]]], [[1.0]], "must be finite"),
        ([[[1.0, 2.0], [0.0, 1.0]]], [[0.0, 0.0]], "hessians must be symmetric"),
    ],
)
def test_bad_input(hessians, slopes, said):
    with pytest.raises(ValueError, match=said):
        Quadratics(hessians, slopes)
