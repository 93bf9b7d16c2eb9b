"""What the claims of this paper have in common: their source, and a claim with its fields."""

from functools import partial

from optzoo.problems import Constant

from ...claim import Claim

__all__ = ["PAPER", "PARTNERS", "chosen", "ito_claim"]

PAPER = (
    'Ustimenko, Beznosikov, "Ito Diffusion Approximation of Universal Ito Chains for Sampling, '
    'Optimization and Boosting", ICLR 2024, arXiv:2310.06081'
)

# Identities about the code and bounds that are nearly attained: what fails for a wrong factor,
# and so can stand beside a bound that is slack on its instance.
PARTNERS = (
    "ito_chains/one-step/law",
    "ito_chains/paths/linear",
    "ito_chains/window/constants",
    "ito_chains/gaussian/bound",
)

ito_claim = partial(Claim, paper=PAPER, algorithm="ito_chain")


def chosen(**numbers: float) -> dict[str, Constant]:
    """Constants that are part of the instance; signs are told by the problem's words."""
    return {
        name: Constant(abs(value), "exact", derivation="chosen") for name, value in numbers.items()
    }
