# SPDX-License-Identifier: Apache-2.0
"""Distances of all cases against the step, and the law of a chain turning into its diffusion's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from optzoo.problems import Atoms, GeometricBrownianMotion, weighted_sum_law
from optzoo.theorems.ito_chains import PAPER

from ...side_by_side import Curve, Outcome, Panel, SideBySide
from ...simulation.laboratory import Laboratory
from .settings import LinearChain

__all__ = ["SIDE_BY_SIDE"]

Array = NDArray[np.float64]

STEPS = np.array([2.0**-j for j in range(7, 2, -1)])
CHAINS: dict[str, dict[str, Any]] = {
    "Gaussian noise": {"noise": "gaussian", "start": 1.0},
    "coins": {"noise": "coin"},
    "walk of coins": {"noise": "coin", "rate": 0.0},
    "skewed coins": {"noise": "skewed coin"},
    "walk of skewed coins": {"noise": "skewed coin", "rate": 0.0},
    "drift error": {"noise": "gaussian", "drift_error": 1.0, "alpha": 0.25},
}


def _curve(label: str, distances: list[tuple[float, float]]) -> Curve:
    """The distances, with what their errors allow as a band; none where they are exact."""
    value, error = np.array(distances).T
    if not np.any(error):
        return Curve(label, STEPS, value)
    return Curve(label, STEPS, value, np.maximum(value - error, 0.0), value + error)


def _against_the_step(laboratory: Laboratory) -> Outcome:
    panels, notes = [], []
    for gamma, words in ((0.0, "Langevin scaling"), (1.0, "scaling of SGD")):
        curves = [
            _curve(
                label,
                [
                    LinearChain(**chain, gamma=gamma, eta=eta).distance_and_error()
                    for eta in STEPS.tolist()
                ],
            )
            for label, chain in CHAINS.items()
        ]
        panels.append(
            Panel(
                rf"{words}, $\gamma = {gamma:g}$", r"step $\eta$", r"$W_2(X_k, Z_T)$", tuple(curves)
            )
        )
        slopes = [
            f"{curve.label} {np.log(curve.mean[1] / curve.mean[0]) / np.log(2):.2f}"
            for curve in curves
        ]
        notes.append(rf"Slopes at the smallest steps, $\gamma = {gamma:g}$: {', '.join(slopes)}.")
    notes.append(
        r"The theorem allows $1/4$ and $3/4$ for Gaussian noise, $1/8$ and $5/8$ for any other, "
        r"and no more than $\alpha$ under a drift error, here $\eta^{1/4}$."
    )
    return Outcome(
        tuple(panels),
        tuple(notes),
        r"$b = -x$ or $0$, $s = 1$, $T = 1$; $x_0 = 1$ for Gaussian noise, else $0$; no sampling",
        seeds=0,
    )


VOLATILITY = 0.8
RAREST = 1e-3


def _binomial_tree(k: int) -> Atoms:
    """The law of X_k on b = 0, sigma(x) = s x with coins: exp of a walk with two rates."""
    kick = VOLATILITY / np.sqrt(k)
    walk = weighted_sum_law([np.log1p(-kick), np.log1p(kick)], [0.5, 0.5], np.ones(k)).law
    return Atoms(np.exp(walk.points), walk.weights)


def _stairs(law: Atoms) -> tuple[Array, Array, Array]:
    """P(X <= x) and P(X > x) with both ends of every stair."""
    below = np.append(0.0, np.cumsum(law.weights))
    above = np.append(np.cumsum(law.weights[::-1])[::-1], 0.0)
    x = np.repeat(law.points, 2)
    return x, np.repeat(below, 2)[1:-1], np.repeat(above, 2)[1:-1]


def _tail(label: str, x: Array, probability: Array) -> Curve:
    """Where the figure has something to tell: not the middle, nor what never occurs."""
    shown = (probability >= RAREST) & (probability <= 0.8)
    return Curve(label, x[shown], probability[shown])


def _morph(laboratory: Laboratory) -> Outcome:
    low, high = [], []
    for k in (4, 16, 64):
        x, below, above = _stairs(_binomial_tree(k))
        low.append(_tail(f"step 1/{k}", x, below))
        high.append(_tail(f"step 1/{k}", x, above))
    law = GeometricBrownianMotion(0.0, VOLATILITY, 1.0).law(1.0)
    x = np.geomspace(0.02, 50.0, 100)
    z = (np.log(x) - law.log_mean) / law.log_deviation
    low.append(_tail("diffusion", x, special.ndtr(z)))
    high.append(_tail("diffusion", x, special.ndtr(-z)))
    return Outcome(
        (
            Panel("From below", "$x$", r"$P(X_k \leq x)$", tuple(low)),
            Panel("From above", "$x$", r"$P(X_k > x)$", tuple(high)),
        ),
        (
            "With coins for noise the chain is a binomial tree: its law has $k + 1$ stairs, which "
            "become the log-normal law as the step falls.",
            "The chain's tails end: at most all coins fall on one side. W2 weighs them by their "
            "squared distance, and the step decides how far they reach.",
            rf"Probabilities below {RAREST:g} are left out.",
        ),
        rf"$b = 0$, $\sigma(x) = {VOLATILITY} x$, $x_0 = 1$, $T = 1$, coins; no sampling",
        seeds=0,
    )


SIDE_BY_SIDE: tuple[SideBySide, ...] = (
    SideBySide(
        id="ito_chains/compare/against-the-step",
        title="How close a chain is to its diffusion",
        paper=PAPER.citation,
        description=(
            r"W2 between $X_k$ and $Z_T$ at $T = k\eta = 1$ for noises, drifts and both scalings, "
            "computed and not sampled; the bands are what the grids of the laws allow."
        ),
        evaluate=_against_the_step,
    ),
    SideBySide(
        id="ito_chains/compare/morph",
        title="A chain turns into its diffusion",
        paper=PAPER.citation,
        description=(
            "The law of a chain with multiplicative noise, step by step, beside that of "
            "geometric Brownian motion."
        ),
        evaluate=_morph,
    ),
)
