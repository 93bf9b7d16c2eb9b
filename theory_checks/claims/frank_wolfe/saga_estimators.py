# SPDX-License-Identifier: Apache-2.0
r"""The estimator of Saga Sarah Frank-Wolfe and its table: F5, exactly and on a line."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import optzoo
from optzoo.problems import Constant
from optzoo.theorems import Theorem
from optzoo.theorems.frank_wolfe import (
    F5,
    F5_EXACT,
    F5_LINE_ERROR,
    F5_LINE_STALENESS,
    F5_MIXING,
    F5_WHOLE_RUNS,
    index_probability,
    variance_factor,
)

from ...checks import ExactIdentity, ExactInequality, Minimizer, UpperBound
from ...claim import Case, Claim, grid
from ...controls import Sides, case, mutant, wrong
from ...simulation import Experiment, Process, Sweep, of_each
from . import mutants
from .enumeration import BATCH, SAMPLES, SMALL, small
from .estimators import CLOSEST_FIRST, SAMPLINGS
from .instances import Instance, noise_tight
from .processes import Method, OnALine, SagaRun, StaleTable, with_mixing
from .saga_enumeration import Outcome, after_a_step, attained_step, tight, whole_runs
from .settings import OnRun
from .watches import squared_error

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

# The table keeps the gradients at the new point; the other convention is as good.
REFRESHES: dict[str, Method] = {
    "new gradients": optzoo.saga_sarah_frank_wolfe,
    "old gradients": mutants.refreshed_with_old,
}
TIGHT = r"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $n = 4$, from the end"


def _setting(
    place: Instance, text: str, sampling: str, refresh: str, *, warm: bool = True
) -> OnRun[SagaRun]:
    run = place.saga(
        jnp.full(4, 0.3),
        BATCH,
        replacement=sampling == "with replacement",
        warm=warm,
        method=REFRESHES[refresh],
    )
    return OnRun(place, run, text, chosen={"table refreshed with": refresh})


# --- The error and the staleness after one step, exactly ---


def _identity(sampling: str, refresh: str) -> Case:
    new, other = refresh == "new gradients", sampling != "with replacement"
    text = f"{SMALL}, batches of {BATCH}, 8 random states and tables"
    setting = _setting(small(), text, sampling, refresh)
    a = setting.constants["a"].value

    @cache
    def outcome(method: Method, shift: int) -> Outcome:
        return after_a_step(replace(setting.run, method=method), shift=shift)

    def check(
        method: Method = REFRESHES[refresh], shift: int = 0, **changes: float
    ) -> ExactIdentity:
        def compute() -> Sides:
            found = outcome(method, shift)
            exact = partial(setting.bound, F5_EXACT, *found[2:], refreshed_with_new=new, **changes)
            return np.concatenate(found[:2]), lambda: np.concatenate(exact())

        return ExactIdentity(compute, what="all batches of a step enumerated")

    swapped = wrong(
        "the other refresh",
        "the method with the other convention of the table",
        method=REFRESHES["old gradients" if new else "new gradients"],
    )
    mistakes = (
        wrong(
            "wrong nu",
            "the variance factor of the other kind of sampling",
            nu=variance_factor(SAMPLES, BATCH, replacement=other),
        ),
        wrong(
            "wrong refresh probability",
            "the probability $a$ of the other kind of sampling",
            a=index_probability(SAMPLES, BATCH, replacement=other),
        ),
        wrong("lambda halved", "the prediction for another mixing than the method's", mixing=a / 4),
        mutant(mutants.refreshed_too_early),
        wrong(
            "wrong rows",
            "the table is read and written at the rows beside those of the batch",
            shift=1,
        ),
    )
    return case(setting, check, swapped, *(mistakes if new else ()))


# --- F5 after one step, where it is attained ---


NOISES = {"": 1.0, "a tenth of the noise": 0.1, "ten times the noise": 10.0}
"""Other units of f, which tell powers apart."""


def _one_step(sampling: str, refresh: str, noise: str) -> Case:
    new = refresh == "new gradients"
    text = f"{TIGHT}, rows equally stale{', ' if noise else ''}{noise}"
    setting = _setting(tight(NOISES[noise]), text, sampling, refresh)
    nu, a = setting.constants["nu"].value, setting.constants["a"].value

    @cache
    def step() -> tuple[Array, ...]:
        return attained_step(setting.run)

    def check(share: float = 1.0, old: float = 1.0, **changes: float) -> ExactInequality:
        """`share` of the staleness is told to the error's bound, `old` of what an old row adds."""

        def after(eta: float, error: float, stale: float) -> tuple[float, float]:
            bound = partial(setting.bound, F5, [eta], E_0=error, **changes)
            told, kept = bound(Y_0=share * stale)[0][1], bound(Y_0=stale)[1][1]
            if new:
                return told, kept
            all_of_it = bound(Y_0=stale, refreshed_with_new=False)[1][1]
            return told, kept + old * (all_of_it - kept)

        def sides() -> Sides:
            *before, error, stale = step()

            def bounds() -> Array:
                return np.array([after(*state) for state in zip(*before, strict=True)]).T.ravel()

            return np.concatenate([error, stale]), bounds

        return ExactInequality(
            sides, what="all batches of a step, on a grid of steps, errors and stale tables"
        )

    changes = (
        (
            wrong("nu divided by 1.1", "a false claim: less noise", nu=nu / 1.1),
            wrong(
                "staleness halved in the noise",
                r"a false claim: $\lambda\sqrt{Y_k}/2$ in place of $\lambda\sqrt{Y_k}$",
                share=1 / 4,
            ),
            wrong(
                "1 - a divided by 1.1",
                "a false claim: a table that is refreshed faster",
                a=1 - (1 - a) / 1.1,
            ),
        )
        if new
        else (
            wrong(
                "the new refresh's bound for the old refresh",
                r"without the term $a (\tilde L D \eta_k)^2$",
                old=0.0,
            ),
            wrong(
                "nine tenths of that term", "a false claim: it is attained as it stands", old=0.9
            ),
        )
    )
    return case(setting, check, *(() if noise else changes))


# --- F5 along whole runs, all sequences of batches ---

STEPS = (0.6, 0.3, 0.8, 0.5)
STARTS = ("table of first gradients", "table of zeros")
INSTANCES: dict[str, tuple[Callable[[], Instance], str]] = {
    "one dimension": (tight, TIGHT),
    "least squares": (small, SMALL),
}


def _whole_runs(instance: str, sampling: str, start: str, refresh: str) -> Case:
    make, text = INSTANCES[instance]
    setting = _setting(make(), text, sampling, refresh, warm=start == STARTS[0])

    @cache
    def moments() -> Array:
        return np.stack(whole_runs(replace(setting.run, steps=jnp.array(STEPS))))

    def check(new: bool = refresh == "new gradients") -> ExactInequality:
        def sides() -> Sides:
            measured = moments()

            def bounds() -> Array:
                along = setting.bound(F5_WHOLE_RUNS, STEPS, refreshed_with_new=new)
                return np.stack(along)[:, : measured.shape[1]]

            positive = bounds() > 0
            return measured[positive], lambda: bounds()[positive]

        return ExactInequality(sides, what="all sequences of batches of the first 3 or 4 calls")

    changes = (
        wrong(
            "the new refresh's bound for the old refresh",
            r"without the term $a (\tilde L D \eta_k)^2$",
            new=True,
        ),
    )
    bites = (instance, start, refresh) == ("one dimension", STARTS[0], "old gradients")
    return case(setting, check, *(changes if bites else ()))


# --- The line test: F5 with exogenous points ---

LENGTH = 0.1
MULTIPLES = (0.125, 0.25, 0.5, 1.0, 2**0.5, 2.0, 4.0, 8.0)


def _line(**chosen: float | str) -> OnRun[SagaRun]:
    place, checkpoints = noise_tight(0.0, start=0.0), (160, 226, 320, 452, 640, 905, 1280)
    method, steps = OnALine(optzoo.saga_sarah_frank_wolfe), jnp.full(checkpoints[-1], LENGTH)
    return OnRun(
        place,
        place.saga(steps, 4, replacement=False, method=method),
        r"$f_i(x) = \pm x^2/2$, $n = 64$, points $x^k = kh$ whatever the estimate",
        {"D": Constant(1.0, "exact", derivation="the steps are lengths: $D \\eta_k = h$")},
        {"h": LENGTH, **chosen},
        name="saga-line-SagaLine-saga_sarah_frank_wolfe-None",
        checkpoints=checkpoints,
        lanes=32,
    )


def _on_a_line(theorem: Theorem, metric: str) -> Case:
    setting = _line()
    # What is seen after k calls belongs to x^{k-1}.
    experiment = setting.experiment()

    def check(
        method: Method = optzoo.saga_sarah_frank_wolfe,
        change: Callable[[SagaRun], Process] = lambda run: run,
    ) -> UpperBound:
        run = change(replace(setting.run, method=OnALine(method)))
        return UpperBound(
            replace(experiment, process=run),
            metric,
            lambda: setting.along(theorem, first=1),
        )

    changes = [
        wrong(
            "stale indices",
            "the table is read and written at the indices of the batch before",
            change=StaleTable,
        ),
    ]
    if metric == "squared_error":
        changes += [
            mutant(mutants.never_mixed),
            wrong(
                "lambda = 1",
                r"pure SAGA mixing, against the bound for $\lambda = b/2n$",
                change=partial(with_mixing, mixing=jnp.asarray(1.0)),
            ),
        ]
    return case(setting, check, *changes)


def _mixing() -> Case:
    setting = _line(**{"lambda": "b/2n times 1/8 to 8"})
    sweep = Sweep(setting.run, setting.run.mixing * jnp.asarray(MULTIPLES), with_mixing)
    experiment = Experiment(
        "saga-line-mixing",
        sweep,
        # Past 10 n/b steps the error is stationary; the points are far enough apart to differ.
        tuple(range(200, 680, 40)),
        of_each("squared_error", squared_error, len(MULTIPLES)),
        lanes=16,
    )

    def check(window: tuple[float, float] = (1.0, 2.0)) -> Minimizer:
        return Minimizer(MULTIPLES, experiment, "squared_error", window, looks=8)

    return case(
        setting,
        check,
        wrong("optimum at 4 to 8", "a false claim: a larger lambda", window=(4.0, 8.0)),
        wrong("optimum at 1/8 to 1/2", "a false claim: a smaller lambda", window=(0.125, 0.5)),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="frank_wolfe/saga/estimator/identity",
        title="Error and staleness after one step, exactly",
        theorem=F5_EXACT,
        prepare=grid(_identity, sampling=SAMPLINGS, refresh=REFRESHES),
        x_label="random state",
    ),
    Claim(
        id="frank_wolfe/saga/one-step/estimator",
        title="One step of error and staleness, where the bounds are attained",
        theorem=F5,
        prepare=grid(
            _one_step,
            where=lambda sampling, refresh, noise: (
                not noise or (sampling, refresh) == (SAMPLINGS[0], "new gradients")
            ),
            sampling=SAMPLINGS,
            refresh=REFRESHES,
            noise=NOISES,
        ),
        x_label=CLOSEST_FIRST,
        not_shown="One dimension, in which both inequalities are equalities.",
    ),
    Claim(
        id="frank_wolfe/saga/estimator/whole-runs",
        title="Error and staleness along whole runs, every sequence of batches",
        theorem=F5_WHOLE_RUNS,
        prepare=grid(
            _whole_runs, instance=INSTANCES, sampling=SAMPLINGS, start=STARTS, refresh=REFRESHES
        ),
        x_label="case, the closest to the bound first",
    ),
    Claim(
        id="frank_wolfe/saga/estimator/line-error",
        title="The estimator on a straight line",
        theorem=F5_LINE_ERROR,
        prepare=partial(_on_a_line, F5_LINE_ERROR, "squared_error"),
    ),
    Claim(
        id="frank_wolfe/saga/estimator/line-staleness",
        title="The table on a straight line",
        theorem=F5_LINE_STALENESS,
        prepare=partial(_on_a_line, F5_LINE_STALENESS, "staleness"),
    ),
    Claim(
        id="frank_wolfe/saga/estimator/mixing",
        title="The mixing with the smallest error",
        theorem=F5_MIXING,
        prepare=_mixing,
        x_label=r"$\lambda$ in units of $b/2n$",
    ),
)
