"""Stochastic Frank-Wolfe: its statement, batches that grow over micro batches, counts, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo
from optzoo._micro_batches import MOST, calls_needed

from . import stochastic_frank_wolfe_in_numpy as in_numpy
from .logistic_runs import SETS, STARTS, VERTICES, drawing, drawn, gradient, iterates, run, stated

G, L, DIAMETER = 3.0, 2.0, 1.5


def papers_batch(k):
    return int(np.ceil((G * (k + 2) / (L * DIAMETER)) ** 2))


@pytest.mark.parametrize("b", [1, 7])
@pytest.mark.parametrize("name", SETS)
def test_the_iterates_are_those_of_the_statement(name, b):
    method = optzoo.stochastic_frank_wolfe(
        SETS[name], batch_size=b, samples_per_step=optzoo.growing_batches(G, L, DIAMETER)
    )
    expected_calls = [-(-papers_batch(k) // b) for k in range(32)]
    batches = drawn(sum(expected_calls), b)
    xs, calls, state = iterates(run(method, STARTS[name], batches))
    assert list(calls) == expected_calls
    statement = in_numpy.stochastic_frank_wolfe(
        STARTS[name], VERTICES[name], drawing(batches), papers_batch
    )
    np.testing.assert_allclose(xs, stated(statement, 32), rtol=0, atol=1e-12)
    assert optzoo.gradient_calls(state, in_numpy.N, b) == b * len(batches)
    assert (int(state.steps), int(state.calls), int(state.gathered)) == (32, len(batches), 0)


def test_other_schedules_and_numbers():
    batches = drawn(60, 2)
    method = optzoo.stochastic_frank_wolfe(
        SETS["simplex"],
        lambda k: 1.0 / (k + 3.0),
        batch_size=2,
        samples_per_step=lambda k: k + 0.5 + 1,
    )
    xs, calls, state = iterates(run(method, STARTS["simplex"], batches))
    statement = in_numpy.stochastic_frank_wolfe(
        STARTS["simplex"],
        in_numpy.simplex,
        drawing(batches),
        lambda k: k + 1.5,
        lambda k: 1 / (k + 3),
    )
    np.testing.assert_allclose(xs, stated(statement, len(xs)), rtol=0, atol=1e-12)
    assert list(calls[:5]) == [1, 2, 2, 3, 3]
    assert int(state.gathered) == 60 - sum(calls) > 0
    assert np.any(np.asarray(state.total))
    fixed = optzoo.stochastic_frank_wolfe(SETS["simplex"], 0.1, batch_size=2, samples_per_step=5)
    xs, calls, _ = iterates(run(fixed, STARTS["simplex"], batches))
    assert list(calls) == [3] * 20
    statement = in_numpy.stochastic_frank_wolfe(
        STARTS["simplex"], in_numpy.simplex, drawing(batches), lambda k: 5, lambda k: 0.1
    )
    np.testing.assert_allclose(xs, stated(statement, 20), rtol=0, atol=1e-12)


def test_micro_batches_are_one_big_batch():
    """The same samples in batches of 2 and of 12; one of them alone weighs as in the big one."""
    batches, big = drawn(180, 2), drawn(180, 2).reshape(30, 12)
    make = lambda b: optzoo.stochastic_frank_wolfe(  # noqa: E731
        SETS["l1_ball"], batch_size=b, samples_per_step=12
    )
    small, calls, _ = iterates(run(make(2), STARTS["l1_ball"], batches))
    whole, _, _ = iterates(run(make(12), STARTS["l1_ball"], big))
    np.testing.assert_allclose(small, whole, rtol=0, atol=1e-13)
    assert list(calls) == [6] * 30


def test_the_sums_of_a_batch_are_wide_in_16_bits():
    """Of 300 micro batches of bfloat16, whose sums in bfloat16 would stand still at 256."""
    method = optzoo.stochastic_frank_wolfe(
        lmo.l2_ball(1.0), 0.5, batch_size=1, samples_per_step=301
    )
    x = jnp.zeros(2, jnp.bfloat16)
    many, once = jnp.array([1.0, 0.0], jnp.bfloat16), jnp.array([0.0, 150.0], jnp.bfloat16)
    state = method.init(x)
    assert state.total.dtype == jnp.float32

    @jax.jit
    def call(grads, state):
        return method.update(grads, state, x)

    for k in range(301):
        updates, state = call(once if k == 0 else many, state)
        assert updates.dtype == jnp.bfloat16
    expected = -0.5 * np.array([300, 150]) / np.hypot(300, 150)
    np.testing.assert_allclose(
        np.asarray(updates, np.float64), expected, atol=0.002, err_msg="half a unit is 0.001"
    )
    np.testing.assert_allclose(
        np.asarray(updates, np.float64) + np.asarray(state.remainder, np.float64),
        expected,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("samples", "b", "needed"),
    [
        (1, 1, 1),
        (6, 3, 2),
        (7, 3, 3),
        (6.0, 3, 2),
        (6.001, 3, 3),
        (2**24 + 1, 2, 2**23 + 1),  # where float32 has no odd numbers any more
        (2**31 - 128, 1, MOST),
        (2**31 - 128, 1000, 2_147_484),
        (1e30, 1, MOST),
        (float("inf"), 2, MOST // 2),
        (0.9, 1, 0),
        (-3, 1, 0),
        (float("nan"), 1, 0),
    ],
)
@pytest.mark.parametrize("wide", [True, False])
def test_how_many_calls_a_step_needs(samples, b, needed, wide):
    with jax.enable_x64(wide):
        count = jax.jit(lambda m, k: calls_needed(lambda step: m, k, b))(
            jnp.asarray(samples), jnp.int32(0)
        )
        assert int(count) == needed
        assert count.dtype == jnp.int32


def test_the_papers_batches():
    schedule = optzoo.growing_batches(G, L, DIAMETER)
    assert [int(schedule(k)) for k in range(200)] == [papers_batch(k) for k in range(200)]
    assert float(jax.jit(optzoo.growing_batches(0.1, 7.0, 2.0))(jnp.int32(300))) == 5.0


def test_a_schedule_that_fails_later_is_not_silent():
    for bad in (jnp.nan, 0.0, -1.0):
        method = optzoo.stochastic_frank_wolfe(
            SETS["l1_ball"],
            batch_size=2,
            samples_per_step=lambda k, bad=bad: jnp.where(k == 3, bad, 2.0),
        )
        xs, _, steps, _ = run(method, STARTS["l1_ball"], drawn(5, 2))
        assert np.all(np.isfinite(xs[:3]))
        assert np.all(np.isnan(xs[3:]))
        assert steps[3] == 4


def test_the_count_is_exact_where_int32_is_not_and_a_float_where_it_is_traced():
    method = optzoo.stochastic_frank_wolfe(SETS["simplex"], batch_size=1, samples_per_step=1)
    state = method.init(jnp.asarray(STARTS["simplex"]))._replace(calls=jnp.int32(2**30 + 1))
    exact = 10**6 * (2**30 + 1)
    assert optzoo.gradient_calls((state, optax.EmptyState()), 7, 10**6) == exact
    assert float(jax.jit(lambda s: optzoo.gradient_calls(s, 7, 10**6))(state)) == exact


def test_counters_stay_at_the_largest_int32():
    method = optzoo.stochastic_frank_wolfe(SETS["simplex"], 0.1, batch_size=1, samples_per_step=1)
    x, last = jnp.asarray(STARTS["simplex"]), jnp.int32(2**31 - 1)
    state = method.init(x)._replace(calls=last, steps=last)
    _, state = method.update(gradient(x, jnp.array([0])), state, x)
    assert int(state.calls) == int(state.steps) == 2**31 - 1


GOOD = {"constraint": lmo.simplex(), "batch_size": 2, "samples_per_step": 3}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"constraint": 1.0}, TypeError, r"constraint must be a set of optzoo\.lmo"),
        ({"learning_rate": 1.5}, ValueError, r"learning_rate must lie in \(0, 1\]"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an integer, got 2.5"),
        ({"batch_size": 2**31}, ValueError, "batch_size must be an integer of at most 2147483520"),
        ({"samples_per_step": 0}, ValueError, r"samples_per_step must lie in \[1, .* got 0"),
        ({"samples_per_step": 2**31}, ValueError, r"samples_per_step must lie in \[1, 2147483520"),
        ({"samples_per_step": float("nan")}, ValueError, "samples_per_step must lie in .* got nan"),
        ({"samples_per_step": "a"}, TypeError, "samples_per_step must be a real number, got 'a'"),
        ({"samples_per_step": None}, TypeError, "samples_per_step must be a real number, got None"),
        (
            {"samples_per_step": lambda k: 0.5 * k},
            ValueError,
            r"samples_per_step\(0\) must lie in \[1, 2147483520\], a number of samples; got 0",
        ),
        ({"samples_per_step": max}, TypeError, "samples_per_step must be a number or a schedule"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        optzoo.stochastic_frank_wolfe(**{**GOOD, **change})


@pytest.mark.parametrize("name", ["lipschitz", "smoothness", "diameter"])
def test_bad_constants_are_named(name):
    good = {"lipschitz": 1.0, "smoothness": 1.0, "diameter": 1.0}
    for bad, error in ((0.0, ValueError), (float("inf"), ValueError), ("a", TypeError)):
        with pytest.raises(error, match=f"{name} must be"):
            optzoo.growing_batches(**{**good, name: bad})


def test_a_start_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="start inside"):
        optzoo.stochastic_frank_wolfe(**GOOD).init(jnp.ones(3))
