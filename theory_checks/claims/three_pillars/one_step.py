# SPDX-License-Identifier: Apache-2.0
"""One step, exactly: over R^d and over a ball, with exact and with few local steps, and Minty."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from optzoo.compressors import Compressor, RandK, SampledClients
from optzoo.problems import AffineOperators
from optzoo.theorems.three_pillars import V0, V1_STEP, V4_STEP, V5_STEP, V6, V6_STEP

from ...checks import ExactIdentity, ExactInequality, ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, mutant, null, wrong
from .enumeration import DRAWS, Array, after_messages, random_states, terms
from .mutants import NO_MOMENTUM, ONE_LOCAL_STEP, messages_count, no_projection
from .processes import PillarsRun
from .settings import COMPRESSORS, PillarsSetting, aligned, minty, moments, small_saddle

__all__ = ["CLAIMS", "decrease", "identity_setting", "identity_sides"]

BOTH = f"{DRAWS}, and both sides of the coin"
FROM_THE_SLOWEST = f"{BOTH}, from the slowest and from random states"
STATES = "state, the closest to the bound first"


# --- V0: the identity ---

ARCTAN, FEW = "plus arctan", "fewer coordinates than workers"


def identity_setting(instance: str) -> PillarsSetting:
    if instance == FEW:
        return small_saddle("random", half_dim=1, size=1.0)
    if instance == ARCTAN:
        return small_saddle("spectrum", size=3.0, strength=1.0)
    return small_saddle("spectrum", size=3.0, compressor=COMPRESSORS[instance])


def identity_sides(
    setting: PillarsSetting,
    *,
    energy: Compressor | None = None,
    progress: float = 1.0,
    **changes: Any,
) -> Sides:
    """Both sides of V0, relative to Phi.

    Args:
        setting: where.
        energy: the compressor whose second moment stands in the identity; the run's if None.
        progress: how often the progress counts in the identity.
        changes: of the run.
    """
    run = setting.run(**changes)
    found = terms(run, *random_states(run, 12), energy=energy)
    z, m, u_z, u_m, gained = (found[name] for name in ("z", "m", "u_z", "u_m", "progress"))
    terms_of_it = (z, m, u_z, u_m, progress * gained, found["energy"])
    return found["after"] / (z + m), lambda: setting.bound(V0, *terms_of_it) / (z + m)


def _identity(instance: str) -> Case:
    permk = COMPRESSORS["PermK"]
    return exact_case(
        identity_setting(instance),
        identity_sides,
        ExactIdentity,
        messages_count(0.25, permk),
        messages_count(0.5, permk),
        NO_MOMENTUM,
        wrong(
            "second moment of RandK for PermK",
            "a false claim: the draws of the workers were independent",
            energy=RandK(1, 4),
        ),
        wrong("progress counted once", "a false claim: one gamma in place of two", progress=0.5),
        null(
            "PermK has the second moment of one client", "an equality", energy=SampledClients(1, 4)
        ),
        bites=instance == "PermK",
        tolerance=1e-12,
        what=BOTH,
    )


# --- V1: the contraction, from the states where it is slowest ---

COUPLINGS = {"zero": (0.0, 8), "spectrum": (6.0, 8), "adversarial": (0.0, 4), "plus": (0.0, 4)}
# The step may be sqrt(2) times that of V2; there M vanishes.
LONGER = "PermK, 1.35 times the step"
WAYS = {"PermK": 1.0, "one client": 1.0, LONGER: 1.35}


def decrease(run: PillarsRun, setting: PillarsSetting) -> Array:
    """1 - E Phi^+ / Phi over all draws and both sides of the coin.

    At the state where the theorem's method makes it least, and at random ones.
    """
    star, p = setting.problem.solution, setting.value("p")
    z, m = random_states(run, 8)
    if isinstance(setting.problem, AffineOperators):
        worst = star + moments(setting).one_step_factor()[1].reshape(2, -1)
        z, m = np.vstack([worst[:1], z]), np.vstack([worst[1:], m])

    def mean_potential(kept: bool) -> Array:
        after = after_messages(run, z, m, kept)
        both = np.sum((after.z - star) ** 2, axis=2) + np.sum((after.m - star) ** 2, axis=2)
        return np.asarray(both.mean(axis=1))

    before = np.sum((z - star) ** 2, axis=1) + np.sum((m - star) ** 2, axis=1)
    return 1 - (p * mean_potential(False) + (1 - p) * mean_potential(True)) / before


def _contraction_sides(
    setting: PillarsSetting, promised: float | None = None, **changes: Any
) -> Sides:
    found = decrease(setting.run(**changes), setting)
    return found, lambda: np.full(
        len(found), setting.bound(V1_STEP) if promised is None else promised
    )


def _contraction(coupling: str, way: str) -> Case:
    size, n = COUPLINGS[coupling]
    setting = small_saddle(
        coupling,
        n=n,
        half_dim=n // 2,
        mu=0.1,
        size=size,
        longer=WAYS[way],
        compressor=SampledClients(1, n) if way == "one client" else None,
    )
    gamma, mu, d_B = (setting.value(name) for name in ("gamma", "mu", "d_B"))
    changes = {
        ("zero", "PermK"): (
            wrong("1/M left out", r"a false claim: $1 - \rho = \gamma\mu$", promised=gamma * mu),
        ),
        # Where M nearly vanishes.
        ("spectrum", LONGER): (
            wrong(
                "half of d_B^2",
                "a false claim: the server's own deviation is left out",
                promised=setting.bound(V1_STEP, d_B=d_B / math.sqrt(2)),
            ),
        ),
        ("adversarial", "PermK"): (
            wrong(
                "gamma twice as long",
                "the step of another problem, with the rate of this one",
                gamma=2 * gamma,
            ),
            messages_count(0.0, setting.compressor),
            NO_MOMENTUM,
        ),
        ("plus", "PermK"): (messages_count(2.0, setting.compressor),),
    }
    return exact_case(
        setting,
        _contraction_sides,
        ExactLowerBound,
        *changes.get((coupling, way), ()),
        what=FROM_THE_SLOWEST,
    )


# --- V4: a step with few local steps ---


def _inexact_sides(setting: PillarsSetting, promised: float | None = None, **changes: Any) -> Sides:
    factor = 1 - decrease(setting.run(**changes), setting)
    return factor, lambda: np.full(
        len(factor), setting.bound(V4_STEP) if promised is None else promised
    )


LOCAL_STEPS = {"many": None, "one": 1, "four": 4}
"""As many as V4 prescribes; and so few that they decide."""


def _inexact(coupling: str, local_steps: str) -> Case:
    size = 0.0 if coupling == "zero" else 6.0
    setting = small_saddle(coupling, mu=0.1, size=size, local_steps=LOCAL_STEPS[local_steps])
    gamma, mu = setting.value("gamma"), setting.value("mu")
    without_slack = wrong(
        "a rate that 1/M does not slow",
        r"a false claim: $\rho = 1 - \gamma\mu$",
        promised=1 - gamma * mu,
    )
    changes = {"zero": (without_slack,), "random": (ONE_LOCAL_STEP,)}
    return exact_case(
        setting,
        _inexact_sides,
        ExactInequality,
        *changes.get(coupling, ()),
        bites=local_steps == "many",
        what=BOTH,
    )


# --- V5: over a ball ---


def _ball_sides(
    setting: PillarsSetting,
    *,
    claimed: dict[str, float] | None = None,
    energy: float = 1.0,
    **changes: Any,
) -> Sides:
    run = setting.run(**changes)
    states = random_states(run, 24)
    # Many of these are interior, as z and m are, but not all.
    found = terms(run, *(0.9 * points for points in states))
    z, m, u_z, u_m, u = (found[name] for name in ("z", "m", "u_z", "u_m", "u"))
    terms_of_it = (z, m, u_z, u_m, u, energy * found["energy"])
    return found["after"] / (
        z + m
    ), lambda: setting.bound(V5_STEP, *terms_of_it, **(claimed or {})) / (z + m)


def _ball(compressor: str) -> Case:
    setting = small_saddle("random", size=2.0, radius=1.0, compressor=COMPRESSORS[compressor])
    return exact_case(
        setting,
        _ball_sides,
        ExactInequality,
        mutant(no_projection),
        wrong("messages cost nothing", r"a false claim: without $\gamma^2 E|\xi|^2$", energy=0.0),
        wrong(
            "ten times the progress",
            r"a false claim: $10\mu$ for $\mu$",
            claimed={"mu": 10 * setting.value("mu")},
        ),
        what=DRAWS,
    )


# --- V6: monotone and Minty ---


def _aligned_states(setting: PillarsSetting) -> tuple[Array, Array]:
    """States of that instance where the first inequality is nearly attained.

    gamma F(u) = -(1-p) (u-z) - p (u-m) + gamma (G(u) - G(m)) with G = F - F_1 = -delta I: all are
    multiples of w = u - m where u - z is one, and the bracket is used up best by this one.
    """
    p, gamma = setting.value("p"), setting.value("gamma")
    w = np.random.default_rng(0).normal(size=(24, 2))
    pull = p + gamma * setting.value("delta_1")
    ahead = p / 2 / pull  # (u - z) / w
    operator = -((1 - p) * ahead + pull) * w / gamma
    u = operator @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # J u = operator
    return u - ahead * w, u - w


def _minty_sides(
    setting: PillarsSetting,
    states: Callable[[PillarsSetting], tuple[Array, Array]] | None = None,
    *,
    scale: float = 1.0,
    away: float = 1.0,
    **changes: Any,
) -> Sides:
    """Both inequalities, relative to Phi: |F(u)|^2, and the decrease of Phi."""
    run, p = setting.run(**changes), setting.value("p")
    found = terms(run, *(random_states(run, 24) if states is None else states(setting)))
    before = found["z"] + found["m"]
    after = found["after"] + p * found["z"] + (1 - p) * found["m"]
    moved = setting.of(V6).moved(found["u_z"], away * found["u_m"])
    measured = np.concatenate([found["operator"] / before, moved / before])

    def allowed() -> Array:
        first = scale * setting.bound(V6_STEP, found["u_z"], found["u_m"])
        return np.concatenate([first / before, 1 - after / before])

    return measured, allowed


def _minty(instance: str) -> Case:
    away = wrong(
        "messages cost nothing", r"a false claim: $p |u - m|^2$ for $p |u - m|^2 / 2$", away=2.0
    )
    tight = wrong("4.2 in place of 4.5", "a false claim", scale=4.2 / 4.5)
    if instance == "aligned":
        from_aligned = partial(_minty_sides, states=_aligned_states)
        return exact_case(aligned(), from_aligned, ExactInequality, tight, what=DRAWS)
    if instance == "minty":
        return exact_case(minty(), _minty_sides, ExactInequality, away, NO_MOMENTUM, what=DRAWS)
    skew = small_saddle("random", mu=0.0, size=2.0)
    return exact_case(skew, _minty_sides, ExactInequality, what=DRAWS)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/identity",
        title="One step, exactly",
        theorem=V0,
        prepare=grid(_identity, instance=(*COMPRESSORS, ARCTAN, FEW)),
        x_label="state",
    ),
    Claim(
        id="three_pillars/one-step/contraction",
        title="One step of the potential, from the slowest state",
        theorem=V1_STEP,
        prepare=grid(_contraction, coupling=COUPLINGS, way=WAYS),
        x_label=STATES,
    ),
    Claim(
        id="three_pillars/one-step/inexact",
        title="One step of the potential with finitely many local steps",
        theorem=V4_STEP,
        prepare=grid(_inexact, coupling=("zero", "spectrum", "random"), local_steps=LOCAL_STEPS),
        x_label=STATES,
    ),
    Claim(
        id="three_pillars/one-step/constrained",
        title="One step over a ball, with the solution on its boundary",
        theorem=V5_STEP,
        prepare=grid(_ball, compressor=("PermK", "one client")),
        x_label=STATES,
    ),
    Claim(
        id="three_pillars/monotone/one-step",
        title="One step without strong monotonicity",
        theorem=V6_STEP,
        prepare=grid(_minty, instance=("minty", "skew", "aligned")),
        x_label=STATES,
    ),
)
