"""The search for a rate, and the arithmetic of the study of power and grafting."""

import dataclasses
import math

import numpy as np
import pytest

from benchmarks import soap_power_and_grafting as benchmark
from benchmarks.soap_power_and_grafting import SIZES, VARIANTS, climbed


@pytest.mark.parametrize("guess", [1e-3, 1e-1, 10.0])
def test_the_search_walks_downhill_and_comes_out_of_divergence(guess):
    def loss(rate):
        return math.inf if rate > 5.0 else abs(math.log10(rate) + 1.0)

    found = climbed(loss, guess)
    assert abs(math.log10(found) + 1.0) <= 0.25


def test_no_rate_is_tried_twice():
    tried = []

    def loss(rate):
        tried.append(rate)
        return abs(math.log10(rate))

    climbed(loss, 0.1)
    assert len(tried) == len(set(tried)) == 5


def test_every_variant_has_its_row_and_rare_refreshes_those_of_the_best(monkeypatch):
    """On curves that are known: the power is the speed, tuned where the rate is the guess."""
    size = dataclasses.replace(SIZES["quick"], steps=100, every=1, seeds=2)

    def curve(make, given, size, rate, seed):
        f, power = (float(number) for number in given)
        slow = 1.0 if make is benchmark._adamw else 0.5 + power / f
        (guess,) = {
            v.guess for v in VARIANTS.values() if v.make is make and v.power == pytest.approx(power)
        }
        off = 0.1 * abs(math.log10(rate / guess))
        return 5.0 + off - slow * np.arange(1, 101) / 100

    monkeypatch.setattr(benchmark, "curve_of", curve)
    rows = {
        cells[0]: cells[1:]
        for line in benchmark.measure(size).splitlines()[2:]
        if line.startswith(("| AdamW", "| SOAP", "| Shampoo"))
        for cells in [[cell.strip() for cell in line.split("|")[1:-1]]]
    }
    assert list(rows) == [
        "AdamW",
        *(f"{name}, f = 1" for name in VARIANTS if name != "AdamW"),
        "SOAP, f = 50",
        "Shampoo, 1/2, grafted, f = 50",
    ]
    assert rows["SOAP, f = 1"][2] == ">1.00 [1.00, 1.00]"
    # AdamW's final loss is that of 95.5 of 100 steps, and 1/2 is as fast.
    assert rows["Shampoo, 1/2, f = 1"] == ["0.003", "4.045 [4.045, 4.045]", "0.95 [0.95, 0.95]"]
    assert rows["Shampoo, 1/2, grafted, f = 50"][2].startswith(">")
