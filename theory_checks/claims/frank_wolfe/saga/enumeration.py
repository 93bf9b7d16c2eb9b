"""Expectations over all batches of the shipped Saga Sarah Frank-Wolfe, in float64.

Nothing in a step is random but its batch, so that expectations over one step, and over all
sequences of batches of a short run, are finite sums.
"""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import random_least_squares

from ..bounds import Saga
from ..process import Run, variance_factor
from .process import Method, SagaRun, noise_tight_saga, refresh_probability, staleness

__all__ = ["BATCH", "SAMPLES", "error_and_staleness", "one_step", "refresh", "whole_runs"]

Array = NDArray[np.float64]
SAMPLES, BATCH, DIMENSION = 4, 2, 3


def refresh(replacement: bool) -> float:
    """A on the small instances."""
    return refresh_probability(SAMPLES, BATCH, replacement=replacement)


def error_and_staleness(
    replacement: bool,
    method: Method = optzoo.saga_sarah_frank_wolfe,
    *,
    states: int = 8,
    shift: int = 0,
) -> dict[str, Array]:
    r"""One step from random states: measured expectations, and the terms of their exact values.

    Args:
        replacement: how batches are drawn.
        method: the transformation.
        states: number of random points, estimates and tables.
        shift: the table is read and written at rows `(i + shift) % n` (a mutant, where not 0).

    Returns:
        Arrays of shape (states,): the measured "error" E |g^{k+1} - grad f(x^{k+1})|^2 and
        "staleness" E Y_{k+1}; and, before the step, "before" |g^k - grad f(x^k)|^2, "variance" of
        grad f_i(x^{k+1}) - grad f_i(x^k) + lambda (grad f_i(x^k) - y_i) over i, "stale"
        (1/n) sum_i |grad f_i(x^{k+1}) - y_i|^2, "moved" (1/n) sum_i |d_i|^2, and lambda.
    """
    run = _small_run(replacement, method)
    everyone, batches = jnp.arange(SAMPLES), _batches(replacement)
    fresh = run.init(jax.random.key(0)).state

    def expectations(key: jax.Array) -> dict[str, jax.Array]:
        x, old, error = jax.random.normal(key, (3, DIMENSION))
        x, old = run.constraint.project(2.0 * x), run.constraint.project(2.0 * old)
        new_rows = run.problem.sample_gradients(x, everyone)
        old_rows = run.problem.sample_gradients(old, everyone)
        table = old_rows + 0.3 * jax.random.normal(jax.random.fold_in(key, 1), old_rows.shape)
        state = fresh._replace(
            steps=jnp.ones([], jnp.int32),
            estimate=run.problem.gradient(old) + 0.3 * error,
            table=table,
            table_mean=jnp.mean(table, axis=0),
            previous=old,
        )

        def after(batch: jax.Array) -> tuple[jax.Array, jax.Array]:
            rows = (batch + shift) % SAMPLES
            return _error_and_staleness(run, run.advance_at(Run(x, state), batch, rows))

        errors, stalenesses = jax.vmap(after)(batches)
        changes = new_rows - old_rows + run.mixing * (old_rows - table)
        return {
            "error": jnp.mean(errors),
            "staleness": jnp.mean(stalenesses),
            "before": jnp.sum((0.3 * error) ** 2),
            "variance": jnp.mean(jnp.sum((changes - jnp.mean(changes, axis=0)[None]) ** 2, axis=1)),
            "stale": jnp.mean(jnp.sum((new_rows - table) ** 2, axis=1)),
            "moved": jnp.mean(jnp.sum((new_rows - old_rows) ** 2, axis=1)),
        }

    keys = jax.random.split(jax.random.key(1), states)
    found = jax.jit(jax.vmap(expectations))(keys)
    return {name: np.asarray(values) for name, values in found.items()}


def one_step(replacement: bool, method: Method = optzoo.saga_sarah_frank_wolfe) -> dict[str, Array]:
    r"""One step on f_i(x) = c x +- x^2 / 2 from the end x = 1, with a table as stale as one likes.

    All rows are stale by the same |s|; for s > 0 on the side away from the step, so that F5 is
    attained.

    Returns:
        Arrays of shape (states,): the measured "error" E_{k+1} and "staleness" Y_{k+1}, and the
        terms of their bounds, "before" E_k, "move" D eta and "root" sqrt(Y_k).
    """
    template = noise_tight_saga(
        SagaRun,
        num_samples=SAMPLES,
        batch_size=BATCH,
        steps=jnp.ones(4),
        slope=0.7,
        replacement=replacement,
        method=method,
    )
    batches, signs = _batches(replacement), jnp.array([1.0, 1.0, -1.0, -1.0])
    fresh = template.init(jax.random.key(0)).state

    def sides(eta: jax.Array, stale: jax.Array, error: jax.Array) -> tuple[jax.Array, ...]:
        run = replace(template, steps=jnp.full(4, eta))
        old, x = jnp.ones(1), jnp.full(1, 1 - 2 * eta)
        state = fresh._replace(
            steps=jnp.ones([], jnp.int32),
            estimate=run.problem.gradient(old) + error,
            table=(0.7 + signs * (1 + stale))[:, None],
            table_mean=jnp.full(1, 0.7),
            previous=old,
        )
        errors, stalenesses = jax.vmap(
            lambda batch: _error_and_staleness(run, run.advance(Run(x, state), batch))
        )(batches)
        return jnp.mean(errors), jnp.mean(stalenesses), error**2, 2 * eta, jnp.abs(stale)

    grid = jnp.meshgrid(
        jnp.array([0.01, 0.1, 0.5, 1.0]),
        jnp.array([-1.0, 0.0, 0.1, 1.0, 10.0]),
        jnp.array([0.0, 0.1, -2.0]),
    )
    found = jax.jit(jax.vmap(sides))(*(axis.ravel() for axis in grid))
    names = ("error", "staleness", "before", "move", "root")
    return {name: np.asarray(values) for name, values in zip(names, found, strict=True)}


def whole_runs(
    *, replacement: bool, warm: bool, method: Method = optzoo.saga_sarah_frank_wolfe
) -> tuple[Array, Array]:
    r"""E_k and Y_k over all sequences of batches of the first calls of two runs, and their bounds.

    The runs: f_i(x) = c x +- x^2 / 2 from the end of [-1, 1], and least squares over an l1 ball.

    Returns:
        Measured (E_0, ..., Y_0, ...) and bounds, flat, where the bound is positive.
    """
    calls = 3 if replacement else 4
    batches = _batches(replacement)
    sequences = jnp.array(list(itertools.product(range(len(batches)), repeat=calls)))
    steps = jnp.array([0.6, 0.3, 0.8, 0.5])
    tight = noise_tight_saga(
        SagaRun,
        num_samples=SAMPLES,
        batch_size=BATCH,
        steps=steps,
        slope=0.7,
        replacement=replacement,
        warm=warm,
        method=method,
    )
    small = replace(_small_run(replacement, method), steps=steps, warm=warm)
    measured, bounds = [], []
    for run in (tight, small):
        start = run.init(jax.random.key(0))

        def along(sequence: jax.Array, run: SagaRun = run, start: Run = start) -> jax.Array:
            found, carry = [], start
            for index in sequence:
                carry = run.advance(carry, batches[index])
                found.append(jnp.stack(_error_and_staleness(run, carry)))
            return jnp.stack(found, axis=1)

        moments = np.asarray(jnp.mean(jax.jit(jax.vmap(along))(sequences), axis=0))
        saga = _bounds(run, old=method is not optzoo.saga_sarah_frank_wolfe)
        for values, bound in zip(moments, saga.estimator(np.asarray(steps)), strict=True):
            bound = bound[:calls]
            measured.append(values[bound > 0])
            bounds.append(bound[bound > 0])
    return np.concatenate(measured), np.concatenate(bounds)


def _bounds(run: SagaRun, *, old: bool) -> Saga:
    """F5 with the exact E_0 and Y_0 of the run's start."""
    everyone = jnp.arange(SAMPLES)
    a = refresh(run.replacement)
    nu = variance_factor(SAMPLES, BATCH, replacement=run.replacement)
    constants = run.problem.constants
    rows = np.asarray(run.problem.sample_gradients(run.x0, everyone))
    spread = float(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)))
    size = float(np.mean(np.sum(rows**2, axis=1)))
    return Saga(
        L=constants["L"].value,
        L_pm=constants["L_pm"].value,
        L_tilde=constants["L_tilde"].value,
        D=float(run.constraint.diameter(run.x0)),
        a=a,
        mixing=float(run.mixing),
        nu=nu,
        r_0=1.0,
        E_0=0.0 if run.warm else nu * spread,
        Y_0=0.0 if run.warm else (1 - a) * size,
        refreshed_with_new=not old,
    )


def _small_run(replacement: bool, method: Method) -> SagaRun:
    """Least squares with 4 functions in 3 dimensions over an l1 ball, batches of 2."""
    constraint = optzoo.lmo.l1_ball(1.0)
    return SagaRun(
        problem=random_least_squares(SAMPLES, DIMENSION, 0),
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(DIMENSION)),
        steps=jnp.full(4, 0.3),
        f_star=jnp.zeros([]),
        batch_size=BATCH,
        replacement=replacement,
        mixing=jnp.asarray(refresh(replacement) / 2),
        method=method,
    )


def _batches(replacement: bool) -> jax.Array:
    """All batches, equally likely, (outcomes, BATCH)."""
    if replacement:
        return jnp.array(list(itertools.product(range(SAMPLES), repeat=BATCH)))
    return jnp.array(list(itertools.combinations(range(SAMPLES), BATCH)))


def _error_and_staleness(run: SagaRun, after: Run) -> tuple[jax.Array, jax.Array]:
    x = after.state.previous
    error = jnp.sum((after.state.estimate - run.problem.gradient(x)) ** 2)
    return error, staleness(run, x, after.state.table)
