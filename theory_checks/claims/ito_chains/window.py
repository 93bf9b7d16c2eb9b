"""Noise of any law against Gaussian noise: the window coupling and its constant."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant, Gaussian, wasserstein, weighted_sum_law
from optzoo.theorems.ito_chains import (
    I3,
    I3_CONSTANT,
    I3_LIMIT,
    WINDOW_CONSTANTS,
    Noise,
    Window,
)

from ...checks import ExactIdentity, ExactInequality
from ...claim import Case, Claim
from ...controls import controls, null, wrong
from ...setting import Stated
from .distances import CLOSEST, TOLERANCE
from .partners import PARTNERS
from .settings import NOISES, Family, LinearChain

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- C_B: the central limit theorem in W2 ---

BLOCKS = (*range(1, 41), *(round(40 * 1.25**j) for j in range(1, 15)))
LARGE = 20_000


def _noise(name: str) -> Stated:
    law = NOISES[name]
    low, high = law.atoms or (0.0, 0.0)
    exact = {"span": high - low, "skewness": law.skewness or 0.0}
    known = {key: Constant(value, "exact", derivation="two atoms") for key, value in exact.items()}
    supremum = Constant(WINDOW_CONSTANTS[name], "certified", derivation="claimed, rounded up")
    return Stated(name, {"C_B": supremum, **known})


COINS = "coins $\\pm 1$, and coins of probability 0.1, standardized"
TWO_NOISES = tuple(_noise(name) for name in WINDOW_CONSTANTS)


@cache
def _block_distance(noise: str, S: int) -> float:
    """S^(1/2) W2(S^(-1/2) sum_{i <= S} eps_i, N(0, 1))."""
    law = NOISES[noise]
    total = weighted_sum_law(law.atoms or (), law.weights or (), np.ones(S)).law
    return wasserstein(total, Gaussian(0.0, float(np.sqrt(S))))


def _constants_case() -> Case:
    family = Family(COINS, TWO_NOISES, (I3_CONSTANT,))

    def check(
        bound: Callable[[Noise], float] = I3_CONSTANT.bound, scale: float = 1.0
    ) -> ExactInequality:
        def compute() -> tuple[Array, Array]:
            measured = [_block_distance(name, S) for name in WINDOW_CONSTANTS for S in BLOCKS]
            bounds = [bound(noise) for noise in family.each(I3_CONSTANT) for _ in BLOCKS]
            return np.array(measured), scale * np.array(bounds)

        what = f"S from 1 to {BLOCKS[-1]}, both coins"
        return ExactInequality(compute, 1e-6, what)

    return Case(
        family,
        check(),
        controls(
            check,
            wrong(
                "the limit as constant",
                "a false claim: the limit in place of the supremum",
                bound=lambda noise: noise.limit() ** 0.5,
            ),
            wrong("a percent less", "a false claim: both constants 1% lower", scale=0.99),
        ),
    )


def _limit_case() -> Case:
    family = Family(COINS, TWO_NOISES, (I3_LIMIT,))

    def check(**changes: float) -> ExactIdentity:
        def compute() -> tuple[Array, Array]:
            measured = [_block_distance(name, LARGE) ** 2 for name in WINDOW_CONSTANTS]
            return np.array(measured), family.bounds(I3_LIMIT, **changes)

        return ExactIdentity(compute, 1e-3, f"S = {LARGE}, to a thousandth")

    return Case(
        family,
        check(),
        controls(
            check,
            wrong("no skewness", r"a false claim: $h^2/12$ alone", skewness=0.0),
            wrong("no lattice", r"a false claim: $\kappa_3^2/18$ alone", span=0.0),
        ),
    )


# --- I3 ---


def _ordered_everywhere(window: Window) -> float:
    """Without drift it is stated with S = k."""
    return window.bound() if window.M == 0 else window.order()


def _one_window(window: Window) -> float:
    """The first term alone at S = k, as if nothing happened inside a window."""
    return window.C_B * window.s * window.h


def _bound_case() -> Case:
    family = Family(
        r"$b = -ax$ with $a = 0, 0.001, 1, -1$; coins and skewed coins; $T = 1$",
        tuple(
            LinearChain(noise=noise, gamma=gamma, rate=rate, eta=eta)
            for noise in ("coin", "skewed coin")
            for gamma in (0.0, 1.0)
            for rate in (0.0, 1e-3, 1.0, -1.0)
            for eta in (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
        ),
        (I3,),
    )

    @cache
    def measured() -> Array:
        return np.array([chain.distance_to_gaussian_noise() for chain in family.members])

    def check(bound: Callable[[Window], float] = I3.bound, scale: float = 1.0) -> ExactInequality:
        def compute() -> tuple[Array, Array]:
            return measured(), scale * np.array([bound(window) for window in family.each(I3)])

        what = "two noises, gamma = 0 and 1, four drifts, five steps"
        return ExactInequality(compute, TOLERANCE, what)

    return Case(
        family,
        check(),
        controls(
            check,
            wrong(
                "the optimized closed form",
                "the closed form at the best real S, also where that S exceeds k: at $M = 0.001$, "
                r"$\eta = 1/16$ it says 0.036 where W2 is 0.145",
                bound=_ordered_everywhere,
            ),
            wrong("half of it", "a false claim: half of the bound", scale=0.5),
            wrong(
                "one window",
                "a false claim: $C_B s \\eta^{(1+\\gamma)/2}$ whatever the drift",
                bound=_one_window,
            ),
            null("null", "the bound doubled", scale=2.0),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/window/constants",
        title="The constant of the central limit theorem in W2",
        theorem=I3_CONSTANT,
        prepare=_constants_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/window/edgeworth",
        title="What is left of a law after many steps: its lattice and its skewness",
        theorem=I3_LIMIT,
        prepare=_limit_case,
        x_label="noise",
    ),
    Claim(
        id="ito_chains/window/bound",
        title="Noise of any law against Gaussian noise",
        theorem=I3,
        prepare=_bound_case,
        pairs_with=PARTNERS,
        x_label=CLOSEST,
    ),
)
