"""Matrix completion: gradients, exact constants, what is observed and what is held out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import MatrixCompletion, local_constants, observed_entries, photograph


def small() -> MatrixCompletion:
    matrix = np.random.default_rng(0).standard_normal((3, 4))
    return observed_entries(matrix, 0.6, jax.random.key(1))[0]


def test_gradients_agree_with_each_other_and_with_the_value():
    problem = small()
    x = jax.random.normal(jax.random.key(2), (problem.dim,))
    gradient = problem.gradient(x)
    np.testing.assert_allclose(gradient, jax.grad(problem.value)(x), rtol=1e-13)
    rows = problem.sample_gradients(x, jnp.arange(problem.num_samples))
    np.testing.assert_allclose(gradient, rows.mean(axis=0), rtol=1e-13)
    batch = jnp.array([1, 5, 5, 0])
    np.testing.assert_allclose(
        problem.batch_gradient(x, batch), rows[batch].mean(axis=0), rtol=1e-13
    )


def test_the_value_is_half_the_mean_square_over_what_is_observed():
    matrix = np.arange(1.0, 7.0).reshape(2, 3)
    seen, unseen = observed_entries(matrix, 0.5, jax.random.key(0))
    assert (seen.num_samples, unseen.num_samples) == (3, 3)
    at_zero = 3 * (seen.value(jnp.zeros(6)) + unseen.value(jnp.zeros(6)))
    np.testing.assert_allclose(at_zero, 0.5 * np.sum(matrix**2), rtol=1e-14)
    for problem in (seen, unseen):
        assert float(problem.value(jnp.asarray(matrix.ravel()))) == 0.0
        np.testing.assert_array_equal(matrix[problem.rows, problem.columns], problem.values)


def test_constants_are_those_of_the_hessians_also_where_entries_repeat():
    repeated = MatrixCompletion([0, 0, 0, 1, 1], [1, 1, 1, 0, 2], np.ones(5), (2, 3))
    single = MatrixCompletion([1], [1], [2.0], (2, 2))
    for problem in (small(), repeated, single):
        problem.certify()
        found = local_constants(problem, np.zeros(problem.dim))
        for name, constant in problem.constants.items():
            assert constant.how == "exact"
            np.testing.assert_allclose(constant.value, found[name], atol=1e-8)
    n = small().num_samples
    values = [small().constants[name].value for name in ("L", "L_tilde", "L_pm")]
    np.testing.assert_allclose(values, [1 / n, n**-0.5, (1 / n - 1 / n**2) ** 0.5])
    assert repeated.constants["L"].value == 0.6


def test_a_key_draws_the_same_entries_again_and_another_key_others():
    matrix = np.arange(100.0).reshape(10, 10)
    draws = [observed_entries(matrix, 0.3, jax.random.key(seed))[0].values for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_a_problem_is_an_argument_of_a_jitted_function():
    problem = small()
    x = jnp.ones(problem.dim)
    found = jax.jit(lambda p, x: p.gradient(x))(problem, x)
    np.testing.assert_allclose(found, problem.gradient(x), rtol=1e-14)
    assert len(jax.tree.leaves(problem)) == 3


def test_the_photograph():
    full, half = photograph(), photograph(shrink=2)
    assert full.shape == (427, 640)
    assert half.shape == (213, 320)
    assert full.min() >= 0
    assert full.max() <= 1
    np.testing.assert_allclose(half[3, 5], full[6:8, 10:12].mean(), rtol=1e-14)
    values = np.linalg.svd(half, compute_uv=False)
    assert np.sum(values[:20] ** 2) > 0.98 * np.sum(values**2)  # nearly of low rank


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"rows must lie in \[0, 2\), got values from 0 to 2"):
        MatrixCompletion([0, 2], [0, 0], [1.0, 2.0], (2, 2))
    with pytest.raises(ValueError, match="columns must be integers"):
        MatrixCompletion([0], [0.5], [1.0], (2, 2))
    with pytest.raises(ValueError, match="must have one shape"):
        MatrixCompletion([0, 1], [0, 1], [1.0], (2, 2))
    with pytest.raises(ValueError, match="values must be finite"):
        MatrixCompletion([0], [0], [np.nan], (2, 2))
    with pytest.raises(ValueError, match=r"fraction must lie in \(0, 1\), got 1"):
        observed_entries(np.ones((2, 2)), 1.0, jax.random.key(0))
    with pytest.raises(ValueError, match="matrix must have shape"):
        observed_entries(np.ones(3), 0.5, jax.random.key(0))
    with pytest.raises(ValueError, match="shrink must lie between 1 and 427, got 0"):
        photograph(0)
