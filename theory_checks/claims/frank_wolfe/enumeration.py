# SPDX-License-Identifier: Apache-2.0
"""Expectations over every outcome of a step of the shipped code: batches and coins enumerated.

On a finite sum of few functions a step has finitely many outcomes, so that the identities and the
one-step inequalities of the theorems can be compared with exact expectations, in float64.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.lmo import ConstraintSet

from .instances import Instance, least_squares
from .processes import AnyRun, FiniteSumRun, Method, Position, SarahRun, with_slope
from .watches import sample_variance, squared_error

__all__ = [
    "BATCH",
    "SAMPLES",
    "SMALL",
    "Batches",
    "States",
    "all_batches",
    "descent_step",
    "estimator_moments",
    "first_errors",
    "left_by",
    "lyapunov_step",
    "random_states",
    "small",
    "with_batches",
]

Array = NDArray[np.float64]
SAMPLES, BATCH, DIMENSION = 4, 2, 3
SMALL = f"least squares, $n = {SAMPLES}$, $d = {DIMENSION}$, over the $\\ell_1$ ball"


def small(seed: int = 0) -> Instance:
    """Least squares with 4 functions in 3 dimensions over an l1 ball."""
    return least_squares(SAMPLES, DIMENSION, seed, 1.0)


# --- What is enumerated, and from where ---


def all_batches(replacement: bool) -> jax.Array:
    """All batches, equally likely, (outcomes, BATCH)."""
    if replacement:
        return jnp.array(list(itertools.product(range(SAMPLES), repeat=BATCH)))
    return jnp.array(list(itertools.combinations(range(SAMPLES), BATCH)))


class Batches(NamedTuple):
    """Batches, (outcomes, BATCH), and their probabilities."""

    indices: jax.Array
    weights: jax.Array


def with_batches(run: AnyRun) -> tuple[AnyRun, Batches]:
    """The run with its batches in every order: both kinds of sampling then share a program."""
    every = all_batches(True)
    possible = run.replacement | (every[:, 0] != every[:, 1])
    return replace(run, replacement=True), Batches(every, possible / jnp.sum(possible))


class States(NamedTuple):
    """Random states before a step, each leaf with a leading axis."""

    x: jax.Array
    old: jax.Array  # the point before
    error: jax.Array  # by how much the estimate there is off
    off: jax.Array  # by how much the rows of a table are


def random_states(run: FiniteSumRun, states: int) -> States:
    """Points of the set, and what is off there; in a program that all methods share."""
    return _random_states(run.constraint, jax.random.split(jax.random.key(1), states))


@jax.jit
@partial(jax.vmap, in_axes=(None, 0))
def _random_states(constraint: ConstraintSet, key: jax.Array) -> States:
    x, old, error = jax.random.normal(key, (3, DIMENSION))
    off = jax.random.normal(jax.random.fold_in(key, 1), (SAMPLES, DIMENSION))
    project = constraint.project
    return States(project(2.0 * x), project(2.0 * old), 0.3 * error, 0.3 * off)


def left_by(
    run: FiniteSumRun, x: jax.Array, old: jax.Array, estimate: jax.Array, **more: jax.Array
) -> Position:
    """The position at x after a call at `old` that left this estimate, and more of the state."""
    state = run.init(jax.random.key(0)).state
    one = jnp.ones([], jnp.int32)
    return Position(x, state._replace(steps=one, estimate=estimate, previous=old, **more))


class Coins(NamedTuple):
    """Keys that come out as no restart and as a restart, and the probabilities of that."""

    keys: jax.Array
    weights: jax.Array


def _coins(run: SarahRun) -> Coins:
    """A key whose coins at steps 1 and 2 come out as no restart, one as restarts."""
    keys = jax.random.split(jax.random.key(0), 512)
    counts = np.asarray(_restarts(run, keys))
    found = [np.flatnonzero((counts == wanted).all(axis=1)) for wanted in ([0, 0], [1, 2])]
    p = run.restart_probability
    return Coins(keys[jnp.array([indices[0] for indices in found])], jnp.stack([1 - p, p]))


@jax.jit
@partial(jax.vmap, in_axes=(None, 0))
def _restarts(run: SarahRun, key: jax.Array) -> jax.Array:
    batch = jnp.zeros(BATCH, int)
    first = _advance(run, left_by(run, run.x0, run.x0, run.x0), batch, key)
    return jnp.stack([first.state.restarts, _advance(run, first, batch, key).state.restarts])


def _advance(run: SarahRun, before: Position, batch: jax.Array, key: jax.Array) -> Position:
    """One step of the shipped code with this batch, its coin taken from this key."""
    return run.advance(Position(before.x, before.state._replace(key=key)), batch)


def _expected(
    after: Callable[[jax.Array, jax.Array], jax.Array], batches: jax.Array, coins: Coins
) -> jax.Array:
    """Expectation over a batch, uniform among those given, and a coin."""
    each = jax.vmap(jax.vmap(after, (0, None)), (None, 0))(batches, coins.keys)
    return jnp.tensordot(coins.weights, jnp.mean(each, axis=1), axes=1)


# --- The estimator ---


def estimator_moments(
    run: SarahRun, *, states: int = 8, reuse_batch: bool = False
) -> tuple[Array, Array, Array]:
    r"""E e_{k+1}^2, E e_k^2 and E V_k over two steps, for random states before them.

    Both steps enumerate all batches and both outcomes of the coin.

    Args:
        run: on the small instance.
        states: number of random states.
        reuse_batch: the second step takes the batch of the first (a mutant).

    Returns:
        Three arrays of shape (states,).
    """
    found = _two_steps(*with_batches(run), _coins(run), random_states(run, states))
    anew, again, before, variance = (np.asarray(values) for values in found)
    return again if reuse_batch else anew, before, variance


@jax.jit
@partial(jax.vmap, in_axes=(None, None, None, 0))
def _two_steps(run: SarahRun, batches: Batches, coins: Coins, state: States) -> Any:
    """E e_{k+1}^2 with a fresh batch in the second step and with the first one, E e_k^2, E V_k."""
    x, old = state.x, state.old
    start = left_by(run, x, old, run.problem.gradient(old) + state.error)

    def after_first(batch: jax.Array, coin: jax.Array) -> tuple[jax.Array, ...]:
        first = _advance(run, start, batch, coin)
        variance = sample_variance(run.problem, first.x, first.state.previous)

        def after_second(other: jax.Array, toss: jax.Array) -> jax.Array:
            return squared_error(run, _advance(run, first, other, toss))

        second = jax.vmap(jax.vmap(after_second, (None, 0)), (0, None))
        errors = second(batches.indices, coins.keys) @ coins.weights
        return errors, squared_error(run, first), variance

    every = jax.vmap(jax.vmap(after_first, (None, 0)), (0, None))(batches.indices, coins.keys)
    errors, before, variance = (jnp.tensordot(part, coins.weights, (1, 0)) for part in every)
    weights = batches.weights
    return (
        weights @ errors @ weights,
        jnp.diag(errors) @ weights,
        before @ weights,
        variance @ weights,
    )


def first_errors(run: SarahRun) -> Array:
    """E e_1^2 and E e_2^2 of a run, over all batches and coins of its steps 1 and 2."""
    batches = all_batches(run.replacement)
    return np.asarray(_first_errors(run, batches, _coins(run)))


@jax.jit
def _first_errors(run: SarahRun, batches: jax.Array, coins: Coins) -> jax.Array:
    key = coins.keys[0]
    first = _advance(run, run.init(key), batches[0], key)  # a full gradient, whatever the batch

    def at_one(batch: jax.Array, coin: jax.Array) -> jax.Array:
        return squared_error(run, _advance(run, first, batch, coin))

    def at_two(batch: jax.Array, coin: jax.Array) -> jax.Array:
        second = _advance(run, first, batch, coin)
        return _expected(
            lambda other, toss: squared_error(run, _advance(run, second, other, toss)),
            batches,
            coins,
        )

    return jnp.stack([_expected(after, batches, coins) for after in (at_one, at_two)])


# --- One step of the method ---


def lyapunov_step(template: SarahRun, weight: float) -> Array:
    r"""E Phi_{k+1} - (1 - eta) Phi_k for Phi = f - f* + M e^2, on f_i(x) = c x +- x^2 / 2.

    The states are a grid over the slope c, the point x and the estimate g; near g = 0 with the
    wrong sign the bound is nearly attained.

    Args:
        template: a run on that problem, with any slope.
        weight: M.

    Returns:
        An array of shape (states,).
    """
    grid = jnp.meshgrid(
        jnp.linspace(0.02, 1.0, 50),
        jnp.linspace(-1.0, 1.0, 5),
        jnp.array([-1.0, -0.3, -0.1, -1e-9, 0.1, 1.0]),
    )
    slopes, points, estimates = (axis.ravel() for axis in grid)
    weights, coins = jnp.asarray(weight), _coins(template)
    return np.asarray(
        _lyapunov(template, weights, coins, slopes, points[:, None], estimates[:, None])
    )


@jax.jit
@partial(jax.vmap, in_axes=(None, None, None, 0, 0, 0))
def _lyapunov(
    template: SarahRun,
    weight: jax.Array,
    coins: Coins,
    slope: jax.Array,
    x: jax.Array,
    g: jax.Array,
) -> jax.Array:
    run, batches = with_slope(template, slope), all_batches(template.replacement)
    # A step whose old and new points agree leaves the estimate at g, and moves along it.
    first = _advance(run, left_by(run, x, x, g), batches[0], coins.keys[0])
    expected = _expected(
        lambda batch, coin: squared_error(run, _advance(run, first, batch, coin)), batches, coins
    )
    error = jnp.sum((g - run.problem.gradient(x)) ** 2)
    before = run.problem.value(x) - run.f_star + weight * error
    after = run.problem.value(first.x) - run.f_star + weight * expected
    return after - (1 - run.steps[0]) * before


def descent_step(
    curvature: float, method: Method = optzoo.sarah_frank_wolfe
) -> tuple[Array, Array, Array]:
    r"""f(x^{k+1}) - f(x^k) + eta G_k for a step eta with an estimate that is off by e_k.

    On f(x) = c x + L x^2 / 2 over [-1, 1] either term of the bound is attained: that in L at the
    end where f is larger with an exact gradient, that in e_k for L = 0 with an estimate of the
    wrong sign.

    Args:
        curvature: L.
        method: the transformation.

    Returns:
        The left-hand side, eta and e_k, each of shape (states,).
    """
    grid = jnp.meshgrid(
        jnp.array([0.0, 0.1, 0.5]),
        jnp.array([0.1, 0.5, 1.0]),
        jnp.linspace(-1.0, 1.0, 5),
        jnp.array([-3.0, -0.5 - 1e-9, -0.1 - 1e-9, 0.0, 0.4, 3.0]),
    )
    slopes, steps, points, errors = (axis.ravel() for axis in grid)
    found = _descents(jnp.asarray(curvature), slopes, steps, points[:, None], errors, method)
    left, off = (np.asarray(side) for side in found)
    bounded = (off > 0) | (curvature > 0)  # elsewhere both terms vanish
    return left[bounded], np.asarray(steps)[bounded], off[bounded]


@partial(jax.jit, static_argnames="method")
@partial(jax.vmap, in_axes=(None, 0, 0, 0, 0, None))
def _descents(
    curvature: jax.Array,
    slope: jax.Array,
    eta: jax.Array,
    x: jax.Array,
    error: jax.Array,
    method: Method,
) -> tuple[jax.Array, jax.Array]:
    constraint = optzoo.lmo.box(-1.0, 1.0)

    def value(z: jax.Array) -> jax.Array:
        return (slope * z + curvature * z**2 / 2)[0]

    gradient = jax.grad(value)(x)
    g = gradient + error
    tx = method(constraint, lambda k: eta, 1.0, key=jax.random.key(0))
    # The first step restarts: the full gradient it is given is the estimate g.
    updates, state = tx.update(g, tx.init(x), x, grad_fn=lambda z: g, full_grad_fn=lambda z: g)
    gap = optzoo.frank_wolfe_gap(constraint, gradient, x)
    off = jnp.abs(state.estimate - gradient)[0]
    return value(x + updates) - value(x) + eta * gap, off
