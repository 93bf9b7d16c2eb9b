"""The constants and the solution that a rotating saddle claims, from its Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.rotating_saddle import RotatingSaddle


def jacobians(problem):
    rows = [problem.row(i, np.float64) for i in range(problem.num_workers)]
    zero = jnp.zeros(problem.dimension)
    return rows, np.array(
        [jax.jacobian(lambda z, row=row: problem.of(row, z))(zero) for row in rows]
    )


@pytest.mark.parametrize(("n", "d"), [(2, 4), (3, 16), (8, 20)])
def test_the_constants_are_those_of_the_jacobians(n, d):
    problem = RotatingSaddle(n, d, mu=0.5, delta=2.0, spread=7.0, seed=3)
    _, every = jacobians(problem)
    mean = every.mean(axis=0)
    for one in every:
        symmetric = (one + one.T) / 2
        np.testing.assert_allclose(symmetric, 0.5 * np.eye(d), atol=1e-12)
        difference = one - mean
        np.testing.assert_allclose(difference.T @ difference, 4.0 * np.eye(d), atol=1e-12)
        assert np.linalg.norm(one, 2) <= problem.lipschitz_of_workers * (1 + 1e-12)
    assert np.linalg.norm(mean, 2) == pytest.approx(problem.lipschitz, rel=1e-12)
    assert np.linalg.norm(every[0] - every[1], 2) > 1.0  # workers do differ


def test_the_solution_solves():
    problem = RotatingSaddle(3, 16)
    rows, _ = jacobians(problem)
    solution = problem.solution(jnp.asarray(np.mean([offset for offset, _ in rows], axis=0)))
    residual = sum(problem.of(row, solution) for row in rows) / 3
    assert jnp.linalg.norm(solution) > 0.1
    np.testing.assert_allclose(residual, 0.0, atol=1e-12)


def test_a_row_depends_on_the_seed_and_its_worker():
    rows = [RotatingSaddle(4, 8, seed=s).row(i, np.float32)[0] for s, i in [(0, 1), (0, 2), (1, 1)]]
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}
    assert len({row.tobytes() for row in rows}) == 3
    again = RotatingSaddle(4, 8).row(1, np.float32)[0]
    np.testing.assert_array_equal(rows[0], again)
