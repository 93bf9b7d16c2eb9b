"""Noise that depends on the state: geometric Brownian motion and its chain."""

from optzoo.theorems.ito_chains import I2, I2_EXPONENT

from ...checks import CLOSEST
from ...claim import Case, Claim, grid
from ...controls import wrong
from ...family import Family, members
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
    return beside_bounds(
        Family(
            "$b(x) = x/2$, $\\sigma(x) = 0.4 x$, $x_0 = 1$, Gaussian noise; also without drift, "
            "and with $\\sigma(x) = x/20$",
            both + noise + drift,
            (I2,),
        ),
        I2,
        "gamma = 0 and 1, T = 1/4 and 1, steps 1/8 ... 1/128; the noise or the drift alone",
        louder(1.5),
    )


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
        id="ito_chains/multiplicative/exponents",
        title="Multiplicative noise: the exponents",
        theorem=I2_EXPONENT,
        prepare=grid(_exponent_case, scaling=SCALINGS),
        x_label=STEP,
    ),
)
