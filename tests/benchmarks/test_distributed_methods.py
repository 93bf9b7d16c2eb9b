"""The comparison on robust regression: what is counted, and when a run ends."""

import numpy as np
import pytest

from benchmarks import distributed_methods as benchmark
from optzoo.problems import breast_cancer, robust_linear_regression
from theory_checks.claims.distributed_methods import settings


@pytest.fixture(scope="module")
def place():
    return robust_linear_regression(*breast_cancer(), 4, x_norm="l1"), ""


def test_a_run_counts_what_its_method_sends_until_it_is_close(place):
    run = benchmark.run_of("sliding", settings.sliding(place), 1.0)
    dim = place[0].dim
    assert run.error[-1] <= benchmark.LEVELS[-1] < run.error[-2]
    np.testing.assert_allclose(run.numbers, dim * run.rounds)  # a whole vector a round
    local_steps = benchmark._longer(settings.sliding(place), 1.0).numbers["local_steps"]
    np.testing.assert_allclose(run.calls, local_steps * run.rounds)  # 2 H for two rounds
    assert run.to(0.01, "rounds") < run.to(0.001, "rounds")
    assert run.rounds[-2] < run.to(0.001, "rounds") <= run.rounds[-1]
    assert run.to(1e-9, "rounds") == np.inf


def test_perm_k_sends_a_share_and_a_vector_on_a_refresh(place):
    run = benchmark.run_of("Three Pillars", settings.three_pillars(place), 4.0)
    n, dim = place[0].num_workers, place[0].dim
    steps = run.calls / run.calls[0]  # the first point is after one step
    refreshes = run.rounds - steps
    np.testing.assert_allclose(run.numbers, steps * np.ceil(dim / n) + refreshes * dim)


def test_longer_steps_have_more_local_steps(place):
    setting = settings.svogs(place)
    longer = benchmark._longer(setting, 8.0).numbers
    L = place[0].constants["L_1"].value
    assert longer["gamma"] == pytest.approx(8 * setting.numbers["gamma"])
    assert longer["local_step"] == pytest.approx(1 / (4 * (L + 1 / longer["gamma"])))
    assert longer["local_steps"] == np.ceil(10 * (1 + longer["gamma"] * L))


def test_winners_are_the_cheapest(monkeypatch):
    monkeypatch.setattr(benchmark, "WORKERS", (16,))
    monkeypatch.setattr(benchmark, "RATIOS", (30.0,))
    best, ahead = benchmark.winners("rounds")
    rounds = {name: benchmark.cost_at(name, 16, 30.0).rounds for name in benchmark.SHOWN}
    first, second = sorted(rounds.values())[:2]
    assert rounds[benchmark.SHOWN[best[0, 0]]] == first
    assert ahead[0, 0] == pytest.approx(second / first)
