"""The examples in the docstrings run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        *("agreement", "convergence", "distribution", "geometry", "levels"),
        *(
            "overview",
            "scaling",
            "sheet",
            "side_by_side",
            "spectra",
            "style",
            "svg",
            "tightness",
            "timeline",
            "trajectories",
        ),
    ],
)
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(f"optzoo.plots.{name}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
