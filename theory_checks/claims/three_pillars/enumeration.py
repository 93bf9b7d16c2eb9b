# SPDX-License-Identifier: Apache-2.0
"""Expectations over all draws of a step of the shipped method, in float64.

A step is random in its messages and in the coin of the reference.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor
from optzoo.problems import DistributedOperator

from ...compressors import draws, with_draw
from .processes import PillarsRun

__all__ = ["DRAWS", "Array", "after_messages", "random_states", "terms"]

Array = NDArray[np.float64]
DRAWS = "all draws of the messages"


class After(NamedTuple):
    """Where a step leads from each of some states, for every draw of the messages."""

    z: Array  # z^{k+1}, shape (states, draws, d)
    m: Array  # m^{k+1}, shape (states, draws, d)
    u: Array  # u^k, shape (states, d)


def after_messages(run: PillarsRun, z: Array, m: Array, kept: bool = True) -> After:
    """One step from each state (z, m), for every draw of the messages.

    Args:
        run: the method on a problem.
        z: shape (states, d).
        m: shape (states, d).
        kept: whether the coin keeps the reference.

    Returns:
        Where it leads.
    """
    every = jnp.asarray(draws(run.compressor, run.problem.dim))
    coin = replace(run, refresh_probability=jnp.asarray(0.0 if kept else 1.0))
    return After(*map(np.asarray, _after(coin, jnp.asarray(z), jnp.asarray(m), every)))


@jax.jit
def _after(run: PillarsRun, z: jax.Array, m: jax.Array, every: jax.Array) -> Any:
    def one(z: jax.Array, m: jax.Array, draw: jax.Array) -> Any:
        drawn = replace(run, compressor=with_draw(run.compressor, draw))
        after, state = drawn.advance(run.at(z, m, jax.random.key(0)))
        return after, state.reference, state.local_solution

    over_draws = jax.vmap(one, (None, None, 0), (0, 0, None))
    return jax.vmap(over_draws, (0, 0, None))(z, m, every)


@jax.jit
def _operators(problem: DistributedOperator, points: jax.Array) -> jax.Array:
    """F_i at each point, shape (points, n, d)."""
    return jax.vmap(problem.operators)(points)


def terms(
    run: PillarsRun, z: Array, m: Array, *, energy: Compressor | None = None
) -> dict[str, Array]:
    """What the identity of a step is made of, at each state; arrays of shape (states,).

    Args:
        run: the method on a problem.
        z: shape (states, d).
        m: shape (states, d).
        energy: the compressor whose second moment is used; the run's own if None.
    """
    problem, star = run.problem, np.asarray(run.z_star)
    after = after_messages(run, z, m)
    u = after.u
    at_u, at_m, at_star = (
        np.asarray(_operators(problem, jnp.asarray(points))) for points in (u, m, star[None])
    )
    operator, of_star = at_u.mean(axis=1), at_star.mean(axis=1)
    raw = at_m - at_u
    sent = raw - raw[:, :1]  # a_i
    a, b = (energy or run.compressor).variance_constants(problem.dim)

    def squared(rows: Array) -> Array:
        return np.asarray(np.sum(rows**2, axis=-1))

    return {
        "z": squared(z - star),
        "m": squared(m - star),
        "u": squared(u - star),
        "u_z": squared(u - z),
        "u_m": squared(u - m),
        "progress": np.sum((operator - of_star) * (u - star), axis=1),
        "operator": squared(operator),
        "energy": a * squared(sent).mean(axis=1) + (1 - b) * squared(sent.mean(axis=1)),
        "after": squared(after.z - star).mean(axis=1),
    }


def random_states(run: PillarsRun, states: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Points z and m of Z around the solution, far from each other and near; (states, d) each."""
    rng = np.random.default_rng(seed)
    star, d = np.asarray(run.z_star), run.problem.dim
    far = 10.0 ** rng.uniform(-2, 1, size=(2, states, 1))
    points = star + far * rng.standard_normal((2, states, d)) / np.sqrt(d)
    if run.problem.project is not None:
        points = np.asarray(jax.jit(jax.vmap(jax.vmap(run.problem.project)))(points))
    return points[0], points[1]
