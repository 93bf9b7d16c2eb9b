"""The benchmark of the oracles on small sizes: each statement gives the oracle's minimum."""

import re

import numpy as np
import pytest

from benchmarks import oracles
from optzoo import lmo


def test_every_set_has_a_row_and_agrees_with_its_statement():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracles, "REPEATS", 1)
        patch.setattr(oracles, "TASK", 1e-6)
        text = oracles.measure((16,))
    rows = re.findall(r"^\| `(.+?)` \| (\d+) \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((name, "16") for name in oracles.entries(16))
    assert len(re.findall(r"^\| 4 \|", text, re.MULTILINE)) == 1


def test_a_statement_that_gives_another_minimum_stops_the_benchmark():
    wrong = oracles.Entry(lmo.l1_ball(1.0), lambda g: np.zeros_like(g))
    with pytest.raises(AssertionError, match="l1_ball"):
        oracles._row("l1_ball", wrong, 16)
