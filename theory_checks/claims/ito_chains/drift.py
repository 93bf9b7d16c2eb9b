"""A drift with an error of order eta^alpha: no chain forgets it."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...checks import ExactInequality
from ...checks.exact_exponent import ExactExponent
from ...claim import Case, Claim, Control
from .bounds import drift_shift
from .laws import LinearChain
from .paper import chosen, ito_claim

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

FINE = np.array([2.0**-j for j in range(3, 15)])


def _floor_pairs(start_counts: bool = True, scale: float = 1.0) -> tuple[Array, Array]:
    pairs = []
    for gamma in (0.0, 1.0):
        for alpha in (0.25, 0.5, 1.0):
            for delta, start in ((1.0, 0.0), (-1.0, 0.0), (0.3, 1.0), (-0.3, 1.0), (0.3, -1.0)):
                for eta in (1 / 4, 1 / 8, 1 / 16):
                    chain = LinearChain(
                        "skewed coin", gamma, s=0.05, start=start, drift_error=delta, alpha=alpha
                    )
                    k = chain.steps(eta)
                    moved = drift_shift(eta, alpha, k, a=1.0, delta=delta)
                    if start_counts:
                        moved += start * ((1 - eta) ** k - np.exp(-1.0))
                    pairs.append((scale * abs(moved), chain.distance(eta)))
    measured, bound = np.array(pairs).T
    return measured / bound, bound / bound


def _floor_case() -> Case:
    what = "five errors and starts, three alphas, gamma = 0 and 1, all paths of three steps"

    def check(start_counts: bool = True, scale: float = 1.0) -> ExactInequality:
        return ExactInequality(partial(_floor_pairs, start_counts, scale), 1e-9, what)

    return Case(
        problem="$b = -x$, skewed coins of size $s = 0.05$, $T = 1$",
        constants=chosen(a=1.0, s=0.05, T=1.0),
        parameters={"eta": "1/4, 1/8, 1/16", "alpha": "1/4, 1/2, 1", "gamma": "0, 1"},
        check=check(),
        controls=(
            Control(
                "the start forgotten",
                "the shift alone, although the mean error of the start may cancel it",
                check(start_counts=False),
            ),
            Control("a tenth more", "a false claim: 1.1 times the floor", check(scale=1.1)),
        ),
    )


def _distances(chain: LinearChain) -> tuple[Array, Array, None]:
    return FINE, np.array([chain.distance(eta) for eta in FINE]), None


def _alpha_case(alpha: float) -> Case:
    def check(stated: float, delta: float = 1.0) -> ExactExponent:
        chain = LinearChain("gaussian", 1.0, start=1.0, drift_error=delta, alpha=alpha)
        return ExactExponent(partial(_distances, chain), stated, "exactly")

    return Case(
        problem=r"$b = -x$, $s = 1$, $x_0 = 1$, $\delta = 1$, $T = 1$",
        constants=chosen(a=1.0, s=1.0, T=1.0),
        parameters={"eta": "1/8 ... 1/16384", "alpha": alpha, "gamma": 1},
        check=check(alpha),
        controls=(
            Control("the theorem without drift error", "a false claim: exponent 1", check(1.0)),
            Control("no error", "an exact drift: the exponent is 1", check(alpha, 0.0)),
        ),
    )


def _alpha_claim(alpha: float, name: str) -> Claim:
    return ito_claim(
        id=f"ito_chains/drift/exponent-{name}",
        title=f"The exponent saturates at alpha = {alpha:g}",
        source=r"main theorem, its $\min\{\alpha, \cdot\}$; explicit form I5",
        theorem="I5",
        statement=r"$$W_2(X_k, Z_T) \sim \eta^\alpha$$ for a drift error $\eta^\alpha \delta$ "
        r"with $\alpha$ below the other exponents",
        assumptions=("$b = -ax$, $d = 1$", "Gaussian noise", "a constant error"),
        kind="scaling",
        metric="W_2(X_k, Z_T)",
        unit="iteration",
        output="law of the last iterate",
        x_label=r"step $\eta$",
        prepare=partial(_alpha_case, alpha),
        not_shown="An exponent at large steps: it is an asymptotic one.",
    )


CLAIMS: tuple[Claim, ...] = (
    ito_claim(
        id="ito_chains/drift/floor",
        title="A drift error is seen whatever the noise",
        source="explicit form I5, with the start",
        theorem="I5",
        statement=(
            r"$$W_2(X_k, Z_T) \ge \Big| \eta^\alpha \delta \frac{1-(1-a\eta)^k}{a} + "
            r"x_0 \big((1-a\eta)^k - e^{-aT}\big) \Big|$$"
        ),
        assumptions=("$b = -ax$, $d = 1$", "a constant error", "$x_0$ not random"),
        kind="one_step",
        metric=r"\text{distance of the means}",
        unit="iteration",
        output="law of the last iterate",
        x_label="case, the closest to the bound first",
        prepare=_floor_case,
        not_shown="Errors that depend on the state and may average out.",
    ),
    _alpha_claim(0.25, "quarter"),
    _alpha_claim(0.5, "half"),
)
