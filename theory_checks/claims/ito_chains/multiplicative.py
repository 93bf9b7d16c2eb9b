# SPDX-License-Identifier: Apache-2.0
"""Noise that depends on the state: geometric Brownian motion and its chain."""

import numpy as np
from numpy.typing import NDArray

from optzoo.theorems.ito_chains import I2, I2_EXPONENT, I2_GRONWALL

from ...checks import CLOSEST
from ...claim import Case, Claim, grid
from ...controls import wrong
from ...family import Family, members
from ...setting import Stated, chosen
from .distances import STEP, beside_bounds, louder, slopes
from .partners import PARTNERS
from .settings import SCALINGS, GeometricChain

__all__ = ["CLAIMS"]

ETAS = (1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128)


def _bound_case() -> Case:
    both = members(GeometricChain, gamma=(0.0, 1.0), time=(0.25, 1.0), eta=ETAS)
    short = {"time": (0.25,), "eta": (1 / 8,)}
    noise = members(GeometricChain, growth=(0.0,), gamma=(0.0, 1.0), **short)
    drift = members(GeometricChain, s=(0.05,), gamma=(1.0,), **short)
    # One step, in which Gronwall's lemma costs little yet, in several units of time.
    alone = tuple(
        GeometricChain(gamma=gamma, eta=eta, time=eta, growth=growth / eta, s=s / kick)
        for gamma in (0.0, 1.0)
        for eta in (2.0**-14, 1.0, 1e4)
        for kick in (eta ** ((1 + gamma) / 2),)
        for growth, s in ((0.0, 0.1), (0.1, 0.003))
    )
    return beside_bounds(
        Family(
            "$b(x) = x/2$, $\\sigma(x) = 0.4 x$, $x_0 = 1$, Gaussian noise; also without drift, "
            "and with $\\sigma(x) = x/20$; single steps",
            both + noise + drift + alone,
            (I2,),
        ),
        I2,
        "gamma = 0 and 1, T = 1/4 and 1, steps 1/8 ... 1/128; the noise or the drift alone; "
        "single steps of three lengths",
        louder(1.5),
    )


# --- Its last step ---

PER_STEP = 16
"""Steps in a unit of time."""


def _growing(gamma: float, unit: float, exponent: float, size: float, drift: bool) -> Stated:
    """A differential inequality with 4TL = `exponent`, of the drift or of the noise alone."""
    eta = unit / PER_STEP
    slope = exponent / (4 * unit)  # L
    known = chosen(
        eta=eta,
        gamma=gamma,
        T=unit,
        M=np.sqrt(slope / unit) if drift else 0.0,
        M_s=0.0 if drift else np.sqrt(slope / eta**gamma),
        b_hat=size if drift else 0.0,
        s_hat=0.0 if drift else size,
    )
    return Stated("$f' = 4L(f + m)$ from 0", known)


def _largest(family: Family[Stated], *, faster: float = 1.0) -> NDArray[np.float64]:
    """The root of f(T) = m (e^{4TL} - 1)."""
    found = []
    for one in family.each(I2_GRONWALL):
        slope = one.T * one.M**2 + one.eta**one.gamma * one.M_s**2
        moved = (one.eta * one.b_hat) ** 2 + (one.h * one.s_hat) ** 2
        found.append(np.sqrt(2 * moved * np.expm1(4 * faster * one.T * slope)))
    return np.array(found)


def _gronwall_case() -> Case:
    places = members(
        _growing,
        gamma=(0.0, 1.0),
        unit=(0.1, 1.0, 10.0),
        exponent=(0.01, 12.0),
        size=(0.01, 100.0),
        drift=(True, False),
    )
    return beside_bounds(
        Family(places[0].words, places, (I2_GRONWALL,)),
        I2_GRONWALL,
        "three units of time, two of space, 4TL = 0.01 and 12, the drift or the noise alone",
        wrong("faster growth", "the same bound for 1.3 times the exponent", faster=1.3),
        measured=_largest,
    )


# --- Its exponent ---


def _exponent_case(scaling: str) -> Case:
    gamma = SCALINGS[scaling]
    chains = members(GeometricChain, gamma=(gamma,), eta=ETAS)
    wrong_integral = wrong(
        "Stratonovich for Ito",
        "the same formula with Stratonovich's integral: the drift is off by $s^2 x/2$",
        limit="stratonovich",
    )
    return slopes(
        Family(chains[0].words, chains, (I2,)),
        I2_EXPONENT,
        wrong(
            "frozen sigma",
            "the diffusion keeps the noise of the start, $0.4 x_0$",
            limit="frozen",
        ),
        louder(1.1),
        # With gamma = 1 the two integrals differ by a drift of order eta, which no exponent up
        # to 1 can see.
        *((wrong_integral,) if gamma == 0 else ()),
        bounds=(I2,),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/multiplicative/bound",
        title="Multiplicative noise: the explicit bound",
        theorem=I2,
        prepare=_bound_case,
        pairs_with=(*PARTNERS, "ito_chains/paths/multiplicative"),
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/multiplicative/gronwall",
        title=I2_GRONWALL.title,
        theorem=I2_GRONWALL,
        prepare=_gronwall_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/multiplicative/exponents",
        title="Multiplicative noise: the exponents",
        theorem=I2_EXPONENT,
        prepare=grid(_exponent_case, scaling=SCALINGS),
        x_label=STEP,
    ),
)
