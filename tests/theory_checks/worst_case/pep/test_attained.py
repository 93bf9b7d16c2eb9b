"""Back to runs: the shipped code on the worst function attains what the program says."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from theory_checks.worst_case import pep
from theory_checks.worst_case.pep.solve import Samples
from theory_checks.worst_case.pep.worst_function import envelope

MU, L = 0.1, 1.0
STRONGLY = pep.SmoothStronglyConvex(MU, L)


def frank_wolfe(constraint):
    return optzoo.frank_wolfe(constraint, optzoo.open_loop_schedule())


def cases():
    momentum = optax.sgd(0.8, momentum=0.5)
    accelerated = {"output": optzoo.accelerated_eval_params}
    ahead = {"output": optzoo.extragradient_eval_params}
    yield "momentum", (momentum, STRONGLY, 3), {}
    yield "momentum, distance", (momentum, STRONGLY, 3, "distance"), {}
    yield "nonconvex", (optax.sgd(1.0), pep.SmoothNonconvex(L), 2, "gradient_norm"), {}
    method = optzoo.randomized_accelerated_gd(0.75 / L, MU)
    yield "accelerated", (method, STRONGLY, 3), accelerated
    strongly = pep.StronglyMonotoneLipschitz(MU, L)
    method = optzoo.randomized_extragradient(0.5 / L)
    yield "extragradient", (method, strongly, 4, "distance"), ahead
    optimistic = optax.optimistic_gradient_descent(0.3 / L)
    yield "optimistic gradient", (optimistic, strongly, 3, "distance"), {}
    over = pep.OverSet(pep.SmoothConvex(L), 1.0)
    yield "Frank-Wolfe", (frank_wolfe, over, 2), {}
    yield "Frank-Wolfe's gap", (frank_wolfe, over, 1, "gap"), {}


@pytest.mark.parametrize(
    ("name", "arguments", "more"), [pytest.param(*c, id=c[0]) for c in cases()]
)
def test_runs_attain_the_worst_case(name, arguments, more):
    worst = pep.worst_case(*arguments, **more)
    ratio = pep.attained(worst) / worst.value
    assert 0.99 <= ratio <= 1 + 1e-6
    assert abs(worst.certificate - worst.value) <= 1e-6


@pytest.mark.parametrize("steps", [2, 3])
def test_sarah_attains_the_mean_over_all_of_its_coins(steps):
    """At three steps, functions of fifteen samples each, run on nine branches."""

    def method(constraint, key):
        return optzoo.sarah_frank_wolfe(constraint, optzoo.open_loop_schedule(), 0.5, key=key)

    branches = pep.restart_branches(method, steps=steps, restart_probability=0.5)
    worst = pep.worst_mean(branches, pep.OverSet(pep.FiniteSum(pep.SmoothConvex(L), 2), 1.0))
    assert 0.99 <= pep.attained(worst) / worst.value <= 1


def near_the_origin(performance, radius):
    return [performance.start**2 - radius**2, performance.minimizer**2 - radius**2]


def test_weight_decay_pulls_to_the_origin():
    """Which is a point of its own: here the start and the minimizer are at most 1 away from it."""
    decayed = optax.chain(optax.add_decayed_weights(0.2), optax.sgd(0.5))
    worst = pep.worst_case(decayed, STRONGLY, 2, initial=near_the_origin)
    without = pep.worst_case(optax.sgd(0.5), STRONGLY, 2, initial=near_the_origin)
    assert abs(worst.value / without.value - 1) > 0.05
    assert 0.99 <= pep.attained(worst) / worst.value <= 1 + 1e-6


def test_a_run_starts_at_the_parameters_wherever_the_output_is():
    def behind(state, params):
        return 0.5 * params

    worst = pep.worst_case(optax.sgd(0.5), STRONGLY, 1, initial=near_the_origin, output=behind)
    assert 0.99 <= pep.attained(worst) / worst.value <= 1 + 1e-6


def test_a_run_of_another_method_does_not_attain_it():
    worst = pep.worst_case(optax.sgd(0.8, momentum=0.5), STRONGLY, 3)
    problem = pep.worst_problem(worst)
    other = pep.worst_case(optax.sgd(0.8, momentum=0.2), STRONGLY, 3)
    assert pep.attained(other, problem) < 0.9 * other.value


def test_the_worst_function_is_in_its_class():
    """(f - mu |x|^2 / 2 is convex and f is L-smooth: gradients of random pairs of points.)"""
    worst = pep.worst_case(optax.sgd(0.8, momentum=0.5), STRONGLY, 2)
    problem = pep.worst_problem(worst)
    points = np.random.default_rng(0).normal(size=(20, 2, worst.start.size))
    with jax.enable_x64(True):
        for x, y in jnp.asarray(points):
            g, h = problem.gradient(x), problem.gradient(y)
            d, e = x - y, g - h
            # Coercivity, which is all there is to a pair: (e - mu d)(L d - e) >= 0.
            assert (e - MU * d) @ (L * d - e) >= -1e-9
        np.testing.assert_allclose(problem.gradient(problem.minimizer), 0.0, atol=1e-5)
        assert float(problem.value(x)) > worst.minimum


def test_the_envelope_has_the_given_values_and_gradients():
    f = pep.SmoothNonconvex(2.0)
    points = np.array([[0.0, 0.0], [1.0, 0.5]])
    gradients = np.array([[1.0, 0.0], [0.0, -0.5]])
    samples = Samples(points, gradients, np.array([0.0, 0.3]))
    with jax.enable_x64(True):
        made = envelope(f, samples)
        for x, g, value in zip(points, gradients, samples.values, strict=True):
            np.testing.assert_allclose(made(jnp.asarray(x)), value, atol=1e-12)
            np.testing.assert_allclose(made.gradient(jnp.asarray(x)), g, atol=1e-12)


def test_the_worst_set_has_the_diameter_and_its_start():
    worst = pep.worst_case(frank_wolfe, pep.OverSet(pep.SmoothConvex(L), 1.0), 2)
    problem = pep.worst_problem(worst)
    with jax.enable_x64(True):
        assert float(problem.constraint.diameter(problem.start)) <= 1 + 1e-6
        assert bool(problem.constraint.contains(problem.start))
        assert bool(problem.constraint.contains(problem.minimizer))
