# SPDX-License-Identifier: Apache-2.0
"""Identities about the code and bounds that are nearly attained.

They fail for a wrong factor, and so can stand beside a bound that is slack on its instance.
"""

__all__ = ["PARTNERS"]

PARTNERS = (
    "ito_chains/one-step/law",
    "ito_chains/paths/linear",
    "ito_chains/window/constants",
    "ito_chains/gaussian/bound",
    "ito_chains/gaussian/one-step",
)
