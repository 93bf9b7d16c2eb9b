"""The recursion of second moments against a plain statement of the method, every outcome."""

import itertools

import numpy as np
import pytest

from optzoo.problems import CompressedMoments, Messages, bilinear_saddle, hard_saddle

GAMMA, TAU, P = 0.3, 0.25, 0.2


def _outcomes(scheme, number, n, d):
    """All equally likely compressors, each as (n, d) factors of the coordinates."""
    size = d // n
    if scheme == "none":
        return [np.ones((n, d))]
    if scheme == "clients":
        found = []
        for draw in itertools.product(range(n), repeat=number):
            factors = np.zeros((n, d))
            for i in draw:
                factors[i] += n / number
            found.append(factors)
        return found
    if scheme in ("permuted_blocks", "rotated_blocks"):
        blocks = np.repeat(np.arange(n), size)
        if scheme == "rotated_blocks":
            owners = [(blocks + shift) % n for shift in range(n)]
        else:
            owners = [np.array(order) for order in set(itertools.permutations(blocks.tolist()))]
        return [n * (owner[None] == np.arange(n)[:, None]) for owner in owners]
    subsets = list(itertools.combinations(range(d), number))
    one = [np.isin(np.arange(d), subset) * d / number for subset in subsets]
    return [np.stack(each) for each in itertools.product(one, repeat=n)]


def _by_enumeration(problem, messages, z, m):
    """E w w' after a step from (z, m), by the method's formulas."""
    matrices, d = np.asarray(problem.matrices), problem.dim
    offsets = np.asarray(problem.offsets)
    n = len(matrices)

    def operators(point):
        return matrices @ point + offsets

    mean = operators(m).mean(axis=0)
    shift = mean - operators(m)[0]
    centre = z + TAU * (m - z)
    u = np.linalg.solve(matrices[0] + np.eye(d) / GAMMA, centre / GAMMA - shift - offsets[0])
    raw = operators(m) - operators(u)
    star = problem.solution
    found = np.zeros((2 * d, 2 * d))
    outcomes = _outcomes(messages.scheme.replace("raw_", ""), messages.number, n, d)
    for factors in outcomes:
        if messages.scheme == "raw_coordinates":
            xi = (factors * raw).mean(axis=0) - raw[0]
        else:
            xi = (factors * (raw - raw[0])).mean(axis=0)
        for reference, weight in ((z, P), (m, 1 - P)):
            w = np.concatenate([u + GAMMA * xi - star, reference - star])
            found += weight / len(outcomes) * np.outer(w, w)
    return found


SCHEMES = [
    ("none", 1, 4, 4),
    ("clients", 1, 4, 2),
    ("clients", 3, 4, 2),
    ("permuted_blocks", 1, 4, 4),
    ("permuted_blocks", 1, 2, 6),
    ("rotated_blocks", 1, 4, 8),
    ("coordinates", 1, 4, 4),
    ("coordinates", 3, 2, 6),
    ("raw_coordinates", 1, 4, 4),
]


@pytest.mark.parametrize(("scheme", "number", "n", "d"), SCHEMES)
def test_step_against_enumeration(scheme, number, n, d):
    problem = bilinear_saddle(
        n, d // 2, strong_monotonicity=0.5, similarity=1.0, coupling="random", size=2.0, seed=3
    )
    messages = Messages(scheme, number)
    moments = CompressedMoments(problem, GAMMA, TAU, P, messages)
    rng = np.random.default_rng(1)
    z, m = rng.standard_normal((2, d))
    expected = _by_enumeration(problem, messages, z, m)
    w = np.concatenate([z - problem.solution, m - problem.solution])
    np.testing.assert_allclose(moments.step(np.outer(w, w)), expected, atol=1e-13)
    assert w @ moments.form() @ w == pytest.approx(np.trace(expected), rel=1e-12)


def test_one_step_factor_is_attained_and_an_upper_bound():
    problem = hard_saddle(4, 4, strong_monotonicity=0.3, similarity=2.0)
    moments = CompressedMoments(problem, 0.2, 0.25, 0.25, Messages("clients", 1))
    factor, worst = moments.one_step_factor()
    after = moments.potential(moments.step(np.outer(worst, worst)))
    assert after == pytest.approx(factor, rel=1e-12)
    for w in np.random.default_rng(0).standard_normal((20, 16)):
        after = moments.potential(moments.step(np.outer(w, w)))
        assert after <= factor * (w @ w) * (1 + 1e-12)


def test_rate_is_what_long_runs_show():
    problem = bilinear_saddle(4, 1, strong_monotonicity=0.5, similarity=2.0)
    moments = CompressedMoments(problem, 0.1, 0.25, 0.25, Messages("clients", 1))
    before, after = moments.run(moments.start(np.array([1.0, 0.5])), (4000, 4001))
    ratio = moments.potential(after) / moments.potential(before)
    assert moments.rate() == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "measured", "bound"),
    [(4, 1282, 1288), (8, 1814, 1826), (16, 2566, 2592), (32, 3633, 3684)],
)
def test_the_law_on_the_zero_instance(n, measured, bound):
    """1/(1 - rate) at delta/mu = 320, beside the bound 2n + 2 sqrt(n) delta/mu."""
    delta, mu = 320.0, 1.0
    problem = bilinear_saddle(n, 1, strong_monotonicity=mu, similarity=delta)
    gamma = np.sqrt(1 / n) / (2 * delta)
    moments = CompressedMoments(problem, gamma, 1 / n, 1 / n, Messages("clients", 1))
    found = 1 / (1 - moments.rate())
    assert found == pytest.approx(measured, abs=1)
    assert 2 * n + 2 * np.sqrt(n) * delta / mu == pytest.approx(bound, abs=1)
    assert found <= 2 * n + 2 * np.sqrt(n) * delta / mu


def test_operator_at_the_sub_problem():
    problem = bilinear_saddle(2, 2, strong_monotonicity=0.4, similarity=1.0, coupling="plus")
    moments = CompressedMoments(problem, GAMMA, TAU, P, Messages("none"))
    z, m = np.random.default_rng(2).standard_normal((2, 4))
    matrices, offsets = np.asarray(problem.matrices), np.asarray(problem.offsets)
    mean, drift = matrices.mean(axis=0), offsets.mean(axis=0)
    shift = (mean - matrices[0]) @ m + drift
    u = np.linalg.solve(matrices[0] + np.eye(4) / GAMMA, (z + TAU * (m - z)) / GAMMA - shift)
    w = np.concatenate([z - problem.solution, m - problem.solution])
    value = np.linalg.norm(mean @ u + drift) ** 2
    assert moments.mean_square_operator(np.outer(w, w)) == pytest.approx(value, rel=1e-12)


def test_constrained_problems_are_refused():
    problem = bilinear_saddle(2, 2, strong_monotonicity=0.4, similarity=1.0, radius=1.0)
    with pytest.raises(ValueError, match="unconstrained"):
        CompressedMoments(problem, GAMMA, TAU, P, Messages("none"))


def test_what_is_read_off_the_moments_along_a_run():
    """Without chance, all sent and the reference renewed, the moments are those of one path."""
    problem = bilinear_saddle(4, 1, strong_monotonicity=0.5, similarity=2.0)
    moments = CompressedMoments(problem, 0.1, 0.25, 1.0, Messages("none"))
    F = np.asarray(problem.matrices).mean(axis=0)
    w, found = np.array([1.0, 0.5, 1.0, 0.5]), []
    second = moments.start(w[:2])
    assert moments.distance(second) == pytest.approx(1.25)
    for _ in range(5):
        # z^{k+1} = u + gamma (F(m) - F_1(m) - F(u) + F_1(u)), and gamma F_1(u) = z-bar - u + ...
        tau, gamma, first = 0.25, 0.1, np.asarray(problem.matrices)[0]
        away = F - first
        right = (1 - tau) * w[:2] + tau * w[2:] - gamma * away @ w[2:]
        u = np.linalg.solve(np.eye(2) + gamma * first, right)
        found.append(np.sum((F @ u) ** 2))
        w = np.concatenate([u + gamma * away @ (w[2:] - u), w[:2]])
    means = moments.mean_square_operators(second, (1, 3, 5))
    np.testing.assert_allclose(means, [np.mean(found[:k]) for k in (1, 3, 5)], rtol=1e-12)
    (after,) = moments.run(second, (5,))
    assert moments.distance(after) == pytest.approx(w[:2] @ w[:2], rel=1e-12)
