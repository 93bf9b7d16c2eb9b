# SPDX-License-Identifier: Apache-2.0
"""What is observed of a Frank-Wolfe method on a finite sum."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

import optzoo
from optzoo.problems import FiniteSum

from ...simulation import Mean, Sum, Watch, held

__all__ = [
    "AVERAGE_GAP",
    "IDENTITY_TERMS",
    "OF_ANY",
    "gap",
    "gradient_calls",
    "restarts",
    "sample_variance",
    "squared_error",
    "stale",
    "staleness",
    "suboptimality",
]


def suboptimality(run: Any, position: Any) -> jax.Array:
    """r_k = f(x^k) - f*."""
    value: jax.Array = run.problem.value(position.x)
    return value - run.f_star


def gap(run: Any, position: Any) -> jax.Array:
    """G_k, the Frank-Wolfe gap at x^k."""
    gradient = run.problem.gradient(position.x)
    return optzoo.frank_wolfe_gap(run.constraint, gradient, position.x)


def squared_error(run: Any, position: Any) -> jax.Array:
    """e_{k-1}^2 = |g^{k-1} - grad f(x^{k-1})|^2."""
    state = held(position.state, "estimate", "previous")
    return jnp.sum((state.estimate - run.problem.gradient(state.previous)) ** 2)


def gradient_calls(run: Any, position: Any) -> jax.Array:
    """Gradients of single samples so far."""
    n, b = run.problem.num_samples, run.batch_size
    return jnp.asarray(optzoo.gradient_calls(position.state, n, b))


def restarts(run: Any, position: Any) -> jax.Array:
    """Full gradients so far."""
    return held(position.state, "restarts").restarts.astype(float)


def stale(run: Any, position: Any) -> jax.Array:
    """Y_{k-1}, the staleness of the table at x^{k-1}."""
    state = held(position.state, "previous", "table")
    return staleness(run.problem, state.previous, state.table)


def staleness(problem: FiniteSum, x: jax.Array, table: jax.Array) -> jax.Array:
    """Y = (1/n) sum_i |grad f_i(x) - y_i|^2."""
    off = problem.sample_gradients(x, jnp.arange(problem.num_samples)) - table
    return jnp.mean(jnp.sum(off**2, axis=1))


def sample_variance(problem: FiniteSum, new: jax.Array, old: jax.Array) -> jax.Array:
    """V = (1/n) sum_i |d_i|^2 - |mean d|^2 with d_i = grad f_i(new) - grad f_i(old)."""
    everyone = jnp.arange(problem.num_samples)
    change = problem.sample_gradients(new, everyone) - problem.sample_gradients(old, everyone)
    return jnp.sum(jnp.mean((change - jnp.mean(change, axis=0, keepdims=True)) ** 2, axis=0))


OF_ANY: Mapping[str, Watch] = {
    "suboptimality": suboptimality,
    "gap": gap,
    "squared_error": squared_error,
    "gradient_calls": gradient_calls,
}
"""Of either method."""

AVERAGE_GAP: Mapping[str, Watch] = {
    "average_gap": Mean(gap, weight=lambda run, k: run.steps[k]),
    "gradient_calls": gradient_calls,
}
"""The average of all gaps, weighted by the steps."""


def _after_the_first(term: Callable[[Any, Any, Any], jax.Array]) -> Sum:
    """The first estimate is exact by definition, and no term of the identity."""
    return Sum(lambda run, k, before, after: (k > 0) * term(run, before, after))


IDENTITY_TERMS: Mapping[str, Watch] = {
    "before": _after_the_first(lambda run, before, after: squared_error(run, before)),
    "variance": _after_the_first(
        lambda run, before, after: sample_variance(run.problem, before.x, before.state.previous)
    ),
    "after": _after_the_first(lambda run, before, after: squared_error(run, after)),
}
"""The sums over all steps of the terms of Sarah's identity."""
