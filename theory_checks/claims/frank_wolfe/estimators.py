r"""The SARAH/PAGE estimator of Sarah Frank-Wolfe, and one step of the method: F1, F1b, F2, F3b."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import random_least_squares
from optzoo.theorems.frank_wolfe import F1, F1_ALONG_RUNS, F1_ON_A_LINE, F1B, F2, F3B_LYAPUNOV

from ...checks import ExactIdentity, ExactInequality, SampledIdentity, UpperBound
from ...claim import Case, Claim, grid
from ...controls import controls, mutant, null, wrong
from ...setting import Stated
from ...simulation import Experiment, Process
from . import mutants
from .enumeration import (
    BATCH,
    SAMPLES,
    SMALL,
    descent_step,
    estimator_moments,
    lyapunov_step,
    small_sarah,
)
from .processes import (
    IDENTITY_TERMS,
    Method,
    OnALine,
    ReusedBatch,
    SarahRun,
    line_test,
    noise_tight_sarah,
    step_table,
    variance_factor,
)
from .settings import OnRun, exactly

__all__ = ["CLAIMS", "SAMPLINGS"]

Array = NDArray[np.float64]

# --- F1, exactly ---

SAMPLINGS = ("with replacement", "without replacement")


@cache
def _moments(replacement: bool, reuse_batch: bool) -> tuple[Array, Array, Array]:
    return estimator_moments(small_sarah(p=0.3, replacement=replacement), reuse_batch=reuse_batch)


def _identity(sampling: str) -> Case:
    replacement = sampling == "with replacement"
    run = small_sarah(p=0.3, replacement=replacement)
    setting = OnRun(f"{SMALL}, batches of {BATCH}, 8 random states", run)

    def check(*, reuse_batch: bool = False, scale: float = 1.0, **changes: float) -> ExactIdentity:
        def compute() -> tuple[Array, Array]:
            after, before, variance = _moments(replacement, reuse_batch)
            return after, scale * setting.bound(F1, before, variance, **changes)

        return ExactIdentity(compute, what="all batches and coins of two steps enumerated")

    return Case(
        setting,
        check(),
        controls(
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
        ),
    )


# --- F1 along runs, and F1b: sampled ---

STEP = 0.02
LEAST_SQUARES = r"least squares, $n = 64$, $d = 10$, over the $\ell_1$ ball of radius 3"


def _least_squares(steps: int, method: Method = optzoo.sarah_frank_wolfe) -> SarahRun:
    constraint = optzoo.lmo.l1_ball(3.0)
    problem = random_least_squares(64, 10, 7)
    return SarahRun(
        problem=problem,
        constraint=constraint,
        x0=constraint.lmo(jnp.zeros(problem.dim)),
        steps=step_table(STEP, steps),
        restart_probability=jnp.asarray(0.1),
        f_star=jnp.asarray(0.0),
        batch_size=32,
        replacement=False,
        method=method,
    )


def _itself(run: SarahRun) -> Process:
    return run


def _along_runs() -> Case:
    steps = 400
    setting = OnRun(f"{LEAST_SQUARES}, {steps} steps", _least_squares(steps), chosen={"eta": STEP})

    def check(
        method: Method = optzoo.sarah_frank_wolfe,
        process: Callable[[SarahRun], Process] = _itself,
        numbers: str = "AlongTheRun",
        scale: float = 1.0,
        **changes: float,
    ) -> SampledIdentity:
        name = f"estimator-along-runs-sarah_frank_wolfe-{numbers}"
        run = process(_least_squares(steps, method))
        return SampledIdentity(
            Experiment(name, run, (steps,), IDENTITY_TERMS, lanes=16),
            left=lambda sums: sums["after"],
            right=lambda sums: (
                scale * setting.bound(F1_ALONG_RUNS, sums["before"], sums["variance"], **changes)
            ),
        )

    return Case(
        setting,
        check(),
        controls(
            check,
            wrong("wrong nu", "1/b although sampled without replacement", nu=1 / 32),
            wrong("forgotten (1-p)", "the factor $1-p$ is left out", scale=1 / (1 - 0.1)),
            mutant(mutants.restarted_half_as_often),
            wrong(
                "batch reused",
                "every batch serves two consecutive steps",
                process=ReusedBatch,
                numbers="ReusedBatch",
            ),
        ),
    )


LENGTH, LINE_CHECKPOINTS = 0.1, (2, 3, 5, 8, 13, 21, 40, 80)


def _line_run(method: Method = optzoo.sarah_frank_wolfe) -> OnALine:
    return line_test(restart_probability=0.2, step=LENGTH, batch_size=2, method=method)


def _line(method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    name = "line-80-sarah_frank_wolfe-LineTest"
    return Experiment(name, _line_run(method), LINE_CHECKPOINTS, lanes=32)


def _line_setting() -> OnRun:
    run = _line_run().run
    assert isinstance(run, SarahRun)
    text = r"$f_i(x) = \pm x^2/2$, points $x^k = kh$ whatever the estimate, so $V_k = h^2$"
    return OnRun(text, run, chosen={"h": LENGTH})


def _line_error(setting: OnRun) -> Array:
    """What is seen after k calls was formed at x^{k-1}."""
    error: Array = setting.bound(F1_ON_A_LINE, LENGTH, np.asarray(LINE_CHECKPOINTS) - 1)
    return error


def _on_a_line() -> Case:
    setting = _line_setting()
    exact = _line_error(setting)

    def check(method: Method = optzoo.sarah_frank_wolfe, scale: float = 1.0) -> SampledIdentity:
        return SampledIdentity(
            _line(method),
            left=lambda metrics: metrics["squared_error"],
            right=lambda metrics: scale * exact,
            looks=32,
        )

    return Case(
        setting,
        check(),
        controls(
            check,
            mutant(mutants.never_restarted),
            mutant(mutants.constant_batch),
            wrong("forgotten (1-p)", "exact values divided by $1-p$", scale=1 / (1 - 0.2)),
        ),
    )


BOUNDED_CHECKPOINTS = (5, 10, 20, 40, 80, 160, 320, 640)


def _bounded() -> Case:
    steps = BOUNDED_CHECKPOINTS[-1]
    run = _least_squares(steps)
    setting = OnRun(f"{LEAST_SQUARES}, {steps} steps", run, chosen={"eta": STEP})
    bound = setting.bound(F1B, np.asarray(run.steps))[np.asarray(BOUNDED_CHECKPOINTS) - 1]

    def check(method: Method = optzoo.sarah_frank_wolfe, scale: float = 1.0) -> UpperBound:
        name, run = "estimator-bounded-sarah_frank_wolfe", _least_squares(steps, method)
        experiment = Experiment(name, run, BOUNDED_CHECKPOINTS, lanes=16)
        return UpperBound(experiment, "squared_error", scale * bound)

    def at_equality() -> UpperBound:
        return UpperBound(_line(), "squared_error", _line_error(_line_setting()))

    equality = "the line test's exact mean as a bound: equality, so nothing may be refuted"
    return Case(
        setting,
        check(),
        (
            *controls(
                check,
                wrong("bound divided by ten", "a false claim: a tenth of the bound", scale=0.1),
                mutant(mutants.never_restarted),
            ),
            *controls(at_equality, null("null", equality)),
        ),
    )


# --- F2 and F3b: one step, exactly ---


CURVATURES = {"L = 0": 0.0, "L = 1/2": 0.5, "L = 2": 2.0}


def _descent(case: str) -> Case:
    curvature = CURVATURES[case]
    setting = Stated(
        f"$f(x) = cx + {curvature} x^2/2$ on $[-1, 1]$, with an estimate off by a given error",
        {
            "D": exactly(2.0, "length of [-1, 1]"),
            "L": exactly(curvature, "the second derivative of f"),
        },
        {"steps": "0.1, 0.5 and 1"},
    )

    def check(
        method: Method = optzoo.sarah_frank_wolfe, error: float = 1.0, **changes: float
    ) -> ExactInequality:
        def sides() -> tuple[Array, Array]:
            left, steps, off = descent_step(curvature, method)
            return left, setting.bound(F2, steps, error * off, **changes)

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
    return Case(
        setting, check(), controls(check, smaller, mutant(mutants.wrong_sign_of_the_oracle))
    )


def _lyapunov() -> Case:
    eta = 0.2
    run = noise_tight_sarah(
        slope=1.0,
        restart_probability=0.4,
        batch_size=BATCH,
        steps=jnp.full(4, eta),
        num_samples=SAMPLES,
    )
    text = r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = 4$, $c$ from 0.02 to 1"
    setting = OnRun(text, run, chosen={"step": eta})
    weight, bound = setting.of(F3B_LYAPUNOV).M, setting.bound(F3B_LYAPUNOV, eta)

    def check(
        method: Method = optzoo.sarah_frank_wolfe, scale: float = 1.0, share: float = 1.0
    ) -> ExactInequality:
        def sides() -> tuple[Array, Array]:
            measured = lyapunov_step(replace(run, method=method), share * weight)
            return measured, np.full(len(measured), scale * bound)

        return ExactInequality(
            sides, what="all batches and coins of a step, on a grid of slopes, points and estimates"
        )

    return Case(
        setting,
        check(),
        controls(
            check,
            wrong("A divided by 1.1", "a false claim: a smaller constant", scale=1 / 1.1),
            wrong("M halved", "a false claim: another weight of the squared error", share=0.5),
            mutant(mutants.wrong_sign_of_the_oracle),
        ),
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
        id="frank_wolfe/sarah/one-step/descent",
        title="One step with an inexact gradient",
        theorem=F2,
        prepare=grid(_descent, case=CURVATURES),
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
