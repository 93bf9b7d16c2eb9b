"""Sampled identities: the score, seeds unseen, declared ranges, and how often each errs."""

import math

import numpy as np
import pytest
from scipy import stats

from theory_checks.statistics.betting import log_wealth
from theory_checks.statistics.identity import identity_test
from theory_checks.statistics.protocol import Protocol


def test_score_of_normal_differences():
    """Mean 0.5, standard error 0.1: t = 5 of 399 degrees of freedom is z = 4.93."""
    differences = 2.0 * np.tile([1.0, -1.0], 200) * math.sqrt(399 / 400) + 0.5
    result = identity_test(differences)
    assert result.mean == pytest.approx(0.5)
    assert result.standard_error == pytest.approx(0.1)
    assert result.resolves[0] == pytest.approx(0.4)
    assert result.z == pytest.approx(4.93, abs=0.01)
    assert result.verdict == "REFUTED"
    assert identity_test(-differences).z == pytest.approx(-result.z)
    assert identity_test(-differences).verdict == "REFUTED"
    assert identity_test(differences - 0.15).verdict == "CONSISTENT"
    assert identity_test(differences, protocol=Protocol(max_z=5.0)).verdict == "CONSISTENT"


def test_the_seeds_unseen_by_a_direct_formula():
    """ln(1 / alpha) seeds like the farthest below 0, added to the sample as they stand."""
    rng = np.random.default_rng(0)
    protocol = Protocol(alpha=math.exp(-5))
    for scale in (1.0, 1.1, 1.2, 1.4, 1.6, 2.0, 3.0):
        differences = 1.0 - rng.exponential(size=200) + 0.3 * scale
        augmented = np.concatenate([differences, np.full(5, differences.min())])
        t = augmented.mean() / (augmented.std(ddof=1) / math.sqrt(205))
        z = stats.norm.isf(stats.t.sf(t, df=204))
        plain = differences.mean() / (differences.std(ddof=1) / math.sqrt(200))
        plain = stats.norm.isf(stats.t.sf(plain, df=199))
        expected = "CONSISTENT" if plain < 4 else "REFUTED" if z >= 4 else "INCONCLUSIVE"
        assert identity_test(differences, protocol=protocol).verdict == expected
        assert identity_test(-differences, protocol=protocol).verdict == expected


@pytest.mark.parametrize(("sigma", "most"), [(1.0, 2), (1.5, 10), (2.0, 60)])
def test_true_identities_of_skewed_differences_are_rarely_refuted(sigma, most):
    """Log-normal, 128 seeds, 10,000 runs: |z| >= 4 alone refuted 0.3%, 2% and 8% of them."""
    normal = np.random.default_rng(4).normal(size=(128, 10_000))
    outcome = identity_test(np.exp(sigma * normal - sigma**2 / 2) - 1.0)
    assert outcome.refuted.sum() <= most
    assert outcome.suspect.sum() > 10 * most


def test_few_seeds_do_not_reject_by_chance():
    """|t| > 4 has probability 16% for two seeds; the normal score keeps 6e-5."""
    normal = np.random.default_rng(0).normal(size=(2, 10_000))
    t = np.abs(normal.mean(axis=0)) / (normal.std(axis=0, ddof=1) / math.sqrt(2))
    assert (t > 4.0).mean() > 0.1
    assert identity_test(normal).suspect.sum() <= 4


def test_one_of_many_quantities_decides_and_is_named():
    differences = np.random.default_rng(1).normal(size=(100, 8))
    assert identity_test(differences).verdict == "CONSISTENT"
    differences[:, 5] += 1.0
    assert identity_test(differences).verdict == "REFUTED"
    assert "quantity 5" in identity_test(differences).reason
    differences[:, 2] = 0.1  # its seeds agree: it is suspect, but the other one refutes
    assert "quantity 5" in identity_test(differences).reason


def test_seeds_that_agree_tell_nothing_of_rarer_ones():
    assert identity_test(np.zeros(8)).verdict == "CONSISTENT"
    assert identity_test(np.full(8, 1e-13)).verdict == "CONSISTENT"
    for sign in (1.0, -1.0):
        outcome = identity_test(np.full(8, sign * 0.25))
        assert outcome.verdict == "INCONCLUSIVE"
        assert "all seeds agree" in outcome.reason
        assert identity_test(np.full(80, sign * 0.25), within=(-1.0, 1.0)).verdict == "REFUTED"
    assert identity_test(np.tile([0.25, -0.25], 4)).verdict == "CONSISTENT"


class TestDeclaredRange:
    def test_rare_events_do_not_refute_a_true_identity(self):
        """0.5 too low in 99% of runs, 49.5 too high in the rest: 27% of samples show no event."""
        rng = np.random.default_rng(5)
        noise = 0.5 * (rng.exponential(size=(300, 128)).clip(max=5.0) - 0.9932621)
        differences = noise - 0.5 + 50.0 * (rng.random((300, 128)) < 0.01)
        assert identity_test(differences.T).refuted.sum() > 50
        ranged = [identity_test(run, within=(-1.0, 52.5)).verdict for run in differences[:60]]
        assert ranged.count("REFUTED") == 0

    def test_level_and_power_for_coins(self):
        rng = np.random.default_rng(6)
        coins = (rng.random((100, 128)) < 0.5).astype(float)
        fair = [identity_test(run - 0.5, within=(-0.5, 0.5)).verdict for run in coins]
        assert fair.count("REFUTED") == 0
        loaded = (rng.random((40, 128)) < 0.8).astype(float)
        found = [identity_test(run - 0.5, within=(-0.5, 0.5)).verdict for run in loaded]
        assert found.count("REFUTED") > 37
        mirrored = [identity_test(0.5 - run, within=(-0.5, 0.5)).verdict for run in loaded]
        assert mirrored.count("REFUTED") > 37

    def test_a_range_that_ends_at_0_allows_no_difference_but_0(self):
        assert identity_test(np.full(20, 0.1), within=(0.0, 1.0)).verdict == "REFUTED"
        assert identity_test(np.full(20, -0.1), within=(-1.0, 0.0)).verdict == "REFUTED"
        assert identity_test(np.zeros(20), within=(0.0, 1.0)).verdict == "CONSISTENT"

    def test_the_e_value_is_the_mean_over_both_bets_on_each_quantity(self):
        table = np.array([[0.5, -0.2], [0.25, 0.1], [0.5, 0.3]])
        log_e = identity_test(table, within=(-1.0, 2.0)).log_e_value
        gains = np.hstack([table, -table / 2.0])
        wealth = np.exp(log_wealth(gains)).mean(axis=1)
        assert log_e == pytest.approx(math.log(wealth.max()))

    def test_alpha_is_the_level_of_the_bet(self):
        differences = np.full(12, 0.5)
        log_e = identity_test(differences, within=(-1.0, 1.0)).log_e_value
        for factor, verdict in ((1.01, "REFUTED"), (0.99, "INCONCLUSIVE")):
            protocol = Protocol(alpha=factor * math.exp(-log_e))
            outcome = identity_test(differences, within=(-1.0, 1.0), protocol=protocol)
            assert outcome.verdict == verdict

    def test_what_lies_outside_is_refused(self):
        with pytest.raises(ValueError, match="declared range from -1 to 1"):
            identity_test([0.0, 1.5], within=(-1, 1))
        with pytest.raises(ValueError, match="declared range"):
            identity_test([0.0, -1.5], within=(-1, 1))


def test_bad_input_raises():
    with pytest.raises(ValueError, match="at least 2 seeds"):
        identity_test([0.1])
    with pytest.raises(ValueError, match="must be finite"):
        identity_test([0.1, math.nan])
    with pytest.raises(ValueError, match="tolerance must be at least 0"):
        identity_test([0.1, 0.2], tolerance=math.nan)
