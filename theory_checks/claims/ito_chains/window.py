"""Noise of any law against Gaussian noise: the window coupling, its constant, and the lattice."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from optzoo.problems import Gaussian, wasserstein, weighted_sum_law

from ...checks import ExactIdentity, ExactInequality
from ...checks.exact_exponent import ExactExponent
from ...claim import Case, Claim, Control
from .bounds import CONSTANTS, i3, i3_closed_form, lattice_floor
from .laws import NOISES, LinearChain, Noise
from .paper import PARTNERS, chosen, ito_claim
from .shipped import STEPS, linear_laws

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- C_B: the central limit theorem in W2 ---

BLOCKS = (*range(1, 41), *(round(40 * 1.25**j) for j in range(1, 15)))


def _block_distance(noise: str, S: int) -> float:
    """S^(1/2) W2(S^(-1/2) sum_{i <= S} eps_i, N(0, 1))."""
    law = NOISES[noise]
    total = weighted_sum_law(law.atoms or (), law.weights or (), np.ones(S)).law
    return wasserstein(total, Gaussian(0.0, float(np.sqrt(S))))


def _constants(scale: float = 1.0, coin: float = CONSTANTS["coin"]) -> tuple[Array, Array]:
    bounds = CONSTANTS | {"coin": coin}
    pairs = [
        (_block_distance(noise, S), scale * bound)
        for noise, bound in bounds.items()
        for S in BLOCKS
    ]
    measured, bound = np.array(pairs).T
    return measured, bound


def _constants_case() -> Case:
    def check(**changes: float) -> ExactInequality:
        return ExactInequality(
            partial(_constants, **changes), 1e-6, f"S from 1 to {BLOCKS[-1]}, both coins"
        )

    return Case(
        problem="coins $\\pm 1$, and coins of probability 0.1, standardized",
        constants=chosen(**{name.replace(" ", "_"): value for name, value in CONSTANTS.items()}),
        parameters={"S": f"1 to {BLOCKS[-1]}"},
        check=check(),
        controls=(
            Control(
                "the limit as constant",
                r"a false claim: $C_B = 1/\sqrt 3$ for coins, the limit in place of the supremum",
                check(coin=1 / np.sqrt(3)),
            ),
            Control("a percent less", "a false claim: both constants 1% lower", check(scale=0.99)),
        ),
    )


def _edgeworth(span: float = 1.0, skewness: float = 1.0) -> tuple[Array, Array]:
    """S W2^2 at a large S beside h^2 / 12 + kappa_3^2 / 18."""
    S, pairs = 20_000, []
    for noise, law in NOISES.items():
        low, high = law.atoms or (0.0, 0.0)
        limit = (span * (high - low)) ** 2 / 12 + (skewness * (law.skewness or 0.0)) ** 2 / 18
        pairs.append((_block_distance(noise, S) ** 2, limit))
    measured, exact = np.array(pairs).T
    return measured, exact


def _edgeworth_case() -> Case:
    what = "S = 20000, to a thousandth"
    return Case(
        problem="coins $\\pm 1$, and coins of probability 0.1, standardized",
        constants={},
        parameters={"S": 20_000},
        check=ExactIdentity(_edgeworth, 1e-3, what),
        controls=(
            Control(
                "no skewness",
                r"a false claim: $h^2/12$ alone",
                ExactIdentity(partial(_edgeworth, skewness=0.0), 1e-3, what),
            ),
            Control(
                "no lattice",
                r"a false claim: $\kappa_3^2/18$ alone",
                ExactIdentity(partial(_edgeworth, span=0.0), 1e-3, what),
            ),
        ),
    )


# --- I3 ---

Bound = Callable[..., float]
ETAS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)


def _window(
    bound: Bound = i3, rates: tuple[float, ...] = (0.0, 1e-3, 1.0, -1.0)
) -> tuple[Array, Array]:
    pairs = []
    for noise, C_B in CONSTANTS.items():
        for gamma in (0.0, 1.0):
            for rate in rates:
                chain = LinearChain(_named(noise), gamma, rate=rate)
                for eta in ETAS:
                    k = chain.steps(eta)
                    limit = bound(eta, gamma, k, M=abs(rate), s=1.0, C_B=C_B)
                    pairs.append((chain.distance_to_gaussian_noise(eta), limit))
    measured, limits = np.array(pairs).T
    return measured, limits


def _named(noise: str) -> Noise:
    return "coin" if noise == "coin" else "skewed coin"


def _optimized_everywhere(
    eta: float, gamma: float, steps: int, *, M: float, s: float, C_B: float
) -> float:
    bound = i3 if M == 0 else i3_closed_form  # without drift it is stated with S = k
    return bound(eta, gamma, steps, M=M, s=s, C_B=C_B)


def _halved(eta: float, gamma: float, steps: int, *, M: float, s: float, C_B: float) -> float:
    return 0.5 * i3(eta, gamma, steps, M=M, s=s, C_B=C_B)


def _one_window(eta: float, gamma: float, steps: int, *, M: float, s: float, C_B: float) -> float:
    """The first term alone at S = k, as if nothing happened inside a window."""
    del steps, M
    return s * C_B * eta ** ((1 + gamma) / 2)


def _window_case() -> Case:
    what = "two noises, gamma = 0 and 1, four drifts, five steps"

    def check(bound: Bound = i3) -> ExactInequality:
        return ExactInequality(partial(_window, bound), 1e-9, what)

    return Case(
        problem=r"$b = -ax$ with $a = 0, 0.001, 1, -1$; coins and skewed coins; $T = 1$",
        constants=chosen(s=1.0, T=1.0),
        parameters={"eta": "1/2 ... 1/32", "S": "best divisor of k", "gamma": "0, 1"},
        check=check(),
        controls=(
            Control(
                "the optimized closed form",
                "the closed form at the best real S, also where that S exceeds k: at $M = 0.001$, "
                r"$\eta = 1/16$ it says 0.036 where W2 is 0.145",
                check(_optimized_everywhere),
            ),
            Control("half of it", "a false claim: half of the bound", check(_halved)),
            Control(
                "one window",
                "a false claim: $C_B s \\eta^{(1+\\gamma)/2}$ whatever the drift",
                check(_one_window),
            ),
            Control(
                "null",
                "the bound doubled",
                check(lambda *place, **rest: 2 * i3(*place, **rest)),
                expected="NOT_REFUTED",
            ),
        ),
    )


# --- I4: the walk on a lattice ---

WALK = LinearChain("coin", 0.0, rate=0.0)
WALKS = tuple(range(1, 11)) + tuple(round(10 * 1.4**j) for j in range(1, 14))


def _lattice(floor: float = 1.0, noise: Noise = "coin") -> tuple[Array, Array]:
    """The floor beside W2 of walks of k steps to T = 1; short ones by the shipped chain."""
    pairs = []
    for gamma in (0.0, 1.0):
        chain = replace(WALK, gamma=gamma, noise=noise)
        for k in WALKS:
            distance = max(chain.distance(1 / k), 1e-12)
            if noise == "coin" and k == STEPS:
                shipped = linear_laws(NOISES["coin"], start=0.0, step=1 / k, gamma=gamma)[0.0]
                distance = wasserstein(shipped, chain.diffusion(1 / k).law(1.0))
            pairs.append((floor * lattice_floor(1 / k, gamma, 1.0), distance))
    measured, bound = np.array(pairs).T
    # In units of the floor: the cases with large steps would hide the others.
    return measured / measured, bound / measured


def _lattice_case() -> Case:
    what = f"k from 1 to {WALKS[-1]}, gamma = 0 and 1; k = 8 on the shipped chain"

    def check(floor: float = 1.0, noise: Noise = "coin") -> ExactInequality:
        return ExactInequality(partial(_lattice, floor, noise), 1e-9, what)

    return Case(
        problem="$b = 0$, $\\sigma = 1$, coins $\\pm 1$, $T = 1$",
        constants=chosen(s=1.0, T=1.0),
        parameters={"eta": "1/k", "gamma": "0, 1"},
        check=check(),
        controls=(
            Control("a percent more", "a false claim: 1% above the limit", check(1.01)),
            Control(
                "Gaussian noise",
                "no lattice: the walk has the law of its diffusion",
                check(1.0, "gaussian"),
            ),
        ),
    )


LATTICE_ETAS = np.array([2.0**-j for j in range(3, 9)])


def _walk_distances(chain: LinearChain) -> tuple[Array, Array, None]:
    return LATTICE_ETAS, np.array([chain.distance(eta) for eta in LATTICE_ETAS]), None


def _walk_exponent_case(gamma: float) -> Case:
    def check(stated: float, **changes: object) -> ExactExponent:
        chain = replace(WALK, gamma=gamma, **changes)  # type: ignore[arg-type]
        return ExactExponent(partial(_walk_distances, chain), stated, "exactly")

    right, theorem = (1 + gamma) / 2, (2 * gamma + 1) / 4
    return Case(
        problem="$b = 0$, $\\sigma = 1$, coins $\\pm 1$, $T = 1$",
        constants=chosen(s=1.0, T=1.0),
        parameters={"eta": "1/8 ... 1/256", "gamma": gamma},
        check=check(right),
        controls=(
            Control(
                "the theorem's exponent as exact",
                f"a false claim: exponent {theorem:g}, which the theorem has as a bound",
                check(theorem),
            ),
            Control(
                "wrong diffusion",
                "the chain's noise is 1.1 times the diffusion's",
                check(right, louder=1.1),
            ),
            Control(
                "correlated noise", "a moving average of two coins", check(right, correlated=True)
            ),
        ),
    )


def _walk_claim(gamma: float, name: str) -> Claim:
    return ito_claim(
        id=f"ito_chains/lattice/exponent-{name}",
        title=f"The exponent that coins cannot beat, gamma = {gamma:g}",
        source="main theorem, its exponent for noise of any law; explicit form I4",
        theorem="I4",
        statement=(
            r"$$W_2(X_k, Z_T) \sim \frac{s}{\sqrt 3}\, \eta^{(1+\gamma)/2}$$ at fixed "
            r"$T = k\eta$, the theorem allows $\eta^{(2\gamma+1)/4}$"
        ),
        assumptions=("$b = 0$, coins for noise",),
        kind="scaling",
        metric="W_2(X_k, Z_T)",
        unit="iteration",
        output="law of the last iterate",
        x_label=r"step $\eta$",
        prepare=partial(_walk_exponent_case, gamma),
        not_shown="That other noise is as bad: without lattice and skewness it is better.",
    )


CLAIMS: tuple[Claim, ...] = (
    ito_claim(
        id="ito_chains/window/constants",
        title="The constant of the central limit theorem in W2",
        source="lemma on windows of noise; explicit constant of I3",
        theorem="I3",
        statement=(
            r"$$W_2\Big(S^{-1/2} \sum_{i \le S} \varepsilon_i,\, N(0,1)\Big) \le C_B S^{-1/2}$$ "
            "with $C_B = 0.6363$ for coins and 1.289 for coins of probability 0.1"
        ),
        assumptions=("independent noise",),
        kind="one_step",
        metric=r"S^{1/2} W_2",
        unit="draws of noise",
        output="sum of a window",
        x_label="case, the closest to the bound first",
        prepare=_constants_case,
        not_shown="Windows longer than those computed; the limit of the next claim holds there.",
    ),
    ito_claim(
        id="ito_chains/window/edgeworth",
        title="What is left of a law after many steps: its lattice and its skewness",
        source="lemma on windows of noise; asymptotic form of its constant",
        theorem="I3",
        statement=r"$$S\, W_2^2 \to \frac{h^2}{12} + \frac{\kappa_3^2}{18}$$ for noise of lattice "
        r"span $h$ and skewness $\kappa_3$",
        assumptions=("independent noise on a lattice",),
        kind="identity",
        metric="S W_2^2",
        unit="draws of noise",
        output="sum of a window",
        x_label="noise",
        prepare=_edgeworth_case,
        not_shown="A proof: two laws at one large S.",
    ),
    ito_claim(
        id="ito_chains/window/bound",
        title="Noise of any law against Gaussian noise",
        source="main theorem, window coupling; explicit form I3",
        theorem="I3",
        statement=(
            r"$$W_2(X_k, Y_k) \le \min_{S | k}\; e^{MT} C_B s T^{1/2} \eta^{\gamma/2} S^{-1/2} + "
            r"2(e^{MT}-1)\, s\, \eta^{(1+\gamma)/2} S^{1/2}$$ "
            "with $Y$ the chain with Gaussian noise"
        ),
        assumptions=("$X_0 = Y_0$", "noise independent of it", "$b$ is $M$-Lipschitz"),
        kind="one_step",
        metric="W_2(X_k, Y_k)",
        unit="iteration",
        output="law of the last iterate",
        x_label="case, the closest to the bound first",
        prepare=_window_case,
        not_shown=(
            "That the bound is close where there is drift: it is nearly attained without, and "
            "hundreds of times too large with a contraction."
        ),
        pairs_with=PARTNERS,
    ),
    ito_claim(
        id="ito_chains/lattice/floor",
        title="A walk on a lattice never comes closer",
        source="explicit form I4",
        theorem="I4",
        statement=r"$$W_2(X_k, Z_T) \ge \frac{s}{\sqrt 3}\, \eta^{(1+\gamma)/2}$$ at every $k$",
        assumptions=("$b = 0$, coins for noise",),
        kind="one_step",
        metric=r"s \eta^{(1+\gamma)/2} / \sqrt 3",
        unit="iteration",
        output="law of the last iterate",
        x_label="case, the closest to the bound first",
        prepare=_lattice_case,
        not_shown="Every k: those up to 10 and a sample of larger ones.",
    ),
    _walk_claim(0.0, "langevin"),
    _walk_claim(1.0, "sgd"),
)
