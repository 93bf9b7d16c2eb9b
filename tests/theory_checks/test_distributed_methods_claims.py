"""The matrices of shipped methods, against formulas in NumPy; and what is computed from them."""

import itertools

import numpy as np
import pytest

from optzoo.compressors import SampledClients
from theory_checks.claims.distributed_methods import complexity, settings, side_by_side
from theory_checks.claims.distributed_methods.linear_maps import LinearSteps, linear_steps

N, D = 4, 4
IDENTITY, ZERO = np.eye(D), np.zeros((D, D))


def operators(setting):
    matrices = np.asarray(setting.problem.matrices)
    return matrices, matrices.mean(axis=0)


def perm_k(shift):
    """Which worker sends which coordinate, as diagonal matrices."""
    return [np.diag([float((j - shift) % N == i) for j in range(D)]) for i in range(N)]


def test_matrices_of_masha1():
    setting = settings.masha1("random", size=2.0)
    matrices, mean = operators(setting)
    gamma, p = setting.value("gamma"), setting.value("p")
    found = linear_steps(setting.run())
    np.testing.assert_allclose(found.coin, [1 - p, p])
    for side, m in enumerate((np.hstack([ZERO, IDENTITY]), np.hstack([IDENTITY, ZERO]))):
        z = np.hstack([IDENTITY, ZERO])
        u = (1 - p) * z + p * m - gamma * mean @ m
        for shift in range(N):
            owners = perm_k(shift)
            xi = sum(owners[i] @ matrices[i] for i in range(N)) @ (u - m)
            expected = np.vstack([u - gamma * xi, m])
            distances = np.abs(found.matrices[side] - expected).max(axis=(1, 2))
            assert distances.min() < 1e-13


def optimistic(setting, differences, following):
    """The matrices of an optimistic method, (side, draw) -> M, for weights of the messages."""
    p = setting.value("p")
    alpha = setting.numbers["optimism"]
    z, previous, w = (np.eye(3 * D)[j * D : (j + 1) * D] for j in range(3))
    for side, kept in enumerate((w, z)):

        def of(weights, kept=kept):
            a = [part @ (z - w) + alpha * part @ (z - previous) for part in differences]
            delta = differences.mean(axis=0) @ w
            delta = delta + sum(each @ one for each, one in zip(weights, a, strict=True))
            return np.vstack([following(z + p * (kept - z), delta), z, kept])

        yield side, of


def test_matrices_of_optimistic_masha():
    setting = settings.optimistic_masha("random", size=2.0)
    matrices, _ = operators(setting)
    gamma = setting.value("gamma")
    found = linear_steps(setting.run())
    for side, of in optimistic(setting, matrices, lambda v, delta: v - gamma * delta):
        for shift in range(N):
            distances = np.abs(found.matrices[side] - of(perm_k(shift))).max(axis=(1, 2))
            assert distances.min() < 1e-13


def test_second_moments_of_svogs_are_those_of_all_pairs_of_clients():
    setting = settings.svogs("spectrum", size=2.0)
    assert setting.compressor == SampledClients(2, N)
    matrices, _ = operators(setting)
    gamma, p = setting.value("gamma"), setting.value("p")
    solved = np.linalg.inv(matrices[0] + IDENTITY / gamma)
    expected = 0.0
    sides = optimistic(
        setting, matrices - matrices[0], lambda v, delta: solved @ (v / gamma - delta)
    )
    for side, of in sides:
        for pair in itertools.product(range(N), repeat=2):
            weights = [pair.count(i) / 2 * IDENTITY for i in range(N)]
            one = of(weights)
            expected = expected + (p if side else 1 - p) * np.kron(one, one) / N**2
    np.testing.assert_allclose(linear_steps(setting.run()).second_moments, expected, atol=1e-12)


def damped(factor):
    """One coordinate that shrinks by a factor."""
    return LinearSteps(np.full((1, 1, 1, 1), factor), np.ones(1), 1, 1)


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.9, 0.999])
def test_the_passage_is_the_first_step_below_the_level(factor):
    expected = next(k for k in itertools.count() if factor ** (2 * k) <= 0.01)
    assert damped(factor).passage(np.ones(1), 0.01) == expected


def test_a_run_that_diverges_is_followed_until_it_is_far_off():
    found = damped(3.0).distances(np.ones(1), np.array([1, 2, 1000, 5000]), (1.0,))
    np.testing.assert_allclose(found[:2], [9.0, 81.0])
    assert np.all(np.isfinite(found))
    assert found[2] > 1e15
    turning = LinearSteps(1.5 * np.array([[[[0.6, 0.8], [-0.8, 0.6]]]]), np.ones(1), 1, 2)
    saddle = LinearSteps(np.diag([1.5, 0.5])[None, None], np.ones(1), 1, 2)
    for steps in (damped(1.0), damped(1.5), turning, saddle):
        with pytest.raises(ValueError, match="not reached"):
            steps.passage(np.ones(steps.dim), 0.01)


def test_costs_count_what_a_step_sends():
    full = complexity.costs(settings.extragradient("zero"))
    assert (full.rounds, full.vectors, full.calls) == (2 * full.steps,) * 3
    optimistic = complexity.costs(settings.optimistic_masha("zero"))
    assert optimistic.calls == optimistic.steps == optimistic.rounds / 1.25
    pillars = complexity.costs(settings.three_pillars("zero"))
    assert pillars.rounds == pytest.approx(1.25 * pillars.steps)
    assert pillars.vectors == pytest.approx(0.5 * pillars.steps)
    assert np.isinf(pillars.calls)
    # More workers than coordinates: blocks are counted as shares, clients send whole vectors.
    for make, share in ((settings.three_pillars, 1 / 16), (settings.svogs, 4 / 16)):
        many = complexity.costs(make("two modes", n=16, mu=0.1, delta=1.0, size=2.0))
        p = 1 / 16 if share < 0.1 else 4 / 16
        assert many.vectors == pytest.approx((share + p) * many.steps)
    with_calls = complexity.costs(settings.three_pillars("zero"), local_steps=True)
    assert pillars.steps <= with_calls.steps <= 1.1 * pillars.steps
    assert with_calls.calls < 80 * with_calls.steps


def test_sliding_has_the_fewest_rounds_and_three_pillars_the_fewest_messages():
    found = {name: side_by_side.cost_at(name, 16, 100.0) for name in side_by_side.SHOWN}
    assert min(found, key=lambda name: found[name].rounds) == "sliding"
    assert min(found, key=lambda name: found[name].vectors) == "Three Pillars"
