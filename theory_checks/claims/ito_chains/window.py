# SPDX-License-Identifier: Apache-2.0
"""Noise of any law against Gaussian noise: the window coupling and its constant."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Constant, Gaussian, wasserstein, weighted_sum_law
from optzoo.theorems.ito_chains import (
    I3,
    I3_CONSTANT,
    I3_GRONWALL,
    I3_LIMIT,
    WINDOW_CONSTANTS,
    Noise,
    Window,
)

from ...checks import CLOSEST, ExactIdentity, ExactInequality
from ...claim import Case, Claim
from ...controls import Sides, exact_case, wrong
from ...family import Family, members
from ...setting import Stated, chosen
from .distances import beside_bounds
from .partners import PARTNERS
from .settings import NOISES, LinearChain

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- C_B: the central limit theorem in W2 ---

BLOCKS = (*range(1, 41), *(round(40 * 1.25**j) for j in range(1, 15)))
LARGE = 20_000
COINS = "coins $\\pm 1$, and coins of probability 0.1, standardized"


def _window(name: str, S: int) -> Stated:
    """S draws of a noise."""
    law = NOISES[name]
    low, high = law.atoms or (0.0, 0.0)
    exact = {"span": high - low, "skewness": law.skewness or 0.0}
    known = {key: Constant(value, "exact", derivation="two atoms") for key, value in exact.items()}
    supremum = Constant(WINDOW_CONSTANTS[name], "certified", derivation="claimed, rounded up")
    return Stated(name, {"C_B": supremum, **known}, {"S": S})


@cache
def _to_gaussian(windows: Family[Stated]) -> Array:
    """S^(1/2) W2(S^(-1/2) sum_{i <= S} eps_i, N(0, 1))."""
    found = []
    for window in windows.members:
        law, S = NOISES[window.text], int(window.parameters["S"])
        total = weighted_sum_law(law.atoms or (), law.weights or (), np.ones(S)).law
        found.append(wasserstein(total, Gaussian(0.0, float(np.sqrt(S)))))
    return np.array(found)


def _constants_case() -> Case:
    windows = members(_window, name=WINDOW_CONSTANTS, S=BLOCKS)
    return beside_bounds(
        Family(COINS, windows, (I3_CONSTANT,)),
        I3_CONSTANT,
        f"S from 1 to {BLOCKS[-1]}, both coins",
        wrong(
            "the limit as constant",
            "a false claim: the limit in place of the supremum",
            claimed=replace(I3_CONSTANT, formula=lambda noise: Noise.limit(noise) ** 0.5),
        ),
        measured=_to_gaussian,
        tolerance=1e-6,
    )


def _limit(windows: Family[Stated], **changes: float) -> Sides:
    return _to_gaussian(windows) ** 2, lambda: windows.bounds(I3_LIMIT, **changes)


def _limit_case() -> Case:
    windows = members(_window, name=WINDOW_CONSTANTS, S=(LARGE,))
    family = Family(COINS, windows, (I3_LIMIT,))
    return exact_case(
        family,
        _limit,
        ExactIdentity,
        wrong("no skewness", r"a false claim: $h^2/12$ alone", skewness=0.0),
        wrong("no lattice", r"a false claim: $\kappa_3^2/18$ alone", span=0.0),
        tolerance=1e-3,
        what=f"S = {LARGE}, to a thousandth",
    )


# --- I3 ---


def _ordered_everywhere(window: Window) -> float:
    """Without drift it is stated with S = k."""
    return window.bound() if window.M == 0 else window.order()


def _one_window(window: Window) -> float:
    """The first term alone at S = k, as if nothing happened inside a window."""
    return window.C_B * window.s * window.h


@cache
def _to_gaussian_noise(family: Family[LinearChain]) -> Array:
    return np.array([chain.distance_to_gaussian_noise() for chain in family.members])


def _bound_case() -> Case:
    chains = members(
        LinearChain,
        noise=("coin", "skewed coin"),
        gamma=(0.0, 1.0),
        rate=(0.0, 1e-3, 1.0, -1.0),
        eta=(1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32),
    )
    # In another unit of time.
    chains += members(
        LinearChain,
        noise=("skewed coin",),
        gamma=(0.0, 1.0),
        rate=(0.0, -0.01),
        time=(200.0,),
        eta=(200.0, 25.0),
    )
    text = r"$b = -ax$ with $a = 0, 0.001, 1, -1$; coins and skewed coins; $T = 1$; also $T = 200$"
    return beside_bounds(
        Family(text, chains, (I3,)),
        I3,
        "two noises, gamma = 0 and 1, four drifts, five steps",
        wrong(
            "the optimized closed form",
            "the closed form at the best real S, also where that S exceeds k: at $M = 0.001$, "
            r"$\eta = 1/16$ it says 0.036 where W2 is 0.145",
            claimed=replace(I3, formula=_ordered_everywhere),
        ),
        wrong(
            "one window",
            "a false claim: $C_B s \\eta^{(1+\\gamma)/2}$ whatever the drift",
            claimed=replace(I3, formula=_one_window),
        ),
        measured=_to_gaussian_noise,
    )


# --- I3: its last step ---

STEPS, WINDOW = 2000, 100


def _errors(gamma: float, d: int, s: float, rate: tuple[float, float]) -> Stated:
    """Errors of the sums of noise that are as large as they may be, on b(x) = Mx."""
    M, time = rate
    known = chosen(gamma=gamma, eta=time / STEPS, T=time, M=M, s=s, d=d, C_B=0.7)
    return Stated(f"$b(x) = Mx$, {STEPS} steps in windows of {WINDOW}", known)


def _grown(place: Stated, *, hidden: float = 1.0) -> float:
    """X_k - Y_k for errors of one sign, those inside a window `hidden` times as large."""
    constants = place.of(I3_GRONWALL)
    unit = constants.s * constants.h
    end = unit * constants.C_B * np.sqrt(STEPS / WINDOW)
    inside = hidden * 2 * unit * np.sqrt(WINDOW * constants.d)
    total, far = 0.0, 0.0
    for j in range(STEPS + 1):
        far = end + (inside if j % WINDOW else 0.0) + constants.M * constants.eta * total
        total += far
    return float(far)


@cache
def _all_grown(family: Family[Stated], hidden: float = 1.0) -> Array:
    return np.array([_grown(place, hidden=hidden) for place in family.members])


def _gronwall_sides(family: Family[Stated], **mistakes: float) -> Sides:
    return _all_grown(family, **mistakes), lambda: [
        place.bound(I3_GRONWALL, WINDOW) for place in family.members
    ]


def _gronwall_case() -> Case:
    places = members(
        _errors,
        gamma=(0.0, 1.0),
        d=(1, 100),
        s=(0.01, 100.0),
        rate=((1.0, 1.0), (1e-5, 1e5), (100.0, 0.01)),
    )
    return exact_case(
        Family(places[0].words, places, (I3_GRONWALL,)),
        _gronwall_sides,
        ExactInequality,
        wrong("longer inside", "errors 1.2 times as large inside a window", hidden=1.2),
        what="the worst errors in three units of time, two of space, d = 1 and 100",
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
        id="ito_chains/window/gronwall",
        title=I3_GRONWALL.title,
        theorem=I3_GRONWALL,
        prepare=_gronwall_case,
        x_label=CLOSEST,
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
