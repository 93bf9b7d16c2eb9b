"""Piecewise quadratic functions: values, derivatives, constants and minima computed otherwise."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optzoo.problems import CertificateError, Constant, PiecewiseQuadratic

KNOTS = (-0.8, -0.1, 0.4)
POINTS = (-3.0, -0.8, -0.5, -0.1, 0.0, 0.2, 0.4, 1.7)


def random_problem(seed, knots=KNOTS, samples=4):
    rng = np.random.default_rng(seed)
    second = rng.uniform(-2, 2, size=(samples, len(knots) + 1))
    return PiecewiseQuadratic(knots, second, rng.uniform(-1, 1, size=samples))


HUBER = PiecewiseQuadratic([-1.0, 1.0], [[0.0, 1.0, 0.0]], [0.0])
PROBLEMS = {
    "random": random_problem(0),
    "no knots": random_problem(3, knots=()),
    "huber": HUBER,
}
each = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def integrated(knots, second, slope, x, cells=4_000):
    """f(x) and f'(x) of one function, by sums over cells of the second derivative."""
    ends = np.linspace(0.0, x, cells + 1)
    middles = (ends[1:] + ends[:-1]) / 2
    width = x / cells
    curvature = np.asarray(second)[np.searchsorted(knots, middles)]
    return slope * x + np.sum(curvature * (x - middles)) * width, slope + curvature.sum() * width


@partial(jax.jit, static_argnums=2)
@partial(jax.vmap, in_axes=(None, 0, None))
def at_each(problem, x, n):
    """At each point: the value, its derivative, all rows, and gradients of batches."""
    return (
        problem.value(x),
        jax.grad(problem.value)(x)[0],
        problem.sample_gradients(x, np.arange(n))[:, 0],
        problem.gradient(x)[0],
        problem.batch_gradient(x, np.arange(n))[0],
        problem.batch_gradient(x, np.array([0, n - 1, n - 1]))[0],
    )


@each
def test_the_second_derivatives_are_those_that_were_given(problem):
    """Value and derivatives by integration from 0, whatever pieces lie between."""
    knots, second, slopes = (
        np.asarray(part) for part in (problem.knots, problem.second, problem.slopes)
    )
    found = at_each(problem, jnp.asarray(POINTS)[:, None], len(slopes))
    value, of_the_value, rows, gradient, whole, picked = map(np.asarray, found)
    for x, *seen in zip(POINTS, value, of_the_value, rows, strict=True):
        both = [integrated(knots, h, c, x) for h, c in zip(second, slopes, strict=True)]
        expected = (*np.mean(both, axis=0), [row for _, row in both])
        for one, other in zip(seen, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-2)
        np.testing.assert_allclose(problem.value_at(x), seen[0], atol=1e-13)
    for one in (gradient, rows.mean(axis=1), whole):
        np.testing.assert_allclose(one, of_the_value, atol=1e-13)
    np.testing.assert_allclose(picked, (rows[:, 0] + 2 * rows[:, -1]) / 3, atol=1e-13)


@each
def test_constants_are_the_largest_difference_quotients(problem):
    """Between any two points, and attained inside of the pieces."""
    n = problem.num_samples
    x = np.linspace(-3.0, 3.0, 241)
    rows = np.asarray(at_each(problem, jnp.asarray(x)[:, None], n)[2])
    quotients = (rows[1:] - rows[:-1]) / np.diff(x)[:, None]
    far = (rows[60:] - rows[:-60]) / (x[60:] - x[:-60])[:, None]
    for every, compare in ((quotients, np.isclose), (far, np.less_equal)):
        mean = every.mean(axis=1)
        found = {
            "L": np.abs(mean).max(),
            "L_tilde": np.sqrt(np.mean(every**2, axis=1)).max(),
            "L_pm": np.sqrt(np.mean((every - mean[:, None]) ** 2, axis=1)).max(),
        }
        for name, value in found.items():
            assert compare(value, problem.constants[name].value + 1e-12), name
    problem.certify()


def test_a_wrong_constant_is_refused():
    problem = replace(PROBLEMS["random"])
    known = problem.constants
    known["L_pm"] = Constant(known["L_pm"].value * 0.99, "exact")
    with pytest.raises(CertificateError, match="'L_pm' is stated as"):
        problem.certify()


@pytest.mark.parametrize("seed", range(4))
def test_the_least_value_is_that_of_a_dense_grid(seed):
    problem = random_problem(seed, samples=2)
    value = jax.jit(jax.vmap(problem.value))
    for low, high in ((-1.0, 1.0), (-3.0, 0.3), (0.41, 0.42), (-0.1, -0.1)):
        grid = jnp.linspace(low, high, 4001)[:, None]
        seen = float(jnp.min(value(grid)))
        least = problem.least(low, high)
        assert seen - 1e-6 <= least <= seen + 1e-12


def test_the_lower_bound_is_that_of_the_line():
    assert HUBER.lower_bound == 0.0
    tilted = PiecewiseQuadratic([-1.0, 1.0], [[0.0, 1.0, 0.0]], [0.5])
    assert tilted.lower_bound == pytest.approx(-0.125)
    assert tilted.least(-9.0, 9.0) == pytest.approx(-0.125)
    for slope in (1.5, -1.5):  # it falls for ever on one side
        assert PiecewiseQuadratic([-1.0, 1.0], [[0.0, 1.0, 0.0]], [slope]).lower_bound == -np.inf
    parabola = PiecewiseQuadratic([], [[2.0]], [40.0])  # far beyond all knots
    assert parabola.lower_bound == pytest.approx(-400.0)
    well = PiecewiseQuadratic([-1.0, 1.0], [[2.0, -1.0, 2.0]], [0.0])
    assert well.lower_bound == pytest.approx(-0.75)
    assert not well.convex
    assert HUBER.convex
    assert PiecewiseQuadratic([0.0], [[1.0, -1.0]], [0.0]).lower_bound == -np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [[1.0]], [0.0]), r"must have shapes \(m,\), \(n, m \+ 1\) and \(n,\)"),
        (([0.0], [[1.0, 2.0]], [0.0, 1.0]), "must have shapes"),
        (([[0.0]], [[1.0, 2.0]], [0.0]), "must have shapes"),
        (([0.5, 0.5], [[1.0, 2.0, 3.0]], [0.0]), "knots must increase"),
        (([1.0, 0.0], [[1.0, 2.0, 3.0]], [0.0]), "knots must increase"),
        (([np.inf], [[1.0, 2.0]], [0.0]), "knots must be finite"),
        (([0.0], [[1.0, np.nan]], [0.0]), "second must be finite"),
        (([0.0], [[1.0, 2.0]], [np.inf]), "slopes must be finite"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseQuadratic(*arguments)


def test_bad_points_intervals_and_samples_are_named():
    with pytest.raises(ValueError, match=r"x must have shape \(1,\)"):
        HUBER.value(jnp.zeros(2))
    with pytest.raises(ValueError, match=r"indices must lie in \[0, 1\)"):
        HUBER.sample_gradients(jnp.zeros(1), [1])
    with pytest.raises(ValueError, match=r"low must be at most high, got 1\.0 and 0\.0"):
        HUBER.least(1.0, 0.0)


def test_it_may_be_part_of_a_compiled_program():
    """And a constant of one, where its samples are still an argument."""
    problem, x = PROBLEMS["random"], jnp.array([0.7])
    row = jax.jit(lambda index: problem.sample_gradients(x, index))(jnp.array([2]))
    np.testing.assert_allclose(row, problem.sample_gradients(x, [2]), rtol=1e-12)
