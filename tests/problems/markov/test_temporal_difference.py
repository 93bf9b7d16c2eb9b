"""Temporal-difference learning against Bellman's equation and the law of the transitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optzoo.problems import (
    TemporalDifference,
    randomized_gd_moments,
    river_swim_evaluation,
    temporal_difference,
)


def random_process(states: int, actions: int, seed: int):
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(states), (actions, states))
    if states > 2:
        transitions[:, -1, 0] = 0.0  # an impossible transition
        transitions /= transitions.sum(axis=-1, keepdims=True)
    policy = rng.dirichlet(np.ones(actions), states)
    return transitions, rng.standard_normal((states, actions)), policy


def bellman(transitions, rewards, policy, discount: float) -> np.ndarray:
    step = np.einsum("sa,ast->st", policy, transitions)
    return np.linalg.solve(np.eye(len(step)) - discount * step, (policy * rewards).sum(axis=1))


@settings(deadline=None, max_examples=15)
@given(
    states=st.integers(2, 4),
    actions=st.integers(1, 2),
    seed=st.integers(0, 10**6),
    discount=st.floats(0.0, 0.98),
)
def test_one_feature_a_state_gives_the_value_function(
    states: int, actions: int, seed: int, discount: float
) -> None:
    process = random_process(states, actions, seed)
    problem = temporal_difference(*process, np.eye(states), discount)
    expected = bellman(*process, discount)
    np.testing.assert_allclose(problem.solution, expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(
        problem.state_values(jnp.asarray(problem.solution)), expected, rtol=1e-8, atol=1e-9
    )


@settings(deadline=None, max_examples=15)
@given(states=st.integers(2, 4), actions=st.integers(1, 2), seed=st.integers(0, 10**6))
def test_the_law_of_the_transitions(states: int, actions: int, seed: int) -> None:
    transitions, rewards, policy = random_process(states, actions, seed)
    problem = temporal_difference(transitions, rewards, policy, np.eye(states), 0.5)
    step = np.einsum("sa,ast->st", policy, transitions)
    visits = np.linalg.lstsq(
        np.vstack([step.T - np.eye(states), np.ones(states)]),
        np.append(np.zeros(states), 1.0),
        rcond=None,
    )[0]
    s, a, t = (np.asarray(i) for i in (problem.origins, problem.actions, problem.successors))
    np.testing.assert_allclose(
        problem.chain.stationary, visits[s] * policy[s, a] * transitions[a, s, t], atol=1e-12
    )
    assert problem.chain.num_states == np.count_nonzero(policy.T[:, :, None] * transitions)
    # A transition is followed by one that starts where it ended.
    allowed = problem.chain.transition > 0
    np.testing.assert_array_equal(allowed, t[:, None] == s[None, :])
    np.testing.assert_allclose(problem.rewards, rewards[s, a])


def test_the_operator_is_the_temporal_difference() -> None:
    problem = river_swim_evaluation(discount=0.9)
    x = np.array([0.4, -1.3])
    features = np.asarray(problem.features)
    for state in range(problem.chain.num_states):
        here = features[problem.origins[state]]
        there = features[problem.successors[state]]
        error = here @ x - 0.9 * (there @ x) - problem.rewards[state]
        np.testing.assert_allclose(
            problem.sample_operator(jnp.asarray(x), state), error * here, rtol=1e-12, atol=1e-15
        )


def test_river_swim() -> None:
    problem = river_swim_evaluation()
    problem.certify()
    # Six places: 6 transitions to the left; 2 + 4 * 3 + 2 to the right.
    assert problem.chain.num_states == 22
    visits = np.zeros(6)
    np.add.at(visits, np.asarray(problem.origins), problem.chain.stationary)
    features = np.asarray(problem.features)
    gram = features.T @ (visits[:, None] * features)
    assert problem.constants["mu"].value >= 0.1 * np.linalg.eigvalsh(gram)[0] * (1 - 1e-12)
    # The projected Bellman equation: the error of Phi x* is orthogonal to the features.
    rewards = np.zeros(6)
    np.add.at(rewards, np.asarray(problem.origins), problem.chain.stationary * problem.rewards)
    step = np.zeros((6, 6))
    np.add.at(
        step,
        (np.asarray(problem.origins), np.asarray(problem.successors)),
        problem.chain.stationary,
    )
    values = features @ problem.solution
    residual = features.T @ (visits * values - 0.9 * step @ values - rewards)
    np.testing.assert_allclose(residual, 0.0, atol=1e-14)
    assert values[-1] > values[0]
    assert set(np.unique(problem.rewards)) == {0.0, 0.005, 1.0}


def test_headroom_trades_the_factor_for_sigma() -> None:
    args = [*random_process(3, 2, seed=0), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]), 0.8]
    sigmas = []
    for headroom in (1.05, 2**0.5, 3.0):
        problem = temporal_difference(*args, headroom=headroom)
        problem.certify()
        factor = problem.constants["Delta"]
        assert factor.value == pytest.approx(headroom * (factor.value - factor.width))
        sigmas.append(problem.constants["sigma"].value)
    assert sigmas[0] > sigmas[1] > sigmas[2]
    # The crude bound |a + b|^2 <= 2 |a|^2 + 2 |b|^2 is what sqrt(2) is made for.
    matrices, offsets = problem.affine_form()
    noise = matrices @ problem.solution - offsets
    assert sigmas[1] <= np.sqrt(2) * np.linalg.norm(noise, axis=1).max() * (1 + 1e-12)


def test_the_bias_of_a_constant_step_along_the_trajectory() -> None:
    """Markovian samples bias the stationary mean by a multiple of the step."""
    problem = river_swim_evaluation()
    start = jnp.asarray(problem.solution)

    def bias(step: float) -> np.ndarray:
        method = randomized_gd_moments(problem, step, batch_size=1, max_level=0)
        return method.limit().mean["x"][0, 0]

    np.testing.assert_allclose(bias(0.004) / bias(0.002), 2.0, rtol=0.02)

    def learn(carry, state):
        x, total = carry
        x = x - 0.5 * problem.sample_operator(x, state)
        return (x, total + x), None

    path = problem.chain.path(jax.random.key(0), 200_000)
    (_, total), _ = jax.jit(lambda p: jax.lax.scan(learn, (start, jnp.zeros(2)), p))(path)
    large = bias(0.5)
    assert np.abs(large).min() > 0.2
    np.testing.assert_allclose(total / len(path) - problem.solution, large, atol=0.05)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: river_swim_evaluation(2), "num_states"),
        (lambda: river_swim_evaluation(right_probability=1.0), "right_probability"),
        (lambda: river_swim_evaluation(discount=1.0), "discount"),
        (
            lambda: temporal_difference(np.eye(2), [[1.0]], [[1.0]], [[1.0]], 0.5),
            "transitions must have shape",
        ),
        (
            lambda: temporal_difference(
                np.full((1, 2, 2), 0.4), [[0.0]] * 2, [[1.0]] * 2, np.eye(2), 0.5
            ),
            "every row of transitions",
        ),
        (
            lambda: temporal_difference(
                np.full((1, 2, 2), 0.5), [0.0] * 2, [[1.0]] * 2, np.eye(2), 0.5
            ),
            "rewards must have shape",
        ),
        (
            lambda: temporal_difference(
                np.full((1, 2, 2), 0.5), [[0.0]] * 2, [[1.0]] * 2, [[1.0, 1.0], [2.0, 2.0]], 0.5
            ),
            "full column rank",
        ),
        (
            lambda: temporal_difference(np.eye(2)[None], [[0.0]] * 2, [[1.0]] * 2, np.eye(2), 0.5),
            "irreducible",
        ),
    ],
)
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_the_class_is_a_pytree() -> None:
    problem = river_swim_evaluation()
    doubled = jax.tree.map(lambda leaf: leaf, problem)
    assert isinstance(doubled, TemporalDifference)
    assert doubled.discount == problem.discount
    np.testing.assert_array_equal(doubled.solution, problem.solution)
