"""Norms of the sparsity balls: special cases, duality, large dimensions, extremes of the range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from optzoo import lmo

from .sets import k_support_norm, largest


@jax.jit
def answers(constraint):
    """Compiled once for each kind of set: several have the same special case."""
    points = jnp.asarray(np.random.default_rng(0).standard_normal((30, 5)))
    found = jax.vmap(constraint.lmo)(points)
    return found, jax.vmap(constraint.contains)(found * 0.99), constraint.diameter(points[0])


@pytest.mark.parametrize(
    ("general", "special"),
    [
        (lmo.k_support_ball(1, 2.0), lmo.l1_ball(2.0)),
        (lmo.k_support_ball(9, 2.0), lmo.l2_ball(2.0)),
        (lmo.top_k_l2_ball(1, 2.0), lmo.linf_ball(2.0)),
        (lmo.top_k_l2_ball(9, 2.0), lmo.l2_ball(2.0)),
        (lmo.k_norm_ball(1, 2.0), lmo.linf_ball(2.0)),
        (lmo.k_norm_ball(9, 2.0), lmo.l1_ball(2.0)),
        (lmo.k_sparse_polytope(1, 2.0), lmo.l1_ball(2.0)),
        (lmo.k_sparse_polytope(9, 2.0), lmo.linf_ball(2.0)),
        (lmo.lp_ball(2.0, 2.0), lmo.l2_ball(2.0)),
        (lmo.ellipsoid(2.0), lmo.l2_ball(2.0)),
        (lmo.rotated_ellipsoid(2 * np.eye(5)), lmo.l2_ball(2.0)),
        (lmo.weighted_l1_ball(0.5, 1.0), lmo.l1_ball(2.0)),
        (lmo.hypersimplex(1, 2.0), lmo.simplex(2.0)),
        (lmo.group_lasso_ball(2.0), lmo.l2_ball(2.0)),
        (lmo.ordered_weighted_l1_ball(np.ones(5), 2.0), lmo.l1_ball(2.0)),
        (lmo.ordered_weighted_l1_ball(np.eye(5)[0], 2.0), lmo.linf_ball(2.0)),
        (lmo.ordered_weighted_l1_ball(np.r_[1, 1, 0, 0, 0], 2), lmo.k_norm_ball(2, 2.0)),
        (lmo.vertex_polytope(2 * np.eye(5)), lmo.simplex(2.0)),
        (lmo.permutahedron(2 * np.eye(5)[3]), lmo.simplex(2.0)),
    ],
)
def test_special_cases_are_the_set_that_the_docstring_names(general, special):
    for a, b in zip(answers(general), answers(special), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    "cube", [lmo.k_norm_ball(1, 3.0), lmo.ordered_weighted_l1_ball(np.array([1.0, 0, 0]), 3.0)]
)
def test_norms_that_are_the_largest_entry_answer_with_corners(cube):
    """At zeros, where a point inside a face is as good."""
    answer = jax.jit(cube.lmo)
    for g in ([0.0, -2.0, 0.0], [0.0, 0.0, 0.0]):
        assert answer(np.array(g)).tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("k", [1, 3, 6])
def test_k_support_norm_and_its_dual(k):
    """The ball ends where the norm says, and the dual ball's oracle attains it."""
    rng = np.random.default_rng(1)
    primal, dual = lmo.k_support_ball(k, 1.0), lmo.top_k_l2_ball(k, 1.0)
    points = rng.standard_normal((40, 6)) ** 3
    points[:10] = np.round(points[:10])
    points = points[np.abs(points).max(axis=1) > 0]
    norms = np.array([k_support_norm(x, k) for x in points])
    inside = jax.jit(jax.vmap(primal.contains))
    assert inside(jnp.asarray(points / norms[:, None] * (1 - 1e-9))).all()
    assert not inside(jnp.asarray(points / norms[:, None] * (1 + 1e-9))).any()
    s = np.asarray(jax.jit(jax.vmap(dual.lmo))(jnp.asarray(points)))
    np.testing.assert_allclose(np.sum(s * points, axis=1), -norms, rtol=1e-13)
    np.testing.assert_allclose([np.linalg.norm(largest(x, k)) for x in s], 1, rtol=1e-13)


def test_the_k_support_norm_is_what_a_solver_finds():
    """Max <g, x> over the dual ball, by sequential quadratic programming."""
    rng = np.random.default_rng(2)
    subsets = [[0, 1], [0, 2], [1, 2]]
    for _ in range(5):
        g = rng.standard_normal(3)
        solved = minimize(
            lambda x, g=g: -g @ x,
            0.1 * np.sign(g),
            constraints=[{"type": "ineq", "fun": lambda x, s=s: 1 - x[s] @ x[s]} for s in subsets],
        )
        found = lmo.top_k_l2_ball(2, 1.0).lmo(jnp.asarray(g))
        np.testing.assert_allclose(g @ np.asarray(found), solved.fun, rtol=1e-6)


def test_an_lp_ball_may_have_a_traced_exponent():
    g = jnp.array([1.0, -2.0, 0.5])
    exponents = jnp.array([1.2, 2.0, 7.0])
    found = jax.jit(jax.vmap(lambda p: lmo.lp_ball(p, 2.0).lmo(g)))(exponents)
    for p, s in zip(exponents, np.asarray(found), strict=True):
        np.testing.assert_allclose(np.linalg.norm(s, float(p)), 2.0, rtol=1e-13)
        q = float(p / (p - 1))
        np.testing.assert_allclose(s @ g, -2 * np.linalg.norm(g, q), rtol=1e-13)


LARGE = [
    lmo.linf_ball(0.3),
    lmo.lp_ball(1.5, 0.3),
    lmo.weighted_l1_ball(2.0, 0.3),
    lmo.k_support_ball(1000, 0.3),
    lmo.top_k_l2_ball(1000, 0.3),
    lmo.k_norm_ball(1000, 0.3),
    lmo.k_sparse_polytope(1000, 0.3),
    lmo.unit_simplex(0.3),
    lmo.hypersimplex(1000, 0.3),
    lmo.group_lasso_ball(0.3),
    lmo.ellipsoid(0.3, 0.1),
    lmo.ordered_weighted_l1_ball(np.linspace(2, 1, 10**5), 0.3),
    lmo.permutahedron(np.linspace(-1, 1, 10**5)),
]


@pytest.mark.parametrize("constraint", LARGE, ids=lambda constraint: type(constraint).__name__)
def test_float32_answers_are_feasible_in_large_dimensions(constraint):
    """Without float64 at hand, where sums of 10^5 numbers are rounded."""
    x = np.random.default_rng(3).standard_normal(10**5).astype(np.float32)

    @jax.jit
    def feasible(constraint, x):
        s, retracted = constraint.lmo(x), constraint.retract(x)
        halfway = constraint.retract(0.5 * (s + retracted))
        return [constraint.contains(v) for v in (s, retracted, halfway)]

    with jax.enable_x64(False):
        found = feasible(constraint, jnp.asarray(x))
    assert [bool(flag) for flag in found] == [True, True, True]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_directions_at_the_ends_of_the_range(dtype):
    sets = [
        lmo.lp_ball(3.0, 2.0),
        lmo.k_support_ball(2, 2.0),
        lmo.top_k_l2_ball(2, 2.0),
        lmo.k_norm_ball(2, 2.0),
        lmo.group_lasso_ball(2.0),
        lmo.ellipsoid(2.0),
        lmo.ordered_weighted_l1_ball(np.array([2.0, 1.0, 0.5]), 2.0),
        lmo.weighted_l1_ball(np.array([2.0, 1.0, 0.5]), 2.0),
    ]
    answer = jax.jit(lambda v: [constraint.lmo(v).astype(float) for constraint in sets])
    unit = jnp.array([1.0, -1.0, 0.0], dtype)
    tiny, huge = float(jnp.finfo(dtype).tiny), float(jnp.finfo(dtype).max)
    for size in (tiny, huge):
        for found, expected in zip(answer(size * unit), answer(unit), strict=True):
            np.testing.assert_allclose(found, expected, rtol=4 * float(jnp.finfo(dtype).eps))
