"""One step of Three Pillars: its program, a search over linear operators, and the theorem."""

import numpy as np
import pytest
from scipy.optimize import minimize

from optzoo.theorems.three_pillars import V1_STEP
from theory_checks.claims.three_pillars import worst_step
from theory_checks.claims.three_pillars.worst_step import LONGER, setting, worst_factor


def factor(F, D, gamma, p):
    """The largest E Phi^+ / Phi of linear F_1 = F + D and F_2 = F - D, by the algorithm's lines."""
    eye, none = np.eye(len(F)), np.zeros_like(F)
    z, m = np.hstack([eye, none]), np.hstack([none, eye])
    first, second = F + D, F - D
    # F_1 u + F m - F_1 m + (u - v) / gamma = 0
    u = np.linalg.solve(eye + gamma * first, (1 - p) * z + p * m - gamma * (F - first) @ m)
    sent = [0 * u, (second - first) @ (m - u)]
    after = sum((u + gamma * a).T @ (u + gamma * a) for a in sent) / 2
    after = after + p * z.T @ z + (1 - p) * m.T @ m
    return np.linalg.eigvalsh(after)[-1]


def operators(numbers, mu, deviation, size):
    P, S, D = numbers.reshape(3, size, size)
    return mu * np.eye(size) + P @ P.T + S - S.T, deviation * D / np.linalg.norm(D, 2)


@pytest.mark.parametrize(("gamma", "p"), [(0.35, 0.5), (0.2, 0.25)])
def test_linear_operators_attain_it_and_none_exceeds_it(gamma, p):
    mu, deviation = 0.1, 1.0
    worst = worst_factor(mu, deviation, gamma, p)
    random = np.random.default_rng(0)

    def negative(numbers):
        return -factor(*operators(numbers, mu, deviation, 2), gamma, p)

    found = [
        -minimize(negative, random.normal(size=12), method="BFGS", options={"maxiter": 200}).fun
        for _ in range(6)
    ]
    assert max(found) <= worst * (1 + 1e-6)
    # What a step gains, of which the factor is one less.
    assert (1 - worst) / (1 - max(found)) >= 0.99


def test_measured_below_the_worst_case_below_the_theorem():
    case = worst_step._contraction()
    measured, said = case.check.measured(), case.check.bound()
    for longer, run, bound in zip(LONGER, measured, said, strict=True):
        assert run < worst_step.worst_step(longer).value < bound
        constants = setting(longer)
        assert bound == pytest.approx(1 - constants.bound(V1_STEP), rel=1e-12)
