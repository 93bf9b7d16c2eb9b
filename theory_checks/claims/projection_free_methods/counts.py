# SPDX-License-Identifier: Apache-2.0
"""C3: gradients of samples that each theorem guarantees to be enough, for more and more samples."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems.frank_wolfe import (
    Saga,
    Sarah,
    balanced_probability,
    index_probability,
    variance_factor,
)
from optzoo.theorems.projection_free_methods import (
    TABLE_SAMPLES,
    LinearModel,
    PathIntegrated,
    ShortSteps,
    TableOnly,
)

from ...checks import ExactExponent
from ...claim import Case, Claim, grid
from ...controls import case, wrong
from ...setting import Stated, chosen

__all__ = ["CLAIMS", "GUARANTEED"]

Array = NDArray[np.float64]

# All constants are 1, the accuracy so small that its term dominates.
EPS, START = 1e-8, 1.0
SIZES = (64, 512, 4096, 32_768, 262_144)


def _first(reached: Callable[[int], bool]) -> int:
    """The least K for which the bound, which falls, is reached; by doubling and bisection."""
    high = 1
    while not reached(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _root(n: int) -> int:
    return round(n**0.5)


def _full_gradients(n: int) -> float:
    plan = ShortSteps(L=1.0, D=1.0, r_0=START)
    return float(n) * _first(lambda k: float(plan.closed_form(k)) <= EPS)


def _sag(n: int) -> float:
    """Batches of n^(1/4), so that recursions stay short; unit margins: D_1 = n, D_2^2 = n."""
    b = round(n**0.25)
    a = index_probability(n, b, replacement=True)
    plan = LinearModel(L_phi=1.0, D_1=n, D_2=n**0.5, D_inf=1.0, n=n, a=a, H_0=0.0, r_0=START)
    # The limit of k R_k: H_k tends to (1-a) L_phi D_1 eta_k / a, and R_k to A eta_k for steps
    # 2 / (k + 2) where R_{k+1} <= (1 - eta) R_k + A eta^2 / 2.
    stale = (1 - a) / a * plan.L_phi * plan.D_1
    A = 2 * plan.D_inf * stale / n + plan.L_phi * plan.D_2**2 / n
    return 2 * A / EPS * b


def _sarah(n: int) -> float:
    b = _root(n)
    p, nu = balanced_probability(n, b), variance_factor(n, b, replacement=True)
    plan = Sarah(L=1.0, L_pm=1.0, D=1.0, p=p, nu=nu, r_0=START)
    steps = _first(lambda k: float(plan.convex_closed_form(k)) <= EPS)
    return n + steps * (p * n + 2 * (1 - p) * b)


def _saga(n: int) -> float:
    b = _root(n)
    a, nu = index_probability(n, b, replacement=True), variance_factor(n, b, replacement=True)
    plan = Saga(L=1.0, L_pm=1.0, L_tilde=1.0, D=1.0, a=a, mixing=a / 2, nu=nu, r_0=START)
    return 2.0 * b * _first(lambda k: float(plan.convex_closed_form(k)) <= EPS)


def _longest(slope: float) -> float:
    """Steps K to an average gap of EPS at the best constant step: 4 r_0 C / eps^2."""
    return 4 * START * slope / EPS**2


def _sagafw(n: int, power: float = 2 / 3) -> float:
    b = round(n**power)
    a, nu = index_probability(n, b, replacement=True), variance_factor(n, b, replacement=True)
    plan = TableOnly(L=1.0, L_tilde=1.0, D=1.0, a=a, nu=nu, r_0=START)
    return n + 2 * b * _longest(plan.nonconvex_closed_form(1.0, 1) - START)


def _spider(n: int) -> float:
    q = b = _root(n)
    plan = PathIntegrated(L=1.0, L_pm=1.0, D=1.0, r_0=START)
    steps = _longest(plan.nonconvex_closed_form(1.0, 1, q, 1 / b) - START)
    return steps * (n + 2 * b * (q - 1)) / q


GUARANTEED: Mapping[str, tuple[Callable[[int], float], float]] = {
    "full gradients": (_full_gradients, 1.0),
    "SAG": (_sag, 1.0),
    "Sarah": (_sarah, 0.5),
    "Saga Sarah": (_saga, 0.5),
    "SAGAFW, non-convex": (_sagafw, 2 / 3),
    "SPIDER, non-convex": (_spider, 0.5),
}
"""Method -> gradients of samples to EPS from its theorem, and the exponent of n."""


def _counts(count: Callable[[int], float]) -> tuple[Array, Array, None]:
    return np.array(SIZES, dtype=float), np.array([count(n) for n in SIZES]), None


def _case(method: str) -> Case:
    count, exponent = GUARANTEED[method]

    def check(stated: float = exponent, count: Callable[[int], float] = count) -> ExactExponent:
        return ExactExponent(partial(_counts, count), stated, relation="exactly", slack=0.06)

    other = 1.0 if exponent != 1.0 else 0.5
    changes = [wrong(f"exponent {other:g} claimed", "a false claim", stated=other)]
    if method.startswith("SAGAFW"):
        changes.append(
            wrong(
                "batches of the cube root of n",
                "the slip: with them the theorem needs far more gradients than it states",
                count=partial(_sagafw, power=1 / 3),
            )
        )
        changes.append(
            wrong("exponent 1/3 claimed", r"the slip: $n + n^{1/3}/\epsilon^2$", stated=1 / 3)
        )
    setting = Stated(
        rf"all constants 1, $\epsilon = {EPS:g}$, $n$ from {SIZES[0]} to {SIZES[-1]:,}",
        chosen(r_0=START),
        {"eps": EPS},
    )
    return case(setting, check, *changes)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="projection_free_methods/complexity/samples",
        title="What grows with the number of samples",
        theorem=TABLE_SAMPLES,
        prepare=grid(_case, method=tuple(GUARANTEED)),
        x_label="$n$",
    ),
)
