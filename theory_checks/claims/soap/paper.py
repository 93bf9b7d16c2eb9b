"""What the claims on SOAP have in common: their sources, and a claim with its fields."""

from functools import partial

from ...claim import Claim

__all__ = ["SHAMPOO_PAPER", "SOAP_PAPER", "soap_claim"]

SOAP_PAPER = (
    'Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and '
    'Stabilizing Shampoo using Adam", ICLR 2025, arXiv:2409.11321'
)

SHAMPOO_PAPER = (
    'Gupta, Koren, Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018, '
    "arXiv:1802.09568"
)

soap_claim = partial(
    Claim,
    paper=SOAP_PAPER,
    algorithm="soap",
    kind="identity",
    unit="call",
    output="every iterate",
    x_label="case",
)
