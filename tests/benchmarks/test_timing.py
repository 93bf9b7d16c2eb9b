"""The clocks of the benchmarks, driven by a clock that the test sets."""

import math

import numpy as np
import pytest

from benchmarks.report import replace_section, table
from benchmarks.timing import GapWatch, Spread, interleaved


class FakeClock:
    """Seconds that pass only when somebody works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


def test_tasks_take_turns_and_the_first_round_is_kept_apart():
    clock, order = FakeClock(), []

    def task(name, seconds):
        durations = iter(seconds)

        def run():
            order.append(name)
            clock.work(next(durations))

        return run

    timings = interleaved(
        {"a": task("a", [10.0, 1.0, 2.0, 3.0]), "b": task("b", [20.0, 2.0, 8.0, 3.0])},
        repeats=3,
        clock=clock,
    )
    assert order == ["a", "b"] * 4
    assert timings.first == {"a": 10.0, "b": 20.0}
    assert timings.compilation("a") == 8.0
    # Ratios within a round, 2, 4 and 1: not the ratio of the medians, which is 1.5.
    assert timings.ratio("b", "a") == Spread(2.0, 1.0, 4.0)


def test_repeats_must_be_positive():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        interleaved({}, repeats=0)


def test_a_median_of_capped_runs_is_a_measurement_or_infinite():
    assert Spread.of([1.0, 2.0, math.inf]).median == 2.0
    assert Spread.of([1.0, math.inf]).median == math.inf
    with pytest.raises(ValueError, match="at least one measurement"):
        Spread.of([])


def watched(gaps, deadlines, step_seconds=1.0):
    """A method whose gap after k steps is gaps(k), looked at by a slow observer."""
    clock = FakeClock()

    def gap(iterate):
        clock.work(1000.0)  # off the clock
        return gaps(float(iterate[0]))

    watch = GapWatch(gap, deadlines, clock=clock)
    clock.work(77.0)  # before the work begins
    watch.start()
    looks = []
    while True:
        stop = watch.next_look
        clock.work((stop - watch.steps) * step_seconds)
        looks.append(stop)
        if watch.finished(stop, np.array([stop], dtype=float)):
            return watch, looks


def test_the_observer_is_off_the_clock():
    watch, looks = watched(lambda k: 1 / k, {0.1: 1e9, 0.01: 1e9}, step_seconds=0.5)
    assert watch.reached[0.1] == 0.5 * next(k for k in looks if k >= 10)
    assert watch.reached[0.01] == 0.5 * next(k for k in looks if k >= 100)
    assert watch.seconds == 0.5 * watch.steps == 0.5 * looks[-1]


def test_a_gap_counts_when_it_is_first_reached():
    watch, _ = watched(lambda k: 0.05 if k == 11 else 1 / k, {0.1: 1e9, 0.01: 1e9})
    assert watch.reached[0.1] == 11.0


def test_looks_lie_on_a_geometric_grid():
    _, looks = watched(lambda k: 1 / k, {1e-4: 1e9})
    assert looks[:3] == [1, 11, 21]
    apart = np.array(looks[40:])
    assert np.all(apart[1:] / apart[:-1] <= 1.1)
    assert np.all(apart[1:] / apart[:-1] > 1.09)


def test_a_deadline_ends_a_run_only_while_its_gap_is_missing():
    watch, _ = watched(lambda k: 1 / k, {0.1: 15.0, 1e-9: 200.0})
    assert set(watch.reached) == {0.1}
    assert 200.0 < watch.seconds < 230.0
    watch, _ = watched(lambda k: 1.0, {0.1: 15.0, 1e-9: 200.0})
    assert watch.reached == {}
    assert 15.0 < watch.seconds < 30.0


def test_a_section_is_replaced_in_its_place():
    document = ""
    for title, text in (("first", "old"), ("second", "two"), ("first", "new")):
        document = replace_section(document, title, text)
    assert document.startswith("# Benchmarks")
    assert document.count("# Benchmarks") == 1
    assert "old" not in document
    assert document.count("\n## first\n") == document.count("\n## second\n") == 1
    assert document.index("new") < document.index("two")
    assert replace_section(document, "second", "two") == document


def test_a_table_is_markdown():
    assert table(["a", "b"], [[1, 2]]).splitlines() == ["| a | b |", "|---|---:|", "| 1 | 2 |"]


@pytest.mark.parametrize("name", ["timing", "report"])
def test_examples(name):
    import doctest
    import importlib

    outcome = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
