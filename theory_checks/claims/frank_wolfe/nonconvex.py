r"""Sarah Frank-Wolfe on non-convex functions: F4, the average Frank-Wolfe gap."""

from functools import cache, partial

import jax.numpy as jnp
import numpy as np

import optzoo

from ...checks import UpperBound
from ...claim import Case, Claim, Control
from ...mutants import frank_wolfe as mutants
from ...simulation import Experiment
from .instances import balanced_probability, nonconvex_instance
from .paper import PARTNERS, sarah_claim
from .process import AveragedGap, Method

__all__ = ["CLAIMS"]

HORIZON, BATCH = 4000, 20


@cache
def _run(problem: str, set_name: str, method: Method = optzoo.sarah_frank_wolfe) -> Experiment:
    place = nonconvex_instance(problem, set_name)
    p = balanced_probability(place.problem.num_samples, BATCH)
    steps = jnp.full(HORIZON, HORIZON**-0.5)
    checkpoints = np.unique(np.round(np.geomspace(40, HORIZON, 15)).astype(int))
    run = place.run(steps, p, BATCH, replacement=True, method=method, process=AveragedGap)
    return Experiment(f"nonconvex-{place.name}-{method.__name__}", run, tuple(checkpoints.tolist()))


def _case(problem: str, set_name: str) -> Case:
    place = nonconvex_instance(problem, set_name)
    p = balanced_probability(place.problem.num_samples, BATCH)
    bounds = place.bounds(p, BATCH, replacement=True)
    steps = np.full(HORIZON, HORIZON**-0.5)

    def check(method: Method = optzoo.sarah_frank_wolfe) -> UpperBound:
        experiment = _run(problem, set_name, method)
        bound = bounds.nonconvex(steps)[np.asarray(experiment.checkpoints) - 1]
        return UpperBound(experiment, "average_gap", bound)

    return Case(
        problem=place.description,
        constants=place.constants,
        parameters={
            "p": p,
            "batch size": BATCH,
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
        ),
    )


def _claim(problem: str, set_name: str) -> Claim:
    label = f"{problem}-{set_name}".replace("_", "-")
    return sarah_claim(
        id=f"frank_wolfe/sarah/nonconvex/{label}",
        title=f"Non-convex rate of the gap, {problem.replace('_', ' ')}, "
        f"{set_name.replace('_', ' ')}",
        source="non-convex theorem; explicit form F4, constant steps",
        theorem="F4",
        statement=(
            r"$$\frac1k \sum_{j<k} E\, G_j \le \frac{1}{\eta k}\left(r_0 + D \eta \sum_{j<k} "
            r"\sqrt{\bar E_j} + \tfrac L2 D^2 \eta^2 k\right)$$ with the Frank-Wolfe gap "
            r"$G_j = \max_{s} \langle \nabla f(x^j), x^j - s\rangle$; $r_0 = f(x^0)$, since $f > 0$"
        ),
        assumptions=(
            r"$f$ $L$-smooth",
            r"Hessian variance $L_\pm$",
            r"diameter $D$",
            r"steps fixed in advance, in $[0, 1]$",
        ),
        kind="upper_bound",
        metric=r"\frac1k \sum_{j<k} E\, G_j",
        unit="iteration",
        output="average over the run (a random iterate)",
        prepare=partial(_case, problem, set_name),
        pairs_with=PARTNERS,
        not_shown=(
            "The gap of the last iterate, and any statement on minimizers: a small gap is near "
            "stationarity only."
        ),
    )


CLAIMS: tuple[Claim, ...] = (_claim("sigmoid", "l1_ball"), _claim("breast_cancer", "simplex"))
