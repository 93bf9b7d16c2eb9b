"""Exact moments against the enumeration of all paths, and the laws of the estimator's theory."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    MarkovChain,
    centred_values,
    lazy_resample,
    level_weights,
    multilevel_moments,
    one_way_lazy_ring,
    plain_batch_moments,
    symmetric_lazy_ring,
    two_state_switch,
    weighted_sum_moments,
)

SKEWED = MarkovChain([[0.2, 0.7, 0.1], [0.05, 0.5, 0.45], [0.6, 0.0, 0.4]])
VECTOR = np.array([[1.0, -0.3], [0.2, 2.0], [-1.5, 0.4]])
SWITCH = {14: 0.05, 138: 0.005, 1386: 0.0005}


def v(level: int) -> float:
    """v_m of the second-moment bound."""
    return 1.0 if level == 0 else level - 1 + 2.0 ** (1 - level)


def paths(chain: MarkovChain, start: int, length: int):
    """(path, probability) for all paths of positive probability."""
    for path in itertools.product(range(chain.num_states), repeat=length):
        steps = zip((start, *path[:-1]), path, strict=True)
        probability = np.prod([chain.transition[a, b] for a, b in steps])
        if probability > 0:
            yield path, probability


def by_enumeration(chain: MarkovChain, noise: np.ndarray, batch: int, max_level: int):
    """The moments of g, from its definition by batch means on every path and every level."""
    size, r = noise.shape
    probability = np.zeros((size, size))
    first, second = np.zeros((r, size, size)), np.zeros((r, r, size, size))
    levels = [(2.0**-j, j) for j in range(1, max_level + 1)] + [(2.0**-max_level, 0)]
    for share, level in levels:
        for start in range(size):
            for path, weight in paths(chain, start, 2**level * batch):
                values = noise[list(path)]
                mean = {
                    j: values[: 2**j * batch].mean(axis=0) for j in {0, level, level - 1} - {-1}
                }
                g = mean[0]
                if level:
                    g = g + 2**level * (mean[level] - mean[level - 1])
                probability[start, path[-1]] += share * weight
                first[:, start, path[-1]] += share * weight * g
                second[:, :, start, path[-1]] += share * weight * np.outer(g, g)
    return probability, first, second


@pytest.mark.parametrize(
    ("batch", "max_level"), [(1, 0), (3, 0), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3)]
)
def test_every_path_enumerated(batch: int, max_level: int) -> None:
    moments = multilevel_moments(SKEWED, VECTOR, batch, max_level)
    for exact, enumerated in zip(
        moments, by_enumeration(SKEWED, VECTOR, batch, max_level), strict=True
    ):
        np.testing.assert_allclose(exact, enumerated, rtol=0, atol=1e-12)
    np.testing.assert_allclose(moments.mean, moments.first.sum(axis=2).T, atol=1e-15)
    np.testing.assert_allclose(
        moments.squared_norm,
        [np.trace(moments.second[:, :, start].sum(axis=-1)) for start in range(3)],
        rtol=1e-13,
    )


@pytest.mark.parametrize(
    "weights", [[(0.3, 5)], [(1.0, 1), (0.0, 2), (-2.0, 3)], [(0.5, 0), (1, 4)]]
)
def test_weighted_sums_enumerated(weights: list[tuple[float, int]]) -> None:
    chain, noise = two_state_switch(0.3), np.array([1.0, -0.5])
    moments = weighted_sum_moments(chain, noise, weights)
    each = np.repeat([w for w, _ in weights], [n for _, n in weights])
    for start in range(2):
        mean = square = 0.0
        for path, probability in paths(chain, start, len(each)):
            total = each @ noise[list(path)]
            mean, square = mean + probability * total, square + probability * total**2
        assert moments.mean[start, 0] == pytest.approx(mean, abs=1e-13)
        assert moments.squared_norm[start] == pytest.approx(square, abs=1e-13)


@settings(deadline=None, max_examples=50)
@given(batch=st.integers(1, 40), level=st.integers(0, 9))
def test_weights_add_up_to_one_and_span_the_samples(batch: int, level: int) -> None:
    weights = level_weights(batch, level)
    assert sum(w * n for w, n in weights) == pytest.approx(1.0)
    assert sum(n for _, n in weights) == 2**level * batch
    assert sum(n for w, n in weights if w) == (batch if level == 0 else (2**level - 1) * batch)


@settings(deadline=None, max_examples=40)
@given(
    q=st.floats(0.001, 0.6),
    batch=st.integers(1, 200),
    level=st.integers(0, 8),
    states=st.integers(2, 5),
)
def test_telescoping_and_the_variance_identity(
    q: float, batch: int, level: int, states: int
) -> None:
    law = np.arange(1, states + 1) / (states * (states + 1) / 2)
    chain = lazy_resample(law, q)
    noise = centred_values(chain)
    g = multilevel_moments(chain, noise, batch, level)
    top = plain_batch_moments(chain, noise, 2**level * batch)
    np.testing.assert_allclose(g.mean, top.mean, rtol=0, atol=1e-12)
    # E|g|^2 = E|g_m|^2 - E|g_m - g_0|^2 + sum_j 2^j E|g_j - g_{j-1}|^2, every term from one path.
    full = 2**level * batch

    def means(j: int) -> np.ndarray:
        return np.repeat([1.0 / (2**j * batch), 0.0], [2**j * batch, full - 2**j * batch])

    def second_moment(weights: np.ndarray) -> np.ndarray:
        cuts = np.flatnonzero(np.diff(weights)) + 1
        segments = [(part[0], len(part)) for part in np.split(weights, cuts)]
        return weighted_sum_moments(chain, noise, segments).squared_norm

    right = second_moment(means(level))
    if level:
        right = right - second_moment(means(level) - means(0))
        right += sum(2**j * second_moment(means(j) - means(j - 1)) for j in range(1, level + 1))
    np.testing.assert_allclose(g.squared_norm, right, rtol=1e-9)


@settings(deadline=None, max_examples=40)
@given(q=st.floats(0.0005, 0.5), batch=st.integers(1, 500), level=st.integers(0, 7))
def test_the_bounds_hold_from_the_worst_start(q: float, batch: int, level: int) -> None:
    for chain in (two_state_switch(q), lazy_resample([0.3, 0.7], q), one_way_lazy_ring(7, 1 - q)):
        tau, noise = chain.mixing_time, centred_values(chain)
        g = multilevel_moments(chain, noise, batch, level)
        assert g.squared_norm.max() <= 10 / 3 * tau / batch * v(level)
        assert np.abs(g.mean).max() <= 5 / 3 * tau / (2**level * batch)


def test_sharpness_of_the_batch_mean() -> None:
    """Ratios to tau s^2/n and tau s/n, the worst start: 1.38 and 0.75; 1 on the ring."""

    def ratios(chain: MarkovChain, noise: np.ndarray) -> tuple[float, float]:
        tau = chain.mixing_time
        moments = [(n, plain_batch_moments(chain, noise, n)) for n in (tau, 4 * tau, 64 * tau)]
        return (
            max(m.squared_norm.max() * n / tau for n, m in moments),
            max(np.abs(m.mean).max() * n / tau for n, m in moments),
        )

    for tau, q in SWITCH.items():
        variance, bias = ratios(two_state_switch(q), np.array([1.0, -1.0]))
        assert 1.30 < variance < 1.443
        assert 0.6 < bias < 0.75
        variance, bias = ratios(lazy_resample([0.3, 0.7], 1 - 4 ** (-1 / tau)), [1.0, -3 / 7])
        assert variance < 1.443
        assert bias < 0.75
    for size in (10, 30):
        ring = symmetric_lazy_ring(size)
        square_wave = np.where(np.arange(size) < size // 2, 1.0, -1.0)
        assert 0.95 < ratios(ring, square_wave)[0] < 1.01
    one_way = one_way_lazy_ring(10)
    assert ratios(one_way, np.cos(2 * np.pi * np.arange(10) / 10))[0] < 0.08


def test_sharpness_of_the_multilevel_estimator() -> None:
    chain, noise = two_state_switch(0.05), np.array([1.0, -1.0])
    # 19 = (1 + lambda)/(1 - lambda), the long-run variance.
    measured = [
        multilevel_moments(chain, noise, batch, 3).squared_norm.max() * batch / (19 * v(3))
        for batch in (14, 56, 224, 896)
    ]
    np.testing.assert_allclose(measured, [0.559, 0.869, 0.967, 0.992], atol=5e-4)
    for tau, q in SWITCH.items():
        for batch in (1, tau // 4, tau):
            for level in (0, 2, 5):
                second = multilevel_moments(two_state_switch(q), noise, batch, level).squared_norm
                assert second.max() * batch / (tau * v(level)) <= 1.22


def test_the_laws_of_bias_and_variance() -> None:
    noise = np.array([1.0, -1.0])
    for tau, q in SWITCH.items():
        chain, memory = two_state_switch(q), 1 - 2 * q
        for level in (2, 4):
            moments = multilevel_moments(chain, noise, 4 * tau, level)
            samples = 2**level * 4 * tau
            expected = memory / (1 - memory) / samples
            assert np.abs(moments.mean).max() == pytest.approx(expected, rel=0.02)
        moments = multilevel_moments(chain, noise, 32 * tau, 3)
        long_run = (1 + memory) / (1 - memory)
        assert moments.squared_norm.max() * 32 * tau == pytest.approx(long_run * v(3), rel=0.05)


def test_a_trivial_second_moment_does_not_cover_short_batches() -> None:
    # tau = 2, B = 1, m = 6: V = 33.5 s^2 while the trivial second moment is 115 s^2.
    worst = sum(2.0**-j * (2**j - 1) ** 2 for j in range(1, 7)) + 2.0**-6
    assert worst == pytest.approx(115, abs=1)
    assert 10 / 3 * 2 * v(6) == pytest.approx(33.5, abs=0.1)
    chain = lazy_resample([0.5, 0.5], 1 - 4 ** (-1 / 2))
    assert multilevel_moments(chain, [1.0, -1.0], 1, 6).squared_norm.max() <= 33.5


def test_the_truncated_level_law_seen_in_public_code_is_biased() -> None:
    """P(J = j) = 2^-(j+1) 32/31 for j = 0..4 with the weight 2^J: not the mean of g_m."""
    chain, noise, batch = two_state_switch(0.005), np.array([1.0, -1.0]), 16
    law = [2.0 ** -(j + 1) * 32 / 31 for j in range(5)]
    means = [
        weighted_sum_moments(chain, noise, level_weights(batch, j)).mean[:, 0] for j in range(5)
    ]
    mixed = sum(share * mean for share, mean in zip(law, means, strict=True))
    base, top = means[0], plain_batch_moments(chain, noise, 16 * batch).mean[:, 0]
    share = (mixed - top) / (base - top)
    np.testing.assert_allclose(share, 0.484, atol=5e-4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: multilevel_moments(SKEWED, [1.0, -1.0], 1, 1), "noise must have shape"),
        (lambda: multilevel_moments(SKEWED, VECTOR, 0, 1), "batch_size"),
        (lambda: multilevel_moments(SKEWED, VECTOR, 1, -1), "max_level"),
        (lambda: multilevel_moments(SKEWED, VECTOR, 1, True), "max_level"),
        (lambda: level_weights(1, -2), "level must be an integer, at least 0, got -2"),
        (lambda: weighted_sum_moments(SKEWED, VECTOR, [(1.0, -1)]), "counts >= 0"),
        (lambda: weighted_sum_moments(SKEWED, VECTOR, [(1.0, 0)]), "not all 0"),
    ],
)
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
