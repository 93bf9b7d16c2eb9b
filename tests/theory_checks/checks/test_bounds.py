"""Sampled bounds and identities: at their borders, with caps, and what cannot be evaluated."""

import operator

import numpy as np
import pytest

from theory_checks.checks import PathwiseLowerBound, SampledIdentity, UpperBound
from theory_checks.statistics.protocol import Protocol

from .given import Given, experiment

RNG = np.random.default_rng(0)
NOISE = RNG.exponential(size=(512, 4))
POINTS = (1, 2, 4, 8)


def upper(metric, bound=(1.0, 1.0, 1.0, 1.0), *, seeds=32, protocol=None, **arguments):
    laboratory = Given({"metric": metric}, seeds, protocol=protocol or Protocol())
    check = UpperBound(experiment(POINTS), "metric", np.asarray(bound), **arguments)
    return check.run(laboratory), laboratory


class TestUpperBound:
    def test_three_verdicts_and_the_seeds_that_they_took(self):
        for scale, verdict, asked in (
            (0.3, "CONSISTENT", 32),
            (3.0, "REFUTED", 32),
            (0.98, "INCONCLUSIVE", 256),
        ):
            found, laboratory = upper(scale * NOISE)
            assert (found.verdict, laboratory.asked, found.seeds) == (verdict, asked, asked)

    def test_each_checkpoint_has_its_own_bound(self):
        metric = 0.3 * NOISE * np.array([1.0, 1e-3, 1e3, 1.0])
        assert upper(metric, [1.0, 1e-3, 1e3, 1.0])[0].verdict == "CONSISTENT"
        assert upper(metric, [1.0, 1e-4, 1e3, 1.0])[0].verdict == "REFUTED"
        found = upper(metric, [1.0, 1e-3, 1e3, 1.0])[0]
        np.testing.assert_allclose(found.mean, metric[:32].mean(axis=0))
        np.testing.assert_allclose(found.bound, [1.0, 1e-3, 1e3, 1.0])
        assert found.lower.shape == found.upper.shape == (4,)
        assert (found.lower < found.mean).all()
        assert (found.mean < found.upper).all()

    def test_the_last_checkpoint_alone(self):
        metric = NOISE * np.array([100.0, 100.0, 100.0, 0.2])
        found = upper(metric, [1.0], last_only=True)[0]
        assert (found.verdict, found.checkpoints.tolist()) == ("CONSISTENT", [8.0])
        assert upper(metric[:, ::-1], [1.0], last_only=True)[0].verdict == "REFUTED"

    def test_the_points_may_have_other_names(self):
        found = upper(0.3 * NOISE, points=(10, 20, 40, 80))[0]
        assert found.checkpoints.tolist() == [10, 20, 40, 80]
        assert "at k = " in found.decided
        assert int(found.decided.split("k = ")[1].split()[0]) in (10, 20, 40, 80)

    def test_a_cap_makes_support_finite_sample(self):
        metric = 0.2 * np.minimum(NOISE, 5.0)
        found = upper(metric, cap=1.0)[0]
        assert found.support == "finite-sample"
        assert "finite-sample, 32 seeds" in found.decided
        assert (found.finite_upper <= 1.0).all()
        assert upper(metric)[0].support == "asymptotic"
        assert upper(metric)[0].finite_upper is None
        mixed = upper(metric, cap=[1.0, 1.0, 100.0, 1.0])[0]
        assert mixed.support == "finite-sample and asymptotic"
        scaled = upper(10 * metric, [10.0] * 4, cap=10.0)[0]
        np.testing.assert_allclose(scaled.finite_upper, 10 * found.finite_upper)

    def test_a_cap_that_is_exceeded_is_no_cap(self):
        with pytest.raises(ValueError, match=r"samples must lie in \[0, cap\]"):
            upper(0.3 * NOISE, cap=0.2)

    def test_seeds_that_agree_support_only_where_that_is_certain(self):
        metric = 0.3 * NOISE.copy()
        metric[:, 0] = 0.5
        assert upper(metric)[0].verdict == "INCONCLUSIVE"
        found = upper(metric, certain=1)[0]
        assert (found.verdict, found.support) == ("CONSISTENT", "asymptotic and certain")
        with pytest.raises(ValueError, match="declared certain, but the seeds differ"):
            upper(metric, certain=2)

    def test_what_was_not_seen_is_said(self):
        assert upper(0.3 * NOISE)[0].unseen == pytest.approx(1 - 0.05 ** (1 / 32))
        assert upper(0.98 * NOISE)[0].unseen == pytest.approx(1 - 0.05 ** (1 / 256))

    def test_infinity_is_divergence_and_nan_a_mistake(self):
        metric = 0.3 * NOISE.copy()
        metric[3, 2] = np.inf
        assert upper(metric)[0].verdict == "REFUTED"
        metric[3, 3] = np.nan  # what a diverged path becomes
        assert upper(metric)[0].verdict == "REFUTED"
        for bad in (np.nan, -np.inf):
            metric = 0.3 * NOISE.copy()
            metric[3, 2] = bad
            with pytest.raises(ValueError, match="at seed 3, k = 4: only \\+inf counts"):
                upper(metric)
        metric[3, 2], metric[3, 3] = np.nan, np.inf  # not a number before it diverged
        with pytest.raises(ValueError, match="at seed 3, k = 4"):
            upper(metric)

    @pytest.mark.parametrize(("share", "raises"), [(0.009, False), (0.011, True)])
    def test_what_a_metric_rests_on_is_known_to_a_hundredth_of_it(self, share, raises):
        metric = 0.3 * NOISE * np.array([1.0, 0.1, 1.0, 1.0])
        smallest = metric[:32].mean(axis=0).min()
        if raises:
            with pytest.raises(ValueError, match="not far below the smallest mean measured"):
                upper(metric, uncertainty=share * smallest)
        else:
            assert upper(metric, uncertainty=share * smallest)[0].verdict == "CONSISTENT"

    def test_bounds_are_positive_and_one_a_checkpoint(self):
        for bound in ([1.0] * 3, [1.0, 0.0, 1.0, 1.0], [1.0, -1.0, 1.0, 1.0], [np.nan] * 4):
            with pytest.raises(ValueError, match="must be positive at each of its 4 checkpoints"):
                upper(NOISE, bound)

    def test_the_protocol_decides(self):
        metric = 1.6 * NOISE
        assert upper(metric, protocol=Protocol(alpha=0.05))[0].verdict == "REFUTED"
        patient = Protocol(alpha=1e-300, looks=1)
        found, laboratory = upper(metric, protocol=patient)
        assert (found.verdict, laboratory.asked) == ("INCONCLUSIVE", 32)


class TestPathwise:
    def pathwise(self, metric, bound=(1.0, 2.0, 4.0, 8.0)):
        check = PathwiseLowerBound(experiment(POINTS), "metric", lambda metrics: bound)
        return check.run(Given({"metric": metric}, 16))

    def test_one_path_below_at_one_checkpoint_refutes(self):
        metric = np.array([1.5, 3.0, 5.0, 9.0]) * np.ones((16, 4))
        found = self.pathwise(metric)
        assert (found.verdict, found.seeds) == ("CONSISTENT", 16)
        assert found.tightness == pytest.approx(9 / 8)
        metric[7, 2] = 4 * (1 - 1e-8)
        assert self.pathwise(metric).verdict == "REFUTED"
        assert "path 7 at k = 4" in self.pathwise(metric).decided
        metric[7, 2] = 4 * (1 - 1e-10)
        assert self.pathwise(metric).verdict == "CONSISTENT"

    def test_vacuous_beyond_ten_times_the_bound(self):
        metric = np.array([1.0, 2.0, 4.0, 8.0]) * np.ones((16, 4))
        assert self.pathwise(10.1 * metric).vacuous
        assert not self.pathwise(9.9 * metric).vacuous


class TestSampledIdentity:
    def identity(self, left, right, looks=4, **arguments):
        left, right = np.asarray(left, float), np.broadcast_to(right, np.shape(left))
        laboratory = Given({"left": left, "right": right}, 16)
        check = SampledIdentity(
            experiment(POINTS),
            left=lambda metrics: metrics["left"],
            right=lambda metrics: metrics["right"],
            looks=looks,
            **arguments,
        )
        return check.run(laboratory), laboratory

    def test_equal_means_pass_and_others_are_refuted(self):
        left = 1.0 + 0.1 * RNG.normal(size=(256, 4))
        found, laboratory = self.identity(left, 1.0)
        assert (found.verdict, found.seeds, laboratory.asked) == ("CONSISTENT", 64, 64)
        assert found.tightness == pytest.approx(1.0, abs=0.05)
        wrong = np.array([1.0, 1.0, 1.2, 1.0])
        assert self.identity(left, wrong)[0].verdict == "REFUTED"
        assert "quantity 2" in self.identity(left, wrong)[0].decided
        assert self.identity(left, 2 - wrong)[0].verdict == "REFUTED"

    def test_an_open_test_gets_twice_the_seeds_twice(self):
        """|z| is above 4, but with seeds unseen it is not; with four times the seeds it is."""
        left = np.random.default_rng(3).exponential(size=(256, 4)) ** 1.3
        exact = left.mean(axis=0)
        found, laboratory = self.identity(left, 1.8 * exact)
        assert (found.verdict, laboratory.asked) == ("REFUTED", 128)
        found, laboratory = self.identity(np.full((256, 4), 0.9), 1.0)
        assert (found.verdict, laboratory.asked) == ("INCONCLUSIVE", 256)

    def test_a_declared_range_is_used_and_named(self):
        coins = (np.random.default_rng(1).random((256, 4)) < 0.5).astype(float)
        found, _ = self.identity(coins, 0.5, within=(0.0, 1.0))
        assert (found.verdict, found.support) == ("CONSISTENT", "finite-sample")
        assert self.identity(coins, 0.5)[0].support == "asymptotic"
        assert self.identity(coins, 0.9, within=(0.0, 1.0))[0].verdict == "REFUTED"
        agreeing = np.full((256, 4), 0.5)  # of rarer ones nothing is known without a range
        assert self.identity(agreeing, 1.0)[0].verdict == "INCONCLUSIVE"
        assert self.identity(agreeing, 1.0, within=(0.0, 2.0))[0].verdict == "REFUTED"

    def test_what_decides_is_what_its_name_says(self):
        def named(**arguments):
            side = operator.itemgetter("left")
            return SampledIdentity(experiment(POINTS), side, side, **arguments).name

        assert named() == "z-test"
        assert named(within=(-1.0, 1.0)) == "bet within a range"

    def test_what_the_seeds_resolve(self):
        left = 2.0 + 0.1 * np.tile([[1.0], [-1.0]], (128, 4))
        found, _ = self.identity(left, 2.0)
        error = 0.1 * np.sqrt(64 / 63) / 8
        assert f"resolves deviations of {4 * error / 2:.2g}" in found.decided
        assert found.upper[0] - found.mean[0] == pytest.approx(3 * error)
