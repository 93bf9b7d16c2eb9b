# SPDX-License-Identifier: Apache-2.0
"""Whole runs of the shipped methods on affine operators, their second moments without sampling."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from optzoo.theorems import Theorem
from optzoo.theorems.distributed_methods import LE, M1, M2, OM, SV, V8, E, S

from ...checks import ExactInequality, UpperBound
from ...claim import Case, Claim, grid
from ...controls import Change, Sides, case, exact_case, mutant, null, wrong
from ...simulation import Experiment
from .linear_maps import Array, linear_steps
from .mutants import NO_MOMENTUM, no_correction, no_extrapolation
from .processes import MethodRun, Position, reference
from .settings import (
    MethodSetting,
    extragradient,
    local,
    masha1,
    masha2,
    optimistic_masha,
    similarity,
    sliding,
    svogs,
)

__all__ = ["CLAIMS"]

STEPS = (1, 3, 10, 30, 100, 300, 1000)
LONG = (10, 100, 1000, 10_000, 30_000)
WHAT = "exact second moments, no sampling"
SIZES = {"spectrum": 3.0, "random": 2.0, "adversarial": 0.0}


def _sides(
    theorem: Theorem,
    setting: MethodSetting,
    claimed: dict[str, float] | None = None,
    **changes: Any,
) -> Sides:
    """E of the theorem's metric after so many steps from the origin, and its bound."""
    steps = linear_steps(setting.run(**changes))
    points = steps.matrices.shape[-1] // steps.dim
    weights = (1.0, 1 - setting.value("p")) if theorem is M1 else (1.0, *[0.0] * (points - 1))
    start = -np.asarray(setting.problem.solution)
    at = np.asarray(LONG if theorem in (OM, SV) else STEPS)
    found = steps.distances(start, at, weights)
    return found, lambda: setting.bound(theorem, at, setting.initial, **(claimed or {}))


def _case(theorem: Theorem, setting: MethodSetting, *changes: Change) -> Case:
    return exact_case(
        setting, partial(_of, theorem), ExactInequality, *changes, what=WHAT, round_off=1e-25
    )


def _of(theorem: Theorem, setting: MethodSetting, **changed: Any) -> Sides:
    return _sides(theorem, setting, **changed)


def _extragradient(coupling: str) -> Case:
    setting = extragradient(coupling, size=SIZES[coupling])
    changes = {"spectrum": (mutant(no_extrapolation),)}
    return _case(E, setting, *changes.get(coupling, ()))


def _sliding(coupling: str) -> Case:
    setting = sliding(coupling, size=SIZES[coupling])
    theta = setting.value("theta")
    changes = {
        "adversarial": (
            mutant(no_correction),
            wrong("theta three times as long", "the sub-problem of another delta", theta=3 * theta),
        ),
    }
    return _case(S, setting, *changes.get(coupling, ()))


def _similarity(coupling: str) -> Case:
    setting = similarity(coupling, size=SIZES[coupling])
    changes = {"adversarial": (mutant(no_correction),)}
    return _case(V8, setting, *changes.get(coupling, ()))


def _masha1(coupling: str) -> Case:
    setting = masha1(coupling, size=SIZES[coupling])
    gamma = setting.value("gamma")
    changes = {
        "random": (
            wrong("gamma three times as long", "a step beyond its limit", gamma=3 * gamma),
            NO_MOMENTUM,
        )
    }
    return _case(M1, setting, *changes.get(coupling, ()))


def _too_long_and_too_fast(setting: MethodSetting) -> tuple[Change, ...]:
    gamma, mu = setting.value("gamma"), setting.value("mu")
    return (
        wrong(
            "gamma twelve times as long",
            rf"$\gamma = {12 * gamma * setting.value('ell'):.2g}/\ell$",
            gamma=12 * gamma,
        ),
        wrong(
            "five times the progress",
            r"a false claim: $5\gamma\mu$ for $\gamma\mu$",
            claimed={"mu": 5 * mu},
        ),
    )


def _optimistic(coupling: str) -> Case:
    setting = optimistic_masha(coupling, size=SIZES[coupling], mu=0.02)
    changes = {
        "spectrum": _too_long_and_too_fast(setting),
        "random": (
            null(
                "no optimism",
                r"$\alpha = 0$: at so short a step the pull to the reference is enough",
                optimism=0.0,
            ),
        ),
    }
    return _case(OM, setting, *changes.get(coupling, ()))


def _svogs(coupling: str) -> Case:
    setting = svogs(coupling, size=SIZES[coupling], mu=0.02)
    longer = 3 * setting.value("gamma")
    changes = {
        "spectrum": _too_long_and_too_fast(setting),
        "adversarial": (
            wrong(
                "no optimism, 3 times the step",
                r"$\alpha = 0$ in the method",
                gamma=longer,
                optimism=0.0,
            ),
            null("3 times the step", "longer than the theorem allows, with optimism", gamma=longer),
        ),
    }
    return _case(SV, setting, *changes.get(coupling, ()))


# --- Local steps ---

LOCAL = {
    "one local step": (1, 0.2),
    "five local steps": (5, 0.1),
    "fifty local steps": (50, 0.02),
}
ROUNDS = np.array([1, 2, 5, 10, 30, 100, 300])


def _local_sides(setting: MethodSetting, *, apart: float = 1.0, **changes: Any) -> Sides:
    """|z^k - z*| of the shipped method, round by round, and the bound with `apart` times D."""
    found = _distances(setting.run(**changes), int(ROUNDS[-1]))[ROUNDS - 1]
    initial = float(np.sqrt(setting.initial))
    if apart == 1.0:
        return found, lambda: setting.bound(LE, ROUNDS, initial)
    return found, setting.bound(LE, ROUNDS, initial, D=apart * setting.value("D"))


def _distances(run: MethodRun, rounds: int) -> Array:
    start = run.init(jax.random.key(0))

    def step(position: Position, k: jax.Array) -> tuple[Position, jax.Array]:
        following = run.advance(position)
        return following, run.watch["distance"](run, following)  # type: ignore[operator]

    _, squared = jax.jit(lambda p: jax.lax.scan(step, p, None, rounds))(start)
    return np.sqrt(np.asarray(squared))


def _local(instance: str) -> Case:
    H, share = LOCAL[instance]
    setting = local("zero", local_steps=H, share=share, mu=0.5)
    changes = {
        "one local step": (
            wrong("no floor", "a false claim: one local step has no bias", apart=0.0),
        ),
        "five local steps": (
            wrong("no floor", r"a false claim: $|z^k - z^*| \le q^k|z^0 - z^*|$", apart=0.0),
            wrong("a third of the drift", "a false claim: $D/3$ for $D$", apart=1 / 3),
        ),
    }
    return exact_case(
        setting, _local_sides, ExactInequality, *changes.get(instance, ()), what="round by round"
    )


# --- Error feedback ---

LATE = (300, 1000, 4000, 16000)


def _masha2() -> Case:
    setting = masha2("zero", n=2, half_dim=1, mu=1.0, delta=0.3)

    def check(*, rate: float = 0.1, **changes: Any) -> UpperBound:
        experiment = Experiment(
            "masha2", setting.run(**changes), LATE, {"reference": reference}, lanes=16
        )

        def bound() -> Array:
            # After k steps the state holds m^{k-1}.
            if rate == 0.1:
                return np.asarray(setting.bound(M2, np.asarray(LATE) - 1, setting.initial))
            gamma, mu = setting.value("gamma"), setting.value("mu")
            left = (1 - rate * gamma * mu) ** (np.asarray(LATE) - 1.0)
            return np.asarray((2 - setting.value("p")) * setting.initial * left)

        return UpperBound(experiment, "reference", bound)

    gamma = setting.value("gamma")
    return case(
        setting,
        check,
        wrong("30 times the rate", r"a false claim: $1 - 3\gamma\mu$", rate=3.0),
        wrong("gamma 3,000 times as long", "beyond what converges", gamma=3000 * gamma),
        null("gamma 100 times as long", "far beyond the theorem's step", gamma=100 * gamma),
    )


# How long a step may be is an assumption, which the control with a longer one breaks.
OPTIMISTIC = {
    "ell": r"beside the assumption it stands in the factor of the start, as $\gamma\ell \le 1/8$",
    "mu": r"the proof keeps half of the rate: $\gamma\mu/2$, where runs show $\gamma\mu$ and more",
}


def _claim(
    name: str, title: str, theorem: Theorem, prepare: Callable[..., Case], **fields: Any
) -> Claim:
    return Claim(
        id=f"distributed_methods/{name}/runs",
        title=title,
        theorem=theorem,
        prepare=grid(prepare, coupling=SIZES),
        **fields,
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("extragradient", "Runs of extragradient", E, _extragradient),
    _claim("sliding", "Runs of extragradient sliding", S, _sliding),
    _claim("similarity", "Runs of sliding without a pull", V8, _similarity),
    _claim("masha1", "Runs of MASHA1 with PermK", M1, _masha1),
    _claim(
        "optimistic-masha",
        "Runs of Optimistic MASHA with PermK",
        OM,
        _optimistic,
        not_tested=OPTIMISTIC,
    ),
    _claim("svogs", "Runs of SVOGS with two clients of four", SV, _svogs, not_tested=OPTIMISTIC),
    Claim(
        id="distributed_methods/local/runs",
        title="Local extragradient stops at a distance from the solution",
        theorem=LE,
        prepare=grid(_local, instance=LOCAL),
        x_label="round $k$",
    ),
    Claim(
        id="distributed_methods/masha2/runs",
        title="MASHA2 with TopK, at the theorem's step",
        theorem=M2,
        prepare=_masha2,
        not_tested={
            "mu": r"the proof keeps a twentieth of the rate: $\gamma\mu/10$ for $2\gamma\mu$"
        },
    ),
)
