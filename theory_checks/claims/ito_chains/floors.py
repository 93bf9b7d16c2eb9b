# SPDX-License-Identifier: Apache-2.0
"""What no chain comes below: the lattice of a walk of coins, and a drift with an error."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import wasserstein
from optzoo.theorems.ito_chains import I4, I4_EXPONENT, I5, I5_EXPONENT, MAIN

from ...checks import CLOSEST
from ...claim import Case, Claim, grid
from ...controls import wrong
from ...family import Family, members
from .distances import CORRELATED, STEP, beside_bounds, louder, slopes
from .settings import NOISES, SCALINGS, LinearChain, Noise, halved
from .shipped import STEPS, shipped_law

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- I4: the walk on a lattice ---

WALK = "$b = 0$, $\\sigma = 1$, coins $\\pm 1$, $T = 1$"
WALKS = tuple(range(1, 11)) + tuple(round(10 * 1.4**j) for j in range(1, 14))


def _walk_distance(walk: LinearChain) -> float:
    """W2 of a walk to T = 1; that of 8 coins by the shipped chain."""
    if walk.steps == STEPS and walk.noise in NOISES:
        return wasserstein(shipped_law(walk), walk.diffusion.law(walk.time))
    return walk.distance()


@cache
def _walk_distances(family: Family[LinearChain], noise: Noise = "coin") -> Array:
    return np.array([_walk_distance(replace(walk, noise=noise)) for walk in family.members])


def _lattice_case() -> Case:
    walks = members(
        LinearChain, noise=("coin",), gamma=(0.0, 1.0), rate=(0.0,), eta=(1 / k for k in WALKS)
    )
    return beside_bounds(
        Family(WALK, walks, (I4,)),
        I4,
        f"k from 1 to {WALKS[-1]}, gamma = 0 and 1; k = {STEPS} on the shipped chain",
        wrong(
            "Gaussian noise",
            "no lattice: the walk has the law of its diffusion",
            noise="gaussian",
        ),
        measured=_walk_distances,
    )


def _walk_exponent_case(scaling: str) -> Case:
    walks = halved(LinearChain, last=8, noise="coin", gamma=SCALINGS[scaling], rate=0.0)
    theta = walks[0].of(MAIN).theta
    return slopes(
        Family(WALK, walks, (I4_EXPONENT,)),
        I4_EXPONENT,
        wrong(
            "the theorem's exponent as exact",
            f"a false claim: exponent {theta:g}, which the theorem has as a bound",
            stated=theta,
        ),
        louder(1.1),
        CORRELATED,
        relation="exactly",
    )


# --- I5: a drift with an error of order eta^alpha, which no chain forgets ---


def _drift_case() -> Case:
    chains = tuple(
        LinearChain(
            noise="skewed coin",
            gamma=gamma,
            eta=eta,
            s=0.05,
            start=start,
            drift_error=delta,
            alpha=alpha,
        )
        for gamma in (0.0, 1.0)
        for alpha in (0.25, 0.5, 1.0)
        for delta, start in ((1.0, 0.0), (-1.0, 0.0), (0.3, 1.0), (-0.3, 1.0), (0.3, -1.0))
        for eta in (1 / 4, 1 / 8, 1 / 16)
    )
    return beside_bounds(
        Family("$b = -x$, skewed coins of size $s = 0.05$, $T = 1$", chains, (I5,)),
        I5,
        "five errors and starts, three alphas, gamma = 0 and 1, all paths of three steps",
        wrong(
            "the start forgotten",
            "the shift alone, although the mean error of the start may cancel it",
            constants={"x_0": 0.0},
        ),
    )


ALPHAS = {"quarter": 0.25, "half": 0.5}


def _drift_exponent_case(alpha: str) -> Case:
    place = {"gamma": 1.0, "start": 1.0, "drift_error": 1.0, "alpha": ALPHAS[alpha]}
    chains = halved(LinearChain, last=14, **place)
    return slopes(
        Family(r"$b = -x$, $s = 1$, $x_0 = 1$, $\delta = 1$, $T = 1$", chains, (I5_EXPONENT,)),
        I5_EXPONENT,
        wrong("the theorem without drift error", "a false claim: exponent 1", stated=1.0),
        wrong("no error", "an exact drift: the exponent is 1", drift_error=0.0),
        relation="exactly",
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/lattice/floor",
        title="A walk on a lattice never comes closer",
        theorem=I4,
        prepare=_lattice_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/lattice/exponents",
        title="The exponent that coins cannot beat",
        theorem=I4_EXPONENT,
        prepare=grid(_walk_exponent_case, scaling=SCALINGS),
        x_label=STEP,
    ),
    Claim(
        id="ito_chains/drift/floor",
        title="A drift error is seen whatever the noise",
        theorem=I5,
        prepare=_drift_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/drift/exponents",
        title="The exponent saturates at that of the drift error",
        theorem=I5_EXPONENT,
        prepare=grid(_drift_exponent_case, alpha=ALPHAS),
        x_label=STEP,
    ),
)
