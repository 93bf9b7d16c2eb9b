"""Polytopes whose oracle is an algorithm, at sizes and degeneracies that the table has not."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog

from optzoo.lmo import birkhoff_polytope, flow_polytope, transport_polytope, vertex_polytope

from .sets import conservation, marginals, paths

lmo = jax.jit(lambda constraint, direction: constraint.lmo(direction))
contains = jax.jit(lambda constraint, x: constraint.contains(x))
retract = jax.jit(lambda constraint, x: constraint.retract(x))


def degenerate_marginals(rng, m, n):
    """Integers with many equal partial sums, which make most vertices degenerate."""
    rows = rng.integers(1, 4, m).astype(float)
    columns = rng.multinomial(int(rows.sum()) - n, np.ones(n) / n) + 1.0
    return rows, columns


@pytest.mark.parametrize("shape", [(5, 4), (1, 3), (6, 6)])
def test_transport_plans_are_optimal_vertices_however_degenerate_the_marginals(shape):
    m, n = shape
    rng = np.random.default_rng(0)
    for k in range(24):
        rows, columns = degenerate_marginals(rng, m, max(n, 1)) if m > 1 else (3.0, np.ones(3))
        rows = np.atleast_1d(rows)
        if k % 3 == 0:
            rows, columns = rng.random(m) + 0.01, rng.random(n) + 0.01
            columns *= rows.sum() / columns.sum()
        costs = rng.standard_normal(shape) if k % 2 else rng.integers(-2, 3, shape).astype(float)
        plan = np.asarray(lmo(transport_polytope(rows, columns), jnp.asarray(costs)))
        np.testing.assert_allclose(plan.sum(axis=1), rows, rtol=1e-14)
        np.testing.assert_allclose(plan.sum(axis=0), columns, rtol=1e-14)
        assert (plan >= 0).all()
        program = marginals(m, n, rows, columns).constraints
        solved = linprog(costs.ravel(), **program)
        np.testing.assert_allclose((costs * plan).sum(), solved.fun, atol=1e-9)
        # A point is a vertex iff the columns of its support are independent.
        support = program["A_eq"][:, plan.ravel() > 1e-12]
        assert np.linalg.matrix_rank(support) == support.shape[1]


def test_a_single_row_or_column_leaves_no_choice():
    columns = jnp.array([1.0, 2.0])
    costs = jnp.array([[3.0, -1.0]])
    assert lmo(transport_polytope(jnp.array([3.0]), columns), costs).tolist() == [[1.0, 2.0]]
    found = lmo(transport_polytope(columns, jnp.array([3.0])), costs.T)
    assert found.tolist() == [[1.0], [2.0]]


def test_the_diameter_of_a_uniform_transport_polytope_is_that_of_birkhoff():
    uniform = transport_polytope(np.ones(3), np.ones(3))
    like = jnp.zeros((3, 3))
    np.testing.assert_allclose(uniform.diameter(like), np.sqrt(6), rtol=1e-15)
    np.testing.assert_allclose(birkhoff_polytope().diameter(like), np.sqrt(6), rtol=1e-15)
    assert float(birkhoff_polytope().diameter(jnp.zeros((1, 1)))) == 0.0


@pytest.mark.parametrize(("m", "n"), [(3, 3), (4, 6)])
def test_the_bound_on_the_diameter_of_a_transport_polytope(m, n):
    rows, columns = np.full(m, float(n)), np.full(n, float(m))
    found = transport_polytope(rows, columns).diameter(jnp.zeros((m, n)))
    shorter = min(np.linalg.norm(rows), np.linalg.norm(columns))
    np.testing.assert_allclose(found, np.sqrt(2) * shorter, rtol=1e-14)


def test_assignments_with_ties_are_optimal():
    rng = np.random.default_rng(1)
    for k in range(20):
        costs = rng.standard_normal((12, 12)) if k % 2 else rng.integers(0, 3, (12, 12)) * 1.0
        found = np.asarray(lmo(birkhoff_polytope(), jnp.asarray(costs)))
        assert (np.sort(found, axis=1)[:, -1] == 1).all()
        assert found.sum() == 12
        assert (found.sum(axis=0) == 1).all()
        i, j = linear_sum_assignment(costs)
        np.testing.assert_allclose((costs * found).sum(), costs[i, j].sum(), rtol=1e-13)


@pytest.mark.parametrize(
    "constraint", [birkhoff_polytope(), transport_polytope(np.ones(3), np.ones(3))]
)
def test_leading_axes_and_leaves_make_a_product(constraint):
    rng = np.random.default_rng(2)
    stack = jnp.asarray(rng.standard_normal((2, 3, 3)))
    tree = {"stack": stack, "one": stack[0]}
    found = lmo(constraint, tree)
    for k in range(2):
        assert found["stack"][k].tolist() == lmo(constraint, stack[k]).tolist()
    assert found["one"].tolist() == found["stack"][0].tolist()
    np.testing.assert_allclose(constraint.diameter(tree), np.sqrt(3 * 6), rtol=1e-15)
    assert bool(contains(constraint, found))
    assert not bool(contains(constraint, {"stack": stack, "one": found["one"]}))
    assert bool(contains(constraint, retract(constraint, tree)))


def random_graph(rng, nodes, density):
    """Arcs between nodes in an order that is not theirs, a path through all of them among these."""
    names = rng.permutation(nodes)
    pairs = [
        (int(names[i]), int(names[j]))
        for i, j in itertools.combinations(range(nodes), 2)
        if j == i + 1 or rng.random() < density
    ]
    order = rng.permutation(len(pairs))
    return tuple(pairs[k] for k in order), int(names[0]), int(names[-1])


def test_paths_of_random_graphs():
    rng = np.random.default_rng(3)
    for k in range(20):
        arcs, source, sink = random_graph(rng, 7, 0.5)
        constraint = flow_polytope(arcs, source, sink, 2.0)
        corners = 2 * paths(arcs, source, sink)
        gaps = np.linalg.norm(corners[:, None] - corners[None], axis=-1)
        like = jnp.zeros(len(arcs))
        np.testing.assert_allclose(constraint.diameter(like), gaps.max(), rtol=1e-14)
        if k < 3:
            directions = rng.integers(-3, 4, (50, len(arcs))).astype(float)
            found = np.asarray(jax.jit(jax.vmap(constraint.lmo))(jnp.asarray(directions)))
            best = (directions @ corners.T).min(axis=1)
            assert (np.sum(directions * found, axis=1) == best).all()
            assert all((corners == row).all(axis=1).any() for row in found)
            solved = linprog(directions[0], **conservation(arcs, source, sink, 2.0).constraints)
            np.testing.assert_allclose(solved.fun, best[0], atol=1e-9)


def test_parallel_arcs_and_arcs_that_lead_nowhere():
    arcs = [(0, 1), (0, 1), (1, 2), (0, 3), (4, 1), (1, 5), (2, 6)]
    constraint = flow_polytope(arcs, 0, 2)
    g = jnp.array([1.0, 1.0, 1.0, -9.0, -9.0, -9.0, -9.0])
    assert lmo(constraint, g).tolist() == [1.0, 0, 1, 0, 0, 0, 0]
    assert float(constraint.diameter(g)) == pytest.approx(np.sqrt(2))
    x = jnp.array([0.3, 0.3, 0.9, 0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(retract(constraint, x), [0.5, 0.5, 1, 0, 0, 0, 0], rtol=1e-15)


def test_membership_in_a_hull_agrees_with_a_linear_program():
    rng = np.random.default_rng(4)
    corners = rng.standard_normal((9, 3))
    corners[5] = corners[2]
    corners[6] = corners[:3].mean(axis=0)
    constraint = vertex_polytope(corners)
    points = np.vstack([
        rng.standard_normal((60, 3)),
        rng.dirichlet(0.3 * np.ones(9), 40) @ corners,
        corners,
    ])  # fmt: skip
    inside = jax.jit(jax.vmap(constraint.contains))(jnp.asarray(points))
    nearest = np.asarray(jax.jit(jax.vmap(constraint.retract))(jnp.asarray(points)))
    assert inside[60:].all()
    assert int(inside.sum()) - 49 >= 10
    for x, flag, near in zip(points, inside, nearest, strict=True):
        # min |x - V^T w|_1 over the weights
        eye = np.eye(3)
        solved = linprog(
            np.r_[np.zeros(9), np.ones(6)],
            A_eq=np.vstack([np.hstack([corners.T, eye, -eye]), np.r_[np.ones(9), np.zeros(6)]]),
            b_eq=np.r_[x, 1],
        )
        assert bool(flag) == (solved.fun < 1e-9)
        np.testing.assert_allclose(np.abs(x - near).sum(), solved.fun, atol=1e-9)


def test_a_hull_of_one_point_and_of_equal_points():
    for corners in (np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]] * 3)):
        constraint = vertex_polytope(corners)
        assert lmo(constraint, jnp.array([3.0, -1.0])).tolist() == [1.0, 2.0]
        assert float(constraint.diameter(jnp.zeros(2))) == 0.0
        assert bool(contains(constraint, jnp.array([1.0, 2.0])))
        assert not bool(contains(constraint, jnp.array([1.0, 2.1])))
        assert retract(constraint, jnp.array([5.0, 5.0])).tolist() == [1.0, 2.0]
