# SPDX-License-Identifier: Apache-2.0
"""The minimum of a smooth convex problem over a convex set, with a duality-gap certificate."""

import dataclasses
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from .._arguments import check_scalar, check_size, require_float64
from ..constant import CertificateError
from .finite_sum import FiniteSum

__all__ = ["Constraint", "Optimum", "minimize_over"]

_MODEL_STEPS = 300_000
_ROUND_OFF = 8 * 2.0**-52


class Constraint(Protocol):
    """A compact convex set C of vectors; a pytree, so that it can be passed through jit."""

    def lmo(self, direction: jax.Array, /) -> jax.Array:
        """A point s of C with the least <direction, s>."""

    def project(self, x: jax.Array, /) -> jax.Array:
        """The point of C nearest to x."""


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """A minimiser and an interval that contains the minimum.

    lower <= f* <= value = f(point); an estimate of the round-off in f and in the gap, 8 ulp of the
    sums that they are made of, is part of the width.

    Args:
        point: shape (d,), float64.
        value: f(point).
        lower: the largest Frank-Wolfe lower bound f(x) - gap(x) seen.
        width: value - lower.
        iterations: Newton steps taken.

    Example:
        >>> import jax
        >>> from optzoo.lmo import l1_ball
        >>> from optzoo.problems import NoiseTight
        >>> with jax.enable_x64(True):
        ...     optimum = minimize_over(NoiseTight(slope=0.5), l1_ball(1.0))
        >>> optimum.value, optimum.point.tolist(), optimum.width < 1e-14
        (-0.5, [-1.0], True)
    """

    point: jax.Array
    value: float
    lower: float
    width: float
    iterations: int


def minimize_over(
    problem: FiniteSum,
    constraint: Constraint,
    *,
    tolerance: float = 1e-12,
    max_iterations: int = 100,
) -> Optimum:
    r"""Minimise a convex f over a compact convex set C until the duality gap certifies the value.

    The certificate is the Frank-Wolfe gap, gap(x) = max_{s in C} <grad f(x), x - s>: by convexity
    f(x) - gap(x) <= f* <= f(x).

    Each Newton step minimises the quadratic model of f at x over C by projected gradient steps with
    Nesterov's momentum and restarts, on a (d, d) matrix whatever n is, and then searches along the
    line to the model's minimiser. Conditioning costs steps on that small matrix only.

    Args:
        problem: a convex finite sum.
        constraint: an object with `lmo` and `project` over vectors of shape (d,).
        tolerance: largest admissible width, relative to |f| + gap at the starting point (the
            projection of 0).
        max_iterations: largest number of Newton steps.

    Returns:
        The minimiser, its value, the lower bound and the width of the certificate.

    Raises:
        ValueError: if the problem is not convex or an argument is out of range.
        RuntimeError: if float64 is not enabled.
        CertificateError: if the tolerance is not reached; it states the width that was.

    Example:
        >>> import jax
        >>> from optzoo.lmo import simplex
        >>> from optzoo.problems import minimize_over, random_sign_quadratic
        >>> with jax.enable_x64(True):
        ...     problem = random_sign_quadratic(4, 5, seed=0)
        ...     optimum = minimize_over(problem, simplex())
        >>> abs(optimum.value - problem.simplex_optimum) < 1e-12
        True

    References:
        Jaggi, Revisiting Frank-Wolfe, ICML 2013 (the certificate);
        O'Donoghue, Candes, arXiv 1204.3982 (restarts);
        Lee, Sun, Saunders, arXiv 1206.1623 (Newton steps with a projected model).
    """
    require_float64("minimize_over")
    check_scalar("tolerance", tolerance, positive=True)
    check_size("max_iterations", max_iterations)
    if not problem.convex:
        raise ValueError(f"minimize_over needs a convex problem, got {type(problem).__name__}")
    x = constraint.project(jnp.zeros(problem.dim, dtype=jnp.float64))
    now = _evaluate(problem, constraint, x)
    scale = abs(float(now.value)) + float(now.gap)
    target = tolerance * scale
    best, lower, steps, stalled = now, float(now.value - now.gap), 0, 0
    width = float(now.gap)
    # Steps that improve nothing mean that round-off has been reached, not the target.
    while width > target and steps < max_iterations and stalled < 3:
        # The farther from the optimum, the less the model deserves accuracy.
        gap = float(now.gap)
        model_target = max(0.1 * target, 1e-2 * gap * min(1e-2, gap / scale))
        hessian = _hessian(problem, now.point)
        goal = _minimise_model(constraint, now.point, now.gradient, hessian, model_target)
        now = _line_search(problem, constraint, now, goal)
        lower = max(lower, float(now.value - now.gap))
        best = now if now.value <= best.value else best
        previous, width = width, max(float(best.value) - lower, 0.0)
        stalled = 0 if width < previous else stalled + 1
        steps += 1
    if not width <= target:
        raise CertificateError(
            f"minimize_over reached a width of {width:.3e} after {steps} steps, asked for at most"
            f" {target:.3e} (tolerance {tolerance:g})"
        )
    return Optimum(best.point, float(best.value), float(best.value) - width, width, steps)


class _Evaluation(NamedTuple):
    point: jax.Array
    value: jax.Array
    gradient: jax.Array
    gap: jax.Array


@jax.jit
def _evaluate(problem: FiniteSum, constraint: Constraint, x: jax.Array) -> _Evaluation:
    value, gradient = problem.value(x), problem.gradient(x)
    away = x - constraint.lmo(gradient)
    # What the sums in f and in the gap may have lost belongs to the certificate's width.
    round_off = _ROUND_OFF * (jnp.abs(value) + jnp.vdot(jnp.abs(gradient), jnp.abs(away)))
    gap = jnp.maximum(jnp.vdot(gradient, away), 0.0) + round_off
    return _Evaluation(x, value, gradient, gap)


@jax.jit
def _hessian(problem: FiniteSum, x: jax.Array) -> jax.Array:
    hessian: jax.Array = jax.jacfwd(problem.gradient)(x)
    return hessian


@jax.jit
def _line_search(
    problem: FiniteSum, constraint: Constraint, start: _Evaluation, goal: jax.Array
) -> _Evaluation:
    """The first of start + 2^-j (goal - start) that decreases f enough."""
    direction = goal - start.point
    descent = jnp.vdot(start.gradient, direction)
    # At the optimum the decrease drowns in the round-off of f; the gap decides there.
    slack = 1e-14 * jnp.abs(start.value)

    def too_long(step: jax.Array) -> jax.Array:
        value = problem.value(start.point + step * direction)
        enough = value <= start.value + 1e-4 * step * descent + slack
        return ~enough & (step > 1e-9)

    step = jax.lax.while_loop(too_long, lambda step: step / 2, jnp.ones(()))
    point = jnp.where(step == 1.0, goal, start.point + step * direction)
    found: _Evaluation = _evaluate(problem, constraint, point)
    return found


class _Momentum(NamedTuple):
    x: jax.Array
    ahead: jax.Array
    weight: jax.Array
    gap: jax.Array
    steps: jax.Array


@jax.jit
def _minimise_model(
    constraint: Constraint, x: jax.Array, gradient: jax.Array, hessian: jax.Array, target: float
) -> jax.Array:
    """Minimise over C <gradient, z - x> + (z - x)' hessian (z - x) / 2, to a gap of target."""
    # A linear model has no curvature; this number makes its steps finite, yet longer than C.
    breadth = jnp.linalg.norm(constraint.lmo(-gradient) - constraint.lmo(gradient))
    smoothness = jnp.linalg.norm(hessian, 2) + 1e-6 * jnp.linalg.norm(gradient) / breadth

    def slope(z: jax.Array) -> jax.Array:
        return gradient + hessian @ (z - x)

    def gap(z: jax.Array) -> jax.Array:
        return jnp.vdot(slope(z), z - constraint.lmo(slope(z)))

    def advance(state: _Momentum) -> _Momentum:
        z = constraint.project(state.ahead - slope(state.ahead) / smoothness)
        weight = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * state.weight**2))
        ahead = z + (state.weight - 1.0) / weight * (z - state.x)
        uphill = jnp.vdot(state.ahead - z, z - state.x) > 0
        return _Momentum(
            z,
            jnp.where(uphill, z, ahead),
            jnp.where(uphill, 1.0, weight),
            gap(z),
            state.steps + 1,
        )

    def unfinished(state: _Momentum) -> jax.Array:
        return (state.gap > target) & (state.steps < _MODEL_STEPS)

    start = _Momentum(x, x, jnp.ones(()), gap(x), jnp.zeros((), dtype=int))
    found: _Momentum = jax.lax.while_loop(unfinished, advance, start)
    return found.x
