"""The benchmark of the stream counts what it times."""

import numpy as np

from benchmarks import multilevel_stream
from benchmarks.multilevel_stream import BARE, BATCH_SIZE, NESTED, SINGLE, STREAM, ways


def test_every_way_counts_the_samples_it_takes():
    ticks, replicates, level = 40, 64, 3
    runs = ways(level, replicates=replicates, ticks=ticks)
    counts = {name: np.asarray(run()) for name, run in runs.items()}
    for name in (STREAM, SINGLE, BARE):
        np.testing.assert_array_equal(counts[name], np.full(replicates, ticks * BATCH_SIZE))
    # The iterations of the nested loop take as many in the mean: J has a deviation of about
    # 2.5 batches around 3.1, over 13 iterations of 64 lanes.
    assert abs(counts[NESTED].mean() / (ticks * BATCH_SIZE) - 1) < 0.15
    assert len(set(counts[NESTED])) > 1


def test_rates_are_samples_over_seconds(monkeypatch):
    class Timings:
        seconds = {"a": np.array([2.0, 4.0])}  # noqa: RUF012 it is read, never changed

    monkeypatch.setattr(multilevel_stream, "interleaved", lambda tasks, repeats: Timings())
    rates = multilevel_stream.samples_per_second({"a": lambda: np.array([3, 5])}, repeats=2)
    np.testing.assert_array_equal(rates["a"], [4.0, 2.0])
