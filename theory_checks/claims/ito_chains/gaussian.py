# SPDX-License-Identifier: Apache-2.0
"""Gaussian noise: exact distances, the bound of the synchronous coupling, several dimensions."""

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo import rademacher_noise
from optzoo.problems import Constant, LinearDiffusion, bures
from optzoo.theorems.ito_chains import (
    I1,
    I1_ALL_TIMES,
    I1_EXPONENT,
    I1_STEP,
    I6,
    I6_EXPONENT,
    I6_GROWTH,
)

from ...checks import CLOSEST, ExactIdentity
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, mutant, wrong
from ...family import Family, members
from ...setting import Stated, chosen
from . import mutants
from .distances import CORRELATED, STEP, beside_bounds, louder, slopes
from .partners import PARTNERS
from .settings import SCALINGS, DoubleWellChain, LinearChain, PosteriorChain, halved
from .shipped import STEPS, Method, shipped_law

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]


# --- I6: the exact distance of linear chains ---


def _moments(
    family: Family[LinearChain], method: Method = optzoo.ito_chain, **changes: float
) -> Sides:
    """W2 of the Gaussian laws with the two moments of the shipped chain and of dZ, beside I6."""
    measured = []
    for chain in family.members:
        law = shipped_law(chain, noise=rademacher_noise(), method=method)
        noise = np.full((1, 1), chain.eta ** (chain.gamma / 2))
        goal = LinearDiffusion(np.eye(1), np.zeros(1), noise, np.array([chain.start]))
        mean, covariance = np.array([law.mean]), np.array([[law.variance]])
        measured.append(bures(mean, covariance, *goal.law(chain.time)))
    return measured, lambda: family.bounds(I6, **changes)


def _exact_case() -> Case:
    chains = tuple(
        LinearChain(gamma=gamma, eta=eta, start=start, time=STEPS * eta)
        for gamma, eta, start in (
            (0.0, 1 / 8, 0.0),
            (0.0, 1 / 8, 1.0),
            (1.0, 1 / 8, 1.0),
            (0.5, 1 / 4, -2.0),
        )
    )
    family = Family("$b = -x$, $s = 1$, 8 steps, $x_0 = 0$, $1$, $-2$", chains, (I6,))
    return exact_case(
        family,
        _moments,
        ExactIdentity,
        mutant(mutants.unstandardized),
        mutant(mutants.doubled_exponent),
        mutant(mutants.correlated_noise),
        wrong("means forgotten", "a false claim: the deviations alone, whatever $x_0$", x_0=0.0),
        tolerance=1e-10,
        what="mean and variance of the shipped chain over all paths; dZ by a matrix exponential",
    )


def _exponent_case(part: str, scaling: str) -> Case:
    start = {"mean": 1.0, "deviation": 0.0}[part]
    chains = halved(LinearChain, last=12, gamma=SCALINGS[scaling], start=start)
    family = Family(f"$b = -x$, $s = 1$, $T = 1$, $x_0 = {start:g}$", chains, (I6_EXPONENT,))
    less = family.exponent(I6_EXPONENT) - 0.5
    return slopes(
        family,
        I6_EXPONENT,
        wrong("half a power less", f"a false claim: exponent {less:g}", stated=less),
        louder(1.1),
        CORRELATED,
        relation="exactly",
    )


TIMES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def _growth_case() -> Case:
    growing = {"rate": (-1.0,), "s": (0.1,), "start": (1.0,)}
    chains = members(LinearChain, gamma=(0.0, 1.0), eta=(1 / 4, 1 / 32), time=TIMES[:-1], **growing)
    return beside_bounds(
        Family("$b = x$, $s = 0.1$, $x_0 = 1$", chains, (I6_GROWTH,)),
        I6_GROWTH,
        "T from 1/2 to 20, two steps, gamma = 0 and 1",
        wrong("contraction", "$b = -x$: the distance stays bounded", rate=1.0),
        wrong("no drift", "$b = -10^{-9} x$: the laws of both nearly agree", rate=1e-9),
    )


# --- I1: the bound ---


def _bound_case() -> Case:
    chains = tuple(
        LinearChain(gamma=gamma, eta=eta, rate=rate, s=s, start=start, time=time)
        for gamma in (0.0, 1.0)
        for rate, s, start, time in (
            (1.0, 1.0, 1.0, 1.0),
            (1.0, 1.0, 0.0, 1.0),
            (-1.0, 1.0, 1.0, 2.0),
            (1.0, 0.01, 1.0, 0.25),
            (-1.0, 0.01, 1.0, 0.25),
            (1.0, 10.0, 0.1, 0.25),
        )
        for eta in (1 / 4, 1 / 16, 1 / 64, 1 / 256)
    )
    # The units of time and of space are free, which tells powers apart.
    chains += tuple(
        LinearChain(gamma=gamma, eta=time / 16, rate=-1 / time, s=s, start=start, time=time)
        for gamma in (0.0, 1.0)
        for time in (0.01, 100.0)
        for s, start in ((0.0, 0.01), (0.0, 100.0))
    )
    text = "$b = -ax$, $a = \\pm 1$, $s$ from 0.01 to 10, $T$ from 1/4 to 2"
    drift_error = {"drift_error": 1.0, "alpha": 0.1}
    return beside_bounds(
        Family(text, chains, (I1,)),
        I1,
        "six linear drifts and starts, gamma = 0 and 1, steps 1/4 ... 1/256",
        louder(1.5),
        CORRELATED,
        wrong("drift error", r"gradients off by $\eta^{1/10}$", **drift_error),
    )


# --- I1: its local error ---

SMALL = 0.01  # M eta


def _coupled(eta: float, gamma: float, d: int, sizes: tuple[float, float]) -> Stated:
    """One step on b(x) = Mx with M eta = SMALL, from |x_0| with noise of size s."""
    (s, start), M, grown = sizes, SMALL / eta, np.expm1(2 * SMALL)
    late = np.hypot(start * np.exp(SMALL), s * np.sqrt(d * eta**gamma * grown / (2 * M)))
    return Stated(
        f"$b(x) = Mx$, $M\\eta = {SMALL}$",
        {
            **chosen(eta=eta, gamma=gamma, T=eta, M=M, s=s, d=d),
            "b_bar": Constant(float(M * late), "exact", derivation=r"at $\eta$"),
        },
        {"start": start},
    )


def _apart(step: Stated, *, louder: float = 1.0) -> float:
    """The root of E|X_1 - Z_eta|^2 under one Brownian motion, in closed form."""
    eta, M, s, d, gamma = (step.known[name].value for name in ("eta", "M", "s", "d", "gamma"))
    mean = float(step.parameters["start"]) * (np.expm1(M * eta) - M * eta)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    kernel = np.exp(M * eta * (nodes + 1) / 2) - louder
    return float(np.hypot(mean, s * np.sqrt(d * eta ** (1 + gamma) / 2 * (weights @ kernel**2))))


def _all_apart(family: Family[Stated], **mistakes: float) -> Array:
    return np.array([_apart(step, **mistakes) for step in family.members])


def _step_case() -> Case:
    steps = members(
        _coupled,
        eta=(0.01, 1.0, 100.0),
        gamma=(0.0, 0.5, 1.0),
        d=(1, 100),
        sizes=((0.0, 0.01), (0.0, 100.0), (0.01, 0.0), (100.0, 0.0)),
    )
    return beside_bounds(
        Family(steps[0].words, steps, (I1_STEP,)),
        I1_STEP,
        "three steps, gamma = 0, 1/2 and 1, d = 1 and 100, the drift or the noise alone",
        louder(1.1),
        measured=_all_apart,
    )


def _posterior_case() -> Case:
    steps = (1 / 4, 1 / 16, 1 / 64, 1 / 1024)
    chains = members(PosteriorChain, time=(0.25, 1.0, 2.0), eta=steps)
    return beside_bounds(
        Family(chains[0].words, chains, (I1,)),
        I1,
        "Bures distances at three times, steps 1/4 ... 1/1024",
        louder(1.1),
    )


def _double_well_case() -> Case:
    chains = members(DoubleWellChain, eta=(1 / 4, 1 / 8, 1 / 16, 1 / 32))
    return slopes(
        Family(chains[0].words, chains, (I1,)),
        I1_EXPONENT,
        louder(1.1),
        wrong("uphill", "the chain's drift has the wrong sign", uphill=True),
        bounds=(I1,),
    )


def _all_times_case() -> Case:
    chains = tuple(
        LinearChain(gamma=gamma, eta=eta, s=s, start=start, time=time)
        for gamma in (0.0, 1.0)
        for s, start in ((1.0, 1.0), (1.0, 0.0), (0.01, 1.0))
        for eta in (1 / 4, 1 / 32)
        for time in TIMES
    )
    text = "$b = -x$, $s = 0.01$ and $1$, $x_0 = 0$ and $1$, $T$ from 1/2 to 50"
    return beside_bounds(
        Family(text, chains, (I1_ALL_TIMES,)),
        I1_ALL_TIMES,
        "T from 1/2 to 50, two steps, three starts, gamma = 0 and 1",
        wrong("expanding", "the same bound for $b = x/10$", rate=-0.1),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="ito_chains/gaussian/exact",
        title="The exact distance of a linear chain",
        theorem=I6,
        prepare=_exact_case,
        x_label="case",
    ),
    Claim(
        id="ito_chains/gaussian/exponents",
        title="The exact exponents of mean and deviation",
        theorem=I6_EXPONENT,
        prepare=grid(_exponent_case, part=("mean", "deviation"), scaling=SCALINGS),
        x_label=STEP,
    ),
    Claim(
        id="ito_chains/gaussian/one-step",
        title=I1_STEP.title,
        theorem=I1_STEP,
        prepare=_step_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/gaussian/bound",
        title="Gaussian noise: the bound of the synchronous coupling",
        theorem=I1,
        prepare=_bound_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/gaussian/posterior",
        title="Langevin dynamics of a posterior in three dimensions",
        theorem=I1,
        prepare=_posterior_case,
        pairs_with=PARTNERS,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/gaussian/double-well",
        title="A double well, where no law has a closed form",
        theorem=I1_EXPONENT,
        prepare=_double_well_case,
        not_shown=(
            "Distances below 1e-3: the cells resolve no more. The supremum of the drift is taken "
            "at nine times, with a tenth in reserve."
        ),
        x_label=STEP,
    ),
    Claim(
        id="ito_chains/gaussian/uniform-in-time",
        title="Under contraction the distance is bounded at all times",
        theorem=I1_ALL_TIMES,
        prepare=_all_times_case,
        x_label=CLOSEST,
    ),
    Claim(
        id="ito_chains/gaussian/growth",
        title="Without contraction it grows like the exponential",
        theorem=I6_GROWTH,
        prepare=_growth_case,
        x_label=CLOSEST,
    ),
)
