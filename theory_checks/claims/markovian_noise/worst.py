# SPDX-License-Identifier: Apache-2.0
"""After a few iterations without noise: a run, the worst case over the class, and the rates."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.markovian_noise import D4, D5

from ...checks import WorstCaseBound
from ...claim import Case, Claim
from ...controls import case, wrong
from ...setting import Stated, chosen
from ...worst_case import pep
from .partners import PARTNERS

if TYPE_CHECKING:
    from ...worst_case.pep import WorstCase

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

ITERATIONS = (1, 2, 3)
MU, L = 0.1, 1.0
QUIET = chosen(tau=14, sigma=0.0, B=14, m=3)
STEEPER = wrong("mu four times as large", "the bound believes in another curvature", mu=4 * MU)


# --- The accelerated method ---

GAMMA = 0.75 / L
ACCELERATED = optzoo.randomized_accelerated_gd(GAMMA, MU)


def both_points(state: Any, params: jax.Array) -> tuple[jax.Array, ...]:
    """The points x and x_f of Phi."""
    return state.momentum_point, state.output_point


def potential(performance: Any) -> list[Any]:
    """Phi_N = |x - x*|^2 + (6 / mu) (f(x_f) - f*)."""
    return [
        performance.expected(
            lambda outputs: (
                performance.squared_distance(outputs[-2]) + 6 / MU * performance.excess(outputs[-1])
            )
        )
    ]


def starts_at(performance: Any, radius: float) -> list[Any]:
    """Phi_0 <= R; all points start at one."""
    start = performance.start
    return [performance.squared_distance(start) + 6 / MU * performance.excess(start) - radius]


@cache
def worst_descent(iterations: int) -> "WorstCase":
    """The worst case of Phi over the class."""
    over = pep.SmoothStronglyConvex(MU, L)
    return pep.worst_case(
        ACCELERATED, over, iterations, potential, initial=starts_at, output=both_points
    )


def _descended() -> Array:
    """The flattest parabola, mu x^2 / 2, from Phi_0 = 1."""
    start = np.array([0.5])  # 1/4 + (6 / mu) (mu / 2) / 4 = 1
    outputs = _run(ACCELERATED, MU, start, max(ITERATIONS), both_points)
    return np.array(
        [float(outputs[2 * k][0]) ** 2 + 3 * float(outputs[2 * k + 1][0]) ** 2 for k in ITERATIONS]
    )


def _accelerated() -> Case:
    known = QUIET | chosen(L=L, mu=MU, gamma=GAMMA, p=1.0, delta=0.0, start=1.0)
    setting = Stated(r"$f(x) = \mu x^2/2$ from $\Phi_0 = 1$, no noise", known)

    def check(**changes: float) -> WorstCaseBound:
        return WorstCaseBound(
            measured=_descended,
            bound=lambda: setting.bound(D4, np.array(ITERATIONS), **changes),
            at=ITERATIONS,
            worst=worst_descent,
            over=r"all $\mu$-strongly convex, $L$-smooth $f$, in any dimension",
        )

    return case(setting, check, STEEPER)


# --- Extragradient ---

STEP = 0.4 / L
EXTRAGRADIENT = optzoo.randomized_extragradient(STEP)


@cache
def worst_operator(iterations: int) -> "WorstCase":
    """The worst case of the distance over the class, or more than that."""
    return pep.worst_case(
        EXTRAGRADIENT,
        pep.StronglyMonotoneLipschitz(MU, L),
        2 * iterations,
        "distance",
        output=optzoo.extragradient_eval_params,
    )


def _extrapolated() -> Array:
    """F(x) = mu x from distance 1: of all that turn and stretch the plane the slowest."""
    look = optzoo.extragradient_eval_params
    outputs = _run(EXTRAGRADIENT, MU, np.ones(1), 2 * max(ITERATIONS), look)
    return np.array([float(outputs[2 * k][0]) ** 2 for k in ITERATIONS])


def _extragradient() -> Case:
    known = QUIET | chosen(L=L, mu=MU, gamma=STEP, B_0=14, Delta=0.0, start=1.0)
    setting = Stated(r"$F(x) = \mu x$ from $|x^0 - x^*| = 1$, no noise", known)

    def check(**changes: float) -> WorstCaseBound:
        return WorstCaseBound(
            measured=_extrapolated,
            bound=lambda: setting.bound(D5, np.array(ITERATIONS), **changes),
            at=ITERATIONS,
            worst=worst_operator,
            over=(
                r"all $\mu$-strongly monotone, $L$-Lipschitz $F$, in any dimension, or a little "
                "more: the conditions that are used are necessary, not sufficient"
            ),
        )

    return case(setting, check, STEEPER)


def _run(
    method: Any, curvature: float, start: Array, calls: int, look: Callable[..., Any]
) -> list[jax.Array]:
    with jax.enable_x64(True):
        oracle = pep.Oracle(jax.numpy.asarray(start), lambda x, component: curvature * x)
        return pep.steps_of(method, calls, look)(oracle)


NO_NOISE = (
    "Noise: here there is none. Nor more iterations than these: each horizon is a semidefinite "
    "program of its own."
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="markovian_noise/accelerated/worst-case",
        title="The accelerated rate after a few iterations, beside the worst case over its class",
        theorem=D4,
        prepare=_accelerated,
        pairs_with=PARTNERS,
        not_shown=NO_NOISE,
    ),
    Claim(
        id="markovian_noise/extragradient/worst-case",
        title="Extragradient's rate after a few iterations, beside the worst case over its class",
        theorem=D5,
        prepare=_extragradient,
        pairs_with=PARTNERS,
        not_shown=NO_NOISE,
    ),
)
