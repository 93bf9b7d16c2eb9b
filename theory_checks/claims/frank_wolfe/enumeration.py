"""Expectations over every outcome of a step of the shipped code: batches and coins enumerated.

On a finite sum of few functions a step has finitely many outcomes, so that the identities and the
one-step inequalities of the theorems can be compared with exact expectations, in float64.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import minimize_over, random_least_squares

from .bounds import Sarah
from .process import Method, Run, SarahRun, sample_variance, variance_factor

__all__ = ["estimator_moments", "lyapunov_step", "small_run"]

Array = NDArray[np.float64]
SAMPLES, BATCH, DIMENSION = 4, 2, 3


def small_run(
    *,
    p: float,
    replacement: bool,
    step: float = 0.3,
    method: Method = optzoo.sarah_frank_wolfe,
    seed: int = 0,
) -> SarahRun:
    """Least squares with 4 functions in 3 dimensions over an l1 ball, batches of 2."""
    problem = random_least_squares(SAMPLES, DIMENSION, seed)
    constraint = optzoo.lmo.l1_ball(1.0)
    return SarahRun(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(DIMENSION)),
        steps=jnp.full(4, step),
        restart_probability=jnp.asarray(p),
        f_star=jnp.asarray(minimize_over(problem, constraint).lower),
        batch_size=BATCH,
        replacement=replacement,
        method=method,
    )


def estimator_moments(
    run: SarahRun, *, states: int = 8, reuse_batch: bool = False
) -> tuple[Array, Array, Array]:
    r"""E e_{k+1}^2, E e_k^2 and E V_k over two steps, for random states before them.

    Both steps enumerate all batches and both outcomes of the coin.

    Args:
        run: from `small_run`.
        states: number of random states.
        reuse_batch: the second step takes the batch of the first (a mutant).

    Returns:
        Three arrays of shape (states,).
    """
    batches, (coins, weights) = _batches(run.replacement), _coins(run)

    def over_outcomes(
        after: Callable[[jax.Array, jax.Array], jax.Array], choices: jax.Array
    ) -> Any:
        """Expectation over a batch, uniform among the choices, and a coin."""
        each = jax.vmap(jax.vmap(after, (0, None)), (None, 0))(choices, coins)
        return jnp.tensordot(weights, jnp.mean(each, axis=1), axes=1)

    def expectations(state: _State) -> jax.Array:
        def after_first(batch: jax.Array, coin: jax.Array) -> jax.Array:
            first = _advance(run, _start(run, state), batch, coin)
            variance = sample_variance(run.problem, first.x, first.state.previous)
            after = over_outcomes(
                lambda other, toss: _squared_error(run, _advance(run, first, other, toss)),
                batch[None] if reuse_batch else batches,
            )
            return jnp.stack([after, _squared_error(run, first), variance])

        return over_outcomes(after_first, batches)

    table = np.asarray(jax.jit(jax.vmap(expectations))(_random_states(run, states)))
    return table[:, 0], table[:, 1], table[:, 2]


def lyapunov_step(run: SarahRun, *, states: int = 64) -> tuple[Array, Array]:
    r"""Both sides of E Phi_{k+1} <= (1 - eta) Phi_k + A eta^2, Phi = f - f* + M e^2.

    Args:
        run: from `small_run`, with steps at most p/2.
        states: number of random pairs (x^k, g^k).

    Returns:
        E Phi_{k+1} and the right-hand side, of shape (states,).
    """
    p, eta = float(run.restart_probability), float(run.steps[0])
    constants = run.problem.constants
    bounds = Sarah(
        L=constants["L"].value,
        L_pm=constants["L_pm"].value,
        D=float(run.constraint.diameter(run.x0)),
        p=p,
        nu=variance_factor(SAMPLES, BATCH, replacement=run.replacement),
        r_0=0.0,
    )
    batches, (coins, weights) = _batches(run.replacement), _coins(run)

    def sides(state: _State) -> tuple[jax.Array, jax.Array]:
        x, g = state.x, state.estimate
        # A step whose old and new points agree leaves the estimate at g, and moves along it.
        first = _advance(run, _start(run, state._replace(old=x)), batches[0], coins[0])

        def error_after(batch: jax.Array, coin: jax.Array) -> jax.Array:
            return _squared_error(run, _advance(run, first, batch, coin))

        each = jax.vmap(jax.vmap(error_after, (0, None)), (None, 0))(batches, coins)
        expected = jnp.dot(weights, jnp.mean(each, axis=1))
        error = jnp.sum((g - run.problem.gradient(x)) ** 2)
        before = run.problem.value(x) - run.f_star + bounds.M * error
        return (
            run.problem.value(first.x) - run.f_star + bounds.M * expected,
            (1 - eta) * before + bounds.A * eta**2,
        )

    left, right = jax.jit(jax.vmap(sides))(_random_states(run, states))
    return np.asarray(left), np.asarray(right)


class _State(NamedTuple):
    """x^k, and the estimate g^{k-1} that was formed at x^{k-1} = old."""

    x: jax.Array
    estimate: jax.Array
    old: jax.Array


def _batches(replacement: bool) -> jax.Array:
    """All batches, equally likely, (outcomes, BATCH)."""
    if replacement:
        return jnp.array(list(itertools.product(range(SAMPLES), repeat=BATCH)))
    return jnp.array(list(itertools.combinations(range(SAMPLES), BATCH)))


def _coins(run: SarahRun) -> tuple[jax.Array, jax.Array]:
    """A key whose coins at steps 1 and 2 come out as no restart, one as restarts; and weights."""
    keys = jax.random.split(jax.random.key(0), 512)
    batch = jnp.zeros(BATCH, int)
    start = _start(run, _State(run.x0, run.x0, run.x0))

    def restarts(key: jax.Array) -> jax.Array:
        first = _advance(run, start, batch, key)
        return jnp.stack([first.state.restarts, _advance(run, first, batch, key).state.restarts])

    counts = np.asarray(jax.jit(jax.vmap(restarts))(keys))
    found = [np.flatnonzero((counts == wanted).all(axis=1)) for wanted in ([0, 0], [1, 2])]
    p = run.restart_probability
    return keys[jnp.array([indices[0] for indices in found])], jnp.stack([1 - p, p])


def _advance(run: SarahRun, before: Run, batch: jax.Array, key: jax.Array) -> Run:
    """One step of the shipped code with this batch, its coin taken from this key."""
    return run.advance(Run(before.x, before.state._replace(key=key)), batch)


def _start(run: SarahRun, state: _State) -> Run:
    """The run after a step that left this state."""
    fresh = run.init(jax.random.key(0)).state
    one = jnp.ones([], jnp.int32)
    return Run(state.x, fresh._replace(estimate=state.estimate, previous=state.old, steps=one))


def _random_states(run: SarahRun, count: int) -> _State:
    """Pairs of points of the set and estimates that are off, stacked."""

    def draw(key: jax.Array) -> _State:
        x, old, error = jax.random.normal(key, (3, DIMENSION))
        x, old = run.constraint.project(2.0 * x), run.constraint.project(2.0 * old)
        return _State(x, run.problem.gradient(old) + 0.3 * error, old)

    return jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), count))


def _squared_error(run: SarahRun, after: Run) -> jax.Array:
    return jnp.sum((after.state.estimate - run.problem.gradient(after.state.previous)) ** 2)
