"""Distances W2 against linear programs, closed forms and independent integrals."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg, optimize

from optzoo.problems import (
    Atoms,
    Bracket,
    Gaussian,
    Histogram,
    LogNormal,
    bures,
    discrete_wasserstein,
    empirical,
    sampling_floor,
    sliced,
    wasserstein,
)


def _transport(x, p, y, q):
    """W2^2 by the linear program over couplings; x and y of shapes (n, d) and (m, d)."""
    cost = ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    found = optimize.linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([p, q])
    )
    return found.fun


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_atoms_against_the_linear_program(n, m, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=m)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    exact = _transport(x[:, None], p, y[:, None], q)
    assert wasserstein(Atoms(x, p), Atoms(y, q)) ** 2 == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("law", [Gaussian(0.3, 1.7), LogNormal(-0.2, 0.6)])
def test_atoms_against_a_density_by_quadrature(law):
    atoms = Atoms([-1.0, 0.4, 2.5], [0.2, 0.5, 0.3])
    ends = np.cumsum([0.0, 0.2, 0.5, 0.3])
    squared = sum(
        integrate.quad(lambda u, x=x: (x - law.quantile(u)) ** 2, low, high, limit=200)[0]
        for x, low, high in zip(atoms.points, ends[:-1], ends[1:], strict=True)
    )
    assert wasserstein(atoms, law) ** 2 == pytest.approx(squared, rel=1e-6)
    assert wasserstein(law, atoms) == wasserstein(atoms, law)


def test_histograms_by_quadrature_and_against_atoms():
    first = Histogram([0.0, 1.0, 3.0], [0.25, 0.75])
    second = Histogram([-1.0, 0.5, 0.6, 2.0], [0.5, 0.1, 0.4])

    def quantile(law, u):
        return np.interp(u, np.concatenate([[0.0], np.cumsum(law.masses)]), law.edges)

    u = (np.arange(200_000) + 0.5) / 200_000
    squared = np.mean((quantile(first, u) - quantile(second, u)) ** 2)
    assert wasserstein(first, second) ** 2 == pytest.approx(squared, rel=1e-7)
    point = Atoms([2.0], [1.0])
    assert wasserstein(first, point) ** 2 == pytest.approx(first.variance + (first.mean - 2.0) ** 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Gaussian(0.0, 1.0), Gaussian(0.5, 2.0)),
        (LogNormal(0.0, 0.5), LogNormal(0.2, 0.7)),
    ],
)
def test_analytic_pairs_agree_with_their_histograms(first, second):
    low, high = (-15.0, 15.0) if isinstance(first, Gaussian) else (1e-4, 60.0)
    edges = np.linspace(low, high, 20_001)
    exact = wasserstein(first, second)
    assert wasserstein(first.histogram(edges), second.histogram(edges)) == pytest.approx(
        exact, rel=1e-4
    )
    assert wasserstein(first, first) == pytest.approx(0.0, abs=1e-7)


def test_a_gaussian_far_from_zero_costs_no_digits():
    coin = Atoms([1e6 - 1.0, 1e6 + 1.0], [0.5, 0.5])
    near = wasserstein(Atoms([-1.0, 1.0], [0.5, 0.5]), Gaussian(0.0, 1.0))
    assert wasserstein(coin, Gaussian(1e6, 1.0)) == pytest.approx(near, rel=1e-9)


def test_rounding_is_no_mass_for_a_piece_far_out():
    near = Atoms(np.linspace(-2.0, 2.0, 999), np.full(999, 1 / 999))
    with_far = Atoms(np.append(near.points, 1e12), np.append(near.weights, 1e-40))
    for law in (Gaussian(0.0, 1.0), LogNormal(0.0, 1.0), near):
        assert wasserstein(with_far, law) == pytest.approx(wasserstein(near, law), abs=1e-7)


def test_what_cannot_be_compared_is_named():
    with pytest.raises(TypeError, match="Histogram and Gaussian"):
        wasserstein(Histogram([0.0, 1.0], [1.0]), Gaussian(0.0, 1.0))
    with pytest.raises(TypeError, match="Gaussian and LogNormal"):
        wasserstein(Gaussian(0.0, 1.0), LogNormal(0.0, 1.0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Atoms([1.0, 2.0], [1.0]), "one shape"),
        (lambda: Atoms([1.0, np.inf], [0.5, 0.5]), "points must be"),
        (lambda: Atoms([1.0, 2.0], [1.5, -0.5]), "weights must be non-negative"),
        (lambda: Histogram([0.0, 0.0, 1.0], [0.5, 0.5]), "edges must increase"),
        (lambda: Gaussian(0.0, -1.0), "deviation must be"),
        (lambda: Gaussian(0.0, 0.0).histogram([0.0, 1.0]), "point mass"),
        (lambda: LogNormal(0.0, 0.0), "log_deviation must be"),
        (lambda: empirical([]), "samples must be"),
        (lambda: Bracket(2.0, 1.0), "lower must be at most"),
        (lambda: sampling_floor(2), "at least 3"),
        (lambda: sliced(np.zeros((2, 1)), np.zeros((2, 2))), "one dimension"),
        (lambda: discrete_wasserstein(np.zeros(2), np.zeros(2)), "shape"),
        (lambda: discrete_wasserstein(*np.zeros((2, 2, 1)), weights=[1, -1]), "non-negative"),
        (lambda: discrete_wasserstein(*np.zeros((2, 2, 1)), weights=[1, 1, 1]), "one shape"),
        (lambda: bures(np.zeros(2), np.ones((2, 3)), np.zeros(2), np.eye(2)), "covariance must"),
        (lambda: bures(np.zeros(2), [[1, 1], [0, 1]], np.zeros(2), np.eye(2)), "symmetric"),
        (lambda: bures(np.zeros(1), [[-1.0]], np.zeros(1), [[1.0]]), "semidefinite"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_bures_against_matrix_square_roots_and_a_coupling():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3))
    first, second = (root @ root.T for root in roots)
    half = linalg.sqrtm(first)
    squared = np.trace(first + second - 2 * linalg.sqrtm(half @ second @ half).real)
    mean = rng.normal(size=3)
    found = bures(np.zeros(3), first, mean, second)
    assert found**2 == pytest.approx(squared + mean @ mean, rel=1e-9)
    assert found**2 <= np.sum((roots[0] - roots[1]) ** 2) + mean @ mean  # one coupling of all
    singular = np.diag([1.0, 0.0])
    assert bures(np.zeros(2), singular, np.zeros(2), singular[::-1, ::-1]) == pytest.approx(2**0.5)


@pytest.mark.parametrize(("n", "m"), [(9, 7), (1, 5), (30, 30)])
def test_discrete_laws_against_the_linear_program_with_a_certificate(n, m):
    rng = np.random.default_rng(1)
    x, y = 0.1 * rng.normal(size=(n, 2)), 1.0 + 0.2 * rng.normal(size=(m, 2))
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    equal = np.full(n, 1 / n), np.full(m, 1 / m)
    for masses, weights in (((p, q), (p, q)), ((3 * p, q), (p, q)), ((None, None), equal)):
        ends = discrete_wasserstein(x, y, weights=masses[0], other_weights=masses[1])
        exact = np.sqrt(_transport(x, weights[0], y, weights[1]))
        assert ends.lower <= exact * (1 + 1e-9) <= ends.upper * (1 + 2e-9)
        assert ends.width <= 1e-12 * exact


def test_discrete_laws_on_the_line_and_points_without_mass():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=40), rng.normal(size=50) ** 2
    p = rng.dirichlet(np.ones(40)) * (rng.random(40) < 0.7)
    exact = wasserstein(Atoms(x, p), empirical(y))
    ends = discrete_wasserstein(x[:, None], y[:, None], weights=p)
    np.testing.assert_allclose([ends.lower, ends.upper], exact, rtol=1e-12)
    far = discrete_wasserstein(x[:, None] + 1e6, x[:, None] + 1e6 + 1, weights=p, other_weights=p)
    np.testing.assert_allclose([far.lower, far.upper], 1.0, rtol=1e-9)
    assert discrete_wasserstein(x[:, None], x[:, None]).upper <= 1e-7


def test_without_its_solver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ModuleNotFoundError, match=r"optzoo\[checks\]"):
        discrete_wasserstein(np.zeros((1, 1)), np.ones((1, 1)))


def test_sliced_stays_below_and_is_exact_for_shifts():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(9, 2)), 1.0 + 2 * rng.normal(size=(7, 2))
    exact = _transport(x, np.full(9, 1 / 9), y, np.full(7, 1 / 7))
    found = sliced(x, y, directions=400)
    assert 0.5 * exact / 2 < found**2 < 1.1 * exact / 2
    shifted = sliced(x, x + np.array([3.0, 4.0]), directions=4000)
    assert shifted**2 == pytest.approx(25 / 2, rel=0.05)


def test_samples_cannot_resolve_what_lies_below_the_floor():
    rng = np.random.default_rng(3)
    for count in (100, 3000):
        squares = [
            wasserstein(empirical(2 * rng.normal(size=count)), Gaussian(0.0, 2.0)) ** 2
            for _ in range(50)
        ]
        ratio = np.sqrt(np.mean(squares)) / sampling_floor(count, 2.0)
        assert 1 / 1.5 < ratio < 1.5
