# SPDX-License-Identifier: Apache-2.0
r"""One step of the potential with exact solutions: measured, worst case over a class, theorem.

With two workers, F_1 = F + D and F_2 = F - D, and one client drawn, a step is linear in the values
of F and of D. Its start is a combination of where it leads,

    z = (v - p m) / (1 - p),   v = u + gamma (F(u) + D(u) - D(m)),

so that the implicit solution u costs nothing. F is known at u and z*, D at u and m: for two points
each the conditions on pairs are sufficient, and the worst case is exact. Compressed messages act by
coordinates, of which inner products say nothing. But V1 takes no more of a compressor than its
second moment, and that of PermK is that of one client.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from optzoo.compressors import SampledClients
from optzoo.theorems.three_pillars import V1_FACTOR

from ...checks import WorstCaseBound
from ...claim import Case, Claim
from ...controls import case, wrong
from ...worst_case.pep import bounded
from .one_step import decrease
from .settings import PillarsSetting, small_saddle

__all__ = ["CLAIMS"]

LONGER = (1.0, 1.2, 1.35)
"""The step, in units of that of V2; at sqrt(2) the slack vanishes."""


class Factor(NamedTuple):
    """The largest E Phi^+ / Phi."""

    value: float
    exact: bool = True


@cache
def setting(longer: float) -> PillarsSetting:
    """Two workers, of which one is drawn."""
    return small_saddle(
        "spectrum",
        n=2,
        half_dim=2,
        mu=0.1,
        size=6.0,
        longer=longer,
        compressor=SampledClients(1, 2),
    )


@cache
def worst_step(longer: float) -> Factor:
    """The worst case over all F and D, from all z and m."""
    gamma, mu, p = (setting(longer).value(name) for name in ("gamma", "mu", "p"))
    return Factor(worst_factor(mu, setting(longer).value("d_B") / 2**0.5, gamma, p))


def worst_factor(mu: float, deviation: float, gamma: float, p: float) -> float:
    """The largest E Phi^+ / Phi.

    Args:
        mu: F is mu-strongly monotone.
        deviation: D is Lipschitz with this constant.
        gamma: the step.
        p: the refresh probability, and the momentum.
    """

    def write() -> Any:
        from PEPit import PEP
        from PEPit.operators import LipschitzOperator, StronglyMonotoneOperator

        problem = PEP()
        operator = problem.declare_function(StronglyMonotoneOperator, mu=mu)
        difference = problem.declare_function(LipschitzOperator, L=deviation)
        star = operator.stationary_point()
        u, m = problem.set_initial_point(), problem.set_initial_point()
        change = difference.gradient(u) - difference.gradient(m)
        z = (u + gamma * (operator.gradient(u) + change) - p * m) / (1 - p)
        leads_to = [u, u + 2 * gamma * change]  # a_1 = 0, a_2 = 2 (D(u) - D(m))
        distances = [(following - star) ** 2 / 2 for following in leads_to]
        kept = p * (z - star) ** 2 + (1 - p) * (m - star) ** 2
        problem.set_initial_condition((z - star) ** 2 + (m - star) ** 2 <= 1)
        problem.set_performance_metric(distances[0] + distances[1] + kept)
        return problem

    return bounded(write)


def _contraction() -> Case:
    def check(promised: float | None = None) -> WorstCaseBound:
        def said(longer: float) -> float:
            return float(setting(longer).bound(V1_FACTOR)) if promised is None else promised

        return WorstCaseBound(
            measured=lambda: np.array(
                [1 - np.min(decrease(setting(k).run(), setting(k))) for k in LONGER]
            ),
            bound=lambda: np.array([said(longer) for longer in LONGER]),
            at=LONGER,
            worst=worst_step,
            over=(
                r"all $F_1, F_2$ in any dimension with $F$ $\mu$-strongly monotone and $F_1 - F$ "
                r"$\delta$-Lipschitz, from any $z$ and $m$"
            ),
            what="one step from the slowest state, both clients and sides of the coin",
        )

    gained = setting(1.0).value("gamma") * setting(1.0).value("mu")
    return case(
        setting(1.0),
        check,
        wrong("1/M left out", r"a false claim: $\rho = 1 - \gamma\mu$", promised=1 - gained),
    )


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="three_pillars/one-step/worst-case",
        title="One step of the potential, beside the worst case over its class",
        theorem=V1_FACTOR,
        prepare=_contraction,
        not_shown="More than two workers, and messages that are compressed by coordinates.",
        x_label=r"step $\gamma$, in units of that of V2",
    ),
)
