"""Noise that depends on the state: geometric Brownian motion and its chain."""

from functools import partial

from optzoo.theorems.ito_chains import I2, I2_EXPONENT

from ...claim import Case, Claim, grid
from ...controls import controls, wrong
from .distances import CLOSEST, STEP, beside_bounds, louder, slopes
from .partners import PARTNERS
from .settings import SCALINGS, Family, GeometricChain

__all__ = ["CLAIMS"]

ETAS = (1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128)


def _bound_case() -> Case:
    members = tuple(
        GeometricChain(gamma=gamma, time=time, eta=eta)
        for gamma in (0.0, 1.0)
        for time in (0.25, 1.0)
        for eta in ETAS
    )
    family = Family(members[0].words, members, (I2,))
    what = "gamma = 0 and 1, T = 1/4 and 1, steps 1/8 ... 1/128"
    check = partial(beside_bounds, family, I2, what)
    return Case(
        family,
        check(),
        controls(
            check,
            louder(1.5),
            wrong("a tenth of it", "a false claim: the bound divided by 10", scale=0.1),
        ),
    )


def _exponent_case(scaling: str) -> Case:
    gamma = SCALINGS[scaling]
    members = tuple(GeometricChain(gamma=gamma, eta=eta) for eta in ETAS)
    family = Family(members[0].words, members, (I2,))
    check = partial(slopes, family, stated=family.exponent(I2_EXPONENT), bounds=(I2,))
    wrong_integral = wrong(
        "Stratonovich for Ito",
        "the same formula with Stratonovich's integral: the drift is off by $s^2 x/2$",
        limit="stratonovich",
    )
    return Case(
        family,
        check(),
        controls(
            check,
            wrong(
                "frozen sigma",
                "the diffusion keeps the noise of the start, $0.4 x_0$",
                limit="frozen",
            ),
            louder(1.1),
            # With gamma = 1 the two integrals differ by a drift of order eta, which no exponent
            # up to 1 can see.
            *((wrong_integral,) if gamma == 0 else ()),
        ),
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
        id="ito_chains/multiplicative/exponents",
        title="Multiplicative noise: the exponents",
        theorem=I2_EXPONENT,
        prepare=grid(_exponent_case, scaling=SCALINGS),
        x_label=STEP,
    ),
)
