# SPDX-License-Identifier: Apache-2.0
r"""Of an operator one knows more than its pairs say: it has a value at every further place.

Values t_l at points x_l are those of no L-Lipschitz, mu-strongly monotone operator if there is a
place y where none is left. To a value t at y all of

.. math:: |t - t_l|^2 \le L^2 |y - x_l|^2, \qquad
    \langle t - t_l, y - x_l\rangle \ge \mu |y - x_l|^2

apply. Multiplied by a_l, of sum 1, and by b_l they add up to a square in t, which is at least its
minimum; so that, whatever a, b and y,

.. math:: \sum_l a_l (|t_l|^2 - L^2 |y - x_l|^2)
    + \sum_l b_l (\langle t_l, y - x_l\rangle + \mu |y - x_l|^2)
    - \Bigl|\sum_l a_l t_l + \tfrac12 \sum_l b_l (y - x_l)\Bigr|^2 \le 0.

That is linear in inner products, and a constraint of the semidefinite program. It is concave in y,
and the y at which it says most is a combination of the x_l and the t_l.

The pairs themselves do not imply it: the values 0 at the origin, (0, -1) at (1, 0) and (-1, 0) at
(0, 1) fulfil every condition on a pair with mu = 0 and L = 1. But at y = (1/2, 1/2) the last two
leave t = (-1/2, -1/2) alone, and there <t, y> = -1/2.

PEPit's `LipschitzStronglyMonotoneOperatorExpensive` asks more of three points than there is to be
had (in version 0.5.1): it excludes 0, c, c at 0, c, 1, which are values of min(x, c), if c is less
than 3 - sqrt(8). What is here follows from the definition of the class in the lines above.

References:
  Ryu, Taylor, Bergeling, Giselsson, "Operator splitting performance estimation: tight contraction
  factors and optimal parameter selection", SIAM J. Optimization 2020.
  Rubbens, Hendrickx, Taylor, "A constructive approach to strengthen algebraic descriptions of
  function and operator classes", arXiv:2504.14377.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .classes import OverSet, StronglyMonotoneLipschitz

if TYPE_CHECKING:
    from .solve import WorstCase

__all__ = ["Obstruction", "obstructions", "tightened"]

Array = NDArray[np.float64]

STARTS = 40
"""Of the search for multipliers, which has local maxima."""
MOST = 8
"""Constraints that are added at a time."""
LARGEST = 2.5
"""Root of the largest b / L: a larger one only multiplies the solver's error."""
NOTICED = 1e-5
"""Of L^2 times the largest squared distance: what is less may be the solver's error."""
APART = 0.02
"""Of the largest distance: obstructions at closer places say nearly the same."""


@dataclass(frozen=True, eq=False)
class Obstruction:
    """A place at which values elsewhere may leave none, and the multipliers that show it.

    Args:
        lipschitz: a_l, not negative, of sum 1, shape (m,).
        monotone: b_l, not negative, shape (m,).
        place: y, the weights in it of x_1, ..., x_m and of t_1, ..., t_m, shape (2 m,).

    Example:
        The three points above:

        >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> halves = np.array([0.0, 0.5, 0.5])
        >>> half = Obstruction(halves, np.array([2.0, 0.0, 0.0]), np.append(halves, np.zeros(3)))
        >>> from .classes import MonotoneLipschitz
        >>> half.excess(MonotoneLipschitz(1.0), x, -x[:, ::-1])
        0.5
    """

    lipschitz: Array
    monotone: Array
    place: Array

    def form(self, kind: StronglyMonotoneLipschitz) -> Array:
        """What multiplies the inner products of x_1, ..., x_m, t_1, ..., t_m; (2 m, 2 m)."""
        m = len(self.lipschitz)
        points, values = np.split(np.eye(2 * m), 2)
        away = self.place - points
        best = self.lipschitz @ values + self.monotone @ away / 2  # the least t
        a, b = self.lipschitz[:, None], self.monotone[:, None]
        once = values.T @ (a * values) - np.outer(best, best) + values.T @ (b * away)
        once += away.T @ ((kind.mu * b - kind.L**2 * a) * away)
        return np.asarray(once + once.T) / 2

    def excess(self, kind: StronglyMonotoneLipschitz, x: Array, t: Array) -> float:
        """By how much the values leave none: at most 0 for values of the class.

        Args:
            kind: the class.
            x: the points, (m, d).
            t: the values, (m, d).

        Returns:
            The left side of the inequality.
        """
        known = np.vstack([x, t])
        return float(np.sum(self.form(kind) * (known @ known.T)))

    def expression(self, kind: StronglyMonotoneLipschitz, known: list[Any]) -> Any:
        """The excess as an expression of PEPit, of its points x_1, ..., x_m, t_1, ..., t_m."""
        form = self.form(kind)
        form /= np.max(np.abs(form))  # which the solver likes
        products = [
            float(form[i, j]) * (known[i] * known[j])
            for i, j in np.argwhere(np.abs(form) > 1e-12).tolist()
        ]
        return sum(products[1:], products[0])


def obstructions(kind: StronglyMonotoneLipschitz, x: Array, t: Array) -> list[Obstruction]:
    """Places at which values of an operator that fulfil the conditions on pairs leave none.

    Args:
        kind: the class.
        x: the points, (m, d).
        t: the values, (m, d).

    Returns:
        What a local search from a fixed seed finds, at places apart, the largest excess first;
        nothing is no proof that there is an operator with these values.

    Example:
        >>> from .classes import MonotoneLipschitz
        >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> found = obstructions(MonotoneLipschitz(1.0), x, -x[:, ::-1])
        >>> round(found[0].excess(MonotoneLipschitz(1.0), x, -x[:, ::-1]), 6)
        0.5
        >>> obstructions(MonotoneLipschitz(1.0), x, x)
        []
    """
    known = np.vstack([x, t])
    rotated, sizes, _ = np.linalg.svd(known, full_matrices=False)  # in as few axes as there are
    x, t = np.split((rotated * sizes)[:, sizes > 1e-6 * sizes[0]], 2)
    m, squared = len(x), np.sum(t * t, axis=1)
    largest = float(np.max(np.linalg.norm(x[:, None] - x, axis=2)))

    def multipliers(roots: Array) -> tuple[Array, Array]:
        a = roots[:m] ** 2 + 1e-12
        return a / np.sum(a), roots[m:] ** 2

    def negative(roots: Array) -> tuple[float, Array]:
        """The excess at the best y, and its slope: as y is the best, only that of a and b."""
        a, b = multipliers(roots)
        y = _best_place(kind, a, b) @ np.vstack([x, t])
        away = y - x
        best = a @ t + b @ away / 2
        of_a = squared - 2 * t @ best - kind.L**2 * np.sum(away * away, axis=1)
        of_b = np.sum(t * away, axis=1) + kind.mu * np.sum(away * away, axis=1) - away @ best
        value = a @ squared - best @ best - kind.L**2 * a @ np.sum(away * away, axis=1)
        value += b @ (np.sum(t * away, axis=1) + kind.mu * np.sum(away * away, axis=1))
        scale = 2 * roots[:m] / (np.sum(roots[:m] ** 2) + m * 1e-12)
        return -value, -np.concatenate([scale * (of_a - a @ of_a), 2 * roots[m:] * of_b])

    random = np.random.default_rng(0)
    bounds = [(0.0, 1.0)] * m + [(0.0, LARGEST * kind.L**0.5)] * m
    found: list[tuple[float, Obstruction]] = []
    for _ in range(STARTS):
        start = np.abs(random.normal(size=2 * m)) * (random.random(2 * m) < 0.5) + 0.03
        ended = minimize(
            negative, np.minimum(start, 1.0), jac=True, method="L-BFGS-B", bounds=bounds
        )
        a, b = multipliers(ended.x)
        one = Obstruction(a, b, _best_place(kind, a, b))
        found.append((one.excess(kind, x, t), one))
    found.sort(key=lambda pair: -pair[0])
    kept: list[Obstruction] = []
    for excess, one in found:
        apart = [np.linalg.norm((one.place - other.place) @ np.vstack([x, t])) for other in kept]
        if excess > NOTICED * (kind.L * largest) ** 2 and min(apart, default=np.inf) > (
            APART * largest
        ):
            kept.append(one)
    return kept


def _best_place(kind: StronglyMonotoneLipschitz, a: Array, b: Array) -> Array:
    """The weights of the points and values in the y at which a and b say most."""
    L, mu, total = kind.L, kind.mu, np.sum(b)
    points = 2 * L**2 * a - 2 * mu * b + total * b / 2
    values = b - total * a
    return np.asarray(np.concatenate([points, values]) / (2 * L**2 - 2 * mu * total + total**2 / 2))


def tightened(worst: "WorstCase", rounds: int = 6) -> "WorstCase":
    """A smaller bound of the worst case over a class of operators, by what pairs do not say.

    Where the solution of the program leaves no value at some place, that it must leave one is
    added to the program, which is solved again.

    Args:
        worst: a worst case over a class of operators, such as `MonotoneLipschitz`.
        rounds: how often at most.

    Returns:
        The worst case of the last program that was solved to optimality. It is still not `exact`:
        its value is an upper bound.

    Raises:
        TypeError: if the class is not one of operators, whose conditions are sufficient anyway.
        ValueError: if the number of rounds is no positive integer.

    Example:
        >>> import optzoo
        >>> from .classes import MonotoneLipschitz
        >>> from .solve import worst_case
        >>> pairs = worst_case(
        ...     optzoo.randomized_extragradient(0.5), MonotoneLipschitz(1.0), 4,
        ...     "last_gradient_norm", output=optzoo.extragradient_eval_params)
        >>> bool(tightened(pairs, rounds=1).value < pairs.value - 0.005)
        True
    """
    if type(rounds) is not int or rounds < 1:
        raise ValueError(f"rounds must be a positive integer, got {rounds!r}.")
    from .solve import SolverFailed

    over = worst.program.over
    kind = over.objective if isinstance(over, OverSet) else over
    if not isinstance(kind, StronglyMonotoneLipschitz):
        raise TypeError(
            "worst must be over a class of one operator, such as MonotoneLipschitz(1.0), got one "
            f"over {over!r}."
        )
    for _ in range(rounds):
        (known,) = worst.samples
        new = obstructions(kind, known.points, known.gradients)[:MOST]
        if not new:
            break
        try:
            worst = replace(worst.program, further=(*worst.program.further, *new)).solved()
        except SolverFailed:
            break  # what was solved before is a bound all the same
    return worst
