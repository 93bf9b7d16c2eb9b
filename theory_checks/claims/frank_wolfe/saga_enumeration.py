"""Expectations over all batches of the shipped Saga Sarah Frank-Wolfe, in float64.

Nothing in a step is random but its batch, so that expectations over one step, and over all
sequences of batches of a short run, are finite sums.
"""

import itertools
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo

from .enumeration import BATCH, DIMENSION, SAMPLES, all_batches, small_instance
from .processes import (
    Method,
    Position,
    SagaRun,
    noise_tight_saga,
    refresh_probability,
    squared_error,
    stale,
    staleness,
)

__all__ = ["Outcome", "after_a_step", "attained_step", "small_saga", "tight_saga", "whole_runs"]

Array = NDArray[np.float64]


def small_saga(
    *, replacement: bool, warm: bool = True, method: Method = optzoo.saga_sarah_frank_wolfe
) -> SagaRun:
    """Saga Sarah Frank-Wolfe on the small instance of `enumeration`, with lambda = a/2."""
    a = refresh_probability(SAMPLES, BATCH, replacement=replacement)
    return SagaRun(
        **small_instance(),
        replacement=replacement,
        mixing=jnp.asarray(a / 2),
        warm=warm,
        method=method,
    )


def tight_saga(
    *, replacement: bool, warm: bool = True, method: Method = optzoo.saga_sarah_frank_wolfe
) -> SagaRun:
    """The same on f_i(x) = c x +- x^2 / 2 from the end x = 1, where F5 is attained."""
    return noise_tight_saga(
        num_samples=SAMPLES,
        batch_size=BATCH,
        steps=jnp.ones(4),
        slope=0.7,
        replacement=replacement,
        warm=warm,
        method=method,
    )


class Outcome(NamedTuple):
    """Expectations after a step, and what their exact values are made of; each (states,)."""

    error: Any  # E |g^{k+1} - grad f(x^{k+1})|^2
    staleness: Any  # E Y_{k+1}
    before: Any  # |g^k - grad f(x^k)|^2
    variance: Any  # of grad f_i(x^{k+1}) - grad f_i(x^k) + lambda (grad f_i(x^k) - y_i) over i
    stale: Any  # (1/n) sum_i |grad f_i(x^{k+1}) - y_i|^2
    moved: Any  # (1/n) sum_i |grad f_i(x^{k+1}) - grad f_i(x^k)|^2


def after_a_step(run: SagaRun, *, states: int = 8, shift: int = 0) -> Outcome:
    r"""One step from random states: measured expectations, and the terms of their exact values.

    Args:
        run: from `small_saga`.
        states: number of random points, estimates and tables.
        shift: the table is read and written at rows `(i + shift) % n` (a mutant, where not 0).
    """
    return Outcome(
        *(np.asarray(values) for values in _after_a_step(run, states=states, shift=shift))
    )


@partial(jax.jit, static_argnames="states")
def _after_a_step(run: SagaRun, *, states: int, shift: jax.Array | int) -> Outcome:
    everyone, batches = jnp.arange(SAMPLES), all_batches(run.replacement)

    def expectations(key: jax.Array) -> Outcome:
        x, old, error = jax.random.normal(key, (3, DIMENSION))
        x, old = run.constraint.project(2.0 * x), run.constraint.project(2.0 * old)
        new_rows = run.problem.sample_gradients(x, everyone)
        old_rows = run.problem.sample_gradients(old, everyone)
        table = old_rows + 0.3 * jax.random.normal(jax.random.fold_in(key, 1), old_rows.shape)
        start = _start(run, x, run.problem.gradient(old) + 0.3 * error, old, table)

        def after(batch: jax.Array) -> tuple[jax.Array, jax.Array]:
            rows = (batch + shift) % SAMPLES
            return _error_and_staleness(run, run.advance(start, batch, indices=rows))

        errors, stalenesses = jax.vmap(after)(batches)
        changes = new_rows - old_rows + run.mixing * (old_rows - table)
        return Outcome(
            error=jnp.mean(errors),
            staleness=jnp.mean(stalenesses),
            before=jnp.sum((0.3 * error) ** 2),
            variance=jnp.mean(jnp.sum((changes - jnp.mean(changes, axis=0)[None]) ** 2, axis=1)),
            stale=staleness(run.problem, x, table),
            moved=staleness(run.problem, x, old_rows),
        )

    return jax.vmap(expectations)(jax.random.split(jax.random.key(1), states))


def attained_step(run: SagaRun) -> tuple[Array, Array, Array, Array, Array]:
    r"""One step from the end x = 1, with a table as stale as one likes.

    All rows are stale by the same |s|; for s > 0 on the side away from the step, so that F5 is
    attained.

    Args:
        run: from `tight_saga`.

    Returns:
        The step eta, E_k and Y_k before it, and the measured E_{k+1} and Y_{k+1}, each of shape
        (states,).
    """
    grid = jnp.meshgrid(
        jnp.array([0.01, 0.1, 0.5, 1.0]),
        jnp.array([-1.0, 0.0, 0.1, 1.0, 10.0]),
        jnp.array([0.0, 0.1, -2.0]),
    )
    steps, off, error = (axis.ravel() for axis in grid)
    after, stale_after = _attained(run, steps, off, error)
    return (
        np.asarray(steps),
        np.asarray(error**2),
        np.asarray(off**2),
        np.asarray(after),
        np.asarray(stale_after),
    )


@jax.jit
@partial(jax.vmap, in_axes=(None, 0, 0, 0))
def _attained(
    run: SagaRun, eta: jax.Array, off: jax.Array, error: jax.Array
) -> tuple[jax.Array, jax.Array]:
    run = replace(run, steps=jnp.full(4, eta))
    signs = jnp.array([1.0, 1.0, -1.0, -1.0])
    old, x = jnp.ones(1), jnp.full(1, 1 - 2 * eta)
    table = (0.7 + signs * (1 + off))[:, None]
    start = _start(run, x, run.problem.gradient(old) + error, old, table)
    errors, stalenesses = jax.vmap(
        lambda batch: _error_and_staleness(run, run.advance(start, batch))
    )(all_batches(run.replacement))
    return jnp.mean(errors), jnp.mean(stalenesses)


def whole_runs(run: SagaRun) -> tuple[Array, Array]:
    r"""E_k and Y_k over all sequences of batches of the first calls of a run.

    Returns:
        Two arrays of shape (calls,), for the calls whose sequences are few: 3 or 4.
    """
    batches, calls = all_batches(run.replacement), 3 if run.replacement else 4
    sequences = jnp.array(list(itertools.product(range(len(batches)), repeat=calls)))
    start = run.init(jax.random.key(0))
    # How the table began is in the start: both beginnings share a program.
    error, staleness = _along(replace(run, warm=True), start, batches[sequences])
    return np.asarray(error), np.asarray(staleness)


@jax.jit
def _along(run: SagaRun, start: Position, sequences: jax.Array) -> tuple[jax.Array, jax.Array]:
    def call(position: Position, batch: jax.Array) -> tuple[Position, tuple[jax.Array, jax.Array]]:
        after = run.advance(position, batch)
        return after, _error_and_staleness(run, after)

    errors, stalenesses = jax.vmap(lambda sequence: jax.lax.scan(call, start, sequence)[1])(
        sequences
    )
    return jnp.mean(errors, axis=0), jnp.mean(stalenesses, axis=0)


def _start(
    run: SagaRun, x: jax.Array, estimate: jax.Array, old: jax.Array, table: jax.Array
) -> Position:
    """The position after a call at `old` that left this estimate and this table."""
    state = run.init(jax.random.key(0)).state._replace(
        steps=jnp.ones([], jnp.int32),
        estimate=estimate,
        table=table,
        table_mean=jnp.mean(table, axis=0),
        previous=old,
    )
    return Position(x, state)


def _error_and_staleness(run: SagaRun, after: Position) -> tuple[jax.Array, jax.Array]:
    return squared_error(run, after), stale(run, after)
