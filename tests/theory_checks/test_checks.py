"""Checks by themselves."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import numpy as np
import pytest

from optzoo.problems import pytree_dataclass
from theory_checks.checks import ExactExponent, Minimizer
from theory_checks.simulation import Experiment, Process
from theory_checks.simulation.laboratory import Laboratory


def _value(j, process, position):
    return (j - 2.0) ** 2 + 0.3 * j * position


@pytree_dataclass
@dataclass(frozen=True, eq=False)
class _Valleys(Process):
    """value@j = (j - 2)^2 plus common noise: smallest at j = 2."""

    watch: ClassVar = {f"value@{j}": partial(_value, j) for j in range(5)}

    def init(self, key):
        return jax.random.normal(key)

    def step(self, position, k, key):
        return position


@pytest.mark.parametrize(
    ("window", "verdict"),
    [((2.0, 2.0), "CONSISTENT"), ((3.0, 4.0), "REFUTED"), ((0.0, 1.0), "REFUTED")],
)
def test_minimizer_says_where_a_mean_is_smallest(window, verdict):
    experiment = Experiment("valleys", _Valleys(), (1, 2))
    check = Minimizer(range(5), experiment, "value", window)
    finding = check.run(Laboratory(seeds=32))
    assert finding.verdict == verdict
    assert finding.checkpoints.tolist() == [0, 1, 2, 3, 4]
    assert np.argmin(finding.mean) == 2
    assert np.all(finding.lower <= finding.mean)
    assert np.all(finding.mean <= finding.upper)


@pytest.mark.parametrize(
    ("power", "relation", "bound", "verdict"),
    [
        (0.5, "exactly", None, "CONSISTENT"),
        (0.6, "exactly", None, "REFUTED"),
        (0.4, "exactly", None, "REFUTED"),
        (0.9, "at_least", None, "CONSISTENT"),
        (0.4, "at_least", None, "REFUTED"),
        (0.9, "at_least", 1.0, "CONSISTENT"),
        (0.9, "at_least", 1e-3, "REFUTED"),
    ],
)
def test_exact_exponent(power, relation, bound, verdict):
    eta = np.array([0.1, 0.05, 0.02, 0.01])

    def compute():
        return eta, 0.5 * eta**power, None if bound is None else np.full(4, bound)

    finding = ExactExponent(compute, 0.5, relation).run(Laboratory())
    assert finding.verdict == verdict
    assert finding.exponent.value == pytest.approx(power)
    assert finding.checkpoints.tolist() == sorted(eta.tolist())


def test_exact_exponent_looks_at_every_pair_of_neighbours():
    """A distance that stops falling is refuted although its overall slope is steep enough."""
    eta = 2.0 ** -np.arange(8)
    levels = np.maximum(eta, 2.0**-6)

    check = ExactExponent(lambda: (eta, levels, None), 0.5)
    finding = check.run(Laboratory())
    assert finding.exponent.value > 0.5
    assert finding.verdict == "REFUTED"
