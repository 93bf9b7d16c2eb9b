# SPDX-License-Identifier: Apache-2.0
r"""The SARAH/PAGE estimator of Sarah Frank-Wolfe, and one step of the method: F1, F1b, F2, F3b."""

from dataclasses import replace
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.theorems.frank_wolfe import (
    F1,
    F1_ALONG_RUNS,
    F1_ON_A_LINE,
    F1B,
    F2,
    F3B_LYAPUNOV,
    variance_factor,
)

from ...checks import ExactIdentity, ExactInequality, SampledIdentity, UpperBound
from ...claim import Case, Claim, grid
from ...controls import Sides, case, controls, mutant, null, wrong
from ...setting import Stated, chosen
from . import mutants
from .enumeration import (
    BATCH,
    SAMPLES,
    SMALL,
    descent_step,
    estimator_moments,
    first_errors,
    lyapunov_step,
    small,
)
from .instances import least_squares, noise_tight
from .processes import Method, OnALine, ReusedBatch, SarahRun, step_table
from .settings import OnRun
from .watches import IDENTITY_TERMS

__all__ = ["CLAIMS", "CLOSEST_FIRST", "SAMPLINGS"]

Array = NDArray[np.float64]

# --- F1, exactly ---

SAMPLINGS = ("with replacement", "without replacement")


def _identity(sampling: str) -> Case:
    replacement = sampling == "with replacement"
    run = small().sarah(jnp.full(4, 0.3), 0.3, BATCH, replacement=replacement)
    setting = OnRun(small(), run, f"{SMALL}, batches of {BATCH}, 8 random states")
    moments = cache(partial(estimator_moments, run))

    def check(*, reuse_batch: bool = False, scale: float = 1.0, **changes: float) -> ExactIdentity:
        def compute() -> Sides:
            after, before, variance = moments(reuse_batch=reuse_batch)
            return after, lambda: scale * setting.bound(F1, before, variance, **changes)

        return ExactIdentity(compute, what="all batches and coins of two steps enumerated")

    return case(
        setting,
        check,
        wrong(
            "wrong nu",
            "the variance factor of the other kind of sampling",
            nu=variance_factor(SAMPLES, BATCH, replacement=not replacement),
        ),
        wrong(
            "forgotten (1-p)",
            r"the prediction $e_k^2 + \nu V_k$, without the factor $1-p$",
            scale=1 / (1 - 0.3),
        ),
        wrong(
            "batch reused",
            "the second step takes the batch of the first, on which its point depends",
            reuse_batch=True,
        ),
    )


# --- F1 along runs, and F1b: sampled ---

STEP = 0.02


def _on_least_squares(name: str, checkpoints: tuple[int, ...]) -> OnRun[SarahRun]:
    place, steps = least_squares(64, 10, 7, 3.0), checkpoints[-1]
    return OnRun(
        place,
        place.sarah(step_table(STEP, steps), 0.1, 32, replacement=False),
        f"{place.words}, {steps} steps",
        chosen={"eta": STEP},
        name=name,
        checkpoints=checkpoints,
        lanes=16,
    )


def _along_runs() -> Case:
    name = "estimator-along-runs-sarah_frank_wolfe"
    setting = _on_least_squares(f"{name}-AlongTheRun", (400,))
    reused = replace(
        setting.experiment(), name=f"{name}-ReusedBatch", process=ReusedBatch(setting.run)
    )

    def check(
        method: Method | None = None,
        *,
        reuse_batch: bool = False,
        scale: float = 1.0,
        **changes: float,
    ) -> SampledIdentity:
        experiment = reused if reuse_batch else setting.experiment(method)
        return SampledIdentity(
            replace(experiment, watch=IDENTITY_TERMS),
            left=lambda sums: sums["after"],
            right=lambda sums: (
                scale * setting.bound(F1_ALONG_RUNS, sums["before"], sums["variance"], **changes)
            ),
        )

    return case(
        setting,
        check,
        wrong("wrong nu", "1/b although sampled without replacement", nu=1 / 32),
        wrong("forgotten (1-p)", "the factor $1-p$ is left out", scale=1 / (1 - 0.1)),
        mutant(mutants.restarted_half_as_often),
        wrong("batch reused", "every batch serves two consecutive steps", reuse_batch=True),
    )


LENGTH = 0.1


def _line() -> OnRun[SarahRun]:
    """The line test."""
    place = noise_tight(0.0, start=0.0)
    return OnRun(
        place,
        place.sarah(jnp.full(1, LENGTH), 0.2, 2, method=OnALine(optzoo.sarah_frank_wolfe)),
        r"$f_i(x) = \pm x^2/2$, points $x^k = kh$ whatever the estimate, so $V_k = h^2$",
        chosen={"h": LENGTH},
        name="line-80-sarah_frank_wolfe-LineTest",
        checkpoints=(2, 3, 5, 8, 13, 21, 40, 80),
        lanes=32,
    )


def _error_on(line: OnRun[SarahRun]) -> Array:
    """The error there: what is seen after k calls was formed at x^{k-1}."""
    found: Array = line.bound(F1_ON_A_LINE, LENGTH, np.asarray(line.checkpoints) - 1)
    return found


def _on_a_line() -> Case:
    setting = _line()

    def check(method: Method = optzoo.sarah_frank_wolfe, scale: float = 1.0) -> SampledIdentity:
        return SampledIdentity(
            setting.experiment(OnALine(method)),
            left=lambda metrics: metrics["squared_error"],
            right=lambda metrics: scale * _error_on(setting),
            looks=32,
        )

    return case(
        setting,
        check,
        mutant(mutants.never_restarted),
        mutant(mutants.constant_batch),
        wrong("forgotten (1-p)", "exact values divided by $1-p$", scale=1 / (1 - 0.2)),
    )


def _bounded() -> Case:
    setting = _on_least_squares(
        "estimator-bounded-sarah_frank_wolfe", (5, 10, 20, 40, 80, 160, 320, 640)
    )

    def check(method: Method | None = None) -> UpperBound:
        return UpperBound(
            setting.experiment(method), "squared_error", lambda: setting.along(F1B, first=1)
        )

    def at_equality() -> UpperBound:
        line = _line()
        return UpperBound(line.experiment(), "squared_error", _error_on(line))

    equality = "the line test's exact mean as a bound: equality, so nothing may be refuted"
    return Case(
        setting,
        check(),
        (
            *controls(
                check,
                mutant(mutants.never_restarted),
            ),
            *controls(at_equality, null("null", equality)),
        ),
    )


# --- F1b where it is attained ---

FIRST_STEP, UNITS = (1.0, 0.01), {"sigma = 1": 1.0, "sigma = 0.1": 0.1, "sigma = 10": 10.0}
"""From end to end of the interval, then hardly any further."""


def _attained(noise: str) -> Case:
    place = noise_tight(UNITS[noise], n=SAMPLES, noise=UNITS[noise])
    steps = jnp.pad(jnp.array(FIRST_STEP), (0, 2))
    setting = OnRun(
        place,
        place.sarah(steps, 0.2, BATCH, replacement=False),
        rf"$f_i(x) = cx \pm \sigma x^2/2$ on $[-1, 1]$, $n = {SAMPLES}$, from the end",
        chosen={"steps": "1 and 0.01"},
    )

    def check(**changes: float) -> ExactInequality:
        def sides() -> Sides:
            return first_errors(setting.run), lambda: setting.bound(F1B, FIRST_STEP, **changes)[1:]

        return ExactInequality(sides, what="all batches and coins of the first steps")

    return case(
        setting,
        check,
        wrong("D divided by 1.1", "a false claim: a smaller set", D=2 / 1.1),
        wrong("p times 1.1", "a false claim: more restarts", p=0.22),
    )


# --- F2 and F3b: one step, exactly ---

CURVATURES = {"L = 0": 0.0, "L = 1/2": 0.5, "L = 2": 2.0}


def _descent(kind: str) -> Case:
    curvature = CURVATURES[kind]
    setting = Stated(
        f"$f(x) = cx + {curvature} x^2/2$ on $[-1, 1]$, with an estimate off by a given error",
        chosen(D=2.0, L=curvature),
        {"steps": "0.1, 0.5 and 1"},
    )

    def check(
        method: Method = optzoo.sarah_frank_wolfe, error: float = 1.0, **changes: float
    ) -> ExactInequality:
        def sides() -> Sides:
            left, steps, off = descent_step(curvature, method)
            return left, lambda: setting.bound(F2, steps, error * off, **changes)

        return ExactInequality(
            sides, what="a grid over slopes, steps, points and errors of the gradient"
        )

    smaller = (
        wrong(
            "L divided by 1.1",
            "a false claim: the curvature term with a smaller L",
            L=curvature / 1.1,
        )
        if curvature > 0
        else wrong(
            "D divided by 1.1 in the error term",
            "a false claim: the error term with a smaller D",
            error=1 / 1.1,
        )
    )
    return case(setting, check, smaller, mutant(mutants.sarah_maximizing))


def _lyapunov() -> Case:
    eta, place = 0.2, noise_tight(1.0, n=SAMPLES)
    setting = OnRun(
        place,
        place.sarah(jnp.full(4, eta), 0.4, BATCH),
        r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = 4$, $c$ from 0.02 to 1",
        chosen={"step": eta},
    )
    weight = setting.of(F3B_LYAPUNOV).M

    def check(method: Method = optzoo.sarah_frank_wolfe, share: float = 1.0) -> ExactInequality:
        def sides() -> Sides:
            measured = lyapunov_step(replace(setting.run, method=method), share * weight)
            return measured, lambda: np.full(len(measured), setting.bound(F3B_LYAPUNOV, eta))

        return ExactInequality(
            sides, what="all batches and coins of a step, on a grid of slopes, points and estimates"
        )

    return case(
        setting,
        check,
        wrong("M halved", "a false claim: another weight of the squared error", share=0.5),
        mutant(mutants.sarah_maximizing),
    )


CLOSEST_FIRST = "state, the closest to the bound first"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/sarah/estimator/identity",
        title="The estimator's error, exactly",
        theorem=F1,
        prepare=grid(_identity, sampling=SAMPLINGS),
        x_label="random state",
    ),
    Claim(
        id="frank_wolfe/sarah/estimator/identity-along-runs",
        title="The estimator's error along whole runs",
        theorem=F1_ALONG_RUNS,
        prepare=_along_runs,
        not_shown="A deviation smaller than four standard errors would pass.",
    ),
    Claim(
        id="frank_wolfe/sarah/estimator/line-test",
        title="The estimator on a straight line, where its error is known",
        theorem=F1_ON_A_LINE,
        prepare=_on_a_line,
        not_shown="Points that depend on the estimate: see the identity along runs.",
    ),
    Claim(
        id="frank_wolfe/sarah/estimator/bound",
        title="The estimator's error is bounded",
        theorem=F1B,
        prepare=_bounded,
    ),
    Claim(
        id="frank_wolfe/sarah/estimator/attained",
        title="The bound of the estimator's error, where it is attained",
        theorem=F1B,
        prepare=grid(_attained, noise=UNITS),
        x_label=CLOSEST_FIRST,
        not_shown="More than two steps.",
    ),
    Claim(
        id="frank_wolfe/sarah/one-step/descent",
        title="One step with an inexact gradient",
        theorem=F2,
        prepare=grid(_descent, kind=CURVATURES),
        x_label=CLOSEST_FIRST,
        not_shown="One dimension, in which either term is attained; not every state of every set.",
    ),
    Claim(
        id="frank_wolfe/sarah/one-step/lyapunov",
        title="One step of the Lyapunov function",
        theorem=F3B_LYAPUNOV,
        prepare=_lyapunov,
        x_label=CLOSEST_FIRST,
    ),
)
