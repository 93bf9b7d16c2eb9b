"""Mutants of a transformation: what a call may change, and what it is told."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from theory_checks.controls import mutant
from theory_checks.mutants import altered


@altered(optax.sgd)
def forgetful(call):
    """The momentum is forgotten before every call."""
    return call.step(state=optax.tree.zeros_like(call.state))


@altered(optax.sgd)
def scaled_by_what_it_was_made_with(call):
    """Every update counts as often as the momentum, the learning rate and an argument say."""
    updates, state = call.step(updates=jnp.ones_like(call.updates))
    times = call.arguments["momentum"] + call.arguments["learning_rate"]
    return times * call.extra_args["count"] * updates, state


def test_the_state_of_a_call_is_changed():
    params, reached = jnp.zeros(2), []
    for method in (optax.sgd(0.1, momentum=0.5), forgetful(0.1, momentum=0.5)):
        state = method.init(params)
        for _ in range(2):
            updates, state = method.update(jnp.ones(2), state, params)
        reached.append(updates)
    np.testing.assert_allclose(reached, [[-0.15, -0.15], [-0.1, -0.1]], rtol=1e-6)


def test_arguments_are_known_by_name_however_they_were_given():
    for method in (
        scaled_by_what_it_was_made_with(0.5, 0.25),
        scaled_by_what_it_was_made_with(momentum=0.25, learning_rate=0.5),
    ):
        updates, _ = method.update(jnp.zeros(1), method.init(jnp.zeros(1)), jnp.zeros(1), count=4)
        assert float(updates[0]) == pytest.approx(0.75 * 4 * -0.5)


def test_a_row_of_controls_has_its_words():
    row = mutant(forgetful)
    assert row.name == "forgetful"
    assert row.description == "the momentum is forgotten before every call"
    assert row.arguments["method"] is forgetful
