"""The arithmetic of the benchmark on a language model."""

import dataclasses
import re

import numpy as np

from benchmarks import soap_language_model as benchmark
from benchmarks.soap_language_model import SIZES
from theory_checks.claims.soap import language_model

TINY = dataclasses.replace(
    SIZES["quick"], width=8, length=8, batch=4, steps=4, every=2, rates=(1e-3, 1e-2)
)


def test_every_method_has_its_row(monkeypatch):
    """The arithmetic of the table, on curves that are known."""
    speed = {"AdamW": 1.0, "SOAP, f = 1": 2.0}

    def curve(name, size, rate, seed):
        clock[0] += 3.0 if name.startswith("SOAP") else 1.0
        steps = np.arange(size.every, size.steps + 1, size.every)
        fast = speed.get(name, 0.5) * (1 if rate == 1e-2 else 0.1)
        return 5.0 - fast * steps / size.steps

    clock = [0.0]
    monkeypatch.setattr(benchmark, "training_curve", curve)
    monkeypatch.setattr(language_model, "training_curve", curve)
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    size = dataclasses.replace(TINY, steps=100, every=1)
    rows = {
        cells[0]: cells[1:]
        for line in benchmark.measure(size).splitlines()
        if re.match(r"\| (AdamW|(KL-)?SOAP|(KL-)?Shampoo)", line)
        for cells in [[cell.strip() for cell in line.split("|")[1:-1]]]
    }
    assert list(rows) == list(language_model.METHODS)
    assert all(row[0].startswith("0.01") for row in rows.values())
    iterations, cost, clock = rows["SOAP, f = 1"][2:]
    assert (iterations, cost, clock) == (
        "0.48 [0.48, 0.48]",
        "3.00 [3.00, 3.00]",
        "1.43 [1.43, 1.43]",
    )
    assert rows["Shampoo, f = 10"][2] == ">1.00 [1.00, 1.00]"
