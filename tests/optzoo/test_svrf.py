"""SVRF: its statement, epochs and batches that grow, counts, errors."""

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
LENGTHS = (1, 14, 30, 62)  # of the start and the epochs


def calls_of(count, b, samples):
    """Of so many steps: a snapshot needs one, the others their micro batches."""
    steps = [k for length in LENGTHS for k in range(length)][:count]
    return [1 if k == 0 else -(-samples(k) // b) for k in steps]


@pytest.mark.parametrize(("name", "b", "count"), [("l1_ball", 64, 50), ("simplex", 7, 34)])
def test_the_iterates_are_those_of_the_statement(name, b, count):
    expected = calls_of(count, b, lambda k: 96 * (k + 2))
    batches = drawn(sum(expected), b)
    method = optzoo.svrf(SETS[name], batch_size=b)
    xs, calls, state = iterates(run(method, STARTS[name], batches))
    assert list(calls) == expected
    statement = in_numpy.svrf(STARTS[name], VERTICES[name], drawing(batches))
    np.testing.assert_allclose(xs, stated(statement, count), rtol=0, atol=1e-12)
    epochs = 4 if count > 45 else 3
    assert (int(state.epochs), int(state.steps)) == (epochs, count)
    exact = N * epochs + 2 * b * (sum(expected) - epochs)
    assert optzoo.gradient_calls(state, N, b) == exact
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, N, b))(state)) == exact


@pytest.mark.parametrize(
    ("samples", "eta"), [(5, 0.1), (lambda k: k + 1, lambda k: 1.0 / (k + 3.0))]
)
def test_the_batches_and_the_steps_may_be_given(samples, eta):
    batches = drawn(300, 2)
    method = optzoo.svrf(SETS["l1_ball"], eta, batch_size=2, samples_per_step=samples)
    xs, _, state = iterates(run(method, STARTS["l1_ball"], batches))
    of_step = [one if callable(one) else lambda k, one=one: one for one in (samples, eta)]
    statement = in_numpy.svrf(STARTS["l1_ball"], in_numpy.l1_ball, drawing(batches), *of_step)
    np.testing.assert_allclose(xs, stated(statement, len(xs)), rtol=0, atol=1e-12)
    assert len(xs) > 33
    assert int(state.epochs) >= 3


def test_micro_batches_are_one_big_batch():
    """After every snapshot, which has a call of its own whatever the batch."""
    big = drawn(80, 12)
    small = [one[:2] if k in (0, 1, 15, 45) else one.reshape(6, 2) for k, one in enumerate(big)]
    small = np.concatenate([one.reshape(-1, 2) for one in small])
    make = lambda b: optzoo.svrf(  # noqa: E731
        SETS["l1_ball"], batch_size=b, samples_per_step=12
    )
    whole, *_ = iterates(run(make(12), STARTS["l1_ball"], big))
    parts, *_ = iterates(run(make(2), STARTS["l1_ball"], small))
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-13)
    assert len(parts) == 80


def test_the_functions_are_evaluated_as_often_as_is_counted():
    method = optax.chain(
        optzoo.svrf(SETS["simplex"], batch_size=4, samples_per_step=8), optax.scale(1.0)
    )
    found, state = counted(method, STARTS["simplex"], 60)
    assert found == {"grad_fn": 57, "full_grad_fn": 3}  # 1 + (1 + 2 * 13) + (1 + 31 more)
    assert optzoo.gradient_calls(state, N, 4) == 3 * N + 2 * 4 * 57


def test_the_snapshot_stays_where_it_was_taken():
    method = optzoo.svrf(SETS["simplex"], batch_size=3, samples_per_step=3)
    xs, *_, state = run(method, STARTS["simplex"], drawn(20, 3))
    np.testing.assert_array_equal(state.snapshot, xs[14])  # after the start and 14 steps
    np.testing.assert_allclose(
        state.full_gradient, in_numpy.full(xs[14]), rtol=0, atol=1e-15, strict=True
    )
    assert (int(state.epochs), int(state.epoch_steps)) == (3, 5)


@pytest.mark.parametrize("eta", [None, 0.3, lambda k: 0.0 * k])
def test_the_start_is_a_step_of_one(eta):
    method = optzoo.svrf(SETS["l1_ball"], eta, batch_size=3)
    xs, *_ = run(method, STARTS["l1_ball"], drawn(1, 3))
    np.testing.assert_array_equal(xs[0], in_numpy.l1_ball(in_numpy.full(STARTS["l1_ball"])))


def test_epochs_stop_doubling_before_int32_ends():
    """The largest: 2^30 - 2 steps; the next is as long."""
    method = optzoo.svrf(SETS["simplex"], 0.1, batch_size=1, samples_per_step=1)
    x = jnp.asarray(STARTS["simplex"])
    fresh = method.init(x)
    update = jax.jit(
        lambda state: method.update(
            gradient(x, np.array([0])), state, x, **functions(np.array([0]))
        )
    )
    for t in (27, 28, 40):
        at = lambda k, t=t: fresh._replace(  # noqa: E731
            steps=jnp.int32(9), epochs=jnp.int32(t + 1), epoch_steps=jnp.int32(k)
        )
        _, last = update(at(2**30 - 3))
        assert int(last.epoch_steps) == 0
        _, other = update(at(2**30 - 4))
        assert int(other.epoch_steps) == 2**30 - 3


def test_the_sums_are_wide_in_16_bits():
    method = optzoo.svrf(lmo.l2_ball(1.0), 0.5, batch_size=1, samples_per_step=301)
    x = jnp.zeros(2, jnp.bfloat16)
    state = method.init(x)
    assert state.total.dtype == state.full_gradient.dtype == jnp.float32
    assert state.snapshot.dtype == jnp.bfloat16
    zeros, many = jnp.zeros(2, jnp.bfloat16), jnp.array([1.0, 0.0], jnp.bfloat16)
    full = jnp.array([0.0, 1.0], jnp.bfloat16)

    @jax.jit
    def call(grads, state):
        return method.update(grads, state, x, grad_fn=lambda p: zeros, full_grad_fn=lambda p: full)

    for _ in range(2):
        _, state = call(zeros, state)
    for _ in range(301):
        updates, state = call(many, state)
    assert int(state.steps) == 3
    np.testing.assert_allclose(
        np.asarray(updates, np.float64), -0.5 * np.array([1, 1]) / np.sqrt(2), rtol=0, atol=0.002
    )


def test_a_schedule_that_fails_later_is_not_silent():
    method = optzoo.svrf(
        SETS["l1_ball"], batch_size=2, samples_per_step=lambda k: jnp.where(k == 3, jnp.nan, 2.0)
    )
    xs, *_ = run(method, STARTS["l1_ball"], drawn(6, 2))
    assert np.all(np.isfinite(xs[:4]))
    assert np.all(np.isnan(xs[4:]))


def test_gradients_of_another_batch_are_seen_where_they_are_known():
    method, x = optzoo.svrf(SETS["l1_ball"], batch_size=2), jnp.asarray(STARTS["l1_ball"])
    batch = np.array([0, 3])
    _, state = method.update(gradient(x, batch), method.init(x), x, **functions(batch))
    other = gradient(x, np.array([1, 2]))
    with pytest.raises(ValueError, match="updates must be what grad_fn returns at params"):
        method.update(other, method.init(x), x, **functions(batch))
    method.update(other, state, x, **functions(batch))  # once only: it costs a gradient


@pytest.mark.parametrize("missing", ["grad_fn", "full_grad_fn"])
def test_functions_that_are_missing_or_wrong_are_named(missing):
    method, x = optzoo.svrf(SETS["l1_ball"], batch_size=2), jnp.asarray(STARTS["l1_ball"])
    good = functions(np.array([0]))
    grads = gradient(x, np.array([0]))
    for bad, error, message in (
        (None, ValueError, f"svrf: the extra argument `{missing}` is missing"),
        (1, TypeError, f"^{missing} must be a function of the parameters, got 1"),
        (lambda p: p[:2], ValueError, f"the result of {missing} must have the shape"),
    ):
        with pytest.raises(error, match=message):
            method.update(grads, method.init(x), x, **{**good, missing: bad})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"constraint": 1.0}, TypeError, "constraint must be a set"),
        ({"learning_rate": 0.0}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"samples_per_step": 0.5}, ValueError, r"samples_per_step must lie in \[1, "),
        ({"samples_per_step": lambda k: k}, ValueError, r"samples_per_step\(0\) must lie in \[1, "),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        optzoo.svrf(**{"constraint": lmo.simplex(), "batch_size": 2, **change})


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.svrf(lmo.simplex(), batch_size=2).init(jnp.ones(3))
