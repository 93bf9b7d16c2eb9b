"""Frank-Wolfe methods with an active set: their pseudo-code, linear rates, and a set that is full."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optzoo
from optzoo import lmo

from . import active_set_in_numpy as in_numpy

D = 6
METHODS = {
    "away_step": (optzoo.away_step_frank_wolfe, in_numpy.away_step_steps),
    "pairwise": (optzoo.pairwise_frank_wolfe, in_numpy.pairwise_steps),
    "blended_pairwise": (optzoo.blended_pairwise_frank_wolfe, in_numpy.blended_pairwise_steps),
}
# A set, its vertices, and how far from the centre the unconstrained minimum is.
SETS = {
    "simplex": (lmo.simplex(), in_numpy.simplex(D), 0.5),
    "l1_ball": (lmo.l1_ball(1.0), in_numpy.l1_ball(D), 0.6),
    "box": (lmo.box(-1.0, 1.0), in_numpy.box(D), 1.3),
}
RULES = ("short", "exact")
every_method = pytest.mark.parametrize("name", METHODS)


def quadratic(seed, d, centre, spread):
    """Hessian and linear term of a quadratic whose minimum is `spread` from the centre."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2 * d, d))
    matrix = rows.T @ rows / (2 * d)
    return matrix, matrix @ (centre + spread * rng.normal(size=d))


def largest_eigenvalue(matrix):
    return float(np.linalg.eigvalsh(matrix)[-1])


def value(matrix, b, x):
    matrix, b = jnp.asarray(matrix, x.dtype), jnp.asarray(b, x.dtype)
    return x @ matrix @ x / 2 - b @ x


@functools.partial(jax.jit, static_argnames=("method", "steps"))
def run(method, matrix, b, x, steps):
    """x^0, ..., x^steps, and the state after each step."""
    loss = functools.partial(value, matrix, b)

    def step(carry, _):
        x, state = carry
        updates, state = method.update(jax.grad(loss)(x), state, x, value_fn=loss)
        x = optax.apply_updates(x, updates)
        return (x, state), (x, state)

    return jax.lax.scan(step, (x, method.init(x)), length=steps)[1]


def gap(constraint, matrix, b, x):
    return float(optzoo.frank_wolfe_gap(constraint, jnp.asarray(matrix @ np.asarray(x) - b), x))


# --- the pseudo-code ---


@every_method
@pytest.mark.parametrize("where", SETS)
@pytest.mark.parametrize("rule", RULES)
def test_every_step_is_the_papers_against_plain_numpy(name, where, rule):
    make, reference = METHODS[name]
    constraint, vertices, spread = SETS[where]
    matrix, b = quadratic(1, D, vertices.mean(axis=0), spread)
    if rule == "short":
        smoothness = largest_eigenvalue(matrix)
        learning_rate, step = optzoo.short_step(smoothness), in_numpy.short(smoothness)
    else:
        learning_rate, step = optzoo.exact_line_search(), in_numpy.exact(matrix)
    # Atoms enough that the set is never full.
    method = make(constraint, learning_rate, max_atoms=40)
    met = collections.Counter()
    for start in (vertices[0], 0.7 * vertices.mean(axis=0) + 0.3 * vertices[0]):
        points, states = run(method, matrix, b, jnp.asarray(start), 40)
        weights, x = {tuple(start): 1.0}, start
        seen = collections.Counter()
        for k, found in enumerate(points):
            outcomes = list(reference(vertices, weights, matrix @ x - b, step))
            errors = [np.abs(in_numpy.point(w) - found).max() for w, _ in outcomes]
            assert min(errors) <= 1e-12, k
            weights, what = outcomes[int(np.argmin(errors))]
            x = in_numpy.point(weights)
            seen[what] += 1
            if gap(constraint, matrix, b, jnp.asarray(x)) < 1e-11:
                break
            state = jax.tree.map(lambda leaf, k=k: leaf[k], states)
            kept = {
                tuple(atom): float(w)
                for atom, w in zip(
                    np.asarray(state.active.atoms), state.active.weights, strict=True
                )
                if w > 0
            }
            assert kept.keys() == weights.keys(), k
            for atom, w in kept.items():
                assert abs(w - weights[atom]) < 1e-12, k
            assert int(state.drops) == seen["drop"], k
            assert int(getattr(state, "swaps", 0)) == seen["swap"], k
            if name == "blended_pairwise":
                assert int(state.local_steps) == seen["drop"] + seen["local"], k
        met += seen
    assert met["drop"] + met["swap"] >= 1, met
