"""Rates and scalings on power laws whose exponents are known, and on curves that are none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_checks.statistics.exponents import (
    better_scaling,
    first_passage,
    law_exponent,
    rate_exponent,
    scaling_exponent,
)
from theory_checks.statistics.log_log import curvature, slope

K = np.geomspace(1, 10_000, 24)
WINDOW = (10.0, 1000.0)
THETA = np.geomspace(1, 100, 6)


def noise(seeds, seed=0, spread=0.3):
    """One positive factor of mean about 1 a seed, constant along its trajectory."""
    return 1.0 + spread * np.random.default_rng(seed).uniform(-1, 1, size=(seeds, 1))


def jitter(seeds, points, seed=0):
    """Independent exponential noise of mean 1 at each checkpoint."""
    return np.random.default_rng(seed).exponential(size=(seeds, points))


class TestRate:
    @settings(deadline=None, max_examples=25)
    @given(power=st.floats(0.1, 3.0), scale=st.floats(1e-12, 1e12))
    def test_exact_power_laws(self, power, scale):
        rate = rate_exponent(K, scale * noise(8) * K**-power, stated=power, window=WINDOW)
        assert rate.value == pytest.approx(power, abs=1e-9)
        assert rate.lower == pytest.approx(power, abs=1e-9)
        assert rate.verdict == "CONSISTENT"

    def test_logarithm_of_the_mean_not_mean_of_logarithms(self):
        """Half the seeds fall as 1/k, half not at all: the mean does not fall."""
        values = np.concatenate([np.tile(1.0 / K, (20, 1)), np.ones((20, len(K)))])
        rate = rate_exponent(K, values, stated=0.5, window=(50, 5000))
        inside = rate.points
        expected = -np.polyfit(np.log(inside), np.log((1.0 + 1.0 / inside) / 2.0), 1)[0]
        assert rate.value == pytest.approx(expected, abs=1e-12)
        assert rate.value < 0.01
        assert rate.verdict == "REFUTED"

    @pytest.mark.parametrize(
        ("power", "verdict"), [(0.50, "CONSISTENT"), (0.70, "CONSISTENT"), (1 / 3, "REFUTED")]
    )
    def test_half_is_told_from_a_third_by_128_seeds(self, power, verdict):
        values = jitter(128, len(K)) * K**-power
        assert rate_exponent(K, values, stated=0.5, window=WINDOW).verdict == verdict

    def test_slack_is_five_hundredths(self):
        for power, verdict in ((0.96, "CONSISTENT"), (0.94, "REFUTED")):
            values = noise(16) * K**-power
            assert rate_exponent(K, values, stated=1.0, window=WINDOW).verdict == verdict

    @pytest.mark.parametrize("centre", [0.44, 0.46])
    def test_few_scattered_seeds_are_undecided(self, centre):
        """Twelve exponents scattered about the edge of the slack, on either side of it."""
        scatter = np.tile([[0.15], [-0.15]], (6, 1))
        values = K**-centre * (K / 100.0) ** scatter
        rate = rate_exponent(K, values, stated=0.5, window=WINDOW)
        assert rate.value == pytest.approx(centre, abs=0.005)
        assert rate.lower <= 0.45 <= rate.outer_upper
        assert rate.verdict == "INCONCLUSIVE"

    def test_compared_with_the_bound_on_the_same_window(self):
        """2 / (k + 20) falls slower than 1/k on [10, 700]: so may the metric, no slower."""
        bound = 2.0 / (K + 20.0)
        values = 0.3 * noise(16) * bound
        alone = rate_exponent(K, values, stated=1.0, window=(10, 700))
        beside = rate_exponent(K, values, stated=1.0, window=(10, 700), bound=bound)
        assert alone.verdict != "CONSISTENT"
        assert beside.verdict == "CONSISTENT"
        assert beside.reference == pytest.approx(beside.value, abs=1e-9)
        assert beside.stated == 1.0
        slower = values * K**0.2
        assert rate_exponent(K, slower, stated=1.0, window=(10, 700), bound=bound).verdict == (
            "REFUTED"
        )

    def test_noise_floor_is_rejected(self):
        """1/k + 0.01 looks like k^-0.6 on the window; it is no power law."""
        values = noise(64) * (1.0 / K + 0.01)
        rate = rate_exponent(K, values, stated=1.0, window=WINDOW)
        assert rate.verdict == "INCONCLUSIVE"
        assert "flattens" in rate.reason
        subtracted = values - 0.01 * noise(64)
        assert rate_exponent(K, subtracted, stated=1.0, window=WINDOW).verdict == "CONSISTENT"

    def test_steepening_is_rejected_too(self):
        rate = rate_exponent(K, noise(64) * np.exp(-K / 300.0) / K, stated=1.0, window=WINDOW)
        assert rate.verdict == "INCONCLUSIVE"
        assert "steepens" in rate.reason

    def test_immaterial_curvature_is_not_rejected_however_sharp(self):
        """With no noise along the paths every bend is significant; only a large one matters."""
        x = np.log(K)
        length = math.log(1000 / 10)
        for bend, verdict in ((0.08, "CONSISTENT"), (0.13, "INCONCLUSIVE")):
            curve = np.exp(-x + bend / length * (x - math.log(100)) ** 2)
            rate = rate_exponent(K, noise(256) * curve, stated=1.0, window=WINDOW)
            assert rate.verdict == verdict

    def test_insignificant_curvature_is_not_rejected(self):
        """Noise bends few seeds' means; a bend within its interval is no floor."""
        rejected = sum(
            "no power law"
            in rate_exponent(
                K, jitter(32, len(K), seed) / K, stated=1.0, window=WINDOW, resamples=400
            ).reason
            for seed in range(40)
        )
        assert rejected <= 3

    def test_coverage_of_the_limits(self):
        """One-sided 95% limits miss an exact exponent about one time in twenty."""
        below = above = 0
        for seed in range(200):
            rate = rate_exponent(
                K, jitter(64, len(K), seed) / K, stated=1.0, window=WINDOW, resamples=200
            )
            below += rate.upper < 1.0
            above += rate.lower > 1.0
        assert 1 <= below <= 22
        assert 1 <= above <= 22

    def test_uses_log_spaced_points_of_the_window(self):
        k = np.arange(1, 2001.0)
        rate = rate_exponent(k, noise(8) / k, stated=1.0, window=(20, 2000))
        assert 10 <= len(rate.points) <= 15
        assert rate.window == (20.0, 2000.0)
        ratios = rate.points[1:] / rate.points[:-1]
        assert ratios.max() / ratios.min() < 1.1

    def test_bad_windows_raise(self):
        values = noise(8) / K
        with pytest.raises(ValueError, match="k1 / k0 >= 30"):
            rate_exponent(K, values, stated=1.0, window=(10, 299))
        with pytest.raises(ValueError, match="at least 10 log-spaced checkpoints"):
            rate_exponent(K, values, stated=1.0, window=(100, 3100))
        with pytest.raises(ValueError, match=r"ratio of 30, got 11 over a ratio of 20"):
            rate_exponent(np.arange(1.0, 21.0), np.ones((8, 20)), stated=0.0, window=(1, 100))

    def test_vanished_mean_is_an_outcome(self):
        """A gap that reaches exactly 0 has no logarithm: said so, and no NaN."""
        values = noise(8) / K
        values[:, K > 500] = 0.0
        rate = rate_exponent(K, values, stated=1.0, window=WINDOW)
        assert rate.verdict == "INCONCLUSIVE"
        assert rate.value is rate.lower is rate.upper is None
        assert "not resolved from 0" in rate.reason

    def test_bad_input_raises(self):
        values = noise(8) / K
        with pytest.raises(ValueError, match="values must be finite"):
            rate_exponent(K, values * np.nan, stated=1.0, window=WINDOW)
        with pytest.raises(ValueError, match=r"values must have shape \(any, 24\)"):
            rate_exponent(K, values[:, :-1], stated=1.0, window=WINDOW)
        with pytest.raises(ValueError, match="at least 5 seeds, got 4"):
            rate_exponent(K, values[:4], stated=1.0, window=WINDOW)
        with pytest.raises(ValueError, match="bound must have shape"):
            rate_exponent(K, values, stated=1.0, window=WINDOW, bound=[1.0])
        with pytest.raises(ValueError, match="bound must be finite, and positive"):
            rate_exponent(K, values, stated=1.0, window=WINDOW, bound=0.0 * K)
        with pytest.raises(ValueError, match="stated must be finite"):
            rate_exponent(K, values, stated=math.nan, window=WINDOW)
        with pytest.raises(ValueError, match="k must be one-dimensional"):
            rate_exponent(K[::-1], values, stated=1.0, window=WINDOW)
        with pytest.raises(ValueError, match="resamples must be at least 200"):
            rate_exponent(K, values, stated=1.0, window=WINDOW, resamples=50)


class TestFit:
    @settings(deadline=None, max_examples=20)
    @given(points=st.integers(4, 15), seed=st.integers(0, 99))
    def test_slope_and_curvature_are_those_of_least_squares(self, points, seed):
        x, y = np.random.default_rng(seed).normal(size=(2, points))
        assert slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-8)
        assert curvature(x, y) == pytest.approx(np.polyfit(x, y, 2)[0], rel=1e-6)


class TestFirstPassage:
    @settings(deadline=None, max_examples=40)
    @given(power=st.floats(0.2, 3.0), exact=st.floats(1.5, 9000.0))
    def test_exact_between_checkpoints_of_a_power_law(self, power, exact):
        assert first_passage(K, K**-power, exact**-power) == pytest.approx(exact, rel=1e-9)

    def test_first_of_several_crossings(self):
        grid = np.array([1.0, 2.0, 4.0, 8.0])
        assert first_passage(grid, [4.0, 1.0, 4.0, 1.0], 1.0) == pytest.approx(2.0)
        assert first_passage(grid, [4.0, 0.25, 4.0, 0.1], 1.0) == pytest.approx(math.sqrt(2.0))

    def test_outcomes_without_interpolation(self):
        grid = np.array([1.0, 2.0, 4.0])
        assert first_passage(grid, [3.0, 2.0, 1.5], 1.0) == math.inf
        assert first_passage(grid, [0.5, 2.0, 1.5], 1.0) == 1.0
        assert first_passage(grid, [3.0, 0.0, 0.0], 1.0) == 2.0

    def test_bad_input_raises(self):
        grid = np.array([1.0, 2.0])
        with pytest.raises(ValueError, match="eps must be positive"):
            first_passage(grid, [1.0, 0.5], 0.0)
        with pytest.raises(ValueError, match="mean must be finite"):
            first_passage(grid, [1.0, math.nan], 0.5)
        with pytest.raises(ValueError, match="checkpoints must be positive"):
            first_passage([0.0, 1.0], [1.0, 0.5], 0.5)
        with pytest.raises(ValueError, match=r"mean must have shape \(..., 2\)"):
            first_passage(grid, [1.0], 0.5)


def curves(power, seeds=32, spread=0.3):
    """Metrics theta^power / k, whose passage through eps scales as theta^power."""
    return noise(seeds, spread=spread) * THETA[:, None, None] ** power / K


class TestScaling:
    EPS = 0.05

    @settings(deadline=None, max_examples=15)
    @given(power=st.floats(0.1, 1.2))
    def test_exact_exponents(self, power):
        measured = scaling_exponent(
            THETA, K, curves(power), self.EPS, stated=power, relation="exactly"
        )
        assert measured.value == pytest.approx(power, abs=1e-9)
        assert measured.verdict == "CONSISTENT"
        np.testing.assert_allclose(measured.levels / measured.levels[0], THETA**power, rtol=1e-9)

    @pytest.mark.parametrize(
        ("power", "relation", "verdict"),
        [
            (1.09, "at_most", "CONSISTENT"),
            (1.11, "at_most", "REFUTED"),
            (0.30, "at_most", "CONSISTENT"),
            (1.14, "exactly", "CONSISTENT"),
            (0.86, "exactly", "CONSISTENT"),
            (1.16, "exactly", "REFUTED"),
            (0.84, "exactly", "REFUTED"),
        ],
    )
    def test_slack_of_each_relation(self, power, relation, verdict):
        measured = scaling_exponent(
            THETA, K, curves(power), self.EPS, stated=1.0, relation=relation
        )
        assert measured.verdict == verdict

    def test_common_seeds_are_resampled_together(self):
        """A factor shared by all theta cancels from the slope, so the interval has no width."""
        wild = curves(1.0, seeds=12, spread=0.9)
        measured = scaling_exponent(THETA, K, wild, self.EPS, stated=1.0, relation="exactly")
        assert measured.upper - measured.lower < 1e-9
        rng = np.random.default_rng(0)
        shuffled = np.stack([rng.permutation(rows) for rows in wild])
        independent = scaling_exponent(THETA, K, shuffled, self.EPS, stated=1.0)
        assert independent.upper - independent.lower > 0.05

    def test_noise_leaves_a_narrow_margin_undecided(self):
        rng = np.random.default_rng(1)
        values = THETA[:, None, None] / K * rng.exponential(size=(6, 12, 1)) ** 2
        measured = scaling_exponent(THETA, K, values, self.EPS, stated=1.0, relation="exactly")
        assert measured.verdict == "INCONCLUSIVE"
        assert measured.lower < measured.value < measured.upper

    def test_own_checkpoints_for_each_theta(self):
        grids = K * THETA[:, None]
        values = noise(16) / (grids / THETA[:, None])[:, None, :]
        measured = scaling_exponent(THETA, grids, values, self.EPS, stated=1.0)
        assert measured.value == pytest.approx(1.0, abs=1e-9)

    def test_threshold_never_reached_is_an_outcome(self):
        measured = scaling_exponent(THETA, K, curves(1.0), 1e-3, stated=1.0)
        assert measured.verdict == "INCONCLUSIVE"
        assert measured.value is measured.upper is None
        assert "never reached at theta = 15.8" in measured.reason

    def test_threshold_reached_at_the_start_is_an_outcome(self):
        measured = scaling_exponent(THETA, K, curves(1.0), 2.0, stated=1.0)
        assert measured.verdict == "INCONCLUSIVE"
        assert "before the first checkpoint at theta = 1" in measured.reason

    def test_resamples_that_miss_the_threshold_widen_the_interval(self):
        """At the last theta the mean just reaches eps: half of the resamples do not."""
        values = curves(1.0, seeds=12, spread=0.9)
        eps = values[-1].mean(axis=0)[-1] * 1.0001
        measured = scaling_exponent(THETA, K, values, eps, stated=1.0)
        assert measured.value == pytest.approx(1.0, abs=1e-6)
        assert (measured.lower, measured.upper) == (-math.inf, math.inf)
        assert measured.verdict == "INCONCLUSIVE"

    def test_resamples_that_start_below_the_threshold_widen_the_interval(self):
        """At the first theta the mean starts just above eps: half of the resamples do not."""
        values = curves(1.0, seeds=12, spread=0.9)
        eps = values[0].mean(axis=0)[0] * 0.9999
        measured = scaling_exponent(THETA, K, values, eps, stated=1.0)
        assert (measured.lower, measured.upper) == (-math.inf, math.inf)
        assert measured.verdict == "INCONCLUSIVE"

    @pytest.mark.parametrize(
        ("theta", "message"),
        [
            (np.geomspace(1, 100, 4), "at least 5 values"),
            (np.geomspace(1, 30, 6), "at least 1.5 decades, got 1.48"),
            (np.array([1, 1.1, 1.2, 1.3, 1.4, 100]), "must be log-spaced"),
            (np.geomspace(100, 1, 6), "increasing"),
            (np.linspace(0, 100, 6), "positive"),
        ],
    )
    def test_bad_theta_raises(self, theta, message):
        with pytest.raises(ValueError, match=message):
            scaling_exponent(theta, K, curves(1.0), self.EPS, stated=1.0)

    def test_bad_input_raises(self):
        with pytest.raises(ValueError, match="relation must be one of"):
            scaling_exponent(THETA, K, curves(1.0), self.EPS, stated=1.0, relation="about")
        with pytest.raises(ValueError, match="values must have shape"):
            scaling_exponent(THETA, K, curves(1.0)[:5], self.EPS, stated=1.0)
        with pytest.raises(ValueError, match="checkpoints must have shape"):
            scaling_exponent(THETA, K[:-1], curves(1.0), self.EPS, stated=1.0)
        with pytest.raises(ValueError, match="at least 5 seeds"):
            scaling_exponent(THETA, K, curves(1.0)[:, :3], self.EPS, stated=1.0)


class TestBetterScaling:
    EPS = 0.05

    def test_gain_and_its_sign(self):
        gain = better_scaling(THETA, K, curves(0.5), curves(1.0), self.EPS)
        assert gain.value == pytest.approx(0.5, abs=1e-9)
        assert gain.verdict == "CONSISTENT"
        loss = better_scaling(THETA, K, curves(1.0), curves(0.5), self.EPS)
        assert loss.value == pytest.approx(-0.5, abs=1e-9)
        assert loss.verdict == "REFUTED"

    def test_same_method_is_no_better(self):
        assert better_scaling(THETA, K, curves(1.0), curves(1.0), self.EPS).verdict == (
            "INCONCLUSIVE"
        )

    def test_pairing_by_seed_sharpens_the_comparison(self):
        """Noise in the exponent that both share cancels, far below either's own interval."""
        tilt = np.random.default_rng(0).normal(size=(40, 1))
        shared = THETA[:, None, None] ** (0.3 * tilt) / K
        base = shared * THETA[:, None, None] ** 0.7
        new = shared * THETA[:, None, None] ** 0.6
        gain = better_scaling(THETA, K, new, base, self.EPS)
        alone = scaling_exponent(THETA, K, base, self.EPS, stated=0.7)
        assert gain.verdict == "CONSISTENT"
        assert alone.upper - alone.lower > 0.05
        assert gain.upper - gain.lower < 0.1 * (alone.upper - alone.lower)

    def test_names_the_method_that_never_arrives(self):
        outcome = better_scaling(THETA, K, curves(0.1), 1e3 * curves(1.0), self.EPS)
        assert outcome.verdict == "INCONCLUSIVE"
        assert outcome.reason.startswith("baseline: eps = 0.05 is never reached")
        with pytest.raises(ValueError, match="baseline must have the shape"):
            better_scaling(THETA, K, curves(1.0), curves(1.0)[:, :8], self.EPS)


class TestLaw:
    @settings(deadline=None, max_examples=20)
    @given(power=st.floats(-2.0, 2.0))
    def test_exact_exponents(self, power):
        values = noise(16).T * THETA[:, None] ** power
        law = law_exponent(THETA, values, stated=power, relation="exactly")
        assert law.value == pytest.approx(power, abs=1e-9)
        assert law.verdict == "CONSISTENT"
        assert law_exponent(THETA, values, stated=power - 0.2).verdict == "REFUTED"
        assert law_exponent(THETA, values, stated=power + 5.0).verdict == "CONSISTENT"

    @pytest.mark.parametrize("centre", [0.88, 1.12])
    def test_both_ends_of_the_interval_must_lie_within_the_slack(self, centre):
        scatter = np.tile([0.2, -0.2], 6)
        values = THETA[:, None] ** centre * (THETA[:, None] / 10.0) ** scatter
        law = law_exponent(THETA, values, stated=1.0, relation="exactly")
        assert law.value == pytest.approx(centre, abs=1e-6)
        assert law.upper - law.lower > 0.06
        assert law.verdict == "INCONCLUSIVE"

    def test_vanished_mean_is_an_outcome(self):
        values = noise(16).T * THETA[:, None]
        values[2] = 0.0
        law = law_exponent(THETA, values, stated=1.0)
        assert law.verdict == "INCONCLUSIVE"
        assert law.value is None
        assert f"theta = {THETA[2]:g}" in law.reason

    def test_noise_needs_seeds(self):
        rng = np.random.default_rng(2)
        few, many = (
            law_exponent(
                THETA,
                rng.exponential(size=(6, seeds)) ** 2 * THETA[:, None],
                stated=1.0,
                relation="exactly",
            )
            for seeds in (16, 4096)
        )
        assert few.verdict == "INCONCLUSIVE"
        assert many.verdict == "CONSISTENT"
