"""Rates of error of the verdicts, held against their limits at fixed seeds.

`python -m theory_checks.statistics.honesty` measures the same rates with more runs.
"""

import math

import numpy as np
import pytest

from theory_checks.statistics import verdict
from theory_checks.statistics.honesty import (
    LAWS,
    decisions,
    lognormal,
    refutation_times,
    seeds_for_power,
    trajectories,
)


@pytest.fixture(autouse=True)
def no_detectable_factor(monkeypatch):
    """No outcome rests on it, it takes four fifths of the time, and its own tests compute it."""
    monkeypatch.setattr(verdict, "_detectable_factor", lambda table, threshold: math.inf)


def count(verdicts, outcome):
    return sum(v.verdict == outcome for v in verdicts)


@pytest.mark.parametrize("name", ["exponential", "chi-square(1)", "lognormal(sigma 1)"])
def test_laws_have_mean_one(name):
    samples = trajectories(LAWS[name], 200_000, 1, rng=np.random.default_rng(0), correlation=0.0)
    assert samples.mean() == pytest.approx(1.0, abs=4 * samples.std() / np.sqrt(200_000))


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("checkpoints", "correlation"), [(1, 0.0), (8, 0.9)])
def test_true_claims_at_the_boundary_are_rarely_refuted(name, checkpoints, correlation):
    """E Z = 1, looking after every one of 128 seeds at alpha = 1%: at most 1%, and 0.3% seen.

    20 refutations of 1000 would have probability 0.3% at a rate of 1%.
    """
    times = refutation_times(
        LAWS[name],
        ratio=1.0,
        alpha=0.01,
        seeds=128,
        checkpoints=checkpoints,
        correlation=correlation,
        runs=1000,
    )
    assert np.isfinite(times).sum() < 20


def test_optional_stopping_catches_what_a_fixed_size_test_may_not():
    """A z test at 1% that looks after every seed refutes true claims far above 1%."""
    ratios = trajectories(LAWS["exponential"], 128, 1, runs=500, rng=np.random.default_rng(0))[
        ..., 0
    ]
    n = np.arange(1, 129)
    z = (np.cumsum(ratios, axis=1) / n - 1.0) * np.sqrt(n)
    assert (z.max(axis=1) > 2.33).mean() > 0.08
    times = refutation_times(
        LAWS["exponential"], ratio=1.0, alpha=0.01, seeds=128, checkpoints=1, runs=500
    )
    assert np.isfinite(times).mean() <= 0.01


@pytest.mark.parametrize(
    ("violation", "cv", "needed"),
    [(2.0, 0.3, 17), (2.0, 1.0, 41), (2.0, 2.0, 119), (1.5, 0.3, 33), (1.5, 1.0, 122)],
)
def test_seeds_for_ninety_percent_power(violation, cv, needed):
    """The published table, for log-normal Z at one checkpoint, to 15%."""
    times = refutation_times(
        lognormal(cv),
        ratio=violation,
        alpha=1e-3,
        seeds=2 * needed,
        checkpoints=1,
        runs=1000,
    )
    assert seeds_for_power(times) == pytest.approx(needed, rel=0.15)


@pytest.mark.parametrize(
    ("violation", "least", "most"), [(1.25, 0.02, 0.2), (1.5, 0.85, 0.97), (2.0, 0.99, 1.0)]
)
def test_power_at_64_seeds(violation, least, most):
    """Exponential Z at 20 independent checkpoints, alpha = 0.1%."""
    times = refutation_times(
        LAWS["exponential"],
        ratio=violation,
        alpha=1e-3,
        seeds=64,
        correlation=0.0,
        runs=300,
    )
    assert least <= np.isfinite(times).mean() <= most


def test_fourfold_violations_are_refuted_under_strong_dependence():
    for law in (LAWS["exponential"], LAWS["lognormal(sigma 1)"]):
        times = refutation_times(law, ratio=4.0, alpha=1e-3, seeds=64, runs=200)
        assert np.isfinite(times).all()


@pytest.mark.parametrize(
    ("name", "most"),
    [("exponential", 0.025), ("chi-square(1)", 0.025), ("lognormal(sigma 1)", 0.05)],
)
def test_false_support_of_one_look(name, most):
    """E Z = 1 at one checkpoint, 32 seeds, limits at 98.75%: about 1.2 to 2.5% pass."""
    verdicts = decisions(LAWS[name], ratio=1.0, seeds=32, checkpoints=1, runs=600)
    assert 1 <= count(verdicts, "CONSISTENT") <= most * 600


@pytest.mark.parametrize(("name", "most"), [("exponential", 0.06), ("lognormal(sigma 1)", 0.09)])
def test_false_support_of_the_whole_sequence(name, most):
    """Looks at 32, 64, 128 and 256 seeds at E Z = 1: about 5% for moderate tails."""
    verdicts = decisions(LAWS[name], ratio=1.0, seeds=32, checkpoints=1, max_doublings=3, runs=150)
    assert count(verdicts, "CONSISTENT") <= most * 150


@pytest.mark.parametrize("name", LAWS)
def test_twenty_checkpoints_at_the_boundary_are_not_supported(name):
    """All limits have to pass, so a claim tight at many checkpoints is hardly ever supported."""
    verdicts = decisions(LAWS[name], ratio=1.0, seeds=32, runs=60)
    assert count(verdicts, "CONSISTENT") <= 1


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("exponential", 0.97),
        ("chi-square(1)", 0.80),
        ("lognormal(sigma 1)", 0.80),
        ("Pareto(2.1)", 0.77),
    ],
)
def test_true_claims_far_from_the_bound_are_decided_by_32_seeds(name, least):
    """E Z = 0.3 at one checkpoint; the tail alarm leaves few of them undecided."""
    verdicts = decisions(LAWS[name], ratio=0.3, seeds=32, checkpoints=1, runs=150)
    assert count(verdicts, "REFUTED") == 0
    assert count(verdicts, "CONSISTENT") >= least * 150


@pytest.mark.parametrize("name", ["exponential", "chi-square(1)", "lognormal(sigma 1)"])
def test_true_claims_are_decided_by_256_seeds(name):
    """The tail index of such laws is below 2.5 in most runs; far below the bound it is harmless."""
    verdicts = decisions(LAWS[name], ratio=0.3, seeds=256, runs=12)
    assert count(verdicts, "CONSISTENT") == 12


def test_more_seeds_decide_what_32_leave_open():
    law = LAWS["exponential"]
    once = decisions(law, ratio=0.6, seeds=32, runs=20)
    extended = decisions(law, ratio=0.6, seeds=32, max_doublings=3, runs=20)
    assert count(once, "CONSISTENT") < 10
    assert count(extended, "CONSISTENT") >= 18
