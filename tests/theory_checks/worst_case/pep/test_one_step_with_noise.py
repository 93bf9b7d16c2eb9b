"""One step of D4's potential with the worst two estimates: its program, and a function for it."""

import numpy as np
import pytest

from theory_checks.claims.markovian_noise import worst_step
from theory_checks.claims.markovian_noise.worst_step import BIAS, DELTA, GAMMA, MU, SIGMAS, L, P, V
from theory_checks.worst_case import pep


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_function_and_two_estimates_attain_it(sigma):
    worst = worst_step.worst_step(sigma)
    assert worst.exact
    assert 0.999 <= pep.attained(worst) / worst.value <= 1 + 1e-5
    assert worst_step._measured(sigma) < worst.value


def test_it_is_the_step_written_down_for_pepit():
    """By the algorithm's own three lines, as they stand in the paper."""
    from PEPit import PEP
    from PEPit.functions import SmoothStronglyConvexFunction

    sigma = SIGMAS[-1]
    beta, eta = (4 * P**2 * MU * GAMMA / 3) ** 0.5, (3 / (MU * GAMMA)) ** 0.5
    theta = (P / eta - 1) / (beta * P / eta - 1)
    problem = PEP()
    f = problem.declare_function(SmoothStronglyConvexFunction, mu=MU, L=L)
    star = f.stationary_point()
    x, x_f, bias, error = (problem.set_initial_point() for _ in range(4))
    x_g = theta * x_f + (1 - theta) * x
    slope = f.gradient(x_g)
    s = sigma**2 + DELTA**2 * slope**2
    problem.set_initial_condition((x - star) ** 2 + 6 / MU * (f(x_f) - f(star)) <= 1)
    problem.add_constraint(bias**2 <= BIAS * s)
    problem.add_constraint(bias**2 + error**2 <= V * s)
    after = 0.0
    for sign in (1, -1):
        new_f = x_g - P * GAMMA * (slope + bias + sign * error)
        new = eta * new_f + (P - eta) * x_f + (1 - P) * (1 - beta) * x + (1 - P) * beta * x_g
        after = after + ((new - star) ** 2 + 6 / MU * (f(new_f) - f(star))) / 2
    problem.set_performance_metric(after)
    accuracy = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-7)
    reference = problem.solve(solver="CLARABEL", verbose=0, **accuracy)
    np.testing.assert_allclose(worst_step.worst_step(sigma).value, reference, rtol=1e-4)
