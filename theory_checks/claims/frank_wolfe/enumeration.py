"""Expectations over every outcome of a step of the shipped code: batches and coins enumerated.

On a finite sum of few functions a step has finitely many outcomes, so that the identities and the
one-step inequalities of the theorems can be compared with exact expectations, in float64.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import random_least_squares

from .processes import Method, Position, SarahRun, sample_variance, squared_error, with_slope

__all__ = [
    "BATCH",
    "DIMENSION",
    "SAMPLES",
    "SMALL",
    "all_batches",
    "descent_step",
    "estimator_moments",
    "lyapunov_step",
    "small_instance",
    "small_sarah",
]

Array = NDArray[np.float64]
SAMPLES, BATCH, DIMENSION = 4, 2, 3
SMALL = f"least squares, $n = {SAMPLES}$, $d = {DIMENSION}$, over the $\\ell_1$ ball"


def small_instance(seed: int = 0) -> dict[str, Any]:
    """Least squares with 4 functions in 3 dimensions over an l1 ball, batches of 2."""
    constraint = optzoo.lmo.l1_ball(1.0)
    return {
        "problem": random_least_squares(SAMPLES, DIMENSION, seed),
        "constraint": constraint,
        "x0": constraint.lmo(jnp.zeros(DIMENSION)),
        "steps": jnp.full(4, 0.3),
        "f_star": jnp.zeros([]),
        "batch_size": BATCH,
    }


def all_batches(replacement: bool) -> jax.Array:
    """All batches, equally likely, (outcomes, BATCH)."""
    if replacement:
        return jnp.array(list(itertools.product(range(SAMPLES), repeat=BATCH)))
    return jnp.array(list(itertools.combinations(range(SAMPLES), BATCH)))


def small_sarah(*, p: float, replacement: bool, seed: int = 0) -> SarahRun:
    """Sarah Frank-Wolfe on the small instance."""
    return SarahRun(
        **small_instance(seed), restart_probability=jnp.asarray(p), replacement=replacement
    )


def estimator_moments(
    run: SarahRun, *, states: int = 8, reuse_batch: bool = False
) -> tuple[Array, Array, Array]:
    r"""E e_{k+1}^2, E e_k^2 and E V_k over two steps, for random states before them.

    Both steps enumerate all batches and both outcomes of the coin.

    Args:
        run: from `small_sarah`.
        states: number of random states.
        reuse_batch: the second step takes the batch of the first (a mutant).

    Returns:
        Three arrays of shape (states,).
    """
    batches, coins = all_batches(run.replacement), _coins(run)

    def expectations(state: _State) -> jax.Array:
        def after_first(batch: jax.Array, coin: jax.Array) -> jax.Array:
            first = _advance(run, _start(run, state), batch, coin)
            variance = sample_variance(run.problem, first.x, first.state.previous)
            after = _expected(
                lambda other, toss: squared_error(run, _advance(run, first, other, toss)),
                batch[None] if reuse_batch else batches,
                coins,
            )
            return jnp.stack([after, squared_error(run, first), variance])

        return _expected(after_first, batches, coins)

    table = np.asarray(jax.jit(jax.vmap(expectations))(_random_states(run, states)))
    return table[:, 0], table[:, 1], table[:, 2]


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
    batches, coins = all_batches(template.replacement), _coins(template)

    def left(slope: jax.Array, x: jax.Array, g: jax.Array) -> jax.Array:
        run = with_slope(template, slope)
        # A step whose old and new points agree leaves the estimate at g, and moves along it.
        first = _advance(run, _start(run, _State(x, g, x)), batches[0], coins.keys[0])
        expected = _expected(
            lambda batch, coin: squared_error(run, _advance(run, first, batch, coin)),
            batches,
            coins,
        )
        error = jnp.sum((g - run.problem.gradient(x)) ** 2)
        before = run.problem.value(x) - run.f_star + weight * error
        after = run.problem.value(first.x) - run.f_star + weight * expected
        return after - (1 - run.steps[0]) * before

    grid = jnp.meshgrid(
        jnp.linspace(0.02, 1.0, 50),
        jnp.linspace(-1.0, 1.0, 5),
        jnp.array([-1.0, -0.3, -0.1, -1e-9, 0.1, 1.0]),
    )
    slopes, points, estimates = (axis.ravel() for axis in grid)
    return np.asarray(jax.jit(jax.vmap(left))(slopes, points[:, None], estimates[:, None]))


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


class _State(NamedTuple):
    """x^k, and the estimate g^{k-1} that was formed at x^{k-1} = old."""

    x: jax.Array
    estimate: jax.Array
    old: jax.Array


class _Coins(NamedTuple):
    """Keys that come out as no restart and as a restart, and the probabilities of that."""

    keys: jax.Array
    weights: jax.Array


def _coins(run: SarahRun) -> _Coins:
    """A key whose coins at steps 1 and 2 come out as no restart, one as restarts."""
    keys = jax.random.split(jax.random.key(0), 512)
    batch = jnp.zeros(BATCH, int)
    start = _start(run, _State(run.x0, run.x0, run.x0))

    def restarts(key: jax.Array) -> jax.Array:
        first = _advance(run, start, batch, key)
        return jnp.stack([first.state.restarts, _advance(run, first, batch, key).state.restarts])

    counts = np.asarray(jax.jit(jax.vmap(restarts))(keys))
    found = [np.flatnonzero((counts == wanted).all(axis=1)) for wanted in ([0, 0], [1, 2])]
    p = run.restart_probability
    return _Coins(keys[jnp.array([indices[0] for indices in found])], jnp.stack([1 - p, p]))


def _expected(
    after: Callable[[jax.Array, jax.Array], jax.Array], batches: jax.Array, coins: _Coins
) -> jax.Array:
    """Expectation over a batch, uniform among those given, and a coin."""
    each = jax.vmap(jax.vmap(after, (0, None)), (None, 0))(batches, coins.keys)
    return jnp.tensordot(coins.weights, jnp.mean(each, axis=1), axes=1)


def _advance(run: SarahRun, before: Position, batch: jax.Array, key: jax.Array) -> Position:
    """One step of the shipped code with this batch, its coin taken from this key."""
    return run.advance(Position(before.x, before.state._replace(key=key)), batch)


def _start(run: SarahRun, state: _State) -> Position:
    """The position after a step that left this state."""
    fresh = run.init(jax.random.key(0)).state
    one = jnp.ones([], jnp.int32)
    return Position(state.x, fresh._replace(estimate=state.estimate, previous=state.old, steps=one))


def _random_states(run: SarahRun, count: int) -> _State:
    """Pairs of points of the set and estimates that are off, stacked."""

    def draw(key: jax.Array) -> _State:
        x, old, error = jax.random.normal(key, (3, DIMENSION))
        x, old = run.constraint.project(2.0 * x), run.constraint.project(2.0 * old)
        return _State(x, run.problem.gradient(old) + 0.3 * error, old)

    return jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), count))
