"""Worst cases read off code are those that PEPit's own examples compute from their own steps."""

import math
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PEPit.examples.composite_convex_minimization import wc_frank_wolfe
from PEPit.examples.monotone_inclusions_variational_inequalities import (
    wc_optimistic_gradient,
    wc_past_extragradient,
)
from PEPit.examples.nonconvex_optimization import wc_gradient_descent as wc_nonconvex
from PEPit.examples.stochastic_and_randomized_convex_minimization import wc_sgd
from PEPit.examples.unconstrained_convex_minimization import (
    wc_accelerated_gradient_convex,
    wc_accelerated_gradient_strongly_convex,
    wc_gradient_descent,
    wc_gradient_descent_silver_stepsize_convex,
    wc_heavy_ball_momentum,
    wc_optimized_gradient,
    wc_triple_momentum,
)

import optzoo
from theory_checks.claims.frank_wolfe import worst
from theory_checks.worst_case import pep

MU, L = 0.1, 1.0
CONVEX, STRONGLY = pep.SmoothConvex(L), pep.SmoothStronglyConvex(MU, L)


class Given(NamedTuple):
    """State of a method of which only the points matter."""

    steps: jax.Array
    point: jax.Array
    old: jax.Array


def written_down(following, look=lambda point, old, params: params):
    """A user's method: (k, point, params, gradient) -> the next point and the next params."""

    def update(gradient, state, params):
        point, ahead = following(state.steps, state.point, params, gradient)
        return ahead - params, Given(state.steps + 1, point, state.point)

    def output(state, params):
        return look(state.point, state.old, params)

    method = optax.GradientTransformation(lambda x: Given(jnp.zeros([], int), x, x), update)
    return method, output


def nesterov(weights):
    """X = y - g / L, y = x + w_k (x - x_old); x is looked at."""

    def following(k, x, y, g):
        new = y - g / L
        return new, new + jnp.asarray(weights)[k] * (new - x)

    return written_down(following, lambda x, old, y: x)


def convex_weights(n):
    lam, weights = 1.0, []
    for _ in range(n):
        lam, old = (1 + math.sqrt(4 * lam**2 + 1)) / 2, lam
        weights.append((old - 1) / lam)
    return weights


def optimized(n):
    theta = [1.0]
    for i in range(n):
        theta.append((1 + math.sqrt((4 if i < n - 1 else 8) * theta[-1] ** 2 + 1)) / 2)
    theta = jnp.asarray(theta)

    def following(k, x, y, g):
        new = y - g / L
        return new, new + (theta[k] - 1) / theta[k + 1] * (new - x) + theta[k] / theta[k + 1] * (
            new - y
        )

    return written_down(following)


def triple_momentum():
    rho = 1 - math.sqrt(MU / L)
    alpha, beta = (1 + rho) / L, rho**2 / (2 - rho)
    gamma, delta = rho**2 / (1 + rho) / (2 - rho), rho**2 / (1 - rho**2)

    def update(g, state, y):
        inter = (1 + beta) * state.point - beta * state.old - alpha * g
        ahead = (1 + gamma) * inter - gamma * state.point
        return ahead - y, Given(state.steps + 1, inter, state.point)

    method = optax.GradientTransformation(lambda x: Given(jnp.zeros([], int), x, x), update)
    return method, lambda state, y: (1 + delta) * state.point - delta * state.old


def lyapunov(performance, radius):
    start = performance.start
    return [performance.excess(start) + MU / 2 * performance.squared_distance(start) - radius]


def compared(found, example, *arguments, **more):
    with warnings.catch_warnings():
        # On some processors the solver says so of PEPit's program, whose value is right to 1e-6.
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        reference, _ = example(*arguments, **more, solver="CLARABEL", verbose=-1)
    np.testing.assert_allclose(found.value, reference, rtol=1e-4)
    assert found.status == "optimal"


@pytest.mark.parametrize("n", [1, 3])
def test_gradient_descent(n):
    found = pep.worst_case(optax.sgd(1 / L), CONVEX, n)
    compared(found, wc_gradient_descent, L=L, gamma=1 / L, n=n)
    np.testing.assert_allclose(found.value, L / (4 * n + 2), rtol=1e-6)


def test_scheduled_steps():
    """The silver steps, which no constant step is as good as."""
    silver = jnp.array([math.sqrt(2), 2.0, math.sqrt(2)]) / L
    found = pep.worst_case(optax.sgd(lambda k: silver[k]), CONVEX, 3)
    compared(found, wc_gradient_descent_silver_stepsize_convex, L=L, n=3)


def test_nonconvex():
    found = pep.worst_case(
        optax.sgd(1 / L), pep.SmoothNonconvex(L), 3, "gradient_norm", initial="decrease"
    )
    compared(found, wc_nonconvex, L=L, gamma=1 / L, n=3)
    # From f(x_0) - f* alone: 4 L / (3 N + 2) (Abbaszadehpeivasti, de Klerk, Zamani 2022).
    found = pep.worst_case(optax.sgd(1 / L), pep.SmoothNonconvex(L), 3, "gradient_norm")
    np.testing.assert_allclose(found.value, 4 * L / 11, rtol=1e-6)


def test_heavy_ball():
    found = pep.worst_case(optax.sgd(0.8, momentum=0.5), STRONGLY, 3, initial="suboptimality")
    compared(found, wc_heavy_ball_momentum, mu=MU, L=L, alpha=0.8, beta=0.5, n=3)


def test_accelerated_gradient():
    n = 3
    method, output = nesterov(convex_weights(n))
    found = pep.worst_case(method, CONVEX, n, output=output)
    compared(found, wc_accelerated_gradient_convex, mu=0, L=L, n=n)


def test_nesterov_momentum_of_optax():
    """The parameters are the points of extrapolation; the output is where the step led to."""
    root = math.sqrt(MU / L)
    beta = (1 - root) / (1 + root)
    method = optax.sgd(1 / L, momentum=beta, nesterov=True)
    found = pep.worst_case(
        method,
        STRONGLY,
        3,
        initial=lyapunov,
        output=lambda state, params: params + beta / L * state[0].trace,
    )
    compared(found, wc_accelerated_gradient_strongly_convex, mu=MU, L=L, n=3)


def test_optimized_gradient():
    method, output = optimized(3)
    found = pep.worst_case(method, CONVEX, 3, output=output)
    compared(found, wc_optimized_gradient, L=L, n=3)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # PEPit asks for more digits
def test_triple_momentum():
    method, output = triple_momentum()
    found = pep.worst_case(method, STRONGLY, 2, output=output)
    compared(found, wc_triple_momentum, mu=MU, L=L, n=2)


@pytest.mark.parametrize(("n", "known"), [(1, 0.5), (2, 0.3126), (5, 0.1462)])
def test_frank_wolfe(n, known):
    def method(constraint):
        return optzoo.frank_wolfe(constraint, optzoo.open_loop_schedule())

    found = pep.worst_case(method, pep.OverSet(CONVEX, 1.0), n)
    compared(found, wc_frank_wolfe, L=L, D=1.0, R=math.inf, center=None, n=n)
    np.testing.assert_allclose(found.value, known, atol=5e-5)


GAMMA = 0.25


def past_extragradient(constraint):
    """Popov's method: the base x in the state, the parameters look ahead; two projections."""

    def update(value, state, params):
        first = state.steps == 0
        # The first value, at x_0 itself, only looks ahead.
        x = jax.lax.cond(
            first, lambda: state.point, lambda: constraint.project(state.point - GAMMA * value)
        )
        ahead = constraint.project(x - GAMMA * value)
        return ahead - params, Given(state.steps + 1, x, state.point)

    return optax.GradientTransformation(lambda x: Given(jnp.zeros([], int), x, x), update)


def test_past_extragradient():
    n = 2
    found = pep.worst_case(
        past_extragradient,
        pep.OverSet(pep.MonotoneLipschitz(L)),
        n + 1,
        "last_move",
        output=lambda state, params: state.point,
    )
    compared(found, wc_past_extragradient, n=n, gamma=GAMMA, L=L)
    assert not found.exact


def optimistic_gradient(constraint):
    def update(value, state, params):
        x = jnp.where(state.steps == 0, params, params + GAMMA * (state.old - value))
        ahead = constraint.project(x - GAMMA * value)
        return ahead - params, Given(state.steps + 1, x, value)

    return optax.GradientTransformation(lambda x: Given(jnp.zeros([], int), x, x), update)


def test_optimistic_gradient():
    found = pep.worst_case(
        optimistic_gradient, pep.OverSet(pep.MonotoneLipschitz(L)), 2, "last_move"
    )
    compared(found, wc_optimistic_gradient, n=2, gamma=GAMMA, L=L)


def test_extragradient():
    """PEPit has no example of it: its primitives, step by step."""
    from PEPit import PEP
    from PEPit.operators import LipschitzStronglyMonotoneOperatorCheap

    problem = PEP()
    operator = problem.declare_function(LipschitzStronglyMonotoneOperatorCheap, mu=MU, L=L)
    solution = operator.stationary_point()
    x = problem.set_initial_point()
    problem.set_initial_condition((x - solution) ** 2 <= 1)
    for _ in range(2):
        x = x - 0.5 * operator.gradient(x - 0.5 * operator.gradient(x))
    problem.set_performance_metric((x - solution) ** 2)
    reference = problem.solve(solver="CLARABEL", verbose=0)

    found = pep.worst_case(
        optzoo.randomized_extragradient(0.5),
        pep.StronglyMonotoneLipschitz(MU, L),
        steps=4,
        metric="distance",
        output=optzoo.extragradient_eval_params,
    )
    np.testing.assert_allclose(found.value, reference, rtol=1e-4)


def test_stochastic_gradient():
    """Five functions whose gradients at the minimizer have bounded mean square; one step."""
    gamma, noise, radius = 0.7, 1.0, 2.0

    def start(performance, radius):
        x = performance.minimizer
        squares = [component.gradient(x) ** 2 for component in performance.components]
        return [
            performance.squared_distance(performance.start) - radius**2,
            sum(squares) / len(squares) - noise**2,
        ]

    branches = pep.batch_branches(optax.sgd(gamma), steps=1, components=5)
    found = pep.worst_mean(
        branches, pep.FiniteSum(STRONGLY, 5), "distance", initial=start, radius=radius
    )
    compared(found, wc_sgd, L=L, mu=MU, gamma=gamma, v=noise, R=radius, n=5)


def test_one_step_of_sarah_from_any_estimate():
    """F3b's Lyapunov function, the step written down for PEPit beside that of the shipped code."""
    from PEPit import PEP
    from PEPit.functions import ConvexIndicatorFunction, SmoothConvexFunction
    from PEPit.primitive_steps import linear_optimization_step

    eta, p, weight = worst.ETAS[0], worst.P, worst.WEIGHT
    problem = PEP()
    parts = [problem.declare_function(SmoothConvexFunction, L=worst.L) for _ in range(2)]
    f = (parts[0] + parts[1]) / 2
    indicator = problem.declare_function(ConvexIndicatorFunction, D=worst.WIDTH)
    minimum = f((f + indicator).stationary_point())
    x, g = problem.set_initial_point(), problem.set_initial_point()
    indicator(x)
    following = x + eta * (linear_optimization_step(g, indicator)[0] - x)
    error = g - f.gradient(x)
    change = [one.gradient(following) - one.gradient(x) for one in parts]
    noisy = [(error + (-1) ** i * (change[0] - change[1]) / 2) ** 2 for i in range(2)]
    after = f(following) - minimum + weight * (1 - p) * (noisy[0] + noisy[1]) / 2
    before = f(x) - minimum + weight * error**2
    problem.set_performance_metric(after - (1 - eta) * before)
    reference = problem.solve(solver="CLARABEL", verbose=0)

    np.testing.assert_allclose(worst.worst_step(eta).value, reference, rtol=1e-4)
