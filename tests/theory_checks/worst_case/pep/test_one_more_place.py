"""What an operator owes at one more place, which conditions on pairs do not say."""

from dataclasses import replace

import numpy as np
import optax
import pytest

import optzoo
from theory_checks.worst_case import pep
from theory_checks.worst_case.pep import one_more_place
from theory_checks.worst_case.pep.one_more_place import Obstruction, obstructions, tightened

KIND = pep.StronglyMonotoneLipschitz(0.5, 2.0)
MONOTONE = pep.MonotoneLipschitz(1.0)
REFLECTED = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def extragradient(step, iterations, kind=MONOTONE):
    """How large |F|^2 can be at the last iterate."""
    return pep.worst_case(
        optzoo.randomized_extragradient(step),
        kind,
        2 * iterations,
        "last_gradient_norm",
        output=optzoo.extragradient_eval_params,
    )


def random_obstruction(random, m):
    a, b = random.dirichlet(np.ones(m)), 3 * random.random(m)
    return Obstruction(a, b, random.normal(size=2 * m))


def sides(kind, x, t, y, value):
    """What each known point allows a value at y: both must be at most 0."""
    far = np.sum((value - t) ** 2, axis=1) - kind.L**2 * np.sum((y - x) ** 2, axis=1)
    low = kind.mu * np.sum((y - x) ** 2, axis=1) - np.sum((value - t) * (y - x), axis=1)
    return far, low


def test_three_points_that_fulfil_all_conditions_on_pairs_and_are_of_no_operator():
    x, t = REFLECTED, -REFLECTED[:, ::-1]
    for i in range(3):  # at x_i itself the others allow t_i
        far, low = sides(MONOTONE, x, t, x[i], t[i])
        assert np.all(far <= 0)
        assert np.all(low <= 0)
    # At (1/2, 1/2) the last two allow (-1/2, -1/2) alone, and the first does not.
    y = np.array([0.5, 0.5])
    random = np.random.default_rng(0)
    for value in np.vstack([-y, -y + random.normal(size=(200, 2))]):
        far, low = sides(MONOTONE, x, t, y, value)
        assert max(*far[1:], low[0]) >= 0.25
    assert obstructions(MONOTONE, x, t)[0].excess(MONOTONE, x, t) == pytest.approx(0.5, abs=1e-6)


def test_the_excess_is_the_least_sum_over_values():
    random = np.random.default_rng(1)
    for _ in range(20):
        x, t = random.normal(size=(2, 4, 3))
        one = random_obstruction(random, 4)
        y = one.place @ np.vstack([x, t])
        least = one.lipschitz @ t + one.monotone @ (y - x) / 2

        def summed(value, one=one, x=x, t=t, y=y):
            far, low = sides(KIND, x, t, y, value)
            return one.lipschitz @ far + one.monotone @ low

        assert one.excess(KIND, x, t) == pytest.approx(summed(least), abs=1e-12)
        for _ in range(5):
            assert summed(least + random.normal(size=3)) > summed(least)


def test_the_place_is_where_the_multipliers_say_most():
    random = np.random.default_rng(2)
    for _ in range(20):
        x, t = random.normal(size=(2, 4, 3))
        one = random_obstruction(random, 4)
        best = replace(one, place=one_more_place._best_place(KIND, one.lipschitz, one.monotone))
        for _ in range(5):
            other = replace(one, place=best.place + 0.1 * random.normal(size=8))
            assert other.excess(KIND, x, t) < best.excess(KIND, x, t)


def members():
    """Operators of KIND: mu x + (L - mu) G(x) with G monotone and non-expansive."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    yield "turned", lambda x: x @ turn.T
    yield "clipped", lambda x: np.clip(x, -0.3, 0.2)
    yield "onto a disc", lambda x: x / np.maximum(1.0, np.linalg.norm(x, axis=1))[:, None]
    yield "a corner", lambda x: np.maximum(x, 0.0)


@pytest.mark.parametrize(("name", "inner"), [pytest.param(*m, id=m[0]) for m in members()])
def test_operators_of_the_class_fulfil_it(name, inner):
    random = np.random.default_rng(3)
    for _ in range(3):
        x = random.normal(size=(5, 2))
        t = KIND.mu * x + (KIND.L - KIND.mu) * inner(x)
        assert obstructions(KIND, x, t) == []
        for _ in range(50):
            a, b = random.dirichlet(np.ones(5)), 3 * random.random(5)
            place = one_more_place._best_place(KIND, a, b)
            assert Obstruction(a, b, place).excess(KIND, x, t) <= 1e-12


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_extragradient_attains_the_worst_last_value(iterations):
    """The conditions on pairs alone leave up to 4 percent more than any operator attains."""
    pairs = extragradient(0.5, iterations)
    attained = pep.attained(pairs)
    found = tightened(pairs)
    assert 0.99 <= attained / found.value <= 1 + 1e-6
    assert not found.exact
    if iterations > 1:
        assert attained / pairs.value < 0.98


@pytest.mark.parametrize("iterations", [2, 3])
def test_a_turn_of_the_plane_is_the_worst_operator_within_the_steps_of_the_theorem(iterations):
    """At gamma <= 1 / (sqrt(6) L): to the solver's accuracy."""
    pairs = extragradient(0.4, iterations)
    found = tightened(pairs)
    assert pep.attained(pairs) / found.value == pytest.approx(1.0, abs=1e-5)
    assert pep.attained(pairs) / pairs.value < 0.99


def test_at_long_steps_both_ends_of_what_is_known():
    pairs = extragradient(0.7, 3)
    assert pep.attained(pairs) == pytest.approx(0.42204, abs=1e-5)
    assert 0.42204 / 0.97 > tightened(pairs, rounds=20).value > 0.42204


def test_it_ends_where_nothing_is_found_or_solved(monkeypatch):
    pairs = extragradient(0.5, 2)
    monkeypatch.setattr(one_more_place, "obstructions", lambda *arguments: [])
    assert tightened(pairs) is pairs
    monkeypatch.undo()
    monkeypatch.setattr(pep.solve, "ACCURACIES", (1e-15,))
    assert tightened(pairs) is pairs


def test_what_is_no_class_of_operators_is_refused():
    with pytest.raises(TypeError, match=r"class of one operator.*got one over SmoothConvex"):
        tightened(pep.worst_case(optax.sgd(1.0), pep.SmoothConvex(1.0), 1))
    with pytest.raises(ValueError, match="rounds must be a positive integer, got 0"):
        tightened(extragradient(0.5, 1), rounds=0)
