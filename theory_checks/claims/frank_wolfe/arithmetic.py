# SPDX-License-Identifier: Apache-2.0
"""No method: the closed forms F3a, F3b, F6a against what they unroll, and the counts, F8."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import (
    F3A,
    F3A_UNROLLED,
    F4,
    F6,
    F6A,
    F6A_UNROLLED,
    F7,
    F8,
    balanced_probability,
    index_probability,
)

from ...checks import ExactInequality, ExactScaling
from ...claim import Case, Claim
from ...controls import Sides, case, wrong
from ...setting import Stated, chosen
from ...simulation.laboratory import Laboratory
from .processes import step_table

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- Against what they unroll ---

ARITHMETIC = "no method: the arithmetic of the bounds themselves"
STEP = 0.05
NOISE_ALONE = {"L": 0.0, "L_pm": 0.02, "D": 100.0, "r_0": 0.0}
START_ALONE = {"L": 0.0, "L_pm": 0.0, "r_0": 0.01}
"""In units that tell powers apart."""

Values = Iterator[float]


def _unrolled(
    setting: Stated,
    unrolled: Callable[[], Values],
    closed: Callable[[], Values],
    what: str,
) -> Case:
    def sides() -> Sides:
        return np.array(list(unrolled())), lambda: np.array(list(closed()))

    return Case(setting, ExactInequality(sides, what=what))


def _sarah_unrolled() -> Case:
    known = chosen(L=1.7, L_pm=2.0, D=1.5, nu=0.25, r_0=3.0)
    setting = Stated(ARITHMETIC, known, {"p": "0.02, 0.1, 0.5", "L": "as it is and 0"})

    def lyapunov(schedule: Callable[..., object], horizon: int, **changes: float) -> float:
        """Phi_{k+1} = (1 - eta_k) Phi_k + A eta_k^2."""
        bounds = setting.of(F3A, **changes)
        value: float = bounds.r_0
        for eta in np.asarray(step_table(schedule, 5000))[:horizon]:
            value = (1 - eta) * value + bounds.lyapunov(eta)
        return value

    cases = [
        (round(passes / p), {"p": p, **sizes})
        for sizes in ({}, NOISE_ALONE, START_ALONE)
        for p in (0.02, 0.1, 0.5)
        for passes in (1, 10, 100)
    ]

    def unrolled() -> Values:
        for horizon, changes in cases:
            p = changes["p"]
            yield lyapunov(optzoo.open_loop_schedule(4 / p), horizon, **changes)
            yield lyapunov(optzoo.stich_schedule(horizon, p), horizon, **changes)
            yield setting.bound(F4, np.full(horizon, STEP), **changes)[-1]

    def closed() -> Values:
        for horizon, changes in cases:
            yield from setting.bound(F3A_UNROLLED, horizon, STEP, **changes)

    what = "three restart probabilities, horizons and sizes, both schedules, and constant steps"
    return _unrolled(setting, unrolled, closed, what)


def _saga_unrolled() -> Case:
    known = chosen(L=1.7, L_pm=2.0, L_tilde=2.5, D=1.5, nu=0.25, r_0=3.0)
    setting = Stated(ARITHMETIC, known, {"a": "0.01, 0.1, 0.5, 0.99", "lambda": "a/2"})

    noise_alone = NOISE_ALONE | {"L_tilde": 0.02}
    cases = [
        (round(passes / a), {"a": a, "mixing": a / 2, "refreshed_with_new": new, **sizes})
        for sizes in ({}, noise_alone, noise_alone | {"L_pm": 0.0})
        for a in (0.01, 0.1, 0.5, 0.99)
        for new in (True, False)
        for passes in (1, 10, 100)
    ]

    def unrolled() -> Values:
        for horizon, changes in cases:
            steps = 2 / (np.arange(horizon) + 8 / changes["a"])
            yield setting.bound(F6, steps, **changes)[-1]
            changes = changes | {"refreshed_with_new": True}
            yield setting.bound(F7, np.full(horizon, STEP), **changes)[-1]

    def closed() -> Values:
        for horizon, changes in cases:
            yield from setting.bound(F6A_UNROLLED, horizon, STEP, **changes)

    what = "four refresh probabilities, three horizons and sizes, both refreshes, constant steps"
    return _unrolled(setting, unrolled, closed, what)


# --- F8: guaranteed counts ---

COUNTED = tuple(4**power for power in range(4, 9))  # n = 256 ... 65536
EPS = 1e-7


def _steps_until(setting: Stated, theorem: Theorem, **changes: float) -> int:
    """The first k at which a closed form, falling in k, is at most eps."""

    def above(k: int) -> bool:
        return bool(setting.bound(theorem, k, **changes) > EPS)

    low, high = 1, 2
    while above(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if above(middle) else (low, middle)
    return high


def _counts() -> Case:
    setting = Stated(
        f"no method: what F6a and F3a promise for accuracy {EPS}, $L = L_\\pm = D = r_0$",
        chosen(L=1.0, L_pm=1.0, L_tilde=1.0, D=1.0, r_0=1.0),
        {"batch size": r"$\sqrt n$", "p": "b/(n+b)", "lambda": "a/2", "eps": EPS},
    )

    def guaranteed(n: int, b: int) -> list[float]:
        """Oracle calls and gradients to eps, of Saga Sarah and of Sarah Frank-Wolfe."""
        a, p = index_probability(n, b, replacement=True), balanced_probability(n, b)
        saga = _steps_until(setting, F6A, a=a, mixing=a / 2, nu=1 / b)
        sarah = _steps_until(setting, F3A, p=p, nu=1 / b)
        return [saga, n + 2 * b * saga, sarah, n + sarah * (p * n + 2 * (1 - p) * b)]

    def check(
        exponents: tuple[float, ...] = (0.0, 0.5, 0.0, 0.5), root: float = 0.5
    ) -> ExactScaling:
        def compute(laboratory: Laboratory) -> tuple[Array, Array]:
            rows = [guaranteed(n, round(n**root)) for n in COUNTED]
            return np.asarray(COUNTED) / COUNTED[0], np.array(rows, dtype=np.float64)

        return ExactScaling(compute, exponents, tolerance=0.15)

    return case(
        setting,
        check,
        wrong(
            "batches of n^(1/4)",
            r"a false claim: the counts of $b = \sqrt n$ for smaller batches",
            root=0.25,
        ),
        wrong(
            "gradients linear in n",
            "a false claim: as many passes over the data whatever n",
            exponents=(0.0, 1.0, 0.0, 1.0),
        ),
    )


CASES = "case, the closest to the bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/closed-form/unrolled",
        title="The closed forms bound what they unroll, closely",
        theorem=F3A_UNROLLED,
        prepare=_sarah_unrolled,
        x_label=CASES,
    ),
    Claim(
        id="frank_wolfe/saga/closed-form/unrolled",
        title="The closed forms of Saga Sarah Frank-Wolfe bound what they unroll, closely",
        theorem=F6A_UNROLLED,
        prepare=_saga_unrolled,
        x_label=CASES,
    ),
    Claim(
        id="frank_wolfe/saga/counts",
        title="Guaranteed counts: the root of n in gradients, none of n in oracle calls",
        theorem=F8,
        prepare=_counts,
        x_label="$n / 256$",
    ),
)
