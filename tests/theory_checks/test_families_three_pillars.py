"""The instances that are searched for the theorems on Three Pillars."""

from dataclasses import replace

import numpy as np
import pytest

from optzoo.compressors import Identity, PermK, RandK, SampledClients
from optzoo.problems import CompressedMoments, Messages
from optzoo.theorems.three_pillars import (
    V1,
    V1_STEP,
    V2,
    V3,
    V4,
    V4_CLIENTS,
    V4_LOCAL,
    V4_STEP,
    V5_STEP,
    V6,
    V6_STEP,
)
from theory_checks.claims.three_pillars.enumeration import after_messages, random_states
from theory_checks.claims.three_pillars.families import FAMILIES, operators
from theory_checks.claims.three_pillars.settings import moments, small_saddle

from .members import by_name, first_choice, require_caught, require_members

CERTIFIED = {"V1: 2 workers, d = 2", "V1: 4 workers, d = 2", "V5, one step: 2 workers, d = 2"}
"""All families have the problems of one of these, or larger ones."""


@pytest.mark.parametrize("family", **by_name(FAMILIES))
def test_random_members_are_instances_that_obey_the_theorem(family):
    ball = V5_STEP in family.theorems  # is compiled for each choice
    choice = first_choice(family) if ball else None
    require_members(family, choice=choice, certified=int(family.name in CERTIFIED))


# Two workers that are each other's mirror, without a common coupling.
ZERO = {
    "mu": 0.1,
    "coupling": [0.0],
    "stretch": [0.0, 0.0],
    "similarity": 1.0,
    "deviations": [0.0, 1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 0.0],
    "p": 0.25,
    "step": 0.7,
}
FOUR = {"deviations": 2 * ZERO["deviations"]}
START = {"start": [1.0, 1.0]}
INSIDE = {"z": [0.1, -0.2], "m": [-0.1, 0.1], "radius": 1.0, "offset": [0.0, 0.0]}
# F = J and F_1 = J + I / 2, where all parts of F(u) may point the same way.
ALIGNED = {
    "coupling": [1.0],
    "stretch": [0.0, 0.0],
    "similarity": 0.5,
    "deviations": [1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0],
    "p": 0.9,
    "step": 1.0,
}


def more(name, factor):
    """A formula with a constant that is so many times what it is."""
    return lambda formula: (
        lambda one, *at: formula(replace(one, **{name: factor * getattr(one, name)}), *at)
    )


def times(factor):
    """A formula with a factor."""
    return lambda formula: lambda *given: factor * formula(*given)


@pytest.mark.parametrize(
    ("theorem", "mistake", "member"),
    [
        (V1, more("mu", 3.0), ZERO | START | {"horizon": 100}),
        (V1_STEP, more("mu", 1.5), ZERO),
        (V1_STEP, more("d_B", 0.5), ZERO | {"step": 0.99, "mu": 3.0}),
        (V2, more("mu", 1.5), ZERO | {"mu": 0.01}),
        (V3, more("delta_1", 0.7), ZERO),
        (V3, more("A", 0.5), ZERO),
        (V4, more("mu", 3.0), ZERO | START | {"horizon": 100, "left": 0.01}),
        (V4_CLIENTS, more("mu", 3.0), ZERO | START | FOUR | {"horizon": 100, "left": 0.01}),
        (V4_STEP, more("mu", 2.0), ZERO | {"H": 200}),
        (V4_STEP, more("H", 20.0), ZERO | {"H": 1}),
        (V4_LOCAL, times(1.2), ZERO),
        (V5_STEP, more("mu", 1.5), ZERO | INSIDE),
        (V6, times(1 / 8), ALIGNED | START | {"horizon": 1}),
        (V6_STEP, times(0.9), ALIGNED),
    ],
    ids=lambda one: getattr(one, "label", ""),
)
def test_a_theorem_with_a_mistake_is_caught(theorem, mistake, member):
    require_caught(FAMILIES, theorem, mistake(theorem.formula), **member)


def test_operators_are_what_was_asked_for():
    deviations = np.random.default_rng(0).normal(size=(3, 2, 2))
    problem = operators(0.3, [2.0], [0.5, 0.0], 0.7, deviations.ravel(), offset=[1.0, -1.0])
    mean = np.asarray(problem.matrices).mean(axis=0)
    np.testing.assert_allclose(mean, [[0.8, 2.0], [-2.0, 0.3]], atol=1e-12)
    assert problem.constants["mu"].value == pytest.approx(0.3)
    assert problem.constants["delta"].value == pytest.approx(0.7)
    np.testing.assert_allclose(mean @ problem.solution, [-1.0, 1.0], atol=1e-12)
    with pytest.raises(ValueError, match="deviations must not be equal"):
        operators(0.3, [2.0], [0.5, 0.0], 0.7, np.ones(12))


@pytest.mark.parametrize(
    "compressor", [PermK(4), SampledClients(2, 4), RandK(1, 4), Identity(4)], ids=str
)
def test_few_local_steps_follow_the_recursion_of_the_shipped_method(compressor):
    setting = small_saddle("spectrum", size=3.0, compressor=compressor, local_steps=2)
    run, star, p = setting.run(), setting.problem.solution, setting.value("p")
    z, m = random_states(run, 2)
    found = np.zeros((2, 8, 8))
    for kept, weight in ((True, 1 - p), (False, p)):
        after = after_messages(run, z, m, kept)
        w = np.concatenate([after.z, after.m], axis=2) - np.tile(star, 2)
        found += weight * np.einsum("sda,sdb->sab", w, w) / w.shape[1]
    for own, at_z, at_m in zip(found, z - star, m - star, strict=True):
        w = np.concatenate([at_z, at_m])
        inexact, exact = (
            moments(setting, exact=exact).step(np.outer(w, w)) for exact in (False, True)
        )
        np.testing.assert_allclose(inexact, own, atol=1e-12 * (w @ w))
        assert np.abs(exact - own).max() > 1e-3 * (w @ w)


def test_local_steps_have_a_length():
    problem = small_saddle("zero").problem
    for more in ((2, None), (None, 0.1)):
        with pytest.raises(ValueError, match="local_steps and local_step belong together"):
            CompressedMoments(problem, 0.1, 0.25, 0.25, Messages("none"), *more)
    with pytest.raises(ValueError, match="local_steps must be at least 1"):
        CompressedMoments(problem, 0.1, 0.25, 0.25, Messages("none"), 0, 0.1)
