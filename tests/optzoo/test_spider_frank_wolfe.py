"""SPIDER Frank-Wolfe: its statements, epochs and batches that grow, counts, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

from . import stochastic_frank_wolfe_in_numpy as in_numpy
from .logistic_runs import (
    SETS,
    STARTS,
    VERTICES,
    counted,
    drawing,
    drawn,
    functions,
    gradient,
    iterates,
    run,
    stated,
)

N, D = in_numpy.N, in_numpy.D


def calls_of(count, b):
    """Of so many steps in epochs of 1, 2, 4, ... with batches of that many samples."""
    steps = [(k, 2**t) for t in range(8) for k in range(2**t)][:count]
    return [1 if k == 0 else -(-length // b) for k, length in steps]


@pytest.mark.parametrize("b", [1, 3, 16])
@pytest.mark.parametrize("name", SETS)
def test_the_iterates_are_those_of_the_convex_statement(name, b):
    expected = calls_of(40, b)
    batches = drawn(sum(expected), b)
    method = optzoo.spider_frank_wolfe(SETS[name], batch_size=b)
    xs, calls, state = iterates(run(method, STARTS[name], batches))
    assert list(calls) == expected
    statement = in_numpy.spider_frank_wolfe(STARTS[name], VERTICES[name], drawing(batches))
    np.testing.assert_allclose(xs, stated(statement, 40), rtol=0, atol=1e-12)
    assert (int(state.epochs), int(state.steps), int(state.epoch_steps)) == (6, 40, 9)
    exact = 6 * N + 2 * b * (sum(expected) - 6)
    assert optzoo.gradient_calls(state, N, b) == exact
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, N, b))(state)) == exact


@pytest.mark.parametrize(
    ("q", "samples", "eta"),
    [
        (4, None, lambda k: 0.2),
        (5, 6, lambda k: 0.1),
        (7, lambda k: k % 5 + 1, lambda k: 1.0 / (k + 2.0)),
        (1, None, lambda k: 2.0 / (k + 2.0)),
    ],
)
def test_the_iterates_are_those_of_the_nonconvex_statement(q, samples, eta):
    batches = drawn(120, 3)
    method = optzoo.spider_frank_wolfe(
        SETS["l1_ball"], eta, batch_size=3, epoch_length=q, samples_per_step=samples
    )
    xs, _, state = iterates(run(method, STARTS["l1_ball"], batches))
    size = samples if callable(samples) else lambda k: 3 if samples is None else samples
    statement = in_numpy.spider_frank_wolfe(
        STARTS["l1_ball"], in_numpy.l1_ball, drawing(batches), q, size, eta
    )
    np.testing.assert_allclose(xs, stated(statement, len(xs)), rtol=0, atol=1e-12)
    assert len(xs) > 50
    assert int(state.epochs) == -(-len(xs) // q) + (len(xs) % q == 0 and int(state.gathered) > 0)


def test_the_convex_form_with_given_steps_and_batches():
    batches = drawn(60, 2)
    method = optzoo.spider_frank_wolfe(SETS["simplex"], 0.2, batch_size=2, samples_per_step=3)
    xs, *_ = iterates(run(method, STARTS["simplex"], batches))
    statement = in_numpy.spider_frank_wolfe(
        STARTS["simplex"],
        in_numpy.simplex,
        drawing(batches),
        samples=lambda k: 3,
        eta=lambda k: 0.2,
    )
    np.testing.assert_allclose(xs, stated(statement, len(xs)), rtol=0, atol=1e-12)
    assert len(xs) > 30


def test_micro_batches_are_one_big_batch():
    """Every fifth step begins an epoch, with a call of its own whatever the batch."""
    big = drawn(40, 12)
    small = np.concatenate(
        [one[:2][None] if k % 5 == 0 else one.reshape(6, 2) for k, one in enumerate(big)]
    )
    make = lambda b: optzoo.spider_frank_wolfe(  # noqa: E731
        SETS["l1_ball"], 0.1, batch_size=b, epoch_length=5, samples_per_step=12
    )
    whole, *_ = iterates(run(make(12), STARTS["l1_ball"], big))
    parts, *_ = iterates(run(make(2), STARTS["l1_ball"], small))
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-13)
    assert len(parts) == 40


def test_the_functions_are_evaluated_as_often_as_is_counted():
    method = optax.chain(optzoo.spider_frank_wolfe(SETS["simplex"], batch_size=2), optax.scale(1.0))
    found, state = counted(method, STARTS["simplex"], 41)
    # 1 + (1 + 1) + (1 + 3 * 2) + (1 + 7 * 4) are 39 calls, and 2 of the next epoch
    assert found == {"grad_fn": 36, "full_grad_fn": 5}
    assert optzoo.gradient_calls(state, N, 2) == 5 * N + 2 * 2 * 36


def test_all_samples_at_once_give_the_full_gradient():
    everything = np.tile(np.arange(N), (20, 1))
    method = optzoo.spider_frank_wolfe(SETS["l1_ball"], 0.1, batch_size=N, epoch_length=100)
    xs, *_, state = run(method, STARTS["l1_ball"], everything)
    np.testing.assert_allclose(state.estimate, in_numpy.full(xs[-2]), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(state.previous, xs[-2])


def test_epochs_stop_doubling_before_int32_ends():
    method = optzoo.spider_frank_wolfe(SETS["simplex"], 0.1, batch_size=1, samples_per_step=1)
    x = jnp.asarray(STARTS["simplex"])
    fresh = method.init(x)
    update = jax.jit(
        lambda state: method.update(
            gradient(x, np.array([0])), state, x, **functions(np.array([0]))
        )
    )
    for t in (31, 32, 40):
        _, last = update(fresh._replace(epochs=jnp.int32(t), epoch_steps=jnp.int32(2**30 - 1)))
        assert int(last.epoch_steps) == 0
        _, other = update(fresh._replace(epochs=jnp.int32(t), epoch_steps=jnp.int32(2**30 - 2)))
        assert int(other.epoch_steps) == 2**30 - 1


def test_the_sums_are_wide_in_16_bits():
    method = optzoo.spider_frank_wolfe(
        lmo.l2_ball(1.0), 0.5, batch_size=1, epoch_length=9, samples_per_step=301
    )
    x = jnp.zeros(2, jnp.bfloat16)
    state = method.init(x)
    assert state.total.dtype == state.estimate.dtype == jnp.float32
    assert state.previous.dtype == jnp.bfloat16
    zeros, many = jnp.zeros(2, jnp.bfloat16), jnp.array([1.0, 0.0], jnp.bfloat16)
    full = jnp.array([0.0, 1.0], jnp.bfloat16)

    @jax.jit
    def call(grads, state):
        return method.update(grads, state, x, grad_fn=lambda p: zeros, full_grad_fn=lambda p: full)

    _, state = call(zeros, state)
    for _ in range(301):
        _, state = call(many, state)
    assert int(state.steps) == 2
    np.testing.assert_array_equal(state.estimate, [1.0, 1.0])


def test_a_schedule_that_fails_later_is_not_silent():
    method = optzoo.spider_frank_wolfe(
        SETS["l1_ball"], batch_size=8, samples_per_step=lambda k: jnp.where(k == 4, -1.0, 2.0)
    )
    xs, *_ = run(method, STARTS["l1_ball"], drawn(6, 8))
    assert np.all(np.isfinite(xs[:4]))
    assert np.all(np.isnan(xs[4:]))


def test_gradients_of_another_batch_are_seen_where_they_are_known():
    method = optzoo.spider_frank_wolfe(SETS["l1_ball"], batch_size=2)
    x, batch = jnp.asarray(STARTS["l1_ball"]), np.array([0, 3])
    _, state = method.update(gradient(x, batch), method.init(x), x, **functions(batch))
    other = gradient(x, np.array([1, 2]))
    with pytest.raises(ValueError, match="updates must be what grad_fn returns at params"):
        method.update(other, method.init(x), x, **functions(batch))
    method.update(other, state, x, **functions(batch))  # once only: it costs a gradient


@pytest.mark.parametrize("missing", ["grad_fn", "full_grad_fn"])
def test_functions_that_are_missing_or_wrong_are_named(missing):
    method = optzoo.spider_frank_wolfe(SETS["l1_ball"], batch_size=2)
    x, good = jnp.asarray(STARTS["l1_ball"]), functions(np.array([0]))
    grads = gradient(x, np.array([0]))
    for bad, error, message in (
        (None, ValueError, f"spider_frank_wolfe: the extra argument `{missing}` is missing"),
        (1, TypeError, f"^{missing} must be a function of the parameters, got 1"),
        (lambda p: p[:2], ValueError, f"the result of {missing} must have the shape"),
    ):
        with pytest.raises(error, match=message):
            method.update(grads, method.init(x), x, **{**good, missing: bad})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"constraint": 1.0}, TypeError, "constraint must be a set"),
        ({"learning_rate": 1.1}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be an integer, got 1.5"),
        ({"epoch_length": 4}, ValueError, "learning_rate must be given with epoch_length"),
        (
            {"epoch_length": 0, "learning_rate": 0.1},
            ValueError,
            "epoch_length must be an integer of at least 1, got 0",
        ),
        ({"epoch_length": "a", "learning_rate": 0.1}, TypeError, "epoch_length must be a real"),
        ({"samples_per_step": -1}, ValueError, r"samples_per_step must lie in \[1, "),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        optzoo.spider_frank_wolfe(**{"constraint": lmo.simplex(), "batch_size": 2, **change})


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.spider_frank_wolfe(lmo.simplex(), batch_size=2).init(jnp.ones(3))
