"""Certified minima against closed forms, scipy and the definition of the certificate."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from optzoo.lmo import box, l1_ball, simplex
from optzoo.problems import (
    CertificateError,
    FiniteSum,
    LeastSquares,
    LogisticRegression,
    NoiseTight,
    breast_cancer,
    dilated,
    minimize_over,
    random_least_squares,
    random_logistic,
    random_sigmoid,
    random_sign_quadratic,
    scaled,
)


def vertices(radius: float | None, dim: int) -> np.ndarray:
    """Vertices of the l1 ball, or of the unit simplex where no radius is given."""
    return np.eye(dim) if radius is None else radius * np.concatenate([np.eye(dim), -np.eye(dim)])


def slsqp_minimum(problem: FiniteSum, radius: float | None) -> float:
    """Min f over the convex hull of the vertices, in barycentric coordinates."""
    corners = vertices(radius, problem.dim)
    value, gradient = jax.jit(problem.value), jax.jit(problem.gradient)
    found = scipy.optimize.minimize(
        lambda w: float(value(w @ corners)),
        np.full(len(corners), 1 / len(corners)),
        jac=lambda w: corners @ np.asarray(gradient(w @ corners)),
        bounds=[(0, 1)] * len(corners),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return float(found.fun)


@pytest.mark.parametrize("radius", [None, 2.0])
@pytest.mark.parametrize("make", [random_least_squares, random_logistic])
def test_agrees_with_sequential_quadratic_programming(make, radius: float | None) -> None:
    problem = make(40, 6, seed=2)
    constraint = simplex() if radius is None else l1_ball(radius)
    optimum = minimize_over(problem, constraint)
    assert optimum.value == pytest.approx(slsqp_minimum(problem, radius), abs=1e-9)


@pytest.mark.parametrize("radius", [None, 3.0])
@pytest.mark.parametrize("make", [random_least_squares, random_logistic])
def test_the_certificate_holds(make, radius: float | None) -> None:
    problem = make(400, 30, seed=0)
    constraint = simplex() if radius is None else l1_ball(radius)
    optimum = minimize_over(problem, constraint)
    assert 0 <= optimum.width <= 1e-10
    assert optimum.lower == optimum.value - optimum.width
    # The gap by enumeration of the vertices, in NumPy.
    x = np.asarray(optimum.point)
    gradient = np.asarray(problem.gradient(optimum.point))
    gap = gradient @ x - (vertices(radius, 30) @ gradient).min()
    assert gap <= 1e-10
    assert optimum.value == float(problem.value(optimum.point))
    assert optimum.lower >= optimum.value - gap - 1e-14
    assert (constraint.contains(optimum.point)).item()
    # The planted solution lies outside the set, so the minimum is on its boundary.
    assert np.abs(x).sum() == pytest.approx(1.0 if radius is None else radius, rel=1e-12)
    assert 1 < (np.abs(x) > 1e-9).sum() < 30


@pytest.mark.parametrize("constraint", [simplex(), l1_ball(10.0)], ids=["simplex", "l1_ball"])
@pytest.mark.parametrize("kind", [LeastSquares, LogisticRegression])
def test_ill_conditioned_data(kind, constraint) -> None:
    optimum = minimize_over(kind(*breast_cancer()), constraint)
    assert optimum.width <= 1e-11
    assert optimum.iterations < 10


def test_least_squares_with_identity_features_is_a_projection() -> None:
    target = jnp.array([2.0, -1.0, 0.1, 0.0])
    optimum = minimize_over(LeastSquares(jnp.eye(4), target), l1_ball(1.5))
    # Soft thresholding at 3/4 brings |target|_1 down to 3/2.
    np.testing.assert_allclose(optimum.point, [1.25, -0.25, 0.0, 0.0], atol=1e-12)
    assert optimum.value == pytest.approx((0.75**2 * 2 + 0.01) / 8, rel=1e-12)


@pytest.mark.parametrize("dim", [1, 50])
def test_sign_quadratic_on_the_simplex(dim: int) -> None:
    problem = random_sign_quadratic(4, dim, seed=0, curvature=3.0)
    optimum = minimize_over(problem, simplex())
    assert optimum.value == pytest.approx(problem.simplex_optimum, rel=1e-12)
    assert optimum.lower <= problem.simplex_optimum * (1 + 1e-12)


@pytest.mark.parametrize("slope", [-0.3, 1e-4, 2.0])
def test_a_linear_function_takes_one_step(slope: float) -> None:
    problem = NoiseTight(slope=slope, noise=1.0, num_samples=4)
    for constraint in (l1_ball(1.0), box(-1.0, 1.0)):
        optimum = minimize_over(problem, constraint)
        assert optimum.value == problem.optimum
        assert optimum.iterations == 1
        assert 0 < optimum.width < 1e-14 * abs(slope) + 1e-18


def test_an_interior_minimum_and_more_dimensions_than_samples() -> None:
    problem = random_least_squares(5, 20, seed=0, planted_norm=1.0, noise=0.0)
    optimum = minimize_over(problem, l1_ball(2.0))
    assert optimum.value <= 1e-12
    assert optimum.width <= 1e-12


def test_a_single_point_and_a_start_at_the_minimum() -> None:
    problem = random_least_squares(5, 2, seed=0)
    point = box(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.0]))
    assert minimize_over(problem, point).value == float(problem.value(jnp.array([1.0, 2.0])))
    zero = LeastSquares(jnp.eye(2), jnp.zeros(2))
    assert minimize_over(zero, l1_ball(1.0)).value == 0.0


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_rescalings_carry_the_minimum_along(factor: float) -> None:
    problem = random_logistic(40, 6, seed=2)
    optimum = minimize_over(problem, l1_ball(3.0))
    tall = minimize_over(scaled(problem, factor), l1_ball(3.0))
    wide = minimize_over(dilated(problem, factor), l1_ball(3.0 * factor))
    assert tall.value == pytest.approx(factor * optimum.value, rel=1e-11)
    assert wide.value == pytest.approx(optimum.value, rel=1e-11)


@dataclasses.dataclass(frozen=True)
class LyingSet:
    """An l1 ball whose lmo answers for another radius."""

    projected: float
    searched: float

    def lmo(self, direction: jax.Array) -> jax.Array:
        return l1_ball(self.searched).lmo(direction)

    def project(self, x: jax.Array) -> jax.Array:
        return l1_ball(self.projected).project(x)


jax.tree_util.register_static(LyingSet)


def test_a_projection_onto_a_smaller_set_earns_no_certificate() -> None:
    problem = random_least_squares(40, 6, seed=2)
    inner = minimize_over(problem, l1_ball(1.0)).point
    with pytest.raises(CertificateError, match=r"reached a width of \d\.\d+e") as refusal:
        minimize_over(problem, LyingSet(projected=1.0, searched=2.0))
    # What it reached is the gap of the smaller set's minimiser with respect to the larger set.
    gradient = problem.gradient(inner)
    gap = float(jnp.vdot(gradient, inner) + 2.0 * jnp.abs(gradient).max())
    width = re.search(r"width of (\S+)", str(refusal.value))
    assert width is not None
    assert float(width[1]) == pytest.approx(gap, rel=1e-3)


def test_an_unattained_tolerance_states_the_width() -> None:
    problem = random_logistic(400, 30, seed=0)
    with pytest.raises(CertificateError, match=r"width of .* after 1 steps, asked for at most"):
        minimize_over(problem, l1_ball(3.0), max_iterations=1)
    with pytest.raises(CertificateError, match="tolerance 1e-25"):
        minimize_over(problem, l1_ball(3.0), tolerance=1e-25)


def test_bad_arguments_are_named() -> None:
    problem = random_logistic(6, 2, seed=0)
    with pytest.raises(ValueError, match="needs a convex problem, got SigmoidLoss"):
        minimize_over(random_sigmoid(6, 2, seed=0), simplex())
    with pytest.raises(ValueError, match="convex problem, got SignQuadratic"):
        minimize_over(random_sign_quadratic(4, 2, seed=0, curvature=-1.0), simplex())
    with pytest.raises(ValueError, match="tolerance must be finite and positive"):
        minimize_over(problem, simplex(), tolerance=0.0)
    with pytest.raises(ValueError, match="max_iterations must be at least 1"):
        minimize_over(problem, simplex(), max_iterations=0)
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        minimize_over(problem, simplex())
