"""Expectations over all draws of a step of the shipped method, in float64.

A step is random in its messages and in the coin of the reference. The compressors here are the
shipped ones but for where they get their draws: encoding, decoding and the collective are theirs.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from optzoo.compressors import Compressor, Identity, PermK, RandK, SampledClients
from optzoo.problems import DistributedOperator

from ...claim import Case, Check
from ...controls import Change, controls
from ...setting import Setting
from .mutants import Scaled
from .processes import PillarsRun

__all__ = ["after_messages", "exact_case", "message_energy", "random_states", "solutions", "terms"]

Array = NDArray[np.float64]
Sides = tuple[Array, Array]
Indices = NDArray[Any]


def draws(compressor: Compressor, dimension: int) -> Indices:
    """All equally likely draws of a compressor, one row each."""
    n = compressor.num_workers
    if isinstance(compressor, Scaled):
        return draws(compressor.compressor, dimension)
    if isinstance(compressor, PermK):
        return np.arange(n)
    if isinstance(compressor, SampledClients):
        return np.array(list(itertools.product(range(n), repeat=compressor.num_clients)))
    if isinstance(compressor, RandK):
        subsets = list(itertools.combinations(range(dimension), compressor.num_coordinates))
        return np.array(list(itertools.product(subsets, repeat=n)))
    if isinstance(compressor, Identity):
        return np.zeros(1)
    raise TypeError(f"the draws of {compressor} are not enumerated")


def with_draw(compressor: Compressor, draw: jax.Array) -> Compressor:
    """The compressor with this draw for every key."""

    class Shifted(PermK):
        def shift(self, key: jax.Array) -> jax.Array:
            return draw

    class Drawn(SampledClients):
        def clients(self, key: jax.Array) -> jax.Array:
            return draw

    class Chosen(RandK):
        def indices(self, key: jax.Array, worker: jax.Array, dimension: int) -> jax.Array:
            return draw[worker]

    if isinstance(compressor, Scaled):
        return Scaled(with_draw(compressor.compressor, draw), compressor.factor)
    if isinstance(compressor, PermK):
        return Shifted(compressor.num_workers)
    if isinstance(compressor, SampledClients):
        return Drawn(compressor.num_clients, compressor.num_workers)
    if isinstance(compressor, RandK):
        return Chosen(compressor.num_coordinates, compressor.num_workers)
    return compressor


def after_messages(run: PillarsRun, z: Array, m: Array, kept: bool = True) -> tuple[Array, Array]:
    """One step from each state (z, m), for every draw of the messages.

    Args:
        run: the method on a problem.
        z: shape (states, d).
        m: shape (states, d).
        kept: whether the coin keeps the reference.

    Returns:
        z^{k+1} and m^{k+1}, each of shape (states, draws, d).
    """
    every = jnp.asarray(draws(run.compressor, run.problem.dim))
    coin = replace(run, refresh_probability=jnp.asarray(0.0 if kept else 1.0))
    after_z, after_m = _after(coin, jnp.asarray(z), jnp.asarray(m), every)
    return np.asarray(after_z), np.asarray(after_m)


@jax.jit
def _after(
    run: PillarsRun, z: jax.Array, m: jax.Array, every: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def one(z: jax.Array, m: jax.Array, draw: jax.Array) -> tuple[jax.Array, jax.Array]:
        start = run.at(z, m, jax.random.key(0))
        position = run.advance(start, with_draw(run.compressor, draw))
        return position.z, position.state.reference

    over_draws = jax.vmap(one, (None, None, 0))
    return jax.vmap(over_draws, (0, 0, None))(z, m, every)


@jax.jit
def _local_solutions(run: PillarsRun, z: jax.Array, m: jax.Array) -> jax.Array:
    return jax.vmap(lambda z, m: run.local_solution(run.at(z, m, jax.random.key(0))))(z, m)


def solutions(run: PillarsRun, z: Array, m: Array) -> Array:
    """u_H of the run's method at each state."""
    return np.asarray(_local_solutions(run, jnp.asarray(z), jnp.asarray(m)))


def message_energy(
    problem: DistributedOperator, compressor: Compressor, u: Array, m: Array
) -> Array:
    """E|(1/n) sum_i Q_i(a_i)|^2 at each state, by the exact constants A and B; shape (states,)."""
    values = np.asarray(jax.jit(jax.vmap(_differences(problem)))(jnp.asarray(u), jnp.asarray(m)))
    a, b = compressor.variance_constants(problem.dim)
    single = np.mean(np.sum(values**2, axis=2), axis=1)
    together = np.sum(values.mean(axis=1) ** 2, axis=1)
    return np.asarray(a * single + (1 - b) * together)


def _differences(problem: DistributedOperator) -> Callable[[Any, Any], jax.Array]:
    def at(u: jax.Array, m: jax.Array) -> jax.Array:
        raw = problem.operators(m) - problem.operators(u)
        return raw - raw[:1]

    return at


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
    u = solutions(run, z, m)
    at_u = np.asarray(jax.jit(jax.vmap(problem.operator))(jnp.asarray(u)))
    at_star = np.asarray(problem.operator(run.z_star))

    def squared(rows: Array) -> Array:
        return np.asarray(np.sum(rows**2, axis=-1))

    return {
        "z": squared(z - star),
        "m": squared(m - star),
        "u": squared(u - star),
        "u_z": squared(u - z),
        "u_m": squared(u - m),
        "progress": np.sum((at_u - at_star) * (u - star), axis=1),
        "operator": squared(at_u),
        "energy": message_energy(problem, energy or run.compressor, u, m),
        "after": squared(after_messages(run, z, m)[0] - star).mean(axis=1),
    }


def random_states(run: PillarsRun, states: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Points z and m of Z around the solution, far from each other and near; (states, d) each."""
    rng = np.random.default_rng(seed)
    star, d = np.asarray(run.z_star), run.problem.dim
    far = 10.0 ** rng.uniform(-2, 1, size=(2, states, 1))
    z, m = star + far * rng.standard_normal((2, states, d)) / np.sqrt(d)
    project = run.problem.project
    if project is None:
        return z, m
    onto = jax.jit(jax.vmap(project))
    return np.asarray(onto(jnp.asarray(z))), np.asarray(onto(jnp.asarray(m)))


def exact_case(
    setting: Setting,
    sides: Callable[..., Sides],
    check: Callable[..., Check],
    *changes: Change,
    **fields: Any,
) -> Case:
    """A theorem that is decided without chance, with its controls.

    Args:
        setting: where.
        sides: (setting, **changes) -> what was computed, and what the theorem says of it.
        check: makes a check of a function without arguments that returns the sides.
        *changes: of the sides: the controls.
        **fields: of the check.
    """

    def with_changes(**changed: Any) -> Check:
        return check(partial(sides, setting, **changed), **fields)

    return Case(setting, with_changes(), controls(with_changes, *changes))
