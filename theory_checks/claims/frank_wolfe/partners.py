# SPDX-License-Identifier: Apache-2.0
"""Claims that could have failed where a bound is slack on its instance.

The parts of the bounds' proofs, each checked where it is attained or exact, and the scaling of the
bounds themselves: what fails for a wrong factor.
"""

__all__ = ["SAGA_PARTNERS", "SARAH_PARTNERS"]

SARAH_PARTNERS = (
    "frank_wolfe/sarah/one-step/descent",
    "frank_wolfe/sarah/estimator/identity",
    "frank_wolfe/sarah/estimator/bound",
    "frank_wolfe/sarah/estimator/attained",
    "frank_wolfe/sarah/one-step/lyapunov",
    "frank_wolfe/sarah/scaling/smoothness",
    "frank_wolfe/sarah/scaling/diameter",
)

SAGA_PARTNERS = (
    "frank_wolfe/sarah/one-step/descent",
    "frank_wolfe/saga/estimator/identity",
    "frank_wolfe/saga/one-step/estimator",
    "frank_wolfe/saga/estimator/whole-runs",
)
