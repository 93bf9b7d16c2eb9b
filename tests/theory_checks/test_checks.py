"""Checks by themselves."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import numpy as np
import pytest

from optzoo.problems import pytree_dataclass
from theory_checks.checks import ExactLowerBound, Minimizer
from theory_checks.simulation import Experiment, Process
from theory_checks.simulation.laboratory import Laboratory


def finding(measured, bound):
    sides = np.array(measured), np.array(bound)
    return ExactLowerBound(lambda: sides, what="by hand").run(Laboratory())


def test_a_bound_from_below_is_as_tight_as_its_closest_case():
    found = finding([6.0, 3.0, 0.5, 1.0], [2.0, 2.0, 0.0, 0.1])
    assert found.verdict == "CONSISTENT"
    assert (found.tightness, found.detectable_factor, found.vacuous) == (1.5, 1.5, False)
    np.testing.assert_array_equal(found.mean, [3.0, 6.0, 1.0])
    np.testing.assert_array_equal(found.bound, [2.0, 2.0, 0.1])
    assert finding([30.0], [2.0]).vacuous


@pytest.mark.parametrize("short", [1e-9, 1.0])
def test_one_case_below_refutes_a_bound_from_below(short):
    found = finding([3.0, 2.0 - short], [2.0, 2.0])
    assert found.verdict == "REFUTED"
    assert "1 violate it" in found.decided
    assert finding([3.0, 2.0 - 1e-12], [2.0, 2.0]).verdict == "CONSISTENT"


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
