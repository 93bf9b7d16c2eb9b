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
from .process import (
    Method,
    Run,
    SarahRun,
    noise_tight_run,
    sample_variance,
    variance_factor,
    with_slope,
)

__all__ = ["descent_step", "estimator_moments", "lyapunov_step", "small_run"]

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


def lyapunov_step(
    *, p: float, eta: float, method: Method = optzoo.sarah_frank_wolfe, weight: float = 1.0
) -> tuple[Array, Array]:
    r"""E Phi_{k+1} - (1 - eta) Phi_k and its bound A eta^2, on f_i(x) = c x +- x^2 / 2.

    Phi = f - f* + M e^2. The states are a grid over the slope c, the point x and the estimate g;
    near g = 0 with the wrong sign the bound is nearly attained.

    Args:
        p: restart probability.
        eta: step, at most p/2.
        method: the transformation.
        weight: multiplies M (a mutant of the statement, where it is not 1).

    Returns:
        Two arrays of shape (states,).
    """
    nu = variance_factor(SAMPLES, BATCH, replacement=True)
    bounds = Sarah(L=0.0, L_pm=1.0, D=2.0, p=p, nu=nu, r_0=0.0)
    template = noise_tight_run(
        slope=1.0,
        restart_probability=p,
        batch_size=BATCH,
        steps=jnp.full(4, eta),
        num_samples=SAMPLES,
        method=method,
    )
    batches, (coins, weights) = _batches(True), _coins(template)

    def left(slope: jax.Array, x: jax.Array, g: jax.Array) -> jax.Array:
        run = with_slope(template, slope)
        # A step whose old and new points agree leaves the estimate at g, and moves along it.
        first = _advance(run, _start(run, _State(x, g, x)), batches[0], coins[0])

        def error_after(batch: jax.Array, coin: jax.Array) -> jax.Array:
            return _squared_error(run, _advance(run, first, batch, coin))

        each = jax.vmap(jax.vmap(error_after, (0, None)), (None, 0))(batches, coins)
        expected = jnp.dot(weights, jnp.mean(each, axis=1))
        error = jnp.sum((g - run.problem.gradient(x)) ** 2)
        m = weight * bounds.M
        before = run.problem.value(x) - run.f_star + m * error
        after = run.problem.value(first.x) - run.f_star + m * expected
        return after - (1 - eta) * before

    grid = jnp.meshgrid(
        jnp.linspace(0.02, 1.0, 50),
        jnp.linspace(-1.0, 1.0, 5),
        jnp.array([-1.0, -0.3, -0.1, -1e-9, 0.1, 1.0]),
    )
    slopes, points, estimates = (axis.ravel() for axis in grid)
    measured = jax.jit(jax.vmap(left))(slopes, points[:, None], estimates[:, None])
    return np.asarray(measured), np.full(len(measured), bounds.A * eta**2)


def descent_step(method: Method = optzoo.sarah_frank_wolfe) -> tuple[Array, Array, Array]:
    r"""f(x^{k+1}) - f(x^k) + eta G_k, and its bound's terms eta D e_k and (L/2) D^2 eta^2.

    On f(x) = c x + L x^2 / 2 over [-1, 1] either term is attained: the second at the end where
    f is larger with an exact gradient, the first for L = 0 with an estimate of the wrong sign.

    Returns:
        The left-hand side and the two terms, of shape (states,).
    """
    constraint = optzoo.lmo.box(-1.0, 1.0)

    def sides(
        slope: jax.Array, curvature: jax.Array, eta: jax.Array, x: jax.Array, error: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        def value(z: jax.Array) -> jax.Array:
            return (slope * z + curvature * z**2 / 2)[0]

        gradient = jax.grad(value)(x)
        g = gradient + error
        tx = method(constraint, lambda k: eta, 1.0, key=jax.random.key(0))
        # The first step restarts: the full gradient it is given is the estimate g.
        updates, state = tx.update(g, tx.init(x), x, grad_fn=lambda z: g, full_grad_fn=lambda z: g)
        gap = optzoo.frank_wolfe_gap(constraint, gradient, x)
        off = jnp.abs(state.estimate - gradient)[0]
        left = value(x + updates) - value(x) + eta * gap
        return left, eta * 2.0 * off, curvature / 2 * (2.0 * eta) ** 2

    grid = jnp.meshgrid(
        jnp.array([0.0, 0.1, 0.5]),
        jnp.array([0.0, 0.5, 2.0]),
        jnp.array([0.1, 0.5, 1.0]),
        jnp.linspace(-1.0, 1.0, 5),
        jnp.array([-3.0, -0.5 - 1e-9, -0.1 - 1e-9, 0.0, 0.4, 3.0]),
    )
    slopes, curvatures, etas, points, errors = (axis.ravel() for axis in grid)
    keep = (jnp.abs(errors) > 0) | (curvatures > 0)  # otherwise both terms vanish
    cases = (slopes, curvatures, etas, points[:, None], errors[:, None])
    found = jax.jit(jax.vmap(sides))(*(case[keep] for case in cases))
    left, error_term, curvature_term = (np.asarray(side) for side in found)
    return left, error_term, curvature_term


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
