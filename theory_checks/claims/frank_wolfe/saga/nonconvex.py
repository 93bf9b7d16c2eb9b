r"""Saga Sarah Frank-Wolfe on non-convex functions: F7, the average Frank-Wolfe gap."""

from functools import cache, partial

import jax.numpy as jnp
import numpy as np

import optzoo

from ....checks import UpperBound
from ....claim import Case, Claim, Control
from ....mutants import saga_frank_wolfe as mutants
from ....simulation import Experiment
from ..instances import nonconvex_instance
from ..paper import SAGA_PARTNERS, saga_claim
from .process import AveragedSagaGap, Method
from .settings import ESTIMATOR, SMOOTH, names, saga_bounds, saga_run

__all__ = ["CLAIMS"]

HORIZON, BATCH = 2000, 20


@cache
def _averaged(problem: str, set_name: str, method: Method) -> Experiment:
    place = nonconvex_instance(problem, set_name)
    steps = jnp.full(HORIZON, HORIZON**-0.5)
    checkpoints = np.unique(np.round(np.geomspace(300, HORIZON, 12)).astype(int))
    run = saga_run(
        place,
        steps,
        BATCH,
        warm=True,
        replacement=False,
        process=AveragedSagaGap,
        method=method,
    )
    name = f"saga-nonconvex-{place.name}-{method.__name__}"
    return Experiment(name, run, tuple(checkpoints.tolist()))


def _case(problem: str, set_name: str) -> Case:
    place = nonconvex_instance(problem, set_name)
    bounds = saga_bounds(place, BATCH, warm=True, replacement=False)
    steps = np.full(HORIZON, HORIZON**-0.5)

    def check(method: Method = optzoo.saga_sarah_frank_wolfe) -> UpperBound:
        experiment = _averaged(problem, set_name, method)
        bound = bounds.nonconvex(steps)[np.asarray(experiment.checkpoints) - 1]
        return UpperBound(experiment, "average_gap", bound)

    return Case(
        problem=place.description,
        constants=place.constants,
        parameters={
            "lambda": bounds.mixing,
            "batch size": BATCH,
            "replacement": "False",
            "table": "first gradients",
            "steps": r"$\eta = 1/\sqrt K$",
            "horizon K": HORIZON,
        },
        check=check(),
        controls=(
            Control(
                "wrong sign of the oracle",
                "the oracle maximizes where it should minimize",
                check(mutants.wrong_sign_oracle),
            ),
        )
        if problem == "sigmoid"
        else (),
    )


def _claim(problem: str, set_name: str) -> Claim:
    label, words = names(problem, set_name)
    return saga_claim(
        id=f"frank_wolfe/saga/nonconvex/{label}",
        title=f"Non-convex rate of the gap without full gradients, {words}",
        source="non-convex theorem on Saga Sarah Frank-Wolfe; explicit form F7, constant steps",
        theorem="F7",
        statement=(
            r"$$\frac1k \sum_{j<k} E\, G_j \le \frac{1}{\eta k}\left(r_0 + D \eta \sum_{j<k} "
            r"\sqrt{\bar E_j} + \tfrac L2 D^2 \eta^2 k\right) \le \frac{r_0}{\eta k} + \eta D^2 "
            r"\left(\tfrac L2 + 2 \tilde L \sqrt{\tfrac{\nu}{a(1-a/4)}}\right)$$ " + ESTIMATOR
        ),
        assumptions=(*SMOOTH, r"$\lambda = a/2$, table of first gradients"),
        kind="upper_bound",
        metric=r"\frac1k \sum_{j<k} E\, G_j",
        unit="iteration",
        output="average over the run (a random iterate)",
        prepare=partial(_case, problem, set_name),
        pairs_with=SAGA_PARTNERS,
        not_shown="The gap of the last iterate, and any statement on minimizers.",
    )


CLAIMS: tuple[Claim, ...] = (
    _claim("sigmoid", "l1_ball"),
    _claim("breast_cancer", "simplex"),
)
