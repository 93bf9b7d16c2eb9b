"""Exact checks of the e-value, the bootstrap-t limits and the decisions made from them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory_checks.statistics.evidence import (
    BET_SIZES,
    MIN_SEEDS,
    ROUND_OFF,
    hill_index,
    log_e_process,
    mean_limits,
)
from theory_checks.statistics.protocol import Protocol
from theory_checks.statistics.verdict import assess, assess_pathwise, decide

TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    elements=st.just(0.0) | st.floats(1e-100, 8.0),
)


def exponential(seeds, checkpoints, seed=0):
    return np.random.default_rng(seed).exponential(size=(seeds, checkpoints))


class TestEValue:
    def test_is_the_mean_of_products(self):
        ratios = exponential(7, 3)
        products = [
            math.prod(1.0 + bet * (z - 1.0) for z in ratios[:n, k])
            for n in range(1, 8)
            for k in range(3)
            for bet in BET_SIZES
        ]
        expected = np.mean(np.reshape(products, (7, -1)), axis=1)
        np.testing.assert_allclose(np.exp(log_e_process(ratios)), expected, rtol=1e-12)

    def test_bets_are_those_of_the_protocol(self):
        assert BET_SIZES == (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

    @pytest.mark.parametrize(("high", "alpha"), [(2.0, 0.1), (4.0, 0.05), (10.0, 0.2)])
    def test_ville_by_enumeration_at_equality(self, high, alpha):
        """Z in {0, high} with mean 1: every path of 10 seeds, weighed exactly."""
        chance = 1.0 / high
        paths = np.array(list(itertools.product([0.0, high], repeat=10)))
        hits = (paths > 0.0).sum(axis=1)
        weights = chance**hits * (1.0 - chance) ** (10 - hits)
        process = np.exp(log_e_process(paths[:, :, None]))
        np.testing.assert_allclose(weights @ process, 1.0, rtol=1e-12)
        assert weights @ (process.max(axis=1) >= 1.0 / alpha) <= alpha

    def test_expectation_is_one_for_dependent_checkpoints(self):
        """Two checkpoints that exclude each other are still averaged to an e-value."""
        outcomes = np.array([[2.0, 0.0], [0.0, 2.0]])
        paths = np.array([outcomes[list(p)] for p in itertools.product([0, 1], repeat=8)])
        process = np.exp(log_e_process(paths))
        np.testing.assert_allclose(process.mean(axis=0), 1.0, rtol=1e-12)

    def test_batches_agree_with_single_runs(self):
        ratios = exponential(20, 4).reshape(5, 4, 4)
        expected = np.stack([log_e_process(run) for run in ratios])
        np.testing.assert_allclose(log_e_process(ratios), expected, rtol=1e-13)

    def test_huge_and_zero_ratios_stay_finite_in_logs(self):
        verdict = assess(np.full((300, 2), 1e300))
        assert verdict.verdict == "REFUTED"
        assert verdict.e_value == math.inf
        assert math.isfinite(verdict.log_e_value)
        assert np.isfinite(log_e_process(np.zeros((10_000, 1)))).all()

    def test_one_crossing_is_enough_whatever_follows(self):
        """The running maximum decides: evidence once gathered is not taken back."""
        ratios = np.concatenate([np.full((20, 1), 3.0), np.zeros((100, 1))])
        assert log_e_process(ratios)[-1] < 0.0
        verdict = assess(ratios)
        assert verdict.verdict == "REFUTED"
        assert verdict.log_e_value == pytest.approx(log_e_process(ratios[:20]).max())
        crossed = int(np.argmax(log_e_process(ratios) >= math.log(1000.0))) + 1
        assert f"after {crossed} seeds" in verdict.reason

    def test_alpha_moves_the_threshold(self):
        ratios = np.full((6, 1), 3.0)
        e_value = assess(ratios).e_value
        assert assess(ratios, alpha=1.001 / e_value).verdict == "REFUTED"
        assert assess(ratios, alpha=0.999 / e_value).verdict != "REFUTED"


class TestLimits:
    def test_against_all_resamples(self):
        """Bootstrap-t over all 6^6 equally likely resamples, by a direct formula."""
        sample = np.array([0.1, 0.2, 0.35, 0.6, 1.1, 2.9])
        resamples = sample[np.array(list(itertools.product(range(6), repeat=6)))]
        spread = resamples.std(axis=1, ddof=1)
        error = sample.std(ddof=1) / math.sqrt(6)
        t = (resamples.mean(axis=1) - sample.mean()) / np.where(
            spread > 1e-9, spread / math.sqrt(6), 1.0
        )
        low = np.quantile(np.where(spread > 1e-9, t, -1e9), 0.1)
        high = np.quantile(np.where(spread > 1e-9, t, 1e9), 0.9)
        lower, upper = mean_limits(sample[:, None], confidence=0.9, resamples=99_999)
        assert upper[0] == pytest.approx(sample.mean() - low * error, rel=0.02)
        assert lower[0] == pytest.approx(sample.mean() - high * error, rel=0.02)

    def test_right_skew_moves_both_limits_up(self):
        """Unlike a t interval, the limits lean towards the long tail."""
        sample = np.random.default_rng(3).exponential(size=(40, 1)) ** 2
        lower, upper = mean_limits(sample)
        mean = sample.mean()
        assert upper[0] - mean > 1.3 * (mean - lower[0]) > 0.0

    def test_higher_confidence_is_wider(self):
        sample = exponential(30, 3)
        narrow, wide = mean_limits(sample, confidence=0.9), mean_limits(sample, confidence=0.99)
        assert (wide[0] < narrow[0]).all()
        assert (wide[1] > narrow[1]).all()

    @settings(deadline=None, max_examples=25)
    @given(scale=st.floats(1e-200, 1e200), seed=st.integers(0, 100))
    def test_scale_equivariant(self, scale, seed):
        sample = exponential(16, 2, seed)
        base, scaled = mean_limits(sample), mean_limits(scale * sample)
        np.testing.assert_allclose(scaled, np.multiply(scale, base), rtol=1e-9)

    def test_too_few_seeds_give_no_limit(self):
        for seeds in range(1, MIN_SEEDS):
            lower, upper = mean_limits(np.full((seeds, 2), 0.5))
            assert (lower == 0.0).all()
            assert (upper == math.inf).all()

    def test_agreeing_seeds_are_their_own_limit_only_where_that_is_certain(self):
        table = np.concatenate([np.full((8, 1), 0.7), exponential(8, 1)], axis=1)
        lower, upper = mean_limits(table, certain=1)
        assert lower[0] == upper[0] == 0.7
        assert lower[1] < upper[1]
        lower, upper = mean_limits(table)
        assert (lower[0], upper[0]) == (0.0, math.inf)
        with pytest.raises(ValueError, match="seeds differ at checkpoint 1"):
            mean_limits(table, certain=2)

    def test_resamples_without_spread_count_against_support(self):
        """31 zeros and one 0.5: a third of the resamples miss it, and no upper limit is left."""
        ratios = np.zeros((32, 1))
        ratios[0] = 0.5
        assert mean_limits(ratios)[1][0] == math.inf
        assert assess(ratios).verdict == "INCONCLUSIVE"

    def test_rejects_levels_it_cannot_resolve(self):
        mean_limits(exponential(8, 1), resamples=79)
        with pytest.raises(ValueError, match="resamples must be at least 79"):
            mean_limits(exponential(8, 1), resamples=78)
        with pytest.raises(ValueError, match=r"confidence must lie in \(0.5, 1\), got 0.3"):
            mean_limits(exponential(8, 1), confidence=0.3)


class TestAssess:
    def test_three_verdicts(self):
        ratios = exponential(64, 20)
        assert assess(0.5 * ratios).verdict == "CONSISTENT"
        assert assess(4.0 * ratios).verdict == "REFUTED"
        undecided = assess(0.95 * ratios)
        assert undecided.verdict == "INCONCLUSIVE"
        worst = int(np.argmax(undecided.upper))
        assert undecided.reason == (
            f"upper limit {undecided.upper[worst]:.3g} > 1 at checkpoint {worst}"
        )

    def test_one_bad_checkpoint_withholds_support(self):
        """All limits must pass: the worst of 20 decides, not their average."""
        ratios = 0.2 * exponential(64, 20)
        ratios[:, 13] *= 4.5
        verdict = assess(ratios)
        assert verdict.verdict == "INCONCLUSIVE"
        assert "checkpoint 13" in verdict.reason

    @settings(deadline=None, max_examples=60)
    @given(ratios=TABLES, smaller=st.floats(0.0, 1.0))
    def test_e_value_grows_with_the_ratios(self, ratios, smaller):
        low = assess(smaller * ratios, resamples=99, confidence=0.9)
        high = assess(ratios, resamples=99, confidence=0.9)
        assert low.log_e_value <= high.log_e_value + 1e-9
        assert low.tightness <= high.tightness + 1e-9

    @settings(deadline=None, max_examples=40)
    @given(ratios=TABLES, alpha=st.sampled_from([1e-4, 1e-3, 0.05]))
    def test_detectable_factor_is_where_refutation_begins(self, ratios, alpha):
        factor = assess(ratios, alpha, resamples=99, confidence=0.9).detectable_factor
        if not ratios.any():
            assert factor == math.inf
            return
        threshold = -math.log(alpha)
        assert log_e_process(factor * ratios).max() >= threshold - 1e-9
        assert log_e_process(factor * (1.0 - 1e-6) * ratios).max() < threshold

    def test_detectable_factor_by_brute_force(self):
        ratios = 0.4 * exponential(64, 20)
        grid = np.arange(1.0, 5.0, 0.002)
        refuted = [assess_refutes(c * ratios) for c in grid]
        assert assess(ratios).detectable_factor == pytest.approx(
            grid[int(np.argmax(refuted))], abs=2e-3
        )

    def test_detectable_factor_is_inverse_in_the_ratios(self):
        ratios = exponential(32, 4)
        factor = assess(ratios).detectable_factor
        assert assess(1e-9 * ratios).detectable_factor == pytest.approx(1e9 * factor, rel=1e-8)
        assert (assess(ratios).verdict == "REFUTED") == (factor <= 1.0)
        assert assess(np.zeros((32, 2))).detectable_factor == math.inf

    def test_tightness_and_its_interval(self):
        ratios = exponential(64, 5) * np.array([0.1, 0.5, 0.2, 0.3, 0.1])
        verdict = assess(ratios)
        assert verdict.tightness == pytest.approx(ratios.mean(axis=0).max())
        assert verdict.tightness_lower < verdict.tightness < verdict.tightness_upper
        assert verdict.tightness_lower == verdict.lower[1]
        assert verdict.tightness_upper == verdict.upper.max()

    def test_noisy_limits_do_not_hide_slackness(self):
        verdict = assess(0.03 * np.random.default_rng(0).exponential(size=(12, 1)))
        assert verdict.upper[0] > 0.1
        assert verdict.detectable_factor > 10.0
        assert verdict.vacuous

    def test_vacuous_only_when_no_checkpoint_comes_near(self):
        ratios = 0.01 * exponential(64, 4)
        assert assess(ratios).vacuous
        ratios[:, 2] *= 20.0
        assert assess(ratios).verdict == "CONSISTENT"
        assert not assess(ratios).vacuous

    def test_largest_seed_raises_the_tail_alarm(self):
        """Every limit is below 1, but one seed more like the largest would take it there."""
        ratios = np.full((40, 1), 0.6)
        ratios += np.linspace(-0.01, 0.01, 40)[:, None]
        assert assess(ratios).verdict == "CONSISTENT"
        ratios[:, 0] *= 0.98 / 0.6
        verdict = assess(ratios)
        assert (verdict.upper < 1.0).all()
        assert verdict.verdict == "INCONCLUSIVE"
        assert verdict.tail_alarm[0][0] == 0
        assert "largest seed" in verdict.reason

    def test_heavy_tail_raises_the_alarm_that_its_largest_seed_does_not(self):

        def pareto_near_the_bound(seeds):
            quantiles = 1.0 - (np.arange(seeds) + 0.5) / seeds
            heavy = quantiles[:, None] ** (-1.0 / 1.3)
            return heavy * 0.9 / (mean_limits(heavy)[1] + heavy.max() / seeds)

        heavy = pareto_near_the_bound(400)
        alarmed = assess(heavy)
        assert alarmed.upper[0] + heavy.max() / 400 < 1.0
        assert alarmed.verdict == "INCONCLUSIVE"
        assert "Hill index" in alarmed.reason
        assert assess(heavy / 10.0).verdict == "CONSISTENT"  # immaterial far below the bound
        assert assess(pareto_near_the_bound(199)).verdict == "CONSISTENT"  # too few for an index

    def test_squared_normal_noise_far_below_the_bound_is_supported_at_256_seeds(self):
        noise = np.random.default_rng(0).normal(size=(256, 20)) ** 2
        assert min(hill_index(noise[:, k]) for k in range(20)) < 2.5
        assert assess(0.3 * noise).verdict == "CONSISTENT"

    def test_hill_index_of_exact_pareto_quantiles(self):
        quantiles = 1.0 - (np.arange(20_000) + 0.5) / 20_000
        for index in (1.1, 2.1, 4.0):
            assert hill_index(quantiles ** (-1.0 / index)) == pytest.approx(index, rel=0.01)
        steps = np.arange(1.0, 101.0)  # the ten largest against the eleventh, 90
        expected = 1.0 / np.mean(np.log(np.arange(91.0, 101.0) / 90.0))
        assert hill_index(steps) == pytest.approx(expected)
        assert hill_index(np.ones(100)) == math.inf
        assert hill_index(np.eye(100)[0]) == 0.0
        with pytest.raises(ValueError, match="at least 10 values, got 9"):
            hill_index(np.ones(9))

    def test_deterministic_equality_is_consistent(self):
        """A start common to all seeds where the bound is an identity, up to round-off."""
        ratios = 0.3 * exponential(32, 3)
        ratios[:, 0] = 1.0 + 2e-16 * np.arange(32)
        assert assess(ratios, certain=1).verdict == "CONSISTENT"
        assert assess(ratios, certain=1).support == "asymptotic and certain"
        undeclared = assess(ratios)
        assert undeclared.verdict == "INCONCLUSIVE"
        assert "all seeds agree" in undeclared.reason

    def test_what_is_certain_is_refuted_without_chance(self):
        ratios = 0.3 * exponential(32, 3)
        ratios[:, 0] = 1.0 + 1e-6
        found = assess(ratios, certain=1)
        assert found.verdict == "REFUTED"
        assert "agree by construction" in found.reason
        assert assess(ratios).verdict == "INCONCLUSIVE"
        ratios[:, 0] = 0.8
        assert assess(ratios, certain=1).detectable_factor == pytest.approx(1.25)

    def test_rare_events_are_not_supported_by_seeds_that_all_agree(self):
        """Half the bound in 99% of runs, 50 times in the rest: a mean of 1, unseen in 32 seeds."""
        assert assess(np.full((32, 1), 0.5)).verdict == "INCONCLUSIVE"
        assert assess(np.full((32, 1), 0.5), cap=50.5).verdict == "INCONCLUSIVE"
        assert assess(np.full((32, 1), 0.5), cap=1.9).verdict == "CONSISTENT"

    def test_few_seeds_support_nothing(self):
        verdict = assess(np.full((MIN_SEEDS - 1, 3), 0.1))
        assert verdict.verdict == "INCONCLUSIVE"
        assert "at least 5 seeds" in verdict.reason

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e-6, -2 * ROUND_OFF])
    def test_unusable_values_raise(self, bad):
        ratios = 0.1 * exponential(32, 4)
        ratios[7, 2] = bad
        for check in (assess, assess_pathwise):
            with pytest.raises(ValueError, match="seed 7, checkpoint 2"):
                check(ratios)

    def test_round_off_below_zero_is_clipped(self):
        ratios = 0.1 * exponential(32, 4)
        ratios[7, 2] = -1e-12
        clipped = ratios.copy()
        clipped[7, 2] = 0.0
        assert assess(ratios).log_e_value == assess(clipped).log_e_value
        assert ratios[7, 2] == -1e-12  # the caller's array is left alone

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2)])
    def test_wrong_shapes_raise(self, shape):
        with pytest.raises(ValueError, match="non-empty table of shape"):
            assess(np.ones(shape))

    @pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
    def test_alpha_out_of_range_raises(self, alpha):
        with pytest.raises(ValueError, match="alpha must lie in"):
            assess(np.ones((8, 1)), alpha)

    def test_reproducible(self):
        ratios = exponential(32, 3)
        np.testing.assert_array_equal(assess(ratios, seed=3).upper, assess(ratios, seed=3).upper)
        assert not np.array_equal(assess(ratios, seed=3).upper, assess(ratios, seed=4).upper)


def assess_refutes(ratios):
    return bool(log_e_process(ratios).max() >= math.log(1000.0))


class TestCaps:
    """Where the metric has a cap, support is not asymptotic."""

    def test_the_cap_supports_where_it_is_close_and_the_rest_is_asymptotic(self):
        ratios = np.random.default_rng(0).uniform(0.1, 0.4, size=(32, 3))
        assert assess(ratios).support == "asymptotic"
        both = assess(ratios, cap=[2.0, 100.0, 2.0])
        assert both.verdict == "CONSISTENT"
        assert both.support == "finite-sample and asymptotic"
        assert "finite-sample and asymptotic, 32 seeds" in both.reason
        assert both.finite_upper[1] > 1.0 > both.finite_upper[0]
        assert assess(ratios, cap=2.0).support == "finite-sample"

    def test_a_tail_alarm_does_not_concern_a_capped_mean(self):
        ratios = np.full((24, 1), 0.2) + np.linspace(-0.01, 0.01, 24)[:, None]
        ratios[0] = 1.9
        capped = assess(ratios, cap=2.0)
        assert capped.tail_alarm
        assert (capped.verdict, capped.support) == ("CONSISTENT", "finite-sample")
        assert assess(ratios).verdict == "INCONCLUSIVE"

    def test_a_cap_that_is_too_far_supports_nothing(self):
        verdict = assess(np.full((32, 1), 0.5), cap=8.0)
        assert 1.2 < verdict.finite_upper[0] < 1.4
        assert verdict.verdict == "INCONCLUSIVE"

    def test_few_seeds_are_enough_where_the_cap_is_below_the_bound(self):
        assert assess(np.full((4, 1), 0.3), cap=0.9).verdict == "CONSISTENT"

    def test_a_value_above_its_cap_is_refused(self):
        with pytest.raises(ValueError, match=r"\[0, cap\], got 2 at seed 1, checkpoint 0"):
            assess([[0.5], [2.0], [0.1]], cap=1.5)

    def test_the_protocols_error_is_that_of_all_looks(self):
        strict, loose = Protocol(looks=1), Protocol(looks=4)
        assert strict.support_error == pytest.approx(0.0125)
        assert loose.support_error == pytest.approx(0.05)
        table = np.full((24, 1), 0.2)
        upper = [
            decide(lambda first, count: table[:count], 24, protocol=p, cap=3.0)[0].finite_upper[0]
            for p in (strict, loose)
        ]
        assert upper[0] > upper[1]

    def test_what_so_many_seeds_cannot_have_seen(self):
        protocol = Protocol()
        assert protocol.unseen(32) == pytest.approx(1 - 0.05 ** (1 / 32))
        assert (1 - protocol.unseen(32)) ** 32 == pytest.approx(0.05)
        assert protocol.unseen(256) < 0.012


class TestDecide:
    @staticmethod
    def recorder(scale, calls):
        pool = exponential(512, 4, seed=1)

        def draw(first, count):
            calls.append((first, count))
            return scale * pool[first : first + count]

        return draw, pool

    def test_stops_at_the_first_decision(self):
        for scale, expected in ((0.1, "CONSISTENT"), (4.0, "REFUTED")):
            calls = []
            verdict, ratios = decide(self.recorder(scale, calls)[0], 32)
            assert verdict.verdict == expected
            assert calls == [(0, 32)]
            assert ratios.shape == (32, 4)

    def test_doubles_and_keeps_every_seed_in_order(self):
        calls = []
        draw, pool = self.recorder(1.0, calls)
        verdict, ratios = decide(draw, 16)
        assert verdict.verdict == "INCONCLUSIVE"
        assert calls == [(0, 16), (16, 16), (32, 32), (64, 64)]
        np.testing.assert_array_equal(ratios, pool[:128])
        assert verdict.log_e_value == log_e_process(pool[:128]).max()
        assert verdict.seeds == 128

    def test_early_evidence_survives_later_seeds(self):
        """A run that was extended keeps the e-value of its first seeds."""
        table = np.concatenate([np.full((16, 1), 1.9), np.zeros((112, 1))])
        verdict, _ = decide(lambda first, count: table[first : first + count], 16)
        assert verdict.log_e_value >= log_e_process(table[:16]).max()

    def test_number_of_looks(self):
        calls = []
        decide(self.recorder(1.0, calls)[0], 8, protocol=Protocol(looks=1))
        assert calls == [(0, 8)]

    def test_bad_arguments_raise(self):
        with pytest.raises(ValueError, match=r"draw\(0, 8\) must return 8 rows"):
            decide(lambda first, count: np.ones((3, 2)), 8)
        with pytest.raises(ValueError, match="keep its 8 checkpoints"):
            decide(lambda first, count: exponential(count, count), 8)
        with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
            decide(lambda first, count: np.ones((count, 2)), 0)
        with pytest.raises(ValueError, match="looks must be at least 1"):
            Protocol(looks=0)


class TestPathwise:
    def test_one_path_refutes(self):
        ratios = np.full((50, 10), 1.5)
        assert assess_pathwise(ratios).verdict == "CONSISTENT"
        ratios[31, 4] = 0.99
        verdict = assess_pathwise(ratios)
        assert verdict.verdict == "REFUTED"
        assert verdict.e_value == math.inf
        assert verdict.reason.endswith("path 31 at checkpoint 4")

    def test_round_off_is_allowed_and_no_more(self):
        assert assess_pathwise([[1.0 - 1e-10]]).verdict == "CONSISTENT"
        assert assess_pathwise([[1.0 - 1e-8]]).verdict == "REFUTED"
        assert assess_pathwise([[1.0 - 1e-8]], tolerance=1e-7).verdict == "CONSISTENT"
        with pytest.raises(ValueError, match="tolerance must lie in"):
            assess_pathwise([[1.0]], tolerance=-1.0)

    def test_detectable_factor_is_where_refutation_begins(self):
        ratios = 1.0 + exponential(6, 3)
        verdict = assess_pathwise(ratios)
        factor = verdict.detectable_factor
        assert assess_pathwise(ratios / (factor * (1 + 1e-12))).verdict == "REFUTED"
        assert assess_pathwise(ratios / (factor * (1 - 1e-12))).verdict == "CONSISTENT"
        assert verdict.tightness == ratios.min()

    def test_vacuous_when_a_tenfold_bound_would_hold(self):
        assert assess_pathwise([[11.0, 12.0]]).vacuous
        assert not assess_pathwise([[11.0, 9.0]]).vacuous
