"""What sets refuse: the message names the argument, what was given and what is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo import lmo

TWO = np.array([[2.0, 0.0], [1.0, 1.0]])
CYCLE = [(0, 1), (1, 2), (2, 1), (2, 3)]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lmo.lp_ball(1.0, 2.0), ValueError, "p must exceed 1, got 1.0"),
        (lambda: lmo.lp_ball(np.inf, 2.0), ValueError, "p must be positive and finite, got inf"),
        (lambda: lmo.linf_ball(0.0), ValueError, "radius must be positive and finite, got 0.0"),
        (lambda: lmo.lp_ball(2.0, np.nan), ValueError, "radius must be positive"),
        (lambda: lmo.group_lasso_ball(-1), ValueError, "radius must be positive"),
        (lambda: lmo.unit_simplex(np.inf), ValueError, "scale must be positive"),
        (lambda: lmo.k_support_ball(0, 1.0), ValueError, "k must be an int of at least 1, got 0"),
        (lambda: lmo.top_k_l2_ball(2.0, 1.0), TypeError, "k must be an int, got 2.0"),
        (lambda: lmo.k_norm_ball(True, 1.0), TypeError, "k must be an int, got True"),
        (lambda: lmo.k_sparse_polytope(-3, 1.0), ValueError, "k must be an int of at least 1"),
        (lambda: lmo.hypersimplex("2"), TypeError, "k must be an int, got '2'"),
        (lambda: lmo.weighted_l1_ball({"a": -1.0}, 1), ValueError, r"weights\['a'\] must be posi"),
        (lambda: lmo.weighted_l1_ball([], 1), TypeError, "weights must hold at least one real"),
        (
            lambda: lmo.ordered_weighted_l1_ball(np.array([1.0, 2.0]), 1),
            ValueError,
            "weights must not increase nor be negative",
        ),
        (
            lambda: lmo.ordered_weighted_l1_ball(np.array([1.0, -2.0]), 1),
            ValueError,
            "weights must not increase nor be negative",
        ),
        (
            lambda: lmo.ordered_weighted_l1_ball(np.zeros(2), 1),
            ValueError,
            "the first one being positive",
        ),
        (lambda: lmo.ordered_weighted_l1_ball(1.0, 1), TypeError, "weights must be an array with"),
        (lambda: lmo.permutahedron(np.array([np.inf])), ValueError, "c must be finite"),
        (lambda: lmo.ellipsoid(0.0), ValueError, "semi_axes must be positive"),
        (lambda: lmo.ellipsoid(1.0, np.nan), ValueError, "center must be finite, got nan"),
        (lambda: lmo.rotated_ellipsoid(TWO.T), ValueError, "cholesky must be lower triangular"),
        (lambda: lmo.rotated_ellipsoid(0 * TWO), ValueError, "without zeros on the diagonal"),
        (lambda: lmo.rotated_ellipsoid(TWO[:1]), ValueError, r"must be square, got the shape \(1"),
        (lambda: lmo.rotated_ellipsoid(TWO[0]), TypeError, "cholesky must be an array with 2"),
        (
            lambda: lmo.transport_polytope(np.ones(2), np.ones(3)),
            ValueError,
            "rows and columns must have the same sum, got 2.0 and 3.0",
        ),
        (
            lambda: lmo.transport_polytope(np.array([1.0, 0.0]), np.ones(1)),
            ValueError,
            "rows must be positive and finite",
        ),
        (lambda: lmo.flow_polytope(CYCLE, 0, 3), ValueError, r"no cycle, .* nodes \[1, 2, 3\]"),
        (lambda: lmo.flow_polytope([(0, 1)], 1, 0), ValueError, "got source=1 and sink=0"),
        (lambda: lmo.flow_polytope([(0, 1)], 0, 0), ValueError, "sink must be another node"),
        (lambda: lmo.flow_polytope([(0, 1.5)], 0, 1), TypeError, r"arcs must be pairs of int nod"),
        (lambda: lmo.flow_polytope([(0, 1, 2)], 0, 1), TypeError, r"got \(0, 1, 2\)"),
        (lambda: lmo.flow_polytope([(0, 1)], "0", 1), TypeError, "source must be an int, got '0'"),
        (lambda: lmo.vertex_polytope(np.ones(3)), TypeError, "vertices must be an array with 2"),
        (lambda: lmo.vertex_polytope(np.ones((0, 3))), ValueError, "vertices must hold at least"),
        (lambda: lmo.vertex_polytope(np.full((1, 3), np.nan)), ValueError, "vertices must be fin"),
    ],
)
def test_bad_constants_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("constraint", "shape", "message"),
    [
        (lmo.hypersimplex(4), (3,), "k must not exceed the dimension of the argument, 3, got 4"),
        (lmo.weighted_l1_ball(np.ones(2), 1), (3,), r"weights must be a scalar or .* \(3,\)"),
        (lmo.ordered_weighted_l1_ball(np.ones(2), 1), (3,), r"weights must have the shape \(3,\)"),
        (lmo.permutahedron(np.ones(2)), (3,), r"c must have the shape \(3,\) .* got \(2,\)"),
        (lmo.ellipsoid(1.0, np.ones(2)), (3,), r"center must be a scalar or have the shape"),
        (lmo.rotated_ellipsoid(TWO), (3,), r"cholesky must have the shape \(3, 3\)"),
        (lmo.rotated_ellipsoid(TWO, np.ones(3)), (2,), r"center must be a number or have the sha"),
        (lmo.birkhoff_polytope(), (3, 2), r"must end with two equal axes, got the shape \(3, 2\)"),
        (lmo.birkhoff_polytope(), (3,), r"must end with two equal axes, got the shape \(3,\)"),
        (lmo.transport_polytope(np.ones(2), np.ones(2)), (2, 3), r"must end with \(2, 2\), got"),
        (lmo.flow_polytope([(0, 1)], 0, 1), (3,), "a coordinate for each of the 1 arcs, it has 3"),
        (lmo.vertex_polytope(TWO), (3,), r"vertices must have the shape \(m, 3\)"),
    ],
)
def test_arguments_that_do_not_fit_are_named(constraint, shape, message):
    methods = ["lmo", "contains", "retract"]
    if type(constraint) is not lmo.ellipsoid:
        methods.append("diameter")
    for method in methods:
        with pytest.raises(ValueError, match=message):
            getattr(constraint, method)(jnp.ones(shape))


@pytest.mark.parametrize(
    "constraint",
    [
        lmo.linf_ball(1e39),
        lmo.lp_ball(3.0, 1e39),
        lmo.k_support_ball(1, 1e39),
        lmo.k_norm_ball(1, 1e39),
        lmo.unit_simplex(1e39),
        lmo.hypersimplex(1, 1e39),
        lmo.weighted_l1_ball(1.0, 1e39),
        lmo.group_lasso_ball(1e39),
        lmo.ellipsoid(1e39),
        lmo.permutahedron(np.array([1e39, 0.0])),
        lmo.vertex_polytope(np.array([[1e39, 0.0]])),
    ],
)
def test_constants_must_fit_the_dtype(constraint):
    with pytest.raises(ValueError, match="must lie in the range of float32"):
        constraint.lmo(jnp.ones(2, jnp.float32))


def test_traced_constants_are_taken_as_they_are():
    found = jax.jit(lambda r: lmo.linf_ball(r).lmo(jnp.ones(2)))(-1.0)
    assert found.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "make",
    [lmo.l1_ball, lmo.linf_ball, lmo.unit_simplex, lmo.group_lasso_ball, lmo.ellipsoid]
    + [lambda r, name=name: getattr(lmo, name)(2, r) for name in ("k_norm_ball", "top_k_l2_ball")]
    + [lambda r: lmo.k_support_ball(2, r), lambda r: lmo.k_sparse_polytope(2, r)]
    + [lambda r: lmo.lp_ball(3.0, r), lambda r: lmo.weighted_l1_ball(2.0, r)],
)
def test_trees_without_coordinates_come_back(make):
    for tree in ({}, None, {"empty": jnp.zeros((2, 0), jnp.float32)}):
        constraint = make(1.0)
        for method in ("lmo", "retract"):
            found = getattr(constraint, method)(tree)
            assert jax.tree.structure(found) == jax.tree.structure(tree)
        assert float(constraint.diameter(tree)) == 0.0
        assert bool(constraint.contains(tree))
