r"""Convergence of Saga Sarah Frank-Wolfe on convex functions, F6, and F5 on the same runs."""

from dataclasses import replace
from functools import cache, partial

import numpy as np

import optzoo

from ....checks import UpperBound
from ....claim import Case, Claim, Control
from ....mutants import saga_frank_wolfe as mutants
from ....simulation import Experiment
from ..bounds import Saga
from ..paper import SAGA_PARTNERS, saga_claim
from ..process import step_table, variance_factor
from .process import Method, SagaRun, noise_tight_saga, refresh_probability
from .settings import CONVEX_SETTINGS, ESTIMATOR, SCHEDULES, SMOOTH, SUBOPTIMALITY, Setting, names

__all__ = ["CLAIMS"]

RECURSION = (
    r"$$E[f(x^k) - f^*] \le R_k,\quad R_{k+1} = (1-\eta_k) R_k + \eta_k D \sqrt{\bar E_k} "
    r"+ \tfrac{L}{2} D^2 \eta_k^2,\quad R_0 = f(x^0) - f^*$$ " + ESTIMATOR
)


CONVEX = (r"$f$ convex", *SMOOTH)


# --- F6: any steps ---


def _recursion_case(setting: Setting) -> Case:
    at = np.asarray(setting.checkpoints)
    bound = setting.bounds.convex(setting.steps)[at]

    def check(method: Method = optzoo.saga_sarah_frank_wolfe) -> UpperBound:
        experiment = setting.experiment(method)
        return UpperBound(
            experiment, "suboptimality", bound, uncertainty=setting.place.f_star.width
        )

    return Case(
        problem=setting.place.description,
        constants=setting.place.constants,
        parameters=setting.parameters,
        check=check(),
        controls=(
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes where it should minimize",
                check(mutants.wrong_sign_oracle),
            ),
        )
        if setting.set_name == "l1_ball"
        else (),
    )


def _recursion_claim(setting: Setting) -> Claim:
    label, words = names(setting.problem, setting.set_name)
    return saga_claim(
        id=f"frank_wolfe/saga/convex/{label}-{setting.schedule}",
        title=f"Convex rate without full gradients, {words}, {setting.schedule} steps",
        source="convex theorem on Saga Sarah Frank-Wolfe; explicit form F6, any steps",
        theorem="F6",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=partial(_recursion_case, setting),
        pairs_with=SAGA_PARTNERS,
        not_shown=(
            "One instance from one start, past its first $5n/b$ steps. The bound is for the worst "
            "one; where the run is vacuous it says nothing about the constants: its partners do."
        ),
    )


# --- F5 on the same runs ---


def _estimator_case(setting: Setting, metric: str) -> Case:
    error, staleness = setting.bounds.estimator(setting.steps)
    # What is seen after k calls belongs to x^{k-1}.
    bound = (error if metric == "squared_error" else staleness)[np.asarray(setting.checkpoints) - 1]

    def check(scale: float = 1.0) -> UpperBound:
        return UpperBound(setting.experiment(), metric, scale * bound)

    return Case(
        problem=setting.place.description,
        constants=setting.place.constants,
        parameters=setting.parameters,
        check=check(),
    )


def _estimator_claim(setting: Setting, name: str, metric: str, symbol: str, bound: str) -> Claim:
    label, words = names(setting.problem, setting.set_name)
    return saga_claim(
        id=f"frank_wolfe/saga/estimator/{name}-{label}",
        title=f"{name.capitalize()} along the run, {words}",
        source="lemma on the estimator of Saga Sarah Frank-Wolfe; explicit form F5",
        theorem="F5",
        statement=f"$${symbol} \\le {bound}$$ {ESTIMATOR}",
        assumptions=SMOOTH,
        kind="upper_bound",
        metric=symbol,
        unit="iteration",
        output="estimate" if metric == "squared_error" else "table",
        prepare=partial(_estimator_case, setting, metric),
        pairs_with=SAGA_PARTNERS,
        not_shown="The worst case, which the line test and the one-step claim attain.",
    )


# --- The instance on which the noise decides ---

TIGHT = {"c": 0.02, "n": 64, "b": 2}
TIGHT_HORIZON = 12_800


@cache
def _tight(method: Method, mixing: float | None = None) -> Experiment:
    n, b = int(TIGHT["n"]), int(TIGHT["b"])
    a = refresh_probability(n, b, replacement=False)
    run = noise_tight_saga(
        SagaRun,
        num_samples=n,
        batch_size=b,
        steps=step_table(optzoo.open_loop_schedule(8 / a), TIGHT_HORIZON),
        slope=TIGHT["c"],
        mixing=mixing,
        method=method,
    )
    checkpoints = np.unique(np.round(np.geomspace(10 / a, TIGHT_HORIZON, 12)).astype(int))
    name = f"saga-tight-{method.__name__}-{mixing}"
    return Experiment(name, run, tuple(checkpoints.tolist()), lanes=16)


def _tight_case() -> Case:
    n, b, c = int(TIGHT["n"]), int(TIGHT["b"]), TIGHT["c"]
    a = refresh_probability(n, b, replacement=False)
    nu = variance_factor(n, b, replacement=False)
    bounds = Saga(L=0.0, L_pm=1.0, L_tilde=1.0, D=2.0, a=a, mixing=a / 2, nu=nu, r_0=2 * c)
    honest = _tight(optzoo.saga_sarah_frank_wolfe)
    at = np.asarray(honest.checkpoints)
    steps = np.asarray(step_table(optzoo.open_loop_schedule(8 / a), TIGHT_HORIZON))
    bound = bounds.convex(steps)[at]

    def check(experiment: Experiment = honest) -> UpperBound:
        return UpperBound(experiment, "suboptimality", bound)

    run = honest.process
    assert isinstance(run, SagaRun)
    return Case(
        problem=(
            rf"$f_i(x) = cx \pm x^2/2$ on $[-1, 1]$, $c = {c}$, $n = {n}$: $L = 0$, so that the "
            "only error is the estimator's"
        ),
        constants=run.problem.constants,
        parameters={
            "lambda": a / 2,
            "batch size": b,
            "replacement": "False",
            "table": "first gradients",
            "steps": f"${SCHEDULES['table']}$",
        },
        check=check(),
        controls=(
            Control(
                "lambda = 0",
                "the table is never looked at: SARAH without restarts",
                check(_tight(mutants.never_mixed)),
            ),
            Control(
                "noise term divided by 40",
                r"a false claim: the bound with $L_\pm/40$ and $\tilde L/40$",
                UpperBound(
                    honest,
                    "suboptimality",
                    replace(bounds, L_pm=1 / 40, L_tilde=1 / 40).convex(steps)[at],
                ),
            ),
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes where it should minimize",
                check(_tight(mutants.wrong_sign_oracle)),
            ),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *(_recursion_claim(setting) for setting in CONVEX_SETTINGS),
    *(
        _estimator_claim(setting, name, metric, symbol, bound)
        for setting in CONVEX_SETTINGS
        if (setting.set_name, setting.schedule) == ("l1_ball", "table")
        for name, metric, symbol, bound in (
            ("error", "squared_error", r"E\, e_{k-1}^2", r"\bar E_{k-1}"),
            ("staleness", "staleness", r"E\, Y_{k-1}", r"\bar Y_{k-1}"),
        )
    ),
    saga_claim(
        id="frank_wolfe/saga/convex/noise-tight",
        title="Convex rate without full gradients where the noise decides",
        source="convex theorem on Saga Sarah Frank-Wolfe; explicit form F6, any steps",
        theorem="F6",
        statement=RECURSION,
        assumptions=CONVEX,
        kind="upper_bound",
        metric=SUBOPTIMALITY,
        unit="iteration",
        output="last iterate",
        rate=1.0,
        prepare=_tight_case,
        pairs_with=SAGA_PARTNERS,
        not_shown="The slope $c$ is tuned to no horizon here: see the laws for the attained rate.",
    ),
)
