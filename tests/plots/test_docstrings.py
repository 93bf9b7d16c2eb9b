"""The examples in the docstrings run."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        *("agreement", "comparison", "convergence", "distribution", "geometry", "levels"),
        *(
            "overview",
            "scaling",
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
