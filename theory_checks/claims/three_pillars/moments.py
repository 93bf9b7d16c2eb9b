# SPDX-License-Identifier: Apache-2.0
"""Whole runs without sampling: exact second moments on affine problems."""

from functools import cache, partial
from typing import Any

import numpy as np

from optzoo.compressors import SampledClients
from optzoo.problems import AffineOperators, Constant, locked_tail
from optzoo.theorems.three_pillars import LB, V0_MOMENTS, V1, V2, V6

from ...checks import ExactIdentity, ExactInequality, ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import Sides, exact_case, wrong
from ...setting import Setting, Stated
from .enumeration import Array, after_messages, random_states
from .mutants import messages_count
from .partners import PARTNERS
from .settings import COMPRESSORS, PillarsSetting, hard, moments, saddle, small_saddle

__all__ = ["CLAIMS"]

NO_SAMPLING = "exact second moments, no sampling"


# --- The recursion is that of the shipped method ---


def _recursion_sides(setting: PillarsSetting, *, permuted: bool = False, **changes: Any) -> Sides:
    run, star, p = setting.run(**changes), setting.problem.solution, setting.value("p")
    recursion = moments(setting, permuted=permuted)
    z, m = random_states(run, 4)
    found: Array = np.zeros((4, 8, 8))
    for kept, weight in ((True, 1 - p), (False, p)):
        after = after_messages(run, z, m, kept)
        w = np.concatenate([after.z, after.m], axis=2) - np.tile(star, 2)
        found += weight * np.einsum("sda,sdb->sab", w, w) / w.shape[1]
    w = np.hstack([z - star, m - star])
    predicted = np.stack([recursion.step(np.outer(each, each)) for each in w])
    scale = np.sum(w**2, axis=1)[:, None, None]
    return (found / scale).ravel(), (predicted / scale).ravel()


def _recursion(compressor: str) -> Case:
    setting = small_saddle("spectrum", size=3.0, compressor=COMPRESSORS[compressor])
    return exact_case(
        setting,
        _recursion_sides,
        ExactIdentity,
        messages_count(0.5, setting.compressor),
        wrong(
            "a uniform permutation for a uniform shift",
            "a false claim: only the correlations between coordinates differ",
            permuted=True,
        ),
        bites=compressor == "PermK",
        tolerance=1e-12,
        what="all entries, all draws of the messages, both sides of the coin",
    )


# --- V2: asymptotic rates ---


SLOWEST = "zero, n = 32, delta/mu = 320"
RATES: dict[str, dict[str, Any]] = {
    **{
        f"zero, n = {n}, delta/mu = {ratio}": {
            "mu": 1 / ratio,
            "n": n,
            "half_dim": 1,
            "compressor": SampledClients(1, n),
        }
        for n in (4, 8, 16, 32)
        for ratio in (2, 10, 100, 320)
    },
    **{
        f"zero, PermK, {longer} times the step": {"mu": 0.01, "longer": longer}
        for longer in (0.5, 1.0, 1.35)
    },
    **{
        f"spectrum up to {size:g}": {"coupling": "spectrum", "mu": 0.01, "size": size}
        for size in (1.0, 10.0, 100.0)
    },
    **{name: {"coupling": name, "mu": 0.1} for name in ("adversarial", "overshooting", "plus")},
}


def _rate_sides(setting: PillarsSetting, **claimed: float) -> Sides:
    found = 1 / (1 - moments(setting).rate())
    return [found], lambda: [setting.bound(V2, **claimed)]


def _rate(instance: str) -> Case:
    setting = small_saddle(**{"coupling": "zero", "local_steps": None} | RATES[instance])
    return exact_case(
        setting,
        _rate_sides,
        ExactInequality,
        wrong(
            "progress of both points",
            r"a false claim: $2\gamma\mu$ for $\gamma\mu$, as without the reference point",
            mu=2 * setting.value("mu"),
        ),
        bites=instance == SLOWEST,
        what=NO_SAMPLING,
    )


# --- Both sides on the hard instance ---

HARD_STEPS = (1, 2, 5, 10, 20, 40, 80, 160)
HARD = {f"n = {n}, delta/mu = {ratio}": (n, float(ratio)) for n in (4, 8) for ratio in (40, 160)}
# With delta/mu = 160 the steps are too few for false claims on the pace.
FAST_ENOUGH = 40.0


@cache
def _hard(instance: str) -> PillarsSetting:
    n, ratio = HARD[instance]
    return hard(n, 16, mu=1.0, delta=ratio, compressor=SampledClients(1, n))


@cache
def _errors(setting: PillarsSetting) -> Array:
    """The exact E|z^k - z*|^2."""
    recursion = moments(setting)
    start = recursion.start(-setting.problem.solution)
    return np.array([recursion.distance(each) for each in recursion.run(start, HARD_STEPS)])


def _above_sides(setting: PillarsSetting, *, speed: float = 1.0) -> Sides:
    steps = speed * np.array(HARD_STEPS)
    return _errors(setting), lambda: setting.bound(V1, steps, setting.initial)


def _above(instance: str) -> Case:
    return exact_case(
        _hard(instance),
        _above_sides,
        ExactInequality,
        wrong("twice as fast", r"a false claim: $\rho^{2k}$", speed=2.0),
        bites=HARD[instance][1] == FAST_ENOUGH,
        what=NO_SAMPLING,
    )


def _below_sides(setting: Setting, place: PillarsSetting, *, pace: float = 1.0) -> Sides:
    """The exact error, and the tail of z* that cannot be known."""
    assert isinstance(place.problem, AffineOperators)
    tail = partial(locked_tail, place.problem)
    changed = {name: pace * constant.value for name, constant in setting.constants.items()}
    return _errors(place), lambda: setting.bound(LB, HARD_STEPS, tail, **changed)


def _below(instance: str) -> Case:
    place = _hard(instance)
    heard = Constant(1 / place.problem.num_workers, "exact", derivation="one uniform client")
    return exact_case(
        Stated(place.words, {"heard": heard, "p": place.constants["p"]}, place.parameters),
        partial(_below_sides, place=place),
        ExactLowerBound,
        wrong(
            "a fortieth of the pace",
            "a false claim: a coordinate in forty times as many steps",
            pace=1 / 40,
        ),
        wrong(
            "nothing is unlocked",
            "a false claim: the first coordinate is all that is ever known",
            pace=0.0,
        ),
        bites=HARD[instance][1] == FAST_ENOUGH,
        what=NO_SAMPLING,
    )


# --- V6: monotone ---

MONOTONE_STEPS = (1, 3, 10, 30, 100, 300)
SIZES = {"n = d = 4": 4, "n = d = 8": 8}


def _sums_sides(setting: PillarsSetting, times: float) -> Sides:
    """From a start that is so many times as far away, which linear operators do not notice."""
    recursion = moments(setting)
    start = recursion.start(-setting.problem.solution)
    found = times**2 * np.array(recursion.mean_square_operators(start, MONOTONE_STEPS))
    return found, lambda: setting.bound(V6, MONOTONE_STEPS, times**2 * setting.initial)


def _sums(size: str, coupling: str) -> Case:
    n = SIZES[size]
    setting = saddle(coupling, n=n, half_dim=n // 2, mu=0.0, size=2.0, local_steps=1)
    return exact_case(
        setting,
        partial(_sums_sides, times=100.0 if coupling == "plus" else 1.0),
        ExactInequality,
        what=NO_SAMPLING,
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/moments/recursion",
        title="The second moments of a step, exactly",
        theorem=V0_MOMENTS,
        prepare=grid(_recursion, compressor=COMPRESSORS),
        x_label="entry",
    ),
    Claim(
        id="three_pillars/moments/rates",
        title="Asymptotic rates, exactly",
        theorem=V2,
        prepare=grid(_rate, instance=RATES),
        pairs_with=PARTNERS,
        x_label="instance",
    ),
    Claim(
        id="three_pillars/hard/upper",
        title="The hard instance: the guarantee",
        theorem=V1,
        prepare=grid(_above, instance=HARD),
        pairs_with=PARTNERS,
        x_label="step, the closest to the bound first",
        not_shown="The claimed count of vectors: see the uplink.",
    ),
    Claim(
        id="three_pillars/hard/lower",
        title="The hard instance: no method of the class is faster",
        theorem=LB,
        prepare=grid(_below, instance=HARD),
        x_label="step, the closest to the bound first",
        pairs_with=("three_pillars/hard/upper", "three_pillars/moments/rates"),
        not_tested=dict.fromkeys(
            ("heard", "p"),
            "a coordinate is unlocked in either way: without one of them the other is enough",
        ),
    ),
    Claim(
        id="three_pillars/monotone/sums",
        title="Monotone operators: the mean of the squared operator falls like 1/K",
        theorem=V6,
        prepare=grid(_sums, size=SIZES, coupling=("adversarial", "overshooting", "plus", "random")),
        x_label="horizon, the closest to the bound first",
        pairs_with=(*PARTNERS, "three_pillars/monotone/one-step"),
    ),
)
