"""What no chain comes below: the lattice of a walk of coins, and a drift with an error."""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import wasserstein
from optzoo.theorems.ito_chains import I4, I4_EXPONENT, I5, I5_EXPONENT, MAIN

from ...checks import ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import controls, wrong
from .distances import CLOSEST, CORRELATED, STEP, TOLERANCE, beside_bounds, louder, slopes
from .settings import NOISES, SCALINGS, Family, LinearChain, Noise
from .shipped import STEPS, shipped_law

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- I4: the walk on a lattice ---

WALK = "$b = 0$, $\\sigma = 1$, coins $\\pm 1$, $T = 1$"
WALKS = tuple(range(1, 11)) + tuple(round(10 * 1.4**j) for j in range(1, 14))


def _walks(noise: Noise) -> tuple[LinearChain, ...]:
    return tuple(
        LinearChain(noise=noise, gamma=gamma, rate=0.0, eta=1 / k)
        for gamma in (0.0, 1.0)
        for k in WALKS
    )


@cache
def _walk_distances(noise: Noise) -> Array:
    """W2 of walks of k steps to T = 1; that of 8 coins by the shipped chain."""
    return np.array(
        [
            wasserstein(shipped_law(walk), walk.diffusion.law(walk.time))
            if walk.steps == STEPS and noise in NOISES
            else walk.distance()
            for walk in _walks(noise)
        ]
    )


def _lattice_case() -> Case:
    family = Family(WALK, _walks("coin"), (I4,))

    def check(scale: float = 1.0, noise: Noise = "coin") -> ExactLowerBound:
        def compute() -> tuple[Array, Array]:
            return _walk_distances(noise), scale * family.bounds(I4)

        what = f"k from 1 to {WALKS[-1]}, gamma = 0 and 1; k = {STEPS} on the shipped chain"
        return ExactLowerBound(compute, TOLERANCE, what)

    return Case(
        family,
        check(),
        controls(
            check,
            wrong("a percent more", "a false claim: 1% above the limit", scale=1.01),
            wrong(
                "Gaussian noise",
                "no lattice: the walk has the law of its diffusion",
                noise="gaussian",
            ),
        ),
    )


def _walk_exponent_case(scaling: str) -> Case:
    members = tuple(
        LinearChain(noise="coin", gamma=SCALINGS[scaling], rate=0.0, eta=2.0**-j)
        for j in range(3, 9)
    )
    family = Family(WALK, members, (I4_EXPONENT,))
    theta = members[0].of(MAIN).theta
    check = partial(slopes, family, stated=family.exponent(I4_EXPONENT), relation="exactly")
    return Case(
        family,
        check(),
        controls(
            check,
            wrong(
                "the theorem's exponent as exact",
                f"a false claim: exponent {theta:g}, which the theorem has as a bound",
                stated=theta,
            ),
            louder(1.1),
            CORRELATED,
        ),
    )


# --- I5: a drift with an error of order eta^alpha, which no chain forgets ---


def _drift_case() -> Case:
    family = Family(
        "$b = -x$, skewed coins of size $s = 0.05$, $T = 1$",
        tuple(
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
        ),
        (I5,),
    )
    what = "five errors and starts, three alphas, gamma = 0 and 1, all paths of three steps"
    check = partial(beside_bounds, family, I5, what)
    return Case(
        family,
        check(),
        controls(
            check,
            wrong(
                "the start forgotten",
                "the shift alone, although the mean error of the start may cancel it",
                changes={"x_0": 0.0},
            ),
            wrong("a tenth more", "a false claim: 1.1 times the floor", scale=1.1),
        ),
    )


ALPHAS = {"quarter": 0.25, "half": 0.5}


def _drift_exponent_case(alpha: str) -> Case:
    members = tuple(
        LinearChain(gamma=1.0, eta=2.0**-j, start=1.0, drift_error=1.0, alpha=ALPHAS[alpha])
        for j in range(3, 15)
    )
    family = Family(r"$b = -x$, $s = 1$, $x_0 = 1$, $\delta = 1$, $T = 1$", members, (I5_EXPONENT,))
    check = partial(slopes, family, stated=family.exponent(I5_EXPONENT), relation="exactly")
    return Case(
        family,
        check(),
        controls(
            check,
            wrong("the theorem without drift error", "a false claim: exponent 1", stated=1.0),
            wrong("no error", "an exact drift: the exponent is 1", drift_error=0.0),
        ),
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
