"""Gaussian noise: exact distances, the bound of the synchronous coupling, several dimensions."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo import rademacher_noise
from optzoo.problems import (
    DoubleWell,
    Histogram,
    LinearDiffusion,
    OrnsteinUhlenbeck,
    bures,
    gaussian_chain_law,
    gaussian_posterior,
    wasserstein,
)

from ...checks import ExactIdentity, ExactInequality
from ...checks.exact_exponent import ExactExponent
from ...claim import Case, Claim, Control
from . import mutants
from .bounds import i1, uniform_in_time
from .laws import LinearChain
from .paper import PARTNERS, chosen, ito_claim
from .shipped import STEPS, Method, linear_laws

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# --- I6: the exact distance of linear chains ---


def _i6(chain: LinearChain, eta: float, variance_only: bool = False) -> float:
    """I6 as it is printed."""
    a, s, gamma, k = chain.rate, chain.s, chain.gamma, chain.steps(eta)
    c, T = 1 - a * eta, chain.time
    mean = chain.start * (c**k - np.exp(-a * T))
    sd_x = np.sqrt(eta ** (1 + gamma) * s**2 * (1 - c ** (2 * k)) / (1 - c**2))
    sd_z = np.sqrt(eta**gamma * s**2 * -np.expm1(-2 * a * T) / (2 * a))
    return float(np.hypot(0.0 if variance_only else mean, sd_x - sd_z))


def _moments(method: Method = optzoo.ito_chain, variance_only: bool = False) -> tuple[Array, Array]:
    """W2 of the Gaussian laws with the two moments of the shipped chain and of dZ, beside I6."""
    coin, pairs = rademacher_noise(), []
    for gamma, eta, start in (
        (0.0, 1 / 8, 0.0),
        (0.0, 1 / 8, 1.0),
        (1.0, 1 / 8, 1.0),
        (0.5, 1 / 4, -2.0),
    ):
        law = linear_laws(coin, start=start, step=eta, gamma=gamma, method=method)[1.0]
        chain = LinearChain("gaussian", gamma, start=start, time=STEPS * eta)
        goal = LinearDiffusion(
            np.eye(1), np.zeros(1), np.full((1, 1), eta ** (gamma / 2)), np.array([start])
        ).law(chain.time)
        measured = bures(np.array([law.mean]), np.array([[law.variance]]), *goal)
        pairs.append((measured, _i6(chain, eta, variance_only)))
    left, right = np.array(pairs).T
    return left, right


def _i6_case() -> Case:
    what = "mean and variance of the shipped chain over all paths; dZ by a matrix exponential"

    def check(method: Method = optzoo.ito_chain, variance_only: bool = False) -> ExactIdentity:
        return ExactIdentity(partial(_moments, method, variance_only), 1e-10, what)

    return Case(
        problem="$b = -x$, $s = 1$, 8 steps, $x_0 = 0$, $1$, $-2$",
        constants=chosen(a=1.0, s=1.0),
        parameters={"eta": "1/8, 1/4", "gamma": "0, 1/2, 1"},
        check=check(),
        controls=(
            Control(
                "unstandardized", r"$E\varepsilon^2 = 1.21$", check(mutants.unstandardized_noise)
            ),
            Control(
                "doubled exponent",
                r"$\eta^{1/2+\gamma}$ in place of $\eta^{(1+\gamma)/2}$",
                check(mutants.doubled_noise_exponent),
            ),
            Control(
                "correlated noise",
                "a moving average of two draws",
                check(mutants.moving_average_noise),
            ),
            Control(
                "means forgotten",
                "a false claim: the deviations alone, whatever $x_0$",
                check(variance_only=True),
            ),
        ),
    )


FINE = np.array([2.0**-j for j in range(3, 13)])


def _distances(chain: LinearChain) -> tuple[Array, Array, None]:
    return FINE, np.array([chain.distance(eta) for eta in FINE]), None


def _i6_exponent_case(chain: LinearChain, stated: float) -> Case:
    def check(exponent: float = stated, **changes: object) -> ExactExponent:
        varied = replace(chain, **changes)  # type: ignore[arg-type]
        return ExactExponent(partial(_distances, varied), exponent, "exactly")

    return Case(
        problem=f"$b = -x$, $s = 1$, $T = 1$, $x_0 = {chain.start:g}$",
        constants=chosen(a=1.0, s=1.0, T=1.0),
        parameters={"eta": "1/8 ... 1/4096", "gamma": chain.gamma},
        check=check(),
        controls=(
            Control(
                "half a power less",
                f"a false claim: exponent {stated - 0.5:g}",
                check(stated - 0.5),
            ),
            Control(
                "wrong diffusion",
                "the chain's noise is 1.1 times the diffusion's",
                check(louder=1.1),
            ),
            Control("correlated noise", "a moving average of two draws", check(correlated=True)),
        ),
    )


# --- I1: the bound ---

I1_ETAS = (1 / 4, 1 / 16, 1 / 64, 1 / 256)


def _i1_pairs(scale: float = 1.0, noise: float = 1.0, **changes: object) -> tuple[Array, Array]:
    pairs = []
    for gamma in (0.0, 1.0):
        for rate, s, start, time in (
            (1.0, 1.0, 1.0, 1.0),
            (1.0, 1.0, 0.0, 1.0),
            (-1.0, 1.0, 1.0, 2.0),
            (1.0, 0.01, 1.0, 0.25),
            (-1.0, 0.01, 1.0, 0.25),
            (1.0, 10.0, 0.1, 0.25),
        ):
            chain = LinearChain("gaussian", gamma, rate, s, start, time)
            varied = replace(chain, **changes)  # type: ignore[arg-type]
            for eta in I1_ETAS:
                drift = chain.diffusion(eta).largest_drift(time)
                bound = i1(eta, gamma, time, M=abs(rate), s=noise * s, drift=drift)
                pairs.append((varied.distance(eta), scale * bound))
    measured, limits = np.array(pairs).T
    # In units of the bound: cases with large steps would hide the others.
    return measured / limits, limits / limits


def _i1_case() -> Case:
    what = "six linear drifts and starts, gamma = 0 and 1, steps 1/4 ... 1/256"

    def check(scale: float = 1.0, noise: float = 1.0, **changes: object) -> ExactInequality:
        return ExactInequality(partial(_i1_pairs, scale, noise, **changes), 1e-9, what)

    return Case(
        problem="$b = -ax$, $a = \\pm 1$, $s$ from 0.01 to 10, $T$ from 1/4 to 2",
        constants=chosen(M=1.0),
        parameters={"eta": "1/4 ... 1/256", "gamma": "0, 1"},
        check=check(),
        controls=(
            Control("half of it", "a false claim: half of the bound", check(0.5)),
            Control(
                "wrong diffusion",
                "the chain's noise is 1.5 times the diffusion's",
                check(louder=1.5),
            ),
            Control("correlated noise", "a moving average of two draws", check(correlated=True)),
            Control(
                "drift error", r"gradients off by $\eta^{1/10}$", check(drift_error=1.0, alpha=0.1)
            ),
            Control("null", "the bound doubled", check(2.0), expected="NOT_REFUTED"),
        ),
    )


# --- Several dimensions: the posterior of a linear model ---


@lru_cache
def _posterior() -> LinearDiffusion:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(6, 3)) / 3
    responses = features @ np.array([1.0, -2.0, 0.5]) + 0.3 * generator.normal(size=6)
    return gaussian_posterior(features, responses, prior_variance=2.0)


def _posterior_drift(process: LinearDiffusion, time: float) -> float:
    """Of E|b(Z_t)|^2 the mean's part falls from |c|^2 and the covariance's grows."""
    covariance = process.law(time)[1]
    grown = np.trace(process.matrix @ covariance @ process.matrix)
    return float(np.sqrt(process.offset @ process.offset + grown))


def _posterior_distance(eta: float, time: float, louder: float = 1.0) -> float:
    process = _posterior()
    chain = LinearDiffusion(process.matrix, process.offset, louder * process.noise, process.start)
    return bures(*chain.euler_law(eta, round(time / eta)), *process.law(time))


def _posterior_pairs(louder: float = 1.0, scale: float = 1.0) -> tuple[Array, Array]:
    process = _posterior()
    lipschitz = float(np.linalg.eigvalsh(process.matrix)[-1])
    pairs = []
    for time in (0.25, 1.0, 2.0):
        drift = _posterior_drift(process, time)
        for eta in (1 / 4, 1 / 16, 1 / 64, 1 / 1024):
            bound = i1(eta, 0.0, time, M=lipschitz, s=np.sqrt(2.0), drift=drift, d=3)
            pairs.append((_posterior_distance(eta, time, louder), scale * bound))
    measured, limits = np.array(pairs).T
    return measured / limits, limits / limits


def _posterior_case() -> Case:
    what = "Bures distances at three times, steps 1/4 ... 1/1024"
    values = np.linalg.eigvalsh(_posterior().matrix)
    return Case(
        problem="posterior of a linear model, $d = 3$, 6 observations",
        constants=chosen(m=float(values[0]), M=float(values[-1]), s=2**0.5, d=3.0),
        parameters={"eta": "1/4 ... 1/1024", "gamma": "0"},
        check=ExactInequality(_posterior_pairs, 1e-9, what),
        controls=(
            Control(
                "wrong diffusion",
                "the chain's noise is 1.1 times the diffusion's",
                ExactInequality(partial(_posterior_pairs, 1.1), 1e-9, what),
            ),
            Control(
                "a fiftieth of it",
                "a false claim: the bound divided by 50",
                ExactInequality(partial(_posterior_pairs, scale=0.02), 1e-9, what),
            ),
        ),
    )


# --- A double well: neither side has a closed form ---

EDGES = np.linspace(-9.0, 9.0, 601)
WELL = DoubleWell(separation=1.5, start=0.3)
WELL_TIME = 1.0


@lru_cache
def _well_law(time: float) -> Histogram:
    return WELL.law(time, EDGES)


@lru_cache
def _well_drift() -> float:
    """The supremum of (E b(Z_t)^2)^(1/2) over [0, 1], at eight times, and a tenth more."""
    centres = (EDGES[1:] + EDGES[:-1]) / 2
    squares = [_well_law(j / 8).masses @ WELL.drift(centres) ** 2 for j in range(1, 9)]
    squares.append(WELL.drift(WELL.start) ** 2)
    return float(1.1 * np.sqrt(np.max(squares)))


@lru_cache
def _well_distances(louder: float = 1.0, sign: float = 1.0) -> tuple[Array, Array, Array]:
    eta = np.array([1 / 4, 1 / 8, 1 / 16, 1 / 32])

    def drift(x: Array) -> Array:
        return sign * WELL.drift(x)

    distance = [
        wasserstein(
            gaussian_chain_law(
                drift, louder * np.sqrt(2.0), WELL.start, step, round(WELL_TIME / step), EDGES
            ),
            _well_law(WELL_TIME),
        )
        for step in eta
    ]
    bound = [
        i1(step, 0.0, WELL_TIME, M=WELL.lipschitz, s=np.sqrt(2.0), drift=_well_drift())
        for step in eta
    ]
    return eta, np.array(distance), np.array(bound)


def _well_case() -> Case:
    return Case(
        problem=r"$b(x) = m \tanh(mx) - x$, $m = 1.5$, $s = \sqrt 2$, $x_0 = 0.3$, $T = 1$",
        constants=chosen(M=WELL.lipschitz, s=2**0.5, T=WELL_TIME),
        parameters={"eta": "1/4 ... 1/32", "gamma": 0, "cells": len(EDGES) - 1},
        check=ExactExponent(_well_distances, 0.5),
        controls=(
            Control(
                "wrong diffusion",
                "the chain's noise is 1.1 times the diffusion's",
                ExactExponent(partial(_well_distances, 1.1), 0.5),
            ),
            Control(
                "uphill",
                "the chain's drift has the wrong sign",
                ExactExponent(partial(_well_distances, 1.0, -1.0), 0.5),
            ),
        ),
    )


# --- Time: bounded under contraction, exponential without ---

TIMES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def _uniform_pairs(rate: float = 1.0) -> tuple[Array, Array]:
    pairs = []
    for gamma in (0.0, 1.0):
        for s, start in ((1.0, 1.0), (1.0, 0.0), (0.01, 1.0)):
            for eta in (1 / 4, 1 / 32):
                for time in TIMES:
                    chain = LinearChain("gaussian", gamma, rate, s, start, time)
                    # Under contraction E Z_t^2 is at most the larger of its two ends.
                    calm = OrnsteinUhlenbeck(1.0, eta ** (gamma / 2) * s, start)
                    drift = calm.largest_drift(200.0)
                    bound = uniform_in_time(eta, gamma, m=1.0, M=1.0, s=s, drift=drift)
                    pairs.append((chain.distance(eta) / bound, 1.0))
    measured, limits = np.array(pairs).T
    return measured, limits


def _uniform_case() -> Case:
    what = "T from 1/2 to 50, two steps, three starts, gamma = 0 and 1"
    return Case(
        problem="$b = -x$, $s = 0.01$ and $1$, $x_0 = 0$ and $1$",
        constants=chosen(m=1.0, M=1.0),
        parameters={"eta": "1/4, 1/32", "gamma": "0, 1", "T": "0.5 ... 50"},
        check=ExactInequality(_uniform_pairs, 1e-9, what),
        controls=(
            Control(
                "expanding",
                "the same bound for $b = x/10$",
                ExactInequality(partial(_uniform_pairs, -0.1), 1e-9, what),
            ),
        ),
    )


def _growth_pairs(rate: float = -1.0, scale: float = 1.0) -> tuple[Array, Array]:
    """The floor |x_0| e^T (1 - e^(-T (eta/2 - eta^2/3))) beside W2, in units of the floor."""
    pairs = []
    for gamma in (0.0, 1.0):
        for eta in (1 / 4, 1 / 32):
            for time in TIMES[:-1]:
                floor = -np.exp(time) * np.expm1(-time * (eta / 2 - eta**2 / 3))
                chain = LinearChain("gaussian", gamma, rate, 0.1, 1.0, time)
                pairs.append((scale, chain.distance(eta) / floor))
    measured, bound = np.array(pairs).T
    return measured, bound


def _growth_case() -> Case:
    what = "T from 1/2 to 20, two steps, gamma = 0 and 1"

    def check(rate: float = -1.0, scale: float = 1.0) -> ExactInequality:
        return ExactInequality(partial(_growth_pairs, rate, scale), 1e-9, what)

    return Case(
        problem="$b = x$, $s = 0.1$, $x_0 = 1$",
        constants=chosen(M=1.0, s=0.1),
        parameters={"eta": "1/4, 1/32", "gamma": "0, 1", "T": "0.5 ... 20"},
        check=check(),
        controls=(
            Control("contraction", "$b = -x$: the distance stays bounded", check(1.0)),
            Control("no drift", "$b = -10^{-9} x$: the laws of both nearly agree", check(1e-9)),
            Control("a tenth more", "a false claim: 1.1 times the floor", check(-1.0, 1.1)),
        ),
    )


def _claim(
    name: str, title: str, theorem: str, statement: str, prepare: Callable[[], Case], **rest: object
) -> Claim:
    fields = {
        "kind": "one_step",
        "assumptions": ("$X_0 = Z_0$", "Gaussian noise", "$b$ is $M$-Lipschitz"),
        "metric": "W_2(X_k, Z_T)",
        "x_label": "case, the closest to the bound first",
        "not_shown": "Other drifts than those computed.",
        **rest,
    }
    return ito_claim(
        id=f"ito_chains/gaussian/{name}",
        title=title,
        source=f"main theorem for Gaussian noise; explicit form {theorem}",
        theorem=theorem,
        statement=statement,
        unit="iteration",
        output="law of the last iterate",
        prepare=prepare,
        **fields,  # type: ignore[arg-type]
    )


EXACT = (
    r"$$W_2^2 = x_0^2\big((1-a\eta)^k - e^{-aT}\big)^2 + (\sigma_X - \sigma_Z)^2$$ with "
    r"$\sigma_X^2 = \eta^{1+\gamma} s^2 \frac{1-(1-a\eta)^{2k}}{1-(1-a\eta)^2}$ and "
    r"$\sigma_Z^2 = \eta^\gamma s^2 \frac{1-e^{-2aT}}{2a}$"
)
BOUND = (
    r"$$W_2(X_k, Z_T) \le (e^{MT}-1)\Big[\tfrac12 \bar b\, \eta + \tfrac23 s \sqrt d\, "
    r"\eta^{(1+\gamma)/2}\Big],\quad \bar b = \sup_{t \le T} \|b(Z_t)\|_{L_2}$$"
)


def _exponent_claim(chain: LinearChain, stated: float, part: str) -> Claim:
    name = f"exponent-{part}-{'langevin' if chain.gamma == 0 else 'sgd'}"
    return _claim(
        name,
        f"The exact exponent of the {part}, gamma = {chain.gamma:g}",
        "I6",
        rf"{EXACT}: exponent {stated:g} in $\eta$ at fixed $T$, $x_0 = {chain.start:g}$",
        partial(_i6_exponent_case, chain, stated),
        kind="scaling",
        x_label=r"step $\eta$",
        assumptions=("$b = -ax$, $d = 1$", "$x_0$ not random", "Gaussian noise"),
        not_shown="Other drifts: a linear one is smooth, and better than Lipschitz.",
    )


CLAIMS: tuple[Claim, ...] = (
    _claim(
        "exact",
        "The exact distance of a linear chain",
        "I6",
        EXACT,
        _i6_case,
        kind="identity",
        x_label="case",
        assumptions=("$b = -ax$, $d = 1$", "$x_0$ not random", r"$a \ne 0$, $a\eta \ne 2$"),
        not_shown="Laws that are not Gaussian: only two moments enter.",
    ),
    _exponent_claim(LinearChain("gaussian", 0.0, start=1.0), 1.0, "mean"),
    _exponent_claim(LinearChain("gaussian", 1.0, start=1.0), 1.0, "mean"),
    _exponent_claim(LinearChain("gaussian", 0.0), 1.0, "deviation"),
    _exponent_claim(LinearChain("gaussian", 1.0), 1.5, "deviation"),
    _claim("bound", "Gaussian noise: the bound of the synchronous coupling", "I1", BOUND, _i1_case),
    _claim(
        "posterior",
        "Langevin dynamics of a posterior in three dimensions",
        "I1",
        BOUND,
        _posterior_case,
        pairs_with=PARTNERS,
    ),
    _claim(
        "double-well",
        "A double well, where no law has a closed form",
        "I1",
        BOUND + r", and the exponent is at least $1/2$",
        _well_case,
        kind="scaling",
        x_label=r"step $\eta$",
        not_shown=(
            "Distances below 1e-3: the cells resolve no more. The supremum of the drift is taken "
            "at nine times, with a tenth in reserve."
        ),
    ),
    _claim(
        "uniform-in-time",
        "Under contraction the distance is bounded at all times",
        "I1",
        r"For $mI \preceq -b' \preceq MI$ and $\eta \le 2/(m+M)$, at every $T = k\eta$: "
        r"$$W_2(X_k, Z_T) \le \frac Mm \Big[\tfrac12 \bar b\, \eta + \tfrac23 s \sqrt d\, "
        r"\eta^{(1+\gamma)/2}\Big]$$",
        _uniform_case,
        assumptions=("$X_0 = Z_0$", "Gaussian noise", "$b$ is a gradient and contracts"),
    ),
    _claim(
        "growth",
        "Without contraction it grows like the exponential",
        "I6",
        r"For $b(x) = x$: $$W_2(X_k, Z_T) \ge |x_0|\, e^T \big(1 - e^{-T(\eta/2 - "
        r"\eta^2/3)}\big)$$",
        _growth_case,
        metric=r"1",
        assumptions=("$b = x$, $d = 1$", "$x_0$ not random", r"$\eta \le 1$"),
        not_shown="That every expanding drift grows: this one does.",
    ),
)
