"""A state that this transformation cannot have made is refused, and told why."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

from optzoo._state_layout import require_own_state


class State(NamedTuple):
    steps: Any
    momentum: Any
    factors: Any


SETTINGS = {"momentum": {"decay": None}, "factors": {"one_sided": True, "numbers": lambda p: p}}
FRESH = State(jnp.zeros([]), None, ({"w": jnp.ones((3, 3)), "b": None},))


def fresh(**changes):
    return FRESH._replace(**changes)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (FRESH._asdict(), ("state must be a State, got a dict.", "init(params), as the target")),
        (list(FRESH), ("state must be a State, got a list.",)),
        (None, ("state must be a State, got a NoneType.",)),
        (
            fresh(momentum={"w": jnp.ones(2)}),
            ("state.momentum must be None, got a dict.", "settings than here (decay = None)"),
        ),
        (
            fresh(momentum=jnp.ones(2)),
            ("state.momentum must be None, got an array of shape (2,).",),
        ),
        (
            fresh(factors=list(FRESH.factors)),
            ("state.factors must be a tuple, got a list.", "(one_sided = True, numbers)"),
        ),
        (
            fresh(factors=({"w": jnp.ones((3, 3)), "b": jnp.ones((2, 2))},)),
            ("state.factors[0]['b'] must be None, got an array of shape (2, 2).",),
        ),
        (
            fresh(factors=({"w": None, "b": None},)),
            ("state.factors[0]['w'] must be an array of shape (3, 3), got None.",),
        ),
        (
            fresh(factors=({"w": jnp.ones((4, 4)), "b": None},)),
            ("state.factors[0]['w'] must have shape (3, 3), got (4, 4).",),
        ),
        (
            fresh(factors=({"v": jnp.ones((3, 3)), "b": None},)),
            ("state.factors[0] must hold ['b'], ['w'], got ['b'], ['v'].",),
        ),
        (fresh(factors=()), ("state.factors must hold [0], got nothing.",)),
        (
            fresh(factors=({"w": optax.MaskedNode(), "b": None},)),
            ("state.factors[0]['w'] must be an array of shape (3, 3), got a MaskedNode.",),
        ),
        (
            fresh(steps=jnp.zeros(2)),
            ("state.steps must have shape (), got (2,).", "other parameters, or restored"),
        ),
    ],
)
def test_the_first_difference_is_named(state, words):
    with pytest.raises(ValueError, match="Such a state was made for other parameters") as error:
        require_own_state(state, FRESH, SETTINGS)
    for each in words:
        assert each in str(error.value)


def test_what_is_its_own_is_accepted_in_every_form():
    shapes = jax.eval_shape(lambda: FRESH)
    require_own_state(FRESH, shapes)
    require_own_state(FRESH._replace(steps=3), shapes)  # a Python number
    require_own_state(jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), FRESH), shapes)
    require_own_state(fresh(factors=[]), shapes, unknown=("factors",))
    states = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), FRESH)
    for traced in (jax.jit, jax.vmap):
        traced(lambda state: require_own_state(state, shapes))(
            states if traced is jax.vmap else FRESH
        )


def test_nodes_that_differ_in_what_they_hold_beside_their_children():
    def partial(number):
        return jax.tree_util.Partial(number)

    with pytest.raises(ValueError, match=r"state\.momentum must have the structure"):
        require_own_state(fresh(momentum=partial(abs)), fresh(momentum=partial(round)))
