"""Coins and batches enumerated: Sarah Frank-Wolfe on two components."""

import numpy as np
import optax
import pytest

import optzoo
from optzoo.theorems.frank_wolfe import Sarah
from theory_checks.worst_case import pep

OVER = pep.OverSet(pep.FiniteSum(pep.SmoothConvex(1.0), 2), 1.0)


def branches(p, steps, schedule=None):
    schedule = schedule or optzoo.open_loop_schedule()

    def method(constraint, key):
        return optzoo.sarah_frank_wolfe(constraint, schedule, p, key=key)

    return pep.restart_branches(method, steps=steps, restart_probability=p)


def theorem(p, eta):
    """F3: two convex L-smooth components differ by at most L / 2 from their mean."""
    constants = Sarah(L=1.0, L_pm=0.5, D=1.0, p=p, nu=1.0, r_0=0.5)
    return float(constants.convex(eta)[-1])


def test_the_worst_mean_lies_between_plain_frank_wolfe_and_the_theorem():
    eta = np.array([1.0, 2 / 3])
    plain = pep.worst_case(
        lambda constraint: optzoo.frank_wolfe(constraint, optzoo.open_loop_schedule()),
        pep.OverSet(pep.SmoothConvex(1.0), 1.0),
        steps=2,
    ).value
    noisy = pep.worst_mean(branches(0.5, 2), OVER).value
    np.testing.assert_allclose(noisy, 0.32905, atol=1e-5)
    assert plain * 1.05 < noisy < theorem(0.5, eta)


def test_without_coins_it_is_plain_frank_wolfe():
    (only,) = branches(1.0, 2)
    assert only.probability == 1.0
    np.testing.assert_allclose(pep.worst_mean([only], OVER).value, 0.31262, atol=1e-5)


def test_probabilities_of_all_that_can_happen():
    found = branches(0.25, 3)
    assert len(found) == 9
    assert sum(branch.probability for branch in found) == pytest.approx(1.0)
    # Two restarts, a restart and a batch in either order, two batches.
    weights = sorted(branch.probability for branch in found)
    np.testing.assert_allclose(weights, sorted([1 / 16] + 4 * [3 / 32] + 4 * [9 / 64]))


def test_the_coins_are_those_of_the_method():
    def method(constraint, key):
        return optzoo.sarah_frank_wolfe(constraint, 0.5, 1.0, key=key)

    with pytest.raises(ValueError, match=r"restart probability the given one"):
        pep.restart_branches(method, steps=2, restart_probability=0.5)


def test_a_function_alone_is_a_sum_of_one():
    found = pep.worst_case(optax.sgd(1.0), pep.FiniteSum(pep.SmoothConvex(1.0), 1), steps=2)
    np.testing.assert_allclose(found.value, 0.1, atol=1e-6)


def test_stochastic_gradient_descent_attains_its_worst_mean():
    """Both components share the minimizer, so that the noise does not keep the method away."""

    def shared(performance, radius):
        x = performance.minimizer
        squares = [component.gradient(x) ** 2 for component in performance.components]
        return [performance.squared_distance(performance.start) - radius**2, sum(squares)]

    every = pep.batch_branches(optax.sgd(0.5), steps=1)
    worst = pep.worst_mean(every, pep.FiniteSum(pep.SmoothConvex(1.0)), initial=shared)
    assert 0.99 <= pep.attained(worst) / worst.value <= 1 + 1e-4
