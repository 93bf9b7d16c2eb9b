"""Steps read off code: what is linear is read exactly, what is not is refused with its reason."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from theory_checks.worst_case.pep.steps import Branch, NotLinear, Oracle, read, steps_of


def matrix(method, steps=3, output=None):
    return read([Branch(1.0, steps_of(method, steps, output))], capacity=8).matrix


def test_momentum():
    """x_{k+1} = x_k - h (g_k + beta g_{k-1} + beta^2 g_{k-2})."""
    h, beta = 0.3, 0.6
    last = [1, -h * (1 + beta + beta**2), -h * (1 + beta), -h]
    np.testing.assert_allclose(matrix(optax.sgd(h, momentum=beta))[-1], last, rtol=1e-14)


def test_scheduled_steps_count_the_calls():
    steps = jnp.array([0.5, 0.25, 0.125])
    last = matrix(optax.sgd(lambda k: steps[k]))[-1]
    np.testing.assert_array_equal(last, [1, -0.5, -0.25, -0.125])


def test_weight_decay_shrinks_the_start_too():
    h, decay = 0.5, 0.2
    method = optax.chain(optax.add_decayed_weights(decay), optax.sgd(h))
    q = 1 - h * decay
    last = [q**3, -h * q**2, -h * q, -h]
    np.testing.assert_allclose(matrix(method)[-1], last, rtol=1e-14)


def test_a_wrapper_that_waits():
    """Of four calls of two steps each the mean gradient is taken; x moves after each second."""
    found = matrix(optax.MultiSteps(optax.sgd(1.0), 2), steps=4)
    np.testing.assert_allclose(found[2], found[3])
    # Both gradients of a pair are taken at the same point: they are one.
    np.testing.assert_allclose(found[4], [1, -1, -1])


def test_extragradient_takes_its_second_value_ahead_and_moves_from_its_base():
    gamma = 0.4
    run = steps_of(optzoo.randomized_extragradient(gamma), 4, optzoo.extragradient_eval_params)
    found = read([Branch(1.0, run)], capacity=8)
    rows = np.array([question.row for question in found.questions])
    ahead = [[1, 0, 0], [1, -gamma, 0], [1, 0, -gamma]]
    np.testing.assert_allclose(rows[:3, :3], ahead, atol=1e-14)
    np.testing.assert_allclose(found.matrix[-1], [1, 0, -gamma, 0, -gamma], atol=1e-14)


def test_frank_wolfe_asks_for_a_gradient_and_then_its_oracle():
    def method(constraint):
        return optzoo.frank_wolfe(constraint, 0.25)

    found = read([Branch(1.0, steps_of(method, 2))], capacity=8)
    assert [question.kind for question in found.questions] == ["gradient", "lmo"] * 2
    # x_2 = (1 - eta)^2 x_0 + (1 - eta) eta s_0 + eta s_1
    np.testing.assert_allclose(found.matrix[-1], [0.5625, 0, 0.1875, 0, 0.25], rtol=1e-14)


def test_sarah_between_restarts_adds_the_change_of_a_components_gradient():
    method = optzoo.sarah_frank_wolfe
    key = next(
        key
        for key in jax.random.split(jax.random.key(0), 20)
        if not jax.random.bernoulli(jax.random.fold_in(key, 1), 0.5)
    )

    def run(constraint):
        return method(constraint, 0.5, 1e-6, key=key)

    found = read([Branch(1.0, steps_of(run, 2, None, (None, 1), 2))], capacity=16)
    lmo = [question for question in found.questions if question.kind == "lmo"]
    axis = {(q.component, tuple(q.row)): q.axis for q in found.questions if q.kind == "gradient"}
    x_0, x_1 = (tuple(row) for row in found.matrix[:2])
    estimate = np.zeros(found.axes)
    estimate[[axis[0, x_0], axis[1, x_0]]] = 0.5  # the full gradient
    np.testing.assert_allclose(lmo[0].row, estimate)
    estimate[axis[1, x_1]] += 1.0
    estimate[axis[1, x_0]] -= 1.0
    np.testing.assert_allclose(lmo[1].row, estimate, atol=1e-14)


REFUSED = {
    "adam": (optax.adam(0.1), "not homogeneous"),
    "soap": (optzoo.soap(0.1), "not homogeneous"),
    "sign": (optax.sign_sgd(0.1), "not homogeneous"),
    "clipping, where it bites": (optax.chain(optax.clip(50.0), optax.sgd(0.1)), "clips"),
    "clipping by norm": (
        optax.chain(optax.clip_by_global_norm(50.0), optax.sgd(0.1)),
        "not homogeneous",
    ),
    "noise": (optax.noisy_sgd(0.1, key=jax.random.key(0)), "adds noise"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_linear_is_refused_with_its_reason(name):
    method, reason = REFUSED[name]
    with pytest.raises(NotLinear, match=reason):
        matrix(method, steps=2)


def coordinatewise(update):
    return optax.GradientTransformation(lambda x: (), lambda g, state, x=None: (update(g), state))


def test_what_treats_coordinates_differently_is_refused():
    method = coordinatewise(lambda g: -g / (1 + jnp.arange(g.size)))
    with pytest.raises(NotLinear, match="not treat all coordinates alike"):
        matrix(method, steps=1)


def test_what_is_homogeneous_and_not_additive_is_refused():
    with pytest.raises(NotLinear, match="not additive"):
        matrix(coordinatewise(lambda g: -jnp.maximum(g, 0.0)), steps=1)


def test_a_run_that_asks_without_end_is_refused():
    def run(oracle: Oracle):
        x = oracle.start
        for _ in range(40):
            x = x - oracle.gradient(x, 0)
        return [x]

    with pytest.raises(NotLinear, match="more than"):
        read([Branch(1.0, run)], capacity=8)
