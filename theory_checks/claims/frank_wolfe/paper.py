"""What all claims on Sarah Frank-Wolfe have in common: the paper, and a claim with its fields."""

from functools import partial

from ...claim import Claim

__all__ = ["PARTNERS", "sarah_claim"]

PAPER = (
    'Beznosikov, Dobre, Gidel, "Sarah Frank-Wolfe: Methods for Constrained Optimization with '
    'Best Rates and Practical Features", ICML 2024, arXiv:2304.11737'
)

# Claims that fail for a wrong factor, so that they can stand beside a bound that is slack.
PARTNERS = (
    "frank_wolfe/sarah/estimator/identity-with-replacement",
    "frank_wolfe/sarah/estimator/identity-without-replacement",
    "frank_wolfe/sarah/scaling/smoothness",
    "frank_wolfe/sarah/scaling/diameter",
)

sarah_claim = partial(Claim, paper=PAPER, algorithm="sarah_frank_wolfe")
