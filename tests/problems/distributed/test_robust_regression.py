"""Robust regression with features in an l1 ball: its set, its constants and its solution."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    CertificateError,
    Constant,
    DistributedOperator,
    breast_cancer,
    robust_linear_regression,
    robust_logistic_regression,
)

both = pytest.mark.parametrize("make", [robust_linear_regression, robust_logistic_regression])


def _rows(number=40, dim=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((number, dim)) + rng.standard_normal(dim)
    return rows, np.sign(rows @ rng.standard_normal(dim) + 0.1)


def _point(problem, rng):
    """A point of the l1 ball times the l2 ball: half of the time with x at a vertex."""
    half = problem.dim // 2
    x, y = rng.standard_normal((2, half))
    if rng.random() < 0.5:
        x = x * (np.abs(x) == np.abs(x).max())
    x *= problem.x_radius / np.abs(x).sum()
    y *= problem.y_radius / np.linalg.norm(y)
    return np.concatenate([x, y])


@both
def test_the_problem_certifies(make):
    make(*_rows(), 4, x_norm="l1").certify()


@pytest.mark.parametrize("constant", ["L", "L_1", "L_av", "delta", "delta_1", "delta_av", "mu"])
@both
def test_certify_refuses_a_constant_that_promises_too_much(make, constant):
    problem = make(*_rows(), 4, x_norm="l1")
    stated = problem.constants
    held = stated[constant]
    sign = 1 if constant == "mu" else -1
    wrong = held.value + sign * (held.width + 0.01)
    copy = dataclasses.replace(problem)
    copy.__dict__["constants"] = stated | {constant: Constant(wrong, "certified")}
    copy.__dict__["solution"] = problem.solution
    with pytest.raises(CertificateError, match=constant):
        copy.certify()


@settings(deadline=None, max_examples=60)
@given(
    logistic=st.booleans(),
    dim=st.integers(1, 4),
    workers=st.integers(1, 4),
    x_radius=st.floats(0.1, 5.0),
    y_radius=st.floats(0.01, 3.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_constants_hold_on_the_set(logistic, dim, workers, x_radius, y_radius, seed):
    """At points of the set, x at a vertex among them, the Jacobians are within the constants."""
    make = robust_logistic_regression if logistic else robust_linear_regression
    problem = make(*_rows(9, dim, seed), workers, x_radius=x_radius, y_radius=y_radius, x_norm="l1")
    rng = np.random.default_rng(seed)
    for _ in range(6):
        found = problem.local_constants(_point(problem, rng))
        for name, constant in problem.constants.items():
            slack = 1e-9 * (1 + constant.value)
            if name == "mu":
                assert found[name] >= constant.value - slack
            else:
                assert found[name] <= constant.value + slack, name
    modulus = problem.server_monotonicity
    server = problem.jacobians(_point(problem, rng))[0]
    assert np.linalg.eigvalsh((server + server.T) / 2)[0] >= modulus - 1e-9


@settings(deadline=None, max_examples=50)
@given(dim=st.integers(2, 5), seed=st.integers(0, 2**32 - 1), radius=st.floats(0.1, 5.0))
def test_mixed_blocks_are_bounded_by_their_norm_at_the_worst_vertex(dim, seed, radius):
    rng = np.random.default_rng(seed)
    first, target = rng.standard_normal((3, dim)), rng.standard_normal(3)
    problem = robust_linear_regression(*_rows(9, dim), 3, x_radius=radius, x_norm="l1")
    vertices = radius * np.concatenate([np.eye(dim), -np.eye(dim)])
    expected = [
        max(np.linalg.norm(np.outer(f, x) + (f @ x - t) * np.eye(dim), 2) for x in vertices)
        for f, t in zip(first, target, strict=True)
    ]
    np.testing.assert_allclose(problem._mixed(first, target), expected, rtol=1e-12)


def test_where_the_mixed_blocks_decide_the_bound_of_delta_is_attained():
    """All second moments agree, and the server's targets differ: a vertex has the worst Jacobian.

    In the l2 ball the bound is larger.
    """
    rows = np.concatenate([np.eye(3), -np.eye(3)])
    rows = np.stack([rows, rows]).reshape(12, 3) + 0.0
    known = {"x_radius": 2.0, "y_radius": 1e-9, "penalty": 5.0, "seed": 3}
    problem = robust_linear_regression(rows, rows[:, 0] + 1.0, 2, x_norm="l1", **known)
    problem = dataclasses.replace(
        problem,
        second=jnp.broadcast_to(problem.second.mean(axis=0), (2, 3, 3)),
        first=jnp.array([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0]]),
    )
    vertices = 2.0 * np.concatenate([np.eye(3), -np.eye(3)])
    worst = max(
        problem.local_constants(np.concatenate([x, np.zeros(3)]))["delta"] for x in vertices
    )
    assert problem.constants["delta"].value == pytest.approx(worst, rel=1e-8)
    wider = dataclasses.replace(problem, x_norm="l2").constants["delta"].value
    assert wider > 1.1 * worst


def test_in_one_dimension_both_norms_are_one():
    rows, targets = _rows(20, 1)
    norms = [robust_linear_regression(rows, targets, 4, x_norm=name) for name in ("l1", "l2")]
    for name, constant in norms[0].constants.items():
        assert constant.value == pytest.approx(norms[1].constants[name].value, rel=1e-12)
    np.testing.assert_allclose(norms[0].solution, norms[1].solution, atol=1e-14)


@both
def test_the_solution_is_one_against_all_vertices(make):
    """The least <F(z*), z> over Z, in closed form, is that of z*; x* is on the sphere, sparse."""
    rows, labels = breast_cancer()
    problem = make(rows, labels, 8, x_norm="l1", x_radius=1.0)
    z = problem.solution
    assert problem.residual(z) < 1e-12
    x, y = np.split(z, 2)
    by_x, by_y = np.split(np.asarray(problem.operator(jnp.asarray(z))), 2)
    assert by_x @ x == pytest.approx(-np.abs(by_x).max(), abs=1e-11)
    inside = np.linalg.norm(y) < problem.y_radius * (1 - 1e-9)
    assert np.linalg.norm(by_y) < 1e-11 if inside else by_y @ y < 0
    assert np.abs(x).sum() == pytest.approx(1.0, rel=1e-12)
    assert 0 < np.count_nonzero(np.abs(x) > 1e-12) < 30


@pytest.mark.parametrize("x_norm", ["l1", "l2"])
def test_mean_moments_have_the_operator_and_the_solution_of_the_workers(x_norm):
    problem = robust_linear_regression(*_rows(), 5, x_norm=x_norm)
    z = jax.random.normal(jax.random.key(0), (6,))
    np.testing.assert_allclose(problem.operator(z), problem.operators(z).mean(axis=0), rtol=1e-12)
    apart = DistributedOperator.solution.func(problem)
    np.testing.assert_allclose(problem.solution, apart, atol=1e-13)


def test_the_norm_is_structure_and_not_data():
    """A function compiled for one ball is not run for the other."""
    problem = robust_linear_regression(*_rows(), 4, x_norm="l1")
    project = jax.jit(lambda problem, z: problem.project(z))
    z = jnp.arange(6.0)
    found = project(problem, z)
    assert jnp.abs(found[:3]).sum() == pytest.approx(2.0)
    other = project(dataclasses.replace(problem, x_norm="l2"), z)
    assert jnp.linalg.norm(other[:3]) == pytest.approx(2.0)
    np.testing.assert_allclose(other[3:], found[3:])
    assert robust_linear_regression(*_rows(), 4).x_norm == "l2"


@both
def test_attained_constants_come_close_to_the_norms_and_never_exceed_them(make):
    problem = make(*_rows(), 4, x_norm="l1")
    rng = np.random.default_rng(0)
    for _ in range(4):
        z = _point(problem, rng)
        above, below = problem.local_constants(z), problem.attained_constants(z)
        assert below.keys() == above.keys()
        for name, norm in above.items():
            if name == "mu":
                assert below[name] == pytest.approx(norm, abs=1e-12)
            else:
                assert 0.99 * norm <= below[name] <= norm * (1 + 1e-12), name


@both
@pytest.mark.parametrize("name", ["linf", None, 1])
def test_an_unknown_norm_is_named(make, name):
    with pytest.raises(ValueError, match=f"x_norm must be 'l1' or 'l2', got {name!r}"):
        make(*_rows(), 4, x_norm=name)
