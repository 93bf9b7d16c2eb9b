"""What the claims of this paper have in common: their source, and a claim with its fields."""

from functools import partial

from ...claim import Claim

__all__ = ["PAPER", "PARTNERS", "SAGA_PARTNERS", "saga_claim", "sarah_claim"]

PAPER = (
    'Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: Methods for Constrained Optimization with '
    'Best Rates and Practical Features", ICML 2024, arXiv:2304.11737'
)

# The parts of the bounds' proofs, each checked where it is attained or exact, and the scaling of
# the bounds themselves: what fails for a wrong factor, and so can stand beside a bound that is
# slack on its instance.
PARTNERS = (
    "frank_wolfe/sarah/one-step/descent",
    "frank_wolfe/sarah/estimator/identity-with-replacement",
    "frank_wolfe/sarah/estimator/identity-without-replacement",
    "frank_wolfe/sarah/scaling/smoothness",
    "frank_wolfe/sarah/scaling/diameter",
    "frank_wolfe/sarah/closed-form/unrolled",
)

SAGA_PARTNERS = (
    "frank_wolfe/sarah/one-step/descent",
    "frank_wolfe/saga/estimator/identity-with-replacement",
    "frank_wolfe/saga/estimator/identity-without-replacement",
    "frank_wolfe/saga/one-step/estimator",
    "frank_wolfe/saga/closed-form/unrolled",
)

sarah_claim = partial(Claim, paper=PAPER, algorithm="sarah_frank_wolfe")
saga_claim = partial(Claim, paper=PAPER, algorithm="saga_sarah_frank_wolfe")
