"""Operators split over workers: their constants, their solutions, and the figures of the sheet."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, PartitionSpec

from optzoo.problems import (
    AffineOperators,
    CertificateError,
    Constant,
    MintyOperators,
    RobustLinearRegression,
    bilinear_saddle,
    breast_cancer,
    hard_saddle,
    locked_tail,
    minty_operators,
    robust_linear_regression,
    robust_logistic_regression,
    saturated_saddle,
)
from optzoo.problems.distributed.distributed_operator import spectral_constants


def _rows(number=40, dim=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((number, dim))
    return rows, np.sign(rows @ rng.standard_normal(dim) + 0.1)


def _problems():
    saddle = {"strong_monotonicity": 0.2, "similarity": 1.5}
    couplings = ("zero", "adversarial", "overshooting", "plus", "random", "spectrum")
    found = {name: bilinear_saddle(4, 3, coupling=name, size=4.0, **saddle) for name in couplings}
    return found | {
        "ball": bilinear_saddle(4, 3, coupling="random", size=2.0, radius=0.7, **saddle),
        "saturated": saturated_saddle(found["spectrum"], 1.5),
        "minty": minty_operators(4, 3, similarity=0.5, size=2.0),
        "hard": hard_saddle(5, 6, strong_monotonicity=0.2, similarity=2.0),
        "linear": robust_linear_regression(*_rows(), 4),
        "logistic": robust_logistic_regression(*_rows(), 4),
    }


PROBLEMS = _problems()
each = pytest.mark.parametrize("name", PROBLEMS)


@each
def test_every_problem_certifies(name):
    PROBLEMS[name].certify()


@pytest.mark.parametrize("name", ["spectrum", "saturated", "minty", "hard", "linear", "logistic"])
@pytest.mark.parametrize("constant", ["L_av", "delta", "delta_1", "mu"])
def test_certify_refuses_a_constant_that_promises_too_much(name, constant):
    problem = PROBLEMS[name]
    stated = problem.constants
    if constant not in stated:
        return
    held = stated[constant]
    wrong = held.value - held.width - 0.01 if constant != "mu" else held.value + held.width + 0.01
    if wrong < 0:  # nothing is known from below
        return
    copy = dataclasses.replace(problem)
    copy.__dict__["constants"] = stated | {constant: Constant(wrong, "certified")}
    copy.__dict__["solution"] = problem.solution
    with pytest.raises(CertificateError, match=constant):
        copy.certify()


@pytest.mark.parametrize("name", ["spectrum", "saturated", "linear", "logistic"])
def test_workers_are_the_same_under_vmap_and_shard_map(name):
    """The data have a leading axis of workers that can lie on as many devices."""
    problem = PROBLEMS[name]
    n = problem.num_workers
    z = jnp.asarray(problem.solution) + 0.1
    mesh = Mesh(np.array(jax.devices()[:n]), ("workers",))

    def mine(problem, workers, z):
        one = jax.tree.map(lambda rows: rows[0], workers)
        value = problem.worker_operator(one, z)
        return value[None], jax.lax.pmean(value, "workers")

    rows = PartitionSpec("workers")
    both = jax.shard_map(
        mine,
        mesh=mesh,
        in_specs=(PartitionSpec(), rows, PartitionSpec()),
        out_specs=(rows, PartitionSpec()),
    )
    values, mean = jax.jit(both)(problem, problem.workers, z)
    np.testing.assert_allclose(values, problem.operators(z), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(mean, problem.operator(z), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(values[0], problem.server_operator(z), rtol=1e-13, atol=1e-13)


@settings(deadline=None, max_examples=25)
@given(
    half=st.integers(1, 4),
    half_dim=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    mu=st.floats(0.01, 2.0),
    delta=st.floats(0.1, 10.0),
    coupling=st.sampled_from(["zero", "adversarial", "overshooting", "plus", "random", "spectrum"]),
)
def test_bilinear_saddles_are_isometric(half, half_dim, seed, mu, delta, coupling):
    """Every F_i - F moves points by delta times their distance, and mu is an equality."""
    problem = bilinear_saddle(
        2 * half,
        half_dim,
        strong_monotonicity=mu,
        similarity=delta,
        coupling=coupling,
        size=3.0,
        seed=seed,
    )
    matrices = np.asarray(problem.matrices)
    apart = matrices - matrices.mean(axis=0)
    identity = np.broadcast_to(np.eye(problem.dim), apart.shape)
    np.testing.assert_allclose(
        np.swapaxes(apart, 1, 2) @ apart, delta**2 * identity, atol=1e-12 * delta**2
    )
    mean = matrices.mean(axis=0)
    np.testing.assert_allclose((mean + mean.T) / 2, mu * identity[0], atol=1e-12 * (mu + delta))
    np.testing.assert_allclose(matrices.mean(axis=0) @ problem.solution, -problem.offsets.mean(0))
    assert np.linalg.norm(problem.solution) == pytest.approx(1)


def test_the_adversarial_server_sees_no_rotation():
    np.testing.assert_allclose(PROBLEMS["adversarial"].matrices[0], 0.2 * np.eye(6), atol=1e-14)
    assert PROBLEMS["plus"].constants["L_1"].value == pytest.approx(np.hypot(0.2, 3.0))
    assert PROBLEMS["overshooting"].constants["L_1"].value == pytest.approx(np.hypot(0.2, 1.5))


def test_the_solution_in_a_ball_lies_on_its_boundary():
    problem = PROBLEMS["ball"]
    z = problem.solution
    assert np.linalg.norm(z) == pytest.approx(0.7, rel=1e-12)
    value = np.asarray(problem.operator(jnp.asarray(z)))
    # F(z*) points to -z*, with a multiplier that matters.
    np.testing.assert_allclose(value, -np.linalg.norm(value) / 0.7 * z, atol=1e-12)
    assert np.linalg.norm(value) > 0.1
    assert problem.solution_width < 1e-10


def test_minty_operators_are_not_monotone():
    problem = minty_operators(4, 3, similarity=0.5, size=2.0)
    moduli = [
        spectral_constants(problem.jacobians(length * np.eye(6)[0]))["mu"]
        for length in (0.5, 1.0, 2.0)
    ]
    assert min(moduli) < -0.1
    assert min(moduli) >= problem.server_monotonicity
    z = jax.random.normal(jax.random.key(0), (6,))
    assert abs(float(z @ problem.operator(z))) < 1e-13


@pytest.mark.parametrize(
    ("n", "largest", "server", "average"),
    [(4, 0.55, 0.25, 0.43), (8, 0.88, 0.18, 0.47), (16, 1.33, 0.125, 0.48), (32, 1.94, 0.09, 0.49)],
)
def test_hard_saddle_is_similar_only_on_average(n, largest, server, average):
    problem = hard_saddle(n, 40, strong_monotonicity=0.1, similarity=4.0)
    found = {name: problem.constants[name].value / 4.0 for name in ("delta", "delta_1", "delta_av")}
    assert found["delta"] == pytest.approx(largest, abs=0.006)
    assert found["delta_1"] == pytest.approx(server, abs=0.006)
    assert found["delta_av"] == pytest.approx(average, abs=0.01)
    y = problem.solution[40:]
    assert np.all(np.abs(y[1:]) < np.abs(y[:-1]))


def test_hard_saddle_hides_its_coordinates():
    """From a point with y_1, ..., y_j, only the worker with link j leads to y_{j+1}."""
    n, m = 5, 8
    problem = hard_saddle(n, m, strong_monotonicity=0.2, similarity=2.0)
    for j in range(1, m):
        z = jnp.zeros(2 * m).at[m : m + j].set(1.0 + jnp.arange(j)).at[: j - 1].set(1.0)
        once = np.asarray(problem.operators(z))
        movers = [i for i in range(n) if abs(once[i, j - 1] - 0.2 * float(z[j - 1])) > 1e-12]
        assert 1 + (j - 1) % (n - 1) in movers
        assert np.all(np.abs(once[:, m + j :]) < 1e-13)


def test_locked_tail_is_convex_and_the_distance_to_shorter_points():
    problem = hard_saddle(5, 8, strong_monotonicity=0.2, similarity=2.0)
    y = problem.solution[8:]
    tail = locked_tail(problem, np.arange(9.0))
    for j in range(9):
        assert tail[j] == pytest.approx(np.sum(y[j:] ** 2), abs=1e-14)
    assert np.all(np.diff(tail, 2) > 0)
    assert locked_tail(problem, 0.5) == pytest.approx((tail[0] + tail[1]) / 2)


def _jacobian_by_rows(problem, z, rows, targets, worker):
    """F_i by automatic differentiation of the loss itself."""
    lam, beta = problem.regularization, problem.penalty
    logistic = not isinstance(problem, RobustLinearRegression)

    def loss(x, y):
        inner = (rows + y[None]) @ x
        value = jnp.log1p(jnp.exp(-targets * inner)) if logistic else (inner - targets) ** 2 / 2
        return jnp.mean(value) + lam / 2 * jnp.vdot(x, x) - beta / 2 * jnp.vdot(y, y)

    x, y = jnp.split(z, 2)
    return jnp.concatenate([jax.grad(loss, 0)(x, y), -jax.grad(loss, 1)(x, y)])


@pytest.mark.parametrize("make", [robust_linear_regression, robust_logistic_regression])
def test_robust_regression_is_the_gradient_of_its_loss(make):
    rows, targets = _rows(22)
    problem = make(rows, targets, 4)
    order = np.random.default_rng(0).permutation(22)
    z = 0.3 * jax.random.normal(jax.random.key(1), (6,))
    values = problem.operators(z)
    for i, part in enumerate(np.array_split(order, 4)):
        expected = _jacobian_by_rows(
            problem, z, jnp.asarray(rows[part]), jnp.asarray(targets[part]), i
        )
        np.testing.assert_allclose(values[i], expected, rtol=1e-12, atol=1e-13)


def test_similarity_counts_the_adversary():
    """In one dimension with a strong adversary the bound of delta is nearly attained."""
    rows = np.random.default_rng(0).uniform(0, 1, (24, 1))
    problem = robust_linear_regression(rows, np.zeros(24), 4, x_radius=1e-3, y_radius=50.0)
    problem.certify()
    found = problem.constants["delta"]
    assert found.width < 0.1 * found.value


def test_similarity_of_breast_cancer_falls_like_the_root_of_the_sample():
    """delta_av at a point, over how many rows a worker has: exponent -1/2, without replacement."""
    rows, labels = breast_cancer()
    workers = (2, 8, 32)
    z = np.full(60, 0.05)
    found = []
    for n in workers:
        each_seed = [
            robust_linear_regression(rows, labels, n, seed=seed).local_constants(z)["delta_av"] ** 2
            for seed in range(4)
        ]
        found.append(np.sqrt(np.mean(each_seed)))
    # Splitting N rows into n parts leaves (n - 1) / (N - 1) of their variance between parts.
    slope = np.polyfit(np.log([n - 1 for n in workers]), np.log(found), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bilinear_saddle(3, 2, strong_monotonicity=0.1, similarity=1.0), "num_workers"),
        (lambda: bilinear_saddle(4, 2, strong_monotonicity=0.1, similarity=0.0), "similarity"),
        (
            lambda: bilinear_saddle(4, 2, strong_monotonicity=0.1, similarity=1.0, coupling="none"),
            "coupling must be one of",
        ),
        (lambda: hard_saddle(2, 2, strong_monotonicity=0.1, similarity=1.0), "at least 3"),
        (lambda: AffineOperators(jnp.ones((2, 3, 2)), jnp.ones((2, 3))), "matrices must have"),
        (lambda: AffineOperators(jnp.ones((2, 3, 3)), jnp.ones((3, 3))), "offsets must have"),
        (
            lambda: AffineOperators(jnp.ones((2, 3, 3)), jnp.ones((2, 3)), radius=0.0),
            "radius must be",
        ),
        (lambda: MintyOperators(jnp.eye(2), jnp.zeros((2, 2, 2))), "skew must be"),
        (
            lambda: MintyOperators(jnp.zeros((2, 2)), jnp.array([[[0.0, 1.0], [-1.0, 0.0]]])),
            "add up to zero",
        ),
        (lambda: robust_linear_regression(*_rows(3), 4), "at most the number of rows, 3"),
        (lambda: robust_linear_regression(_rows()[0], np.ones(3), 4), "targets"),
        (lambda: robust_linear_regression(*_rows(), 4, penalty=0.1), "penalty"),
        (lambda: robust_logistic_regression(_rows()[0], np.ones(40) * 2, 4), "labels"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
