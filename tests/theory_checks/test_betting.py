"""Limits by betting: against a direct statement, at their level, and how they use the cap."""

import itertools
import math

import numpy as np
import pytest

from theory_checks.statistics.betting import BET_FRACTIONS, capped_upper_limits, log_wealth


def test_wealth_is_a_mean_of_products():
    gains = np.random.default_rng(0).uniform(-1.0, 3.0, size=(6, 2))
    weights = [1 / 16] * 8 + [1 / 2]
    expected = [
        np.dot(weights, [math.prod(1 + f * g for g in gains[:n, k]) for f in BET_FRACTIONS])
        for n in range(1, 7)
        for k in range(2)
    ]
    np.testing.assert_allclose(np.exp(log_wealth(gains)).ravel(), expected, rtol=1e-12)


def test_the_limit_is_the_smallest_mean_that_is_refuted():
    samples = np.random.default_rng(1).uniform(0.0, 2.0, size=(40, 2))
    upper = capped_upper_limits(samples, 5.0, error=0.05)

    def refuted(mean):
        gains = (mean - samples) / (5.0 - mean)
        return log_wealth(gains).max(axis=0) >= math.log(20.0)

    assert refuted(upper * (1 + 1e-9)).all()
    assert not refuted(upper * (1 - 1e-9)).any()
    assert (upper > samples.mean(axis=0)).all()


@pytest.mark.parametrize("high", [2.0, 4.0])
def test_level_by_enumeration(high):
    """Z in {0, high} with mean 1, every path of 12 seeds: the limit is below 1 in at most 20%.

    At any of the 12 looks, without a correction for them. It is below 1 iff 1 is refuted.
    """
    chance = 1.0 / high
    paths = np.array(list(itertools.product([0.0, high], repeat=12)))
    hits = (paths > 0).sum(axis=1)
    weights = chance**hits * (1 - chance) ** (12 - hits)
    wealth = log_wealth((1.0 - paths.T) / (high - 1.0))
    assert weights @ np.exp(wealth[-1]) == pytest.approx(1.0)
    wrong = wealth.max(axis=0) >= math.log(5.0)
    assert 0.0 < weights @ wrong <= 0.2
    some = np.linspace(0, len(paths) - 1, 40).astype(int)
    limits = capped_upper_limits(paths[some].T, high, error=0.2)
    np.testing.assert_array_equal(limits < 1.0 - 1e-9, wrong[some])


def test_rare_events_up_to_the_cap_are_allowed_for():
    """32 seeds that agree: an event of size 50 may have been missed, and keep the mean at 1."""
    seen = np.full((32, 1), 0.5)
    assert capped_upper_limits(seen, 50.5, error=0.05) > 1.0
    assert capped_upper_limits(seen, 1.5, error=0.05) < 1.0
    unseen = 1 - 0.05 ** (1 / 32)
    assert capped_upper_limits(seen, 50.5, error=0.05) > 0.5 + 0.5 * unseen * 50.0


def test_more_seeds_never_loosen_a_limit():
    samples = np.random.default_rng(2).exponential(size=(200, 1)).clip(max=4.0)
    limits = [capped_upper_limits(samples[:n], 4.0, error=0.05)[0] for n in (10, 50, 200)]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < 1.4


def test_where_nothing_helps_the_cap_is_the_limit():
    assert capped_upper_limits(np.full((50, 1), 3.0), 3.0, error=0.05)[0] == pytest.approx(3.0)
    one = capped_upper_limits(np.zeros((1, 1)), [3.0], error=0.05)[0]
    assert 0.9 * 3.0 < one <= 3.0


@pytest.mark.parametrize(
    ("samples", "cap", "error", "message"),
    [
        ([[0.5], [1.1]], 1.0, 0.05, "got 1.1 at seed 1, checkpoint 0, where the cap is 1"),
        ([[-0.1]], 1.0, 0.05, r"lie in \[0, cap\]"),
        ([[math.nan]], 1.0, 0.05, r"lie in \[0, cap\]"),
        ([[0.5]], 0.0, 0.05, "cap must be positive"),
        ([[0.5]], math.inf, 0.05, "cap must be positive and finite"),
        ([[0.5]], 1.0, 1.0, r"error must lie in \(0, 1\)"),
    ],
)
def test_bad_input_is_named(samples, cap, error, message):
    with pytest.raises(ValueError, match=message):
        capped_upper_limits(np.array(samples), cap, error=error)
