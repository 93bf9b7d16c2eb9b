# SPDX-License-Identifier: Apache-2.0
"""Claims that could have failed where a bound is slack on its instance.

The parts of the proofs, each an identity or attained: what fails for a wrong factor.
"""

__all__ = ["PARTNERS"]

PARTNERS = (
    "three_pillars/one-step/identity",
    "three_pillars/one-step/contraction",
    "three_pillars/one-step/messages",
    "three_pillars/one-step/local-steps",
    "three_pillars/one-step/inexact",
    "three_pillars/one-step/server",
)
