"""What the conformance properties say of faulty optimizers, and of optax's own."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

from optzoo.conformance import PROPERTIES, Row, conformance, objective

NAMED = {one.name: one for one in PROPERTIES}


def faulty(
    *,
    state=lambda params: jnp.zeros([], jnp.int32),
    following=lambda state, updates, params: state + 1,
    step=lambda g, state: -0.1 * g,
    extra=True,
):
    """Gradient descent with whatever is given in place of its parts."""

    def update(updates, carried, params=None, **extra_args):
        if extra_args and not extra:
            raise TypeError("unexpected arguments")
        stepped = jax.tree.map(lambda g: step(g, carried), updates)
        return stepped, (following(carried[0], updates, params),)

    return optax.GradientTransformationExtraArgs(lambda params: (state(params),), update)


calls = itertools.count()


def local_state(number):
    class State(NamedTuple):
        number: jax.Array

    return State(number)


FAULTS = {
    "the state widens": (
        lambda: faulty(following=lambda state, updates, params: state + 1.0),
        "compiled once",
        "[0] changes in the first step: int32[] becomes weak float64[]",
    ),
    "the state widens in a loop": (
        lambda: faulty(following=lambda state, updates, params: state + 1.0),
        "loops and branches, float64",
        "TypeError",
    ),
    "a weak type": (
        lambda: faulty(
            state=lambda params: jnp.asarray(0.0),
            following=lambda state, updates, params: state + jnp.zeros([], state.dtype),
        ),
        "compiled once",
        "weak float64[] becomes float64[]",
    ),
    "parameters by reference": (
        lambda: faulty(
            state=lambda params: params, following=lambda state, updates, params: params
        ),
        "survives donation",
        "state[0]['b'] is the very array that init was given",
    ),
    "one array twice": (
        lambda: faulty(
            state=lambda params: [jnp.ones([])] * 2,
            following=lambda state, updates, params: [state[0] + 1, state[1] + 2],
        ),
        "survives donation",
        "donate the same buffer twice",
    ),
    "a Python int in the state": (
        lambda: faulty(state=lambda params: 0),
        "state is a tree of arrays",
        "state[0] is 0, a int",
    ),
    "an if on an array": (
        lambda: faulty(step=lambda g, state: -0.1 * g if float(jnp.sum(g)) < 1e9 else g),
        "same with and without jit",
        "ConcretizationTypeError",
    ),
    "a counter outside": (
        lambda: faulty(step=lambda g, state: -0.1 / (1 + next(calls)) * g),
        "same with and without jit",
        "differ by",
    ),
    "a random number outside": (
        lambda: faulty(step=lambda g, state: (-0.1 + 1e-3 * next(calls)) * g),
        "vmap equals separate runs",
        "differ by",
    ),
    "wrong sign": (
        lambda: faulty(step=lambda g, state: 1e-3 * g),
        "descends on a quadratic",
        "after 300 steps it is 0.40",
    ),
    "no unknown arguments": (
        lambda: faulty(extra=False),
        "unknown arguments are ignored",
        "unexpected arguments",
    ),
    "values in init": (
        lambda: faulty(
            state=lambda params: jax.tree.map(lambda p: 0 * p, params),
            following=lambda state, updates, params: state,
        ),
        "init takes shapes and placeholders",
        "ShapeDtypeStruct",
    ),
    "a part for one parameter alone": (
        lambda: faulty(
            state=lambda params: (
                {"w": jnp.zeros_like(params["w"])} if isinstance(params, dict) else params
            ),
            following=lambda state, updates, params: state,
        ),
        "init takes shapes and placeholders",
        "1 places of the state follow the 2 parameters",
    ),
    "an eps that is 0 in 16 bits": (
        lambda: faulty(step=lambda g, state: -0.1 * g / (jnp.abs(g) + 1e-9)),
        "loops and branches, float16",
        "are not finite after 5 steps in float16",
    ),
    "mixed dtypes": (
        lambda: faulty(step=lambda g, state: g * jnp.float32(-0.1)),
        "strict promotion, float64",
        "TypePromotionError",
    ),
    "wide updates": (
        lambda: faulty(step=lambda g, state: g.astype(jnp.float64) * -0.1),
        "strict promotion, float32",
        "updates of float32 parameters have float64",
    ),
    "counts under MultiSteps": (
        lambda: faulty(step=lambda g, state: -0.1 / (1 + state[0] % 2 + 1e-4 * next(calls)) * g),
        "same under MultiSteps",
        "",
    ),
    "a tuple in the place of every leaf": (
        lambda: faulty(
            state=lambda params: jax.tree.map(lambda p: (jnp.zeros_like(p), None), params),
            following=lambda state, updates, params: state,
        ),
        "one trace in flax nnx",
        "the tree's structure changes in the first step, alone",
    ),
    "a part that disappears": (
        lambda: faulty(
            state=lambda params: optax.MaskedNode(),
            following=lambda state, updates, params: None,
        ),
        "one trace in equinox",
        "the tree's structure changes in the first step",
    ),
    "a class of a function's own": (
        lambda: faulty(
            state=lambda params: local_state(jnp.zeros([])),
            following=lambda state, updates, params: state,
        ),
        "restored from pickle",
        "pickle",
    ),
    "a shape that init does not know": (
        lambda: faulty(
            state=lambda params: jnp.zeros([], jnp.int32),
            following=lambda state, updates, params: jnp.zeros([2], jnp.int32),
        ),
        "restored from orbax",
        "int32[] becomes int32[2]",
    ),
    "nothing is said": (
        lambda: faulty(),
        "mistakes are named",
        "expected a ValueError that has 'updates' and 'structure', but nothing was said",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_property(name):
    make, where, message = FAULTS[name]
    (found,) = conformance(Row("faulty", make), [NAMED[where]])
    assert found.result == ("advised" if NAMED[where].advice else "failed")
    assert message in found.message
    assert found.mend == NAMED[where].mend


def test_a_constructor_that_refuses_tracers_cannot_be_injected():
    def make(learning_rate):
        return optax.sgd(float(learning_rate))

    (found,) = conformance(
        Row("faulty", make, {"learning_rate": 0.1}), [NAMED["same under inject_hyperparams"]]
    )
    assert found.result == "failed"
    assert "ConcretizationTypeError" in found.message


def test_arguments_may_depend_on_the_parameters():
    row = Row("Polyak", optax.polyak_sgd, arguments=lambda params: {"value": objective(params)})
    outcomes = conformance(row, [NAMED["descends on a quadratic"], NAMED["same under MultiSteps"]])
    assert [one.result for one in outcomes] == ["passed", "does not apply"]
    (called,) = conformance(Row("Polyak", optax.polyak_sgd), [NAMED["descends on a quadratic"]])
    assert (called.name, called.result) == ("can be called", "failed")
    assert "missing 1 required keyword-only argument: 'value'" in called.message
