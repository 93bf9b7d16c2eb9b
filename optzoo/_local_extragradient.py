# SPDX-License-Identifier: Apache-2.0
"""Extragradient on the server's sub-problem, with the last value of its operator carried along."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

__all__: list[str] = []

Tree: TypeAlias = Any


class SubProblem(NamedTuple):
    """F_1(u) + shift + (u - center) / gamma = 0 over u in Z."""

    shift: Tree  # what stands for F - F_1, such as F(m) - F_1(m)
    center: Tree  # such as z + tau (m - z)
    gamma: Any
    project: Callable[[Tree], Tree]


def solve_locally(
    problem: SubProblem,
    step_size: Any,
    num_steps: Any,
    estimate: Callable[[Tree, Any], Tree],
    start: Tree,
    value_at_start: Tree,
) -> tuple[Tree, Tree]:
    """u_H and the estimate of F_1(u_H), after 2H evaluations of the estimate.

    `estimate(point, call)` is told how many evaluations were before it.
    """

    def moved(u: Tree, at: Tree, value: Tree) -> Tree:
        # proj(u - eta g(at))
        def move(
            ui: jax.Array, vi: jax.Array, fi: jax.Array, si: jax.Array, ci: jax.Array
        ) -> jax.Array:
            pull = (vi - ci) / like(problem.gamma, vi)
            return ui - like(step_size, ui) * (fi + si + pull)

        return problem.project(jax.tree.map(move, u, at, value, problem.shift, problem.center))

    def step(t: Any, carry: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
        u, value = carry
        half = moved(u, u, value)
        u = moved(u, half, estimate(half, 2 * t))
        return u, estimate(u, 2 * t + 1)

    u, value = jax.lax.fori_loop(0, num_steps, step, (start, value_at_start))
    return u, value


def like(scalar: Any, leaf: jax.Array) -> jax.Array:
    """The scalar in the dtype of the leaf."""
    return jnp.asarray(scalar).astype(leaf.dtype)
