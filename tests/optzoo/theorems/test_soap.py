"""What the page on SOAP and Shampoo computes, derived again."""

from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from optzoo.theorems import soap as page
from optzoo.theorems import theorems_of
from optzoo.theorems.soap import (
    S1,
    S3,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S13,
    Kronecker,
    MatrixNormal,
    Momentum,
    Regret,
    Soap,
    Turning,
)

GENERATOR = np.random.default_rng(0)
GRADIENTS = GENERATOR.standard_normal((9, 3, 2))


@pytest.mark.parametrize("power", [0.5, 0.25])
def test_the_step_of_s1_by_matrix_powers_of_each_side(power):
    """(L kron R)^-p vec(G) = L^-p G R^-p, and the trace is one more factor."""
    left = sum(g @ g.T for g in GRADIENTS) / 9
    right = sum(g.T @ g for g in GRADIENTS) / 9
    roots = [linalg.fractional_matrix_power(side, -power) for side in (left, right)]
    expected = np.trace(left) ** power * roots[0] @ GRADIENTS @ roots[1]
    np.testing.assert_allclose(S1.bound(Kronecker(power=power), GRADIENTS), expected, rtol=1e-9)
    plain = Kronecker(power=power, by_the_trace=False).step(GRADIENTS)
    np.testing.assert_allclose(plain, expected / np.trace(left) ** power, rtol=1e-9)


def test_the_iterates_of_s9_by_matrix_powers_of_each_side():
    """The momentum as a sum over the calls before, gradients that depend on the matrix."""

    def gradients(w):
        return GRADIENTS + 0.3 * w

    numbers, w, seen = Momentum(eta=0.1, beta_1=0.8), np.ones((3, 2)), []
    found = S9.bound(numbers, w, gradients, 4)
    for t in range(4):
        g = gradients(w)
        left, right = np.einsum("bij,bkj->ik", g, g) / 9, np.einsum("bij,bik->jk", g, g) / 9
        seen.append(g.mean(axis=0))
        average = sum(0.2 * 0.8 ** (t - j) * mean for j, mean in enumerate(seen))
        roots = [linalg.fractional_matrix_power(side, -0.5) for side in (left, right)]
        w = w - 0.1 * np.sqrt(np.trace(left)) * roots[0] @ average @ roots[1]
        np.testing.assert_allclose(found[t], w, rtol=1e-9)


@pytest.mark.parametrize("f", [1, 2, 5])
def test_the_stale_spectrum_by_power_steps(f):
    """diag(Q^T A Q) with Q the orthogonal factor of A Q every f calls."""
    place = Turning(theta=0.04, large=3.0, small=2.0, f=f)
    q, rows = np.eye(2), []
    for t in range(1, 31):
        cos, sin = np.cos(0.04 * t), np.sin(0.04 * t)
        turned = np.array([[cos, -sin], [sin, cos]])
        a = turned @ np.diag([3.0, 2.0]) @ turned.T
        rows.append(np.diag(q.T @ a @ q))
        if t % f == 0:
            q = np.linalg.qr(a @ q)[0]
    np.testing.assert_allclose(S10.bound(place, 30), rows, rtol=1e-12)


def test_the_error_of_the_stale_spectrum_is_least_with_f_1_and_grows():
    largest = [
        float(np.max(3.0 - Turning(theta=0.01, large=3.0, small=1.0, f=f).diagonal(100)[:, 0]))
        for f in (1, 2, 5, 10, 20)
    ]
    assert np.all(np.diff(largest) > 0)
    assert largest[0] >= 2.0 * np.sin(0.01) ** 2


def test_the_stale_spectrum_needs_a_basis_that_is_near():
    with pytest.raises(ValueError, match="S10 does not apply"):
        S10.bound(Turning(theta=0.1, large=3.0, small=1.0, f=20), 40)


NUMBERS = Soap(eta=0.1, beta_1=0.9, beta_2=0.8, s=0.7, epsilon=0.03, decay=0.2, f=2)


def adam(start, gradients):
    """From the second gradient on, epsilon beside the root that is not corrected, decay after."""
    w, path, m, v = start, [start], 0.0, 0.0
    for t, g in enumerate(gradients[1:], start=1):
        m, v = 0.9 * m + 0.1 * g, 0.8 * v + 0.2 * g**2
        corrected = m / (1 - 0.9**t) * np.sqrt(1 - 0.8**t)
        w = (w - 0.1 * corrected / (np.sqrt(v) + 0.03)) * (1 - 0.1 * 0.2)
        path.append(w)
    return np.stack(path)


def test_the_loop_without_bases_is_adam():
    start = GENERATOR.standard_normal((3, 2))
    found = S6.bound(NUMBERS, start, GRADIENTS)
    np.testing.assert_allclose(found, adam(start, GRADIENTS), rtol=1e-12)


def test_the_loop_on_multiples_of_one_matrix_is_adam_on_its_singular_values():
    """Bases that never change: singular vectors, the same for all gradients."""
    left, right = (np.linalg.qr(GENERATOR.standard_normal((2, 2)))[0] for _ in range(2))
    scales = 1 + GENERATOR.random(9)[:, None] * [1.0, 0.5]
    scales[:, 1] /= 4  # in descending order on every call
    gradients = np.einsum("ia,ta,ja->tij", left, scales, right)
    start = left @ np.diag([0.3, -0.2]) @ right.T
    found = S6.bound(NUMBERS, start, gradients, (0, 1))
    rotated = np.einsum("ia,tij,jb->tab", left, found, right)
    diagonal = adam(np.array([0.3, -0.2]), scales)
    np.testing.assert_allclose(np.diagonal(rotated, axis1=1, axis2=2), diagonal, rtol=1e-9)
    np.testing.assert_allclose(rotated[:, 0, 1], 0, atol=1e-12)


def test_the_loop_refreshes_on_its_calls_alone():
    """The first refresh, at call f, is seen by the step of the call after."""
    start = np.zeros((3, 2))

    def first_difference(f):
        one, other = (
            Soap(**(vars(NUMBERS) | {"f": at})).iterates(start, GRADIENTS, (0, 1))
            for at in (f, 100)
        )
        return int(np.argmax(np.abs(one - other).max(axis=(1, 2)) > 1e-9))

    assert [first_difference(f) for f in (1, 2, 5)] == [2, 3, 6]


def test_regret_bound_of_one_gradient():
    """G = 3 u v^T: the traces are (9 + eps)^(1/4) and, in the other directions, eps^(1/4)."""
    g = np.zeros((1, 2, 3))
    g[0, 1, 2] = 3.0
    big, small = (9 + 1e-4) ** 0.25, 0.1
    traces = (big + small) * (big + 2 * small)
    place = Regret(D=2.0, eta=0.5, r=1, epsilon=1e-4)
    np.testing.assert_allclose(S8.bound(place, g), (4 / (2 * 0.5) + 0.5) * traces, rtol=1e-12)
    prescribed = Regret(D=2.0, eta=2 / np.sqrt(6), r=3, epsilon=1e-4)
    np.testing.assert_allclose(S7.bound(prescribed, g), np.sqrt(6) * 2 * traces, rtol=1e-12)
    np.testing.assert_allclose(S8.bound(prescribed, g), S7.bound(prescribed, g), rtol=1e-12)
    with pytest.raises(ValueError, match="S7 does not apply"):
        S7.bound(place, g)


def test_constants_weaken_the_regret_as_they_say():
    place = {"D": 2.0, "r": 1, "eta": 0.5, "epsilon": 0.0}
    for name, direction in Regret.directions().items():
        assert direction == "up"
        weaker = Regret(**(place | {name: 2 * place[name]}))
        assert weaker.any_step(GRADIENTS) > Regret(**place).any_step(GRADIENTS)


def test_likeliest_factors_of_s11_by_the_gradient_of_the_likelihood():
    """Twice the negative likelihood has no slope in one factor where it is its equation's side."""
    rng = np.random.default_rng(1)
    left, right = (np.eye(d) + 0.3 * np.ones((d, d)) for d in (3, 2))
    sides = S11.bound(MatrixNormal(), GRADIENTS, left, right)

    def loss(one, other):
        fit = [np.trace(np.linalg.solve(one, g) @ np.linalg.solve(other, g.T)) for g in GRADIENTS]
        logs = 2 * np.linalg.slogdet(one)[1] + 3 * np.linalg.slogdet(other)[1]
        return np.mean(fit) + logs

    for of, at in (
        (lambda x: loss(x, right), sides["S_a"]),
        (lambda x: loss(left, x), sides["S_b"]),
    ):
        direction = rng.standard_normal(at.shape)
        direction = 1e-5 * (direction + direction.T)
        slope = (of(at + direction) - of(at - direction)) / 2e-5
        assert abs(slope) < 1e-6
        assert of(at + 100 * direction) > of(at), "a minimum"


def test_the_covariance_of_s13_is_that_of_the_design():
    """E[vec(G) vec(G)^T] of A^(1/2) E B^(1/2) over the design, rows first."""
    rng = np.random.default_rng(2)
    roots = [np.tril(rng.standard_normal((d, d))) for d in (3, 2)]
    design = np.sqrt(6) * np.eye(6).reshape(6, 3, 2)
    g = (roots[0] @ design @ roots[1].T).reshape(6, 6)
    a, b = (root @ root.T for root in roots)
    for c in (1.0, 7.0):
        np.testing.assert_allclose(S13.bound(MatrixNormal(c=c), a, b), g.T @ g / 6, atol=1e-12)


@pytest.mark.parametrize(("theorem", "condition"), [(S3, "no decay"), (S5, "epsilon = 0")])
def test_a_violated_condition_is_refused(theorem, condition):
    with pytest.raises(ValueError, match=condition):
        theorem.require(NUMBERS)


DERIVATIONS = Path(__file__).parents[3] / "docs" / "theory" / "soap.md"


def test_labels_are_unique_and_each_has_its_derivation():
    labels = [theorem.label for theorem in theorems_of(vars(page))]
    assert labels == [f"S{number}" for number in range(1, 14)]
    headings = [
        line for line in DERIVATIONS.read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    ]
    assert all(any(line.startswith(f"## {label}.") for line in headings) for label in labels)
