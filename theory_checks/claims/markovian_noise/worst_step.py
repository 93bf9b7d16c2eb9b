# SPDX-License-Identifier: Apache-2.0
"""One step of the accelerated method's potential with noise: measured, worst case, theorem.

From any x and x_f, with two equally likely estimates whose mean and spread are as bad as they may
be: all is linear in the gradient and in the errors. A chain enters D4 by the factors V and b alone,
so that D4's step with the multilevel estimate is this one with the factors of D2; over all chains
and all gradients of single samples its worst case is no semidefinite program, as the estimates are
then as many as there are paths.
"""

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.markovian_noise import D4_OF_ANY

from ...checks import WorstCaseBound
from ...claim import Case, Claim
from ...controls import case, wrong
from ...setting import Stated, chosen
from ...worst_case import pep

if TYPE_CHECKING:
    from ...worst_case.pep import WorstCase

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

MU, L, GAMMA, P = 0.1, 1.0, 0.75, 0.8
SIGMAS = (0.0, 0.1, 0.3)
V, BIAS, DELTA = 0.5, 0.05, 0.5
"""Just within (C)."""
METHOD = optzoo.randomized_accelerated_gd(GAMMA, MU, momentum_scale=P)


def _step(sign: float) -> pep.Run:
    """From any x and x_f to the next ones, with a bias and an error of this sign."""

    def run(oracle: pep.Oracle) -> list[jax.Array]:
        assert oracle.free is not None
        x, x_f, bias, error = oracle.start, *(oracle.free(number) for number in range(3))
        mix = optzoo.accelerated_coefficients(GAMMA, MU, P)
        x_g = mix.theta * x_f + mix.one_minus_theta * x
        state = METHOD.init(x_g)._replace(momentum_point=x, output_point=x_f)
        estimate = oracle.gradient(x_g, 0) + bias + sign * error
        _, state = METHOD.update(estimate, state, x_g)
        return [x, x_f, x_g, state.momentum_point, state.output_point]

    return run


BRANCHES = (pep.Branch(0.5, _step(1.0)), pep.Branch(0.5, _step(-1.0)))


def potential(performance: Any, x: Any, x_f: Any) -> Any:
    """Phi = |x - x*|^2 + (6 / mu) (f(x_f) - f*)."""
    return performance.squared_distance(x) + 6 / MU * performance.excess(x_f)


def following(performance: Any) -> list[Any]:
    """E Phi after the step."""
    return [performance.expected(lambda y: potential(performance, y[3], y[4]))]


@cache
def worst_step(sigma: float) -> "WorstCase":
    """The worst case of a step from Phi <= 1."""

    def condition(performance: Any, radius: float) -> list[Any]:
        x, x_f, x_g, *_ = performance.outputs[0]
        _, bias, error = performance.free
        s = sigma**2 + DELTA**2 * performance.gradient(x_g) ** 2
        return [
            potential(performance, x, x_f) - radius,
            bias**2 - BIAS * s,
            bias**2 + error**2 - V * s,
        ]

    over = pep.SmoothStronglyConvex(MU, L)
    return pep.worst_mean(BRANCHES, over, following, initial=condition, capacity=16)


def _measured(sigma: float) -> float:
    """The flattest parabola, mu x^2 / 2, from x = x_f, the bias away from the minimizer."""
    x = np.array([0.5])  # 1/4 + (6 / mu) (mu / 2) / 4 = 1
    s = math.hypot(sigma, DELTA * MU * x[0])
    free = [x, np.array([-s * math.sqrt(BIAS)]), np.array([s * math.sqrt(V - BIAS)])]
    with jax.enable_x64(True):
        oracle = pep.Oracle(
            jax.numpy.asarray(x),
            lambda point, component: MU * point,
            free=lambda number: jax.numpy.asarray(free[number]),
        )
        ends = [branch.run(oracle)[3:] for branch in BRANCHES]
    return float(np.mean([after[0] ** 2 + 3 * x_f[0] ** 2 for after, x_f in ends]))


def _one_step() -> Case:
    known = chosen(
        **{"L": L, "mu": MU, "gamma": GAMMA, "p": P, "sigma": SIGMAS[-1], "delta": DELTA},
        **{"V": V, "b": BIAS, "start": 1.0},
    )
    setting = Stated(r"$f(x) = \mu x^2/2$ from $\Phi = 1$, the bias away from the minimizer", known)

    def check(**changes: float) -> WorstCaseBound:
        def said(sigma: float) -> float:
            return float(setting.bound(D4_OF_ANY, 1, sigma=sigma, **changes))

        return WorstCaseBound(
            measured=lambda: np.array([_measured(sigma) for sigma in SIGMAS]),
            bound=lambda: np.array([said(sigma) for sigma in SIGMAS]),
            at=SIGMAS,
            worst=worst_step,
            over=(
                r"all $\mu$-strongly convex, $L$-smooth $f$ in any dimension, from any $x$ and "
                r"$x_f$, with any two equally likely estimates of such bias and variance"
            ),
            what="one step, both estimates",
        )

    return case(setting, check, wrong("no variance", "a false claim: $V = 0$", V=0.0, b=0.0))


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="markovian_noise/accelerated/one-step/worst-case",
        title="One step of the accelerated potential, beside the worst case over its class",
        theorem=D4_OF_ANY,
        prepare=_one_step,
        not_shown=(
            "Estimates with more than two values, and other factors $V$ and $b$ than these."
        ),
        x_label=r"noise $\sigma$",
    ),
)
