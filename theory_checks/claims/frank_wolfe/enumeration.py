"""Expectations over every outcome of a step of the shipped code: batches and coins enumerated.

On a finite sum of few functions a step has finitely many outcomes, so that the identities and the
one-step inequalities of the theorems can be compared with exact expectations, in float64.
"""

import itertools
from functools import partial
from typing import Any

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
    batches = _batches(run.replacement)
    coins = _coin_keys(run)
    weights = np.array([1.0 - float(run.restart_probability), float(run.restart_probability)])

    @jax.jit
    def expectations(x: jax.Array, g: jax.Array, old: jax.Array) -> jax.Array:
        def second(first_batch: jax.Array, first: Run, coin: Any) -> jax.Array:
            choices = first_batch[None] if reuse_batch else batches
            return jnp.mean(
                jax.vmap(lambda batch: _squared_error(run, _advance(run, first, batch, coin)))(
                    choices
                )
            )

        def outcome(batch: jax.Array, coin: Any) -> jax.Array:
            first = _advance(run, _state(run, x, g, old), batch, coin)
            after = sum(
                weight * second(batch, first, other)
                for weight, other in zip(weights, coins, strict=True)
            )
            variance = sample_variance(run.problem, first.x, first.state.previous)
            return jnp.stack([jnp.asarray(after), _squared_error(run, first), variance])

        return sum(
            weight * jnp.mean(jax.vmap(lambda batch, c=coin: outcome(batch, c))(batches), axis=0)
            for weight, coin in zip(weights, coins, strict=True)
        )

    table = np.array([expectations(*_random_state(run, seed)) for seed in range(states)])
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
    batches, coins = _batches(run.replacement), _coin_keys(run)

    @jax.jit
    def sides(x: jax.Array, g: jax.Array, old: jax.Array) -> tuple[jax.Array, jax.Array]:
        del old
        # A step whose old and new points agree leaves the estimate at g, and moves along it.
        first = _advance(run, _state(run, x, g, x), batches[0], coins[0])

        def error_after(coin: Any) -> jax.Array:
            return jnp.mean(
                jax.vmap(lambda batch: _squared_error(run, _advance(run, first, batch, coin)))(
                    batches
                )
            )

        expected = (1 - p) * error_after(coins[0]) + p * error_after(coins[1])
        error = jnp.sum((g - run.problem.gradient(x)) ** 2)
        value, value_next = run.problem.value(x), run.problem.value(first.x)
        before = value - run.f_star + bounds.M * error
        return (
            value_next - run.f_star + bounds.M * expected,
            (1 - eta) * before + bounds.A * eta**2,
        )

    pairs = [sides(*_random_state(run, seed)) for seed in range(states)]
    left, right = np.array(pairs).T
    return left, right


def _batches(replacement: bool) -> jax.Array:
    """All batches, equally likely, (outcomes, BATCH)."""
    if replacement:
        return jnp.array(list(itertools.product(range(SAMPLES), repeat=BATCH)))
    return jnp.array(list(itertools.combinations(range(SAMPLES), BATCH)))


def _coin_keys(run: SarahRun) -> list[jax.Array]:
    """A key whose coins at steps 1 and 2 both come out as no restart, and one as restarts."""
    keys = jax.random.split(jax.random.key(0), 512)

    def restarts(key: jax.Array) -> jax.Array:
        state = _state(run, run.x0, run.x0, run.x0)
        first = _advance(run, state, jnp.zeros(BATCH, int), key)
        second = _advance(run, first, jnp.zeros(BATCH, int), key)
        return jnp.stack([first.state.restarts, second.state.restarts])

    counts = np.asarray(jax.jit(jax.vmap(restarts))(keys))
    found = [np.flatnonzero((counts == wanted).all(axis=1)) for wanted in ([0, 0], [1, 2])]
    return [keys[indices[0]] for indices in found]


def _advance(run: SarahRun, before: Run, batch: jax.Array, key: jax.Array) -> Run:
    """One step of the shipped code with this batch, its coin taken from this key."""
    chosen = Run(before.x, before.state._replace(key=key))
    return run.advance(chosen, batch)


def _state(run: SarahRun, x: jax.Array, g: jax.Array, old: jax.Array) -> Run:
    """x^k = x after g^{k-1} = g was formed at x^{k-1} = old."""
    fresh = run.init(jax.random.key(0)).state
    one = jnp.ones([], jnp.int32)
    return Run(x, fresh._replace(estimate=g, previous=old, steps=one))


def _random_state(run: SarahRun, seed: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Two points of the set and an estimate that is off."""
    x_key, old_key, error_key = jax.random.split(jax.random.key(seed), 3)
    draw = partial(jax.random.normal, shape=(DIMENSION,))
    x, old = (run.constraint.project(2.0 * draw(key)) for key in (x_key, old_key))
    return x, run.problem.gradient(old) + 0.3 * draw(error_key), old


def _squared_error(run: SarahRun, after: Run) -> jax.Array:
    return jnp.sum((after.state.estimate - run.problem.gradient(after.state.previous)) ** 2)
