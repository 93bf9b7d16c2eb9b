"""What the claims of this paper have in common: their source, and a claim with its fields."""

from functools import partial

from ...claim import Claim

__all__ = ["PAPER", "PARTNERS", "pillars_claim"]

PAPER = (
    'Beznosikov, Takac, Gasnikov, "Similarity, Compression and Local Steps: Three Pillars of '
    'Efficient Communications for Distributed Variational Inequalities", NeurIPS 2023, '
    "arXiv:2302.07615"
)

# The parts of the proofs, each an identity or attained: what fails for a wrong factor, and so can
# stand beside a bound that is slack on its instance.
PARTNERS = (
    "three_pillars/one-step/identity",
    "three_pillars/one-step/contraction",
    "three_pillars/one-step/messages",
    "three_pillars/one-step/local-steps",
)

pillars_claim = partial(Claim, paper=PAPER, algorithm="three_pillars")
