# SPDX-License-Identifier: Apache-2.0
"""One step of the contractions, exactly: from the state where the shipped method is slowest."""

from collections.abc import Callable
from typing import Any

import numpy as np

from optzoo.compressors import RandK
from optzoo.theorems import Theorem
from optzoo.theorems.distributed_methods import E_STEP, M1_STEP, S_STEP, V8_STEP

from ...checks import ExactLowerBound
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, exact_case, mutant, wrong
from .linear_maps import linear_steps
from .mutants import NO_MOMENTUM, no_correction, no_extrapolation
from .settings import MethodSetting, extragradient, masha1, similarity, sliding

__all__ = ["CLAIMS"]

WHAT = "the matrices of all outcomes, from the directions of the quadratic form after a step"
DIRECTIONS = "direction, the closest to the bound first"


def _sides(
    theorem: Theorem,
    setting: MethodSetting,
    promised: float | None = None,
    **changes: Any,
) -> Sides:
    """The decrease of the potential along every axis of its form after a step."""
    steps = linear_steps(setting.run(**changes))
    weights: tuple[float, ...] = (1.0,)
    if theorem is M1_STEP:
        weights = (1.0, 1 - setting.value("p"))
    scale = np.repeat(np.asarray(weights) ** -0.5, steps.dim)
    found = 1 - np.linalg.eigvalsh(scale[:, None] * steps.form(weights) * scale)
    return found, lambda: np.full(
        len(found), setting.bound(theorem) if promised is None else promised
    )


def _case(theorem: Theorem, setting: MethodSetting, *changes: Change) -> Case:
    def sides(setting: MethodSetting, **changed: Any) -> Sides:
        return _sides(theorem, setting, **changed)

    return exact_case(setting, sides, ExactLowerBound, *changes, what=WHAT)


COUPLINGS = {"spectrum": 3.0, "random": 2.0, "zero": 0.0, "adversarial": 0.0}


def _extragradient(coupling: str) -> Case:
    setting = extragradient(coupling, mu=0.5, size=COUPLINGS[coupling])
    gamma, mu, L = (setting.value(name) for name in ("gamma", "mu", "L"))
    changes = {
        "spectrum": (
            wrong(
                "2 gamma mu",
                r"a false claim: $1 - \rho = 2\gamma\mu$, as for small steps",
                promised=2 * gamma * mu,
            ),
            wrong("gamma = 1.5/L", "a step for which nothing is promised", gamma=1.5 / L),
            mutant(no_extrapolation),
        ),
    }
    return _case(E_STEP, setting, *changes.get(coupling, ()))


def _sliding(coupling: str) -> Case:
    setting = sliding(coupling, size=COUPLINGS[coupling])
    eta, theta, mu = (setting.value(name) for name in ("eta", "theta", "mu"))
    changes = {
        "spectrum": (
            wrong(
                "the 1 left out",
                r"a false claim: $1/(1 - \rho) = \delta_1/(2\mu)$",
                promised=2 * theta * mu,
            ),
            mutant(no_correction),
        ),
        "adversarial": (
            wrong("theta three times as long", "the sub-problem of another delta", theta=3 * theta),
            wrong("eta twice as long", "a correction for which nothing is promised", eta=2 * eta),
        ),
    }
    return _case(S_STEP, setting, *changes.get(coupling, ()))


def _similarity(coupling: str) -> Case:
    setting = similarity(coupling, size=COUPLINGS[coupling])
    gamma, mu, delta = (setting.value(name) for name in ("gamma", "mu", "delta_1"))
    changes = {
        "spectrum": (
            wrong(
                "1/M left out",
                r"a false claim: $1 - \rho = 2\gamma\mu$",
                promised=2 * gamma * mu,
            ),
            mutant(no_correction),
        ),
        "adversarial": (
            wrong(
                "gamma twice its limit",
                r"$\gamma = 2/\delta_1$",
                theta=2 / delta,
                eta=2 / delta,
            ),
        ),
    }
    return _case(V8_STEP, setting, *changes.get(coupling, ()))


SPECTRUM, RANDOM, TWO = "spectrum, PermK", "random, PermK", "two workers, 1.35 times the step"
MASHA1: dict[str, dict[str, Any]] = {
    SPECTRUM: {"place": "spectrum", "size": 3.0},
    RANDOM: {"place": "random", "size": 2.0},
    # Where the noise of the messages is as large as the theorem allows.
    TWO: {"place": "zero", "n": 2, "half_dim": 1, "mu": 1.0, "longer": 1.35},
    "random, RandK": {"place": "random", "size": 2.0, "n": 2, "compressor": RandK(2, 2)},
}


def _masha1(instance: str) -> Case:
    setting = masha1(**MASHA1[instance])
    gamma, p = setting.value("gamma"), setting.value("p")
    promised = 1 / ((2 - p) / (2 * gamma * setting.value("mu")) + 1 / p)
    changes = {
        TWO: (
            wrong(
                "noise left out",
                r"a false claim: $1/p$ for $1/(p - \gamma^2 C^2)$",
                promised=promised,
            ),
        ),
        RANDOM: (
            wrong("gamma three times as long", "a step beyond its limit", gamma=3 * gamma),
            NO_MOMENTUM,
        ),
    }
    return _case(M1_STEP, setting, *changes.get(instance, ()))


def _claim(name: str, title: str, theorem: Theorem, prepare: Callable[..., Case]) -> Claim:
    return Claim(
        id=f"distributed_methods/{name}/one-step",
        title=title,
        theorem=theorem,
        prepare=grid(prepare, coupling=COUPLINGS),
        x_label=DIRECTIONS,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("extragradient", "One step of extragradient", E_STEP, _extragradient),
    _claim("sliding", "One step of extragradient sliding", S_STEP, _sliding),
    _claim("similarity", "One step of sliding without a pull", V8_STEP, _similarity),
    Claim(
        id="distributed_methods/masha1/one-step",
        title="One step of the potential of MASHA1",
        theorem=M1_STEP,
        prepare=grid(_masha1, instance=MASHA1),
        x_label=DIRECTIONS,
    ),
)
