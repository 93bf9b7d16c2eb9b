"""Rates of error of each kind of check, small runs of the tables in docs/error_rates.md."""

import numpy as np
import pytest

from theory_checks.statistics.error_rates import (
    BORDER_LAWS,
    CAPS,
    bounds,
    capped,
    exponents,
    identities,
    minimizers,
    tables,
)


@pytest.mark.parametrize("name", BORDER_LAWS)
def test_laws_have_mean_one_and_keep_their_caps(name):
    grid = np.linspace(-8.0, 8.0, 400_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    values = BORDER_LAWS[name](grid)
    # Pareto(1.5) has a hundredth of its mean beyond 8 standard deviations' grid.
    assert np.trapezoid(values * density, grid) == pytest.approx(1.0, abs=0.01)
    assert values.min() >= 0.0
    if name in CAPS:
        assert values.max() <= CAPS[name]


@pytest.mark.parametrize("name", ["uniform", "rare event, 1%"])
def test_true_bounds_are_not_refuted(name):
    assert bounds(name, runs=5).refuted == 0.0


@pytest.mark.parametrize("name", ["rare event, 10%", "rare event, 1%"])
def test_what_is_called_finite_sample_is_not_supported_by_luck(name):
    """A rare event is unseen in most runs, and the asymptotic limit supports the border."""
    found = bounds(name, runs=8, cap=True)
    assert found.finite <= 1 / 8
    if name == "rare event, 1%":
        assert found.consistent >= 0.3


@pytest.mark.parametrize("name", CAPS)
def test_a_cap_keeps_its_level_at_every_look(name):
    """5% at 256 looks; 70 of 1000 would have probability 0.3% at a rate of 5%."""
    assert capped(name, runs=1000).finite < 0.07


def test_one_bad_checkpoint_among_twenty_is_not_overlooked():
    assert bounds("exponential", shape="one bad", runs=4).consistent <= 1 / 4


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("uniform", 0.0005),
        ("skewed to the left", 0.0005),
        ("exponential", 0.0005),
        ("lognormal(sigma 1)", 0.0005),
        ("lognormal(sigma 2)", 0.006),
        ("rare event, 10%", 0.0005),
    ],
)
def test_true_identities_are_not_refuted(name, most):
    assert identities(name, runs=4000).refuted <= most


def test_a_declared_range_makes_rare_events_harmless():
    assert identities("rare event, 1%", runs=2000).refuted > 0.1
    assert identities("rare event, 1%", runs=60, ranged=True).refuted == 0.0


def test_what_identities_miss():
    assert 0.2 < identities("uniform", factor=1.25, runs=200).refuted < 0.6
    assert identities("exponential", factor=2.0, runs=200).refuted > 0.8
    assert identities("exponential", factor=0.5, runs=200).refuted > 0.9


@pytest.mark.parametrize(
    ("relation", "off"), [("at_most", 0.1), ("exactly", 0.15), ("exactly", -0.15), ("rate", -0.05)]
)
def test_exponents_at_their_borders(relation, off):
    found = exponents(relation, off, spread="even", seeds=64, runs=40)
    assert found.consistent <= 0.2
    assert found.refuted <= 0.1


def test_minimizers_at_a_tie():
    found = minimizers(spread=0.5, seeds=32, runs=60)
    assert found.consistent + found.refuted <= 0.15


def test_every_row_of_the_tables_is_another():
    rows = [measure for _, measurements in tables(10) for measure in measurements]
    assert len(rows) > 80
