# SPDX-License-Identifier: Apache-2.0
r"""Steps of Frank-Wolfe methods that look at the function, in the place of numbers and schedules.

From x^k the method goes along a direction d, downhill: <g^k, d> <= 0, and at most eta_max far,

    x^{k+1} = x^k + eta d,      d = s^k - x^k and eta_max = 1 for Frank-Wolfe itself.

    short step          eta = min(eta_max, -<g^k, d> / (L |d|^2))
    exact line search   eta = argmin of f(x^k + eta d) over [0, eta_max].

The short step minimizes the upper bound f(x^k) + eta <g^k, d> + eta^2 L |d|^2 / 2.

References:
  Demyanov, Rubinov, "Approximate methods in optimization problems", 1970: the short step.
  Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.
  Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear
  function without using derivatives", Advances in Engineering Software, 1997.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, final

import jax
import jax.numpy as jnp
import optax

from ._arguments import require_closed_interval
from ._tree_vector import finfo, scale_by_largest, total, wide_dtype, widen
from .lmo._set_arguments import require_count, require_positive
from .lmo.constraint_set import STATIC, register

__all__ = ["StepRule", "exact_line_search", "short_step"]

ValueFn: TypeAlias = Callable[[optax.Params], jax.Array]


class StepRule(abc.ABC):
    """A rule for the step of a Frank-Wolfe method, in the place of a number or a schedule.

    Rules cannot be called, because `optax.inject_hyperparams` takes what can for a schedule; under
    it a rule stays as it is, and its numbers are no hyperparameters of the state. They are pytrees
    of their numbers, so that these may be traced, and under `vmap` batches.
    """

    needs_value_fn: ClassVar[bool] = False
    """Whether the method's `update` has to be given `value_fn`."""

    @abc.abstractmethod
    def step_size(
        self,
        gradient: optax.Updates,
        x: optax.Params,
        direction: optax.Updates,
        largest: jax.Array,
        value_fn: ValueFn | None,
    ) -> jax.Array:
        """The eta in [0, largest] of the step from x; 0 if the direction is not downhill.

        All trees are alike, and have 32 or 64 bits.
        """


@final
@register
@dataclasses.dataclass(frozen=True)
class short_step(StepRule):
    r"""The step that minimizes the upper bound of an L-smooth function along the direction.

    .. math:: \eta = \min\Bigl(\eta_{\max}, \frac{\langle g, -d \rangle}{L \, |d|^2}\Bigr)

    With L the smoothness of f the function never increases. It needs no function values. A zero
    direction gets the step 0.

    Args:
      smoothness: L, positive and finite (a batch of them under `vmap`): the Lipschitz constant of
        the gradient, in the Euclidean norm.

    Raises:
      TypeError: if L is no real number.
      ValueError: if L is not positive and finite.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> target = jnp.array([0.5, 0.3, 0.2])
      >>> method = optzoo.frank_wolfe(optzoo.lmo.simplex(), optzoo.short_step(1.0))
      >>> x = jnp.array([1.0, 0.0, 0.0])
      >>> state = method.init(x)
      >>> for _ in range(50):
      ...     updates, state = method.update(x - target, state, x)  # f(x) = |x - target|^2 / 2
      ...     x = optax.apply_updates(x, updates)
      >>> bool(jnp.abs(x - target).max() < 1e-2)
      True
    """

    smoothness: float | jax.Array

    def __post_init__(self) -> None:
        require_positive("smoothness", self.smoothness)

    def step_size(
        self,
        gradient: optax.Updates,
        x: optax.Params,
        direction: optax.Updates,
        largest: jax.Array,
        value_fn: ValueFn | None = None,
    ) -> jax.Array:
        # With d = m u the step is -<g, u> / (m L |u|^2): no square under- or overflows.
        m, u = scale_by_largest(direction)
        descent = -inner_product(gradient, u)
        curvature = m * jnp.asarray(self.smoothness, m.dtype) * total(jax.tree.map(jnp.square, u))
        best = jnp.where(curvature > 0, descent / jnp.where(curvature > 0, curvature, 1), 0)
        return jnp.clip(best, 0, largest.astype(best.dtype))


@final
@register
@dataclasses.dataclass(frozen=True)
class exact_line_search(StepRule):
    r"""The step to the minimum along the direction, for functions that are convex along it.

    .. math:: \eta = \arg\min_{0 \le \eta \le \eta_{\max}} f(x + \eta d), \qquad
      \text{where} \quad \varphi'(\eta) = \langle \nabla f(x + \eta d), d \rangle = 0
      \quad \text{or} \quad \eta = \eta_{\max}.

    `update` is given f as the extra argument `value_fn(params)`, optax's name for it, and the
    gradients must be those of this function: the whole of it, not of a minibatch. The root of phi'
    is sought from the given phi'(0) and phi'(eta_max), first at the secant, then by Chandrupatla's
    method: inverse quadratic interpolation, or bisection where that is not safe. One evaluation of
    phi' is one `jax.jvp` of f; a quadratic takes two, or one where the step is eta_max. It ends
    where

    - abs(phi'(eta)) is at most `tolerance` times abs(phi'(0)), or at the round-off of phi',
    - the bracket of the root is at the round-off of eta_max, or
    - `max_iterations` evaluations were made;

    but for the first case the step is the lower end of the bracket, up to which the function
    decreases.

    Where f or its derivative is not finite it is taken for increasing. For 16-bit parameters f is
    evaluated in float32. The search is a `jax.lax.while_loop`: under `vmap` all lanes take as many
    evaluations as the slowest, and `update` has no reverse-mode derivative.

    Args:
      tolerance: of the slope, relative to that at the start; in [0, 1] (a batch under `vmap`).
      max_iterations: an int of at least 1.

    Raises:
      TypeError: if an argument is no number of its kind.
      ValueError: if it is out of range.

    Example:
      >>> import jax, jax.numpy as jnp, optax, optzoo
      >>> loss = lambda x: jnp.sum(jnp.exp(x - jnp.array([0.0, 1.0, 2.0])))
      >>> method = optzoo.frank_wolfe(optzoo.lmo.simplex(), optzoo.exact_line_search())
      >>> x = jnp.array([1.0, 0.0, 0.0])
      >>> state = method.init(x)
      >>> for _ in range(20):
      ...     updates, state = method.update(jax.grad(loss)(x), state, x, value_fn=loss)
      ...     x = optax.apply_updates(x, updates)
      >>> bool(jnp.abs(x - jnp.array([0.0, 0.0, 1.0])).max() < 0.02)
      True
    """

    tolerance: float | jax.Array = 1e-6
    max_iterations: int = dataclasses.field(default=50, metadata=STATIC)

    needs_value_fn: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if jnp.ndim(self.tolerance) == 0:
            require_closed_interval("tolerance", self.tolerance, 0.0, 1.0)
        require_count("max_iterations", self.max_iterations)

    def step_size(
        self,
        gradient: optax.Updates,
        x: optax.Params,
        direction: optax.Updates,
        largest: jax.Array,
        value_fn: ValueFn | None = None,
    ) -> jax.Array:
        assert value_fn is not None  # the methods ask for it
        dtype = wide_dtype(x)
        largest = largest.astype(dtype)
        start = inner_product(gradient, direction)
        terms = total(jax.tree.map(lambda g, d: jnp.abs(g * d), gradient, direction))
        round_off = 4 * float(finfo(dtype).eps)
        allowed = jnp.maximum(
            jnp.asarray(self.tolerance, dtype) * jnp.abs(start), round_off * terms
        )

        def slope(eta: jax.Array) -> jax.Array:
            here = jax.tree.map(lambda xi, di: xi + eta.astype(xi.dtype) * di, x, direction)
            value, derivative = jax.jvp(value_fn, (here,), (direction,))
            # Beyond its domain a function such as -log is NaN, its derivative a number.
            finite = jnp.isfinite(value) & jnp.isfinite(derivative)
            return jnp.where(finite, derivative.astype(dtype), jnp.inf)

        at_end = slope(largest)
        whole = at_end <= round_off * terms

        def unfinished(search: _Bracket) -> jax.Array:
            wide = jnp.abs(search.other - search.last) > round_off * largest
            return ~search.found & wide & (search.evaluations < self.max_iterations)

        secant = _fraction_or_half(at_end / (at_end - start))
        bracket = jax.lax.while_loop(
            unfinished,
            functools.partial(_narrower, slope, allowed),
            _Bracket(
                last=largest,
                other=jnp.zeros_like(largest),
                slope_last=at_end,
                slope_other=start,
                fraction=secant,
                found=whole | ~(start < 0),
                evaluations=jnp.ones([], jnp.int32),
            ),
        )
        use_last = bracket.found | (bracket.slope_last < 0)
        root = jnp.where(use_last, bracket.last, bracket.other)
        # Of a direction that is not downhill nothing is taken.
        return jnp.where(start < 0, root, 0)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        *("last", "other", "slope_last", "slope_other", "fraction"),
        *("found", "evaluations"),
    ],
    meta_fields=[],
)
@dataclasses.dataclass(frozen=True)
class _Bracket:
    """The root lies between `last` and `other`, whose slopes have different signs."""

    last: jax.Array  # where the slope was evaluated last
    other: jax.Array
    slope_last: jax.Array
    slope_other: jax.Array
    fraction: jax.Array  # of the way from last to other: where it is evaluated next
    found: jax.Array  # last is the root
    evaluations: jax.Array


def _narrower(
    slope: Callable[[jax.Array], jax.Array], allowed: jax.Array, old: _Bracket
) -> _Bracket:
    """One evaluation of Chandrupatla's method."""
    x = old.last + old.fraction * (old.other - old.last)
    f = slope(x)
    same = (f < 0) == (old.slope_last < 0)
    other = jnp.where(same, old.other, old.last)
    slope_other = jnp.where(same, old.slope_other, old.slope_last)
    third = jnp.where(same, old.last, old.other)
    slope_third = jnp.where(same, old.slope_last, old.slope_other)
    # The inverse quadratic through the three points, where it is monotone between them.
    xi = (x - other) / (third - other)
    phi = (f - slope_other) / (slope_third - slope_other)
    monotone = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    inverse = f / (slope_other - f) * slope_third / (slope_other - slope_third)
    inverse += (((third - x) / (other - x)) * (f / (slope_third - f))) * (
        slope_other / (slope_third - slope_other)
    )
    return _Bracket(
        last=x,
        other=other,
        slope_last=f,
        slope_other=slope_other,
        fraction=_fraction_or_half(jnp.where(monotone, inverse, jnp.nan)),
        found=jnp.abs(f) <= allowed,
        evaluations=old.evaluations + 1,
    )


def _fraction_or_half(fraction: jax.Array) -> jax.Array:
    """It, where it lies inside the bracket, else a bisection: slopes may be infinite."""
    return jnp.where((fraction > 0) & (fraction < 1), fraction, 0.5)


def inner_product(left: Any, right: Any) -> jax.Array:
    """<left, right> of trees with the same dtypes, in the widest of them."""
    return total(jax.tree.map(jnp.multiply, widen(left), widen(right)))
