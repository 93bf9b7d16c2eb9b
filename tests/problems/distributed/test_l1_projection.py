"""The projection onto an l1 ball, against what defines it and against a quadratic program."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from optzoo.problems.distributed._l1_projection import project_onto_l1_ball

PROJECT = jax.jit(project_onto_l1_ball)


@settings(deadline=None, max_examples=200)
@given(
    dtype=st.sampled_from([np.float32, np.float64]),
    dim=st.sampled_from([1, 2, 3, 40, 1000]),
    exponent=st.floats(-6, 8),
    radius_exponent=st.floats(-3, 3),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_point_of_the_ball_is_nearer(dtype, dim, exponent, radius_exponent, ties, seed):
    """<x - p, q - p> <= 0 for all q of the ball, which its vertices decide; in exact sums."""
    x = np.random.default_rng(seed).standard_normal(dim)
    x = ((np.round(2 * x) if ties else x) * 10.0**exponent).astype(dtype)
    radius = float(dtype(10.0**radius_exponent))
    found = np.asarray(PROJECT(jnp.asarray(x), radius))
    assert found.dtype == dtype
    eps, p = np.finfo(dtype).eps, found.astype(np.float64)
    assert math.fsum(np.abs(p)) <= radius * (1 + 10 * eps)
    rest = x.astype(np.float64) - p
    gained = radius * np.abs(rest).max() - math.fsum(rest * p)
    assert gained <= 20 * eps * radius * (radius + float(np.abs(x).max()))


@pytest.mark.parametrize("seed", range(4))
def test_the_quadratic_program_has_the_same_solution(seed):
    """With x = u - v for u, v >= 0."""
    rng = np.random.default_rng(seed)
    x, radius = 2 * rng.standard_normal(5), 1.5

    def objective(halves):
        difference = halves[:5] - halves[5:] - x
        return difference @ difference / 2, np.concatenate([difference, -difference])

    solved = minimize(
        objective,
        np.zeros(10),
        jac=True,
        bounds=[(0, None)] * 10,
        constraints={"type": "ineq", "fun": lambda halves: radius - halves.sum()},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    found = project_onto_l1_ball(jnp.asarray(x), radius)
    np.testing.assert_allclose(found, solved.x[:5] - solved.x[5:], atol=1e-6)


def test_points_of_the_ball_stay_where_they_are():
    x = jnp.array([0.75, -0.25, 0.0, 1.0])
    assert project_onto_l1_ball(x, 2.0).tolist() == x.tolist()
    assert project_onto_l1_ball(0 * x, 2.0).tolist() == [0.0] * 4
    once = project_onto_l1_ball(x, 0.3)
    np.testing.assert_allclose(project_onto_l1_ball(once, 0.3), once, rtol=1e-15)


def test_rows_of_a_batch_have_radii_of_their_own():
    rows = 3 * jax.random.normal(jax.random.key(0), (5, 7))
    radii = jnp.arange(1.0, 6.0)
    found = jax.vmap(project_onto_l1_ball)(rows, radii)
    for row, radius, expected in zip(rows, radii, found, strict=True):
        np.testing.assert_allclose(project_onto_l1_ball(row, radius), expected, rtol=1e-15)


def test_a_number_that_is_none_is_passed_on():
    assert np.isnan(project_onto_l1_ball(jnp.array([1.0, jnp.nan]), 1.0)).all()
