# SPDX-License-Identifier: Apache-2.0
"""Sampled runs of the shipped method against the theorems, each control where it must fail."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from optzoo.compressors import PermK, RandK, SampledClients, TopK
from optzoo.problems import Constant
from optzoo.theorems import Theorem
from optzoo.theorems.three_pillars import V2_UPLINK, V4, V4_CLIENTS, V5, V6, V7

from ...checks import SampledIdentity, UpperBound
from ...claim import Case, Claim, Grid
from ...controls import Change, case, mutant, null, wrong
from ...setting import Stated
from .mutants import (
    NEVER_REFRESHED,
    NO_MOMENTUM,
    ONE_LOCAL_STEP,
    messages_count,
    other_reference,
    raw_differences,
)
from .partners import PARTNERS
from .processes import MEAN_SQUARED_OPERATOR, partial_participation
from .settings import PillarsSetting, hard, minty, saddle

__all__ = ["CLAIMS"]


def _bounded(
    theorem: Theorem,
    setting: PillarsSetting,
    name: str,
    checkpoints: tuple[int, ...],
    *changes: Change,
    metric: str = "potential",
    **fields: Any,
) -> Case:
    """A theorem's bound along the runs on a setting.

    Args:
        theorem: whose bound is one of the steps and of |z^0 - z*|^2.
        setting: where.
        name: of the experiment.
        checkpoints: where runs are looked at.
        *changes: of the runs: the controls.
        metric: its name.
        **fields: of the experiment.
    """

    def check(**changed: Any) -> UpperBound:
        experiment = setting.experiment(name, checkpoints, **(fields | changed))
        return UpperBound(
            experiment,
            metric,
            lambda: setting.bound(theorem, checkpoints, setting.initial),
        )

    return case(setting, check, *changes)


LATE, EARLY = (20, 50, 100, 200, 400), (10, 50, 100, 200, 400)


# --- V4: PermK on saddles with n = 8 and d = 16 ---

N, D = 8, 16
PERMK = PermK(N)


def _zero() -> Case:
    convention = null(
        "the other reference",
        r"the convention $m^{k+1} = z^{k+1}$, which converges as well",
        method=other_reference,
    )
    return _bounded(V4, saddle("zero"), "zero", LATE, NEVER_REFRESHED, convention)


def _adversarial() -> Case:
    setting = saddle("adversarial", mu=0.01)
    gamma, tau = setting.value("gamma"), setting.value("tau")
    return _bounded(
        V4,
        setting,
        "adversarial",
        EARLY,
        wrong(
            "gamma 1.5 times its limit", r"$\gamma = 1.5\sqrt p/d_B$", gamma=1.5 * 2**0.5 * gamma
        ),
        wrong(
            "delta underestimated by two",
            r"$\gamma = \sqrt p / \delta$ in place of $\sqrt p / (2\delta)$",
            gamma=2 * gamma,
        ),
        NO_MOMENTUM,
        wrong("a quarter of the momentum", r"$\tau = p/4$", momentum=tau / 4),
        messages_count(1 / N, PERMK),
        messages_count(0.0, PERMK),
        wrong("greedy coordinates", "TopK, which is biased, for PermK", compressor=TopK(D // N, N)),
        null(
            "RandK on shifted differences",
            "independent coordinates of the same messages: it keeps the gain",
            compressor=RandK(D // N, N),
        ),
    )


def _plus() -> Case:
    return _bounded(V4, saddle("plus", mu=0.01), "plus", EARLY, messages_count(2.0, PERMK))


def _spectrum() -> Case:
    raw = mutant(raw_differences, compressor=RandK(D // N, N))
    return _bounded(V4, saddle("spectrum", size=20.0), "spectrum", LATE, raw)


def _random() -> Case:
    return _bounded(V4, saddle("random", size=100.0), "random", LATE, ONE_LOCAL_STEP)


def _nonlinear() -> Case:
    return _bounded(V4, saddle("zero", strength=0.02), "nonlinear", LATE, NEVER_REFRESHED)


def _few(theorem: Theorem = V4) -> Case:
    """So few local steps that the bound, and the method, need not contract."""
    return _bounded(theorem, saddle("zero", local_steps=5), "few-local-steps", LATE)


SADDLES = {
    "zero": _zero,
    "few local steps": _few,
    "adversarial": _adversarial,
    "plus": _plus,
    "spectrum, L = 20 delta": _spectrum,
    "random, L = 100 delta": _random,
    "nonlinear": _nonlinear,
}


# --- V4 for clients, V5 ---


def _one_client() -> Case:
    setting = hard(8, 8, mu=1.0, delta=40.0, compressor=SampledClients(1, 8))
    return _bounded(
        V4_CLIENTS,
        setting,
        "clients-1",
        (20, 50, 100, 200),
        wrong("gamma six times as long", "far above its limit", gamma=6 * setting.value("gamma")),
        method=partial_participation,
    )


def _ball() -> Case:
    return _bounded(V5, saddle("zero", radius=1.0), "ball", LATE, NEVER_REFRESHED)


def _large_ball() -> Case:
    """Where the ball is so large that the run does not notice it, V5 is V4."""
    setting = saddle("zero")
    return _bounded(V5, setting, "zero", LATE)


BALLS: dict[str, Callable[[], Case]] = {
    "solution on its boundary": _ball,
    "all of space": _large_ball,
    "all of space, few local steps": partial(_few, V5),
}


# --- V6: Minty, V7: noise ---


def _minty() -> Case:
    setting = minty(8, 4)
    return _bounded(
        V6,
        setting,
        "minty",
        (10, 30, 100, 300),
        wrong("gamma ten times as long", "far above its limit", gamma=10 * setting.value("gamma")),
        metric="operator",
        watch=MEAN_SQUARED_OPERATOR,
    )


def _noise() -> Case:
    setting = saddle("zero", sigma=0.03)
    return _bounded(
        V7,
        setting,
        "noise-0.03",
        (20, 100, 500),
        wrong("500 times the noise", "another sigma", noise=500 * setting.sigma),
    )


# --- What is sent ---


def _uplink() -> Case:
    place = saddle("zero")
    n, d = place.problem.num_workers, place.problem.dim
    share = Constant(place.compressor.numbers(d) / d, "exact", derivation="of the compressor")
    setting = Stated(place.words, {"share": share, "p": place.constants["p"]}, place.parameters)

    late = np.asarray(LATE)
    messages = share.value * late

    def check(p: float = setting.known["p"].value, **changes: Any) -> SampledIdentity:
        return SampledIdentity(
            place.experiment("zero", LATE, **changes),
            lambda metrics: metrics["uplink"],
            lambda metrics: setting.bound(V2_UPLINK, LATE, p=p),
            looks=1,
            # Every step sends a share; of the steps after the first, none to all refresh.
            within=(messages, messages + late - 1),
        )

    return case(
        setting,
        check,
        wrong(
            "refreshes with probability 2/n",
            "twice as many full vectors as the method is said to send",
            refresh_probability=2 / n,
        ),
        wrong("1/n vectors a step", "a false claim: refreshes are forgotten", p=0.0),
    )


RATE_PARTNERS = (*PARTNERS, "three_pillars/moments/rates")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/rate/permk",
        title="PermK on saddles, similar and not",
        theorem=V4,
        prepare=Grid(SADDLES),
        pairs_with=RATE_PARTNERS,
    ),
    Claim(
        id="three_pillars/rate/one-client",
        title="One client a step on the hard instance",
        theorem=V4_CLIENTS,
        prepare=_one_client,
        pairs_with=RATE_PARTNERS,
    ),
    Claim(
        id="three_pillars/rate/ball",
        title="A ball with the solution on its boundary, and all of space",
        theorem=V5,
        prepare=Grid(BALLS),
        pairs_with=(
            "three_pillars/one-step/constrained",
            "three_pillars/moments/few-local-steps",
            *PARTNERS,
        ),
    ),
    Claim(
        id="three_pillars/monotone/minty",
        title="A Minty operator that is not monotone",
        theorem=V6,
        prepare=_minty,
        pairs_with=("three_pillars/monotone/one-step", "three_pillars/monotone/sums"),
    ),
    Claim(
        id="three_pillars/rate/stochastic",
        title="Noise in the local steps",
        theorem=V7,
        prepare=_noise,
        pairs_with=(*PARTNERS, "three_pillars/one-step/stochastic"),
    ),
    Claim(
        id="three_pillars/communication/uplink",
        title="A worker sends 1/n + p vectors a step",
        theorem=V2_UPLINK,
        prepare=_uplink,
    ),
)
