"""Noise that depends on the state: geometric Brownian motion and its chain."""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Gaussian, GeometricBrownianMotion, Histogram, LogNormal, wasserstein

from ...checks import ExactInequality
from ...checks.exact_exponent import ExactExponent
from ...claim import Case, Claim, Control
from .bounds import i2
from .paper import PARTNERS, chosen, ito_claim

__all__ = ["CLAIMS", "GROWTH", "START", "VOLATILITY"]

Array = NDArray[np.float64]
GROWTH, VOLATILITY, START = 0.5, 0.4, 1.0
ETAS = (1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128)
LOGS = 4.0 * np.arange(-(2**13), 2**13) / 2**13

Limit = Literal["ito", "stratonovich", "frozen"]


@dataclass(frozen=True)
class GeometricChain:
    """X_{k+1} = X_k (1 + a eta + s eta^{(1+gamma)/2} xi_k).

    Beside dZ = a Z dt + eta^{gamma/2} s Z dW, with the module's a and x_0.

    Args:
        gamma: 0 or 1.
        time: T.
        s: volatility of the chain's diffusion.
        louder: the chain's noise has this many times the diffusion's deviation.
        limit: the diffusion, read with Ito's integral; with Stratonovich's; or with the noise that
            the start has, for ever.
    """

    gamma: float
    time: float = 1.0
    s: float = VOLATILITY
    louder: float = 1.0
    limit: Limit = "ito"

    def law(self, eta: float) -> Histogram:
        """The law of X_k: the logarithms of the factors are convolved.

        A factor below 0, eight deviations away, is neglected.
        """
        noise = self.louder * self.s * eta ** ((1 + self.gamma) / 2)
        masses = _log_power(1 + GROWTH * eta, noise, round(self.time / eta))
        h = LOGS[1] - LOGS[0]
        return Histogram(START * np.exp(np.append(LOGS - h / 2, LOGS[-1] + h / 2)), masses)

    def goal(self, eta: float, edges: Array) -> Histogram:
        """The law of Z_T on the cells."""
        s = self.s * eta ** (self.gamma / 2)
        if self.limit == "frozen":
            mean = START * np.exp(GROWTH * self.time)
            variance = (s * START) ** 2 * np.expm1(2 * GROWTH * self.time) / (2 * GROWTH)
            law: Gaussian | LogNormal = Gaussian(float(mean), float(np.sqrt(variance)))
        else:
            growth = GROWTH + (s**2 / 2 if self.limit == "stratonovich" else 0.0)
            law = GeometricBrownianMotion(growth, s, START).law(self.time)
        return law.histogram(edges)

    def distance(self, eta: float) -> float:
        """W2(X_k, Z_T)."""
        law = self.law(eta)
        return wasserstein(law, self.goal(eta, law.edges))

    def bound(self, eta: float) -> float:
        """I2: E X_k^2 grows, so that its largest value is the last."""
        kick = self.s**2 * eta ** (1 + self.gamma)
        square = START**2 * ((1 + GROWTH * eta) ** 2 + kick) ** round(self.time / eta)
        root = float(np.sqrt(square))
        return i2(
            eta,
            self.gamma,
            self.time,
            M=GROWTH,
            M_s=self.s,
            drift=GROWTH * root,
            sigma=self.s * root,
        )


@lru_cache(maxsize=64)
def _log_power(centre: float, noise: float, steps: int) -> Array:
    """Masses on LOGS of the sum of `steps` independent log N(centre, noise^2)."""
    h = LOGS[1] - LOGS[0]
    far = (np.exp(LOGS) - centre) / noise
    density = np.exp(LOGS - far**2 / 2) / (noise * np.sqrt(2 * np.pi))
    transform = np.fft.rfft(np.fft.ifftshift(density * h))
    masses = np.fft.fftshift(np.fft.irfft(transform**steps, len(LOGS)))
    return np.where(masses > 1e-16, masses, 0.0)


def _pairs(scale: float = 1.0, **changes: object) -> tuple[Array, Array]:
    pairs = []
    for gamma in (0.0, 1.0):
        for time in (0.25, 1.0):
            chain = replace(GeometricChain(gamma, time), **changes)  # type: ignore[arg-type]
            pairs += [(chain.distance(eta), scale * chain.bound(eta)) for eta in ETAS]
    measured, bound = np.array(pairs).T
    return measured / bound, bound / bound


def _bound_case() -> Case:
    what = "gamma = 0 and 1, T = 1/4 and 1, steps 1/8 ... 1/128"

    def check(scale: float = 1.0, **changes: object) -> ExactInequality:
        return ExactInequality(partial(_pairs, scale, **changes), 1e-9, what)

    return Case(
        problem="$b(x) = x/2$, $\\sigma(x) = 0.4 x$, $x_0 = 1$, Gaussian noise",
        constants=chosen(M=GROWTH, M_s=VOLATILITY),
        parameters={"eta": "1/8 ... 1/128", "gamma": "0, 1"},
        check=check(),
        controls=(
            Control(
                "wrong diffusion",
                "the chain's noise is 1.5 times the diffusion's",
                check(louder=1.5),
            ),
            Control("a tenth of it", "a false claim: the bound divided by 10", check(0.1)),
        ),
    )


def _distances(chain: GeometricChain) -> tuple[Array, Array, Array]:
    eta = np.array(ETAS)
    distance = np.array([chain.distance(step) for step in ETAS])
    return eta, distance, np.array([chain.bound(step) for step in ETAS])


def _exponent_case(gamma: float) -> Case:
    stated = (1 + gamma) / 2

    def check(**changes: object) -> ExactExponent:
        chain = replace(GeometricChain(gamma), **changes)  # type: ignore[arg-type]
        return ExactExponent(partial(_distances, chain), stated)

    wrong_integral = Control(
        "Stratonovich for Ito",
        "the same formula with Stratonovich's integral: the drift is off by $s^2 x/2$",
        check(limit="stratonovich"),
    )
    return Case(
        problem="$b(x) = x/2$, $\\sigma(x) = 0.4 x$, $x_0 = 1$, $T = 1$, Gaussian noise",
        constants=chosen(M=GROWTH, M_s=VOLATILITY, T=1.0),
        parameters={"eta": "1/8 ... 1/128", "gamma": gamma},
        check=check(),
        controls=(
            Control(
                "frozen sigma",
                "the diffusion keeps the noise of the start, $0.4 x_0$",
                check(limit="frozen"),
            ),
            Control(
                "wrong diffusion",
                "the chain's noise is 1.1 times the diffusion's",
                check(louder=1.1),
            ),
            # With gamma = 1 the two integrals differ by a drift of order eta, which no exponent
            # up to 1 can see.
            *((wrong_integral,) if gamma == 0 else ()),
        ),
    )


I2 = (
    r"$$W_2^2(X_k, Z_T) \le 8TL\big(\eta^2 \hat b^2 + \eta^{1+\gamma} \hat s^2\big) e^{4TL},\quad "
    r"L = T M^2 + \eta^\gamma M_s^2$$"
)


def _claim(gamma: float, name: str) -> Claim:
    return ito_claim(
        id=f"ito_chains/multiplicative/exponent-{name}",
        title=f"Multiplicative noise, exponent, gamma = {gamma:g}",
        source="main theorem for Gaussian noise; explicit form I2",
        theorem="I2",
        statement=I2 + rf", and the exponent is at least ${(1 + gamma) / 2:g}$",
        assumptions=("$X_0 = Z_0$", "Gaussian noise", r"$b$ and $\sigma$ are Lipschitz"),
        kind="scaling",
        metric="W_2(X_k, Z_T)",
        unit="iteration",
        output="law of the last iterate",
        x_label=r"step $\eta$",
        prepare=partial(_exponent_case, gamma),
        not_shown="That the exponent is attained: the example is linear and does better.",
    )


CLAIMS: tuple[Claim, ...] = (
    ito_claim(
        id="ito_chains/multiplicative/bound",
        title="Multiplicative noise: the explicit bound",
        source="main theorem for Gaussian noise; explicit form I2",
        theorem="I2",
        statement=I2,
        assumptions=("$X_0 = Z_0$", "Gaussian noise", r"$b$ and $\sigma$ are Lipschitz"),
        kind="one_step",
        metric="W_2(X_k, Z_T)",
        unit="iteration",
        output="law of the last iterate",
        x_label="case, the closest to the bound first",
        prepare=_bound_case,
        not_shown="Matrices: one dimension only.",
        pairs_with=(*PARTNERS, "ito_chains/paths/multiplicative"),
    ),
    _claim(0.0, "langevin"),
    _claim(1.0, "sgd"),
)
