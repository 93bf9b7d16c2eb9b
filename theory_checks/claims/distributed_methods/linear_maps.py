# SPDX-License-Identifier: Apache-2.0
"""A step of a shipped method on affine operators as matrices, and what follows without sampling.

On affine operators, for every draw of the compressor and side of the coin, a step is an affine map
of the iterate and of the points that the state stands for. Those points are all there is to it:

    distributed_extragradient, extragradient_sliding, local_extragradient    z^k
    masha1                                                                   z^k, m^{k-1}
    optimistic_masha, svogs                                                  z^k, z^{k-1}, w^{k-1}
    three_pillars                                                            z^k, m^k

The maps are had by calling the shipped `update` at z* plus each unit vector.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.compressors import SampledClients

from ...compressors import draws, with_draw
from .processes import MethodRun, Position

__all__ = ["Array", "LinearSteps", "linear_steps"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearSteps:
    """All outcomes of a step: s -> M s for the points s less z*, flat, the iterate first.

    Args:
        matrices: for both sides of the coin and each draw, shape (2 or 1, draws, N, N).
        coin: probabilities of the sides, shape (2 or 1,).
        independent: so many draws are made independently, and averaged.
        dim: d.
    """

    matrices: Array
    coin: Array
    independent: int
    dim: int

    @cached_property
    def second_moments(self) -> Array:
        """C -> E[M C M'] as a matrix on flat C, shape (N^2, N^2)."""
        size = self.matrices.shape[-1] ** 2
        total: Array = np.zeros((size, size))
        for probability, outcomes in zip(self.coin, self.matrices, strict=True):
            each = np.mean([np.kron(one, one) for one in outcomes], axis=0)
            mean = outcomes.mean(axis=0)
            product = np.kron(mean, mean)
            total += probability * (product + (each - product) / self.independent)
        return total

    def form(self, weights: tuple[float, ...]) -> Array:
        """E of sum_j w_j |point_j|^2 after a step, as a quadratic form of the state before it."""
        size = self.matrices.shape[-1]
        weighted = np.diag(np.repeat(weights, self.dim)).ravel()
        return np.asarray((weighted @ self.second_moments).reshape(size, size))

    def slowest(self, weights: tuple[float, ...]) -> tuple[float, Array]:
        """The largest factor of sum_j w_j |point_j|^2 in a step, and the state where it is."""
        scale = np.repeat(np.asarray(weights) ** -0.5, self.dim)
        values, vectors = np.linalg.eigh(scale[:, None] * self.form(weights) * scale)
        return float(values[-1]), scale * vectors[:, -1]

    def distances(self, start: Array, steps: Array, weights: tuple[float, ...]) -> Array:
        """E of sum_j w_j |point_j|^2 after so many steps; all points start at z* + start."""
        points = len(weights)
        state = np.tile(start, points)
        moments, size = np.outer(state, state).ravel(), len(state)
        weight = np.repeat(weights, self.dim)
        found, at = [float(weight @ state**2)], 0
        for k in np.asarray(steps, dtype=int):
            # A run that diverges is followed no further.
            if found[-1] < _FAR * found[0]:
                power = _capped_power(self.second_moments, int(k) - at)
                moments, at = power @ moments, int(k)
            found.append(float(weight @ np.diag(moments.reshape(size, size))))
        return np.asarray(found[1:])

    def passage(self, start: Array, level: float) -> int:
        """The first k with E|z^k - z*|^2 <= level |start|^2, from where all points are z* + start.

        By bisection, as where the error does not rise above the level again.

        Raises:
            ValueError: if it is not reached within 2^24 steps.
        """
        points = self.matrices.shape[-1] // self.dim
        state = np.tile(start, points)
        size, goal = len(state), level * float(start @ start)
        powers = [self.second_moments]

        def error(moments: Array) -> float:
            return float(np.trace(moments.reshape(size, size)[: self.dim, : self.dim]))

        moments = np.outer(state, state).ravel()
        while not error(powers[-1] @ moments) <= goal:
            if len(powers) == 24 or np.abs(powers[-1]).max() > _FAR:
                raise ValueError(f"{level:g} is not reached within 2^24 steps")
            powers.append(powers[-1] @ powers[-1])
        steps = 0
        for j, power in reversed(list(enumerate(powers[:-1]))):
            further = power @ moments
            if error(further) > goal:
                moments, steps = further, steps + 2**j
        return steps + 1


_FAR = 1e20


def _capped_power(matrix: Array, exponent: int) -> Array:
    """The power, or one of the first that are so large that all further ones are beyond use."""
    power, square = np.eye(len(matrix)), matrix
    while exponent and max(np.abs(power).max(), np.abs(square).max()) < _FAR:
        if exponent % 2:
            power = square @ power
        square, exponent = square @ square, exponent // 2
    return power if np.abs(power).max() >= np.abs(square).max() or not exponent else square


def linear_steps(run: MethodRun) -> LinearSteps:
    """The steps of a method on affine operators over the whole space."""
    compressor = run.compressor
    independent, every = 1, jnp.zeros((1,))
    if isinstance(compressor, SampledClients):
        # Averages of b draws are averages of what b equal draws do.
        independent = compressor.num_clients
        every = jnp.repeat(jnp.arange(compressor.num_workers)[:, None], independent, axis=1)
    elif compressor is not None:
        every = jnp.asarray(draws(compressor, run.problem.dim))
    p = run.numbers.get("refresh_probability")
    sides, coin = ([0.0], [1.0]) if p is None else ([0.0, 1.0], [1 - float(p), float(p)])
    matrices = np.stack([np.asarray(_matrices(_with_coin(run, side), every)) for side in sides])
    return LinearSteps(matrices, np.asarray(coin), independent, run.problem.dim)


def _with_coin(run: MethodRun, side: float) -> MethodRun:
    if "refresh_probability" not in run.numbers:
        return run
    return replace(run, numbers={**run.numbers, "refresh_probability": jnp.asarray(side)})


@jax.jit
def _matrices(run: MethodRun, every: jax.Array) -> jax.Array:
    """The map of every draw, shape (draws, N, N)."""

    def of_draw(draw: jax.Array) -> jax.Array:
        compressor = run.compressor
        drawn = run if compressor is None else replace(run, compressor=with_draw(compressor, draw))
        start = drawn.init(jax.random.key(0))
        fixed = jnp.tile(drawn.z_star, _num_points(start.state))

        def after(points: jax.Array) -> jax.Array:
            before = points.reshape(-1, drawn.z_star.size)
            reached = drawn.advance(_at(drawn, start.state, before))
            return jnp.concatenate(_points(before, reached))

        image = jax.vmap(after)(fixed[None] + jnp.eye(fixed.size))
        return (image - after(fixed)[None]).T

    return jax.lax.map(of_draw, every)


def _num_points(state: Any) -> int:
    if isinstance(state, (optzoo.OptimisticMashaState, optzoo.SvogsState)):
        return 3
    return 2 if hasattr(state, "reference") else 1


def _at(run: MethodRun, fresh: Any, points: jax.Array) -> Position:
    """The position in the midst of a run that these points stand for."""
    z, problem = points[0], run.problem
    state = fresh._replace(steps=jnp.ones([], jnp.int32))
    if isinstance(state, optzoo.ThreePillarsState):
        values = problem.operators(points[1])
        state = state._replace(
            reference=points[1],
            reference_operator=values[:, None],
            mean_reference_operator=values.mean(axis=0),
        )
    elif len(points) > 1:
        values, previous = problem.operators(points[-1]), problem.operators(points[1])
        if isinstance(state, optzoo.SvogsState):
            values, previous = values - values[:1], previous - previous[:1]
            state = state._replace(previous_difference=previous[:, None])
        elif isinstance(state, optzoo.OptimisticMashaState):
            state = state._replace(previous_operator=previous[:, None])
        reference = type(state.reference)(points[-1], values[:, None], values.mean(axis=0))
        state = state._replace(reference=reference)
    return Position(z, state)


def _points(before: jax.Array, reached: Position) -> list[jax.Array]:
    """The points that the position after a step stands for."""
    state = reached.state
    points = [reached.z]
    if _num_points(state) == 3:
        points.append(before[0])  # z^{k-1}, after step k - 1
    if isinstance(state, optzoo.ThreePillarsState):
        points.append(state.reference)
    elif hasattr(state, "reference"):
        points.append(state.reference.point)
    return points
