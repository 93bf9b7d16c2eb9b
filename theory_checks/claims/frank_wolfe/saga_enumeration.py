# SPDX-License-Identifier: Apache-2.0
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

from .enumeration import SAMPLES, Batches, States, all_batches, left_by, random_states, with_batches
from .instances import Instance, noise_tight
from .processes import Position, SagaRun
from .watches import squared_error, stale, staleness

__all__ = ["Outcome", "after_a_step", "attained_step", "tight", "whole_runs"]

Array = NDArray[np.float64]
SLOPE = 0.7


def tight(noise: float = 1.0) -> Instance:
    """f_i(x) = c x +- sigma x^2 / 2 from the end x = 1, where F5 is attained."""
    return noise_tight(SLOPE * noise, n=SAMPLES, noise=noise)


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
        run: on the small instance.
        states: number of random points, estimates and tables.
        shift: the table is read and written at rows `(i + shift) % n` (a mutant, where not 0).
    """
    found = _after_a_step(*with_batches(run), shift, random_states(run, states))
    return Outcome(*(np.asarray(values) for values in found))


@jax.jit
@partial(jax.vmap, in_axes=(None, None, None, 0))
def _after_a_step(run: SagaRun, batches: Batches, shift: jax.Array | int, state: States) -> Outcome:
    x, old, error, off = state
    everyone = jnp.arange(SAMPLES)
    new_rows = run.problem.sample_gradients(x, everyone)
    old_rows = run.problem.sample_gradients(old, everyone)
    table = old_rows + off
    start = _start(run, x, old, run.problem.gradient(old) + error, table)

    def after(batch: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows = (batch + shift) % SAMPLES
        return _error_and_staleness(run, run.advance(start, batch, indices=rows))

    errors, stalenesses = jax.vmap(after)(batches.indices)
    changes = new_rows - old_rows + run.mixing * (old_rows - table)
    return Outcome(
        error=errors @ batches.weights,
        staleness=stalenesses @ batches.weights,
        before=jnp.sum(error**2),
        variance=jnp.mean(jnp.sum((changes - jnp.mean(changes, axis=0)[None]) ** 2, axis=1)),
        stale=staleness(run.problem, x, table),
        moved=staleness(run.problem, x, old_rows),
    )


def attained_step(run: SagaRun) -> tuple[Array, ...]:
    r"""One step from the end x = 1, with a table as stale as one likes.

    All rows are stale by the same |s|; for s > 0 on the side away from the step, so that F5 is
    attained.

    Args:
        run: on the instance `tight`.

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
    found = steps, error**2, off**2, *_attained(*with_batches(run), steps, off, error)
    return tuple(np.asarray(values) for values in found)


@jax.jit
@partial(jax.vmap, in_axes=(None, None, 0, 0, 0))
def _attained(
    run: SagaRun, batches: Batches, eta: jax.Array, off: jax.Array, error: jax.Array
) -> tuple[jax.Array, jax.Array]:
    run = replace(run, steps=jnp.full(4, eta))
    signs = jnp.array([1.0, 1.0, -1.0, -1.0])
    old, x = jnp.ones(1), jnp.full(1, 1 - 2 * eta)
    problem: Any = run.problem  # that of `tight`
    table = (problem.slope + signs * (problem.noise + off))[:, None]
    start = _start(run, x, old, run.problem.gradient(old) + error, table)
    errors, stalenesses = jax.vmap(
        lambda batch: _error_and_staleness(run, run.advance(start, batch))
    )(batches.indices)
    return errors @ batches.weights, stalenesses @ batches.weights


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
    run: SagaRun, x: jax.Array, old: jax.Array, estimate: jax.Array, table: jax.Array
) -> Position:
    """As `left_by`, with this table."""
    return left_by(run, x, old, estimate, table=table, table_mean=jnp.mean(table, axis=0))


def _error_and_staleness(run: SagaRun, after: Position) -> tuple[jax.Array, jax.Array]:
    return squared_error(run, after), stale(run, after)
