# SPDX-License-Identifier: Apache-2.0
"""The paper's exponents, case by case: slopes at least theirs, and values below explicit bounds."""

from typing import Any

from optzoo.theorems.ito_chains import I1, I3, MAIN

from ...claim import Case, Claim, grid
from ...controls import wrong
from ...family import Family
from .distances import CORRELATED, STEP, louder, slopes
from .partners import PARTNERS
from .settings import LinearChain, halved

__all__ = ["CLAIMS"]

CHAINS: dict[str, dict[str, Any]] = {
    "sgld": {"noise": "gaussian", "gamma": 0.0, "s": 2**0.5},
    "langevin-any-noise": {"noise": "skewed coin", "gamma": 0.0, "s": 2**0.5},
    "sgd-gaussian": {"noise": "gaussian", "gamma": 1.0},
    "sgd-any-noise": {"noise": "skewed coin", "gamma": 1.0},
}
"""The four cases of the main theorem on b = -x with T = 1."""


def _case(chain: str) -> Case:
    gaussian = CHAINS[chain]["noise"] == "gaussian"
    bounds = (I1,) if gaussian else (I1, I3)
    members = halved(LinearChain, last=10 if gaussian else 7, start=1.0, **CHAINS[chain])
    family = Family(members[0].words, members, (MAIN, *bounds))
    alpha = round(family.exponent(MAIN) / 2, 4)
    return slopes(
        family,
        MAIN,
        # What skewed coins lack themselves hides a smaller mistake at the steps computed.
        louder(1.1 if gaussian else 1.3),
        wrong("covariance", r"$E\varepsilon\varepsilon^\top = 2.25 I$", louder=1.5),
        CORRELATED,
        wrong(
            "infinite variance",
            "Cauchy noise; the middle 98% of its quantiles alone",
            noise="cauchy",
        ),
        wrong(
            "drift error", rf"gradients off by $5\eta^{{{alpha}}}$", drift_error=5.0, alpha=alpha
        ),
        bounds=bounds,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/exponents",
        title="The paper's exponents, case by case",
        theorem=MAIN,
        prepare=grid(_case, chain=CHAINS),
        pairs_with=PARTNERS,
        x_label=STEP,
    ),
)
